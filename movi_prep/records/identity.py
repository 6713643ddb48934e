"""The identity of a clip: subject and clip, the key in the work folder and in messages.

Readers translate the numbers of their data sets (for BMLmovi: `records.bmlmovi_names`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import total_ordering

from movi_prep.names import check_name, natural_order


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
        """Refuse text that is not a name, because it could lead to another path."""
        check_name(self.subject)
        check_name(self.clip)

    def __lt__(self, other: ClipId) -> bool:
        """Return whether this clip sorts before another, as people count."""
        # C2 before C10.
        return (natural_order(self.subject), natural_order(self.clip)) < (
            natural_order(other.subject),
            natural_order(other.clip),
        )

    def __str__(self) -> str:
        """Return the key in the work folder, `S001/C01`."""
        return f"{self.subject}/{self.clip}"

    @classmethod
    def parse(cls, key: str) -> ClipId:
        """Return the clip of a key like `S001/C01`; raise ValueError for anything else."""
        subject, slash, clip = key.partition("/")
        if not slash:
            raise ValueError(f"expected the key of a clip, SUBJECT/CLIP, but got {key!r}")
        return cls(subject=subject, clip=clip)
