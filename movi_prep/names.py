"""Names of subjects, clips and cameras: safe as file names on every system, and sorted as people count.

A name consists of letters and digits of any script and `. _ + = @ -`. S2 sorts before S10.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

LONGEST_NAME = 120
"""Longest name, characters. File systems allow 255 bytes, and movi-prep appends suffixes and temporary names."""

_NAME = re.compile(r"[\w+=@-][\w.+=@-]*")
_UNSAFE = re.compile(r"[^\w.+=@-]+")
ALL_SUBJECTS = "all"
"""Key of units that concern all subjects together."""

_RESERVED = frozenset({"static", "index", ALL_SUBJECTS})
"""Names that the work folder uses for its own files; compared without case, as some file systems do."""

_RANGE = re.compile(r"(\d{1,12})(?:-(\d{1,12}))?")

MOST_NUMBERS = 100_000
"""Longest range. No data set has more subjects or clips, so a longer range is a typing error."""


def check_name(name: str) -> str:
    """Return the name; raise ValueError if it could not be part of a path in the work folder."""
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME or name.casefold() in _RESERVED:
        raise ValueError(
            f"expected a name of letters, digits and any of . _ + = @ - (1 to {LONGEST_NAME} of them, no point first, "
            f"none of {', '.join(sorted(_RESERVED))}), but got {name!r}"
        )
    return name


def clean_name(text: str) -> str:
    """Return a valid name made from any text: `Hip Hop (2)` gives `Hip_Hop_2`. Two texts may give the same name."""
    # NFC, so that an umlaut is the same name whether it was typed as one character or two.
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", text)).strip("_").lstrip(".")[:LONGEST_NAME]
    return f"{name}_" if not name or name.casefold() in _RESERVED else name


@lru_cache(maxsize=65536)
def natural_order(name: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Return a key that sorts names as people count; names that differ only in leading zeros stay different."""
    parts = re.findall(r"\d+|\D+", name)
    # Digits sort before letters, as in ASCII.
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts), name


def range_of(entry: str) -> range | None:
    """Return the numbers of `15` or `1-5`; None for any other text.

    Raises:
        ValueError: the range counts down, or is longer than any data set.
    """
    match = _RANGE.fullmatch(entry)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        raise ValueError(f"expected a range that counts up, but got {entry!r}")
    if last - first >= MOST_NUMBERS:
        raise ValueError(f"expected a range of at most {MOST_NUMBERS} numbers, but got {entry!r}")
    return range(first, last + 1)
