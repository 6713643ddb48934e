"""Files that travel inside the package: models, marker sets, pipelines, the open body."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Literal

from movi_prep.errors import MissingError, list_names

Shelf = Literal["opensim_models", "pipelines", "demo.data"]


def packaged_path(shelf: Shelf, name: str) -> Path:
    """Return the path of a packaged file; raise MissingError, which lists the files there are."""
    folder = Path(str(files(f"movi_prep.{shelf.split('.')[0]}")), *shelf.split(".")[1:])
    path = folder / name
    if not path.is_file():
        there = list_names(entry.name for entry in folder.iterdir()) if folder.is_dir() else "no such folder"
        raise MissingError(path, expected=f"{name!r} in {shelf}", got=there, remedy="reinstall movi-prep")
    return path
