"""The 17 points of Human3.6M, made from labels; each is the mean of points in a shard.

| point | mean of |
|---|---|
| Hip | both hip joints |
| RHip, RKnee, RAnkle, LHip, LKnee, LAnkle | the joint |
| Spine | Hip and Thorax |
| Thorax | C7 and CLAV |
| Nose, Head | foremost and highest vertex of the template's head |
| LShoulder, LElbow, LWrist, RShoulder, RElbow, RWrist | the joint |

Joints are SMPL's, or OpenSim's centres. These points have not been compared with Human3.6M's own regressor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from movi_prep.errors import InputError, list_names
from movi_prep.records.frame_labels import FrameLabels
from movi_prep.records.label_tables import LabelNames

JointSource = Literal["smpl", "opensim"]

_JOINTS: Mapping[JointSource, Mapping[str, str]] = {
    "smpl": {
        "left hip": "LHIPJ",
        "left knee": "LKJC",
        "left ankle": "LAJC",
        "left shoulder": "LSHOULDER",
        "left elbow": "LELC",
        "left wrist": "LWRIST",
        "right hip": "RHIPJ",
        "right knee": "RKJC",
        "right ankle": "RAJC",
        "right shoulder": "RSHOULDER",
        "right elbow": "RELC",
        "right wrist": "RWRIST",
    },
    "opensim": {
        "left hip": "hip_l",
        "left knee": "knee_l",
        "left ankle": "ankle_l",
        "left shoulder": "shoulder2_l",
        "left elbow": "elbow_l",
        "left wrist": "radiocarpal_l",
        "right hip": "hip_r",
        "right knee": "knee_r",
        "right ankle": "ankle_r",
        "right shoulder": "shoulder2",
        "right elbow": "elbow",
        "right wrist": "radiocarpal",
    },
}
"""Names of the joints among the labels."""

POINTS: Mapping[str, tuple[str, ...]] = {
    "Hip": ("left hip", "right hip"),
    "RHip": ("right hip",),
    "RKnee": ("right knee",),
    "RAnkle": ("right ankle",),
    "LHip": ("left hip",),
    "LKnee": ("left knee",),
    "LAnkle": ("left ankle",),
    "Spine": ("left hip", "right hip", "C7", "CLAV"),
    "Thorax": ("C7", "CLAV"),
    "Nose": ("NOSE",),
    "Head": ("HEADTOP",),
    "LShoulder": ("left shoulder",),
    "LElbow": ("left elbow",),
    "LWrist": ("left wrist",),
    "RShoulder": ("right shoulder",),
    "RElbow": ("right elbow",),
    "RWrist": ("right wrist",),
}
"""Point -> the points that it is the mean of, in Human3.6M's order of 17."""

NAMES = tuple(POINTS)
LEFT = tuple(index for index, name in enumerate(NAMES) if name[0] == "L")
RIGHT = tuple(NAMES.index(f"R{NAMES[index][1:]}") for index in LEFT)

SLOTS = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
"""Places of the 17 points among Human3.6M's 32 joints."""

N_SLOTS = 32

CAMERA_CONVENTION = (
    "OpenCV: x right, y down, z forward; pixel centres are at integers, (0, 0) is the centre of the top left pixel; "
    "x (1 + k1 r^2 + k2 r^4 + k3 r^6) on normalised coordinates, and what else `lens` says of a camera"
)


@dataclass(frozen=True, eq=False)
class Points17:
    """The 17 points in n frames.

    Attributes:
        world_m: (n, 17, 3) float64, metres, AMASS world (z up).
        camera_m: (n, 17, 3) float64, metres, camera frame.
        valid: (n, 17) bool, all parts of the point are valid labels.
    """

    world_m: NDArray[np.float64]
    camera_m: NDArray[np.float64]
    valid: NDArray[np.bool_]


def make_points(labels: FrameLabels, names: LabelNames, *, joints: JointSource, source: str) -> Points17:
    """Return the 17 points of labels; `source` names the file in messages.

    Raises:
        InputError: the labels lack a part of a point.
    """
    weights, columns = _weights(names, joints=joints, source=source)
    world, camera, there = (values[:, columns] for values in _label_points(labels))
    return Points17(
        world_m=np.einsum("ps,nsc->npc", weights, world),
        camera_m=np.einsum("ps,nsc->npc", weights, camera),
        # Parts without weight do not matter to a point: it is valid where all the others are.
        valid=(there[:, None] | (weights == 0.0)).all(axis=-1),
    )


def define_points(joints: JointSource) -> dict[str, str]:
    """Return the definition of each point, in words."""
    return {name: _in_words(parts, joints) for name, parts in POINTS.items()}


def into_slots(points: NDArray[Any]) -> NDArray[Any]:
    """Return (..., 32, d) of (..., 17, d) points: Human3.6M's slots, 0 in the other 15."""
    # The codes leave the other 15 slots out by their numbers.
    slots = np.zeros((*points.shape[:-2], N_SLOTS, points.shape[-1]), dtype=points.dtype)
    slots[..., list(SLOTS), :] = points
    return slots


def _in_words(parts: tuple[str, ...], joints: JointSource) -> str:
    known = {
        "C7": "marker C7",
        "CLAV": "marker CLAV",
        "NOSE": "foremost vertex of the template's head (of those that the head joint moves most)",
        "HEADTOP": "highest vertex of the template's head (of those that the head joint moves most)",
    }
    kind = "SMPL joint" if joints == "smpl" else "OpenSim joint centre"
    told = [known.get(part) or f"{kind} {_JOINTS[joints][part]}" for part in parts]
    return told[0] if len(told) == 1 else f"mean of {', '.join(told[:-1])} and {told[-1]}"


def _label_points(labels: FrameLabels) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return all points of labels, (n, s, 3) in world and camera, and (n, s) bool: which of them are labels."""
    parts: list[tuple[NDArray[Any], NDArray[Any], Any]] = [
        # A point that was not seen is zero in both frames.
        (each.world_m, each.camera_m, each.world_m.any(axis=-1) | each.camera_m.any(axis=-1))
        for each in (labels.joints, labels.markers, labels.surface)
        if each is not None
    ]
    centres = labels.joint_centres
    # Last, as `_weights` counts them.
    parts.append((centres.world_m, centres.camera_m, centres.valid))
    world, camera, there = (np.concatenate(values, axis=1) for values in zip(*parts, strict=True))
    return world.astype(np.float64), camera.astype(np.float64), there


def _weights(names: LabelNames, *, joints: JointSource, source: str) -> tuple[NDArray[np.float64], list[int]]:
    """Return (17, s) weights of the parts of the points, and the columns of these parts in `_label_points`."""
    # A name says which group it is of: joints of SMPL and of OpenSim, and markers, share none.
    place = {name: at for at, name in enumerate((*names.joints, *names.markers, *names.surface, *names.opensim_joints))}
    needed = {part: _JOINTS[joints].get(part, part) for parts in POINTS.values() for part in parts}
    lacking = sorted({name for name in needed.values() if name not in place})
    if lacking:
        made = [point for point, parts in POINTS.items() if any(needed[part] in lacking for part in parts)]
        raise InputError(
            source,
            expected=f"what the points {list_names(made)} are made from",
            got=f"labels without {list_names(lacking)}",
            remedy="run 'movi-prep run' again: shards of version 4 have nose and head top; a marker set of your own "
            "needs NOSE and HEADTOP (foremost: 15, highest: 15)",
        )
    weights = np.array([[(part in parts) / len(parts) for part in needed] for parts in POINTS.values()])
    return weights, [place[name] for name in needed.values()]
