"""`movi-prep export` at the command line: exit codes, what it says, and what it refuses."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import cv2
import pytest

from movi_prep.cli import main
from movi_prep.errors import MissingError
from movi_prep.export.picture import draw_points
from movi_prep.export.targets import NAMES
from movi_prep.export.tracks import find_shards
from tests.export.conftest import write_shards


def test_what_was_written_is_one_object_with_json(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["export", "--to", "motionbert", "--json", str(shards), str(out)]) == 0
    reported = json.loads(capsys.readouterr().out)
    assert reported == {
        "out": str(out),
        "subjects": {"train": ["S001"], "test": ["S015"]},
        "left_out": [],
        "findings": [],
    }
    assert (out / "h36m_movi.pkl").is_file()


def test_what_is_left_out_ends_with_3_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards = write_shards(tmp_path / "work" / "shards")
    (shards / "S015_PG2.h5").unlink()
    assert main(["export", "--to", "videopose3d", str(tmp_path / "work"), str(tmp_path / "out")]) == 3
    assert "S015/C01" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--to", "lcn"], 2),
        ([], 2),
        (["--to", "motionbert", "--train", "5-1"], 2),
        (["--to", "motionbert", "--train", "7"], 2),
        (["--to", "motionbert", "--train", "1,15"], 2),
    ],
    ids=str,
)
def test_wrong_usage(shards: Path, tmp_path: Path, flags: list[str], code: int) -> None:
    assert main(["export", *flags, str(shards), str(tmp_path / "out")]) == code
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "flags", [["--train", "1"], ["--test", "1"], ["--cameras", "PG1"], ["--joint-centres", "opensim"]], ids=str
)
def test_a_flag_that_tables_do_not_heed_is_refused(shards: Path, tmp_path: Path, flags: list[str]) -> None:
    assert main(["export", "--to", "csv", *flags, str(shards), str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


def test_a_folder_without_shards_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--to", "csv", str(tmp_path), str(tmp_path / "out")]) == 2
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize("command", [["export", "--to", "videopose3d"], ["augment", "--kind", "crop=0.5"]], ids=str)
def test_a_path_that_leads_nowhere_is_a_wrong_use(tmp_path: Path, command: list[str]) -> None:
    assert main([*command, str(tmp_path / "nowhere"), str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


def test_names_with_spaces_and_relative_paths_are_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shards(tmp_path / "my work" / "shards")
    monkeypatch.chdir(tmp_path)
    assert main(["export", "--to", "csv", "my work", "my tables/all"]) == 0
    assert main(["augment", "--kind", "crop=0.5", "--split", "test", "my work", "my sets"]) == 0
    assert str(tmp_path / "my tables" / "all" / "README.md") in capsys.readouterr().out
    assert (tmp_path / "my tables" / "all" / "S001_C01.csv").is_file()
    assert (tmp_path / "my sets" / "crop" / "S015_PG2.h5").is_file()


def test_d3kes_layout_is_no_source_and_the_message_says_so(tmp_path: Path) -> None:
    (tmp_path / "shards-d3ke").mkdir()
    (tmp_path / "shards-d3ke" / "subject_1.hdf5").touch()
    for folder in (tmp_path, tmp_path / "shards-d3ke"):
        with pytest.raises(MissingError) as caught:
            find_shards(folder)
        assert caught.value.got == "D3KE's layout"
        assert "--layout both" in caught.value.remedy


def test_the_picture_of_the_points_has_a_tile_for_every_track_and_camera(shards: Path, tmp_path: Path) -> None:
    # Two subjects with two clips each before two cameras: two tracks side by side, so four tiles in two rows.
    picture = cv2.imread(str(draw_points(shards, tmp_path / "points.png")))
    assert picture.shape[1:] == (4 * 300 + 9, 3)
    assert 0 < picture.shape[0] - (2 * 390 + 3) < 40, "a strip on top says what the colours mean"


def test_every_export_of_the_readmes_table_runs_and_leads_where_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    table = readme.split("## Your network, one command")[1].split("\n## ")[0]
    rows = re.findall(r"^\|[^|]*\| `movi-prep (export [^`]*)` \| `([^`]*)` \|$", table, re.MULTILINE)
    assert {command.split()[2] for command, _ in rows} == set(NAMES)
    write_shards(tmp_path / "work" / "shards")
    monkeypatch.chdir(tmp_path)
    for command, leads_to in rows:
        assert main(shlex.split(command)) == 0, command
        assert Path(leads_to).is_file(), command
        shutil.rmtree("OUT")
