"""A stamp that tells, without reading a file, whether it changed since a cache was filled from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

FileStamp: TypeAlias = tuple[int, int]
"""Time of the last change, nanoseconds, and size, bytes."""


def file_stamp(path: Path | None) -> FileStamp:
    """Return the stamp of a file; zeros if there is none, so that the next reader reports it."""
    if path is None or not path.is_file():
        return (0, 0)
    status = path.stat()
    return (status.st_mtime_ns, status.st_size)
