"""The bodies of motions, SMPL, SMPL+H and SMPL-X, and how their joints and vertices correspond.

| body | joints | vertices | joints 0 to 21 | after them |
|---|---|---|---|---|
| SMPL | 24 | 6890 | the body | 22, 23 hands (at the root of the middle finger) |
| SMPL+H | 52 | 6890, those of SMPL | the body | 22 to 36 left hand, 37 to 51 right hand |
| SMPL-X | 55 | 10475, others | the body | 22 jaw, 23, 24 eyes, 25 to 39 left hand, 40 to 54 right hand |

Joints 0 to 21 are the same in all three, and so is the order of joints within a hand. Shape coefficients of one body
mean nothing to another. Source: joint_names.py of the package smplx.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from movi_prep.errors import InputError

BodyName = Literal["SMPL", "SMPL+H", "SMPL-X"]

N_BODY_JOINTS = 22
"""Joints that all bodies have in common: all but jaw, eyes, hands and fingers."""

N_HAND_JOINTS = 15
"""Joints of one hand with fingers."""


@dataclass(frozen=True)
class BodyLayout:
    """The properties that distinguish one body model from the others.

    Attributes:
        name: its name.
        n_joints: joints, the root among them.
        n_vertices: vertices of its mesh.
        first_finger_joint: number of the left hand's first joint; None for a body without fingers.
        surface_model_type: what AMASS's new release calls it.
    """

    name: BodyName
    n_joints: int
    n_vertices: int
    first_finger_joint: int | None
    surface_model_type: str

    @property
    def n_pose_features(self) -> int:
        """Entries of the rotation matrices of all joints but the root: the factors of the pose directions."""
        return pose_features(self.n_joints)

    def joint_of_smplh(self, joint: int) -> int | None:
        """Return the number that a joint of SMPL+H has here; None where this body has no such joint."""
        if joint < N_BODY_JOINTS:
            return joint
        # Within a hand the order is the same: only the number of the first joint differs.
        return None if self.first_finger_joint is None else joint - N_BODY_JOINTS + self.first_finger_joint


SMPL = BodyLayout("SMPL", 24, 6890, None, "smpl")
SMPLH = BodyLayout("SMPL+H", 52, 6890, N_BODY_JOINTS, "smplh")
SMPLX = BodyLayout("SMPL-X", 55, 10475, 25, "smplx")

LAYOUTS: dict[BodyName, BodyLayout] = {layout.name: layout for layout in (SMPL, SMPLH, SMPLX)}

LAYOUT_OF_JOINTS: dict[int, BodyLayout] = {layout.n_joints: layout for layout in LAYOUTS.values()}
"""Number of joints -> body."""


def layout_of(n_joints: int, *, where: str) -> BodyLayout:
    """Return the body of a number of joints; raise InputError where no body has so many."""
    if n_joints not in LAYOUT_OF_JOINTS:
        raise InputError(
            where,
            expected="a body of " + ", ".join(f"{layout.n_joints} joints ({name})" for name, layout in LAYOUTS.items()),
            got=f"{n_joints} joints",
            remedy="check that this is the file it should be",
        )
    return LAYOUT_OF_JOINTS[n_joints]


def pose_features(n_joints: int) -> int:
    """Return how many entries the rotation matrices of all joints but the root have."""
    return 9 * (n_joints - 1)
