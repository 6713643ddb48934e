"""The user's folder for what can be made again, and the documents that are known to load."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_KNOWN = "documents-that-load"
_MOST_BYTES = 1_000_000
"""The list of known documents begins anew beyond this: some 15,000 of them."""


def user_cache() -> Path:
    """Return the folder, which need not exist (XDG Base Directory Specification)."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # Not Path.home(), which raises for a user without a home.
    return (named if named.is_absolute() else Path(os.path.expanduser("~/.cache"))) / "movi-prep"  # noqa: PTH111


def document_digest(documents: Sequence[Path], *, parser: str) -> str:
    """Return a name for the content of documents and the version of their parser; empty where it says too little."""
    contents = [document.read_bytes() for document in documents]
    # A part in a file of its own is not covered: <MarkerSet file="markers.xml"/>.
    if not contents or any(b"file=" in content for content in contents):
        return ""
    return sha256(b"\0".join([parser.encode(), *contents])).hexdigest()


def is_known_to_load(digest: str) -> bool:
    """Return whether documents of this digest were loaded before; of none, where it is empty."""
    try:
        return bool(digest) and digest.encode() in (user_cache() / _KNOWN).read_bytes().split()
    except OSError:
        return False


def remember_that_it_loads(digest: str) -> None:
    """Add a digest to the list, unless it is empty; where the list cannot be written, nothing is remembered."""
    if not digest:
        return
    path = user_cache() / _KNOWN
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.stat().st_size > _MOST_BYTES:
            path.unlink()
        # One short write at the end of the file: processes that write together do not cut each other's lines.
        with path.open("a", encoding="ascii") as file:
            file.write(f"{digest}\n")
