"""Boxes around projected bodies: extent, margin, square, smooth over time, cut at the image border.

A box may go beyond the image. The part inside is cut out, the size of the rest is recorded, and no pixel is
invented for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.records.crops import CropPlan

if TYPE_CHECKING:
    from numpy.typing import NDArray


def body_extent(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 4) left, top, right, bottom of (n, v, 2) pixels, ignoring NaN; NaN where no vertex is seen."""
    seen = np.isfinite(pixels).all(axis=2, keepdims=True)
    near = np.where(seen, pixels, np.inf).min(axis=1)
    far = np.where(seen, pixels, -np.inf).max(axis=1)
    extent = np.concatenate([near, far], axis=1)
    return np.where(np.isfinite(extent).all(axis=1, keepdims=True), extent, np.nan)


def square_boxes(extent_px: NDArray[np.float64], *, margin: float, window_frames: int) -> NDArray[np.int64]:
    """Return square boxes that hold every body with a margin, without jitter.

    The side is the largest that any frame within the window needs, so that no body is cut; then sides and centres are
    averaged over the window. An average of sides that are large enough for all frames around is large enough again;
    an average of centres is not where the body is, and the side grows by that distance.

    Args:
        extent_px: (n, 4) left, top, right, bottom, finite, frames in order.
        margin: margin on each side, as a part of the longer side.
        window_frames: width of the window, frames; below 2 means no smoothing.

    Returns:
        (n, 4) int64 left, top, width, height, width = height, whole pixels.
    """
    near, far = extent_px[:, :2], extent_px[:, 2:]
    centre, half = 0.5 * (near + far), 0.5 * (far - near)
    smooth_centre = moving_mean(centre, window_frames)
    # The margin is a part of the whole side, which is twice the half.
    needed = (half.max(axis=1) * (1.0 + 2.0 * margin))[:, None]
    # The body may be off the smoothed centre but must stay inside the box, even if the margin shrinks.
    needed = np.maximum(needed, (half + np.abs(centre - smooth_centre)).max(axis=1, keepdims=True))
    smooth_half = moving_mean(moving_maximum(needed, window_frames), window_frames)
    left_top = np.floor(smooth_centre - smooth_half + 0.5).astype(np.int64)
    # Even after rounding, the box must reach as far as it did before.
    # The near edge was rounded, by up to half a pixel: the whole pixel added here covers that on both sides.
    side = np.ceil(2.0 * smooth_half[:, 0] + 1.0).astype(np.int64)
    return np.column_stack([left_top, side, side])


def plan_crops(
    extent_px: NDArray[np.float64],
    boxes_px: NDArray[np.int64],
    *,
    image_size_px: tuple[int, int],
    picture_side_px: int | None,
) -> CropPlan:
    """Decide which part of each frame is cut out and how it is stored.

    At the video's own resolution a picture is the part of the box inside the image. With a fixed side it is the whole
    box, scaled; the part beyond the image stays black (`valid_px`).

    Args:
        extent_px: (n, 4) extent of the body, for the record.
        boxes_px: (n, 4) square boxes that overlap the image.
        image_size_px: width and height of the video.
        picture_side_px: fixed side of the pictures, or None.
    """
    near = np.clip(boxes_px[:, :2], 0, image_size_px)
    far = np.clip(boxes_px[:, :2] + boxes_px[:, 2:], 0, image_size_px)
    source = np.concatenate([near, far - near], axis=1)
    if picture_side_px is None:
        corner, sizes = near, source[:, 2:]
        valid = np.concatenate([np.zeros_like(sizes), sizes], axis=1)
        scale = np.ones(len(boxes_px))
    else:
        corner, sizes = boxes_px[:, :2], np.full((len(boxes_px), 2), picture_side_px)
        scale = picture_side_px / boxes_px[:, 2].astype(np.float64)
        # A pixel that is filled in part is not valid: ceil the near edge, floor the far one.
        # Rounding must not turn an edge that falls on a whole pixel into the next one.
        first = np.ceil((near - boxes_px[:, :2]) * scale[:, None] - 1e-9).astype(np.int64)
        last = np.floor((far - boxes_px[:, :2]) * scale[:, None] + 1e-9).astype(np.int64)
        valid = np.concatenate([first, last - first], axis=1)
    return CropPlan(
        body_px=extent_px,
        box_px=boxes_px,
        source_px=source,
        corner_px=corner,
        picture_size_px=sizes,
        valid_px=valid,
        scale=scale,
    )


def moving_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return (n, k) centred means over `window` rows (made odd); at the ends over the rows that exist."""
    reach = window // 2
    if reach == 0 or len(values) == 0:
        return values
    # Running sums, so that a wide window takes no longer than a narrow one.
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    first, last = _window(len(values), reach)
    return np.asarray((sums[last] - sums[first]) / (last - first)[:, None])


def moving_maximum(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return (n, k) centred maxima over `window` rows (made odd); at the ends over the rows that exist."""
    reach = window // 2
    if reach == 0 or len(values) == 0:
        return values
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0).max(axis=-1))


def _window(n_rows: int, reach: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    index = np.arange(n_rows)
    return np.maximum(index - reach, 0), np.minimum(index + reach + 1, n_rows)
