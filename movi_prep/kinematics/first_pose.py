"""The first pose of a clip: from nothing but the markers of one frame.

The neutral figure is laid on the markers as a rigid body (Kabsch 1976), the root's coordinates are solved for that
placement, every other joint is put in the middle of its range, and then the whole pose is solved with a prior about
that middle, which fades: strong enough at first to keep the figure whole, weak at last. It takes any facing, lying
down or upside down, and needs no guess. The middle is used instead of the neutral pose, in which
knees and elbows are straight and shoulders hang: a joint could turn either way from there, and raised arms would end
in a wrong minimum.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.kinematics.folded_model import LINE
from movi_prep.kinematics.limbs import find_limbs
from movi_prep.kinematics.tracks import PoseTrack, Prior, Start, Tracker, is_root

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.kinematics.folded_model import FoldedModel
    from movi_prep.kinematics.marker_frames import MarkerFrames

# Strengths of the fading prior, in units of `ConvergedSettings.prior_strength`; the last stage is the clip's own prior.
_FADING = (3.0, 0.3, 0.03)
# Tolerance of the stages; the track refines their result (rad or m).
_FADING_TOLERANCE = 1e-3
# Holds every coordinate but the root's in place while the root is found (m^2/rad^2).
_HOLD = 1e4
# Markers that make a rigid body.
_RIGID = 3
# The figure is placed when this is left of the objective, m^2.
_PLACED = 1e-12


def find_start(tracker: Tracker, frame: int, unit_prior: Prior, prior: Prior, *, by_root: bool = False) -> PoseTrack:
    """Return the pose of one frame, found without any other frame, as a track of one.

    Args:
        tracker: engine, folded and clip.
        frame: which frame.
        unit_prior: the prior at strength 1, for the fading.
        prior: the prior that the clip is solved with.
        by_root: lay the figure on the markers of the root's body, where it has three: a bent figure, laid on all its
            markers, may end up with its back to the front.
    """
    placed, middle = _place_figure(tracker, frame, by_root=by_root), _middle(tracker.folded)
    pose = Start(np.where(is_root(tracker.folded), placed.unknowns, middle), placed.base)
    for strength in _FADING:
        faded = Prior(middle, unit_prior.weight * strength)
        pose = tracker.solve_one(frame, pose, faded, damped=True, tolerance=_FADING_TOLERANCE).start(0)
        pose = pose._replace(share=1.0)  # every stage pulls in full: it is the figure that they keep whole
    return tracker.solve_one(frame, pose, prior, damped=False, tolerance=_FADING_TOLERANCE)


def _middle(folded: FoldedModel) -> NDArray[np.float64]:
    """(x,) the middle of each range; the default where nothing bounds it on both sides."""
    lower, upper = folded.arrays.lower, folded.arrays.upper
    bounded = np.isfinite(lower) & np.isfinite(upper)
    # The inner `where`s keep infinity minus infinity out of the sum: `np.where` evaluates both branches.
    return np.where(bounded, 0.5 * (np.where(bounded, lower, 0.0) + np.where(bounded, upper, 0.0)), folded.start)


def _place_figure(tracker: Tracker, frame: int, *, by_root: bool) -> Start:
    """Return the neutral pose with the root where the figure lies best on the markers of a frame."""
    folded, clip = tracker.folded, tracker.clip
    observed = clip.positions_m[frame]
    seen = ~np.isnan(observed).any(axis=1)
    on_root = seen & root_markers(folded)
    if by_root and np.count_nonzero(on_root) >= _RIGID:
        seen = on_root
    rotation, shift = align_points(folded.figure_m[seen], observed[seen], clip.weights[seen])
    placed = _place_free_root(folded, rotation, shift)
    return placed if placed is not None else _search_root(tracker, frame, folded.figure_m @ rotation.T + shift)


def root_markers(folded: FoldedModel) -> NDArray[np.bool_]:
    """(m,) markers that the root's unknowns move, and no others."""
    limbs = find_limbs(folded)
    return np.array([not limbs.levels[node] for node in limbs.node])


