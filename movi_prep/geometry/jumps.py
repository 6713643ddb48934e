"""Jumps: a few rows that leave the path and return to it (a lost or spoilt sample, a flip of the root).

Each row (or run of up to `LONGEST_RUN` rows) is predicted from two rows before and two after it, by the cubic through
them and by the straight line between the nearest two; the smaller departure counts. At an end of the clip it is
predicted by the parabola through the three rows beside it. People who kick, jump or spin
depart, too. A row jumps where it departs by more than a person can accelerate, and several times as much as the rows
around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from movi_prep.records.vectors import squared_lengths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

LONGEST_RUN = 4
"""Rows of a run that can leap together."""

_AROUND = 12
"""Rows on each side whose departures are the usual ones."""

_TIMES_USUAL = 6.0
"""Least departure of a jump, as a multiple of the usual departure."""

_REACH = 2
"""Rows before and after a jump that the prediction uses."""

_SURE = 0.3
"""Weight of a departure from rows on one side only, which is three times as large where the nearest row leaps."""

_BEND = 0.3
"""At the ends of a run that leaps, the path bends by half the leap or more."""

_LEAST_ROWS, _LEAST_SEEN, _BLOCK_ROWS = 5, 3, 2048

Departures: TypeAlias = "Callable[[NDArray[np.float64]], NDArray[np.float64]]"
"""(r, k) departures of k things in r rows -> (r,) the departure that counts in each row."""

Enough: TypeAlias = "Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]"
"""(r,) how many things depart by more than a limit, and (r,) how many are known -> (r,) bool: so does what counts."""


@dataclass(frozen=True)
class Rank:
    """Which of the departures in a row counts; `exceeds` says the same of a limit without sorting them."""

    of: Departures
    exceeds: Enough


@dataclass(frozen=True)
class Limits:
    """Largest departure that a person can make: `floor`, or `acceleration` times the squared row interval."""

    floor: float
    acceleration: float

    def at(self, rate_hz: float, length: int = 1) -> float:
        """Return the limit for a run of `length` rows at this rate: a longer one is predicted from farther away."""
        # An acceleration a bends the path by a dt^2 / 2 beside the line between its neighbours; the limit for one row
        # is twice that.
        return max(self.floor, self.acceleration / rate_hz**2) * (length + 1) / 2.0


WHOLE_BODY_M = Limits(floor=0.02, acceleration=80.0)
"""Limits of the median marker, m and m/s^2: eight times gravity for the middle of the body."""

ONE_PART_M = Limits(floor=0.05, acceleration=300.0)
"""Limits of the marker that departs third most: a foot in a hard kick stays below 250 m/s^2."""

ANGLE_RAD = Limits(floor=0.5, acceleration=900.0)
"""Limits of one coordinate, rad and rad/s^2; a shoulder in a throw stays below 500 rad/s^2."""


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
    bends = _square_bends(positions_m)
    body = _find(positions_m, bends, _MEDIAN, WHOLE_BODY_M, rate_hz)
    part = _find(positions_m, bends, _THIRD_LARGEST, ONE_PART_M, rate_hz)
    return _strongest((*body, *part))


def leaping_samples(positions_m: NDArray[np.float64], rate_hz: float) -> NDArray[np.bool_]:
    """Return (n, m) bool: samples at which no person's marker can be, with the few that lie between two such.

    Where the body, or a part of it, leaps, the whole row counts; else the markers that do. Broader than `marker_jumps`:
    it takes the rows beside a leap too, finds leaps that follow each other closely, and steps that stay.

    Args:
        positions_m: (n, m, 3) metres, NaN where not seen.
        rate_hz: rows per second.
    """
    bends = _square_bends(positions_m)
    known = bends.shape[1] - np.isnan(bends).sum(axis=1)
    part = bends > ONE_PART_M.at(rate_hz) ** 2
    body = _MEDIAN.exceeds((bends > WHOLE_BODY_M.at(rate_hz) ** 2).sum(axis=1), known)
    body |= _THIRD_LARGEST.exceeds(part.sum(axis=1), known)
    leaping = np.zeros(bends.shape, dtype=np.bool_)
    some = np.flatnonzero(part.any(axis=0))
    leaping[:, some] = _with_between(part[:, some], np.isnan(bends[:, some]))
    return leaping | _with_between(body[:, None], (known < _LEAST_SEEN)[:, None])


def _with_between(bent: NDArray[np.bool_], unknown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (n, k) bool: what is bent, what is unknown right beside it, and the few rows between two such.

    A few are up to `_AROUND`; before the first and after the last, up to `LONGEST_RUN`.
    """
    beside = np.zeros_like(bent)
    beside[1:] |= bent[:-1]
    beside[:-1] |= bent[1:]
    found = bent | (unknown & beside)
    rows, beyond = np.arange(len(bent))[:, None], _AROUND - LONGEST_RUN
    before = np.maximum.accumulate(np.where(found, rows, -1 - beyond), axis=0)
    after = np.minimum.accumulate(np.where(found, rows, len(bent) + beyond)[::-1], axis=0)[::-1]
    return np.asarray(after - before <= _AROUND + 1)


