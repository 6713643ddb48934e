"""The program around `cli.main`: how its process ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

RUN = """
import atexit, sys, threading, time
from movi_prep import __main__ as program
atexit.register(lambda: print("registered for the exit"))
{before}
program.main = lambda: print("worked") or {code}
program.run_program()
"""


def _run(code: int, before: str = "") -> subprocess.CompletedProcess[str]:
    text = RUN.format(code=code, before=before)
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.parametrize("code", [0, 3])
def test_what_was_printed_and_registered_for_the_exit_is_done(code: int) -> None:
    done = _run(code)
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.splitlines() == ["worked", "registered for the exit"]


def test_threads_that_still_work_are_waited_for() -> None:
    done = _run(3, "threading.Thread(target=lambda: (time.sleep(0.3), print('thread ended'))).start()")
    assert done.returncode == 3
    assert "thread ended" in done.stdout


def test_a_temporary_folder_goes_with_the_process(tmp_path: Path) -> None:
    done = _run(0, f"import tempfile; kept = tempfile.TemporaryDirectory(dir={str(tmp_path)!r})")
    assert done.returncode == 0
    assert not list(tmp_path.iterdir())
