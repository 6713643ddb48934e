"""Rigid fits between point sets, and the time lag between two recordings of one motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.records.vectors import are_finite, squared_lengths

if TYPE_CHECKING:
    from numpy.typing import NDArray


_LEAST_MOTION_M = 0.005
"""Least RMS motion between rows: below it, a millimetre or two of noise would decide the lag."""


@dataclass(frozen=True)
class RigidFit:
    """The rotation R and the shift that carry one point set onto another: target = R source + translation.

    Attributes:
        rotation: (3, 3) float64, source to target.
        translation_m: (3,) float64, metres.
        offset_m: distance between the two centroids, metres; unlike the translation it does not depend on where
            the origin lies.
        rms_m: root mean square of what remains after the fit, metres.
        n_points: pairs of points that both sets hold.
    """

    rotation: NDArray[np.float64]
    translation_m: NDArray[np.float64]
    offset_m: float
    rms_m: float
    n_points: int

    @property
    def angle_rad(self) -> float:
        """Angle of the rotation, radians."""
        # atan2 keeps its digits near 0, where arccos of the trace loses half of them.
        skew = self.rotation - self.rotation.T
        sine = 0.5 * float(np.linalg.norm([skew[2, 1], skew[0, 2], skew[1, 0]]))
        return float(np.arctan2(sine, 0.5 * (float(np.trace(self.rotation)) - 1.0)))


def fit_rigid(source_m: NDArray[np.float64], target_m: NDArray[np.float64]) -> RigidFit | None:
    """Return the least squares rigid fit of (..., 3) points, NaN left out; None with fewer than three pairs.

    Kabsch 1976, A solution for the best rotation to relate two sets of vectors, Acta Crystallographica A32.
    """
    source, target = source_m.reshape(-1, 3), target_m.reshape(-1, 3)
    both = np.isfinite(source).all(axis=1) & np.isfinite(target).all(axis=1)
    source, target = source[both], target[both]
    if len(source) < 3:
        return None
    source_centre, target_centre = source.mean(axis=0), target.mean(axis=0)
    U, _, Vt = np.linalg.svd((source - source_centre).T @ (target - target_centre))
    # Without it, nearly flat point sets (a person from the side) may be mirrored instead of rotated.
    handedness = np.diag([1.0, 1.0, np.sign(np.linalg.det(Vt.T @ U.T))])
    rotation = Vt.T @ handedness @ U.T
    remains = target - target_centre - (source - source_centre) @ rotation.T
    return RigidFit(
        rotation=rotation,
        translation_m=target_centre - rotation @ source_centre,
        offset_m=float(np.linalg.norm(target_centre - source_centre)),
        rms_m=float(np.sqrt(np.mean(np.sum(remains**2, axis=1)))),
        n_points=len(source),
    )


def remains_of_groups(
    group: NDArray[np.int64], source_m: NDArray[np.float64], target_m: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (n,) metres, how far each point stays from its target when each group of points is fitted by itself.

    Args:
        group: (n,) number of each point's group.
        source_m: (n, 3) metres.
        target_m: (n, 3) metres, NaN where there is none: such points stay NaN away. In a group with fewer than three
            pairs all others are met, 0.
    """
    remains_m = np.where(are_finite(target_m), 0.0, np.nan)
    for number in set(group.tolist()):
        own = group == number
        fit = fit_rigid(source_m[own], target_m[own])
        if fit is not None:
            apart_m = source_m[own] @ fit.rotation.T + fit.translation_m - target_m[own]
            remains_m[own] = np.sqrt(squared_lengths(apart_m))
    return remains_m


@dataclass(frozen=True)
class LagFit:
    """The delay of one recording against another.

    Attributes:
        lag_samples: samples of the target by which it runs late; positive: the target is late.
        mismatch: squared velocity mismatch at the best lag over that of a motionless target; 0 is perfect.
        at_edge: whether the best lag is the largest that was tried, so that the true one may lie beyond.
    """

    lag_samples: float
    mismatch: float
    at_edge: bool


def fit_time_lag(
    source_m: NDArray[np.float64],
    source_samples: NDArray[np.int64],
    target_m: NDArray[np.float64],
    *,
    first_sample: int,
    max_lag_samples: int,
) -> LagFit | None:
    """Measure the time lag between two recordings of the same points, to a fraction of a sample.

    Compares velocities (differences between successive source rows, over the same span in the target), which
    constant differences between the two definitions of a point do not disturb. The mismatch is computed at every
    whole lag; a parabola through its minimum gives the fraction.

    Args:
        source_m: (n, k, 3) float64, metres; rows may be sparser than the target's.
        source_samples: (n,) int64, the sample of the clip that each row is.
        target_m: (t, k, 3) float64, metres, every sample of the whole recording, same axes as the source.
        first_sample: sample of the recording at which the clip begins.
        max_lag_samples: largest lag that is tried, in both directions.

    Returns:
        the lag, or None where nothing moves or the recordings share no points.
    """
    lags = np.arange(-max_lag_samples, max_lag_samples + 1)
    velocity = np.diff(source_m, axis=0)
    # The parabola needs the mismatch of all lags over the same pairs, or their number would show in it.
    rows = first_sample + source_samples
    inside = (rows + lags[0] >= 0) & (rows + lags[-1] < len(target_m))
    pairs = np.flatnonzero(inside[:-1] & inside[1:])
    if pairs.size < 3:
        return None
    late = rows[pairs][:, None] + lags
    # Source rows may be several samples apart; the target's step covers the same time.
    span = np.diff(source_samples)[pairs][:, None]
    other = target_m[late + span] - target_m[late]
    difference = velocity[pairs][:, None] - other
    # A pair counts at all lags or at none, for the same reason.
    known = np.isfinite(difference).all(axis=(1, 3))
    if not known.any():
        return None
    square = np.where(known[:, None, :], np.sum(difference**2, axis=3), 0.0).sum(axis=(0, 2))
    # The mismatch of a target that never moves is the scale of all others.
    still = float(np.sum(np.where(known, np.sum(velocity[pairs] ** 2, axis=2), 0.0)))
    if still < known.sum() * _LEAST_MOTION_M**2:
        return None
    best = int(np.argmin(square))
    at_edge = best in (0, len(lags) - 1)
    fraction = 0.0 if at_edge else parabola_vertex(square[best - 1 : best + 2])
    return LagFit(lag_samples=float(lags[best] + fraction), mismatch=float(square[best] / still), at_edge=at_edge)


def parabola_vertex(values: NDArray[np.float64]) -> float:
    """Return where a parabola through (3,) values at -1, 0 and 1 has its vertex; 0 where it is flat."""
    before, middle, after = (float(value) for value in values)
    curvature = before - 2.0 * middle + after
    return 0.5 * (before - after) / curvature if curvature > 0 else 0.0
