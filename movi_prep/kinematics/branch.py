"""Angles that a person expects: one of the many coordinate values that mean the same pose.

Three rotations about orthogonal axes reach every orientation twice: (a, b, c) and (a + pi, pi - b, c + pi); and each
angle repeats every 2 pi. The root's angles start with |b| <= 90 degrees and a, c in (-180, 180], and then stay next to
the frame before, so that no angle jumps; other unbounded angles are moved by whole turns next to their default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.kinematics.plan import ALONG, LINE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.kinematics.plan import Problem

_TURN = 2.0 * np.pi


def choose_branches(problem: Problem, unknowns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the same poses with the angles a person expects.

    Args:
        problem: the folded problem.
        unknowns: (n, x) float64, rad and m, every frame solved, in order of time.
    """
    chosen = unknowns.copy()
    slopes = _angle_slopes(problem)
    for triple in _root_triples(problem, slopes):
        signs = slopes[list(triple)]
        chosen[:, triple] = continue_triple(unknowns[:, triple] * signs) * signs
    root = {index for triple in _root_triples(problem, slopes) for index in triple}
    for index in np.flatnonzero(slopes):
        if index not in root:
            chosen[:, index] = _near_default(chosen[:, index], float(problem.start[index]))
    return chosen


def continue_triple(angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 3) angles about three orthogonal axes on the canonical branch, continuous in time."""
    start = angles_rad[:1]
    wrapped_middle = _wrap(start[:, 1])
    angles = alias(angles_rad) if abs(float(wrapped_middle[0])) > np.pi / 2 else angles_rad
    other = alias(angles)
    stay = np.abs(_wrap(np.diff(angles, axis=0))).sum(axis=1)
    change = np.abs(_wrap(other[1:] - angles[:-1])).sum(axis=1)
    # Taking the alias on both sides of a step changes nothing, so the decisions add up.
    aliased = np.concatenate([[False], np.cumsum(change < stay) % 2 == 1])
    angles = np.where(aliased[:, None], other, angles)
    unwrapped = np.unwrap(angles, axis=0)
    return np.asarray(unwrapped + (_wrap(unwrapped[:1]) - unwrapped[:1]))


def alias(angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the other (..., 3) angles that give the same rotation."""
    return np.asarray(angles_rad * np.array([1.0, -1.0, 1.0]) + np.pi)


def _wrap(angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Into (-pi, pi]."""
    return np.asarray(np.pi - np.mod(np.pi - angles_rad, _TURN))


def _near_default(angles_rad: NDArray[np.float64], default_rad: float) -> NDArray[np.float64]:
    """Whole turns taken off, the same for all frames."""
    middle = float(np.median(angles_rad))
    return np.asarray(angles_rad - _TURN * np.round((middle - default_rad) / _TURN))


def _angle_slopes(problem: Problem) -> NDArray[np.float64]:
    """(x,) +1 or -1 for unknowns that are themselves an unbounded angle about one axis, else 0."""
    motion, functions = problem.plan.motion, problem.plan.functions
    slopes = np.zeros(problem.plan.n_unknowns)
    uses = np.bincount(motion.axis_q, minlength=len(problem.moving))
    leads = set(motion.leader.tolist())
    for axis, q in enumerate(motion.axis_q):
        which = motion.axis_function[axis]
        slope = functions.coefficients[functions.first_piece[which], 1]
        is_angle = motion.axis_kind[axis] != ALONG and functions.kind[which] == LINE and abs(slope) == 1.0
        if is_angle and q < len(slopes) and uses[q] == 1 and int(q) not in leads:
            unbounded = np.isinf(problem.plan.lower[q]) and np.isinf(problem.plan.upper[q])
            slopes[q] = slope if unbounded else 0.0
    return slopes


def _root_triples(problem: Problem, slopes: NDArray[np.float64]) -> list[list[int]]:
    """Unknowns of nodes on ground that turn about three orthogonal axes."""
    motion, functions = problem.plan.motion, problem.plan.functions
    found = []
    for node in np.flatnonzero(motion.parent < 0):
        axes = [
            axis
            for axis in range(motion.first_axis[node], motion.first_axis[node + 1])
            if motion.axis_kind[axis] != ALONG
        ]
        directions = motion.axis_direction[axes]
        offsets = [functions.coefficients[functions.first_piece[motion.axis_function[axis]], 0] for axis in axes]
        triple = [int(motion.axis_q[axis]) for axis in axes]
        if len(axes) != 3 or any(offsets) or max(triple) >= len(slopes) or not np.all(slopes[triple]):
            continue
        if np.allclose(directions @ directions.T, np.eye(3), atol=1e-12):
            found.append(triple)
    return found
