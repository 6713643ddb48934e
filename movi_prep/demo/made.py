"""What a data set of the project was made of, so that it is not made again while nothing has changed.

`made.json` in its folder:

| field | content |
|---|---|
| `format`, `version` | `movi-prep-made`, integer version of this layout |
| `asked` | what was asked for: seed, subjects, clips |
| `by` | SHA-256 of movi-prep's own files, and the versions of the libraries whose bytes go into pictures and arrays |
| `facts` | what the maker says about the data set |
| `files` | path in the folder -> SHA-256 |
"""

from __future__ import annotations

import json
from functools import lru_cache
from hashlib import file_digest, sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from movi_prep.errors import InputError
from movi_prep.formats.atomic import write_text
from movi_prep.formats.described_json import read_described_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORMAT, VERSION = "movi-prep-made", 1

_FILE = "made.json"
_LIBRARIES = ("numpy", "scipy", "opencv-python-headless", "av", "simplejpeg")


def write_made(folder: Path, asked: Mapping[str, Any], facts: Mapping[str, Any], parts: Iterable[str]) -> None:
    """Note that a data set is whole.

    Args:
        folder: the data set.
        asked: what was asked for; JSON.
        facts: what its maker says about it; JSON.
        parts: its files and folders, by their names in it.
    """
    made = {
        "format": FORMAT,
        "version": VERSION,
        "asked": asked,
        "by": _maker(),
        "facts": facts,
        "files": {name: _digest(folder / name) for name in _files_in(folder, parts)},
    }
    write_text(folder / _FILE, json.dumps(made, indent=1) + "\n")


def forget_made(folder: Path) -> None:
    """Take the note away, before a file of the data set changes."""
    (folder / _FILE).unlink(missing_ok=True)


def read_made(folder: Path, asked: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what the maker says about a data set; None where it must be made (again): asked otherwise, or changed."""
    try:
        made = read_described_json(folder / _FILE, kind=FORMAT, version=VERSION, what="a note", remedy="make it")
        is_same = (made["asked"], made["by"]) == (asked, _maker())
        is_whole = is_same and all(_digest(folder / name) == digest for name, digest in made["files"].items())
        facts: Mapping[str, Any] = made["facts"]
    except (InputError, OSError, KeyError, TypeError, AttributeError):
        return None
    return facts if is_whole else None


@lru_cache(maxsize=1)
def _maker() -> dict[str, str]:
    """Return what decides about the bytes of a data set, besides what was asked for."""
    package, models = (Path(str(files(name))) for name in ("movi_prep", "movi_prep.opensim_models"))
    # Modules compiled by Python differ from machine to machine.
    own = (*package.rglob("*.py"), *(package / "demo" / "data").iterdir(), *models.glob("*.*"))
    digests = sorted({_digest(path) for path in own if path.is_file()})
    return {"movi-prep": sha256("".join(digests).encode()).hexdigest()} | {name: _version(name) for name in _LIBRARIES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _files_in(folder: Path, parts: Iterable[str]) -> list[str]:
    places = [folder / part for part in parts]
    inside = [path for place in places for path in ([place] if place.is_file() else place.rglob("*"))]
    return sorted(path.relative_to(folder).as_posix() for path in inside if path.is_file())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
