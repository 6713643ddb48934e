"""The result of inverse kinematics for one clip, whichever solver made it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.records.checks import check_shape
from movi_prep.records.pose_deviation import PoseDeviation
from movi_prep.records.vectors import squared_lengths

if TYPE_CHECKING:
    from numpy.typing import NDArray


class FrameStatus(IntEnum):
    """How the solution of one frame ended; only SOLVED and RETRIED frames carry labels."""

    SOLVED = 0
    """Converged to the solver's tolerance at the first try."""
    RETRIED = 1
    """Converged after a restart from a neighbour, or with relaxed settings."""
    NOT_CONVERGED = 2
    """Stopped at a limit; the values are the best found and must not be trained on."""
    TOO_FEW_MARKERS = 3
    """Fewer visible weighted markers than a rigid pose needs; values are NaN."""
    FAILED = 4
    """The solver could not evaluate the frame; values are NaN."""
    SUSPECT = 5
    """Converged, but not to a human motion: the residual is too large (swapped or wild markers), or the pose jumps."""


USABLE_STATUSES = (FrameStatus.SOLVED, FrameStatus.RETRIED)

ROW_ARRAYS = (
    "times_s",
    "sample_indices",
    "coordinates",
    "coordinate_valid",
    "model_markers_m",
    "observed_markers_m",
    "body_rotations",
    "body_positions_m",
    "joint_centres_m",
    "root_frame_rotations",
    "root_frame_positions_m",
    "statuses",
    "objectives",
    "iterations",
    "gradient_norms",
    "constraint_errors",
    "posterior_std",
    "ranks",
    "label_std",
    "deviation_factor",
)
"""Arrays of a solution that have one entry per frame."""


