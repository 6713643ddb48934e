"""Forward kinematics as D3KE's network layer computes it, to check that the layer reproduces the written labels.

The layer (OpenSimTreeLayer of the released code; Bittner et al., Sensors 2023) knows label coordinates, couplers
from label coordinates along a straight line, and zero for everything else. Offsets of joint frames are scaled with
the body that carries them. With P and C the parent and child frames of a joint, and A its axes:

    T_body = T_parent P(scale of parent) R(A1) R(A2) R(A3) C(scale of body)^-1
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from movi_prep.errors import ModelError
from movi_prep.geometry.rotations import matrices_from_axis_angles
from movi_prep.records.base_model import BaseJoint, BaseModel


def layer_joint_centres(
    model: BaseModel,
    *,
    coordinate_names: Sequence[str],
    angles_rad: NDArray[np.float64],
    root_poses: NDArray[np.float64],
    scale_ratios: Mapping[str, NDArray[np.float64]],
    leaf_joints: Sequence[str],
) -> dict[str, NDArray[np.float64]]:
    """Return the centre of every joint, (n, 3) float64, metres, in the frame of `root_poses`.

    Args:
        model: the unscaled model.
        coordinate_names: (c,) label coordinates.
        angles_rad: (n, c) float64, radians.
        root_poses: (n, 4, 4) float64, moving frame of the root joint.
        scale_ratios: scale factor, (3,), of each scaled body; other bodies keep their size.
        leaf_joints: joints whose centre is computed in the parent's frame, as in the layer.

    Raises:
        ModelError: a coordinate follows one that is not a label.
    """
    values = _coordinate_values(model, dict(zip(coordinate_names, angles_rad.T, strict=True)))
    poses: dict[str, NDArray[np.float64]] = {}
    centres: dict[str, NDArray[np.float64]] = {}
    for joint in _parents_first(model):
        child = _frame(joint.child_location_m, joint.child_orientation_rad, scale_ratios.get(joint.child_body))
        if joint.parent_body == "ground":
            # The layer receives the whole pose of the root; the root's coordinates are not labels.
            moving = parent = root_poses
        else:
            offset = _frame(joint.parent_location_m, joint.parent_orientation_rad, scale_ratios.get(joint.parent_body))
            parent = poses[joint.parent_body] @ offset
            moving = parent @ _rotation(joint, values, n=len(root_poses))
        poses[joint.child_body] = moving @ np.linalg.inv(child)
        centres[joint.name] = (parent if joint.name in leaf_joints else moving)[:, :3, 3]
    return centres


def _parents_first(model: BaseModel) -> list[BaseJoint]:
    placed, ordered, waiting = {"ground"}, [], list(model.joints)
    while waiting:
        ready = [joint for joint in waiting if joint.parent_body in placed]
        if not ready:
            raise ModelError(f"joint {waiting[0].name!r}: expected a tree, but no joint carries its parent")
        ordered += ready
        placed |= {joint.child_body for joint in ready}
        waiting = [joint for joint in waiting if joint not in ready]
    return ordered


def _coordinate_values(model: BaseModel, labels: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    values = dict(labels)
    for coupler in model.couplers:
        # The network predicts a coupled coordinate itself if it is a label.
        if not coupler.enforced or coupler.dependent in labels:
            continue
        if coupler.independent not in labels:
            raise ModelError(
                f"coupler {coupler.name!r}: expected to follow a label coordinate, but follows "
                f"{coupler.independent!r}; D3KE's layer cannot express this, write native shards instead"
            )
        # The layer knows a coupler by two points, and extends the line through them.
        (x1, y1), (x2, y2) = coupler.first_point, coupler.second_point
        values[coupler.dependent] = y1 + (labels[coupler.independent] - x1) * (y2 - y1) / (x2 - x1)
    return values


def _rotation(joint: BaseJoint, values: Mapping[str, NDArray[np.float64]], *, n: int) -> NDArray[np.float64]:
    pose = np.broadcast_to(np.eye(4), (n, 4, 4)).copy()
    for axis in joint.axes[:3]:
        if axis.coordinate:
            # The layer takes coordinates that are not labels as zero.
            angles = values.get(axis.coordinate, np.zeros(n))
            # each axis turns with those before it: R1 R2 R3 in the moving frame
            pose[:, :3, :3] = pose[:, :3, :3] @ _axis_rotation(np.array(axis.axis), angles)
    return pose


def _axis_rotation(axis: NDArray[np.float64], angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 3, 3): rotations about one axis, which need not be a unit vector (one of D3KE's model is not)."""
    return matrices_from_axis_angles(angles_rad[:, None] * (axis / np.linalg.norm(axis)))


def _frame(
    location_m: tuple[float, ...], orientation_rad: tuple[float, ...], ratio: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return a joint frame in its body, (4, 4): body-fixed x-y-z angles; its location scales with the body."""
    turns = [_axis_rotation(np.eye(3)[index], np.array([angle]))[0] for index, angle in enumerate(orientation_rad)]
    frame = np.eye(4)
    frame[:3, :3] = turns[0] @ turns[1] @ turns[2]
    frame[:3, 3] = np.array(location_m) * (1.0 if ratio is None else ratio)
    return frame
