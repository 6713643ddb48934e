"""The same question to both engines: the compiled kernels and the NumPy oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.config.ik_solver import ConvergedSettings
from movi_prep.kinematics import kernels
from movi_prep.kinematics.folded_model import FoldedModel, fold_model
from movi_prep.kinematics.marker_frames import MarkerFrames
from tests.builders.kinematic_tree import random_tree, smooth_motion
from tests.kinematics import oracle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree

TASK_WEIGHT = 0.3
ENGINES = (kernels, oracle)


def problem_of(tree: KinematicTree) -> FoldedModel:
    """Return the model in which every marker is tracked."""
    return fold_model(tree, tuple(range(len(tree.marker_names))))


def random_problem(seed: int) -> FoldedModel:
    """Return a random tree, folded."""
    return problem_of(random_tree(seed))


def random_point(folded: FoldedModel, seed: int) -> NDArray[np.float64]:
    """Return (x,) unknowns inside the bounds."""
    rng = np.random.default_rng(seed)
    return np.clip(
        folded.start + rng.normal(0, 0.4, folded.arrays.n_unknowns), folded.arrays.lower, folded.arrays.upper
    )


def marker_clip(folded: FoldedModel, positions_m: NDArray[np.float64], seed: int = 0) -> MarkerFrames:
    """Return (n, m, 3) positions in the solver's order as a clip: uneven weights, a task on the last coordinate."""
    n_frames, last = len(positions_m), len(folded.moving) - 1
    return MarkerFrames(
        positions_m=np.ascontiguousarray(positions_m),
        weights=np.random.default_rng(seed).uniform(0.5, 2.0, len(folded.markers)),
        solvable=np.ones(n_frames, dtype=bool),
        statuses=np.zeros(n_frames, dtype=np.int8),
        reasons=("",) * n_frames,
        task_q=np.array([last]),
        task_weight=np.array([TASK_WEIGHT]),
        task_target=np.full((n_frames, 1), 0.1),
        unseen_targets={},
    )


def moving_clip(folded: FoldedModel, seed: int, n_frames: int = 8, noise_m: float = 0.01) -> MarkerFrames:
    """Return a clip of a smooth motion with white marker noise."""
    coordinates = smooth_motion(folded.tree, seed, n_frames)
    exact = folded.tree.marker_positions(coordinates)[:, folded.markers]
    return marker_clip(folded, exact + np.random.default_rng(seed).normal(0, noise_m, exact.shape), seed)


class Posed:
    """A frame loaded into both engines, so that they can be evaluated at any point."""

    def __init__(self, folded: FoldedModel, clip: MarkerFrames, seed: int = 0) -> None:
        """Load the first frame, with a random prior."""
        self.folded, self.clip = folded, clip
        stiffness = np.random.default_rng(seed).uniform(0, 0.1, folded.arrays.n_unknowns)
        self.work: dict[str, Any] = {}
        self.tasks: dict[str, Any] = {}
        for engine in ENGINES:
            work = engine.allocate_workspace(folded.arrays, 1)
            tasks = engine.Tasks(clip.task_q, clip.task_weight, clip.task_target)
            engine.load_frame(work.scene, tasks, clip.positions_m, clip.weights, 0)
            work.scene.stiffness[:] = stiffness
            work.scene.centre[:] = 0.05
            self.work[engine.__name__], self.tasks[engine.__name__] = work, tasks

    def evaluate_kernel(self, x: NDArray[np.float64]) -> oracle.Evaluation:
        """Return what the kernel finds, with matrices unpacked to the unknowns' own order."""
        name = kernels.__name__
        work, tasks, arrays = self.work[name], self.tasks[name], self.folded.arrays
        work.x[0] = x
        value, markers = kernels.evaluate(arrays, work, tasks, 0, True)
        return oracle.Evaluation(
            value=value,
            markers=markers,
            gradient=work.model.gradient[0].copy(),
            gauss_newton=unpack(work.model.gauss_newton[0], arrays.elimination.order),
            second_order=unpack(work.model.second_order[0], arrays.elimination.order),
            positions=np.zeros((0, 3)),
        )

    def evaluate_oracle(self, x: NDArray[np.float64]) -> oracle.Evaluation:
        """Return what the oracle finds."""
        name = oracle.__name__
        return oracle.evaluate(self.folded.arrays, self.work[name], self.tasks[name], x)


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
