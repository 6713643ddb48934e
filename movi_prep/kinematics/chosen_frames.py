"""Chooses the frames of a subject's trials that say most about the person: the most different poses.

Poses are compared before any is solved: every frame is laid on the root's markers of the neutral figure as a rigid
body, and what differs then is the pose of the limbs (and not where in the room it was). The frames are taken one after
another, each the farthest from all taken before (Gonzalez 1985), beginning with the one nearest the mean. Laying them
so changes no objective, as the root moves freely, and puts every frame far from gimbal lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.kinematics.first_pose import root_markers
from movi_prep.kinematics.tracks import is_root

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.kinematics.folded_model import FoldedModel

# Markers that make a rigid body.
_RIGID = 3
# A root that can move so far from the neutral figure either way, metres, meets no bound in a frame that lies on it.
_ROOM_M = 1.0
# A frame with fewer than this share of the markers that the fullest frame shows is no candidate.
_LEAST_SEEN = 0.8


def lay_upright(
    folded: FoldedModel, positions_m: NDArray[np.float64], counts: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return (n, k, 3) metres: every frame turned and moved so that the root's markers lie as on the neutral figure.

    Markers in the order of the solver; those that do not count, (k,) bool, are carried along. Where the root has fewer
    than three markers of its own in a frame, or does not move and turn freely, all markers are used, or none moved.
    """
    if folded.arrays.motion.free_node < 0 or not _moves_freely(folded):
        return positions_m
    seen = np.asarray(np.isfinite(positions_m).all(axis=2))
    if counts is not None:
        seen &= counts
    on_root = seen & root_markers(folded)
    used = np.where((np.count_nonzero(on_root, axis=1) >= _RIGID)[:, None], on_root, seen)
    laid = positions_m.copy()
    enough = np.count_nonzero(used, axis=1) >= _RIGID
    laid[enough] = _laid(positions_m[enough], folded.figure_m, used[enough])
    return laid


def _laid(
    positions_m: NDArray[np.float64], figure_m: NDArray[np.float64], used: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return (n, k, 3) frames laid on the figure, (k, 3), by the markers that each uses, (n, k) (Kabsch 1976)."""
    share = (used / np.count_nonzero(used, axis=1)[:, None])[..., None]
    points = np.where(used[..., None], positions_m, 0.0)
    points_mean, figure_mean = (share * points).sum(axis=1), (share * figure_m).sum(axis=1)
    apart = (points - points_mean[:, None]).swapaxes(1, 2) @ (share * (figure_m - figure_mean[:, None]))
    left, _, right = np.linalg.svd(apart)
    # The determinant's sign kept positive: a mirrored figure is never accepted.
    right[:, 2] *= np.sign(np.linalg.det(right) * np.linalg.det(left))[:, None]
    rotation = right.swapaxes(1, 2) @ left.swapaxes(1, 2)
    return np.asarray((positions_m - points_mean[:, None]) @ rotation.swapaxes(1, 2) + figure_mean[:, None])


def _moves_freely(folded: FoldedModel) -> bool:
    """Whether the root turns without bounds, and moves at least so far around the neutral figure that none binds."""
    root = is_root(folded)
    room = np.minimum(folded.start - folded.arrays.lower, folded.arrays.upper - folded.start)[root]
    turns = np.isin(folded.unknowns[root], folded.tree.axis_coordinate[folded.tree.axis_is_rotation])
    return bool(np.count_nonzero(root) == 6 and np.isinf(room[turns]).all() and (room > _ROOM_M).all())


def choose_spread(laid_m: NDArray[np.float64], trial: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return up to `count` indices of the frames that differ most, sorted.

    A third of them is shared out among the trials, so that every trial contributes.

    Args:
        laid_m: (n, k, 3) metres, frames as `lay_upright` returns them; NaN where a marker was not seen.
        trial: (n,) which trial each frame is from.
        count: how many.
    """
    seen = np.isfinite(laid_m).all(axis=2)
    candidates = np.flatnonzero(seen.mean(axis=1) >= _LEAST_SEEN * seen.mean(axis=1).max(initial=0.0))
    points = laid_m[candidates]
    n_seen = np.maximum(np.isfinite(points).all(axis=2).sum(axis=0), 1)
    middle = np.nansum(points, axis=0) / n_seen[:, None]
    # A marker that was not seen is put at its mean: it then makes no frame look different.
    flat = np.where(np.isfinite(points), points - middle, 0.0).reshape(len(points), -1)
    trials = np.unique(trial[candidates])
    each = max(count // (3 * max(len(trials), 1)), 1)
    taken: list[int] = []
    for one in trials:
        own = np.flatnonzero(trial[candidates] == one)
        taken += own[_farthest(flat[own], [], each)].tolist()
    return np.sort(candidates[_farthest(flat, taken, max(count, len(taken)))])


def _farthest(flat: NDArray[np.float64], taken: list[int], count: int) -> list[int]:
    """Add to the points taken, one after another, the one farthest from all of them; the first is near the middle."""
    taken = list(taken) or [int(np.argmin((flat**2).sum(axis=1)))]
    distance = np.full(len(flat), np.inf)
    for one in taken:
        distance = np.minimum(distance, ((flat - flat[one]) ** 2).sum(axis=1))
    while len(taken) < min(count, len(flat)) and distance.max() > 0.0:
        taken.append(int(np.argmax(distance)))
        distance = np.minimum(distance, ((flat - flat[taken[-1]]) ** 2).sum(axis=1))
    return taken
