"""Videos read once, in order, each frame under its true number; damage is found and named, never passed on.

OpenCV's decoder conceals damage: a broken frame comes out as a mixture with the one before, a frame that cannot be
decoded is skipped and all later ones move up by one. Three signs tell:

| sign | what it shows |
|---|---|
| the presentation time of a frame | its true number, whatever was skipped before it |
| what the decoder prints on standard error while it decodes a frame | that this frame is damaged |
| whether a frame is a key frame | where damage ends: all frames in between are built on the damaged one |

With one decoder thread, messages belong to the frame at hand.

Uncompressed .avi files (24 bit, bottom row first, as MATLAB writes them) crash OpenCV's conversion, which reads past
the start of such a picture; they are taken as they lie in the file and turned over here.
"""

from __future__ import annotations

import os
import re
import struct
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from movi_prep.errors import InputError, MissingError
from movi_prep.records.timeline import group_refusals

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.timeline import Refusal

_RATE_TOLERANCE = 0.005
"""Containers write 29.97 and 30 for one camera; 25 and 30 are two."""

_BGR24 = 0x18524742
"""FFmpeg's tag of plain blue-green-red pictures."""

_HEAD_BYTES, _ROW_ALIGNMENT = 4096, 4

_FFMPEG_LINE = re.compile(rb"\[\w+ @ 0x[0-9a-f]+\]")

_DECODER_LINE = re.compile(rb"\[(\w+ @ 0x|[ A-Z]+:\d+@)")
"""FFmpeg's lines, and OpenCV's own: `[ WARN:0@9.905] global cap.cpp`."""

_HARMLESS = (b"unable to decode APP fields",)
"""What FFmpeg calls an error although the picture is whole: notes of the camera that it does not understand."""

_SILENT_FAILURES_AT_END = 3
"""A decoder that fails this often in a row without a word has reached the end of the file."""


@dataclass(frozen=True)
class VideoHeader:
    """What the container says of itself.

    Attributes:
        size_px: width and height.
        rate_hz: frames per second.
        n_frames: number of frames it claims to hold.
        codec: four letters.
    """

    size_px: tuple[int, int]
    rate_hz: float
    n_frames: int
    codec: str


