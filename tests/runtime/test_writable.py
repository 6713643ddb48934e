"""A work folder in which nothing can be written is named before anything runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from movi_prep.errors import UsageError
from movi_prep.runtime.writable import check_writable


def test_what_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "markers" / "S001").mkdir(parents=True)
    check_writable(tmp_path)
    check_writable(tmp_path / "not" / "there" / "yet")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["S001", "markers"]


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "work").touch()
    with pytest.raises(UsageError, match=f"work: .*{tmp_path / 'work'}"):
        check_writable(tmp_path / "work" / "below")


@pytest.mark.parametrize("locked", ["", "markers", "markers/S001"])
def test_the_folder_that_is_read_only_is_named(tmp_path: Path, locked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "markers" / "S001").mkdir(parents=True)
    folder = tmp_path / locked

    def refuse(dir: Path) -> object:  # noqa: A002 - the name that tempfile gives it
        if dir == folder:
            raise OSError(30, "Read-only file system")
        return open(os.devnull)  # noqa: PTH123

    # The one who runs the tests may be root, whom no permission stops.
    monkeypatch.setattr("movi_prep.runtime.writable.tempfile.TemporaryFile", refuse)
    monkeypatch.setattr("movi_prep.runtime.writable.os.access", lambda path, _mode: path != folder)
    with pytest.raises(UsageError, match=f"but {folder}: "):
        check_writable(tmp_path)
