"""A shard of an earlier run that stands under its final name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OutdatedFile:
    """A file that is not what the work folder's configuration makes; training would read it as if it were.

    Attributes:
        file: the file, relative to the work folder.
        reason: why it does not hold, one line.
        redo: the command that makes it anew, or what else to do.
    """

    file: str
    reason: str
    redo: str
