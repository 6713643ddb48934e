"""What a person must read stands before what may be read, wherever a run is summed up; a flag reaches its setting."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from movi_prep.cli.flags import parse_arguments, settings_of
from movi_prep.cli.printing import group_findings, print_run, print_status
from movi_prep.config.load import load_config
from movi_prep.runtime.summary import StageCounts, Summary
from movi_prep.runtime.unit_record import UnitRecord, read_record, write_record

if TYPE_CHECKING:
    from collections.abc import Callable

SUMMARY = Summary(
    stages={"shard": StageCounts(done=1)},
    failed=(),
    waiting={},
    findings={"shard S001/PG1": ("a lamp flickers",)},
    warnings={"shard S001/PG1": tuple(f"S001/C{clip:02d} left out: suspect" for clip in range(1, 26))},
    outputs=(),
)


@pytest.mark.parametrize("show", [print_status, print_run])
def test_warnings_are_printed_first_and_the_rest_is_counted(show: Callable[..., None]) -> None:
    console = Console(file=StringIO(), width=200)
    show(console, SUMMARY, go_on="movi-prep run")
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "25 warnings" in said
    assert "shard S001/PG1: S001/C01 left out: suspect" in said
    assert "and 5 more: movi-prep status --json lists all" in said
    assert "lamp" not in said or said.index("25 warnings") < said.index("lamp")


def test_the_json_object_names_them_all() -> None:
    reported = SUMMARY.to_json(seconds=1.0)["warnings"]
    assert len(reported) == 25
    assert reported[0] == {"unit": "shard S001/PG1", "text": "S001/C01 left out: suspect"}


def test_a_record_keeps_warnings_and_one_of_before_has_none(tmp_path: Path) -> None:
    record = UnitRecord("shard", "S001/PG1", "done", 1, {}, warnings=("S001/C01 left out: suspect",))
    path = tmp_path / "record.json"
    write_record(path, record, scratch=tmp_path / "scratch")
    assert read_record(path) == record
    path.write_text(path.read_text().replace('"warnings"', '"once_unknown"'))
    old = read_record(path)
    assert old is not None
    assert old.warnings == ()


def test_the_context_quality_is_a_flag() -> None:
    given = parse_arguments(["shard", "--context-quality", "80"])
    assert load_config(None, settings_of(given)).shard.context_quality == 80


def test_findings_in_the_same_words_are_reported_once() -> None:
    lost = "markerName: {} of 87 names are numbers or empty"
    assert group_findings({f"align S{subject:03d}": (lost.format(1),) for subject in range(1, 87)}) == [
        "align, 86 subjects: markerName: 1 of 87 names are numbers or empty"
    ]
    assert group_findings({"align S001": (lost.format(1),), "align S002": (lost.format(2),)}) == [
        "align, 2 subjects: markerName: 1 of 87 names are numbers or empty (numbers of S001; the others differ)"
    ]


def test_findings_on_single_clips_stay_apart() -> None:
    findings = {"align S001": ("S001/C01: 1 frame", "S001/C02: 2 frames"), "align S002": ("S002/C01: 1 frame",)}
    assert group_findings(findings) == [
        "align S001: S001/C01: 1 frame",
        "align S001: S001/C02: 2 frames",
        "align S002: S002/C01: 1 frame",
    ]
