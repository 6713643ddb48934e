"""What a person reads: rates above one, durations as people say them, and one line per event."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import pytest

from movi_prep.runtime.progress import PlainProgress, format_duration, format_rate
from tests.runtime.conftest import World


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
