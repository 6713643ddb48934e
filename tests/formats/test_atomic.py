"""Files and folders appear whole or not at all, and what was there before is never lost."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from movi_prep.formats.atomic import atomic_folder, atomic_large

WRITER = """
import pathlib, sys, time
from movi_prep.formats.atomic import {how}
with {how}(pathlib.Path(sys.argv[1])) as partial:
    {write}
    print("begun", flush=True)
    time.sleep(100)
"""
FOLDER = WRITER.format(how="atomic_folder", write="(partial / 'data.npz').write_text('half')")
FILM = WRITER.format(how="atomic_large", write="partial.write_text('half')")


def _begin(writer: str, final: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", writer, str(final)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def _partials(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(".partial-"))


@pytest.mark.parametrize("writer", [FOLDER, FILM], ids=["folder", "file"])
def test_what_a_killed_writer_left_goes_with_the_next_one_and_what_a_living_one_writes_stays(
    writer: str, tmp_path: Path
) -> None:
    final, other = tmp_path / "data [1]", tmp_path / "more data [1]"
    dead, neighbour, living = _begin(writer, final), _begin(writer, other), _begin(writer, final)
    _kill(dead)
    _kill(neighbour)
    try:
        assert len(_partials(tmp_path)) == 3
        time.sleep(1.1)
        with atomic_large(final) as partial:
            partial.write_text("whole")
        # The living one's, and what belongs to another place.
        assert len(_partials(tmp_path)) == 2
    finally:
        _kill(living)
    time.sleep(1.1)
    with atomic_large(other) as partial:
        partial.write_text("whole")
    with atomic_large(final) as partial:
        partial.write_text("whole again")
    assert _partials(tmp_path) == []
    assert final.read_text() == "whole again"


def test_a_folder_that_stepped_aside_for_one_that_never_came_is_back(tmp_path: Path) -> None:
    final = tmp_path / "export"
    left = tmp_path / ".partial-0123456789ab-export"
    for name in ("old", "new"):
        (left / name).mkdir(parents=True)
        (left / name / "data.npz").write_text(name)
    time.sleep(1.1)
    with pytest.raises(OSError, match="no room"), atomic_folder(final):
        raise OSError("no room")
    assert (final / "data.npz").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = tmp_path / "export"
    final.mkdir()
    (final / "data.npz").write_text("old")
    rename = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise PermissionError(13, "not allowed", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(PermissionError), atomic_folder(final) as partial:
        (partial / "data.npz").write_text("new")
    assert (final / "data.npz").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_a_whole_folder_replaces_the_old_one(tmp_path: Path) -> None:
    final = tmp_path / "export"
    for content in ("old", "new"):
        with atomic_folder(final) as partial:
            (partial / f"{content}.npz").write_text(content)
    assert [path.name for path in final.iterdir()] == ["new.npz"]
    assert [path.name for path in tmp_path.iterdir()] == ["export"]
