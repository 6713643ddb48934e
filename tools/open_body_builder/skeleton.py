"""The 52 joints of SMPL+H, found among MakeHuman's bones.

A joint is a fixed mixture of MakeHuman's vertices, so that it follows every target as the skin does. Where SMPL puts a
joint elsewhere than MakeHuman puts a bone (the spine further forward, the foot at the ball of the foot), the mixture
leans towards other bones or towards the skin in some direction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tools.open_body_builder.rays import hit_surface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tools.open_body_builder.makehuman import MakeHuman

_FINGERS = (("index", 2), ("middle", 3), ("pinky", 5), ("ring", 4), ("thumb", 1))


class Joint(NamedTuple):
    """A joint of SMPL+H: its name, the index of its parent (-1 at the root), the bone that begins at it."""

    name: str
    parent: int
    bone: str


def _joints() -> tuple[Joint, ...]:
    """Return the joints in SMPL+H's order (smplx, `joint_names.py`)."""
    joints = [
        Joint("pelvis", -1, "root"),
        Joint("left_hip", 0, "upperleg01.L"),
        Joint("right_hip", 0, "upperleg01.R"),
        Joint("spine1", 0, "spine04"),
        Joint("left_knee", 1, "lowerleg01.L"),
        Joint("right_knee", 2, "lowerleg01.R"),
        Joint("spine2", 3, "spine03"),
        Joint("left_ankle", 4, "foot.L"),
        Joint("right_ankle", 5, "foot.R"),
        Joint("spine3", 6, "spine02"),
        Joint("left_foot", 7, "toe2-1.L"),
        Joint("right_foot", 8, "toe2-1.R"),
        Joint("neck", 9, "neck01"),
        Joint("left_collar", 9, "clavicle.L"),
        Joint("right_collar", 9, "clavicle.R"),
        Joint("head", 12, "head"),
        Joint("left_shoulder", 13, "upperarm01.L"),
        Joint("right_shoulder", 14, "upperarm01.R"),
        Joint("left_elbow", 16, "lowerarm01.L"),
        Joint("right_elbow", 17, "lowerarm01.R"),
        Joint("left_wrist", 18, "wrist.L"),
        Joint("right_wrist", 19, "wrist.R"),
    ]
    for side, wrist in (("left", 20), ("right", 21)):
        for finger, number in _FINGERS:
            for knuckle in (1, 2, 3):
                parent = wrist if knuckle == 1 else len(joints) - 1
                bone = f"finger{number}-{knuckle}.{side[0].upper()}"
                joints.append(Joint(f"{side}_{finger}{knuckle}", parent, bone))
    return tuple(joints)


JOINTS = _joints()
PARENTS = np.array([joint.parent for joint in JOINTS])
JOINT_INDEX = {joint.name: index for index, joint in enumerate(JOINTS)}

# MakeHuman's trunk has more bones than SMPL's; these follow the joint that moves the same part of the trunk.
_BONE_FOLLOWS = {
    "spine05": "pelvis",
    "spine04": "pelvis",
    "pelvis.L": "pelvis",
    "pelvis.R": "pelvis",
    "spine03": "spine1",
    "spine02": "spine2",
    "spine01": "spine3",
    "shoulder01.L": "left_collar",
    "shoulder01.R": "right_collar",
}

# Joints that are not the head of one bone: bone -> share. Names without a side stand for both sides.
_MIXTURES: dict[str, dict[str, float]] = {
    "pelvis": {"spine04": 1.0},
    "spine1": {"spine03": 0.5, "spine02": 0.5},
    "spine2": {"spine02": 0.3, "spine01": 0.7},
    "spine3": {"spine01": 1.0},
    "neck": {"neck01": 0.6, "neck02": 0.4},
    "collar": {"clavicle": 0.35, "shoulder01": 0.65},
    "foot": {f"toe{toe}-1": 0.2 for toe in (1, 2, 3, 4, 5)},
}

