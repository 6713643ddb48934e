"""Why units failed, each cause once: units that failed for the same reason, and how many others wait for them.

A wrong release fails six hundred clips, and everything behind them waits: one cause, however many rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from movi_prep.runtime.work_plan import WorkPlan

_PATH = re.compile(r"(?<![\w/])/[^\s:;,()']+")
_NUMBER = re.compile(r"\d+(\.\d+)?")
_OVERRIDE = re.compile(r"--set (\S+=\S+)")


@dataclass(frozen=True)
class Failure:
    """A unit that failed: which, why, and the command that repeats it."""

    unit: str
    reason: str
    redo: str


@dataclass(frozen=True)
class RootCause:
    """One cause for which units failed.

    Attributes:
        units: ids of the units that failed of it, in the order of the plan.
        reason: the reason of the first of them; of the others it differs in paths and numbers at most.
        n_waiting: how many units wait for them.
        override: the setting with which the run goes on anyway, `scaling.keep_failed_audit=true`; empty for none.
    """

    units: tuple[str, ...]
    reason: str
    n_waiting: int
    override: str = ""


def root_causes(failed: Iterable[Failure], waits_for: Mapping[str, str]) -> tuple[RootCause, ...]:
    """Return the causes of failures, those that hold up most first.

    Args:
        failed: the units that failed.
        waits_for: the failed unit that each waiting unit waits for, by id.
    """
    groups: dict[str, list[Failure]] = {}
    for failure in failed:
        groups.setdefault(_in_other_words(failure.reason), []).append(failure)
    causes = [_cause(group, waits_for) for group in groups.values()]
    return tuple(sorted(causes, key=lambda cause: -len(cause.units) - cause.n_waiting))


def waiting_for(plan: WorkPlan, failed: Sequence[str], waiting: Iterable[str]) -> dict[str, str]:
    """Return, for each waiting unit that needs the outputs of a failed one, which one that is.

    Args:
        plan: the plan.
        failed: ids of the units that failed.
        waiting: ids of the units that wait.
    """
    roots = {name: name for name in failed}
    # The plan is in order of needs, so the causes of the units that this one needs are known.
    for name, planned in plan.units.items():
        root = next((roots[need] for need in planned.needs if need in roots and need not in planned.tolerates), None)
        if root is not None:
            roots.setdefault(name, root)
    return {name: roots[name] for name in waiting if name in roots and name not in failed}


def _cause(group: Sequence[Failure], waits_for: Mapping[str, str]) -> RootCause:
    units = {failure.unit for failure in group}
    override = _OVERRIDE.search(group[0].reason)
    return RootCause(
        units=tuple(failure.unit for failure in group),
        reason=group[0].reason,
        n_waiting=sum(root in units for root in waits_for.values()),
        override=override[1].rstrip(".,;)") if override else "",
    )


def _in_other_words(reason: str) -> str:
    """Return a reason without paths and numbers, in which the same reason differs from unit to unit."""
    return _NUMBER.sub("#", _PATH.sub("/", reason))
