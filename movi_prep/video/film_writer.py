"""Writing films for people to look at: the suffix of the file decides the codec.

| suffix | codec | plays in |
|---|---|---|
| `.mp4` | MPEG-4 part 2 | desktop players, presentations, ffmpeg |
| `.webm` | VP9 | browsers; a tenth of the size, ten times the encoding time |

OpenCV's wheels have no H.264 encoder, for reasons of its licence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2

from movi_prep.errors import InputError, InternalError, UsageError
from movi_prep.formats.atomic import atomic_large

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

CODECS = {".mp4": "mp4v", ".webm": "VP90"}


def check_film_name(path: Path) -> None:
    """Raise UsageError unless the suffix names a codec."""
    if path.suffix.lower() not in CODECS:
        raise UsageError(
            f"{path}: expected a film that ends in {' or '.join(CODECS)}, but got {path.suffix!r}; rename it"
        )


def write_film(path: Path, frames: Iterable[NDArray[np.uint8]], *, rate_hz: float) -> int:
    """Write BGR frames (height, width, 3) of one size as a film, atomically; return how many there were.

    Raises:
        UsageError: the suffix names no codec.
        InputError: OpenCV cannot write such a film here, or there is no frame.
    """
    check_film_name(path)
    writer: cv2.VideoWriter | None = None
    size_px, count = (0, 0), 0
    with atomic_large(path) as partial:
        try:
            for frame in frames:
                if writer is None:
                    size_px = (frame.shape[1], frame.shape[0])
                    writer = _open(path, partial, size_px, rate_hz)
                if frame.shape[1::-1] != size_px:
                    raise InternalError(f"{path}: a frame of {frame.shape[1::-1]} in a film of {size_px} pixels")
                writer.write(frame)
                count += 1
        finally:
            if writer is not None:
                # Before the file is renamed: an .mp4 is not playable until its index is written.
                writer.release()
        if writer is None:
            raise InputError(path, expected="at least one frame", got="none", remedy="see why: movi-prep report")
    return count


def _open(path: Path, partial: Path, size_px: tuple[int, int], rate_hz: float) -> cv2.VideoWriter:
    codec = CODECS[path.suffix.lower()]
    # FFmpeg by name: other back ends of OpenCV may write another codec under the same suffix.
    writer = cv2.VideoWriter(str(partial), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), rate_hz, size_px)
    if not writer.isOpened():
        others = " or ".join(suffix for suffix in CODECS if suffix != path.suffix.lower())
        raise InputError(
            path, expected=f"an OpenCV that encodes {codec}", got="one that does not", remedy=f"try {others}"
        )
    return writer
