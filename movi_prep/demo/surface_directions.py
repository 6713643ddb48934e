"""Pose correctives and soft-tissue directions of the open body, computed from its geometry.

*Pose correctives.* Linear blending shrinks a limb where it bends. Near joint k, let w be the weight of everything that
the joint carries, and r the offset of a vertex from the joint. The blend of R_k and the identity shortens r across the
axis of rotation by about w (1 - w) (1 - cos angle), for any axis. The corrective that restores the length is

    d = w (1 - w) (I - (R_k + R_k^T) / 2) r,

linear in the entries of R_k - I as SMPL's pose directions must be (Loper et al., SMPL, 2015, equation 9). On top of
it a few muscles swell with the sine of the angle, so that left and right, flexion and extension can be distinguished.

*Soft tissue.* Eight smooth fields, each a Gaussian around a soft part of the body that moves in one direction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_JOINTS = 52
N_POSE_FEATURES = 9 * (N_JOINTS - 1)
N_SOFT_TISSUE_DIRECTIONS = 8

# Hips, knees, ankles, shoulders, elbows, wrists, fingers: the joints whose skin visibly shrinks.
_CORRECTED_JOINTS = (1, 2, 4, 5, 7, 8, 16, 17, 18, 19, *range(20, N_JOINTS))
# A corrective never moves a vertex by more than this at a right angle.
_LARGEST_CORRECTION_M = 0.01
# Rounding that hides the last bits, in which processors differ, from the bytes written.
_DECIMALS_OF_M = 9


class _Muscle(NamedTuple):
    """A swelling between two joints: it grows with the sine of the rotation of `joint` about `axis`."""

    joint: int
    from_joint: int
    to_joint: int
    axis: tuple[float, float, float]
    towards: tuple[float, float, float]


# In the T-pose an elbow flexes about the vertical axis, a knee about the lateral one.
_MUSCLES = (
    _Muscle(joint=18, from_joint=16, to_joint=18, axis=(0, -1, 0), towards=(0, 0, 1)),
    _Muscle(joint=19, from_joint=17, to_joint=19, axis=(0, 1, 0), towards=(0, 0, 1)),
    _Muscle(joint=4, from_joint=4, to_joint=7, axis=(1, 0, 0), towards=(0, 0, -1)),
    _Muscle(joint=5, from_joint=5, to_joint=8, axis=(1, 0, 0), towards=(0, 0, -1)),
)
_SWELLING_M = 0.004
_MUSCLE_RADIUS_M = 0.06


class _SoftPart(NamedTuple):
    """A part that quivers: Gaussians around joints plus an offset (mirrored on the right), moving in one direction."""

    joints: tuple[int, ...]
    offset_m: tuple[float, float, float]
    radius_m: float
    direction: tuple[float, float, float]


_SOFT_PARTS = (
    _SoftPart((3,), (0, 0, 0.12), 0.10, (0, 0, 1)),  # belly, in and out
    _SoftPart((3,), (0, 0, 0.12), 0.10, (0, 1, 0)),  # belly, up and down
    _SoftPart((13, 14), (0.03, -0.10, 0.10), 0.07, (0, 1, 0)),  # chest, up and down
    _SoftPart((13, 14), (0.03, -0.10, 0.10), 0.07, (1, 0, 0)),  # chest, sideways
    _SoftPart((1, 2), (0.03, 0.03, -0.10), 0.09, (0, 1, 0)),  # buttocks, up and down
    _SoftPart((1, 2), (0.03, -0.15, 0.03), 0.10, (0, 0, 1)),  # thighs, forwards
    _SoftPart((4, 5), (0, -0.10, -0.05), 0.06, (0, 0, 1)),  # calves
    _SoftPart((16, 17), (0.12, -0.04, 0), 0.07, (0, 1, 0)),  # upper arms
)
_QUIVER_M = 0.004


def pose_directions(
    template_m: NDArray[np.float64],
    joints_m: NDArray[np.float64],
    weights: NDArray[np.float64],
    parents: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return (n, 3, 459) float64 metres per entry of R_k - I, k = 1..51 in order, each matrix row by row.

    Args:
        template_m: (n, 3) vertices of the T-pose.
        joints_m: (52, 3) joints of the T-pose.
        weights: (n, 52) skinning weights.
        parents: (52,) parent of each joint, -1 at the root.
    """
    directions = np.zeros((len(template_m), 3, N_JOINTS - 1, 3, 3))
    carried = _carried_weights(weights, parents)
    for joint in _CORRECTED_JOINTS:
        blend = carried[:, joint] * (1 - carried[:, joint])
        offset_m = blend[:, None] * (template_m - joints_m[joint])
        # A soft limit: small offsets stay, large ones tend to the largest.
        offset_m /= np.sqrt(1 + (offset_m**2).sum(axis=1, keepdims=True) / _LARGEST_CORRECTION_M**2)
        for i in range(3):
            # R and its transpose: the corrective is that of (R + R^T) / 2.
            directions[:, i, joint - 1, i, :] -= offset_m / 2
            directions[:, i, joint - 1, :, i] -= offset_m / 2
    for muscle in _MUSCLES:
        _add_swelling(directions[:, :, muscle.joint - 1], muscle, template_m, joints_m, weights)
    flat = directions.reshape(len(template_m), 3, N_POSE_FEATURES)
    return flat.round(_DECIMALS_OF_M) + 0.0  # the sum turns -0 into 0, which compresses better


