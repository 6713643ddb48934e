"""Pictures altered for test sets: brightness, contrast, resolution, visible part of the body, mirror images."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def brighten(picture: NDArray[np.uint8], amount: float) -> NDArray[np.uint8]:
    """Return a picture (h, w, 3) uint8 with an amount added to every value, clipped to 0 and 255."""
    return _as_bytes(picture.astype(np.float32) + np.float32(amount))


def stretch_contrast(picture: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Return a picture with the distances of its values from the picture's mean multiplied by `factor`."""
    mean = np.float32(picture.mean())
    return _as_bytes((picture.astype(np.float32) - mean) * np.float32(factor) + mean)


def coarsen(picture: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Return a picture of the same size with the resolution of one that is `factor` times as wide."""
    height, width = picture.shape[:2]
    # Averaged down and interpolated up, as a coarse camera and a viewer would; INTER_AREA keeps it free of aliasing.
    small = cv2.resize(
        picture, (max(1, round(width * factor)), max(1, round(height * factor))), interpolation=cv2.INTER_AREA
    )
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def keep_middle(
    picture: NDArray[np.uint8], middle_px: tuple[float, float], sides_px: tuple[float, float]
) -> NDArray[np.uint8]:
    """Return a picture that is black outside a rectangle around a place (column and row, pixels)."""
    kept = np.zeros_like(picture)
    # Never below 0: a negative index would count from the other side of the picture.
    left, top = (max(0, round(at - side / 2)) for at, side in zip(middle_px, sides_px, strict=True))
    right, bottom = (max(0, round(at + side / 2)) for at, side in zip(middle_px, sides_px, strict=True))
    kept[top:bottom, left:right] = picture[top:bottom, left:right]
    return kept


def turn_picture(
    picture: NDArray[np.uint8], into_source: NDArray[np.float64], size_px: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return a picture of (width, height); (2, 3) `into_source` maps its pixels into the source; black outside."""
    return np.asarray(
        cv2.warpAffine(
            picture,
            into_source,
            size_px,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
        ),
        dtype=np.uint8,
    )


def _as_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.round(values), 0, 255), dtype=np.uint8)
