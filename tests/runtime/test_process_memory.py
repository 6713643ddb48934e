"""Peaks of memory are megabytes on every system."""

from __future__ import annotations

import resource
import sys

import numpy as np
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


def _page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def test_arrays_that_come_and_go_find_their_pages_where_the_last_ones_were() -> None:
    if not process_memory.keep_freed_memory():
        pytest.skip("this C library decides by itself what freed memory is kept")

    def work() -> None:
        # 32 MB, 8192 pages.
        arrays = [np.ones((1000, 1000)) for _ in range(4)]
        del arrays

    work()
    before = _page_faults()
    for _ in range(5):
        work()

    assert _page_faults() - before < 8192


def test_a_system_without_such_a_setting_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not process_memory.keep_freed_memory.__wrapped__()
