"""What a person reads: rates above one, durations as people say them, and one line per event."""

from __future__ import annotations

import io

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
