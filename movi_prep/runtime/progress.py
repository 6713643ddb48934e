"""Shows the progress of a plan, or of one piece of work: live bars on a terminal, plain lines elsewhere.

Both write to a copy of standard error that was made before any unit redirects it into its own log file. While
something is under way, a thread ensures that no ten seconds pass without a line.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from movi_prep.plain_text import count_of, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress, ProgressColumn, TaskID

    from movi_prep.records.advance import Advance
    from movi_prep.runtime.plan_execution import Observer
    from movi_prep.runtime.unit_record import UnitRecord
    from movi_prep.runtime.work_plan import PlannedUnit, WorkPlan

_LINE_EVERY_S = 9.0
"""So that the line, which waits for the next beat, comes before ten seconds have passed."""

_BEAT_S = 0.5
_MOST_NAMED = 3


@dataclass
class _UnderWay:
    """A unit in hand: when it began, and which fraction of it is done."""

    began_s: float
    fraction: float


class PlainProgress:
    """A line when something failed, when a stage is through, and now and then on all that is under way."""

    def __init__(self, plan: WorkPlan, stream: TextIO) -> None:
        """Count the units to run."""
        self._stream = stream
        self._total = Counter(planned.unit.stage for planned in plan.to_run)
        self._stages = [stage for stage in plan.stages if self._total[stage]]
        self._ended: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._held: Counter[str] = Counter()
        self._seconds = dict.fromkeys(self._stages, 0.0)
        self._under_way: dict[str, _UnderWay] = {}
        self._begin_s = self._said_s = time.monotonic()
        self._waits_for = ""
        # Units report in threads of the executor, and the beat has its own.
        self._lock = threading.RLock()

    def unit_ended(self, record: UnitRecord) -> None:
        """Count the unit, and report the first failure of its stage at once."""
        stage = record.stage
        with self._lock:
            self._under_way.pop(record.id, None)
            self._ended[stage] += 1
            self._seconds[stage] += record.seconds
            if record.status == "failed":
                self._failed[stage] += 1
                # One line per stage; the summary at the end gives each reason once.
                if self._failed[stage] == 1:
                    self._say(f"{record.id} failed; the reason is in the summary and in {_record_name(record)}")
            self._say_if_through(stage)

    def unit_held(self, planned: PlannedUnit) -> None:
        """Count it as ended."""
        with self._lock:
            self._ended[planned.unit.stage] += 1
            self._held[planned.unit.stage] += 1
            self._say_if_through(planned.unit.stage)

    def unit_advanced(self, unit_id: str, fraction: float) -> None:
        """Keep how far the unit has come; it shows in the next line."""
        with self._lock:
            begun = self._under_way.setdefault(unit_id, _UnderWay(time.monotonic(), 0.0))
            begun.fraction = fraction

    def _say_if_through(self, stage: str) -> None:
        if self._ended[stage] == self._total[stage]:
            failed = f", {self._failed[stage]} failed" if self._failed[stage] else ""
            held = f", {self._held[stage]} held as they were" if self._held[stage] else ""
            self._say(f"{stage} is through: {count_of(self._total[stage], 'unit')}{failed}{held}")

    def tick(self, waits_for: str) -> None:
        """Print at once what the run waits for, and the progress of all stages where nothing was said for long."""
        with self._lock:
            if waits_for and waits_for != self._waits_for:
                self._say(waits_for)
            self._waits_for = waits_for
            self.beat()

    def beat(self) -> None:
        """Print the progress of all stages if nothing was said for long."""
        with self._lock:
            if time.monotonic() - self._said_s < _LINE_EVERY_S:
                return
            stages = ", ".join(f"{stage} {self._ended[stage]}/{self._total[stage]}" for stage in self._stages)
            waits = f"; {self._waits_for}" if self._waits_for else ""
            self._say(f"{stages}{self._in_hand()}{self._time_left()}{waits}")

    def _in_hand(self) -> str:
        """Return the units that are being worked on, those that began first."""
        named = [f"{name} {under.fraction:.0%}" for name, under in self._under_way.items()]
        more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        return f" ({', '.join(named[:_MOST_NAMED])}{more})" if named else ""

    def _time_left(self) -> str:
        """Return the time left for stages that have begun, at the rate so far, and the names of those that have not."""
        now_s = time.monotonic()
        elapsed_s = now_s - self._begin_s
        # Units in hand count as far as they have come.
        spent_s, done = dict(self._seconds), {stage: float(self._ended[stage]) for stage in self._stages}
        for name, under in self._under_way.items():
            stage = name.partition(" ")[0]
            spent_s[stage] += now_s - under.began_s
            done[stage] += under.fraction
        # Seconds of work done per second: how many workers are busy, on average.
        at_once = sum(spent_s.values()) / elapsed_s
        if not at_once or not sum(done.values()):
            return ""
        met = [stage for stage in self._stages if done[stage]]
        # Stages differ in cost by a factor of a thousand: each is counted by the mean of its own units.
        work_s = sum((self._total[stage] - done[stage]) * spent_s[stage] / done[stage] for stage in met)
        new = ", ".join(stage for stage in self._stages if not done[stage])
        rest = f", about {format_duration(work_s / at_once)} left" if work_s else ""
        return f", {format_rate(sum(done.values()) / elapsed_s)}{rest}{f', no telling yet for {new}' if new else ''}"

    def _say(self, text: str) -> None:
        self._said_s = time.monotonic()
        _print_line(self._stream, text)


class LiveProgress:
    """One bar per stage, with rate and time left."""

    def __init__(self, plan: WorkPlan, progress: Progress) -> None:
        """Add a bar for every stage with something to do."""
        total = Counter(planned.unit.stage for planned in plan.to_run)
        self._progress = progress
        self._waits_for = ""
        self._failed: Counter[str] = Counter()
        self._under_way: dict[str, float] = {}
        self._bars: dict[str, TaskID] = {
            stage: progress.add_task(stage, total=total[stage], failed="", rate="", start=False)
            for stage in plan.stages
            if total[stage]
        }

    def unit_ended(self, record: UnitRecord) -> None:
        """Move the bar of its stage; failures are printed above the bars."""
        bar = self._bars[record.stage]
        # Bars start with their first unit: a stage that waits for others would otherwise show a falling rate.
        self._progress.start_task(bar)
        if record.status == "failed":
            self._failed[record.stage] += 1
            if self._failed[record.stage] == 1:
                self._tell(
                    f"{record.id} failed; the reason is in the summary and in {_record_name(record)}", style="red"
                )
        if failed := self._failed[record.stage]:
            self._progress.update(bar, failed=f"{failed} failed")
        self._move(bar, 1.0 - self._under_way.pop(record.id, 0.0))

    def unit_held(self, planned: PlannedUnit) -> None:
        """Move the bar of its stage."""
        self._progress.start_task(self._bars[planned.unit.stage])
        self._progress.update(self._bars[planned.unit.stage], advance=1)

    def unit_advanced(self, unit_id: str, fraction: float) -> None:
        """Move the bar of its stage by what the unit has come on."""
        bar = self._bars[unit_id.partition(" ")[0]]
        self._progress.start_task(bar)
        before = self._under_way.get(unit_id, 0.0)
        self._under_way[unit_id] = fraction
        self._move(bar, fraction - before)

    def _move(self, bar: TaskID, units: float) -> None:
        speed = self._progress.tasks[bar].speed
        self._progress.update(bar, advance=units, rate=format_rate(speed) if speed else "")

    def tick(self, waits_for: str) -> None:
        """Print what everything waits for above the bars, which refresh by themselves."""
        if waits_for and waits_for != self._waits_for:
            self._tell(waits_for, style="yellow")
        self._waits_for = waits_for

    def _tell(self, text: str, *, style: str) -> None:
        self._progress.console.print(visible(text), style=style, highlight=False, markup=False)


def _print_line(stream: TextIO, text: str) -> None:
    stream.write(f"{time.strftime('%H:%M:%S')} {visible(text)}\n")
    stream.flush()


def _record_name(record: UnitRecord) -> str:
    return f"records/{record.stage}/{record.key}.json"


@contextmanager
def show_progress(plan: WorkPlan) -> Iterator[Observer]:
    """Show how a plan is carried out, on standard error."""
    with os.fdopen(os.dup(2), "w", encoding="utf-8") as stream:
        if not stream.isatty():
            plain = PlainProgress(plan, stream)
            with _beats(plain.beat):
                yield plain
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("[red]{task.fields[failed]}"),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with _bars(stream, columns) as progress:
            yield LiveProgress(plan, progress)


class PlainWork:
    """A line now and then on one piece of work: how far it has come, or how long it has taken so far."""

    def __init__(self, what: str, stream: TextIO) -> None:
        """Begin; nothing is said yet."""
        self._what, self._stream = what, stream
        self._fraction = 0.0
        self._begin_s = self._said_s = time.monotonic()

    def advance(self, fraction: float) -> None:
        """Keep how far the work has come; it shows in the next line."""
        self._fraction = fraction

    def beat(self) -> None:
        """Print the progress if nothing was said for long."""
        now_s = time.monotonic()
        if now_s - self._said_s >= _LINE_EVERY_S:
            self._said_s = now_s
            share = f" {self._fraction:.0%}," if self._fraction else ""
            _print_line(self._stream, f"{self._what}:{share} {format_duration(now_s - self._begin_s)} so far")


@contextmanager
def show_work(what: str) -> Iterator[Advance]:
    """Show how far one piece of work has come, on standard error, where it takes longer than a few seconds.

    Args:
        what: what is being done, `verifying shards`.

    Yields:
        The function that receives the fraction done. Without a single call, the time so far is shown.
    """
    with os.fdopen(os.dup(2), "w", encoding="utf-8") as stream:
        if not stream.isatty():
            work = PlainWork(what, stream)
            with _beats(work.beat):
                yield work.advance
            return
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        # Gone when it is done: what the command prints then says more than a full bar.
        with _bars(stream, columns, transient=True) as progress:
            bar = progress.add_task(what, total=None)
            yield lambda fraction: progress.update(bar, total=1.0, completed=fraction)


@contextmanager
def _bars(stream: TextIO, columns: tuple[ProgressColumn, ...], *, transient: bool = False) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(file=stream, force_terminal=True)
    with Progress(
        *columns, console=console, redirect_stdout=False, redirect_stderr=False, transient=transient
    ) as progress:
        yield progress


@contextmanager
def _beats(beat: Callable[[], None]) -> Iterator[None]:
    """Call a function twice a second, in a thread of its own, while the block runs."""
    stop = threading.Event()

    def keep_beating() -> None:
        while not stop.wait(_BEAT_S):
            beat()

    thread = threading.Thread(target=keep_beating, name="movi-prep-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def format_rate(rate_hz: float) -> str:
    """Return units per second, minute or hour, whichever reads as a number above one."""
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3600)):
        if rate_hz * seconds >= 1 or unit == "h":
            return f"{rate_hz * seconds:.1f}/{unit}"
    raise AssertionError


def format_duration(seconds: float) -> str:
    """Return a duration as people say it: 40 s, 12 min, 3 h 20 min."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