def angle_jumps(angles_rad: NDArray[np.float64], rate_hz: float) -> tuple[Jump, ...]:
    """Return the runs in which any angle leaps out and back; (n, c) radians, NaN where there is no pose."""
    turned, posed = angles_rad, np.isfinite(angles_rad).all(axis=1)
    # A full turn is not a leap.
    if (np.abs(np.diff(angles_rad[posed], axis=0)) > np.pi).any():
        turned = angles_rad.copy()
        turned[posed] = np.unwrap(angles_rad[posed], axis=0)
    values = turned[:, :, None]
    return _find(values, _square_bends(values), _LARGEST, ANGLE_RAD, rate_hz)


def _find(
    values: NDArray[np.float64], bends: NDArray[np.float64], rank: Rank, limits: Limits, rate_hz: float
) -> tuple[Jump, ...]:
    """Return the runs that depart by more than the limit and the usual; (n, k, d) values of k things."""
    if len(values) < _LEAST_ROWS or values.shape[1] == 0:
        return ()
    found: list[Jump] = []
    # Most rows of a clip move smoothly: the costly predictions are made beside bends only.
    near, near_inside = _near_a_kink(bends, rank, limits.at(rate_hz))
    for length in range(1, LONGEST_RUN + 1):
        # Longer runs are not judged at the ends of the clip.
        size = _sizes(values, near if length == 1 else near_inside, length, rank.of)
        beyond = np.flatnonzero(size > limits.at(rate_hz, length))
        # Both: a fast motion departs much, but so do the rows around it.
        jumps = beyond[size[beyond] > _TIMES_USUAL * _usual(size)[beyond]] if len(beyond) else beyond
        found += [Jump(row, row + length - 1, float(size[row])) for row in jumps.tolist()]
    return _strongest(found)


def _square_bends(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, k): squared distance of each thing from the middle between the rows beside it; NaN at the ends."""
    bends = np.full(values.shape[:2], np.nan)
    # In blocks, because a long clip leaves little memory.
    for first in range(1, len(values) - 1, _BLOCK_ROWS):
        end = min(first + _BLOCK_ROWS, len(values) - 1)
        bend = values[first - 1 : end - 1] + values[first + 1 : end + 1]
        bend *= -0.5
        bend += values[first:end]
        bends[first:end] = squared_lengths(bend)
    return bends


def _near_a_kink(bends: NDArray[np.float64], rank: Rank, limit: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows around those where the path bends enough for a jump: the others need no closer look.

    The ends count as bent; the second array is without what only they make near.
    """
    known = bends.shape[1] - np.isnan(bends).sum(axis=1)
    # Beside a gap, and at the ends, nothing is known yet.
    bent = rank.exceeds((bends > (_BEND * limit) ** 2).sum(axis=1), known) | (known < bends.shape[1])
    found = []
    for rows in (np.flatnonzero(bent), 1 + np.flatnonzero(bent[1:-1])):
        # Wide enough that `_usual` finds its neighbours measured.
        around = rows[:, None] + np.arange(-_AROUND - LONGEST_RUN, _AROUND + LONGEST_RUN + 1)
        found.append(np.unique(np.clip(around, 0, len(bends) - 1)))
    return found[0], found[1]


