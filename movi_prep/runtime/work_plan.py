"""The plan: every unit of every stage, the units it waits for, and whether its outputs are up to date.

A unit is current only if its record says so and everything in that record still holds: code version of the
stage, settings, content of every input, content of every output. One that holds but follows units that run is *open*:
whether it runs is decided once they have ended, by what they wrote. Planning reads names, stamps and records; file
contents only where a stamp has changed since they were last read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Literal

from movi_prep.errors import InternalError
from movi_prep.records.unit import optional_roles, paths_of
from movi_prep.records.work_folder import WorkFolder
from movi_prep.runtime.settings_identity import changed_settings, describe_settings
from movi_prep.runtime.unit_record import ABSENT, FileRecord, UnitRecord, makers_of, read_record, record_path
from movi_prep.stages.order import SHARD_STAGES, idle_cameras

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from movi_prep.config.root import Config
    from movi_prep.records.recordings import Recordings
    from movi_prep.records.unit import AnyStage, AnyUnit
    from movi_prep.runtime.file_identity import FileIdentities

State = Literal["current", "stale", "failed", "new"]


@dataclass(frozen=True)
class PlannedUnit:
    """A unit and its state in the plan.

    Attributes:
        stage: the stage that runs it.
        unit: the unit itself.
        needs: ids of the planned units whose outputs it reads.
        tolerates: those of them that may fail: it then goes on without their files.
        state: `current` (nothing to do), `stale` (ran, no longer holds), `failed` (last time), `new` (never ran).
        reason: why it runs, one line; empty where it is current.
        last: the record of its last execution, if there is one.
        is_open: whether it turns out to be current when the files of the units that it needs come out as they were.
        absent: inputs that count as not there: they lie in the work folder, and no unit and no record vouches for them.
    """

    stage: AnyStage
    unit: AnyUnit
    needs: tuple[str, ...]
    tolerates: frozenset[str]
    state: State
    reason: str
    last: UnitRecord | None
    is_open: bool = False
    absent: frozenset[Path] = frozenset()

    @property
    def is_current(self) -> bool:
        """Whether there is nothing to do."""
        return self.state == "current"


@dataclass(frozen=True)
class WorkPlan:
    """All units, each after those that it needs.

    Attributes:
        work: the work folder.
        stages: names of the stages, in order.
        units: by id, in an order that respects needs.
        left_out: what was chosen but cannot be planned, `shard PG3`, and why.
        exclude: subjects and clips that the configuration leaves out.
    """

    work: WorkFolder
    stages: tuple[str, ...]
    units: Mapping[str, PlannedUnit]
    left_out: Mapping[str, str] = field(default_factory=dict)
    exclude: frozenset[str] = frozenset()

    @property
    def to_run(self) -> tuple[PlannedUnit, ...]:
        """Units that are not current."""
        return tuple(planned for planned in self.units.values() if not planned.is_current)

    def counts(self, stage: str) -> Counter[State]:
        """Return how many units of a stage are in which state."""
        return Counter(planned.state for planned in self.units.values() if planned.unit.stage == stage)


def make_plan(
    stages: Sequence[AnyStage],
    *,
    recordings: Recordings,
    config: Config,
    identities: FileIdentities,
    force: Collection[str] = (),
    gathered: Recordings | None = None,
) -> WorkPlan:
    """Return the plan of some stages over some recordings.

    Args:
        stages: the stages, in order.
        recordings: the data found.
        config: the whole configuration; each stage takes its own part.
        identities: remembers file hashes; those computed here are added.
        force: names of stages whose units run even if their records say that they are current.
        gathered: the data for stages that write files about whole subjects; None for the same as the others.

    Raises:
        InternalError: two units write one file, or units wait for each other in a circle.
    """
    work = WorkFolder(config.work)
    given = {False: recordings, True: gathered or recordings}
    units = [(stage, unit) for stage in stages for unit in stage.plan(given[stage.gathers], work, config)]
    writers = _writers([unit for _, unit in units])
    needs = {unit.id: _needs(unit, writers) for _, unit in units}
    by_id = {unit.id: (stage, unit) for stage, unit in units}
    planned: dict[str, PlannedUnit] = {}
    for name in _in_order(needs):
        stage, unit = by_id[name]
        fresh = PlannedUnit(
            stage=stage,
            unit=unit,
            needs=needs[name],
            # Needed for optional inputs only: a failure of those leaves the unit runnable.
            tolerates=frozenset(needs[name]) - set(_needs(unit, writers, optional=False)),
            state="new",
            reason="",
            last=read_record(record_path(work, unit)),
            absent=_unvouched(unit, writers, work, identities),
        )
        waiting = [planned[need] for need in needs[name] if not planned[need].is_current]
        planned[name] = _decide(fresh, waiting, work, identities, is_forced=stage.name in force)
    # In the order of stages, not of the sort: output reads as people think of it, and does not change from run to run.
    ordered = {unit.id: planned[unit.id] for _, unit in units}
    names = tuple(stage.name for stage in stages)
    return WorkPlan(
        work=work,
        stages=names,
        units=ordered,
        left_out=_left_out(names, recordings, config),
        exclude=frozenset(config.exclude),
    )


def why_not_current(
    planned: PlannedUnit,
    work: WorkFolder,
    identities: FileIdentities,
    *,
    absent: Collection[Path] = (),
    unknown: Collection[Path] = (),
) -> str:
    """Return why a unit must run, one line, or nothing where its record still holds.

    Args:
        planned: the unit, with its record.
        work: where outputs are.
        identities: remembers file hashes.
        absent: files that count as not there, because the unit that makes them failed.
        unknown: files that are not read, because a unit that runs will replace them.
    """
    last = planned.last
    if last is None:
        return "never ran"
    if last.status == "failed":
        return f"failed last time: {last.reason}"
    if last.stage_version != planned.stage.version:
        return f"version of stage {planned.stage.name}: {last.stage_version} -> {planned.stage.version}"
    changed = changed_settings(dict(last.settings), describe_settings(planned.unit.settings, identities))
    if changed:
        return f"setting {', '.join(changed)}"
    return _why_outputs_changed(planned.unit, last, work, identities) or _why_inputs_changed(
        planned.unit, last, identities, absent={*absent, *planned.absent}, unknown=unknown
    )


def _left_out(stages: Sequence[str], recordings: Recordings, config: Config) -> dict[str, str]:
    """Return the cameras that were asked for and can have no shard."""
    shards = [name for name in stages if name in SHARD_STAGES]
    idle = idle_cameras(recordings, recordings.cameras_wanted(config.shard.cameras)) if shards else {}
    return {f"{shards[0]} {camera}": why for camera, why in idle.items()}


def _decide(
    fresh: PlannedUnit, waiting: Sequence[PlannedUnit], work: WorkFolder, identities: FileIdentities, *, is_forced: bool
) -> PlannedUnit:
    """Return the unit with its state, given the units it needs that are not current."""
    # Files that a unit of this run will replace: their present content says nothing.
    unknown = {path for need in waiting for _, path in paths_of(need.unit.outputs)}
    own = "forced" if is_forced else why_not_current(fresh, work, identities, unknown=unknown)
    hard = [need.unit.id for need in waiting if need.unit.id not in fresh.tolerates]
    # What it waits for says more than what that has done to it; where nothing else speaks, it stays open.
    reason = own if is_forced else _say_follows(hard) or own or _say_follows([need.unit.id for need in waiting])
    if not reason:
        return replace(fresh, state="current")
    state: State = "new" if fresh.last is None else "failed" if fresh.last.status == "failed" else "stale"
    return replace(fresh, state=state, reason=reason, is_open=not own)


def _unvouched(
    unit: AnyUnit, writers: Mapping[Path, str], work: WorkFolder, identities: FileIdentities
) -> frozenset[Path]:
    """Return the optional inputs that an earlier run left in the work folder and that no record vouches for.

    A unit may read what units of other runs wrote (the files of subjects that are not asked for now), but nothing that
    a unit left behind which has failed since.
    """
    optional = optional_roles(unit.inputs)
    left = [path for role, path in paths_of(unit.inputs) if role in optional and path not in writers]
    left = [path for path in left if work.is_made(path)]
    # Reads every record of the work folder, so only where something has to be vouched for.
    makers = makers_of(work) if left else {}
    vouched = {
        path: entry.identity
        for path in left
        if (maker := makers.get(path)) is not None
        for entry in maker.outputs.values()
        if work.root / entry.path == path
    }
    return frozenset(path for path in left if path not in vouched or not identities.holds(path, vouched[path]))


def _writers(units: Iterable[AnyUnit]) -> dict[Path, str]:
    """Return which unit writes each file."""
    writers: dict[Path, str] = {}
    for unit in units:
        for _, path in paths_of(unit.outputs):
            other = writers.setdefault(path, unit.id)
            if other != unit.id:
                raise InternalError(f"{unit.id} and {other} both write {path}")
    return writers


def _needs(unit: AnyUnit, writers: Mapping[Path, str], *, optional: bool = True) -> tuple[str, ...]:
    """Return which units a unit waits for: the writers of the files that it reads."""
    skipped = frozenset[str]() if optional else optional_roles(unit.inputs)
    wanted = (path for role, path in paths_of(unit.inputs) if role not in skipped)
    return tuple(dict.fromkeys(writers[path] for path in wanted if path in writers))


def _in_order(needs: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    try:
        return tuple(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise InternalError(f"units wait for each other: {' <- '.join(error.args[1])}") from error


def _say_follows(waiting: Sequence[str]) -> str:
    if not waiting:
        return ""
    return f"follows {waiting[0]}" + (f" and {len(waiting) - 1} more" if len(waiting) > 1 else "")


def _why_outputs_changed(unit: AnyUnit, last: UnitRecord, work: WorkFolder, identities: FileIdentities) -> str:
    outputs = {role: str(path.relative_to(work.root)) for role, path in paths_of(unit.outputs)}
    if outputs != {role: entry.path for role, entry in last.outputs.items()}:
        return "it writes other files now"
    for entry in last.outputs.values():
        if not identities.holds(work.root / entry.path, entry.identity):
            return f"output {entry.path} {'was changed' if (work.root / entry.path).is_file() else 'is missing'}"
    return ""


def _why_inputs_changed(
    unit: AnyUnit,
    last: UnitRecord,
    identities: FileIdentities,
    *,
    absent: Collection[Path],
    unknown: Collection[Path],
) -> str:
    inputs = dict(paths_of(unit.inputs))
    if inputs.keys() != last.inputs.keys():
        return "it reads other files now"
    for role, path in inputs.items():
        if path in unknown:
            continue
        before = last.inputs[role].identity
        is_absent = path in absent or (before == ABSENT and not path.exists())
        if (before != ABSENT) if is_absent else not identities.holds(path, before):
            return f"input {role} {_say_difference(path, last.inputs[role], is_absent=is_absent)}"
    return ""


def _say_difference(path: Path, before: FileRecord, *, is_absent: bool) -> str:
    """Return in which way an input has changed."""
    if is_absent or not path.exists():
        return f"is missing: {path}"
    if before.identity == ABSENT:
        return f"is there now: {path}"
    # Only if the content changed as well: a download that was merely moved is the same.
    return f"is another file: was {before.path}, is {path}" if str(path) != before.path else f"was changed: {path}"
