"""What a person reads: rates above one, durations as people say them, and one line per event."""

from __future__ import annotations

import io
import re
import time
from dataclasses import replace

import pytest
from rich.console import Console
from rich.progress import Progress

from movi_prep.runtime import progress as display
from movi_prep.runtime.progress import LiveProgress, PlainProgress, PlainWork, format_duration, format_rate, show_work
from tests.runtime.conftest import Silent, World
from tests.runtime.fake_stages import STEP_BY_STEP


class Clock:
    """A clock that moves on whenever it is looked at, by as much as a test says: not at all, at first."""

    now_s = pace_s = 0.0
    strftime = staticmethod(time.strftime)

    def monotonic(self) -> float:
        self.now_s += self.pace_s
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the display; every other thread keeps the real one."""
    clock = Clock()
    monkeypatch.setattr("movi_prep.runtime.progress.time", clock)
    return clock


def test_rates_and_durations_read_as_people_say_them() -> None:
    assert format_rate(3.25) == "3.2/s"
    assert format_rate(0.5) == "30.0/min"
    assert format_rate(0.001) == "3.6/h"
    assert format_duration(40) == "40 s"
    assert format_duration(720) == "12 min"
    assert format_duration(12_000) == "3 h 20 min"


@pytest.mark.usefixtures("clock")
def test_without_a_terminal_stages_end_in_one_line(world: World) -> None:
    stream = io.StringIO()
    prepared = world.prepare()
    result = world.run()
    progress = PlainProgress(prepared.plan, stream)
    for record in result.records.values():
        progress.unit_ended(record)
        progress.tick("")
    lines = stream.getvalue().splitlines()
    assert [line.split(" ", maxsplit=1)[1] for line in lines] == [
        "grow is through: 6 units",
        "blend is through: 2 units",
    ]


def test_time_left_is_reported_for_stages_that_are_met_and_what_is_waited_for_stays_in_sight(
    world: World, clock: Clock
) -> None:
    clock.pace_s = 20.0
    stream = io.StringIO()
    prepared = world.prepare()
    records = [replace(record, seconds=10.0) for record in world.run().records.values() if record.stage == "grow"]
    progress = PlainProgress(prepared.plan, stream)
    for record in records[:2]:
        progress.unit_ended(record)
    progress.tick("waiting for SLURM: job 1 pending")
    progress.tick("waiting for SLURM: job 1 pending")
    line = stream.getvalue().splitlines()[-1].split(" ", maxsplit=1)[1]
    assert line.startswith("grow 2/6, blend 0/2, ")
    assert "left, no telling yet for blend; waiting for SLURM: job 1 pending" in line


# A run of two units that take ten minutes each, beaten as the thread of the display beats.
_SLOW_S, _BEAT_S = 600.0, 0.5


def test_a_slow_run_is_never_silent_for_ten_seconds_and_its_fractions_grow_within_a_unit(
    world: World, clock: Clock
) -> None:
    prepared = world.prepare()
    records = [record for record in world.run().records.values() if record.stage == "grow"][:2]
    stream = _Timed(clock)
    progress = PlainProgress(prepared.plan, stream)
    for record in records:
        begin_s = clock.now_s
        while clock.now_s - begin_s < _SLOW_S:
            # Coarse steps: what a unit reports is not what makes the lines come.
            progress.unit_advanced(record.id, (clock.now_s - begin_s) // 60 / 10)
            progress.beat()
            clock.now_s += _BEAT_S
        progress.unit_ended(replace(record, seconds=_SLOW_S))
    said_s = [at_s for at_s, _ in stream.lines]
    gaps_s = [after - before for before, after in zip([0.0, *said_s], [*said_s, clock.now_s], strict=True)]
    assert max(gaps_s) <= 10.0
    assert len(said_s) < 2 * _SLOW_S / 8.0
    for record in records:
        shares = [int(found[1]) for _, line in stream.lines if (found := re.search(rf"{record.id} (\d+)%", line))]
        assert shares == sorted(shares)
        assert len(set(shares)) == 10
    assert re.search(r"about \d+ (min|s) left", stream.lines[20][1]), "time left is told before the first unit ends"


class _Timed(io.StringIO):
    """Keeps each line with the time at which it was written."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.lines: list[tuple[float, str]] = []

    def write(self, text: str) -> int:
        self.lines.append((self._clock.now_s, text))
        return super().write(text)


@pytest.mark.parametrize("executor", ["serial", "local"])
def test_units_report_how_far_they_have_come_on_every_executor(world: World, executor: str) -> None:
    observer = Silent()
    world.run(stages=(STEP_BY_STEP,), observer=observer, subjects=["1"], run={"executor": executor, "workers": 2})
    assert len(observer.advanced) == 3
    for fractions in observer.advanced.values():
        assert fractions[0] == 0.0
        assert fractions[-1] == 1.0
        # Within the unit, not only at its ends; reports are held back to about one a second.
        assert any(0.0 < fraction < 1.0 for fraction in fractions)
        assert fractions == sorted(fractions)


def test_one_piece_of_work_is_reported_with_its_share_or_with_its_time(clock: Clock) -> None:
    stream = io.StringIO()
    work = PlainWork("verifying shards", stream)
    for _ in range(40):
        clock.now_s += _BEAT_S
        work.beat()
        if clock.now_s >= 15.0:
            work.advance(0.5)
    assert [line.split(" ", maxsplit=1)[1] for line in stream.getvalue().splitlines()] == [
        "verifying shards: 9 s so far",
        "verifying shards: 50%, 18 s so far",
    ]


def test_work_is_reported_by_itself_and_no_more_once_it_has_ended(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(display, "_LINE_EVERY_S", 0.1)
    monkeypatch.setattr(display, "_BEAT_S", 0.02)
    with show_work("counting") as advance:
        advance(0.25)
        until_s = time.monotonic() + 10.0
        said = ""
        while "counting: 25%" not in said and time.monotonic() < until_s:
            time.sleep(0.02)
            said += capfd.readouterr().err
    assert "counting: 25%" in said
    capfd.readouterr()
    time.sleep(0.2)
    assert capfd.readouterr().err == ""


def test_on_a_terminal_bars_move_within_a_unit(world: World) -> None:
    prepared = world.prepare()
    records = [record for record in world.run().records.values() if record.stage == "grow"]
    with Progress(console=Console(file=io.StringIO()), disable=True) as bars:
        live = LiveProgress(prepared.plan, bars)
        completed = []
        for record in records[:2]:
            for fraction in (0.0, 0.25, 0.75):
                live.unit_advanced(record.id, fraction)
                completed.append(bars.tasks[0].completed)
            live.unit_ended(record)
            completed.append(bars.tasks[0].completed)
        # A unit without a report, as a short one is, counts all the same.
        live.unit_ended(records[2])
    assert completed == pytest.approx([0.0, 0.25, 0.75, 1.0, 1.0, 1.25, 1.75, 2.0])
    assert bars.tasks[0].completed == pytest.approx(3.0)
