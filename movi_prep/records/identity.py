"""Names of subjects, clips and cameras: what stands in the work folder, in keys and in messages.

A name is text that may be a folder's or a file's name on any system. Names are ordered as people count: S2 before S10.
How a data set numbers its subjects and clips is its reader's matter (for BMLmovi: `records.bmlmovi_names`).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache, total_ordering

LONGEST_NAME = 120
"""Characters; file systems take 255 bytes, and suffixes and temporary names come on top."""

_NAME = re.compile(r"[\w+=@-][\w.+=@-]*")
_UNSAFE = re.compile(r"[^\w.+=@-]+")
ALL_SUBJECTS = "all"
"""Key of units that concern all subjects at once."""

_RESERVED = frozenset({"static", "index", ALL_SUBJECTS})
"""Names that the work folder has files of its own for, whatever the case of the file system's names."""


@total_ordering
@dataclass(frozen=True)
class ClipId:
    """One clip of one subject, by their names.

    Attributes:
        subject: name of the subject, unlike that of every other subject.
        clip: name of the clip, unlike that of the subject's other clips.
    """

    subject: str
    clip: str

    def __post_init__(self) -> None:
        """Refuse what is no name: it would be another path."""
        check_name(self.subject)
        check_name(self.clip)

    def __lt__(self, other: ClipId) -> bool:
        """Return whether this clip stands before another, as people count."""
        return (natural_order(self.subject), natural_order(self.clip)) < (
            natural_order(other.subject),
            natural_order(other.clip),
        )

    def __str__(self) -> str:
        """Return the key that stands in the work folder, `S001/C01`."""
        return f"{self.subject}/{self.clip}"

    @classmethod
    def parse(cls, key: str) -> ClipId:
        """Return the clip of a key like `S001/C01`; raise ValueError for anything else."""
        subject, slash, clip = key.partition("/")
        if not slash:
            raise ValueError(f"expected the key of a clip, SUBJECT/CLIP, but got {key!r}")
        return cls(subject=subject, clip=clip)


def check_name(name: str) -> str:
    """Return a name; raise ValueError for text that could not stand in a path of the work folder."""
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME or name.casefold() in _RESERVED:
        raise ValueError(
            f"expected a name of letters, digits and any of . _ + = @ - (1 to {LONGEST_NAME} of them, no point first, "
            f"none of {', '.join(sorted(_RESERVED))}), but got {name!r}"
        )
    return name


def clean_name(text: str) -> str:
    """Return the name that stands for any text: `Hip Hop (2)` is `Hip_Hop_2`; two texts may give one name."""
    # Composed, so that an umlaut typed in two ways is one name.
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", text)).strip("_").lstrip(".")[:LONGEST_NAME]
    return f"{name}_" if not name or name.casefold() in _RESERVED else name


@lru_cache(maxsize=65536)
def natural_order(name: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Return a key that sorts names as people count; names that differ in zeros in front differ still."""
    parts = re.findall(r"\d+|\D+", name)
    # Digits stand before letters, as in ASCII.
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts), name
