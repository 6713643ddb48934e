"""The first pose of a clip: from nothing but the markers of one frame.

The neutral figure is laid on the markers as a rigid body (Kabsch 1976), the root's coordinates are solved for that
placement, and then the whole pose is solved with a prior that fades: strong enough at first to keep the figure whole,
weak at last. It takes any facing, lying down or upside down, and needs no guess.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.kinematics.tracks import Prior, Tracker

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.kinematics.clip import Clip
    from movi_prep.kinematics.plan import Problem

# Strengths of the fading prior, in units of `ConvergedSettings.prior_strength`; the last stage is the clip's own prior.
_FADING = (3.0, 0.3, 0.03)
_COLD_ITERATIONS = 200
# Holds every coordinate but the root's in place while the root is found (m^2/rad^2).
_HOLD = 1e4
# The figure is placed when this is left of the objective, m^2.
_PLACED = 1e-12


def find_start(tracker: Tracker, frame: int, unit_prior: Prior, prior: Prior) -> NDArray[np.float64]:
    """Return (x,) unknowns for one frame, found without any other frame.

    Args:
        tracker: engine, problem and clip.
        frame: which frame.
        unit_prior: the prior at strength 1, for the fading.
        prior: the prior that the clip is solved with.
    """
    pose = _place_figure(tracker, frame)
    for strength in _FADING:
        solved = tracker.solve_one(
            frame, pose, unit_prior.scaled(strength), limit=_COLD_ITERATIONS, newton=False, tolerance=1e-4
        )
        pose = solved.unknowns[0]
    solved = tracker.solve_one(frame, pose, prior, limit=_COLD_ITERATIONS, newton=True, tolerance=1e-6)
    return np.asarray(solved.unknowns[0])


def root_unknowns(problem: Problem) -> NDArray[np.int64]:
    """Return the unknowns that move a node attached to ground, in the order of its axes."""
    motion = problem.plan.motion
    found: list[int] = []
    for node in np.flatnonzero(motion.parent < 0):
        for axis in range(motion.first_axis[node], motion.first_axis[node + 1]):
            unknown = int(problem.plan.pattern.q_unknown[motion.axis_q[axis]])
            if unknown not in found:
                found.append(unknown)
    return np.array(found, dtype=np.int64)


def _place_figure(tracker: Tracker, frame: int) -> NDArray[np.float64]:
    """Return the neutral pose with the root where the figure lies best on the markers of a frame."""
    problem, clip = tracker.problem, tracker.clip
    figure = _figure(problem)
    observed = clip.positions_m[frame]
    seen = ~np.isnan(observed).any(axis=1)
    rotation, shift = align_points(figure[seen], observed[seen], clip.weights[seen])
    placed = Tracker.prepare(tracker.engine, problem, _one_frame(clip, figure @ rotation.T + shift))
    root = root_unknowns(problem)
    hold = np.full(problem.plan.n_unknowns, _HOLD)
    hold[root] = 0.0
    best, least = problem.start, np.inf
    for turns in _first_turns(problem, root):
        begin = problem.start.copy()
        begin[root] += turns
        solved = placed.solve_one(
            0, begin, Prior(problem.start, hold), limit=_COLD_ITERATIONS, newton=False, tolerance=1e-8
        )
        if solved.values[0] < least:
            best, least = solved.unknowns[0], float(solved.values[0])
        if least < _PLACED:
            break
    return best


def _first_turns(problem: Problem, root: NDArray[np.int64]) -> list[NDArray[np.float64]]:
    """Quarter turns of the root's rotations to begin from: Gauss-Newton finds the rest."""
    is_rotation = problem.tree.coordinate_is_rotation[problem.unknowns[root]]
    quarter = (0.0, np.pi / 2, np.pi, -np.pi / 2)
    choices = [quarter if rotates else (0.0,) for rotates in is_rotation]
    return sorted((np.array(turns) for turns in product(*choices)), key=lambda turns: float(np.abs(turns).sum()))


def _figure(problem: Problem) -> NDArray[np.float64]:
    """(m, 3) markers of the neutral pose, in the plan's order."""
    tree = problem.tree
    coordinates = tree.coordinate_default.copy()
    coordinates[problem.unknowns] = problem.start
    positions = tree.marker_positions(tree.complete_coordinates(coordinates))
    return np.ascontiguousarray(positions[problem.markers])


def _one_frame(clip: Clip, positions_m: NDArray[np.float64]) -> Clip:
    """A clip of one frame with every marker seen and no coordinate tasks."""
    nothing = np.zeros(0)
    return replace(
        clip.frames([0]),
        positions_m=np.ascontiguousarray(positions_m[None]),
        task_q=np.zeros(0, dtype=np.int64),
        task_weight=nothing,
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
