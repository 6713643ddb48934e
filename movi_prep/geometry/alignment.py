"""The agreement of two recordings of one motion in space and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.geometry.rigid import LagFit, RigidFit, fit_rigid, fit_time_lag

if TYPE_CHECKING:
    from numpy.typing import NDArray


MAX_LAG_S = 0.25
"""Largest lag that is searched, seconds: at a larger one the clips show different motions."""


@dataclass(frozen=True)
class Agreement:
    """The measured agreement of two recordings; None where it could not be measured."""

    fit: RigidFit | None
    lag: LagFit | None
    rate_hz: float

    @property
    def lag_s(self) -> float | None:
        """Delay of the motion in the recording, seconds."""
        return None if self.lag is None else self.lag.lag_samples / self.rate_hz


def compare_joints(
    joints_m: NDArray[np.float64],
    samples: NDArray[np.int64],
    recording_m: NDArray[np.float64],
    *,
    first_sample: int,
    rate_hz: float,
) -> Agreement:
    """Measure rigid fit and time lag between joints of a clip and the same joints of a whole recording.

    Args:
        joints_m: (n, j, 3) float64, metres.
        samples: (n,) int64, mocap sample of the clip of each row.
        recording_m: (m, j, 3) float64, metres, the same joints in the same order and world; NaN where missing.
        first_sample: sample of the whole recording at which the clip begins.
        rate_hz: mocap samples per second.
    """
    # The recording is the whole session; the clip is a piece of it.
    rows = first_sample + samples
    # The clip may end after the recording does: only what both hold is compared.
    there = rows < len(recording_m)
    lag = fit_time_lag(
        joints_m,
        samples,
        recording_m,
        first_sample=first_sample,
        max_lag_samples=round(MAX_LAG_S * rate_hz),
    )
    return Agreement(fit=fit_rigid(joints_m[there], recording_m[rows[there]]), lag=lag, rate_hz=rate_hz)


def rows_on_clock(samples: NDArray[np.int64], *, every_samples: int) -> NDArray[np.int64]:
    """Return (k,) int64 rows whose (n,) int64 samples lie on a coarser clock.

    Velocities need a span in which something moves: one video frame, whatever the rows' clock.
    """
    return np.flatnonzero(samples % every_samples == 0)
