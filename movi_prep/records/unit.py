"""Units of work and stages, the parts of a plan.

A unit names the files it reads, the files it writes and the settings it uses; nothing else may change its result.
The order of units follows from the paths: a unit waits for the units that write its inputs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

from movi_prep.records.advance import unheard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from movi_prep.config.base import Settings
    from movi_prep.config.root import Config
    from movi_prep.records.advance import Advance
    from movi_prep.records.recordings import Recordings
    from movi_prep.records.work_folder import WorkFolder


class FileSet(Protocol):
    """A frozen dataclass whose fields are paths, tuples of paths, or None; text fields name their subject or clips.

    An input declared with `field(metadata={"optional": True})` may be absent when the unit runs: a unit that should
    have made it may have failed. The stage then gets None in its place, continues without it and reports it.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]


Inputs = TypeVar("Inputs", bound=FileSet)
Outputs = TypeVar("Outputs", bound=FileSet)
UnitSettings = TypeVar("UnitSettings", bound="Settings")
Files = TypeVar("Files", bound=FileSet)


@dataclass(frozen=True)
class Unit(Generic[Inputs, Outputs, UnitSettings]):
    """One piece of work: a clip, a subject, or a subject and camera.

    Attributes:
        stage: name of the stage.
        key: subject, clip or camera that it works on, `S001/C01`, `S001` or `S001/PG1`.
        inputs: frozen dataclass of paths that are read.
        outputs: frozen dataclass of paths that are written, all of them; None for a file that is not requested.
        settings: the part of the configuration that the stage uses, nothing more; part of the unit's identity.
    """

    stage: str
    key: str
    inputs: Inputs
    outputs: Outputs
    settings: UnitSettings

    @property
    def id(self) -> str:
        """Name of the unit in records and messages, `ik S001/C01`."""
        return f"{self.stage} {self.key}"


@dataclass(frozen=True)
class StageReport:
    """The report of a stage on one unit, besides its files; part of the unit's record.

    Attributes:
        numbers: measured values by name with unit (`marker_rms_mm`), JSON-able scalars.
        findings: sentences to read, each with numbers.
        warnings: sentences that must not be overlooked: something was left out, or must not be trusted.
    """

    numbers: Mapping[str, float | int | str | bool] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class InSteps(Generic[Inputs, Outputs, UnitSettings]):
    """The `run` of a stage whose units take long: it also receives the function to which it reports its progress."""

    run: Callable[[Inputs, Outputs, UnitSettings, Advance], StageReport]

    def __call__(
        self, inputs: Inputs, outputs: Outputs, settings: UnitSettings, advance: Advance = unheard
    ) -> StageReport:
        """Run one unit."""
        return self.run(inputs, outputs, settings, advance)


@dataclass(frozen=True)
class Stage(Generic[Inputs, Outputs, UnitSettings]):
    """A stage: how it plans its units and how it runs one.

    Attributes:
        name: name at the command line and in records.
        version: raise it when you change what the stage writes; part of each unit's identity.
        summary: one line for tables.
        plan: (recordings, work folder, config) -> units.
        run: (inputs, outputs, settings) runs one unit in this process: reads its inputs, writes all its outputs;
            `InSteps` where that takes long.
        check: (settings of units) raises UsageError where this machine cannot run them; quick, writes nothing.
        prepare: (settings of units, say) prepares this machine before the first unit, and announces it.
        gathers: whether a unit makes a file of all clips of a subject: a later choice of clips does not shrink it.
    """

    name: str
    version: int
    summary: str
    plan: Callable[[Recordings, WorkFolder, Config], tuple[Unit[Inputs, Outputs, UnitSettings], ...]]
    run: Callable[[Inputs, Outputs, UnitSettings], StageReport]
    check: Callable[[Sequence[UnitSettings]], None] | None = None
    prepare: Callable[[Sequence[UnitSettings], Callable[[str], None]], None] | None = None
    gathers: bool = False

    def run_unit(self, unit: Unit[Inputs, Outputs, UnitSettings], advance: Advance = unheard) -> StageReport:
        """Run one of its units, which reports to `advance` how far it has come if it takes long."""
        if isinstance(self.run, InSteps):
            return self.run(unit.inputs, unit.outputs, unit.settings, advance)
        return self.run(unit.inputs, unit.outputs, unit.settings)


AnyUnit: TypeAlias = Unit[Any, Any, Any]
AnyStage: TypeAlias = Stage[Any, Any, Any]
"""A stage of many, as the runtime holds them: the plan ensures that units and stages match."""


def paths_of(files: FileSet) -> Iterator[tuple[str, Path]]:
    """Yield (role, path) of every path in a file set; tuples give `role[0]`, `role[1]`, ..."""
    for item in fields(files):
        value = getattr(files, item.name)
        if isinstance(value, Path):
            yield item.name, value
        elif isinstance(value, tuple):
            for index, path in enumerate(value):
                if isinstance(path, Path):
                    yield f"{item.name}[{index}]", path


def optional_roles(files: FileSet) -> frozenset[str]:
    """Return the roles of paths that may be absent when a unit runs."""
    optional = {item.name for item in fields(files) if item.metadata.get("optional")}
    # A tuple of paths is optional as a whole: its roles are `name[0]`, `name[1]`.
    return frozenset(role for role, _ in paths_of(files) if role.partition("[")[0] in optional)


def map_paths(files: Files, change: Callable[[Path], Path | None]) -> Files:
    """Return the same file set with `change` applied to every path."""

    def changed(value: Any) -> Any:
        if isinstance(value, Path):
            return change(value)
        if isinstance(value, tuple):
            return tuple(changed(inner) for inner in value)
        return value

    new = {item.name: changed(getattr(files, item.name)) for item in fields(files)}
    return replace(files, **new)
