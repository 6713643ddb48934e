"""A unit of work and a stage: what the plan is made of.

A unit names the files it reads, the files it writes and the settings it uses; nothing else may change its result.
Which unit waits for which follows from the paths: an input that another unit writes is a dependency.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pydantic import BaseModel


class FileSet(Protocol):
    """A frozen dataclass whose fields are paths, tuples of paths, or None.

    An input declared with `field(metadata={"optional": True})` may be absent when the unit runs: a unit that should
    have made it may have failed. The stage then goes on without it and says so.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]


@dataclass(frozen=True)
class Unit:
    """One piece of work: a clip, a subject, or a subject and camera.

    Attributes:
        stage: name of the stage.
        key: what it works on, `S001/C01`, `S001` or `S001/PG1`.
        inputs: frozen dataclass of paths that are read.
        outputs: frozen dataclass of paths that are written, all of them, or None for one that is not asked for.
        settings: the part of the configuration that the stage uses, nothing more: it is part of the identity.
    """

    stage: str
    key: str
    inputs: FileSet
    outputs: FileSet
    settings: BaseModel

    @property
    def id(self) -> str:
        """Name of the unit in records and messages, `ik S001/C01`."""
        return f"{self.stage} {self.key}"


@dataclass(frozen=True)
class StageReport:
    """What a stage tells of one unit besides its files; it goes into the record.

    Attributes:
        numbers: measured values by name with unit (`marker_rms_mm`), JSON-able scalars.
        findings: sentences that a person should read, each with numbers.
        warnings: sentences that a person must read: something was left out, or must not be trusted.
    """

    numbers: Mapping[str, float | int | str | bool] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """A stage: how it plans its units and how it runs one.

    Attributes:
        name: name at the command line and in records.
        version: raised by whoever changes what the stage writes; part of each unit's identity.
        summary: one line for tables.
        plan: (download, work folder, config) -> units.
        run: runs one unit in this process: reads its inputs, writes all its outputs, returns a report.
        check: (units) raises UsageError where this machine cannot run them as they are set; quick, writes nothing.
        prepare: (units, say) does on this machine what they would otherwise do in the first unit's time, and says so.
    """

    name: str
    version: int
    summary: str
    plan: Callable[..., tuple[Unit, ...]]
    run: Callable[[Unit], StageReport]
    check: Callable[[Sequence[Unit]], None] | None = None
    prepare: Callable[[Sequence[Unit], Callable[[str], None]], None] | None = None


def paths_of(files: FileSet) -> Iterator[tuple[str, Path]]:
    """Yield (role, path) of every path in a file set; tuples give `role[0]`, `role[1]`, ..."""
    for item in fields(files):
        value = getattr(files, item.name)
        if isinstance(value, Path):
            yield item.name, value
        elif isinstance(value, tuple):
            for index, path in enumerate(value):
                yield f"{item.name}[{index}]", path


def optional_roles(files: FileSet) -> frozenset[str]:
    """Return the roles of paths that may be absent when a unit runs."""
    optional = {item.name for item in fields(files) if item.metadata.get("optional")}
    return frozenset(role for role, _ in paths_of(files) if role.partition("[")[0] in optional)


def map_paths(files: FileSet, change: Callable[[Path], Path]) -> FileSet:
    """Return the same file set with `change` applied to every path."""

    def changed(value: Any) -> Any:
        if isinstance(value, Path):
            return change(value)
        if isinstance(value, tuple):
            return tuple(change(path) for path in value)
        return value

    new = {item.name: changed(getattr(files, item.name)) for item in fields(files)}
    return replace(files, **new)
