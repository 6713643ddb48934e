"""The T-pose and the proportions of a mean person, baked into MakeHuman's rest shape.

MakeHuman stands with its arms lowered and its palms turned in, on long legs under a short trunk. Each joint k turns and
stretches what it carries, and the skin follows by linear blending (Loper et al., SMPL, 2015, equations 2 to 4, with a
stretch S_k added):

    x' = sum_k w_k(x) (j'_k + S_k R_k (x - j_k)),        j'_k = j'_p + S_p R_p (j_k - j_p),  p the parent of k
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.open_body_builder.skeleton import JOINT_INDEX, JOINTS, PARENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The origin of SMPL's template lies about this far above its pelvis joint.
PELVIS_HEIGHT_M = -0.22

# Stretch (across, up, forward) in the T-pose of what each joint carries, both sides alike. Found by comparing the
# marker distances of the mean shape with those of a mean person.
_STRETCH: dict[str, tuple[float, float, float]] = {
    "pelvis": (1.0, 0.96, 1.31),
    "spine1": (1.0, 1.06, 1.2),
    "spine2": (1.0, 1.05, 1.16),
    "spine3": (0.98, 1.21, 1.22),
    "collar": (1.0, 1.4, 1.15),
    "neck": (1.0, 1.0, 1.2),
    "head": (1.06, 1.16, 1.14),
    "shoulder": (1.09, 1.2, 1.1),
    "elbow": (1.07, 1.2, 1.15),
    "wrist": (1.04, 1.04, 1.06),
    "hip": (1.0, 0.985, 1.0),
    "knee": (1.15, 0.975, 1.0),
    "ankle": (1.06, 1.08, 1.02),
    "foot": (0.95, 1.0, 1.15),
}
# The clavicles rise and come forward when the arms are held level.
_COLLAR_RAISE_RAD, _COLLAR_FORWARD_RAD = 0.54, 0.1
# The chest leans forward over the pelvis.
_CHEST_LEAN_RAD = 0.07
# MakeHuman's neck leans further forward than SMPL's.
_NECK_LEAN_RAD = -0.15
# The feet point outwards a little.
_TOE_OUT_RAD = 0.1


def t_pose(
    points_m: NDArray[np.float64], joints_m: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points (n, 3) and joints (52, 3) in the T-pose: metres, y up, facing +z, left is +x.

    Args:
        points_m: (n, 3) points of a MakeHuman body.
        joints_m: (52, 3) its joints.
        weights: (n, 52) skinning weights of the points.
    """
    maps = _stretches() @ _turns(joints_m)  # (52, 3, 3)
    posed_m = joints_m.copy()
    # Parents have lower indices in SMPL+H's order, so that each is posed before its children.
    for child in range(1, len(JOINTS)):
        parent = PARENTS[child]
        posed_m[child] = posed_m[parent] + maps[parent] @ (joints_m[child] - joints_m[parent])
    shifts_m = posed_m - np.einsum("kij,kj->ki", maps, joints_m)
    blended = (weights @ maps.reshape(-1, 9)).reshape(-1, 3, 3)  # (n, 3, 3)
    moved_m = np.einsum("nij,nj->ni", blended, points_m) + weights @ shifts_m
    to_origin_m = np.array([0, PELVIS_HEIGHT_M - posed_m[0, 1], -posed_m[0, 2]])
    return moved_m + to_origin_m, posed_m + to_origin_m


def _stretches() -> NDArray[np.float64]:
    """Return (52, 3, 3) diagonal matrices; what has no stretch of its own takes its parent's."""
    factors = np.ones((len(JOINTS), 3))
    for index, joint in enumerate(JOINTS):
        inherited = factors[joint.parent] if joint.name[-1] in "123" and "_" in joint.name else np.ones(3)
        factors[index] = _STRETCH.get(joint.name.rpartition("_")[2], inherited)
    return np.asarray(np.einsum("ki,ij->kij", factors, np.eye(3)))


def _turns(joints_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (52, 3, 3) rotations of the segments from MakeHuman's rest pose to the T-pose."""
    turns = np.tile(np.eye(3), (len(JOINTS), 1, 1))
    turns[JOINT_INDEX["spine3"]] = _rotation_x(_CHEST_LEAN_RAD)
    turns[JOINT_INDEX["neck"]] = _rotation_x(_NECK_LEAN_RAD)
    for side, outward in (("left", 1.0), ("right", -1.0)):
        _turn_leg(turns, joints_m, side, outward)
        _turn_arm(turns, joints_m, side, outward)
    return turns


def _turn_leg(turns: NDArray[np.float64], joints_m: NDArray[np.float64], side: str, outward: float) -> None:
    def at(name: str) -> NDArray[np.float64]:
        return np.asarray(joints_m[JOINT_INDEX[f"{side}_{name}"]])

    turns[JOINT_INDEX[f"{side}_hip"]] = _rotation_between(at("knee") - at("hip"), (outward * 0.1, -1, -0.04))
    turns[JOINT_INDEX[f"{side}_knee"]] = _rotation_between(at("ankle") - at("knee"), (-outward * 0.02, -1, -0.085))
    turns[JOINT_INDEX[f"{side}_ankle"]] = _rotation_y(outward * _TOE_OUT_RAD)
    turns[JOINT_INDEX[f"{side}_foot"]] = _rotation_y(outward * _TOE_OUT_RAD)


def _turn_arm(turns: NDArray[np.float64], joints_m: NDArray[np.float64], side: str, outward: float) -> None:
    def at(name: str) -> NDArray[np.float64]:
        return np.asarray(joints_m[JOINT_INDEX[f"{side}_{name}"]])

    hand = _rotation_between(at("middle1") - at("wrist"), (outward, 0, 0))
    across_palm = np.cross(hand @ (at("index1") - at("wrist")), hand @ (at("pinky1") - at("wrist"))) * outward
    twist_rad = -np.arctan2(across_palm[2], across_palm[1])  # brings the back of the hand up
    forearm = _rotation_between(at("wrist") - at("elbow"), (outward, 0, -0.02))
    turns[JOINT_INDEX[f"{side}_collar"]] = _rotation_y(-outward * _COLLAR_FORWARD_RAD) @ _rotation_z(
        outward * _COLLAR_RAISE_RAD
    )
    turns[JOINT_INDEX[f"{side}_shoulder"]] = _rotation_between(at("elbow") - at("shoulder"), (outward, -0.02, 0))
    # Half of the forearm's twist happens above the wrist, as in a living arm.
    turns[JOINT_INDEX[f"{side}_elbow"]] = _rotation_x(twist_rad / 2) @ forearm
    carried = [index for index, joint in enumerate(JOINTS) if joint.name.startswith(f"{side}_")]
    for index in carried:
        if JOINTS[index].name.endswith(("wrist", "1", "2", "3")):
            turns[index] = _rotation_x(twist_rad) @ hand


def _rotation_between(
    start: NDArray[np.float64], end: NDArray[np.float64] | tuple[float, float, float]
) -> NDArray[np.float64]:
    """Return the smallest rotation that takes the direction of `start` to that of `end` (Rodrigues)."""
    a, b = start / np.linalg.norm(start), np.asarray(end, float) / np.linalg.norm(end)
    x, y, z = np.cross(a, b)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    # Not for opposite directions, where the axis is undetermined; no bone has to turn that far.
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + a @ b))


def _rotation_x(angle_rad: float) -> NDArray[np.float64]:
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def _rotation_y(angle_rad: float) -> NDArray[np.float64]:
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _rotation_z(angle_rad: float) -> NDArray[np.float64]:
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
