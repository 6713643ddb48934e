"""A stage whose code changed must not take outputs of the older code for its own: its version says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.stage_code import Reach, StageCode, complaints, read_record, read_stage_code, write_record

SOURCES = {
    "p.stage": (
        "from __future__ import annotations\n"
        "from typing import TYPE_CHECKING\n"
        "from p import kernels\n"
        "if TYPE_CHECKING:\n    from p.config import Settings\n"
        'LIMIT = 3\n"""What it means."""\n'
        "def run(settings: Settings) -> float:\n"
        '    """Run."""\n'
        "    from p.late import helper  # loaded late\n"
        "    return helper(settings.twice) + kernels.add(LIMIT, 1)\n"
        "def plan() -> int:\n    return 1\n"
    ),
    "p.config": "class Settings:\n    @property\n    def twice(self):\n        return 2\n",
    "p.late": "from p.deep import ROWS as COUNT\ndef helper(x):\n    return x * COUNT\ndef unused():\n    return 0\n",
    "p.deep": "ROWS = 5\n",
    "p.kernels": "def add(a, b):\n    return a + b\ndef other():\n    return 1\n",
    "p": "",
}


def digest(**changes: tuple[str, str]) -> str:
    sources = dict(SOURCES)
    for module, (old, new) in changes.items():
        name = f"p.{module}"
        assert old in sources[name]
        sources[name] = sources[name].replace(old, new)
    reach = Reach(sources)
    reach.follow("p.stage", "run")
    return StageCode(1, reach.hashes()).digest


@pytest.mark.parametrize(
    "change",
    [
        {"stage": ("LIMIT = 3", "LIMIT = 4")},
        {"stage": (", 1)", ", 2)")},
        {"config": ("return 2", "return 3")},
        {"late": ("x * COUNT", "x + COUNT")},
        {"deep": ("ROWS = 5", "ROWS = 6")},
        {"kernels": ("a + b", "a - b")},
    ],
    ids=str,
)
def test_code_that_a_stage_reaches_changes_its_hash(change: dict[str, tuple[str, str]]) -> None:
    assert digest(**change) != digest()


@pytest.mark.parametrize(
    "change",
    [
        {"stage": ('"""Run."""', '"""Run the stage."""')},
        {"stage": ('"""What it means."""', '"""What it says."""')},
        {"stage": ("# loaded late", "# loaded when needed")},
        {"stage": ("LIMIT = 3\n", "\n\n\nLIMIT = 3\n")},
        {"stage": ("def plan() -> int:\n    return 1", "def plan() -> int:\n    return 2")},
        {"late": ("return 0", "return 1")},
        {"kernels": ("def other", "def another")},
    ],
    ids=str,
)
def test_words_and_what_a_stage_does_not_reach_do_not(change: dict[str, tuple[str, str]]) -> None:
    assert digest(**change) == digest()


def test_a_module_that_moves_leaves_the_hash(tmp_path: Path) -> None:
    sources = {name.replace("p.deep", "p.deeper"): text.replace("p.deep", "p.deeper") for name, text in SOURCES.items()}
    reach = Reach(sources)
    reach.follow("p.stage", "run")
    assert StageCode(1, reach.hashes()).digest == digest()


def test_other_code_under_the_same_version_is_a_complaint() -> None:
    before, after = StageCode(1, {"m": "a", "n": "b"}), StageCode(1, {"m": "a", "n": "c"})
    assert complaints({"ik": before}, {"ik": before}) == {}
    said = complaints({"ik": after}, {"ik": before})["ik"]
    assert "raise the version, or confirm equal bytes" in said
    assert " n:" in said
    assert "equal bytes" not in complaints({"ik": StageCode(2, after.modules)}, {"ik": before})["ik"]


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    write_record({"ik": StageCode(3, {"m": "a"})}, tmp_path / "record.json")
    assert read_record(tmp_path / "record.json") == {"ik": StageCode(3, {"m": "a"})}
    assert json.loads((tmp_path / "record.json").read_text())["ik"]["version"] == 3


def test_no_stage_reaches_other_code_than_its_version_was_recorded_with() -> None:
    said = complaints(read_stage_code(), read_record())
    assert said == {}, "raise the version, or confirm equal bytes: python -m tools.stage_code"
