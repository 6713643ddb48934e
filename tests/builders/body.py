"""A body whose answers can be said aloud: an ellipsoid in SMPL+H layout, and clips that move it.

The ellipsoid stands upright like SMPL+H's rest pose (y up), has SMPL+H's counts (6890 vertices in 84 rings of 82 and
two poles, 13776 faces, 52 joints), and bulges forward (+z) at one vertex, its nose. Joints sit on its axis, each the
mean of one ring.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.records.body_layout import SMPLH
from movi_prep.records.body_model import BodyModel
from movi_prep.records.motion import N_DMPLS, Motion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

N_JOINTS, N_BETAS, N_POSE_FEATURES = SMPLH.n_joints, 16, SMPLH.n_pose_features
RINGS, SEGMENTS = 84, 82
HALF_HEIGHT_M, HALF_WIDTH_M, HALF_DEPTH_M = 0.85, 0.2, 0.12
NOSE = 2 + 40 * SEGMENTS
"""The foremost vertex: its ring is at mid height, its angle is straight ahead."""

LOWEST, HIGHEST = 0, 1
"""The poles."""

_BODY_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
_LEFT_HAND_PARENTS = (20, 22, 23, 20, 25, 26, 20, 28, 29, 20, 31, 32, 20, 34, 35)
_RIGHT_HAND_PARENTS = (21, 37, 38, 21, 40, 41, 21, 43, 44, 21, 46, 47, 21, 49, 50)
PARENTS = np.array([*_BODY_PARENTS, *_LEFT_HAND_PARENTS, *_RIGHT_HAND_PARENTS])
"""SMPL+H's own tree."""


@dataclass(frozen=True)
class Ellipsoid:
    """Vertices (v, 3) metres and faces (f, 3) of a closed ellipsoid of rings and two poles."""

    vertices_m: NDArray[np.float64]
    faces: NDArray[np.int64]


def build_ellipsoid(rings: int = RINGS, segments: int = SEGMENTS) -> Ellipsoid:
    """Return the ellipsoid: lowest pole, highest pole, then rings from below, each from +z towards +x."""
    latitudes = np.linspace(-np.pi / 2, np.pi / 2, rings + 2)[1:-1]
    angles = np.arange(segments) * 2 * np.pi / segments
    x = np.cos(latitudes)[:, None] * np.sin(angles) * HALF_WIDTH_M
    z = np.cos(latitudes)[:, None] * np.cos(angles) * HALF_DEPTH_M
    y = np.broadcast_to(np.sin(latitudes)[:, None] * HALF_HEIGHT_M, x.shape)
    poles = np.array([[0, -HALF_HEIGHT_M, 0], [0, HALF_HEIGHT_M, 0]])
    ring = 2 + np.arange(rings * segments).reshape(rings, segments)
    after = np.roll(ring, -1, axis=1)
    low, high = np.zeros(segments, int), np.ones(segments, int)
    faces = [(low, after[0], ring[0]), (high, ring[-1], after[-1])]
    for k in range(rings - 1):
        faces += [(ring[k], after[k], ring[k + 1]), (after[k], after[k + 1], ring[k + 1])]
    return Ellipsoid(
        vertices_m=np.vstack([poles, np.stack([x, y, z], axis=-1).reshape(-1, 3)]),
        faces=np.vstack([np.stack(triangle, axis=-1) for triangle in faces]),
    )


def build_body_model(*, rings: int = RINGS, segments: int = SEGMENTS, seed: int = 0) -> BodyModel:
    """Return the ellipsoid as a body: beta 0 stretches it (5 % each), all other directions are small and random."""
    rng = np.random.default_rng(seed)
    shape = build_ellipsoid(rings, segments)
    v = len(shape.vertices_m)
    ring_of_joint = np.linspace(1, rings - 2, N_JOINTS).round().astype(int)
    regressor = np.zeros((N_JOINTS, v))
    for joint, ring in enumerate(ring_of_joint):
        regressor[joint, 2 + ring * segments : 2 + (ring + 1) * segments] = 1 / segments
    directions = rng.normal(scale=0.003, size=(v, 3, N_BETAS))
    directions[..., 0] = 0.05 * shape.vertices_m
    weights = np.zeros((v, N_JOINTS))
    for _ in range(4):
        weights[np.arange(v), rng.integers(N_JOINTS, size=v)] += rng.uniform(0.1, 1, size=v)
    posing = np.zeros((v, 3, N_POSE_FEATURES), dtype=np.float32)
    posing[: min(v, 100)] = rng.normal(scale=0.001, size=(min(v, 100), 3, N_POSE_FEATURES))
    return BodyModel(
        sex="female",
        template_m=shape.vertices_m,
        faces=shape.faces,
        shape_directions_m=directions,
        pose_directions_m=posing,
        joint_regressor=regressor,
        skinning_weights=weights / weights.sum(axis=1, keepdims=True),
        parents=PARENTS,
        soft_tissue_directions_m=rng.normal(scale=0.005, size=(v, 3, N_DMPLS)),
        source="ellipsoid",
    )


