"""A folder of pictures, read as a video: the number of a picture is its frame (`formats.picture_folder`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from movi_prep.errors import InputError
from movi_prep.formats.picture_folder import list_pictures
from movi_prep.plain_text import count_of
from movi_prep.records.timeline import group_refusals
from movi_prep.video.reader import VideoHeader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.timeline import Refusal


class PictureReader:
    """One pass over a folder; with the interface of `video.reader.VideoReader`.

    Attributes:
        path: the folder.
        header: size of the first picture; a folder has no rate.
    """

    def __init__(self, path: Path) -> None:
        """List the pictures and read the first.

        Raises:
            InputError: the folder holds no numbered pictures, or the first cannot be read.
        """
        self.path = path
        self._pictures = list_pictures(path)
        first = _read(next(iter(self._pictures.values())))
        if first is None:
            raise InputError(path, expected="pictures", got="a first one that cannot be read", remedy="copy them again")
        self.header = VideoHeader(
            size_px=(first.shape[1], first.shape[0]), rate_hz=0.0, n_frames=max(self._pictures) + 1, codec="files"
        )
        self._unread: set[int] = set()

    def frames(self, wanted: Collection[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield (number, (height, width, 3) uint8 BGR) of wanted frames that are there and of one size, in order."""
        for number, path in self._pictures.items():
            if number not in wanted:
                continue
            image = _read(path)
            # One size for all: a camera has one matrix.
            if image is None or image.shape[1::-1] != self.header.size_px:
                self._unread.add(number)
            else:
                yield number, image

    def faults(self, wanted: Collection[int]) -> tuple[Refusal, ...]:
        """Return which of the wanted frames did not come, and why; call it after the pass."""
        asked, n_frames = set(wanted), self.header.n_frames
        lost = {number for number in asked if number < n_frames and number not in self._pictures}
        reasons = {
            "no picture of that number": lost,
            "the picture cannot be read, or has another size": asked & self._unread,
            f"the pictures end after {n_frames}": {number for number in asked if number >= n_frames},
        }
        return tuple(
            item
            for reason, numbers in reasons.items()
            for item in group_refusals(np.array(sorted(numbers), dtype=np.int64), reason)
        )

    def damage(self) -> tuple[str, ...]:
        """Return nothing: each picture is checked when it is read."""
        return ()

    def notes(self) -> tuple[str, ...]:
        """Return how many numbers are missing."""
        n_lost = self.header.n_frames - len(self._pictures)
        numbers = count_of(n_lost, "number has", "numbers have")
        return (f"{self.path.name}: {numbers} no picture: such frames are refused",) if n_lost else ()

    def close(self) -> None:
        """Release nothing: no file stays open."""


def _read(path: Path) -> NDArray[np.uint8] | None:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    return None if image is None else np.asarray(image, dtype=np.uint8)
