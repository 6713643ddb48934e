"""Where a picture changes, where a projected body predicts a change, and how well the two agree.

Both are maps of cells of 8 x 8 pixels, (rows, columns), one for each pair of frames `STEP_FRAMES` apart. Their
agreement is the correlation coefficient over all cells of all pairs (Pearson): 0 by chance, 1 for maps that are equal
up to scale. It needs neither a background nor colours, and what stands still, on either side, does not count. As a
function of the lag between the two it is largest where the clocks agree; as a function of an offset in the picture,
where the camera does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELL_PX = 8
"""Side of a cell, pixels: a hand is one or two cells in a video of 800 x 600."""

STEP_FRAMES = 3
"""Frames between the two pictures that are compared: slow motion is visible, and the body has not gone far."""

FULL = 15
"""Value of a cell of full change or motion. Products of two such maps, summed over a picture, are
whole numbers below 2^24: float32 holds them exactly, in whatever order they are added."""

_STILL_PX = 1.0
"""Points of a standing body sway by less than this between the two frames."""

_LEAST_CHANGE, _MOST_CHANGE = 2.0, 20.0
"""Grey values of 255: change below the first is noise of the picture, above the second all change is alike."""

_NOISE_FACTOR = 5.0
"""Change below this multiple of the median change of all cells counts as noise, because most cells show things at
rest."""

_SPARSE = 3
"""Every third cell each way is enough for a median."""

_FLAT = 1e-9

_PARABOLA_REACH = 3


@dataclass(frozen=True)
class Peak:
    """The maximum of a measured curve or map.

    Attributes:
        place: (axes,) float64, place of the largest value by a parabola through it and its neighbours.
        value: the largest value that was measured.
        at_edge: whether it lies at the edge of the search range and is only a bound.
    """

    place: NDArray[np.float64]
    value: float
    at_edge: bool


def grid_of(size_px: tuple[int, int]) -> tuple[int, int]:
    """Return rows and columns of whole cells in a picture of width and height."""
    return max(1, size_px[1] // CELL_PX), max(1, size_px[0] // CELL_PX)


def observed_change(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return (rows, columns) uint8: how much each cell changed beyond noise, `FULL` for 20 grey values or more.

    A change of the whole picture (a lamp, automatic exposure) does not count.

    Args:
        before: (rows, columns) mean grey value of each cell, 0 to 255.
        after: the same, some frames later.
    """
    change = after - before
    # A lamp or the exposure changes all cells alike: most cells show the room, so that the median is that change.
    change -= _median(change)
    np.abs(change, out=change)
    floor = max(_LEAST_CHANGE, _NOISE_FACTOR * _median(change))
    change -= floor
    change *= FULL / _MOST_CHANGE
    np.maximum(change, 0.0, out=change)
    np.minimum(change, FULL, out=change)
    return change.astype(np.uint8)


