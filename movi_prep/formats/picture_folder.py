"""A folder of pictures as a video: the number in `image_00012.jpg` is its frame, counted from the smallest number.

| names | frame of a picture |
|---|---|
| one number each, the rest alike | its number less the smallest: a number that is missing is a lost frame |
| anything else | refused |
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from movi_prep.errors import InputError, MissingError, list_names

if TYPE_CHECKING:
    from pathlib import Path

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_NUMBERED = re.compile(r"^(.*?)(\d+)$", re.DOTALL)
# Nine hours at 30 Hz: a larger gap means that the numbers are time stamps, not frames.
_LONGEST_GAP = 1_000_000


def list_pictures(folder: Path) -> dict[int, Path]:
    """Return frame -> picture of a folder, in order.

    Raises:
        MissingError: the folder holds no pictures.
        InputError: their names do not number them.
    """
    pictures = [path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES]
    if not pictures:
        kinds = " ".join(PICTURE_SUFFIXES)
        raise MissingError(
            folder, expected=f"pictures ({kinds})", got="none", remedy="name the folder with the pictures"
        )
    numbers = {picture: picture_number(picture.name) for picture in pictures}
    heads = {head for head, _ in numbers.values()}
    counted = {number: picture for picture, (_, number) in numbers.items()}
    first = min(counted)
    # Fewer numbers than pictures: `image_1.jpg` and `image_01.jpg` would be one frame.
    if len(heads) > 1 or len(counted) < len(pictures) or max(counted) - first > len(pictures) + _LONGEST_GAP:
        raise InputError(
            folder,
            expected="pictures of one name but for their numbers, image_00001.jpg",
            got=f"{list_names(sorted(path.name for path in pictures), at_most=4)}",
            remedy="keep the pictures of each camera and clip in a folder of their own",
        )
    return {number - first: counted[number] for number in sorted(counted)}


def picture_number(name: str) -> tuple[str, int]:
    """Return the name of a picture before its last number, and that number; raise InputError where it has none."""
    match = _NUMBERED.match(name.rpartition(".")[0] or name)
    # More digits than any counter has: a hash or a time stamp in nanoseconds.
    if match is None or len(match[2]) > 12:
        raise InputError(
            name,
            expected="a picture with its number at the end of its name",
            got=repr(name),
            remedy="number the pictures",
        )
    return match[1], int(match[2])
