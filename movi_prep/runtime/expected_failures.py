"""Which units of a plan would fail for what is wrong with the data, so that nobody reads them as units that run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.records.unit import paths_of
from movi_prep.runtime.locks import scope_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from movi_prep.runtime.data_check import DataFault
    from movi_prep.runtime.work_plan import PlannedUnit, WorkPlan

_BODY_STAGES = ("static", "markers")
"""Stages that pose a body."""


def units_that_fail(plan: WorkPlan, faults: Collection[DataFault], *, is_each_opened: bool) -> frozenset[str]:
    """Return the ids of units whose motion or body model is at fault, and of those that cannot do without them.

    Args:
        plan: the plan.
        faults: what is wrong with the data.
        is_each_opened: whether every motion was opened; else one stands for all of its subject.
    """
    of_bodies = [fault for fault in faults if fault.stops_bodies]
    files = {path for fault in of_bodies for path in fault.files}
    subjects = {subject for fault in of_bodies for subject in fault.subjects}
    failing: set[str] = set()
    # Each unit comes after those that it needs.
    for name, planned in plan.units.items():
        if planned.is_current:
            continue
        waits = (set(planned.needs) - planned.tolerates) & failing
        if waits or _is_at_fault(planned, files, frozenset() if is_each_opened else frozenset(subjects)):
            failing.add(name)
    return frozenset(failing)


def _is_at_fault(planned: PlannedUnit, files: Collection[Path], subjects: Collection[str]) -> bool:
    if planned.unit.stage not in _BODY_STAGES:
        return False
    return scope_of(planned.unit.key) in subjects or any(path in files for _, path in paths_of(planned.unit.inputs))