def predicted_change(
    before_px: NDArray[np.float32], after_px: NDArray[np.float32], grid: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return (n, rows, columns) uint8: how far a body moves in each cell, `FULL` for a cell or more.

    Args:
        before_px: (n, v, 2) points of the body's surface in the image, pixels; NaN where not seen.
        after_px: the same, some frames later.
        grid: rows and columns of cells.
    """
    with np.errstate(invalid="ignore"):
        right, down = np.moveaxis(after_px - before_px, -1, 0)
        # fmin and fmax: a point that is not seen does not move.
        weight = np.fmin(np.fmax((np.hypot(right, down) - _STILL_PX) * (FULL / CELL_PX), 0.0), FULL)
    return _paint((before_px, after_px), weight.astype(np.uint8), grid)


def body_cells(
    before_px: NDArray[np.float32], after_px: NDArray[np.float32], grid: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return (n, rows, columns) bool: cells that the body, or a cell's width around it, covers in either frame."""
    weight = np.full(before_px.shape[:2], FULL, dtype=np.uint8)
    return _paint((before_px, after_px), weight, grid) > 0


@dataclass
class Correlation:
    """Sums over cells from which the correlation coefficient of two kinds of maps follows; arrays of any one shape.

    Attributes:
        count: number of cells.
        x: sum of the first map; `xx` of its squares.
        y: sum of the second map; `yy` of its squares.
        xy: sum of products.
    """

    count: NDArray[np.float64]
    x: NDArray[np.float64]
    xx: NDArray[np.float64]
    y: NDArray[np.float64]
    yy: NDArray[np.float64]
    xy: NDArray[np.float64]

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Correlation:
        """Return sums of nothing."""
        return cls(*(np.zeros(shape) for _ in range(6)))

    def add(self, **sums: NDArray[Any]) -> None:
        """Add sums of single maps by name, (n, ...) each, over the maps."""
        for name, values in sums.items():
            # float64 from here on: the sums of a whole video pass 2^24.
            getattr(self, name).__iadd__(values.sum(axis=0, dtype=np.float64))

    def coefficients(self) -> NDArray[np.float64]:
        """Return the correlation coefficients; NaN where one of the maps does not vary."""
        n = np.maximum(self.count, 1.0)
        x_spread, y_spread = self.xx - self.x**2 / n, self.yy - self.y**2 / n
        with np.errstate(divide="ignore", invalid="ignore"):
            found = (self.xy - self.x * self.y / n) / np.sqrt(x_spread * y_spread)
        return np.where((x_spread > _FLAT * n) & (y_spread > _FLAT * n), found, np.nan)


def find_peak(values: NDArray[np.float64]) -> Peak:
    """Return where values on a grid of whole places are largest, to a fraction of a place in each direction.

    The fraction is that of a parabola through the largest value and up to three on each side: the tops of such curves
    are flat, and with only three values noise would choose the place.

    Args:
        values: (...) float64, finite.
    """
    top = [int(index) for index in np.unravel_index(int(np.argmax(values)), values.shape)]
    place, at_edge = np.array(top, dtype=np.float64), False
    for axis, index in enumerate(top):
        reach = min(_PARABOLA_REACH, index, values.shape[axis] - 1 - index)
        if reach == 0:
            at_edge = True
            continue
        through: list[int | slice] = [*top]
        through[axis] = slice(index - reach, index + reach + 1)
        line = values[tuple(through)]
        bend, slope, _ = np.polyfit(np.arange(-reach, reach + 1), line, 2)
        place[axis] += float(np.clip(-0.5 * slope / bend, -reach, reach)) if bend < 0 else 0.0
    return Peak(place, float(values[tuple(top)]), at_edge)


def _median(values: NDArray[np.float32]) -> float:
    # The upper one of two middle values will do, and numpy's own median takes three times as long.
    few = values[::_SPARSE, ::_SPARSE].ravel()
    return float(np.partition(few, few.size // 2)[few.size // 2])


def _paint(
    places_px: tuple[NDArray[np.float32], ...], weight: NDArray[np.uint8], grid: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return (n, rows, columns) uint8: the largest weight of the points in each cell and the cells around it."""
    n, (rows, columns) = len(weight), grid
    painted = np.zeros(n * rows * columns, dtype=np.uint8)
    first_cell = np.arange(n)[:, None] * (rows * columns)
    for pixels in places_px:
        # Pixel centres are at integers: the first cell reaches from -0.5 to 7.5.
        cell = np.floor((np.nan_to_num(pixels, nan=-1e6) + 0.5) * (1.0 / CELL_PX)).astype(np.int64)
        inside = (cell[..., 0] >= 0) & (cell[..., 0] < columns) & (cell[..., 1] >= 0) & (cell[..., 1] < rows)
        index = first_cell + cell[..., 1] * columns + cell[..., 0]
        # `at`, because many points fall into one cell: plain indexing would keep the last of them.
        np.maximum.at(painted, index[inside], weight[inside])
    return _spread(painted.reshape(n, rows, columns))


def _spread(maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return each cell's largest value among itself and its eight neighbours."""
    tall = maps.copy()
    np.maximum(tall[:, 1:], maps[:, :-1], out=tall[:, 1:])
    np.maximum(tall[:, :-1], maps[:, 1:], out=tall[:, :-1])
    wide = tall.copy()
    np.maximum(wide[:, :, 1:], tall[:, :, :-1], out=wide[:, :, 1:])
    np.maximum(wide[:, :, :-1], tall[:, :, 1:], out=wide[:, :, :-1])
    return wide
