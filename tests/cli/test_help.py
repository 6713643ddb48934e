"""Help, versions and completion: every command and flag is described, with its default and an example."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from importlib.metadata import version

import pytest

from movi_prep.cli.completion_command import completion_script
from movi_prep.cli.flags import COMMAND_GROUPS, EXAMPLES, FLAGS, SUMMARIES, default_text, parse_arguments
from movi_prep.config.load import default_of
from movi_prep.stages.order import ORDER, load_stage
from tests.cli.conftest import CommandLine


def test_every_command_stands_under_one_heading_and_has_an_example() -> None:
    grouped = [name for names in COMMAND_GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(SUMMARIES)
    assert EXAMPLES.keys() == SUMMARIES.keys()


@pytest.mark.parametrize("command", [command for command in EXAMPLES if command != "completion"])
def test_examples_are_commands_that_parse(command: str) -> None:
    for line in EXAMPLES[command].splitlines():
        program, *words = shlex.split(line)
        assert program == "movi-prep"
        assert parse_arguments(words).command == command


@pytest.mark.parametrize("command", SUMMARIES)
def test_help_of_a_command_says_each_flag_with_its_default(movi_prep: CommandLine, command: str) -> None:
    code, out, _ = movi_prep(command, "--help")
    words = " ".join(out.split())
    assert code == 0
    assert EXAMPLES[command] in out
    for flag in FLAGS:
        assert (f" {flag.name} " in f" {words} ") == (command in flag.commands)
        if command in flag.commands and (default := default_text(flag)):
            assert f"(default: {default})" in words


def test_defaults_in_help_are_those_of_the_settings() -> None:
    shown = {flag.name: default_text(flag) for flag in FLAGS}
    assert shown["--layout"] == default_of("shard.layout")
    assert shown["--context-quality"] == str(default_of("shard.context_quality"))
    assert shown["--amass"] == ""


def test_versions_name_the_solver_and_opensim(movi_prep: CommandLine) -> None:
    code, out, _ = movi_prep("--version")
    solver = next(load_stage(entry).version for entry in ORDER if entry.name == "ik")
    assert code == 0
    assert {f"solver {solver}", f"OpenSim {version('opensim')}"} <= set(out.splitlines())


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["movi-prep", "in"], {"init", "inspect"}),
        (["movi-prep", "run", "--exec"], {"--executor"}),
        (["movi-prep", "inspect", "--work"], set()),
        (["movi-prep", "shard", "--layout", ""], {"native", "d3ke", "both"}),
        (["movi-prep", "inspect", ""], set()),
    ],
)
def test_bash_completes_what_the_tables_hold(typed: list[str], offered: set[str]) -> None:
    at_word = f"COMP_WORDS=({shlex.join(typed)}); COMP_CWORD={len(typed) - 1}; _movi_prep; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(
        ["bash", "-c", f"{completion_script()}\n{at_word}"], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == offered
