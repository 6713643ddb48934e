"""Summaries of a run or a work folder: counts per stage, failures with their remedy, files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from movi_prep.runtime.file_identity import is_sampled
from movi_prep.runtime.outdated import find_outdated, outdated_outputs
from movi_prep.runtime.root_causes import Failure, RootCause, root_causes, waiting_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from movi_prep.records.outdated import OutdatedShards
    from movi_prep.runtime.file_identity import FileIdentities
    from movi_prep.runtime.plan_execution import RunResult
    from movi_prep.runtime.unit_record import UnitRecord
    from movi_prep.runtime.work_plan import PlannedUnit, WorkPlan


@dataclass(frozen=True)
class StageCounts:
    """Units of one stage.

    Attributes:
        done: executed in this run; in a status: all that hold.
        current: nothing to do, their records hold.
        failed: ended with an error.
        waiting: not executed.
        stale: (status only) ran once, no longer hold.
        seconds: time spent in units, summed over workers.
        peak_memory_mb: the largest of a unit.
    """

    done: int = 0
    current: int = 0
    failed: int = 0
    waiting: int = 0
    stale: int = 0
    seconds: float = 0.0
    peak_memory_mb: float = 0.0


@dataclass(frozen=True)
class Summary:
    """The end of a run, or the state of a work folder.

    Attributes:
        stages: counts by stage, in order.
        failed: the failures.
        waiting: units that wait, by id, and why.
        findings: the stages' findings, by unit.
        warnings: by unit, or by what was not planned (`shard PG3`): something was left out, or must not be trusted.
        outputs: every file that holds, relative to the work folder.
        waits_for: the failed unit that each waiting unit waits for, by id; others have not had their turn.
        outdated: shards of earlier runs that are out of date.
    """

    stages: Mapping[str, StageCounts]
    failed: tuple[Failure, ...]
    waiting: Mapping[str, str]
    findings: Mapping[str, tuple[str, ...]]
    warnings: Mapping[str, tuple[str, ...]]
    outputs: tuple[str, ...]
    waits_for: Mapping[str, str] = field(default_factory=dict)
    outdated: tuple[OutdatedShards, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether nothing failed, and nothing waits for what did."""
        return not self.failed and not self.waits_for

    @property
    def causes(self) -> tuple[RootCause, ...]:
        """Why units failed, each cause once."""
        return root_causes(self.failed, self.waits_for)

    def to_json(self, *, seconds: float) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        names = ("done", "current", "failed", "waiting")
        return {
            "stages": {
                stage: {name: getattr(counts, name) for name in names}
                | ({"stale": counts.stale} if counts.stale else {})
                for stage, counts in self.stages.items()
            },
            "failed": [vars(failure) for failure in self.failed],
            "warnings": [{"unit": unit, "text": text} for unit, texts in self.warnings.items() for text in texts],
            "outputs": list(self.outputs),
            "outdated": [vars(item) for item in self.outdated],
            "seconds": round(seconds, 3),
        }


def summarise_run(result: RunResult) -> Summary:
    """Return the summary of a run."""
    stages = {}
    for stage in result.plan.stages:
        units = [planned for planned in result.plan.units.values() if planned.unit.stage == stage]
        ended = [record for record in result.records.values() if record.stage == stage]
        n_failed = sum(record.status == "failed" for record in ended)
        stages[stage] = StageCounts(
            done=len(ended) - n_failed,
            # Units that were open and came out unchanged did not run, and count as current.
            current=sum(_holds(planned, result) for planned in units),
            failed=n_failed,
            waiting=sum(planned.unit.id in result.blocked for planned in units),
            seconds=sum(record.seconds for record in ended),
            peak_memory_mb=max((record.peak_memory_mb for record in ended), default=0.0),
        )
    holding = [
        record
        for planned in result.plan.units.values()
        # The record of this run where there is one, else the earlier one if it still holds.
        if (record := result.records.get(planned.unit.id, planned.last if _holds(planned, result) else None))
        is not None
    ]
    summary = _summary(result.plan, stages, _failures(result.failed), dict(result.blocked), holding)
    lost = {record.id: f"failed: {record.reason}" for record in result.failed}
    return replace(summary, outdated=outdated_outputs(result.plan, {**lost, **result.blocked}))


def summarise_plan(plan: WorkPlan, identities: FileIdentities) -> Summary:
    """Return the state of a work folder: what holds, what no longer does, what failed, what waits."""
    stages = {}
    for stage in plan.stages:
        counts = plan.counts(stage)
        last = [
            planned.last for planned in plan.units.values() if planned.unit.stage == stage and planned.last is not None
        ]
        stages[stage] = StageCounts(
            done=counts["current"],
            current=counts["current"],
            failed=counts["failed"],
            waiting=counts["new"],
            stale=counts["stale"],
            seconds=sum(record.seconds for record in last),
            peak_memory_mb=max((record.peak_memory_mb for record in last), default=0.0),
        )
    failed = [planned.last for planned in plan.units.values() if planned.state == "failed" and planned.last is not None]
    holding = [planned.last for planned in plan.units.values() if planned.is_current and planned.last is not None]
    waiting = {name: planned.reason for name, planned in plan.units.items() if planned.state in ("new", "stale")}
    summary = _summary(plan, stages, _failures(failed), waiting, holding)
    return replace(summary, outdated=find_outdated(plan, identities))


def count_sampled(plan: WorkPlan) -> int:
    """Return how many files records know that are compared by samples only."""
    records = [planned.last for planned in plan.units.values() if planned.last is not None]
    entries = [entry for record in records for entry in (*record.inputs.values(), *record.outputs.values())]
    # A set: a video is an input of several units and counts once.
    return len({entry.path for entry in entries if is_sampled(entry.identity)})


def _holds(planned: PlannedUnit, result: RunResult) -> bool:
    return planned.is_current or planned.unit.id in result.unchanged


def _failures(records: Iterable[UnitRecord]) -> tuple[Failure, ...]:
    return tuple(Failure(unit=record.id, reason=record.reason, redo=record.redo) for record in records)


def _summary(
    plan: WorkPlan,
    stages: Mapping[str, StageCounts],
    failed: tuple[Failure, ...],
    waiting: Mapping[str, str],
    holding: Sequence[UnitRecord],
) -> Summary:
    return Summary(
        stages=stages,
        failed=failed,
        waiting=waiting,
        findings={record.id: record.findings for record in holding if record.findings},
        warnings={name: (why,) for name, why in plan.left_out.items()}
        | {record.id: record.warnings for record in holding if record.warnings},
        outputs=_outputs(holding),
        waits_for=waiting_for(plan, [failure.unit for failure in failed], waiting),
    )


def _outputs(records: Iterable[UnitRecord]) -> tuple[str, ...]:
    return tuple(entry.path for record in records if record.status == "done" for entry in record.outputs.values())