def is_usable(statuses: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return bool of the same shape: whether a status allows labels."""
    return np.isin(statuses, [int(status) for status in USABLE_STATUSES])


_BLOCK_ROWS = 2048
"""Rows whose differences are in memory at once."""


@dataclass(frozen=True)
class IkSolution:
    """Coordinates, model markers and the evidence for them, frame by frame, in OpenSim ground (y up).

    One of angles only has no markers, bodies and joints: these axes have length 0.

    Attributes:
        solver: "opensim" or "converged".
        times_s: (n,) float64, seconds since the first mocap sample of the clip.
        sample_indices: (n,) int64, which mocap sample each row is.
        rate_hz: rows per second.
        coordinate_names: (c,) every coordinate of the model, in its own order; locked and coupled ones included.
        coordinate_is_rotation: (c,) bool, motion type Rotational: radians where true. False means metres or, for a
            coordinate of motion type Coupled (a knee cap on a spline), the unit of its function's argument.
        coordinates: (n, c) float64, in these units; NaN in frames without a pose.
        coordinate_valid: (n, c) bool, the landmark rule (see `geometry.landmark_rule`): false where a landmark of the
            coordinate's body misses by more than the bound, and in frames that are not usable.
        marker_names: (m,) markers of the model that the data hold.
        marker_weights: (m,) float64, the weights used; 0 for markers that were only carried along.
        model_markers_m: (n, m, 3) float64, metres, where the model's markers are.
        observed_markers_m: (n, m, 3) float64, metres, where the data's markers are; NaN where not seen.
        body_names: (b,) bodies of the model.
        body_rotations: (n, b, 3, 3) float64, body to ground.
        body_positions_m: (n, b, 3) float64, metres, body origins in ground.
        joint_names: (j,) joints of the model.
        joint_centres_m: (n, j, 3) float64, metres: origin of each joint's child frame in ground.
        root_frame_rotations: (n, 3, 3) float64, child frame of the ground-to-pelvis joint to ground.
        root_frame_positions_m: (n, 3) float64, metres, origin of that frame in ground.
        statuses: (n,) int8 of FrameStatus.
        objectives: (n,) float64, half the weighted mean squared marker error, m^2 (weights normalised to sum 1).
        iterations: (n,) int32, -1 where the solver does not report it.
        gradient_norms: (n,) float64, NaN where the solver does not report it.
        constraint_errors: (n,) float64, largest coupler violation, rad or m.
        posterior_std: (n, c) float64, rad or m, what the markers determine at the stated independent noise; None where
            it was not computed. `label_std` says how far a label may be off.
        ranks: (n,) int32, rank of the marker problem over the free coordinates; None where not computed.
        free_coordinates: (c,) bool: neither locked nor coupled.
        label_std: (n, c) float64, rad or m, how far each coordinate may be off: its standard deviation; None where it
            was not computed.
        deviation_factor: (n, f, r) floats, rad and m, how far the free coordinates may be off in each of r modes (see
            `records.pose_deviation`); None where it was not computed.
        deviation_correlation_s: (r,) floats, seconds over which each mode keeps its value.
    """

    solver: str
    times_s: NDArray[np.float64]
    sample_indices: NDArray[np.int64]
    rate_hz: float
    coordinate_names: tuple[str, ...]
    coordinate_is_rotation: NDArray[np.bool_]
    coordinates: NDArray[np.float64]
    coordinate_valid: NDArray[np.bool_]
    marker_names: tuple[str, ...]
    marker_weights: NDArray[np.float64]
    model_markers_m: NDArray[np.float64]
    observed_markers_m: NDArray[np.float64]
    body_names: tuple[str, ...]
    body_rotations: NDArray[np.float64]
    body_positions_m: NDArray[np.float64]
    joint_names: tuple[str, ...]
    joint_centres_m: NDArray[np.float64]
    root_frame_rotations: NDArray[np.float64]
    root_frame_positions_m: NDArray[np.float64]
    statuses: NDArray[np.int8]
    objectives: NDArray[np.float64]
    iterations: NDArray[np.int32]
    gradient_norms: NDArray[np.float64]
    constraint_errors: NDArray[np.float64]
    posterior_std: NDArray[np.float64] | None
    ranks: NDArray[np.int32] | None
    free_coordinates: NDArray[np.bool_]
    label_std: NDArray[np.float64] | None = None
    deviation_factor: NDArray[np.floating] | None = None
    deviation_correlation_s: NDArray[np.floating] | None = None

    def __post_init__(self) -> None:
        """Check that every array agrees with the names and the number of frames."""
        n, c, m = len(self.times_s), len(self.coordinate_names), len(self.marker_names)
        b, j = len(self.body_names), len(self.joint_names)
        # The optional arrays are left to the solvers that make them.
        for name, shape in {
            "sample_indices": (n,),
            "coordinate_is_rotation": (c,),
            "coordinates": (n, c),
            "coordinate_valid": (n, c),
            "marker_weights": (m,),
            "model_markers_m": (n, m, 3),
            "observed_markers_m": (n, m, 3),
            "body_rotations": (n, b, 3, 3),
            "body_positions_m": (n, b, 3),
            "joint_centres_m": (n, j, 3),
            "root_frame_rotations": (n, 3, 3),
            "root_frame_positions_m": (n, 3),
            "statuses": (n,),
            "objectives": (n,),
            "iterations": (n,),
            "gradient_norms": (n,),
            "constraint_errors": (n,),
            "free_coordinates": (c,),
        }.items():
            check_shape(getattr(self, name), shape, what=name, where=f"IK solution ({self.solver})")

    @property
    def n_rows(self) -> int:
        """Number of solved frames."""
        return len(self.times_s)

    def rows(self, which: slice | NDArray[np.int64]) -> IkSolution:
        """Return the solution of just some rows."""
        arrays = {name: getattr(self, name) for name in ROW_ARRAYS}
        own: dict[str, Any] = {name: None if array is None else array[which] for name, array in arrays.items()}
        return replace(self, **own)

    @property
    def is_whole(self) -> bool:
        """Whether it holds markers, bodies and joints, not only angles."""
        return len(self.body_names) > 0

    def angles(self) -> IkSolution:
        """Return the same without markers, bodies, joints, covariances, and observability at independent noise."""
        n = self.n_rows
        return replace(
            self,
            marker_names=(),
            marker_weights=np.empty(0),
            model_markers_m=np.empty((n, 0, 3)),
            observed_markers_m=np.empty((n, 0, 3)),
            body_names=(),
            body_rotations=np.empty((n, 0, 3, 3)),
            body_positions_m=np.empty((n, 0, 3)),
            joint_names=(),
            joint_centres_m=np.empty((n, 0, 3)),
            posterior_std=None,
            ranks=None,
            deviation_factor=None,
            deviation_correlation_s=None,
        )

    def residuals_m(self) -> NDArray[np.float64]:
        """Return (n, m) float64, metres: distance between model and observed marker; NaN where not seen."""
        residuals = np.empty_like(self.model_markers_m[..., 0])
        # In blocks: the difference of a long clip would be as large as its markers once more.
        for first in range(0, self.n_rows, _BLOCK_ROWS):
            rows = slice(first, first + _BLOCK_ROWS)
            missed_m = self.model_markers_m[rows] - self.observed_markers_m[rows]
            residuals[rows] = np.sqrt(squared_lengths(missed_m))
        return residuals

    def usable(self) -> NDArray[np.bool_]:
        """Return (n,) bool: frames whose status allows labels."""
        return is_usable(self.statuses)

    def weighted_rms_m(self) -> float:
        """Return the weighted marker RMS over all usable frames, metres."""
        # The objective is half the weighted mean square of a frame.
        values = self.objectives[self.usable()]
        return float(np.sqrt(2.0 * values.mean())) if values.size else float("nan")

    @property
    def std(self) -> NDArray[np.float64] | None:
        """(n, c) rad or m, how far each label may be off; at independent noise in files that hold nothing else."""
        return self.posterior_std if self.label_std is None else self.label_std

    def deviations(self) -> PoseDeviation | None:
        """Return how far the free coordinates may be off; None where it was not computed."""
        if self.deviation_factor is None or self.deviation_correlation_s is None:
            return None
        return PoseDeviation(self.deviation_factor, self.deviation_correlation_s)
