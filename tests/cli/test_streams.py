"""Standard streams that are closed, full or left by their reader end no command with a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _run(redirection: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = f'"$0" -m movi_prep "$@" {redirection}'
    return subprocess.run(
        ["bash", "-c", line, sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=ROOT
    )


@pytest.mark.parametrize("redirection", [">&-", "<&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_fault(redirection: str) -> None:
    done = _run(redirection, "inspect", str(ROOT / "opensim_models" / "ik_full_body.yaml"))
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert ("standard output is closed" in done.stderr) == (redirection == ">&-")


def test_a_full_disk_below_standard_output_is_one_line() -> None:
    done = _run("> /dev/full", "inspect", str(ROOT / "opensim_models" / "ik_full_body.yaml"))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "No space left" in done.stderr