def _place_free_root(folded: FoldedModel, rotation: NDArray[np.float64], shift: NDArray[np.float64]) -> Start | None:
    """Return the exact pose of a root that moves and turns freely; None for any other root."""
    motion = folded.arrays.motion
    parent = int(motion.parent[motion.free_node]) if motion.free_node >= 0 else -1
    if parent < 0 or motion.first_axis[parent + 1] - motion.first_axis[parent] != 3:
        return None
    moves = slice(motion.first_axis[parent], motion.first_axis[parent + 1])
    q, functions = motion.axis_q[moves], folded.arrays.functions
    lines = functions.coefficients[functions.first_piece[motion.axis_function[moves]]]
    outer = motion.rotation[parent].reshape(3, 3)
    # Columns: how ground moves with each coordinate.
    columns = outer @ (lines[:, 1] * motion.axis_direction[moves].T)
    # Columns that are nearly dependent cannot reach every place: then the solver has to search.
    if np.any(functions.kind[motion.axis_function[moves]] != LINE) or abs(np.linalg.det(columns)) < 1e-6:
        return None
    origin = motion.position[parent] + outer @ motion.position[motion.free_node]
    origin = origin + outer @ (motion.axis_direction[moves].T @ lines[:, 0]) + columns @ folded.start[q]
    unknowns = folded.start.copy()
    unknowns[q] += np.linalg.solve(columns, rotation @ origin + shift - origin)
    # Rotation is in ground, the base in the frame of the translations' node: hence the change of frame.
    base = outer.T @ rotation @ outer @ motion.rotation[motion.free_node].reshape(3, 3)
    return Start(unknowns, base.ravel())


def _search_root(tracker: Tracker, frame: int, figure_m: NDArray[np.float64]) -> Start:
    """Find the coordinates of a root with bounds or joints of its own: from quarter turns, by the solver."""
    folded = tracker.folded
    placed = Tracker.prepare(tracker.engine, folded, _one_frame(tracker.clip, frame, figure_m))
    hold = Prior(folded.start, np.where(is_root(folded), 0.0, _HOLD))
    base = folded.arrays.motion.rotation[folded.arrays.motion.free_node].copy()
    best, least = Start(folded.start, base), np.inf
    for begin in _quarter_turns(folded):
        solved = placed.solve_one(0, Start(begin, base), hold, damped=True, tolerance=1e-8)
        if solved.values[0] < least:
            best, least = solved.start(0), float(solved.values[0])
        # The figure can be placed exactly, so that the first turn which does ends the search.
        if least < _PLACED:
            break
    return best


def _quarter_turns(folded: FoldedModel) -> list[NDArray[np.float64]]:
    """Neutral poses with the root's angles turned by quarters, least turned first: Newton finds the rest."""
    root = np.flatnonzero(is_root(folded))
    # What the coordinate moves counts, not its unit: rotations by a function other than a line have none of their own.
    tree = folded.tree
    turns = np.isin(folded.unknowns[root], tree.axis_coordinate[tree.axis_is_rotation])
    quarter = (0.0, np.pi / 2, np.pi, -np.pi / 2)
    poses = []
    # Least turned first, because most figures stand upright and face roughly along an axis.
    for choice in sorted(product(*(quarter if turn else (0.0,) for turn in turns)), key=np.count_nonzero):
        pose = folded.start.copy()
        pose[root] += choice
        poses.append(pose)
    return poses


def _one_frame(clip: MarkerFrames, frame: int, positions_m: NDArray[np.float64]) -> MarkerFrames:
    """A clip of one frame with every marker seen and no coordinate tasks."""
    return replace(
        clip.frames([frame]),
        positions_m=np.ascontiguousarray(positions_m[None]),
        task_q=np.zeros(0, dtype=np.int64),
        task_weight=np.zeros(0),
        task_target=np.zeros((1, 0)),
    )


def align_points(
    source_m: NDArray[np.float64], target_m: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rotation (3, 3) and shift (3,) with target = rotation @ source + shift in the least-squares sense.

    Kabsch (1976), A solution for the best rotation to relate two sets of vectors, Acta Cryst. A32, with the
    determinant's sign kept positive: a mirrored figure is never accepted.
    """
    share = (weights / weights.sum())[:, None]
    source_mean, target_mean = (share * source_m).sum(axis=0), (share * target_m).sum(axis=0)
    left, _, right = np.linalg.svd((source_m - source_mean).T @ (share * (target_m - target_mean)))
    sign = np.sign(np.linalg.det(right.T @ left.T))
    rotation = right.T @ np.diag([1.0, 1.0, sign]) @ left.T
    return rotation, target_mean - rotation @ source_mean
