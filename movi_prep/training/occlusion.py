"""What covers pictures (see `augmentation`): pasted objects and rectangles of noise, the same for the same seed."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from movi_prep.formats.occluders import Occluder

_MOST_OCCLUDERS = 7
_SCALE = (0.16, 0.8)
"""Smallest and largest factor on an occluder, in a picture of 256 x 256 pixels."""

_SIDE_PX = 256.0
_ERASED = (0.0, 0.8 / 3.0)
"""Smallest and largest part of the picture that a rectangle erases."""

_ASPECT = (0.3, 1.0 / 0.3)


def occlude(picture: NDArray[np.uint8], occluders: tuple[Occluder, ...], seed: int) -> NDArray[np.uint8]:
    """Return a picture (s, s, 3) uint8 BGR with 1 to 7 occluders pasted onto it."""
    # A generator of its own: the draw must not depend on the worker, nor on what it read before.
    rng = np.random.default_rng(seed)
    covered = picture.copy()
    side = len(picture)
    for _ in range(int(rng.integers(1, _MOST_OCCLUDERS + 1))):
        image, mask = occluders[int(rng.integers(len(occluders)))]
        factor = float(rng.uniform(*_SCALE)) * side / _SIDE_PX
        centre = rng.uniform(0.0, side, 2)
        _paste(covered, image, mask, factor=factor, centre_px=(float(centre[0]), float(centre[1])))
    return covered


def erase(picture: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Return a picture (s, s, 3) uint8 with noise in one rectangle, which lies in it whole."""
    rng = np.random.default_rng(seed)
    side = len(picture)
    while True:
        area = float(rng.uniform(*_ERASED)) * side**2
        aspect = float(rng.uniform(*_ASPECT))
        size = np.array([np.sqrt(area / aspect), np.sqrt(area * aspect)])
        corner = rng.uniform(0.0, side, 2)
        # Drawn anew until it fits, as the paper does: a rectangle that is cut would be smaller than drawn.
        if (corner + size < side).all():
            break
    (left, top), (right, bottom) = corner.astype(int), (corner + size).astype(int)
    covered = picture.copy()
    covered[top:bottom, left:right] = rng.integers(0, 256, (bottom - top, right - left, 3), dtype=np.uint8)
    return covered


def _paste(
    onto: NDArray[np.uint8],
    image: NDArray[np.uint8],
    mask: NDArray[np.float32],
    *,
    factor: float,
    centre_px: tuple[float, float],
) -> None:
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    how = cv2.INTER_AREA if factor < 1.0 else cv2.INTER_LINEAR
    # Picture and mask in the same way, so that their edges stay together.
    image, mask = cv2.resize(image, size, interpolation=how), cv2.resize(mask, size, interpolation=how)
    left, top = round(centre_px[0] - size[0] / 2), round(centre_px[1] - size[1] / 2)
    height, width = onto.shape[:2]
    columns = slice(max(left, 0), min(left + size[0], width))
    rows = slice(max(top, 0), min(top + size[1], height))
    # The part of the occluder that lies on the picture.
    inside = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    weight = mask[inside][..., None]
    onto[rows, columns] = np.round(onto[rows, columns] * (1.0 - weight) + image[inside] * weight)
