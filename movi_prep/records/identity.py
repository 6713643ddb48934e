"""Names of subjects, clips and cameras, and how they are written in paths and messages."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SUBJECT_KEY = re.compile(r"^S\d{3,}$")
_CLIP_KEY = re.compile(r"^S(\d{3,})/C(\d{2,})$")


@dataclass(frozen=True, order=True)
class ClipId:
    """One clip of one subject: `subject` and `clip` count from 1, as BML-MoVi does."""

    subject: int
    clip: int

    def __str__(self) -> str:
        """Return the key that stands in the work folder, `S001/C01`."""
        return f"{subject_key(self.subject)}/{clip_key(self.clip)}"

    @classmethod
    def parse(cls, key: str) -> ClipId:
        """Return the clip of a key like `S001/C01`; raise ValueError for anything else."""
        match = _CLIP_KEY.match(key)
        if match is None:
            raise ValueError(f"expected a clip key like 'S001/C01', but got {key!r}")
        return cls(subject=int(match[1]), clip=int(match[2]))


def subject_key(subject: int) -> str:
    """Return `S001` for subject 1."""
    return f"S{subject:03d}"


def is_subject_key(key: str) -> bool:
    """Return whether a key is that of one subject."""
    return _SUBJECT_KEY.match(key) is not None


def clip_key(clip: int) -> str:
    """Return `C01` for clip 1."""
    return f"C{clip:02d}"
