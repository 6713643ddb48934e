"""Ctrl-C stops once; what comes after it is ignored until the block, or the process, ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from movi_prep.runtime.interruption import stop_once

PRESSED_IN_BLOCK_AND_AFTER = """
import os, signal, sys
from movi_prep.runtime.interruption import stop_once
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with stop_once(process_ends=True):
        os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    pass
os.kill(os.getpid(), signal.SIGINT)
os.kill(os.getpid(), signal.SIGTERM)
sys.exit(3)
"""

HANDLED_AFTER_IMPORT = """
import signal
before = signal.getsignal(signal.SIGINT)
import movi_prep.runtime.slurm.adaptive_jobs
print(signal.getsignal(signal.SIGINT) is before)
"""


@pytest.fixture(autouse=True)
def terminal() -> Iterator[None]:
    """Signals as a terminal leaves them; a suite that runs in the background may have been started without Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_interrupts_and_the_next_is_ignored(number: signal.Signals) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_once():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_an_inner_block_leaves_the_signals_to_the_outer_one() -> None:
    with stop_once():
        outer = signal.getsignal(signal.SIGINT)
        with stop_once():
            assert signal.getsignal(signal.SIGINT) is outer
        assert signal.getsignal(signal.SIGINT) is outer


def test_ctrl_c_that_a_shell_has_switched_off_stays_off() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_once():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_starts_jobs_leaves_ctrl_c_as_it_was() -> None:
    done = subprocess.run([sys.executable, "-c", HANDLED_AFTER_IMPORT], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_a_process_that_was_stopped_ends_by_its_own_exit_code() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PRESSED_IN_BLOCK_AND_AFTER], capture_output=True, check=False, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (3, b"")
