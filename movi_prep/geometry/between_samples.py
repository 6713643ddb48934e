"""Values between samples: a cubic through the four samples around a time; rotations are interpolated as rotations.

A cubic is off by at most 3/128 h^4 |f''''|: of a hand that swings by 30 cm at 3 Hz, 0.02 mm at 120 Hz, 1 mm at 30 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.geometry.rotations import axis_angles_from_matrices, matrices_from_axis_angles

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_AROUND = 4


@dataclass(frozen=True)
class Stencil:
    """The rows, and their weights, that make a value between samples.

    Attributes:
        rows: (n, 4) int64, successive rows around each time.
        weights: (n, 4) float64, they sum to 1; Lagrange's polynomials at the time.
        nearest: (n,) int64, the row nearest in time.
        covers: (n,) bool, whether these samples are successive ones and the time lies among them.
    """

    rows: NDArray[np.int64]
    weights: NDArray[np.float64]
    nearest: NDArray[np.int64]
    covers: NDArray[np.bool_]

    def keep(self, wanted: NDArray[np.bool_]) -> Stencil:
        """Return the stencil of some times."""
        return Stencil(self.rows[wanted], self.weights[wanted], self.nearest[wanted], self.covers[wanted])

    def values(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n, ...) values between (m, ...) samples."""
        # One of four after the other: a gathered (n, 4, ...) of a mesh would be four times the clip.
        # Transposed, so that (n,) weights broadcast over any number of trailing axes.
        total = self._column(0) * samples[self.rows[:, 0]].T
        for place in range(1, N_AROUND):
            total += self._column(place) * samples[self.rows[:, place]].T
        return np.asarray(total.T)

    def rotations(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n, 3, 3) rotations between (m, 3, 3): the cubic of the turns from the nearest sample."""
        base = samples[self.nearest]
        # Turns from the nearest sample are small: axis-angle vectors of small turns can be averaged.
        turns = axis_angles_from_matrices(np.swapaxes(base, -1, -2)[:, None] @ samples[self.rows])  # (n, 4, 3)
        return np.asarray(base @ matrices_from_axis_angles(np.einsum("nk,nkj->nj", self.weights, turns)))

    def angles(self, samples_rad: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n, c) angles between (m, c), which may differ by full turns from sample to sample."""
        base = samples_rad[self.nearest]
        turns = samples_rad[self.rows] - base[:, None]  # (n, 4, c)
        turns -= 2.0 * np.pi * np.round(turns / (2.0 * np.pi))
        return np.asarray(base + np.einsum("nk,nkc->nc", self.weights, turns))

    def everywhere(self, samples: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return (n, ...) bool: what holds in all four samples."""
        return np.asarray(samples[self.rows].all(axis=1))

    def _column(self, place: int) -> NDArray[np.float64]:
        return self.weights[:, place]


def cubic_stencil(samples: NDArray[np.int64], at: NDArray[np.float64]) -> Stencil:
    """Return how values at some times are made from rows.

    Args:
        samples: (m,) increasing sample numbers of the rows.
        at: (n,) times, in samples.
    """
    # A clip too short for a cubic covers no time; zero rows keep the shapes.
    if len(samples) < N_AROUND:
        nothing = np.zeros((len(at), N_AROUND))
        return Stencil(
            nothing.astype(np.int64), nothing, np.zeros(len(at), dtype=np.int64), np.zeros(len(at), dtype=np.bool_)
        )
    # Two samples on each side; at the ends of the clip the nearest four, which the time then lies among or not.
    before = np.searchsorted(samples, at, side="right") - 1
    first = np.clip(before - 1, 0, len(samples) - N_AROUND)
    rows = first[:, None] + np.arange(N_AROUND)
    places = samples[rows].astype(np.float64)
    weights = np.ones((len(at), N_AROUND))
    for here in range(N_AROUND):
        for other in range(N_AROUND):
            if other != here:
                weights[:, here] *= (at - places[:, other]) / (places[:, here] - places[:, other])
    # Samples are successive where they are one step apart; a gap makes the four span more.
    step = int(np.diff(samples).min())
    covers = (places[:, -1] - places[:, 0] == (N_AROUND - 1) * step) & (at >= places[:, 0]) & (at <= places[:, -1])
    nearest = rows[np.arange(len(at)), np.abs(places - at[:, None]).argmin(axis=1)]
    return Stencil(rows=rows, weights=weights, nearest=nearest, covers=covers)
