"""Files and folders appear whole or not at all, and what was there before is never lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from movi_prep.formats.atomic import atomic_folder


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = tmp_path / "export"
    final.mkdir()
    (final / "data.npz").write_text("old")
    rename = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if "-new-" in self.name:
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
