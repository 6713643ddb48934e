"""Clothes of the open body, face by face: skin, hair, shirt, trousers or shoes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.open_body_builder.skeleton import JOINT_INDEX, JOINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

REGIONS = ("skin", "hair", "shirt", "trousers", "shoes")

_LEGS = ("pelvis", "hip", "knee", "ankle")
_TRUNK = ("pelvis", "spine1", "spine2", "spine3", "neck", "collar", "shoulder")
# The shirt ends this far above the pelvis joint, the sleeve at this share of the upper arm.
_WAIST_M = -0.01
_SLEEVE = 0.62
# The collar of the shirt lies this far above the collar joints, and dips towards the front.
_COLLAR_M, _COLLAR_SLOPE = 0.075, 0.9
# Shoes reach this far above the ankle joints.
_SHOE_TOP_M = 0.01


def label_faces(
    vertices_m: NDArray[np.float64],
    joints_m: NDArray[np.float64],
    weights: NDArray[np.float64],
    faces: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """Return (n_faces,) indices into `REGIONS`, from the T-pose of a person in metres."""
    corners_m = vertices_m[faces]  # (n_faces, 3, 3)
    # Outermost and highest corner rather than the centre: hems then follow the rings of the mesh, without teeth.
    place_m = np.column_stack(
        [np.abs(corners_m[:, :, 0]).max(axis=1), corners_m[:, :, 1].max(axis=1), corners_m[:, :, 2].mean(axis=1)]
    )
    share = _shares_by_kind(weights[faces].mean(axis=1))
    regions = np.full(len(faces), REGIONS.index("skin"), np.uint8)
    # Later regions cover earlier ones: trousers over the hem of the shirt, shoes over trousers, hair over the collar.
    regions[_is_shirt(place_m, joints_m, share)] = REGIONS.index("shirt")
    regions[_is_trousers(place_m, joints_m, share)] = REGIONS.index("trousers")
    regions[_is_shoe(place_m, joints_m, share)] = REGIONS.index("shoes")
    regions[_is_hair(place_m, vertices_m, joints_m, share)] = REGIONS.index("hair")
    return regions


def _shares_by_kind(face_weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the weight of each kind of joint, both sides together; fingers count as wrist."""
    shares: dict[str, NDArray[np.float64]] = {}
    for column, joint in zip(face_weights.T, JOINTS, strict=True):
        side, _, kind = joint.name.rpartition("_")
        kind = "wrist" if side and kind[-1].isdigit() else kind
        shares[kind] = shares.get(kind, 0) + column
    return shares


def _is_shirt(
    place_m: NDArray[np.float64], joints_m: NDArray[np.float64], share: dict[str, NDArray[np.float64]]
) -> NDArray[np.bool_]:
    pelvis, collar, shoulder, elbow = (
        joints_m[JOINT_INDEX[name]] for name in ("pelvis", "left_collar", "left_shoulder", "left_elbow")
    )
    sleeve_end_m = shoulder[0] + _SLEEVE * (elbow[0] - shoulder[0])
    neckline_m = collar[1] + _COLLAR_M - _COLLAR_SLOPE * (place_m[:, 2] - collar[2])
    below_neckline = (place_m[:, 1] < neckline_m) | (place_m[:, 0] > collar[0])
    on_trunk = sum(share[kind] for kind in (*_TRUNK, "elbow")) > 0.5
    inside = (place_m[:, 0] < sleeve_end_m) & (place_m[:, 1] > pelvis[1] + _WAIST_M)
    return np.asarray(on_trunk & inside & below_neckline)


def _is_trousers(
    place_m: NDArray[np.float64], joints_m: NDArray[np.float64], share: dict[str, NDArray[np.float64]]
) -> NDArray[np.bool_]:
    waist_m = joints_m[JOINT_INDEX["pelvis"]][1] + _WAIST_M
    on_legs = sum(share[kind] for kind in (*_LEGS, "spine1", "spine2")) > 0.5
    return np.asarray(on_legs & (place_m[:, 1] <= waist_m))


def _is_shoe(
    place_m: NDArray[np.float64], joints_m: NDArray[np.float64], share: dict[str, NDArray[np.float64]]
) -> NDArray[np.bool_]:
    top_m = joints_m[JOINT_INDEX["left_ankle"]][1] + _SHOE_TOP_M
    return np.asarray((share["ankle"] + share["foot"] + share["knee"] > 0.5) & (place_m[:, 1] < top_m))


def _is_hair(
    place_m: NDArray[np.float64],
    vertices_m: NDArray[np.float64],
    joints_m: NDArray[np.float64],
    share: dict[str, NDArray[np.float64]],
) -> NDArray[np.bool_]:
    """Above a plane that falls from the forehead over the ears to the nape."""
    head = joints_m[JOINT_INDEX["head"]]
    head_height_m = vertices_m[:, 1].max() - head[1]
    hairline_m = head[1] + 0.53 * head_height_m + 0.85 * (place_m[:, 2] - head[2])
    return np.asarray((share["head"] + share["neck"] > 0.5) & (place_m[:, 1] > hairline_m))
