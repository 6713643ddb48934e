"""BML-MoVi's names of subjects and clips: numbers, written as `S001/C01` in keys of the work folder."""

from __future__ import annotations

import re

from movi_prep.errors import InputError
from movi_prep.records.identity import ClipId

# `{3,}` and `{2,}`: clip numbers beyond 99 and subjects beyond 999 keep their digits.
_NUMBERED = re.compile(r"S(\d{3,})|C(\d{2,})")


def movi_subject(number: int) -> str:
    """Return `S001` for subject 1."""
    return f"S{number:03d}"


def movi_clip(subject: int, clip: int) -> ClipId:
    """Return the clip with the key `S001/C02` for clip 2 of subject 1."""
    return ClipId(movi_subject(subject), f"C{clip:02d}")


def number_of(name: str) -> int | None:
    """Return the number in the name of a subject or clip, `S001` or `C02`; None where it is not BML-MoVi's."""
    match = _NUMBERED.fullmatch(name)
    return None if match is None else int(match[1] or match[2])


def require_number(name: str, *, wanted_by: str) -> int:
    """Return the number in the name of a subject or clip for a layout that has no room for text.

    Raises:
        InputError: the name is not one of BML-MoVi's.
    """
    number = number_of(name)
    if number is None:
        raise InputError(
            name,
            expected=f"a subject or clip with a number (S001, C01), because {wanted_by} stores numbers",
            got="a name without one",
            remedy="leave it out of this layout",
        )
    return number
