"""A folder of pictures as a video: `image_00012.jpg` is the frame of its number, counted from the smallest one there.

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
    if len(heads) > 1 or len(counted) < len(pictures) or max(counted) - first > len(pictures) + _LONGEST_GAP:
        raise InputError(
            folder,
            expected="pictures of one name but for their numbers, image_00001.jpg",
            got=f"{list_names(sorted(path.name for path in pictures), at_most=4)}",
            remedy="keep the pictures of each camera and clip in a folder of their own",
        )
    return {number - first: counted[number] for number in sorted(counted)}


def picture_number(name: str) -> tuple[str, int]:
    """Return what stands before the last number of a picture's name, and that number; raise InputError for none."""
    match = _NUMBERED.match(name.rpartition(".")[0] or name)
    if match is None or len(match[2]) > 12:
        raise InputError(
            name,
            expected="a picture with its number at the end of its name",
            got=repr(name),
            remedy="number the pictures",
        )
    return match[1], int(match[2])
