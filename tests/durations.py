"""Which tests are slow, kept in one file by measurement, so that `make quick` stays about a minute as the suite grows.

A test function is slow where one of its cases takes more than `MOST_S` seconds of the processor in the mean, children
and fixtures that it is the first to use included. Tests that start processes say so themselves, by the marker `slow`.

    python -m pytest --record-slow

measures the tests that run, and writes the file anew; what did not run keeps its entry.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

RECORDED = Path(__file__).parent / "slow_tests.json"
MOST_S = 0.2

_known: frozenset[str] = frozenset(json.loads(RECORDED.read_text("utf-8")) if RECORDED.is_file() else ())
_seconds: Counter[str] = Counter()
_cases: Counter[str] = Counter()


def function_of(nodeid: str) -> str:
    """Return the name of a test without the case that it is run for."""
    return nodeid.partition("[")[0]


def is_slow(nodeid: str) -> bool:
    """Return whether a test is recorded as slow."""
    return function_of(nodeid) in _known


def processor_s() -> float:
    """Return the processor time of this process and of its children that ended: a busy machine does not add to it."""
    return sum(os.times()[:4])


def took(nodeid: str, seconds: float) -> None:
    """Take note of how long a case took."""
    _seconds[function_of(nodeid)] += seconds
    _cases[function_of(nodeid)] += 1


def write_recorded() -> None:
    """Write the file: what was measured now, and what is known of tests that did not run."""
    if _seconds:
        slow = {name for name, seconds in _seconds.items() if seconds > MOST_S * _cases[name]}
        RECORDED.write_text(json.dumps(sorted((_known - _seconds.keys()) | slow), indent=1) + "\n", "utf-8")
