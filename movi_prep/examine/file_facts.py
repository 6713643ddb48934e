"""Facts about a file, in a form that a table can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class ArrayFacts:
    """One array of a file; what the file (or its format) does not say is empty."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    dims: str = ""
    unit: str = ""
    frame: str = ""
    description: str = ""


@dataclass(frozen=True)
class FileFacts:
    """Facts about one file.

    Attributes:
        path: the file.
        kind: what it is, in a few words.
        facts: single facts by name, in reading order.
        arrays: its arrays.
    """

    path: Path
    kind: str
    facts: Mapping[str, str | float | int]
    arrays: tuple[ArrayFacts, ...] = ()
