"""Bounds of the unknowns: clamped ranges, and those of coupled coordinates pulled back through their couplers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree

# Where a range is not clamped, a coupled range is looked for this far on either side (rad or m).
_SEARCH = 20.0
_SEARCH_POINTS = 1001
_SLACK = 1e-9


def unknown_bounds(
    tree: KinematicTree, moving: list[int], n_unknowns: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (x,) lower and (x,) upper bounds, infinite where nothing is clamped.

    Args:
        tree: the kinematic tree.
        moving: tree coordinates, unknowns first, then followers.
        n_unknowns: how many of them are unknowns.

    Raises:
        ModelError: where the range of a coupled coordinate allows no value, or several separate intervals.
    """
    clamped = tree.coordinate_clamped[:, None]
    ranges = np.where(clamped, tree.coordinate_range, np.array([-np.inf, np.inf]))
    unknowns = np.array(moving[:n_unknowns], dtype=np.int64)
    bounds = ranges[unknowns].copy()
    for follower in moving[n_unknowns:]:
        if not tree.coordinate_clamped[follower]:
            continue
        leader = follower
        while tree.coupled_to[leader] >= 0:
            leader = int(tree.coupled_to[leader])
        place = moving.index(leader)
        bounds[place] = _pull_back(tree, follower, leader, bounds[place])
    return bounds[:, 0].copy(), bounds[:, 1].copy()


def _pull_back(tree: KinematicTree, follower: int, leader: int, bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the part of the leader's bounds in which the follower stays inside its range."""
    low, high = tree.coordinate_range[follower]

    def excess(argument: NDArray[np.float64]) -> NDArray[np.float64]:
        value = _follow(tree, follower, leader, argument)
        return np.asarray(np.maximum(low - value, value - high))

    name = tree.coordinate_names[follower]
    grid = np.linspace(max(bounds[0], -_SEARCH), min(bounds[1], _SEARCH), _SEARCH_POINTS)
    inside = excess(grid) <= _SLACK
    changes = int(np.count_nonzero(inside[1:] != inside[:-1]))
    if not inside.any() or changes > 2 or (changes == 2 and inside[0]):
        raise ModelError(
            f"coordinate {name}: expected its range [{low:.6g}, {high:.6g}] to leave one interval of "
            f"{tree.coordinate_names[leader]}, but it leaves {'none' if not inside.any() else 'several'}; "
            "widen the range, or solve this model with --solver opensim"
        )
    first, last = np.flatnonzero(inside)[[0, -1]]
    # The grid found the interval to within one step; its ends are closed in on between the last point inside and the
    # next.
    lower = bounds[0] if first == 0 else _crossing(excess, grid[first], grid[first - 1])
    upper = bounds[1] if last == len(grid) - 1 else _crossing(excess, grid[last], grid[last + 1])
    return np.array([lower, upper])


def _follow(tree: KinematicTree, follower: int, leader: int, argument: NDArray[np.float64]) -> NDArray[np.float64]:
    """Value of a coupled coordinate for values of the free coordinate at the head of its chain."""
    if follower == leader:
        return argument
    inner = _follow(tree, int(tree.coupled_to[follower]), leader, argument)
    return tree.evaluate_function(int(tree.coupling_function[follower]), inner)


def _crossing(excess: Callable[[NDArray[np.float64]], NDArray[np.float64]], inside: float, outside: float) -> float:
    """Close in on the last argument that is still inside, a hundredfold at a time."""
    for _ in range(8):
        grid = np.linspace(inside, outside, 101)
        last = int(np.flatnonzero(excess(grid) <= _SLACK)[-1])
        inside, outside = float(grid[last]), float(grid[min(last + 1, 100)])
    return inside
