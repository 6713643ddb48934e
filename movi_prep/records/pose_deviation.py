"""How far the coordinates of a pose may be from the truth, all together: a covariance of low rank, frame by frame.

    covariance = factor factor' ,        factor (f, r): free coordinates by modes

A mode is a pattern of errors that belongs to one clip: the skin of the thighs to the left, all placements to the back.
It is the same pattern in all frames, so that errors of two frames that are t apart have the covariance
factor(1) diag(exp(-t / correlation_s)) factor(2)'. Variances of coordinates are exact: what modes left out leave of
one is shared among the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.records.checks import check_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree


@dataclass(frozen=True, eq=False)
class PoseDeviation:
    """Covariances of the f free coordinates of a model, in their order, at some frames of a clip.

    Attributes:
        rows: (k,) int64, frames at which they stand, in order; between two of them numbers change in proportion.
        factor: (k, f, r) floats, rad and m; infinite where nothing determines the coordinate.
        correlation_s: (r,) floats, seconds over which each mode keeps its value; infinite for those of the whole clip.
    """

    rows: NDArray[np.int64]
    factor: NDArray[np.floating]
    correlation_s: NDArray[np.floating]

    def __post_init__(self) -> None:
        """Check that the arrays agree."""
        check_shape(self.factor, (len(self.rows), None, len(self.correlation_s)), what="factor", where="pose deviation")

    def at(self, rows: NDArray[np.int64]) -> PoseDeviation:
        """Return the same at (n,) frames, each of which then stands for itself."""
        place = np.interp(rows, self.rows, np.arange(len(self.rows)))
        before = np.minimum(place.astype(np.int64), max(len(self.rows) - 2, 0))
        after = np.minimum(before + 1, len(self.rows) - 1)
        share = (place - before)[:, None, None].astype(np.float32)
        low, high = self.factor[before], self.factor[after]
        with np.errstate(invalid="ignore"):
            factor = low + share * (high - low)
        factor[np.isinf(low) | (np.isinf(high) & (share > 0))] = np.inf
        return PoseDeviation(np.asarray(rows), factor, self.correlation_s)

    def std(self) -> NDArray[np.float64]:
        """Return (k, f) float64: standard deviations of the coordinates, rad and m."""
        return np.sqrt(np.sum(np.asarray(self.factor, dtype=np.float64) ** 2, axis=2))

    def covariance(self) -> NDArray[np.float64]:
        """Return (k, f, f) float64: covariances of the coordinates, in the units of two of them."""
        return self.carry(np.eye(self.factor.shape[1]))

    def carry(self, jacobian: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (k, d, d) float64: covariances of any d numbers of which (k, d, f) are the derivatives.

        Infinite for numbers that move with a coordinate that nothing determines.
        """
        jacobian = np.broadcast_to(jacobian, (len(self.rows), *np.shape(jacobian)[-2:]))
        lost = np.isinf(self.factor).any(axis=2)  # (k, f)
        moved = jacobian @ np.where(lost[..., None], 0.0, self.factor).astype(np.float64)
        touched = ((jacobian != 0.0) & lost[:, None]).any(axis=2)  # (k, d)
        return np.where(touched[:, :, None] | touched[:, None], np.inf, moved @ np.swapaxes(moved, 1, 2))


def rotation_covariance(
    tree: KinematicTree,
    coordinates: NDArray[np.float64],
    deviation: PoseDeviation,
    body: str,
    *,
    seen_from: str | None = None,
) -> NDArray[np.float64]:
    """Return (k, 3, 3) float64, rad^2: how far the orientation of a bone may be off, about its own axes x, y, z.

    Args:
        tree: the model.
        coordinates: (k, c) float64, rad and m, complete: one pose per row of the deviation.
        deviation: of these poses.
        body: the bone.
        seen_from: the bone that it is seen from, as its parent for the joint between them; None for ground.
    """
    rotations, _, twists = tree.frames_and_twists(coordinates)
    own = tree.body_names.index(body)
    turns = twists[:, own, :3]  # (k, 3, f)
    if seen_from is not None:
        turns = turns - twists[:, tree.body_names.index(seen_from), :3]
    to_body = np.swapaxes(rotations[:, own] @ tree.child_rotation[own], 1, 2)
    return deviation.carry(to_body @ turns)
