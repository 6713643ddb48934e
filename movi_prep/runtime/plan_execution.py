"""Carry out a plan: hand ready units to an executor, keep account of how they end, go on or stop."""

from __future__ import annotations

import heapq
import logging
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol

from movi_prep.records.unit import paths_of
from movi_prep.runtime.locks import scope_of
from movi_prep.runtime.settings_identity import describe_settings
from movi_prep.runtime.unit_attempt import Task, UnitEnd, scratch_of
from movi_prep.runtime.unit_record import UnitRecord, record_path, write_record
from movi_prep.runtime.work_plan import why_not_current

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from movi_prep.runtime.file_identity import FileIdentities
    from movi_prep.runtime.work_plan import PlannedUnit, WorkPlan
    from movi_prep.runtime.worker_pools import Executor

_LOG = logging.getLogger("movi_prep.run")
# Short enough for a live display, long enough to cost nothing.
_TICK_S = 0.5


class Observer(Protocol):
    """Receives events while a plan is carried out."""

    def unit_ended(self, record: UnitRecord) -> None:
        """Receive the record of a unit that ended."""
        ...

    def unit_held(self, planned: PlannedUnit) -> None:
        """Receive a unit that did not run, because all its inputs came out unchanged."""
        ...

    def unit_advanced(self, unit_id: str, fraction: float) -> None:
        """Receive which fraction of a unit is done; 0.0 when it begins. Called in any thread."""
        ...

    def tick(self, waits_for: str) -> None:
        """Receive a regular call, with the reason why no unit is being worked on, if there is one."""
        ...


