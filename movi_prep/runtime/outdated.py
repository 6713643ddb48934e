"""Finds shards of earlier runs that are out of date but still have their final names.

If a unit fails, or a run does not reach it, its earlier outputs stay, because they may be hours of work.
But training reads a folder, not records, and would take such a file for a current one.

| a shard is outdated | known from |
|---|---|
| whose unit is not current: failed, changed in settings, inputs or output, or following one that is | the plan |
| that no unit of the plan writes, and no record vouches for: not named, changed, or of inputs that changed | records |
| of a subject that is left out (`exclude`) | the configuration |

A shard of a camera or subject that the last run was not asked for is not outdated while its record holds.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.plain_text import shell_line
from movi_prep.records.outdated import OutdatedShards
from movi_prep.records.unit import paths_of
from movi_prep.runtime.data_of_work import config_path
from movi_prep.runtime.locks import scope_of
from movi_prep.runtime.unit_record import ABSENT, FileRecord, UnitRecord, makers_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from movi_prep.records.unit import AnyUnit
    from movi_prep.records.work_folder import WorkFolder
    from movi_prep.runtime.file_identity import FileIdentities
    from movi_prep.runtime.work_plan import PlannedUnit, WorkPlan

_READ_BY_TRAINING = frozenset({".h5", ".hdf5", ".npy", ".pkl"})


def outdated_outputs(plan: WorkPlan, reasons: Mapping[str, str]) -> tuple[OutdatedShards, ...]:
    """Return the shards that units of a plan once wrote and that no longer hold.

    Args:
        plan: the plan.
        reasons: the units that do not hold, by id, and why.
    """
    return tuple(
        OutdatedShards(files, reason, _redo(plan.work, name))
        for name, reason in reasons.items()
        if (files := _shards_left(plan, plan.units[name].unit))
    )


def find_outdated(plan: WorkPlan, identities: FileIdentities) -> tuple[OutdatedShards, ...]:
    """Return every shard of the work folder that does not hold: those of the plan's units, then all others.

    Args:
        plan: the plan of the work folder's last configuration, or a part of it.
        identities: remembers file hashes.
    """
    planned = outdated_outputs(plan, {planned.unit.id: _say_cause(plan, planned) for planned in plan.to_run})
    expected = {path for planned in plan.units.values() for _, path in paths_of(planned.unit.outputs)}
    strangers = [path for path in _shards_there(plan.work) if path not in expected]
    makers = makers_of(plan.work) if strangers else {}
    doubts = {path: _doubt(path, makers.get(path), plan, identities) for path in strangers}
    others = [
        OutdatedShards((_name(path, plan.work),), doubt, "remove it, or run its subject and camera again")
        for path, doubt in doubts.items()
        if doubt
    ]
    return (*planned, *others)


def _shards_left(plan: WorkPlan, unit: AnyUnit) -> tuple[str, ...]:
    """Return the shards of a unit that exist, from this run or another; none where it writes something else."""
    paths = [path for _, path in paths_of(unit.outputs) if path.parent in _folders(plan.work)]
    return tuple(_name(path, plan.work) for path in paths if path.is_file())


def _name(path: Path, work: WorkFolder) -> str:
    return str(path.relative_to(work.root))


def _say_cause(plan: WorkPlan, planned: PlannedUnit) -> str:
    """Return why a unit does not hold: the reason of the first one in the chain that it follows."""
    cause = planned
    # Ends: needs form no circle (see `work_plan`).
    while waiting := [need for need in cause.needs if need not in cause.tolerates and not plan.units[need].is_current]:
        cause = plan.units[waiting[0]]
    return planned.reason if cause is planned else f"follows {cause.unit.id}: {cause.reason}"


def _folders(work: WorkFolder) -> tuple[Path, Path]:
    return work.shards(), work.d3ke_shards()


def _shards_there(work: WorkFolder) -> Iterator[Path]:
    for folder in _folders(work):
        # A name that begins with a dot is one of a file that is being written.
        yield from sorted(
            path for path in folder.glob("*") if path.suffix in _READ_BY_TRAINING and not path.name.startswith(".")
        )


def _doubt(path: Path, maker: UnitRecord | None, plan: WorkPlan, identities: FileIdentities) -> str:
    """Return why no record vouches for a file; empty where one does."""
    if maker is None:
        return "no record names it: its unit failed, or it was put there by hand"
    if scope_of(maker.key) in plan.exclude:
        return f"{scope_of(maker.key)} is left out now (exclude)"
    written = next(entry for entry in maker.outputs.values() if plan.work.root / entry.path == path)
    if not identities.holds(path, written.identity):
        return f"it was changed after {maker.id} wrote it"
    changed = [role for role, entry in maker.inputs.items() if _is_another(entry, identities)]
    return f"{maker.id} read other files than are there now: input {', '.join(changed)}" if changed else ""


def _is_another(entry: FileRecord, identities: FileIdentities) -> bool:
    """Return whether an input has changed; data that no longer exist here count as unchanged."""
    path = Path(entry.path)
    return entry.identity != ABSENT and path.exists() and not identities.holds(path, entry.identity)


def _redo(work: WorkFolder, name: str) -> str:
    return shell_line(
        ["movi-prep", "run", "--config", str(config_path(work.root)), "--work", str(work.root), "--only", name]
    )
