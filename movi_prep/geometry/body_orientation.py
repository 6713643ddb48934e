"""Checks that markers show an upright body and not its mirror image, to report exchanged axes.

OpenSim's ground has y up; laboratories often have z up. Exchanging two axes without a change of sign makes a mirror
image, which no pose of a model fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.geometry.medians import median
from movi_prep.geometry.rigid import fit_rigid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from movi_prep.geometry.rigid import RigidFit
    from movi_prep.records.markers import MarkerTrajectories

LARGEST_TILT_DEG = 60.0
"""A body that is tilted more than this in most frames lies down, which no gait and no static trial does."""

MIRROR_RATIO = 0.6
"""A mirror image is reported where it fits with less than this share of the residual; measured on a static trial and a
walk: 0.35 and 0.45 one way, 2.2 and 2.9 the other."""

# Twenty rows over the trial are enough for a median.
_N_ROWS = 20
_MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Orientation:
    """What the markers say about how the body stands.

    Attributes:
        mirrored: the finding on a mirror image; () if it is none.
        tilted: the finding on a body that lies down; () if it stands.
    """

    mirrored: tuple[str, ...]
    tilted: tuple[str, ...]

    @property
    def findings(self) -> tuple[str, ...]:
        """What to report: whether a mirror image is upright does not matter."""
        return self.mirrored or self.tilted


def judge_orientation(markers: MarkerTrajectories, model_m: Mapping[str, NDArray[np.float64]]) -> Orientation:
    """Return whether the body lies down or is a mirror image.

    Args:
        markers: trajectories, metres, OpenSim ground; some of their rows are used.
        model_m: marker -> (3,) metres, where the upright model has it in its default pose.
    """
    fits = _fits(markers, model_m)
    return Orientation(mirrored=_mirror_findings(fits), tilted=_tilt_findings(fits))


def _fits(markers: MarkerTrajectories, model_m: Mapping[str, NDArray[np.float64]]) -> list[tuple[RigidFit, RigidFit]]:
    """Return the fit of the model, and that of its mirror image, on some rows."""
    names = [name for name in markers.names if name in model_m]
    default_m = np.array([model_m[name] for name in names]).reshape(-1, 3)
    rows = sorted({int(row) for row in np.linspace(0, markers.n_rows - 1, _N_ROWS)})
    observed_m = markers.select(names).positions_m[rows]
    pairs = [(fit_rigid(default_m, row_m), fit_rigid(default_m * _MIRROR, row_m)) for row_m in observed_m]
    return [(fit, mirrored) for fit, mirrored in pairs if fit is not None and mirrored is not None]


def _mirror_findings(fits: list[tuple[RigidFit, RigidFit]]) -> tuple[str, ...]:
    if not fits:
        return ()
    # Use the row most like the default pose; in other rows the pose itself leaves larger residuals.
    fit, mirrored = min(fits, key=lambda pair: min(pair[0].rms_m, pair[1].rms_m))
    if mirrored.rms_m >= MIRROR_RATIO * fit.rms_m:
        return ()
    return (
        f"the markers are a mirror image of the model's (which fits to {mirrored.rms_m * 1000:.0f} mm, the model "
        f"itself to {fit.rms_m * 1000:.0f} mm): left and right are exchanged, or axes without a change of sign",
    )


def _tilt_findings(fits: list[tuple[RigidFit, RigidFit]]) -> tuple[str, ...]:
    # The median: a cartwheel tilts the body for a moment, exchanged axes for the whole trial.
    tilt_deg = median([_tilt_deg(fit) for fit, _ in fits]) if fits else 0.0
    if tilt_deg <= LARGEST_TILT_DEG:
        return ()
    return (
        f"the body is tilted by {tilt_deg:.0f} degrees (median) from the model's upright pose: OpenSim's ground has y "
        "up; if the file has z up, say ik.marker_file_up=z, or write (x, z, -y) for its (x, y, z)",
    )


def _tilt_deg(fit: RigidFit) -> float:
    """Return the angle between ground's y axis and the model's, degrees."""
    return float(np.degrees(np.arccos(np.clip(fit.rotation[1, 1], -1.0, 1.0))))
