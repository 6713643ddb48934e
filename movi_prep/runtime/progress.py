"""Shows the progress of a plan: live bars on a terminal, plain lines elsewhere.

Both write to a copy of standard error that was made before any unit redirects it into its own log file.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from movi_prep.plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

    from movi_prep.runtime.plan_execution import Observer
    from movi_prep.runtime.unit_record import UnitRecord
    from movi_prep.runtime.work_plan import PlannedUnit, WorkPlan

_LINE_EVERY_S = 10.0


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
        self._begin_s = self._said_s = time.monotonic()
        self._waits_for = ""

    def unit_ended(self, record: UnitRecord) -> None:
        """Count the unit, and report the first failure of its stage at once."""
        stage = record.stage
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
        self._ended[planned.unit.stage] += 1
        self._held[planned.unit.stage] += 1
        self._say_if_through(planned.unit.stage)

    def _say_if_through(self, stage: str) -> None:
        if self._ended[stage] == self._total[stage]:
            failed = f", {self._failed[stage]} failed" if self._failed[stage] else ""
            held = f", {self._held[stage]} held as they were" if self._held[stage] else ""
            units = "1 unit" if self._total[stage] == 1 else f"{self._total[stage]} units"
            self._say(f"{stage} is through: {units}{failed}{held}")

    def tick(self, waits_for: str) -> None:
        """Print the progress of all stages every ten seconds, and at once what the run waits for."""
        if waits_for and waits_for != self._waits_for:
            self._say(waits_for)
        self._waits_for = waits_for
        if time.monotonic() - self._said_s < _LINE_EVERY_S:
            return
        stages = ", ".join(f"{stage} {self._ended[stage]}/{self._total[stage]}" for stage in self._stages)
        self._say(f"{stages}{self._time_left()}{f'; {waits_for}' if waits_for else ''}")

    def _time_left(self) -> str:
        """Return the time left for stages that have begun, at the rate so far, and the names of those that have not."""
        elapsed_s = time.monotonic() - self._begin_s
        # Seconds of work done per second: how many workers are busy, on average.
        at_once = sum(self._seconds.values()) / elapsed_s
        if not at_once:
            return ""
        met = [stage for stage in self._stages if self._ended[stage]]
        # Stages differ in cost by a factor of a thousand: each is counted by the mean of its own units.
        work_s = sum(
            (self._total[stage] - self._ended[stage]) * self._seconds[stage] / self._ended[stage] for stage in met
        )
        new = ", ".join(stage for stage in self._stages if not self._ended[stage])
        rest = f", about {format_duration(work_s / at_once)} left" if work_s else ""
        return f", {format_rate(self._ended.total() / elapsed_s)}{rest}{f', no telling yet for {new}' if new else ''}"

    def _say(self, text: str) -> None:
        self._said_s = time.monotonic()
        self._stream.write(f"{time.strftime('%H:%M:%S')} {visible(text)}\n")
        self._stream.flush()


class LiveProgress:
    """One bar per stage, with rate and time left."""

    def __init__(self, plan: WorkPlan, progress: Progress) -> None:
        """Add a bar for every stage with something to do."""
        total = Counter(planned.unit.stage for planned in plan.to_run)
        self._progress = progress
        self._waits_for = ""
        self._failed: Counter[str] = Counter()
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
        failed = self._failed[record.stage]
        speed = self._progress.tasks[bar].speed
        self._progress.update(
            bar, advance=1, failed=f"{failed} failed" if failed else "", rate=format_rate(speed) if speed else ""
        )

    def unit_held(self, planned: PlannedUnit) -> None:
        """Move the bar of its stage."""
        self._progress.start_task(self._bars[planned.unit.stage])
        self._progress.update(self._bars[planned.unit.stage], advance=1)

    def tick(self, waits_for: str) -> None:
        """Print what everything waits for above the bars, which refresh by themselves."""
        if waits_for and waits_for != self._waits_for:
            self._tell(waits_for, style="yellow")
        self._waits_for = waits_for

    def _tell(self, text: str, *, style: str) -> None:
        self._progress.console.print(visible(text), style=style, highlight=False, markup=False)


def _record_name(record: UnitRecord) -> str:
    return f"records/{record.stage}/{record.key}.json"


@contextmanager
def show_progress(plan: WorkPlan) -> Iterator[Observer]:
    """Show how a plan is carried out, on standard error."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with os.fdopen(os.dup(2), "w", encoding="utf-8") as stream:
        if not stream.isatty():
            yield PlainProgress(plan, stream)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("[red]{task.fields[failed]}"),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        console = Console(file=stream, force_terminal=True)
        with Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False) as progress:
            yield LiveProgress(plan, progress)


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
