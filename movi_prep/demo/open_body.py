"""The open body: a human body of CC0 data in the layout of SMPL+H, for the demo, the tests and the benchmarks.

`data/open_body.npz`, written by `tools.build_open_body` (SEX is male, female or neutral):

    name                         shape              dtype    unit and meaning
    faces                        (13776, 3)         uint16   triangles, outward
    face_regions                 (13776,)           uint8    index into region_names
    region_names                 (5,)               str
    weights_rows, _columns       (k,)               uint16   skinning weights as triplets (vertex, joint, value),
    weights_values               (k,)               float16  shared by all sexes
    SEX_template_m               (6890, 3)          float32  metres, T-pose, y up, facing +z
    SEX_shape_directions_m       (6890, 3, 16)      float16  metres per standard deviation
    SEX_joint_regressor_rows ... (k,)               uint16, uint16, float32 triplets (joint, vertex, value)

The 66 marker vertices of the D3KE set have the ids that they have in SMPL+H; no other vertex, face or shape direction
corresponds to SMPL+H's, and no accuracy measured on this body may be compared with one measured on SMPL+H.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.demo.surface_directions import pose_directions, soft_tissue_directions
from movi_prep.errors import UsageError
from movi_prep.formats.atomic import atomic_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

SEXES = ("male", "female", "neutral")
N_VERTICES = 6890
N_JOINTS = 52
# SMPL's 24 joints are SMPL+H's body joints and one joint for each hand, at the root of the middle finger.
_N_BODY_JOINTS = 22
_HAND_ROOTS = (25, 40)
_HANDS = (slice(22, 37), slice(37, 52))
_DMPL_COLUMNS = 10


@dataclass(frozen=True)
class OpenBody:
    """A body model in SMPL+H's arrays, float64 unless stated otherwise; metres, T-pose, y up, facing +z, left is +x.

    Attributes:
        sex: `male`, `female` or `neutral`.
        v_template_m: (6890, 3) mean shape.
        shape_directions_m: (6890, 3, 16), one standard deviation each; the first is stature.
        pose_directions_m: (6890, 3, 459), per entry of R_k - I, joints 1..51, row by row.
        dmpl_directions_m: (6890, 3, 8) soft tissue.
        joint_regressor: (52, 6890), rows sum to one.
        skinning_weights: (6890, 52), rows sum to one.
        faces: (13776, 3) int64, outward.
        parents: (52,) int64, -1 at the root.
        face_regions: (13776,) uint8, indices into `region_names`.
        region_names: names of the regions of faces.
    """

    sex: str
    v_template_m: NDArray[np.float64]
    shape_directions_m: NDArray[np.float64]
    pose_directions_m: NDArray[np.float64]
    dmpl_directions_m: NDArray[np.float64]
    joint_regressor: NDArray[np.float64]
    skinning_weights: NDArray[np.float64]
    faces: NDArray[np.int64]
    parents: NDArray[np.int64]
    face_regions: NDArray[np.uint8]
    region_names: tuple[str, ...]


def read_open_body(sex: str) -> OpenBody:
    """Return the open body of one sex, with the computed directions.

    Raises:
        UsageError: `sex` is none of `SEXES`.
    """
    if sex not in SEXES:
        raise UsageError(f"open body: expected a sex out of {', '.join(SEXES)}, but got {sex!r}; name one of them")
    data = resources.files("movi_prep.demo") / "data" / "open_body.npz"
    with data.open("rb") as stream, np.load(stream, allow_pickle=False) as compact:
        return _unpack(compact, sex)


def face_regions() -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Return (13776,) region of each face, and the names of the regions."""
    data = resources.files("movi_prep.demo") / "data" / "open_body.npz"
    with data.open("rb") as stream, np.load(stream, allow_pickle=False) as compact:
        return compact["face_regions"], _region_names(compact)


def write_open_body(folder: Path) -> None:
    """Write `smplh/SEX/model.npz` and `dmpls/SEX/model.npz` below `folder`, laid out as the licensed files are."""
    for sex in SEXES:
        body = read_open_body(sex)
        with atomic_path(folder / "smplh" / sex / "model.npz") as partial:
            np.savez_compressed(partial, **smplh_arrays(body))
        # The licensed files have more directions than AMASS uses; a reader must take the first 8.
        soft_tissue = np.zeros((N_VERTICES, 3, _DMPL_COLUMNS))
        soft_tissue[:, :, : body.dmpl_directions_m.shape[2]] = body.dmpl_directions_m
        with atomic_path(folder / "dmpls" / sex / "model.npz") as partial:
            np.savez_compressed(partial, eigvec=soft_tissue)


