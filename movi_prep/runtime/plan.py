"""The plan: every unit of every stage, what it waits for, and whether what it once wrote still holds.

A unit is current only where its record says so and everything in that record is still true: code version of the
stage, settings, content of every input, content of every output. Planning reads names, stamps and records; file
contents only where a stamp has changed since they were last read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Literal

from movi_prep.errors import InternalError
from movi_prep.records.unit import paths_of
from movi_prep.runtime.settings_identity import changed_settings, describe_settings
from movi_prep.runtime.unit_record import UnitRecord, read_record, record_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from movi_prep.config.root import Config
    from movi_prep.records.download import Download
    from movi_prep.records.unit import Stage, Unit
    from movi_prep.records.work_folder import WorkFolder
    from movi_prep.runtime.file_identity import FileIdentities

State = Literal["current", "stale", "failed", "new"]


@dataclass(frozen=True)
class PlannedUnit:
    """A unit and what the plan knows of it.

    Attributes:
        stage: the stage that runs it.
        unit: the unit itself.
        needs: ids of the planned units whose outputs it reads.
        state: `current` (nothing to do), `stale` (ran, no longer holds), `failed` (last time), `new` (never ran).
        reason: why it runs, one line; empty where it is current.
        last: the record of its last execution, if there is one.
    """

    stage: Stage
    unit: Unit
    needs: tuple[str, ...]
    state: State
    reason: str
    last: UnitRecord | None

    @property
    def is_current(self) -> bool:
        """Whether there is nothing to do."""
        return self.state == "current"


@dataclass(frozen=True)
class Plan:
    """All units, each after those that it needs.

    Attributes:
        work: the work folder.
        stages: names of the stages, in order.
        units: by id, in an order that respects needs.
    """

    work: WorkFolder
    stages: tuple[str, ...]
    units: Mapping[str, PlannedUnit]

    @property
    def to_run(self) -> tuple[PlannedUnit, ...]:
        """Units that are not current."""
        return tuple(planned for planned in self.units.values() if not planned.is_current)

    def counts(self, stage: str) -> Counter[State]:
        """Return how many units of a stage are in which state."""
        return Counter(planned.state for planned in self.units.values() if planned.unit.stage == stage)


def make_plan(
    stages: Sequence[Stage],
    *,
    download: Download,
    work: WorkFolder,
    config: Config,
    identities: FileIdentities,
    force: Collection[str] = (),
) -> Plan:
    """Return the plan of some stages over a download.

    Args:
        stages: the stages, in order.
        download: what was found.
        work: where outputs and records stand.
        config: the whole configuration; each stage takes its own part.
        identities: remembers file hashes; what is read here is added.
        force: names of stages whose units run whatever their records say.

    Raises:
        InternalError: two units write one file, or units wait for each other in a circle.
    """
    units = [(stage, unit) for stage in stages for unit in stage.plan(download, work, config)]
    needs = _needs([unit for _, unit in units])
    by_id = {unit.id: (stage, unit) for stage, unit in units}
    planned: dict[str, PlannedUnit] = {}
    for name in _in_order(needs):
        stage, unit = by_id[name]
        last = read_record(record_path(work, unit))
        waiting = [need for need in needs[name] if not planned[need].is_current]
        reason = _why_forced(stage, waiting, force) or _why_not_current(stage, unit, last, work, identities)
        state = _state(reason, last)
        planned[name] = PlannedUnit(stage, unit, needs[name], state, reason, last)
    ordered = {unit.id: planned[unit.id] for _, unit in units}
    return Plan(work=work, stages=tuple(stage.name for stage in stages), units=ordered)


def _needs(units: Iterable[Unit]) -> dict[str, tuple[str, ...]]:
    """Return which units each unit waits for: the writers of the files that it reads."""
    units = tuple(units)
    writer: dict[Path, str] = {}
    for unit in units:
        for _, path in paths_of(unit.outputs):
            other = writer.setdefault(path, unit.id)
            if other != unit.id:
                raise InternalError(f"{unit.id} and {other} both write {path}")
    return {
        unit.id: tuple(dict.fromkeys(writer[path] for _, path in paths_of(unit.inputs) if path in writer))
        for unit in units
    }


def _in_order(needs: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    try:
        return tuple(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise InternalError(f"units wait for each other: {' <- '.join(error.args[1])}") from error


def _state(reason: str, last: UnitRecord | None) -> State:
    if not reason:
        return "current"
    if last is None:
        return "new"
    return "failed" if last.status == "failed" else "stale"


def _why_forced(stage: Stage, waiting: Sequence[str], force: Collection[str]) -> str:
    if waiting:
        rest = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        return f"follows {waiting[0]}{rest}"
    return "forced" if stage.name in force else ""


def _why_not_current(
    stage: Stage, unit: Unit, last: UnitRecord | None, work: WorkFolder, identities: FileIdentities
) -> str:
    """Return why a unit must run, one line, or nothing where its record still holds."""
    if last is None:
        return "never ran"
    if last.status == "failed":
        return f"failed last time: {last.reason}"
    if last.stage_version != stage.version:
        return f"version of stage {stage.name}: {last.stage_version} -> {stage.version}"
    changed = changed_settings(dict(last.settings), describe_settings(unit.settings, identities))
    if changed:
        return f"setting {', '.join(changed)}"
    return _why_files_changed(unit, last, work, identities)


def _why_files_changed(unit: Unit, last: UnitRecord, work: WorkFolder, identities: FileIdentities) -> str:
    outputs = {role: str(path.relative_to(work.root)) for role, path in paths_of(unit.outputs)}
    if outputs != {role: entry.path for role, entry in last.outputs.items()}:
        return "it writes other files now"
    for entry in last.outputs.values():
        if not identities.holds(work.root / entry.path, entry.identity):
            return f"output {entry.path} is missing or was changed"
    inputs = dict(paths_of(unit.inputs))
    if inputs.keys() != last.inputs.keys():
        return "it reads other files now"
    for role, path in inputs.items():
        if not identities.holds(path, last.inputs[role].identity):
            return f"input {role} is missing or was changed: {path}"
    return ""