def _sizes(values: NDArray[np.float64], near: NDArray[np.int64], length: int, rank: Departures) -> NDArray[np.float64]:
    """Return (n,) departures of the run that begins at each row `near`: the least of its rows."""
    n_rows = len(values)
    size = np.zeros(n_rows)
    # At the ends only single rows are judged; with more than one it is unclear which rows leap.
    ends = 0 if length == 1 else 2
    near = near[(near >= ends) & (near <= n_rows - length - ends)]
    # In blocks, because a long clip leaves little memory.
    for first in range(0, len(near), _BLOCK_ROWS):
        starts = near[first : first + _BLOCK_ROWS]
        around = {offset: _rows(values, starts + offset) for offset in (-3, -2, -1, length, length + 1, length + 2)}
        ranked = []
        for row in range(length):
            x = values[starts + row]
            parts = [x - _predicted(around, at, row) for at in ((-1, length), (-2, -1, length, length + 1))]
            if length == 1:
                parts += _one_sided(x, around)
            # fmin passes over NaN: beside a gap one of the two predictions is enough.
            ranked.append(rank(np.fmin.reduce([np.linalg.norm(part, axis=2) for part in parts])))
        # The least row: in a run that leaps, all rows do.
        size[starts] = np.min(ranked, axis=0)
    return size


def _one_sided(x: NDArray[np.float64], around: dict[int, NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Return departures from the parabola through the rows on the one side that exists; NaN where both sides exist."""
    departures = []
    for nearest, outermost, at in ((-1, -2, (1, 2, 3)), (1, 2, (-3, -2, -1))):
        share = np.where(np.isnan(around[nearest]), _SURE, 1.0)
        is_alone = np.isnan(around[outermost])
        departures.append(np.where(is_alone, share * (x - _predicted(around, at, 0)), np.nan))
    return departures


def _predicted(around: dict[int, NDArray[np.float64]], at: tuple[int, ...], row: int) -> NDArray[np.float64]:
    """Return the value at `row` of the polynomial through the rows `at` (Lagrange)."""
    total = np.zeros_like(around[at[0]])
    for here in at:
        total += prod((row - other) / (here - other) for other in at if other != here) * around[here]
    return total


def _rows(values: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return rows by number; NaN for numbers before the first row and after the last."""
    inside = (rows >= 0) & (rows < len(values))
    return np.where(inside[:, None, None], values[np.clip(rows, 0, len(values) - 1)], np.nan)


def _usual(size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n,) the median departure around each row."""
    padded = np.pad(size, _AROUND, mode="reflect" if len(size) > _AROUND else "edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1), axis=1))


def _strongest(jumps: Iterable[Jump]) -> tuple[Jump, ...]:
    """Return jumps in order, without neighbours of a jump, which seem to depart less."""
    kept: list[Jump] = []
    # The largest first: its neighbours depart because their prediction used it.
    for jump in sorted(jumps, key=lambda jump: -jump.size):
        if all(jump.last + _REACH < other.first or jump.first > other.last + _REACH for other in kept):
            kept.append(jump)
    return tuple(sorted(kept, key=lambda jump: jump.first))


def _median(departure: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (r,) medians over the finite values; 0 where there are too few."""
    seen = np.isfinite(departure)
    counts = seen.sum(axis=1)
    # Sorting puts NaN last.
    ordered = np.sort(np.where(seen, departure, np.inf), axis=1)
    middle = np.take_along_axis(ordered, np.maximum(counts - 1, 0)[:, None] // 2, axis=1)[:, 0]
    return np.where(counts >= _LEAST_SEEN, middle, 0.0)


def _third_largest(departure: NDArray[np.float64]) -> NDArray[np.float64]:
    if departure.shape[1] < _LEAST_SEEN:
        return np.zeros(len(departure))
    # The third, because one or two markers may be ghosts; three hardly leap together by chance.
    return np.asarray(np.sort(np.nan_to_num(departure), axis=1)[:, -_LEAST_SEEN])


def _largest(departure: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.nan_to_num(departure).max(axis=1))


# More than half of the known ones, counted from the smallest, as `_median` takes the lower middle.
_MEDIAN = Rank(_median, lambda count, known: (known >= _LEAST_SEEN) & (count > known // 2))
_THIRD_LARGEST = Rank(_third_largest, lambda count, _: count >= _LEAST_SEEN)
_LARGEST = Rank(_largest, lambda count, _: count > 0)
