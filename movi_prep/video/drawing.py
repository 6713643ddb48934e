"""Drawing on pictures: dots, labels and sheets of tiles, for people to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Bgr = tuple[int, int, int]

_SUBPIXEL_BITS = 4
_LABEL_HEIGHT_PX = 22
_FAR_PX = 20_000.0
"""Pixels farther away than this belong to points near the plane of the lens; lines to them are left out."""


def draw_dots(image: NDArray[np.uint8], pixels: NDArray[np.float64], colour: Bgr, *, radius_px: float = 2.0) -> None:
    """Draw smooth dots into an image (h, w, 3) BGR at pixels (n, 2); those that are NaN or outside are left out."""
    height, width = image.shape[:2]
    seen = np.isfinite(pixels).all(axis=1) & (pixels >= -1.0).all(axis=1) & (pixels <= (width, height)).all(axis=1)
    scale = 1 << _SUBPIXEL_BITS
    for x, y in np.round(pixels[seen] * scale).astype(int).tolist():
        cv2.circle(image, (x, y), round(radius_px * scale), colour, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)


def draw_lines(
    image: NDArray[np.uint8], ends_px: NDArray[np.float64], colour: Bgr, *, width_px: int = 1, halo: Bgr | None = None
) -> None:
    """Draw smooth lines into an image (h, w, 3) BGR between ends (n, 2, 2); those with a missing end are left out.

    Args:
        image: the image.
        ends_px: both ends of each line, pixels.
        colour: of the lines.
        width_px: their width.
        halo: colour of a seam around them, so that they are seen on any ground; None for none.
    """
    scale = 1 << _SUBPIXEL_BITS
    seen = np.isfinite(ends_px).all(axis=(1, 2)) & (np.abs(ends_px) < _FAR_PX).all(axis=(1, 2))
    points = list(np.round(ends_px[seen] * scale).astype(np.int32))
    if halo is not None:
        cv2.polylines(image, points, False, halo, width_px + 2, cv2.LINE_AA, _SUBPIXEL_BITS)
    cv2.polylines(image, points, False, colour, width_px, cv2.LINE_AA, _SUBPIXEL_BITS)


def draw_label(image: NDArray[np.uint8], text: str, *, below: bool = False, colour: Bgr = (240, 240, 240)) -> None:
    """Write a line of text on a dark strip along the top, or the bottom, of an image (h, w, 3) BGR."""
    top = image.shape[0] - _LABEL_HEIGHT_PX if below else 0
    strip = image[top : top + _LABEL_HEIGHT_PX]
    # Darkened, not covered: the picture behind stays visible.
    strip[...] = strip // 4
    cv2.putText(image, text, (6, top + 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)


def draw_key(image: NDArray[np.uint8], entries: Sequence[tuple[Bgr, str]]) -> None:
    """Write what colours mean at the right end of the top strip of an image (h, w, 3) BGR: a dot and a word for each.

    What would reach into the left third, where a label begins, is left out.
    """
    x = image.shape[1] - 6
    for colour, text in reversed(entries):
        x -= cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)[0][0]
        if x < image.shape[1] / 3:
            return
        cv2.putText(image, text, (x, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (240, 240, 240), 1, cv2.LINE_AA)
        draw_dots(image, np.array([[x - 8.0, 11.0]]), colour, radius_px=3.5)
        x -= 24


def cut_tile(
    image: NDArray[np.uint8], centre_px: tuple[float, float], size_px: tuple[int, int], tile_px: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return a window (width, height) of an image around a centre, moved to lie inside it, scaled to a tile."""
    # A window larger than the image shrinks as a whole: people keep their proportions.
    shrink = min(1.0, *(limit / side for side, limit in zip(size_px, image.shape[1::-1], strict=True)))
    width, height = (int(shrink * side) for side in size_px)
    left = int(np.clip(round(centre_px[0] - width / 2), 0, image.shape[1] - width))
    top = int(np.clip(round(centre_px[1] - height / 2), 0, image.shape[0] - height))
    window = image[top : top + height, left : left + width]
    return np.asarray(cv2.resize(window, tile_px, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def stack_tiles(rows: Sequence[Sequence[NDArray[np.uint8]]], *, gap_px: int = 3) -> NDArray[np.uint8]:
    """Return one picture of rows of tiles of one size, with dark gaps; short rows are filled up with dark tiles."""
    height, width = rows[0][0].shape[:2]
    n_columns = max(len(row) for row in rows)
    sheet = np.full((len(rows) * (height + gap_px) - gap_px, n_columns * (width + gap_px) - gap_px, 3), 24, np.uint8)
    for number, row in enumerate(rows):
        for column, tile in enumerate(row):
            top, left = number * (height + gap_px), column * (width + gap_px)
            sheet[top : top + height, left : left + width] = tile
    return sheet


def with_key(sheet: NDArray[np.uint8], says: str, entries: Sequence[tuple[Bgr, str]]) -> NDArray[np.uint8]:
    """Return a sheet (h, w, 3) below a strip that says what it shows, and what its colours mean."""
    strip = np.full((_LABEL_HEIGHT_PX + 3, *sheet.shape[1:]), 24, np.uint8)
    draw_label(strip, says)
    draw_key(strip, entries)
    return np.concatenate([strip, sheet])
