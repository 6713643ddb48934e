"""What markers see of a model: rank and posterior deviation of its free coordinates at given poses.

With marker noise of standard deviation s per component, independent, and weights W of the tracked markers, weighted
least squares has the covariance (Gauss-Markov with other weights than the noise's: the sandwich)

    C = s^2 (J'WJ)^-1 J'W^2 J (J'WJ)^-1 ,        J = d markers / d free coordinates.

The label of a coordinate whose deviation is large at every pose carries little information; a rank below the number of
free coordinates means that some motion moves no marker at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree

STEP = 1e-6
"""Step of the central differences, rad or m: gives errors of 1e-10, while lever arms are centimetres."""

SMALLEST_SINGULAR_VALUE = 1e-6
"""Least singular value relative to the largest; below it, a direction is not determined. Null directions have 1e-10."""


@dataclass(frozen=True, eq=False)
class Observability:
    """Rank and deviations at each pose.

    Attributes:
        coordinate_names: (k,) the free coordinates.
        is_rotation: (k,) bool; deviations are radians there, else metres.
        ranks: (n,) int64, rank of the weighted Jacobian at each pose.
        deviations: (n, k) float64, posterior standard deviation; infinite where the pose lacks full rank.
    """

    coordinate_names: tuple[str, ...]
    is_rotation: NDArray[np.bool_]
    ranks: NDArray[np.int64]
    deviations: NDArray[np.float64]

    def share_below(self, limit_rad: float) -> NDArray[np.float64]:
        """Return (n,): the share of free rotations with a deviation below the limit, at each pose."""
        return np.asarray((self.deviations[:, self.is_rotation] < limit_rad).mean(axis=1))


def solve_observability(
    tree: KinematicTree,
    coordinates: NDArray[np.float64],
    weights: Mapping[str, float],
    *,
    noise_m: float = 0.005,
) -> Observability:
    """Return what the markers determine at (n, c) coordinates, rad and m.

    Args:
        tree: the model's kinematics.
        coordinates: poses; coupled coordinates are recomputed.
        weights: marker -> tracking weight; markers without a positive weight see nothing.
        noise_m: standard deviation of the markers per component, metres.

    Raises:
        ModelError: no marker of the model has a positive weight.
    """
    tracked = [index for index, name in enumerate(tree.marker_names) if weights.get(name, 0.0) > 0.0]
    if not tracked:
        raise ModelError("observability: no marker of the model has a positive weight; check the names in the weights")
    per_marker = np.array([weights[tree.marker_names[index]] for index in tracked])
    # Only ratios of weights matter; three rows (x, y, z) to a marker.
    per_row = np.repeat(per_marker / per_marker.sum(), 3)
    free = np.flatnonzero(tree.free_coordinates)
    jacobians = marker_jacobians(tree, coordinates, tracked)
    seen = [_ranks_and_deviations(jacobian, per_row, noise_m) for jacobian in jacobians]
    return Observability(
        coordinate_names=tuple(tree.coordinate_names[index] for index in free.tolist()),
        is_rotation=tree.coordinate_is_rotation[free],
        ranks=np.array([rank for rank, _ in seen], dtype=np.int64),
        deviations=np.array([deviations for _, deviations in seen]),
    )


def marker_jacobians(
    tree: KinematicTree, coordinates: NDArray[np.float64], markers: Sequence[int]
) -> NDArray[np.float64]:
    """Return (n, 3 m, k): derivatives of the markers (m) by the free coordinates (rad or m), central differences."""
    free = np.flatnonzero(tree.free_coordinates)
    # Only free coordinates are stepped; `complete_coordinates` moves followers with them, so their part is in the
    # derivative.
    steps = np.zeros((len(free), tree.n_coordinates))
    steps[np.arange(len(free)), free] = STEP
    jacobians = []
    for pose in coordinates:
        both = np.concatenate([pose + steps, pose - steps])  # (2 k, c)
        positions = tree.marker_positions(tree.complete_coordinates(both))[:, list(markers)]
        ahead, behind = positions.reshape(2, len(free), -1)
        jacobians.append(((ahead - behind) / (2 * STEP)).T)
    return np.array(jacobians)


def _ranks_and_deviations(
    jacobian: NDArray[np.float64], weights: NDArray[np.float64], noise_m: float
) -> tuple[int, NDArray[np.float64]]:
    """Return rank and (k,) deviations at one pose, the formula of the module."""
    # SVD of J, not eigenvalues of J'WJ: forming J'WJ loses half the digits that the rank depends on.
    values = np.linalg.svd(np.sqrt(weights)[:, None] * jacobian, compute_uv=False)
    rank = int(np.sum(values > SMALLEST_SINGULAR_VALUE * values[0]))
    if rank < jacobian.shape[1]:
        return rank, np.full(jacobian.shape[1], np.inf)
    weighted = weights[:, None] * jacobian
    # gain = (J'WJ)^-1 J'W; the diagonal of s^2 gain gain' is that of the sandwich.
    gain = np.linalg.solve(jacobian.T @ weighted, weighted.T)
    return rank, noise_m * np.sqrt(np.sum(gain**2, axis=1))
