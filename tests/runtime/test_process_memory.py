"""Peaks of memory are megabytes on every system."""

from __future__ import annotations

import resource
import sys

import pytest

from movi_prep.runtime import process_memory


@pytest.mark.parametrize(("platform", "unit_bytes"), [("linux", 2**10), ("darwin", 1)])
def test_without_proc_the_peak_is_that_of_the_process(
    monkeypatch: pytest.MonkeyPatch, platform: str, unit_bytes: int
) -> None:
    monkeypatch.setattr(process_memory, "_status_kb", lambda _: None)
    monkeypatch.setattr(sys, "platform", platform)

    class Usage:
        ru_maxrss = 300 * 2**20 // unit_bytes

    monkeypatch.setattr(resource, "getrusage", lambda _: Usage)
    assert process_memory.peak_memory_mb() == pytest.approx(300.0)
