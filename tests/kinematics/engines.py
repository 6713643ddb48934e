"""The same question to both engines: the compiled kernels and the NumPy oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.config.ik_solver import ConvergedSettings
from movi_prep.kinematics import kernels, oracle
from movi_prep.kinematics.clip import Clip
from movi_prep.kinematics.plan import Problem, plan_problem
from tests.builders.kinematic_tree import random_tree, smooth_motion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree

TASK_WEIGHT = 0.3
ENGINES = (kernels, oracle)


def problem_of(tree: KinematicTree) -> Problem:
    """Return the problem in which every marker is tracked."""
    return plan_problem(tree, tuple(range(len(tree.marker_names))))


def random_problem(seed: int) -> Problem:
    """Return the problem of a random tree."""
    return problem_of(random_tree(seed))


def random_point(problem: Problem, seed: int) -> NDArray[np.float64]:
    """Return (x,) unknowns inside the bounds."""
    rng = np.random.default_rng(seed)
    return np.clip(problem.start + rng.normal(0, 0.4, problem.plan.n_unknowns), problem.plan.lower, problem.plan.upper)


def marker_clip(problem: Problem, positions_m: NDArray[np.float64], seed: int = 0) -> Clip:
    """Return (n, m, 3) positions in the plan's order as a clip: uneven weights, a task on the last coordinate."""
    n_frames, last = len(positions_m), len(problem.moving) - 1
    return Clip(
        positions_m=np.ascontiguousarray(positions_m),
        weights=np.random.default_rng(seed).uniform(0.5, 2.0, len(problem.markers)),
        solvable=np.ones(n_frames, dtype=bool),
        statuses=np.zeros(n_frames, dtype=np.int8),
        reasons=("",) * n_frames,
        task_q=np.array([last]),
        task_weight=np.array([TASK_WEIGHT]),
        task_target=np.full((n_frames, 1), 0.1),
        unseen_targets={},
    )


def moving_clip(problem: Problem, seed: int, n_frames: int = 8, noise_m: float = 0.01) -> Clip:
    """Return a clip of a smooth motion with white marker noise."""
    coordinates = smooth_motion(problem.tree, seed, n_frames)
    exact = problem.tree.marker_positions(coordinates)[:, problem.markers]
    return marker_clip(problem, exact + np.random.default_rng(seed).normal(0, noise_m, exact.shape), seed)


class Posed:
    """A frame loaded into both engines, so that they can be evaluated at any point."""

    def __init__(self, problem: Problem, clip: Clip, seed: int = 0) -> None:
        """Load the first frame, with a random prior."""
        self.problem, self.clip = problem, clip
        stiffness = np.random.default_rng(seed).uniform(0, 0.1, problem.plan.n_unknowns)
        self.work: dict[str, Any] = {}
        self.tasks: dict[str, Any] = {}
        for engine in ENGINES:
            work = engine.allocate_workspace(problem.plan, 1)
            tasks = engine.Tasks(clip.task_q, clip.task_weight, clip.task_target)
            engine.load_frame(work.scene, tasks, clip.positions_m, clip.weights, 0)
            work.scene.stiffness[:] = stiffness
            work.scene.centre[:] = 0.05
            self.work[engine.__name__], self.tasks[engine.__name__] = work, tasks

    def evaluate_kernel(self, x: NDArray[np.float64]) -> oracle.Evaluation:
        """Return what the kernel finds, with matrices unpacked to the unknowns' own order."""
        name = kernels.__name__
        work, tasks, plan = self.work[name], self.tasks[name], self.problem.plan
        work.x[0] = x
        value, markers = kernels.evaluate(plan, work, tasks, 0, True)
        return oracle.Evaluation(
            value=value,
            markers=markers,
            gradient=work.model.gradient[0].copy(),
            gauss_newton=unpack(work.model.gauss_newton[0], plan.elimination.order),
            second_order=unpack(work.model.second_order[0], plan.elimination.order),
            positions=np.zeros((0, 3)),
        )

    def evaluate_oracle(self, x: NDArray[np.float64]) -> oracle.Evaluation:
        """Return what the oracle finds."""
        name = oracle.__name__
        return oracle.evaluate(self.problem.plan, self.work[name], self.tasks[name], x)


def unpack(stored: NDArray[np.float64], order: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the symmetric matrix that is stored lower, by column, in elimination order."""
    size = len(order)
    lower = np.tril(stored.reshape(size, size).T)
    ordered = lower + np.tril(lower, -1).T
    position = np.empty(size, dtype=int)
    position[order] = np.arange(size)
    return ordered[np.ix_(position, position)]


def settings(**changes: Any) -> ConvergedSettings:
    """Return the default settings with changes."""
    return ConvergedSettings(**changes)
