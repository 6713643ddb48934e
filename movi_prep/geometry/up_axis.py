"""The up axis of a motion's world: found from the trunks of the people in it, or given.

People stand, walk and sit with their trunk upright for most of a clip. The mean direction of the pelvis' own up axis
(the root's second axis; bodies rest with y up) is compared with the six axes of the world.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import numpy as np

from movi_prep.errors import InputError
from movi_prep.geometry.rotations import matrices_from_axis_angles
from movi_prep.records.motion import UpAxis

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UPRIGHT = 0.8
"""Least cosine (37 degrees) between the mean direction of the trunk and the axis that is up."""


def find_up(root_rad: NDArray[np.float64], *, where: str) -> tuple[UpAxis, float]:
    """Return the axis that is up, and the cosine between it and the mean direction of the trunk.

    Args:
        root_rad: (n, 3) axis-angle of the root joint.
        where: the file, for the message.

    Raises:
        InputError: the trunk points along no axis: people lie, or the world is tilted, as a camera's is.
    """
    mean = matrices_from_axis_angles(root_rad)[:, :, 1].mean(axis=0)
    direction = mean / np.linalg.norm(mean)
    axis = int(np.abs(direction).argmax())
    name: UpAxis = get_args(UpAxis)[axis + (3 if direction[axis] < 0 else 0)]
    cosine = float(abs(direction[axis]))
    if cosine < _UPRIGHT:
        raise InputError(
            where,
            expected="a motion whose trunk is upright along an axis of its world, to find which way is up",
            got=f"one along ({', '.join(f'{part:.2f}' for part in direction)})",
            remedy="say it: --set markers.motion_up=y (or x, z, -x, -y, -z); a camera that is tilted has no such axis",
        )
    return name, cosine


def turn_up_to_z(up: UpAxis) -> NDArray[np.float64]:
    """Return the (3, 3) rotation of a world into one with z up; it turns about a horizontal axis."""
    target = np.eye(3)["xyz".index(up[-1])] * (-1.0 if up.startswith("-") else 1.0)
    z = np.array([0.0, 0.0, 1.0])
    if up in ("z", "-z"):
        return np.diag([1.0, 1.0, 1.0]) if up == "z" else np.diag([1.0, -1.0, -1.0])
    axis = np.cross(target, z)
    (turn,) = matrices_from_axis_angles(0.5 * np.pi * axis[None])
    # A quarter turn about an axis of the world is whole numbers.
    return np.asarray(turn.round())
