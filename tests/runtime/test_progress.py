"""What a person reads: rates above one, durations as people say them, and one line per event."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from movi_prep.runtime.progress import PlainProgress, format_duration, format_rate
from tests.runtime.conftest import World


def test_rates_and_durations_read_as_people_say_them() -> None:
    assert format_rate(3.25) == "3.2/s"
    assert format_rate(0.5) == "30.0/min"
    assert format_rate(0.001) == "3.6/h"
    assert format_duration(40) == "40 s"
    assert format_duration(720) == "12 min"
    assert format_duration(12_000) == "3 h 20 min"


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


def test_time_left_is_told_for_stages_that_are_met_and_what_is_waited_for_stays_in_sight(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(np.arange(0.0, 1000.0, 20.0))
    monkeypatch.setattr("movi_prep.runtime.progress.time.monotonic", lambda: float(next(clock)))
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
