"""Rows that leap out and back: a lost sample, a spoilt one, a flip of the root, for a few rows.

Each row (or run of up to `LONGEST_RUN` rows) is predicted from two rows before and two after it, by the cubic through
them and by the straight line between the nearest two; the smaller departure counts. People who kick, jump or spin
depart, too: a row jumps where it departs by more than any person accelerates, and by several times what the rows around
it do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

LONGEST_RUN = 4
"""Rows of a run that can leap together."""

_AROUND = 12
"""Rows on each side whose departures are the usual ones."""

_TIMES_USUAL = 6.0
"""A jump departs by at least so many times the usual departure."""

_REACH = 2
"""Rows beside a jump that are predicted from it."""

_BEND = 0.3
"""At the ends of a run that leaps, the path bends by half the leap or more."""

_LEAST_ROWS, _LEAST_SEEN, _BLOCK_ROWS = 5, 3, 2048

Rank: TypeAlias = "Callable[[NDArray[np.float64]], NDArray[np.float64]]"
"""Departures of (r, k) things in r rows -> (r,) the one that counts."""


@dataclass(frozen=True)
class Limits:
    """What no person does: a departure above `floor` and above `acceleration` times the squared row interval."""

    floor: float
    acceleration: float

    def at(self, rate_hz: float) -> float:
        """Return the limit for rows at this rate."""
        return max(self.floor, self.acceleration / rate_hz**2)


WHOLE_BODY_M = Limits(floor=0.02, acceleration=80.0)
"""Of the median marker, m and m/s^2: eight times gravity for the middle of the body."""

ONE_PART_M = Limits(floor=0.05, acceleration=300.0)
"""Of the marker that departs third most: a foot in a hard kick stays below 250 m/s^2."""

ANGLE_RAD = Limits(floor=0.5, acceleration=900.0)
"""Of one coordinate, rad and rad/s^2; a shoulder in a throw stays below 500 rad/s^2."""


@dataclass(frozen=True)
class Jump:
    """A run of rows that leaps: from `first` to `last`, departing by `size` (m or rad)."""

    first: int
    last: int
    size: float


def marker_jumps(positions_m: NDArray[np.float64], rate_hz: float) -> tuple[Jump, ...]:
    """Return the runs in which the body, or a part of it, leaps out and back.

    Args:
        positions_m: (n, m, 3) metres, NaN where not seen.
        rate_hz: rows per second.
    """
    body = _find(positions_m, _median, WHOLE_BODY_M.at(rate_hz))
    part = _find(positions_m, _third_largest, ONE_PART_M.at(rate_hz))
    return _strongest((*body, *part))


def angle_jumps(angles_rad: NDArray[np.float64], rate_hz: float) -> tuple[Jump, ...]:
    """Return the runs in which any angle leaps out and back; (n, c) radians, NaN where there is no pose."""
    posed = np.isfinite(angles_rad).all(axis=1)
    turned = angles_rad.copy()
    # A full turn is no leap.
    turned[posed] = np.unwrap(angles_rad[posed], axis=0)
    return _find(turned[:, :, None], _largest, ANGLE_RAD.at(rate_hz))


def _find(values: NDArray[np.float64], rank: Rank, limit: float) -> tuple[Jump, ...]:
    """Return the runs that depart by more than the limit and the usual; (n, k, d) values of k things."""
    if len(values) < _LEAST_ROWS or values.shape[1] == 0:
        return ()
    found: list[Jump] = []
    near = _near_a_kink(values, rank, limit)
    for length in range(1, LONGEST_RUN + 1):
        size = _sizes(values, near, length, rank)
        jumps = (size > limit) & (size > _TIMES_USUAL * _usual(size))
        found += [Jump(row, row + length - 1, float(size[row])) for row in np.flatnonzero(jumps).tolist()]
    return _strongest(found)


def _near_a_kink(values: NDArray[np.float64], rank: Rank, limit: float) -> NDArray[np.int64]:
    """Return the rows around those where the path bends enough for a jump: the others need no closer look."""
    bent = np.zeros(len(values), dtype=bool)
    for first in range(0, len(values), _BLOCK_ROWS):
        part = _rows(values, np.arange(first - 1, min(first + _BLOCK_ROWS, len(values)) + 1))
        bend = np.linalg.norm(part[1:-1] - 0.5 * (part[:-2] + part[2:]), axis=2)
        # Beside a gap, and at the ends, nothing is known yet.
        bent[first : first + len(bend)] = (rank(bend) > _BEND * limit) | np.isnan(bend).any(axis=1)
    rows = np.flatnonzero(bent)[:, None] + np.arange(-_AROUND - LONGEST_RUN, _AROUND + LONGEST_RUN + 1)
    return np.unique(np.clip(rows, 0, len(values) - 1))


def _sizes(values: NDArray[np.float64], near: NDArray[np.int64], length: int, rank: Rank) -> NDArray[np.float64]:
    """(n,) by how much the run that begins at each row `near` departs: the least of its rows."""
    n_rows = len(values)
    size = np.zeros(n_rows)
    near = near[near <= n_rows - length]
    # In blocks: beside the clip there must be room for little else.
    for first in range(0, len(near), _BLOCK_ROWS):
        starts = near[first : first + _BLOCK_ROWS]
        a, b, c, d = (_rows(values, starts + offset) for offset in (-2, -1, length, length + 1))
        # At the ends of a clip, and beside a gap, from one side: that is half as sure.
        sure = np.where(np.isnan(b) | np.isnan(c), 0.5, 1.0)
        before, after = np.where(np.isnan(b), 2.0 * c - d, b), np.where(np.isnan(c), 2.0 * b - a, c)
        ranked = []
        for row in range(length):
            x, share = values[starts + row], (row + 1) / (length + 1)
            straight = (1.0 - share) * before + share * after
            curved = sum(w * part for w, part in zip(_cubic(row, length), (a, b, c, d), strict=True))
            departure = np.fmin(np.linalg.norm(sure * (x - straight), axis=2), np.linalg.norm(x - curved, axis=2))
            ranked.append(rank(departure))
        size[starts] = np.min(ranked, axis=0)
    return size


def _cubic(row: int, length: int) -> NDArray[np.float64]:
    """(4,) weights of the rows at -2, -1, length and length + 1 in the cubic through them, at `row` (Lagrange)."""
    at = np.array([-2.0, -1.0, length, length + 1.0])
    others = [np.delete(at, k) for k in range(4)]
    return np.array([np.prod((row - rest) / (at[k] - rest)) for k, rest in enumerate(others)])


def _rows(values: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return rows, NaN where there is none."""
    inside = (rows >= 0) & (rows < len(values))
    return np.where(inside[:, None, None], values[np.clip(rows, 0, len(values) - 1)], np.nan)