def smplh_parents() -> NDArray[np.int64]:
    """Return the (52,) parents of SMPL+H's joints (smplx, `joint_names.py`), -1 at the root."""
    body = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19]
    for wrist, hand in zip((20, 21), _HANDS, strict=True):
        for knuckle in range(hand.start, hand.stop):
            body.append(wrist if (knuckle - hand.start) % 3 == 0 else knuckle - 1)
    return np.array(body, np.int64)


def _unpack(compact: Mapping[str, NDArray[np.generic]], sex: str) -> OpenBody:
    template_m = compact[f"{sex}_template_m"].astype(np.float64)
    regressor = _rows_of_sum_one(compact, f"{sex}_joint_regressor", (N_JOINTS, N_VERTICES))
    weights = _rows_of_sum_one(compact, "weights", (N_VERTICES, N_JOINTS))
    parents = smplh_parents()
    joints_m = regressor @ template_m
    return OpenBody(
        sex=sex,
        v_template_m=template_m,
        shape_directions_m=compact[f"{sex}_shape_directions_m"].astype(np.float64),
        pose_directions_m=pose_directions(template_m, joints_m, weights, parents),
        dmpl_directions_m=soft_tissue_directions(template_m, joints_m),
        joint_regressor=regressor,
        skinning_weights=weights,
        faces=compact["faces"].astype(np.int64),
        parents=parents,
        face_regions=compact["face_regions"].astype(np.uint8),
        region_names=_region_names(compact),
    )


def _region_names(compact: Mapping[str, NDArray[np.generic]]) -> tuple[str, ...]:
    return tuple(str(name) for name in compact["region_names"])


def _rows_of_sum_one(
    compact: Mapping[str, NDArray[np.generic]], name: str, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return a matrix from its triplets; the rounding of the stored values is divided out of each row."""
    matrix = np.zeros(shape)
    matrix[compact[f"{name}_rows"], compact[f"{name}_columns"]] = compact[f"{name}_values"]
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True))


def smpl_arrays(body: OpenBody) -> dict[str, Any]:
    """Return the arrays of an SMPL file: 24 joints, the fingers moving with the hands."""
    arrays = smplh_arrays(body)
    joints = [*range(_N_BODY_JOINTS), *_HAND_ROOTS]
    posing = body.pose_directions_m.reshape(N_VERTICES, 3, N_JOINTS - 1, 9)[:, :, np.array(joints[1:]) - 1]
    # Parents of the hands are the wrists.
    parents = np.array([*body.parents[:_N_BODY_JOINTS], 20, 21])
    return {
        "v_template": body.v_template_m,
        "f": arrays["f"],
        "shapedirs": body.shape_directions_m,
        "posedirs": posing.reshape(N_VERTICES, 3, -1),
        "J_regressor": arrays["J_regressor_prior"],
        "weights": arrays["weights_prior"],
        "kintree_table": np.stack([parents, np.arange(len(parents))]).astype(np.uint32),
    }


def smplh_arrays(body: OpenBody) -> dict[str, Any]:
    """Return the arrays of an extended SMPL+H file, SMPL's own 24 joints (`*_prior`, `J`) among them."""
    regressor24 = np.vstack([body.joint_regressor[:_N_BODY_JOINTS], body.joint_regressor[list(_HAND_ROOTS)]])
    hand_weights = [body.skinning_weights[:, hand].sum(axis=1) for hand in _HANDS]
    kinematic_tree = np.stack([body.parents, np.arange(N_JOINTS)])
    return {
        "J_regressor_prior": regressor24,
        "f": body.faces.astype(np.uint32),
        "J_regressor": body.joint_regressor,
        "kintree_table": kinematic_tree.astype(np.uint32),  # the root's parent wraps to 2**32 - 1, as in SMPL's files
        "J": (regressor24 @ body.v_template_m).round(9),
        "weights_prior": np.column_stack([body.skinning_weights[:, :_N_BODY_JOINTS], *hand_weights]),
        "weights": body.skinning_weights,
        "posedirs": body.pose_directions_m,
        "bs_style": np.array("lbs"),
        "v_template": body.v_template_m,
        "shapedirs": body.shape_directions_m,
        "bs_type": np.array("lrotmin"),
    }
