"""Writing .mp4 videos (MPEG-4 Part 2) at an even rate, with the encoder that OpenCV brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2

from movi_prep.errors import InternalError
from movi_prep.formats.atomic import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def write_mp4(path: Path, frames: Iterable[NDArray[np.uint8]], *, size_px: tuple[int, int], rate_hz: float) -> int:
    """Write BGR frames (height, width, 3), atomically; return how many there were."""
    n_frames = 0
    with atomic_path(path) as partial:
        # FFmpeg by name: other back ends of OpenCV may write another codec under the same suffix.
        writer = cv2.VideoWriter(str(partial), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), rate_hz, size_px)
        if not writer.isOpened():
            raise InternalError(f"{path}: OpenCV has no encoder for MPEG-4")
        for frame in frames:
            writer.write(frame)
            n_frames += 1
        # Inside the block: the index of an .mp4 is written here, before the file gets its name.
        writer.release()
    return n_frames