def _usual(size: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) the median departure around each row."""
    padded = np.pad(size, _AROUND, mode="reflect" if len(size) > _AROUND else "edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1), axis=1))


def _strongest(jumps: Iterable[Jump]) -> tuple[Jump, ...]:
    """Return jumps in order; beside a jump its neighbours seem to depart, too, and less."""
    kept: list[Jump] = []
    for jump in sorted(jumps, key=lambda jump: -jump.size):
        if all(jump.last + _REACH < other.first or jump.first > other.last + _REACH for other in kept):
            kept.append(jump)
    return tuple(sorted(kept, key=lambda jump: jump.first))


def _median(departure: NDArray[np.float64]) -> NDArray[np.float64]:
    """(r,) median over what is seen; 0 where that is too little."""
    seen = np.isfinite(departure)
    counts = seen.sum(axis=1)
    # Sorted, what is not seen stands last.
    ordered = np.sort(np.where(seen, departure, np.inf), axis=1)
    middle = np.take_along_axis(ordered, np.maximum(counts - 1, 0)[:, None] // 2, axis=1)[:, 0]
    return np.where(counts >= _LEAST_SEEN, middle, 0.0)


def _third_largest(departure: NDArray[np.float64]) -> NDArray[np.float64]:
    if departure.shape[1] < _LEAST_SEEN:
        return np.zeros(len(departure))
    return np.asarray(np.sort(np.nan_to_num(departure), axis=1)[:, -_LEAST_SEEN])


def _largest(departure: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.nan_to_num(departure).max(axis=1))
