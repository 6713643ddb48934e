"""Rows that repeat the one before while the body moves: a recording that froze, or gaps that were filled by copies.

A body that is measured is never twice in the same place to a micrometre, and one that is made up by a program comes to
rest before it stands still. A run of equal rows counts only where the row that leads into it, or the one that leads out
of it, is a step of a body in motion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from movi_prep.records.vectors import squared_lengths

SAME_M = 1e-6
"""Largest distance between equal places, metres; single precision keeps a place in a room to a tenth of it."""

SLOWEST_M_S = 0.1
"""Least speed of the third fastest point of a moving body, m/s: people who stand sway at a tenth of it."""

_RANK = 3
"""Rank of the point whose speed counts: one or two faster ones may be noise, or a hand."""


@dataclass(frozen=True)
class Standstill:
    """Rows `first` to `last`, which repeat the row before `first`, and how fast the body is beside them (m/s)."""

    first: int
    last: int
    speed_m_s: float

    @property
    def n_rows(self) -> int:
        """Number of rows that are copies."""
        return self.last - self.first + 1

    def moved_m(self, rate_hz: float) -> float:
        """Return how far the body moved at that speed until the last of the rows: the largest error of its copies."""
        return self.speed_m_s * self.n_rows / rate_hz


def row_steps(positions_m: NDArray[np.float64], before_m: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Return (n,) float64, metres: how far the third fastest point moved since the row before; 0 for a copy.

    Args:
        positions_m: (n, k, 3) metres, NaN where not seen.
        before_m: (k, 3), the row before the first; without it the first step is NaN, as it is where too little is seen.
    """
    if positions_m.shape[1] < _RANK:
        return np.full(len(positions_m), np.nan)
    moved_m = np.empty_like(positions_m)
    moved_m[:1] = np.nan if before_m is None else positions_m[:1] - before_m
    np.subtract(positions_m[1:], positions_m[:-1], out=moved_m[1:])
    squares = squared_lengths(moved_m)
    seen = np.isfinite(squares)
    # Only the fastest are put in order, and only their roots are taken: this is done for every sample there is.
    fastest = np.partition(np.where(seen, squares, 0.0), -_RANK, axis=1)[:, -_RANK:]
    steps = np.sqrt(fastest)
    # A copy repeats every point; a body that rests moves some of them.
    ranked = np.where(steps.max(axis=1) <= SAME_M, 0.0, steps[:, 0])
    return np.where(seen.sum(axis=1) >= _RANK, ranked, np.nan)


def standstills(steps_m: NDArray[np.float64], rate_hz: float) -> tuple[Standstill, ...]:
    """Return the runs of copies beside which the body moves, in order.

    Args:
        steps_m: (n,) of `row_steps`.
        rate_hz: rows per second.
    """
    is_copy = np.concatenate([[False], steps_m == 0.0, [False]])
    edges = np.flatnonzero(np.diff(is_copy.astype(np.int8)))
    beside = np.concatenate([[np.nan], steps_m, [np.nan]])
    found = []
    for first, stop in edges.reshape(-1, 2).tolist():
        # `beside` is one row longer in front: the step into `first` - 1, and that into `stop`.
        speed_m_s = float(np.nan_to_num(np.fmax(beside[first], beside[stop + 1]))) * rate_hz
        if speed_m_s > SLOWEST_M_S:
            found.append(Standstill(first, stop - 1, speed_m_s))
    return tuple(found)
