"""Whether a folder that a user names is a work folder, and which one near it may be meant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


_OWN = ("records", "logs", "markers", "ik", "shards", "shards-d3ke")
"""Folders that runs, or solutions of marker files, make in a work folder."""
_ALSO_OWN = ("models", "alignment")
"""More of them, whose names other folders have, too."""


def holds_results(folder: Path) -> bool:
    """Return whether a run, or the solution of a marker file, has left something in a folder."""
    return any((folder / name).is_dir() for name in _OWN)


def results_around(folder: Path) -> Path | None:
    """Return the folder of results that a folder is or lies in; None where it lies elsewhere."""
    for place in (folder, *folder.parents):
        if place.name in (*_OWN, *_ALSO_OWN) and holds_results(place.parent) and place.is_dir():
            return place
    return None


def check_work_folder(folder: Path, *, what: str = "a work folder", beside: Iterable[str] = ()) -> None:
    """Raise UsageError where a folder is not there, or no run has left anything in it; the error names one near it.

    Args:
        folder: the folder.
        what: what it was to be.
        beside: other words of the command, which may have been exchanged with it.
    """
    if holds_results(folder):
        return
    missing = "a file" if folder.exists() else "nothing there"
    got = "a folder in which nothing ran yet" if folder.is_dir() else missing
    raise UsageError(f"{folder}: expected {what}, but got {got}; {_remedy(folder, beside)}")


def _remedy(folder: Path, beside: Iterable[str]) -> str:
    exchanged = next((word for word in beside if holds_results(Path(word))), None)
    if exchanged is not None:
        return f"name the work folder first: {exchanged}"
    # The folder of a configuration file, of which `work` is a part; and what lies inside a work folder.
    near = next((place for place in (folder / "work", *folder.parents) if holds_results(place)), None)
    return "name the folder of a run" if near is None else f"did you mean {near}?"
