"""The error of a folder without shards: what lies there instead, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.errors import MissingError

if TYPE_CHECKING:
    from pathlib import Path


def absent_shards(folder: Path, *, expected: str = "native shards (*.h5)") -> MissingError:
    """Return the error of a folder that was to hold shards, a work folder or one of shards."""
    got, remedy = _instead(folder)
    return MissingError(folder, expected=expected, got=got, remedy=remedy)


def _instead(folder: Path) -> tuple[str, str]:
    if any(folder.glob("subject_*.hdf5")) or any(folder.glob("shards-d3ke/subject_*.hdf5")):
        return "D3KE's layout", "run 'movi-prep shard --layout both'"
    inner = next((place for place in (folder / "shards", folder / "work") if _holds_shards(place)), None)
    if inner is not None:
        return "none", f"name {inner}"
    # Solutions of clips lie one folder deeper, by subject.
    if any(folder.glob("ik/*.h5")):
        return (
            "solutions of marker files",
            f"these have no pictures, so no shards: their angles are {folder / 'ik'}/*.mot, and movi-prep view shows "
            "them",
        )
    return "none", "run 'movi-prep shard', for which videos and calibration are needed"


def _holds_shards(folder: Path) -> bool:
    return any(folder.glob("*.h5")) or any(folder.glob("shards*/*.h*5"))
