"""Triangles to pixels in numpy: the triangle that each pixel shows, and the place in it.

Faces are sorted from far to near, all their candidate pixels are tested at once, and the last writer of a pixel wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Fragments:
    """The pixels that a mesh covers.

    Attributes:
        rows, columns: (k,) int64, each pixel once.
        faces: (k,) int64, the nearest triangle there.
        shares: (k, 3) float32, barycentric weights of its corners.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    faces: NDArray[np.int64]
    shares: NDArray[np.float32]

    def between(self, corner_values: NDArray[np.float32], triangles: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return values (v, c) at vertices, interpolated to the pixels, (k, c)."""
        corners = triangles[self.faces]
        blended: NDArray[np.float32] = sum(self.shares[:, i, None] * corner_values[corners[:, i]] for i in range(3))  # type: ignore[assignment]
        return blended


def rasterize(
    pixels: NDArray[np.float64], depths_m: NDArray[np.float64], triangles: NDArray[np.int64], size_px: tuple[int, int]
) -> Fragments:
    """Return the pixels of an image that a mesh covers.

    Args:
        pixels: (v, 2) projected vertices; pixel centres are at integers.
        depths_m: (v,) distance along the viewing axis.
        triangles: (f, 3) corners; those facing away are left out.
        size_px: width and height of the image.
    """
    x, y = (pixels[:, axis].take(triangles.T) for axis in (0, 1))  # (3, f): one row per corner
    # Twice the signed area: its sign is the side that the triangle shows.
    area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
    left, right = _whole_pixels(x, size_px[0])
    top, bottom = _whole_pixels(y, size_px[1])
    # Outward triangles run clockwise on the screen, whose y points down: their area is negative.
    shown = np.flatnonzero((area < -1e-9) & (right >= left) & (bottom >= top))
    depth = depths_m.take(triangles[shown].T)
    # Sorted by the sum of depths: enough for the small triangles of one body.
    shown = shown[np.argsort(-(depth[0] + depth[1] + depth[2]), kind="stable")]
    spans = (right - left + 1)[shown]
    counts = spans * (bottom - top + 1)[shown]
    # Every pixel of every triangle's rectangle, without a loop: the triangle, and the place in its rectangle.
    owner = np.repeat(np.arange(len(shown)), counts)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    down, across = np.divmod(within, spans[owner])
    column, row = left[shown][owner] + across, top[shown][owner] + down
    a, b = _corner_shares((x[:, shown], y[:, shown]), area[shown], owner, column, row)
    inside = np.flatnonzero((a >= 0) & (b >= 0) & (a + b <= 1))
    winner = np.full(size_px[0] * size_px[1], -1, dtype=np.int64)
    # numpy keeps the last of equal indices: the nearest face.
    winner[(row * size_px[0] + column)[inside]] = inside
    last = winner[winner >= 0]
    a, b = a[last], b[last]
    shares = np.stack([1.0 - a - b, a, b], axis=-1).astype(np.float32)
    return Fragments(row[last], column[last], shown[owner[last]], shares)


def _whole_pixels(corners: NDArray[np.float64], length_px: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and last whole pixel within each triangle's range (3, f) along one axis of the image."""
    low = np.minimum(np.minimum(corners[0], corners[1]), corners[2])
    high = np.maximum(np.maximum(corners[0], corners[1]), corners[2])
    first, last = np.ceil(low).astype(np.int64), np.floor(high).astype(np.int64)
    return np.maximum(first, 0), np.minimum(last, length_px - 1)


def _corner_shares(
    corners: tuple[NDArray[np.float64], NDArray[np.float64]],
    area: NDArray[np.float64],
    owner: NDArray[np.int64],
    column: NDArray[np.int64],
    row: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the barycentric shares of the second and third corner at each candidate pixel."""
    x, y = corners
    dx, dy = column - x[0][owner], row - y[0][owner]
    along_x, along_y = ((corner[1:] - corner[0]) / area for corner in (x, y))
    second = dx * along_y[1][owner] - dy * along_x[1][owner]
    third = dy * along_x[0][owner] - dx * along_y[0][owner]
    return second, third