def build_motion(n_samples: int, *, seed: int = 0, rate_hz: float = 120.0) -> Motion:
    """Return a smooth random motion at about standing height."""
    rng = np.random.default_rng(seed)
    phase = np.linspace(0, 3, n_samples)[:, None, None]
    poses = 0.5 * np.sin(phase + rng.uniform(0, 6, (1, N_JOINTS, 3)))
    return Motion(
        poses_rad=poses,
        translation_m=np.array([0.2, -0.4, 0.9]) + 0.1 * np.sin(phase[..., 0] + rng.uniform(0, 6, 3)),
        betas=rng.normal(scale=0.5, size=N_BETAS),
        dmpls=rng.normal(scale=0.3, size=(n_samples, N_DMPLS)),
        sex="female",
        rate_hz=rate_hz,
        source="built",
    )


def resting(motion: Motion) -> Motion:
    """Return the motion with all joints at rest and no translation."""
    return replace(motion, poses_rad=np.zeros_like(motion.poses_rad), translation_m=np.zeros_like(motion.translation_m))


def old_release(motion: Motion) -> dict[str, Any]:
    """Return the arrays of an old-release clip."""
    return {
        "trans": motion.translation_m,
        "gender": np.array(motion.sex),
        "mocap_framerate": np.array(motion.rate_hz),
        "betas": motion.betas,
        "dmpls": motion.dmpls,
        "poses": motion.poses_rad.reshape(motion.n_samples, -1),
    }


def new_release(motion: Motion) -> dict[str, Any]:
    """Return the arrays of a new-release clip, the pickled ones included."""
    poses = motion.poses_rad.reshape(motion.n_samples, -1)
    return {
        "gender": np.array(motion.sex),
        "surface_model_type": np.array("smplh"),
        "mocap_frame_rate": np.array(motion.rate_hz),
        "mocap_time_length": np.array(motion.n_samples / motion.rate_hz),
        "latent_labels": np.array(["C7", None], dtype=object),
        "trans": motion.translation_m,
        "poses": poses,
        "betas": motion.betas,
        "num_betas": np.array(N_BETAS),
        "root_orient": poses[:, :3],
        "pose_body": poses[:, 3:66],
        "pose_hand": poses[:, 66:],
    }


def write_npz(path: Path, arrays: Mapping[str, Any]) -> Path:
    """Write arrays as AMASS does: plain zip, nothing compressed. Keys whose value is None are left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def model_arrays(model: BodyModel) -> dict[str, Any]:
    """Return the arrays of an SMPL+H model.npz."""
    parents = model.parents.astype(np.uint32)
    parents[0] = 2**32 - 1
    return {
        "v_template": model.template_m,
        "f": model.faces.astype(np.uint32),
        "shapedirs": model.shape_directions_m,
        "posedirs": model.pose_directions_m,
        "J_regressor": model.joint_regressor,
        "weights": model.skinning_weights,
        "kintree_table": np.stack([parents, np.arange(N_JOINTS, dtype=np.uint32)]),
        "J": model.joint_regressor @ model.template_m,
        "bs_type": np.array("lrotmin"),
        "bs_style": np.array("lbs"),
    }


def smpl_arrays(model: BodyModel, *, n_betas: int = 10) -> dict[str, Any]:
    """Return the arrays of SMPL: the body's joints, and of each hand the first; fingers move with the hand."""
    joints = [*range(22), 25, 40]
    hands = [model.skinning_weights[:, hand].sum(axis=1) for hand in (slice(22, 37), slice(37, 52))]
    posing = model.pose_directions_m.reshape(model.n_vertices, 3, N_JOINTS - 1, 9)[:, :, np.array(joints[1:]) - 1]
    parents = np.array([*_BODY_PARENTS, 20, 21]).astype(np.uint32)
    return {
        "v_template": model.template_m,
        "f": model.faces.astype(np.uint32),
        "shapedirs": model.shape_directions_m[..., :n_betas],
        "posedirs": posing.reshape(model.n_vertices, 3, -1),
        "J_regressor": model.joint_regressor[joints],
        "weights": np.column_stack([model.skinning_weights[:, :22], *hands]),
        "kintree_table": np.stack([parents, np.arange(24, dtype=np.uint32)]),
    }
