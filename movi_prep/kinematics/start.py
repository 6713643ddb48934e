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

from movi_prep.kinematics.tracks import Prior, Start, Tracker, is_root

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.kinematics.clip import Clip
    from movi_prep.kinematics.plan import Problem

# Strengths of the fading prior, in units of `ConvergedSettings.prior_strength`; the last stage is the clip's own prior.
_FADING = (3.0, 0.3, 0.03)
# Holds every coordinate but the root's in place while the root is found (m^2/rad^2).
_HOLD = 1e4
# The figure is placed when this is left of the objective, m^2.
_PLACED = 1e-12


def find_start(tracker: Tracker, frame: int, unit_prior: Prior, prior: Prior) -> Start:
    """Return the pose of one frame, found without any other frame.

    Args:
        tracker: engine, problem and clip.
        frame: which frame.
        unit_prior: the prior at strength 1, for the fading.
        prior: the prior that the clip is solved with.
    """
    pose = _place_figure(tracker, frame)
    for strength in _FADING:
        faded = unit_prior.scaled(strength)
        pose = tracker.solve_one(frame, pose, faded, newton=False, tolerance=1e-4).start(0)
    return tracker.solve_one(frame, pose, prior, newton=True, tolerance=1e-6).start(0)


def _place_figure(tracker: Tracker, frame: int) -> Start:
    """Return the neutral pose with the root where the figure lies best on the markers of a frame."""
    problem, clip = tracker.problem, tracker.clip
    figure = _figure(problem)
    observed = clip.positions_m[frame]
    seen = ~np.isnan(observed).any(axis=1)
    rotation, shift = align_points(figure[seen], observed[seen], clip.weights[seen])
    placed = Tracker.prepare(tracker.engine, problem, _one_frame(clip, figure @ rotation.T + shift))
    hold = Prior(problem.start, np.where(is_root(problem), 0.0, _HOLD))
    best, least = Start(problem.start, np.eye(3).ravel()), np.inf
    for begin in _first_guesses(problem, rotation):
        solved = placed.solve_one(0, begin, hold, newton=False, tolerance=1e-8)
        if solved.values[0] < least:
            best, least = solved.start(0), float(solved.values[0])
        if least < _PLACED:
            break
    return best


def _first_guesses(problem: Problem, rotation: NDArray[np.float64]) -> list[Start]:
    """Where to begin the root from: a free one turned at once, another by quarter turns of its angles."""
    motion = problem.plan.motion
    original = motion.rotation[motion.free_node].copy()
    if motion.free_node >= 0:
        parent = motion.parent[motion.free_node]
        outer = motion.rotation[parent].reshape(3, 3) if parent >= 0 else np.eye(3)
        base = outer.T @ rotation @ outer @ original.reshape(3, 3)
        return [Start(problem.start, base.ravel())]
    root = np.flatnonzero(is_root(problem))
    turns = problem.tree.coordinate_is_rotation[problem.unknowns[root]]
    quarter = (0.0, np.pi / 2, np.pi, -np.pi / 2)
    guesses = []
    for choice in sorted(product(*(quarter if turn else (0.0,) for turn in turns)), key=np.count_nonzero):
        unknowns = problem.start.copy()
        unknowns[root] += choice
        guesses.append(Start(unknowns, original))
    return guesses


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