@dataclass(frozen=True)
class RunResult:
    """How the units of a plan ended.

    Attributes:
        plan: the plan.
        records: of the units that were executed, by id.
        blocked: units that were not executed, by id, and why.
        unchanged: units that did not run, because the files they read came out unchanged.
        interrupted: whether someone stopped the run.
    """

    plan: WorkPlan
    records: Mapping[str, UnitRecord]
    blocked: Mapping[str, str]
    unchanged: frozenset[str] = frozenset()
    interrupted: bool = False

    @property
    def failed(self) -> tuple[UnitRecord, ...]:
        """Records of the units that failed."""
        return tuple(record for record in self.records.values() if record.status == "failed")

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked for is done."""
        return not self.failed and not self.blocked


@dataclass
class Coordinator:
    """Carries out one plan.

    Attributes:
        plan: the plan.
        executor: runs the units.
        observer: receives the events.
        make_task: makes a worker's task from a planned unit, the inputs that count as absent, and the identities of
            those that other units made.
        identities: the hashes that planning knows; recorded ones are not added, workers have their own memory.
        on_error: whether a failure lets the others go on.
    """

    plan: WorkPlan
    executor: Executor
    observer: Observer
    make_task: Callable[[PlannedUnit, frozenset[Path], Mapping[Path, str]], Task]
    identities: FileIdentities
    on_error: Literal["continue", "abort"] = "continue"
    _records: dict[str, UnitRecord] = field(default_factory=dict)
    _blocked: dict[str, str] = field(default_factory=dict)
    _unchanged: set[str] = field(default_factory=set)
    _ready: list[tuple[tuple[str, int, str], str]] = field(default_factory=list)
    _missing: dict[str, int] = field(default_factory=dict)
    _followers: dict[str, list[str]] = field(default_factory=dict)
    _running: int = 0

    def run(self) -> RunResult:
        """Execute every unit that is not current; return how each ended, also when stopped from outside."""
        interrupted = False
        self._prepare()
        try:
            self._loop()
        except KeyboardInterrupt:
            interrupted = True
            _LOG.info("stopped by the user")
            # Now: workers take a while to end.
            self.observer.tick("stopping; the same command resumes where this one stopped")
        for planned in self.plan.to_run:
            if planned.unit.id not in self._records and planned.unit.id not in self._unchanged:
                self._blocked.setdefault(planned.unit.id, "the run was stopped before its turn")
        return RunResult(self.plan, self._records, self._blocked, frozenset(self._unchanged), interrupted)

    def _prepare(self) -> None:
        to_run = {planned.unit.id: planned for planned in self.plan.to_run}
        for name, planned in to_run.items():
            needs = [need for need in planned.needs if need in to_run]
            self._missing[name] = len(needs)
            for need in needs:
                self._followers.setdefault(need, []).append(name)
            if not needs:
                self._make_ready(name)

    def _loop(self) -> None:
        is_stopping = False
        while self._running or (self._ready and not is_stopping):
            while self._ready and not is_stopping and self.executor.has_room():
                self._submit(heapq.heappop(self._ready)[1])
            ended = self.executor.wait(_TICK_S)
            self.observer.tick(self.executor.waits_for() if ended is None else "")
            if ended is None:
                continue
            record = self._settle(*ended)
            # With on_error=abort, units in hand still end: their results are worth keeping.
            is_stopping = is_stopping or (record.status == "failed" and self.on_error == "abort")

    def _submit(self, name: str) -> None:
        planned = self.plan.units[name]
        absent = self._absent_inputs(planned)
        # Only now: all that it needs has ended, so that its inputs are what they will be.
        if planned.is_open and not why_not_current(planned, self.plan.work, self.identities, absent=absent):
            self._unchanged.add(name)
            self.observer.unit_held(planned)
            self._tell_followers(name, is_done=True)
            return
        self._running += 1
        self.executor.submit(self.make_task(planned, absent, self._made_inputs(planned)))

    def _absent_inputs(self, planned: PlannedUnit) -> frozenset[Path]:
        """Return the inputs whose makers failed or were not executed: what lies there is of an earlier run."""
        return planned.absent | frozenset(
            path
            for need in planned.tolerates
            if need in self._blocked or (need in self._records and self._records[need].status == "failed")
            for _, path in paths_of(self.plan.units[need].unit.outputs)
        )

    def _made_inputs(self, planned: PlannedUnit) -> dict[Path, str]:
        """Return the inputs that other units of the plan made, and what their records say of their content."""
        root = self.plan.work.root
        makers = (self._records.get(need) or self.plan.units[need].last for need in planned.needs)
        made = {root / each.path: each.identity for maker in makers if maker for each in maker.outputs.values()}
        return {path: made[path] for _, path in paths_of(planned.unit.inputs) if path in made}

    def _settle(self, task: Task, end: UnitEnd | BaseException) -> UnitRecord:
        self._running -= 1
        record = end.record if isinstance(end, UnitEnd) else self._record_of_loss(task, end)
        self._records[record.id] = record
        if record.status == "failed":
            _LOG.error("%s failed: %s", record.id, record.reason)
        self._tell_followers(record.id, is_done=record.status == "done", failed=record.id)
        self.observer.unit_ended(record)
        return record

    def _tell_followers(self, name: str, *, is_done: bool, failed: str = "") -> None:
        """Count a unit that ended down for those that wait for it, or block those that cannot do without it."""
        for follower in self._followers.get(name, ()):
            # What tolerates the loss goes on without it; all else is blocked, with what follows it in turn.
            if not is_done and name not in self.plan.units[follower].tolerates:
                # A follower of several failed units is blocked once, with the first reason.
                if follower not in self._blocked:
                    self._blocked[follower] = f"needs {failed}, which failed"
                    self._tell_followers(follower, is_done=False, failed=failed)
                continue
            self._missing[follower] -= 1
            if self._missing[follower] == 0 and follower not in self._blocked:
                self._make_ready(follower)

    def _make_ready(self, name: str) -> None:
        """Queue a unit. Subjects one after the other, so that the first are whole early."""
        unit = self.plan.units[name].unit
        heapq.heappush(self._ready, ((scope_of(unit.key), self.plan.stages.index(unit.stage), unit.key), name))

    def _record_of_loss(self, task: Task, error: BaseException) -> UnitRecord:
        """Write the record of a unit whose worker died."""
        text = " ".join(str(error).split()) or "no message"
        record = UnitRecord(
            stage=task.unit.stage,
            key=task.unit.key,
            status="failed",
            stage_version=task.stage.version,
            settings=describe_settings(task.unit.settings, self.identities),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            reason=f"its worker did not bring it to an end: {type(error).__name__}: {text}",
            traceback="".join(traceback.format_exception(error)),
            redo=task.redo,
        )
        # The disk may be what failed: the reason still reaches the table.
        with suppress(OSError):
            write_record(record_path(task.work, task.unit), record, scratch=scratch_of(task))
        return record
