"""Uncertainty of the coordinates of a pose: one covariance of low rank for all of them, frame by frame.

    covariance = factor factor' ,        factor (f, r): free coordinates by modes

A mode is a pattern of errors that belongs to one subject's model: the skin of the thighs to the left, all placements
to the back. It is the same pattern in all frames of all clips, so that errors of two frames that are t apart have the
covariance factor(1) diag(exp(-t / correlation_s)) factor(2)'. Variances of coordinates are exact: the missing part of
a variance (there are more patterns than modes) is spread over its modes.
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
    """Covariances of the f free coordinates of a model, in their order, in n frames.

    Attributes:
        factor: (n, f, r) floats, rad and m; infinite where nothing determines the coordinate, NaN without a pose.
        correlation_s: (r,) floats, seconds over which each mode keeps its value; infinite for those that last.
    """

    factor: NDArray[np.floating]
    correlation_s: NDArray[np.floating]

    def __post_init__(self) -> None:
        """Check that the arrays agree."""
        check_shape(self.factor, (None, None, len(self.correlation_s)), what="factor", where="pose deviation")

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.factor)

    def std(self) -> NDArray[np.float64]:
        """Return (n, f) float64: standard deviations of the coordinates, rad and m."""
        # Files hold float16, whose squares would overflow or vanish.
        factor = self.factor.astype(np.float32)
        return np.asarray(np.sqrt(np.einsum("nfr,nfr->nf", factor, factor)), dtype=np.float64)

    def coordinate_std(self, tree: KinematicTree, coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n, c) float64: standard deviations of all coordinates of a tree, followers included.

        Args:
            tree: the model.
            coordinates: (n, c) float64, rad and m, complete; NaN in frames without a pose.
        """
        return chained_std(tree, coordinates, self.std())

    def covariance(self) -> NDArray[np.float64]:
        """Return (n, f, f) float64: covariances of the coordinates, in the units of two of them."""
        return self.carry(np.eye(self.factor.shape[1]))

    def carry(self, jacobian: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n, d, d) float64: covariances of d numbers; (n, d, f) are their derivatives.

        Infinite for numbers that move with a coordinate that nothing determines.
        """
        jacobian = np.broadcast_to(jacobian, (self.n_frames, *np.shape(jacobian)[-2:]))
        lost = np.isinf(self.factor).any(axis=2)  # (n, f)
        # Infinities are taken out before the product, and put back for what they touch: inf times 0 is NaN.
        moved = jacobian @ np.where(lost[..., None], 0.0, self.factor).astype(np.float64)
        touched = ((jacobian != 0.0) & lost[:, None]).any(axis=2)  # (n, d)
        return np.where(touched[:, :, None] | touched[:, None], np.inf, moved @ np.swapaxes(moved, 1, 2))


def chained_std(
    tree: KinematicTree, coordinates: NDArray[np.float64], free_std: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (n, c) standard deviations of all coordinates, from the (n, f) of the free ones, rad and m.

    Args:
        tree: the model.
        coordinates: (n, c) float64, rad and m, complete; NaN in frames without a pose.
        free_std: of the free coordinates; NaN in frames without a pose.
    """
    # Functions need an argument in every frame; frames without a pose stay NaN by their deviation.
    leaders, slopes = tree.chain_slopes(np.where(np.isnan(coordinates), tree.coordinate_default, coordinates))
    free = np.zeros(coordinates.shape)
    free[:, tree.free_coordinates] = free_std
    with np.errstate(invalid="ignore"):
        # Infinite times 0 is NaN: a coordinate that nothing moves is not off at all.
        return np.where(slopes == 0.0, 0.0, np.abs(slopes) * free[:, np.maximum(leaders, 0)])


def rotation_covariance(
    tree: KinematicTree,
    coordinates: NDArray[np.float64],
    deviation: PoseDeviation,
    body: str,
    *,
    seen_from: str | None = None,
) -> NDArray[np.float64]:
    """Return (n, 3, 3) float64, rad^2: how far the orientation of a bone may be off, about its own axes x, y, z.

    Args:
        tree: the model.
        coordinates: (n, c) float64, rad and m, complete: the poses.
        deviation: of these poses, from the whole model.
        body: the bone.
        seen_from: the bone that it is seen from, as its parent for the joint between them; None for ground.
    """
    rotations, _, twists = tree.frames_and_twists(coordinates)
    own = tree.body_names.index(body)
    turns = twists[:, own, :3]  # (n, 3, f)
    if seen_from is not None:
        # Errors above both bones turn both alike, and cancel in the angle between them.
        turns = turns - twists[:, tree.body_names.index(seen_from), :3]
    # Twists are in ground: they are turned into the bone's own axes.
    to_body = np.swapaxes(rotations[:, own] @ tree.child_rotation[own], 1, 2)
    return deviation.carry(to_body @ turns)