class VideoReader:
    """One pass over a video.

    Attributes:
        path: the file.
        header: what the container says.
        n_frames: frames that exist; known after the pass.
    """

    def __init__(self, path: Path) -> None:
        """Open a video.

        Raises:
            MissingError: there is no such file.
            InputError: it is not a video that can be decoded.
        """
        if not path.is_file():
            raise MissingError(path, expected="a video", got="no file", remedy="check --videos")
        self.path = path
        self._capture = _open(path)
        self.header = self._read_header()
        self._is_plain = _is_upside_down(path, self._capture)
        if self._is_plain:
            self._capture = _open(path, cv2.CAP_PROP_FORMAT, -1)
        self.n_frames = 0
        self._damaged: list[int] = []
        self._orphaned: list[int] = []

    def check(self, *, size_px: tuple[int, int], rate_hz: float) -> None:
        """Raise InputError unless the video has this size and frame rate."""
        if self.header.size_px != size_px:
            (width, height), (has_width, has_height) = size_px, self.header.size_px
            raise InputError(
                self.path,
                expected=f"{width}x{height} pixels, as the camera was calibrated",
                got=f"{has_width}x{has_height}",
                remedy="use the original video: a resized one has another camera matrix",
            )
        if abs(self.header.rate_hz / rate_hz - 1.0) > _RATE_TOLERANCE:
            raise InputError(
                self.path,
                expected=f"{rate_hz:g} frames per second",
                got=f"{self.header.rate_hz:g}",
                remedy="use the original video: flags30 count its frames",
            )

    def frames(self, wanted: Collection[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield (number, (height, width, 3) uint8 BGR) of wanted frames that are intact, in order.

        The image is overwritten by the next one. Frames that are damaged, or built on a damaged one, are left out;
        `faults` names them afterwards.
        """
        last = max(wanted, default=-1)
        image: NDArray[np.uint8] | None = None
        broken = False
        for number, damaged, is_key in self._grabbed():
            broken = damaged or (broken and not is_key)
            if damaged:
                self._damaged.append(number)
            elif broken:
                self._orphaned.append(number)
            elif number in wanted:
                image = self._retrieve(image)
                yield number, image
            if number >= last:
                break

    def faults(self, wanted: Collection[int]) -> tuple[Refusal, ...]:
        """Return which of the wanted frames did not come, and why; call it after the pass."""
        asked = set(wanted)
        damaged = asked & set(self._damaged)
        orphaned = asked & set(self._orphaned)
        beyond = {number for number in asked if number >= self.n_frames}
        return (
            *group_refusals(_sorted(damaged), "cannot be decoded"),
            *group_refusals(_sorted(orphaned), "builds on a frame that cannot be decoded"),
            *group_refusals(_sorted(beyond), f"the video ends after {self.n_frames} frames"),
        )

    def close(self) -> None:
        """Release the decoder."""
        self._capture.release()

    def _grabbed(self) -> Iterator[tuple[int, bool, bool]]:
        """Yield (number, damaged, is key frame) of every frame up to the end, skipped ones as damaged."""
        silent, has_complained, clock_starts_at = 0, False, None
        with _decoder_messages() as said_something:
            while silent < _SILENT_FAILURES_AT_END:
                done = self._capture.grab()
                complained = said_something()
                has_complained = has_complained or complained
                if not done:
                    silent = 0 if complained else silent + 1
                    continue
                silent = 0
                number = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * self.header.rate_hz / 1000.0)
                if clock_starts_at is None:
                    # Some containers do not begin at time zero; a first frame that was lost has been complained of.
                    clock_starts_at = 0 if has_complained else number
                number -= clock_starts_at
                for skipped in range(self.n_frames, number):
                    yield skipped, True, False
                self.n_frames = number + 1
                yield number, complained, bool(self._capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME))

    def _retrieve(self, image: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        done, picture = self._capture.retrieve() if self._is_plain else self._capture.retrieve(image)
        if done and picture is not None:
            return self._turned_over(picture) if self._is_plain else np.asarray(picture)
        raise InputError(
            self.path, expected="colour frames", got="a frame that cannot be converted", remedy="fetch it again"
        )

    def _turned_over(self, content: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the picture in the bytes of an uncompressed frame: rows from the bottom, padded to four bytes."""
        width, height = self.header.size_px
        row_bytes = -(-3 * width // _ROW_ALIGNMENT) * _ROW_ALIGNMENT
        rows = content.reshape(height, row_bytes)[::-1, : 3 * width]
        return np.ascontiguousarray(rows.reshape(height, width, 3))

    def _read_header(self) -> VideoHeader:
        read = self._capture.get
        return VideoHeader(
            size_px=(int(read(cv2.CAP_PROP_FRAME_WIDTH)), int(read(cv2.CAP_PROP_FRAME_HEIGHT))),
            rate_hz=float(read(cv2.CAP_PROP_FPS)),
            n_frames=int(read(cv2.CAP_PROP_FRAME_COUNT)),
            codec=int(read(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode("latin1"),
        )


def _open(path: Path, *options: int) -> cv2.VideoCapture:
    # The error says in one line what the decoder says in four.
    with _decoder_messages(pass_on=False):
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1, *options])
    if not capture.isOpened():
        raise InputError(path, expected="a video", got="a file that cannot be opened as one", remedy="fetch it again")
    return capture


def _is_upside_down(path: Path, capture: cv2.VideoCapture) -> bool:
    """Return whether frames are plain 24 bit pictures, bottom row first (BITMAPINFOHEADER with a positive height)."""
    if int(capture.get(cv2.CAP_PROP_FOURCC)) != 0 or int(capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) != _BGR24:
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    place = head.find(b"strf")
    return place >= 0 and struct.unpack_from("<i", head, place + 16)[0] > 0


def _sorted(numbers: set[int]) -> NDArray[np.int64]:
    return np.array(sorted(numbers), dtype=np.int64)


@contextmanager
def _decoder_messages(*, pass_on: bool = True) -> Iterator[_Listener]:
    """Turn standard error of the process aside, so that what the decoder prints can be noticed frame by frame.

    The decoder is a C library that prints to the file descriptor itself. What was printed is passed on at the end; the
    decoder's own lines only where asked for.
    """
    with tempfile.TemporaryFile() as aside:
        original = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            yield _Listener(aside.fileno())
        finally:
            os.dup2(original, 2)
            aside.seek(0)
            said = aside.read(10_000).splitlines(keepends=True)
            os.write(original, b"".join(line for line in said if pass_on or not _DECODER_LINE.match(line)))
            os.close(original)


class _Listener:
    """Tells whether the decoder has complained in a file since it was last asked."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = 0

    def __call__(self) -> bool:
        size = os.fstat(self._descriptor).st_size
        if size == self._size:
            return False
        # Other threads write to standard error too; FFmpeg begins its lines with the codec and its address.
        lines = os.pread(self._descriptor, size - self._size, self._size).splitlines()
        self._size = size
        return any(_FFMPEG_LINE.match(line) and not any(words in line for words in _HARMLESS) for line in lines)
