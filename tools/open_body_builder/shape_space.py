"""Mean shape, shape directions and joint regressor of one sex, from a sample of MakeHuman's phenotypes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls
from scipy.spatial import KDTree

from tools.open_body_builder.makehuman import Phenotype
from tools.open_body_builder.skeleton import JOINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Shaper = Callable[[Phenotype], tuple[NDArray[np.float64], NDArray[np.float64]]]

N_SHAPE_DIRECTIONS = 16
_N_PEOPLE = 300
# The joint regressor looks at this many vertices around a joint, and at this many people.
_TRUNK_VERTICES, _LIMB_VERTICES, _HAND_VERTICES, _REGRESSED_PEOPLE = 700, 200, 48, 80
_TRUNK_JOINTS = (0, 3, 6, 9, 12)
_N_BODY_JOINTS = 22
# Weight of the condition that a row of the joint regressor sums to one.
_SUM_WEIGHT = 10.0
# MakeHuman's women are slighter than real ones: the mean of the weight slider by femininity 0, 1.
_MEAN_WEIGHT = (0.38, 0.62)
# Its sexes lie further apart than those of a mixed crowd of volunteers.
_FEMININITY = {"male": 0.12, "female": 1.0}


@dataclass(frozen=True)
class ShapeSpace:
    """The shapes of one sex, metres.

    Attributes:
        mean_m: (n, 3) float64.
        directions_m: (n, 3, 16) float64, one standard deviation each, the most variance first.
        joint_regressor: (52, n) float64, not negative, rows sum to one.
        joint_error_m: (52,) float64, root mean square miss of the regressor over the sample.
    """

    mean_m: NDArray[np.float64]
    directions_m: NDArray[np.float64]
    joint_regressor: NDArray[np.float64]
    joint_error_m: NDArray[np.float64]


def sample_shape_space(shape_person: Shaper, sex: str, rng: np.random.Generator) -> ShapeSpace:
    """Return the shape space of `sex`.

    Args:
        shape_person: phenotype -> vertices (n, 3) and joints (52, 3) in the T-pose, metres.
        sex: `male`, `female` or `neutral`.
        rng: draws the people.
    """
    people = [shape_person(_draw_phenotype(sex, rng)) for _ in range(_N_PEOPLE)]
    skins_m = np.stack([skin_m for skin_m, _ in people])  # (n_people, n, 3)
    joints_m = np.stack([person_joints_m for _, person_joints_m in people])  # (n_people, 52, 3)
    mean_m = skins_m.mean(axis=0)
    regressor = _regress_joints(skins_m, joints_m)
    miss_m = np.einsum("jn,pni->pji", regressor, skins_m, optimize=True) - joints_m
    return ShapeSpace(
        mean_m=mean_m,
        directions_m=_principal_directions(skins_m - mean_m, mean_m),
        joint_regressor=regressor,
        joint_error_m=np.sqrt((miss_m**2).sum(axis=2).mean(axis=0)),
    )


def _draw_phenotype(sex: str, rng: np.random.Generator) -> Phenotype:
    def slider(mean: float, deviation: float) -> float:
        return float(np.clip(rng.normal(mean, deviation), 0, 1))

    femininity = _FEMININITY.get(sex, float(rng.uniform()))
    african, asian, caucasian = (float(share) for share in rng.dirichlet([1, 1, 1]))
    return Phenotype(
        femininity=femininity,
        age=float(rng.uniform(0, 0.8)),
        origin=(african, asian, caucasian),
        muscle=slider(0.5, 0.25),
        weight=slider(float(np.interp(femininity, [0, 1], _MEAN_WEIGHT)), 0.32),
        height=slider(0.5, 0.06),
        proportions=slider(0.5, 0.2),
        cup=slider(0.5, 0.18),
        firmness=slider(0.5, 0.18),
    )


def _principal_directions(centred_m: NDArray[np.float64], mean_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 3, 16) principal directions; along each, the person grows taller."""
    flat = centred_m.reshape(len(centred_m), -1)
    variances, mixtures = np.linalg.eigh(flat @ flat.T)  # few people, many vertices: the small side is decomposed
    order = np.argsort(variances)[::-1][:N_SHAPE_DIRECTIONS]
    directions = (mixtures[:, order].T @ flat) / np.sqrt(len(flat) - 1)
    directions = directions.reshape(N_SHAPE_DIRECTIONS, *mean_m.shape)
    # Eigenvectors have no sign of their own: this one does not depend on the library that found them.
    signs = [1.0 if _stature_m(mean_m + step) >= _stature_m(mean_m - step) else -1.0 for step in directions]
    return np.asarray(np.einsum("k,kni->nik", signs, directions))


def _stature_m(vertices_m: NDArray[np.float64]) -> float:
    return float(np.ptp(vertices_m[:, 1]))


def _regress_joints(skins_m: NDArray[np.float64], joints_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (52, n) weights, each row from non-negative least squares over the vertices near the joint."""
    mean_m, mean_joints_m = skins_m.mean(axis=0), joints_m.mean(axis=0)
    tree = KDTree(mean_m)
    regressor = np.zeros((len(JOINTS), len(mean_m)))
    for joint, row in enumerate(regressor):
        n_hand_or_limb = _LIMB_VERTICES if joint < _N_BODY_JOINTS else _HAND_VERTICES
        near = tree.query(mean_joints_m[joint], _TRUNK_VERTICES if joint in _TRUNK_JOINTS else n_hand_or_limb)[1]
        # Relative to the joint: with weights that sum to one, their weighted sum must vanish in every person.
        offsets_m = skins_m[:_REGRESSED_PEOPLE, near] - joints_m[:_REGRESSED_PEOPLE, None, joint]
        equations = offsets_m.transpose(0, 2, 1).reshape(-1, len(near))
        weights, _ = nnls(
            np.vstack([equations, np.full(len(near), _SUM_WEIGHT)]),
            np.append(np.zeros(len(equations)), _SUM_WEIGHT),
        )
        # The condition above holds nearly; the division makes it exact.
        row[near] = weights / weights.sum()
    return regressor