def soft_tissue_directions(template_m: NDArray[np.float64], joints_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 3, 8) float64, metres per unit coefficient, for a T-pose as in `pose_directions`."""
    directions = np.zeros((len(template_m), 3, N_SOFT_TISSUE_DIRECTIONS))
    for column, part in enumerate(_SOFT_PARTS):
        for joint in part.joints:
            # Joints on the right side have negative x; the middle belongs to both.
            mirror = np.array([-1.0 if joints_m[joint, 0] < -0.01 else 1.0, 1.0, 1.0])
            fall_off = _gaussian(template_m, joints_m[joint] + mirror * part.offset_m, part.radius_m)
            directions[:, :, column] += _QUIVER_M * fall_off[:, None] * (mirror * part.direction)
    return directions.round(_DECIMALS_OF_M) + 0.0


def _carried_weights(weights: NDArray[np.float64], parents: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (n, 52): at each vertex the weight of a joint and of all joints below it."""
    carried = weights.copy()
    for joint in range(len(parents) - 1, 0, -1):  # children come after their parents
        carried[:, parents[joint]] += carried[:, joint]
    return carried


def _add_swelling(
    directions: NDArray[np.float64],
    muscle: _Muscle,
    template_m: NDArray[np.float64],
    joints_m: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> None:
    """Add one muscle to (n, 3, 3, 3) directions; sin(angle) axis = the axial vector of (R - R^T) / 2."""
    belly_m = (joints_m[muscle.from_joint] + joints_m[muscle.to_joint]) / 2
    size = _gaussian(template_m, belly_m, _MUSCLE_RADIUS_M) * weights[:, muscle.from_joint]
    # The belly of a muscle swells on its own side of the limb only.
    facing = np.clip((template_m - belly_m) @ np.array(muscle.towards) / 0.03, 0, 1)
    swelling_m = _SWELLING_M * (size * facing)[:, None] * np.array(muscle.towards)  # (n, 3)
    x, y, z = muscle.axis
    sine = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) / 2
    directions += swelling_m[:, :, None, None] * sine


def _gaussian(points_m: NDArray[np.float64], centre_m: NDArray[np.float64], radius_m: float) -> NDArray[np.float64]:
    return np.asarray(np.exp(-((points_m - centre_m) ** 2).sum(axis=1) / (2 * radius_m**2)))
