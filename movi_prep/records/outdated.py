"""Shards that have their final names but are out of date by the work folder's configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OutdatedShards:
    """Files of one unit that do not hold; training would read them as if they did.

    Attributes:
        files: the files, relative to the work folder.
        reason: why they do not hold, one line.
        redo: the command that rebuilds them, or what else to do.
    """

    files: tuple[str, ...]
    reason: str
    redo: str
