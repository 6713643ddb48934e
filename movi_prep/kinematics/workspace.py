"""What the kernels take besides the model: rules, coordinate tasks, and the memory of one track."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.kinematics.folded_model import FoldedArrays


class Rules(NamedTuple):
    """How a track iterates; see `movi_prep.config.ik_solver` for units and meaning."""

    step_tolerance: float
    iteration_limit: int
    newton: bool
    first_damping: float
    meeting_tolerance: float
    pull_noise: float
    first_share: float


class Pose(NamedTuple):
    """Moving coordinates and axes with their derivatives by their unknown, node poses, twists and second twists.

    `sine` and `cosine` are those of the amounts by which axes move, whether they turn or not. `base` is the rotation
    (row by row) from which the free root's angles count.
    """

    base: NDArray[np.float64]

    q: NDArray[np.float64]
    rate: NDArray[np.float64]
    curve: NDArray[np.float64]
    amount: NDArray[np.float64]
    axis_rate: NDArray[np.float64]
    axis_curve: NDArray[np.float64]
    sine: NDArray[np.float64]
    cosine: NDArray[np.float64]
    rotation: NDArray[np.float64]
    position: NDArray[np.float64]
    twist: NDArray[np.float64]
    bend: NDArray[np.float64]


class Scene(NamedTuple):
    """One frame's markers about their centroid, prior and task targets."""

    observed: NDArray[np.float64]
    weight: NDArray[np.float64]
    centroid: NDArray[np.float64]
    centre: NDArray[np.float64]
    stiffness: NDArray[np.float64]
    task_target: NDArray[np.float64]


class Model(NamedTuple):
    """Gradient and matrices; the leading axis of length 2 holds the accepted and the tried point."""

    gradient: NDArray[np.float64]
    gauss_newton: NDArray[np.float64]
    second_order: NDArray[np.float64]


class System(NamedTuple):
    """The linear system of a step: factor, right-hand side, step, and on which side an unknown is bound."""

    factor: NDArray[np.float64]
    solved: NDArray[np.float64]
    step: NDArray[np.float64]
    multiplier: NDArray[np.float64]
    side: NDArray[np.int8]


class Workspace(NamedTuple):
    """Memory of one track."""

    x: NDArray[np.float64]
    no_pull: NDArray[np.float64]
    moments: NDArray[np.float64]
    pose: Pose
    scene: Scene
    model: Model
    system: System


class Tasks(NamedTuple):
    """Coordinate tasks: which moving coordinate, how strongly, and where to in each frame."""

    q: NDArray[np.int64]
    weight: NDArray[np.float64]
    target: NDArray[np.float64]


def allocate_workspace(arrays: FoldedArrays, n_tasks: int) -> Workspace:
    """Return the memory that one track needs."""
    x, q, nodes = arrays.n_unknowns, len(arrays.pattern.q_unknown), len(arrays.motion.parent)
    mobilities, markers = len(arrays.pattern.unknown), len(arrays.markers.position)
    twists, sums = np.zeros((mobilities, 6)), len(arrays.pattern.sum_rows)
    coordinates, n_axes = (np.zeros(q), np.zeros(q), np.zeros(q)), len(arrays.motion.axis_q)
    axes = (np.zeros(n_axes), np.zeros(n_axes), np.zeros(n_axes), np.zeros(n_axes), np.zeros(n_axes))
    places = (np.zeros((nodes, 9)), np.zeros((nodes, 3)))
    scene = (np.zeros((markers, 3)), np.zeros(markers), np.zeros(3), np.zeros(x), np.zeros(x))
    system = (np.zeros(x * x), np.zeros(x), np.zeros(x), np.zeros(x), np.zeros(x, dtype=np.int8))
    # Every matrix of Model has two rows: the accepted point and the tried one swap places by index, so that accepting a
    # step copies nothing. So has x, and a third one for points without a matrix.
    return Workspace(
        x=np.zeros((3, x)),
        no_pull=np.zeros(x),
        # 1 + 3 + 6 + 3 + 9: m, h, A (symmetric), F and Q of the module's equations.
        moments=np.zeros((nodes, 22)),
        # The twists of `bend` have no rows for sums: second twists are needed on the diagonal only.
        pose=Pose(np.eye(3).ravel(), *coordinates, *axes, *places, np.zeros((mobilities + sums, 6)), twists),
        scene=Scene(*scene, np.zeros(n_tasks)),
        model=Model(np.zeros((2, x)), np.zeros((2, x * x)), np.zeros((2, x * x))),
        system=System(*system),
    )
