"""Files of 3DPW, EMDB and networks in the layouts of the real ones, of a motion whose answer is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from tests.builders.python2_pickle import write_python2_pickle


def upright_poses(n: int, *, up: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return (n, 72) poses of SMPL that walk about upright in a world of any up direction."""
    rng = np.random.default_rng(seed)
    poses = rng.normal(scale=0.2, size=(n, 72))
    onto_up, _ = Rotation.align_vectors(up[None], [[0.0, 1.0, 0.0]])
    headings = Rotation.from_rotvec(up * np.linspace(0, 3, n)[:, None])
    lean = Rotation.from_rotvec(rng.normal(scale=0.1, size=(n, 3)))
    poses[:, :3] = (headings * onto_up * lean).as_rotvec()
    return poses


def write_3dpw(path: Path, poses: list[np.ndarray], genders: list[str], **changes: Any) -> Path:
    """Write a sequence file of 3DPW: one entry a person, a camera pose a frame."""
    n = len(poses[0])
    content: dict[str, Any] = {
        "poses": poses,
        "trans": [np.full((n, 3), float(k)) for k in range(len(poses))],
        "betas": [np.linspace(-1, 1, 10) for _ in poses],
        "genders": genders,
        "campose_valid": [np.ones(n, np.int64) for _ in poses],
        "cam_poses": np.tile(np.eye(4), (n, 1, 1)),
        "cam_intrinsics": np.array([[1961.9, 0, 540.0], [0, 1969.2, 960.0], [0, 0, 1]]),
        "poses_60Hz": [np.repeat(each, 2, axis=0) for each in poses],
        "img_frame_ids": 2 * np.arange(n),
        "sequence": path.stem,
        "poses2d": [np.zeros((n, 3, 18)) for _ in poses],
        "v_template_clothed": [np.zeros((5, 3)) for _ in poses],
    }
    return write_python2_pickle(path, {**content, **changes})


def write_emdb(path: Path, poses: np.ndarray) -> Path:
    """Write the data file of EMDB's sequence."""
    n = len(poses)
    content = {
        "gender": "female",
        "name": path.parent.name,
        "n_frames": n,
        "good_frames_mask": np.ones(n, np.bool_),
        "camera": {"intrinsics": np.eye(3), "extrinsics": np.tile(np.eye(4), (n, 1, 1)), "width": 1440, "height": 1920},
        "smpl": {
            "poses_root": poses[:, :3],
            "poses_body": poses[:, 3:],
            "trans": np.zeros((n, 3)),
            "betas": np.linspace(-1, 1, 10),
        },
    }
    return write_python2_pickle(path, content)


def network_results(poses: np.ndarray, *, matrices: bool, spread: float = 0.3) -> dict[str, np.ndarray]:
    """Return what a network writes: float32, betas that change from frame to frame."""
    n = len(poses)
    betas = np.linspace(-1, 1, 10) + spread * np.random.default_rng(1).uniform(-1, 1, (n, 10))
    root, body = poses[:, None, :3], poses[:, 3:].reshape(n, 23, 3)
    if matrices:
        root, body = (
            Rotation.from_rotvec(part.reshape(-1, 3)).as_matrix().reshape(n, -1, 3, 3) for part in (root, body)
        )
    else:
        root, body = root[:, 0], body.reshape(n, 69)
    arrays = {"global_orient": root, "body_pose": body, "betas": betas, "transl": np.zeros((n, 3))}
    return {name: values.astype(np.float32) for name, values in arrays.items()}
