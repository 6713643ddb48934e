"""How well two recordings of one motion agree in space and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.geometry.rigid import LagFit, RigidFit, fit_rigid, fit_time_lag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.records.v3d import V3dSubject

JOINT_OF_VIRTUAL_MARKER = {
    "lhip": "LHIPJ",
    "rhip": "RHIPJ",
    "lkne": "LKJC",
    "rkne": "RKJC",
    "lank": "LAJC",
    "rank": "RAJC",
    "lsho": "LSHOULDER",
    "rsho": "RSHOULDER",
    "lelb": "LELC",
    "relb": "RELC",
    "lwri": "LWRIST",
    "rwri": "RWRIST",
}
"""V3D's virtual markers that are joint centres of SMPL too; head, hands, feet and trunk are defined otherwise."""

MAX_LAG_S = 0.25
"""Largest lag that is looked for, seconds: beyond it the clips are not one motion."""


@dataclass(frozen=True)
class Agreement:
    """What was measured between two recordings; None where it could not be."""

    fit: RigidFit | None
    lag: LagFit | None
    rate_hz: float

    @property
    def lag_s(self) -> float | None:
        """How late V3D shows the motion, seconds."""
        return None if self.lag is None else self.lag.lag_samples / self.rate_hz


def compare_with_v3d(
    joints_m: NDArray[np.float64],
    samples: NDArray[np.int64],
    v3d: V3dSubject,
    *,
    first_sample: int,
    rate_hz: float,
) -> Agreement:
    """Measure rigid fit and time lag between joints of a clip and V3D's virtual markers.

    Args:
        joints_m: (n, 12, 3) float64, metres, MoVi world: the joints of JOINT_OF_VIRTUAL_MARKER, in its order.
        samples: (n,) int64, mocap sample of the clip of each row.
        v3d: the subject's V3D file.
        first_sample: sample of the whole recording at which the clip begins.
        rate_hz: mocap samples per second.
    """
    columns = [
        v3d.virtual_marker_names.index(name) for name in JOINT_OF_VIRTUAL_MARKER if name in v3d.virtual_marker_names
    ]
    if v3d.virtual_markers_m is None or len(columns) != len(JOINT_OF_VIRTUAL_MARKER):
        return Agreement(fit=None, lag=None, rate_hz=rate_hz)
    recording = v3d.virtual_markers_m[:, columns]
    # The recording is the whole session; the clip is a piece of it.
    rows = first_sample + samples
    there = rows < len(recording)
    lag = fit_time_lag(
        joints_m,
        samples,
        recording,
        first_sample=first_sample,
        max_lag_samples=round(MAX_LAG_S * rate_hz),
    )
    return Agreement(fit=fit_rigid(joints_m[there], recording[rows[there]]), lag=lag, rate_hz=rate_hz)


def joints_for_v3d(markers: MarkerTrajectories, *, every_samples: int) -> tuple[MarkerTrajectories, NDArray[np.int64]]:
    """Return the joints of JOINT_OF_VIRTUAL_MARKER, and (k,) int64 rows of them: those that lie on a coarser clock.

    Velocities need a span in which something moves: one video frame, whatever clock the markers have.
    """
    joints = markers.select(list(JOINT_OF_VIRTUAL_MARKER.values()))
    return joints, np.flatnonzero(markers.sample_indices % every_samples == 0)
