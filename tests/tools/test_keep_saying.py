"""A command that says nothing is spoken for, and its exit code is handed on."""

from __future__ import annotations

import sys

import pytest

from tools.keep_saying import main


def test_a_silent_command_is_spoken_for_and_its_exit_code_handed_on(capfd: pytest.CaptureFixture[str]) -> None:
    assert main("waiting", [sys.executable, "-c", "import sys, time; time.sleep(0.5); sys.exit(7)"], every_s=0.1) == 7
    lines = capfd.readouterr().out.splitlines()
    assert lines
    assert all(" waiting: " in line for line in lines)


def test_a_quick_command_is_left_to_speak_for_itself(capfd: pytest.CaptureFixture[str]) -> None:
    assert main("waiting", [sys.executable, "-c", "print('done')"]) == 0
    assert capfd.readouterr().out == "done\n"
