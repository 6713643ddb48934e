"""One pass over a video: every wanted frame is cut, encoded and passed on; none stays in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from movi_prep.geometry.label_statistics import PixelStatistics
from movi_prep.video.pictures import blocks_of_body, cut_picture, encode_picture, simplify_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from movi_prep.config.shard import PictureSettings
    from movi_prep.records.crops import CropPlan
    from movi_prep.records.timeline import Refusal
    from movi_prep.video.footage import FrameReader

_STATISTICS_EVERY = 10
_STATISTICS_STRIDE = 8
"""Every tenth picture, every eighth pixel each way: enough for a mean, at no cost."""


@dataclass(frozen=True)
class WantedCrops:
    """The crops that a pass over a video makes.

    Attributes:
        frame_of_row: (n,) int64, video frame of each row; clips may overlap and be in any order.
        plan: the crop of each row.
        body_px: (n, v, 2) float32, points of the body in the video image, pixels.
    """

    frame_of_row: NDArray[np.int64]
    plan: CropPlan
    body_px: NDArray[np.float32]


@dataclass(frozen=True)
class CropPass:
    """The result of a pass over a video.

    Attributes:
        picture_of_row: (n,) int64, number of each row's picture in the order of `take`; -1 where there is none.
        statistics: of blue, green and red of some pictures.
        faults: wanted frames that did not come, and why.
    """

    picture_of_row: NDArray[np.int64]
    statistics: PixelStatistics
    faults: tuple[Refusal, ...]


def crop_video(
    reader: FrameReader,
    wanted: WantedCrops,
    *,
    settings: PictureSettings,
    take: Callable[[NDArray[np.uint8]], None],
    watch: Callable[[int, NDArray[np.uint8]], None] | None = None,
) -> CropPass:
    """Cut and encode one picture per row, in the order of the video.

    Args:
        reader: the video, at its beginning.
        wanted: rows and their crops.
        settings: how pictures are stored.
        take: receives the encoded pictures.
        watch: receives number and image of every frame, whole.
    """
    # One thread per worker: OpenCV would otherwise start one per core for every resize.
    cv2.setNumThreads(1)
    frame_of_row, plan, body_px = wanted.frame_of_row, wanted.plan, wanted.body_px
    # Several rows may show one frame, where clips overlap: it is decoded once.
    rows_of_frame: dict[int, list[int]] = {}
    for row, frame in enumerate(frame_of_row.tolist()):
        rows_of_frame.setdefault(frame, []).append(row)
    picture_of_row = np.full(len(frame_of_row), -1, dtype=np.int64)
    statistics, taken = PixelStatistics(), 0
    for number, image in reader.frames(rows_of_frame.keys()):
        if watch is not None:
            watch(number, image)
        for row in rows_of_frame[number]:
            picture = cut_picture(image, plan, row)
            if taken % _STATISTICS_EVERY == 0:
                statistics.add(picture[::_STATISTICS_STRIDE, ::_STATISTICS_STRIDE])
            take(_encode(picture, (body_px[row] - plan.corner_px[row]) * plan.scale[row], settings))
            picture_of_row[row], taken = taken, taken + 1
    return CropPass(picture_of_row, statistics, reader.faults(rows_of_frame.keys()))


def _encode(picture: NDArray[np.uint8], body_px: NDArray[np.float64], settings: PictureSettings) -> NDArray[np.uint8]:
    if settings.image_format == "jpeg" and settings.context_quality < settings.jpeg_quality:
        blocks = blocks_of_body(body_px, (picture.shape[1], picture.shape[0]))
        picture = simplify_context(picture, blocks, quality=settings.context_quality)
    return encode_picture(picture, settings.image_format, quality=settings.jpeg_quality)
