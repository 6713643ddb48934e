"""Writing .avi videos: one JPEG per frame in a RIFF container, equal frames give equal bytes.

OpenCV's own writers either choose the quality themselves or depend on the codecs of the machine, so the container is
written here. Layout (Microsoft, "AVI RIFF File Reference"), all numbers little-endian:

    RIFF 'AVI '
      LIST 'hdrl'   avih (main header, 56 bytes)
        LIST 'strl' strh (stream header, 56 bytes, 'vids' 'MJPG'), strf (BITMAPINFOHEADER, 40 bytes)
      LIST 'movi'   one '00dc' chunk per frame, padded to even length
      idx1          16 bytes per frame: '00dc', key-frame flag, offset from 'movi', length
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

import cv2

from movi_prep.errors import InternalError
from movi_prep.formats.atomic import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_HAS_INDEX, _IS_KEY_FRAME = 0x10, 0x10


def write_avi(
    path: Path, frames: Iterable[NDArray[np.uint8]], *, size_px: tuple[int, int], rate_hz: float, quality: int = 82
) -> int:
    """Write BGR frames (height, width, 3) as an .avi, atomically; return how many there were.

    Args:
        path: the final path.
        frames: the frames, taken one at a time.
        size_px: width and height.
        rate_hz: frames per second.
        quality: JPEG quality, 1 to 100.
    """
    lengths: list[int] = []
    with atomic_path(path) as partial, partial.open("wb") as file:
        file.write(_headers(8, lengths, size_px, rate_hz))  # holds the place; its numbers are known at the end
        for frame in frames:
            lengths.append(_write_frame(file, frame, size_px, quality))
        _write_index(file, lengths)
        total = file.tell()
        file.seek(0)
        file.write(_headers(total, lengths, size_px, rate_hz))
    return len(lengths)


def _write_frame(file: BinaryIO, frame: NDArray[np.uint8], size_px: tuple[int, int], quality: int) -> int:
    if frame.shape != (size_px[1], size_px[0], 3):
        raise InternalError(f"{file.name}: a frame of shape {frame.shape} in a video of {size_px} pixels")
    encoded, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not encoded:
        raise InternalError(f"{file.name}: OpenCV could not encode a frame")
    content = jpeg.tobytes()
    file.write(struct.pack("<4sI", b"00dc", len(content)) + content + b"\0" * (len(content) % 2))
    return len(content)


def _write_index(file: BinaryIO, lengths: list[int]) -> None:
    file.write(struct.pack("<4sI", b"idx1", 16 * len(lengths)))
    offset = 4  # counted from the word 'movi'
    for length in lengths:
        file.write(struct.pack("<4sIII", b"00dc", _IS_KEY_FRAME, offset, length))
        offset += 8 + length + length % 2


def _headers(total: int, lengths: list[int], size_px: tuple[int, int], rate_hz: float) -> bytes:
    """Return everything before the first frame."""
    width, height = size_px
    largest = max(lengths, default=0)
    # As a fraction with the scale 1000, which holds 29.97 Hz exactly.
    rate = round(1000.0 * rate_hz)
    main = struct.pack(
        "<14I", round(1e6 / rate_hz), round(largest * rate_hz), 0, _HAS_INDEX, len(lengths), 0, 1, largest,
        width, height, 0, 0, 0, 0,
    )  # fmt: skip
    stream = struct.pack(
        "<4s4sIHHIIIIIIIIHHHH", b"vids", b"MJPG", 0, 0, 0, 0, 1000, rate, 0, len(lengths), largest, 0xFFFFFFFF, 0, 0, 0,
        width, height,
    )  # fmt: skip
    bitmap = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", 3 * width * height, 0, 0, 0, 0)
    streams = _list(b"strl", _chunk(b"strh", stream) + _chunk(b"strf", bitmap))
    frames_bytes = 4 + sum(8 + length + length % 2 for length in lengths)
    return (
        struct.pack("<4sI4s", b"RIFF", total - 8, b"AVI ")
        + _list(b"hdrl", _chunk(b"avih", main) + streams)
        + struct.pack("<4sI4s", b"LIST", frames_bytes, b"movi")
    )


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", name, len(content)) + content


def _list(kind: bytes, content: bytes) -> bytes:
    return _chunk(b"LIST", kind + content)