# SMPL's joint lies this share of the way from MakeHuman's towards the skin in the direction given (left side); a
# negative share leads away from that skin.
_LEANINGS: dict[str, tuple[tuple[float, tuple[float, float, float]], ...]] = {
    "pelvis": ((0.42, (0, 0, 1)),),
    "spine1": ((0.22, (0, 0, 1)),),
    "spine2": ((0.26, (0, 0, 1)),),
    "spine3": ((0.45, (0, 0, 1)),),
    "neck": ((0.2, (0, 0, 1)),),
    "head": ((0.17, (0, 0, 1)), (-0.19, (0, 1, 0))),
    "hip": ((-0.6, (1, 0, 0)), (0.30, (0, 0, 1))),
    # Leaning to and fro keeps the place, and lets the skin around it have a say in every person.
    "knee": ((0.4, (1, 0, 0)), (0.22, (-1, 0, 0)), (0.2, (0, 0, 1)), (0.2, (0, 0, -1))),
    "elbow": ((0.25, (0, 0, 1)), (0.22, (0, 0, -1))),
    "foot": ((0.45, (0, -1, 0)),),
    "ankle": ((0.35, (-1, 0, 0)), (0.12, (0, 0, 1))),
}


def joint_mixtures(source: MakeHuman) -> NDArray[np.float64]:
    """Return (52, 19158) shares of MakeHuman's vertices; each row sums to one."""
    shares = np.zeros((len(JOINTS), len(source.vertices_m)))
    for row, joint in zip(shares, JOINTS, strict=True):
        side, _, kind = joint.name.rpartition("_")
        mixture = _MIXTURES.get(kind, {joint.bone.partition(".")[0]: 1.0})
        suffix = f".{side[0].upper()}" if side else ""
        for bone, share in mixture.items():
            vertices = source.bone_point_vertices(bone + suffix, "head")
            row[vertices] += share / len(vertices)
        mirror = (-1, 1, 1) if side == "right" else (1, 1, 1)
        for share, direction in _LEANINGS.get(kind, ()):
            _lean(row, source, share, np.multiply(direction, mirror))
    return shares


def _lean(row: NDArray[np.float64], source: MakeHuman, share: float, direction: NDArray[np.float64]) -> None:
    skin_point = hit_surface(source.vertices_m, source.faces, row @ source.vertices_m, direction)
    nearest = np.linalg.norm(source.vertices_m[: source.n_skin] - skin_point, axis=1).argmin()
    # A mixture of mixtures: shares still sum to one.
    row *= 1 - share
    row[nearest] += share


def bone_joints(source: MakeHuman) -> dict[str, int]:
    """Return, for every bone of MakeHuman, the joint whose motion it follows."""
    anchors = {joint.bone: index for index, joint in enumerate(JOINTS)}
    for side, word in (("L", "left"), ("R", "right")):
        anchors |= {f"toe{toe}-1.{side}": JOINT_INDEX[f"{word}_foot"] for toe in range(1, 6)}
    anchors |= {bone: JOINT_INDEX[name] for bone, name in _BONE_FOLLOWS.items()}

    def follow(bone: str) -> int:
        if bone in anchors:
            return anchors[bone]
        parent = source.rig[bone]["parent"]
        return follow(parent) if parent else 0

    return {bone: follow(bone) for bone in source.rig}


def skinning_weights(source: MakeHuman) -> NDArray[np.float64]:
    """Return (n_skin, 52) weights of the joints at each skin vertex; each row sums to one."""
    weights = np.zeros((source.n_skin, len(JOINTS)))
    followed = bone_joints(source)
    for bone, pairs in source.bone_weights.items():
        on_skin = pairs[pairs[:, 0] < source.n_skin]
        # add.at also sums the entries of a vertex that a bone lists twice.
        np.add.at(weights[:, followed[bone]], on_skin[:, 0].astype(int), on_skin[:, 1])
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
