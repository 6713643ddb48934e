"""A data set is current while what was asked for, its files and its maker are as they were; nothing else matters."""

from __future__ import annotations

from pathlib import Path

import pytest

from movi_prep.demo import made
from movi_prep.demo.made import forget_made, read_made, write_made

ASKED = {"seed": 0, "subjects": [1, 15]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "clips" / "deep").mkdir(parents=True)
    (tmp_path / "clips" / "deep" / "a.npz").write_bytes(b"motion")
    (tmp_path / "settings.yaml").write_text("work: work\n")
    (tmp_path / "notes.txt").write_text("of the user")
    write_made(tmp_path, ASKED, {"n_clips": 1}, ("clips", "settings.yaml"))
    return tmp_path


def test_what_was_made_is_found_with_what_its_maker_said(folder: Path) -> None:
    assert read_made(folder, ASKED) == {"n_clips": 1}


def test_a_data_set_that_was_moved_or_has_neighbours_is_whole(folder: Path) -> None:
    (folder / "notes.txt").write_text("changed")
    (folder / "clips" / "b.npz").write_bytes(b"of the user")
    moved = folder.rename(folder.with_name("elsewhere"))
    assert read_made(moved, ASKED) is not None


@pytest.mark.parametrize("harm", ["changed", "cut", "removed", "asked for otherwise", "no note", "half a note"])
def test_what_differs_is_made_again(folder: Path, harm: str) -> None:
    file, asked = folder / "clips" / "deep" / "a.npz", ASKED
    if harm == "changed":
        file.write_bytes(b"mot1on")
    elif harm == "cut":
        file.write_bytes(b"mot")
    elif harm == "removed":
        file.unlink()
    elif harm == "asked for otherwise":
        asked = {**ASKED, "seed": 1}
    elif harm == "no note":
        forget_made(folder)
    else:
        note = folder / "made.json"
        note.write_text(note.read_text()[:-40])
    assert read_made(folder, asked) is None


def test_another_release_makes_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made._maker.cache_clear()
    monkeypatch.setattr(made, "version", lambda _name: "another")
    assert read_made(folder, ASKED) is None
    made._maker.cache_clear()
