"""Shards that have their final names but are out of date by the work folder's configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OutdatedShards:
    """Outdated files of one unit, which training would read as if they were valid.

    Attributes:
        files: the files, relative to the work folder.
        reason: why they are outdated, one line.
        redo: the command that rebuilds them, or another remedy.
    """

    files: tuple[str, ...]
    reason: str
    redo: str
