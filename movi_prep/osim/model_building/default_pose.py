"""The default pose of the packaged model: places of its bodies, and places in a body's own axes.

The tables give places in ground, because that is where people can check them. OpenSim wants them in body axes; the
orientation of a body in the default pose follows from the default values of the coordinates above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from movi_prep.osim.model_building.part_tables import CoordinateRow, JointRow, ModelTables, Vector

# Places are rounded to a micrometre, so that the printed model does not depend on the last bits of a processor.
DECIMALS_M = 6
GROUND = "ground"


@dataclass(frozen=True)
class DefaultPose:
    """Rotation (body axes to ground) and origin (m, ground) of each body in the default pose."""

    rotations: Mapping[str, Rotation]
    origins_m: Mapping[str, Vector]

    def place_in_body(self, body: str, place_m: Vector) -> Vector:
        """Return a place in ground (m) as seen in the axes of `body` (m)."""
        offset_m = np.subtract(place_m, self.origins_m[body])
        x, y, z = np.round(self.rotations[body].inv().apply(offset_m), DECIMALS_M) + 0.0
        return float(x), float(y), float(z)


def solve_default_pose(tables: ModelTables) -> DefaultPose:
    """Return the default pose: each body's origin is its joint's centre, its rotation that of the chain above."""
    rotations = {GROUND: Rotation.identity()}
    origins_m: dict[str, Vector] = {GROUND: (0.0, 0.0, 0.0)}
    # Tables list parents before children.
    for joint in tables.joints:
        turn = joint_rotation(joint, tables.coordinates_of(joint.name))
        rotations[joint.child] = rotations[joint.parent] * turn
        origins_m[joint.child] = joint.centre_m
    return DefaultPose(rotations=rotations, origins_m=origins_m)


def joint_place(joint: JointRow, coordinates: tuple[CoordinateRow, ...], pose: DefaultPose) -> Vector:
    """Return where the joint's frame is in its parent body (m): its centre less what its coordinates move it by."""
    # The centre is given in the default pose, in which translations are not zero (the height of the pelvis).
    moved_m = sum(
        (np.multiply(row.axis, row.default) for row in coordinates if row.slot.startswith("translation")),
        start=np.zeros(3),
    )
    x, y, z = np.subtract(joint.centre_m, moved_m)
    return pose.place_in_body(joint.parent, (x, y, z))


def joint_rotation(joint: JointRow, coordinates: tuple[CoordinateRow, ...]) -> Rotation:
    """Return the rotation from the child's axes to the parent's at the default values, in the order of the slots."""
    turn = Rotation.from_euler("XYZ", joint.rotation_rad)
    for coordinate in coordinates:
        if coordinate.slot.startswith("rotation"):
            turn = turn * Rotation.from_rotvec(np.multiply(coordinate.axis, coordinate.default))
    return turn
