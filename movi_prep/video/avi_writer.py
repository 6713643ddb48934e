"""Writing .avi videos frame by frame: MJPG in an AVI container, the same bytes for the same frames."""

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


def write_avi(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    *,
    size_px: tuple[int, int],
    rate_hz: float,
    quality: int = 86,
) -> int:
    """Write BGR frames (height, width, 3) as an .avi, atomically; return how many there were.

    OpenCV's own MJPEG encoder is asked for by name: it needs no codec of the machine and writes no time stamps.

    Args:
        path: the final path.
        frames: the frames, taken one at a time.
        size_px: width and height.
        rate_hz: frames per second.
        quality: JPEG quality, 1 to 100.
    """
    with atomic_path(path) as partial:
        writer = cv2.VideoWriter(str(partial), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), rate_hz, size_px)
        if not writer.isOpened():
            raise InternalError(f"{path}: OpenCV opened no MJPEG writer for {size_px} at {rate_hz} Hz")
        writer.set(cv2.VIDEOWRITER_PROP_QUALITY, quality)
        count = 0
        try:
            for count, frame in enumerate(frames, start=1):  # noqa: B007
                writer.write(frame)
        finally:
            writer.release()
    return count
