"""A recording of the demo with a manifest: an SMPL-X body, an .mp4 at 25 Hz, and a camera carried by hand.

recordings.yaml            the manifest
config.yaml                ready for `movi-prep run --config`
body_models/SMPLX_NEUTRAL.npz  the neutral open body on the mesh of SMPL-X
motions/walk_stageii.npz   SMPL-X motion at 120 Hz, as the new release of AMASS has it
videos/walk.mp4            800 x 600 at 25 Hz: frames fall between the samples
calibration/handheld.yaml  camera matrix and lens, as OpenCV writes them
calibration/walk.npz       pose of the camera in each frame; a few frames in which it is not known
truth.npz                  joints (f, 52, 3) metres at the time of each frame, and where the camera is (f, 3, 4)
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, RotationSpline

from movi_prep.demo.cameras import IMAGE_SIZE_PX, DemoCamera
from movi_prep.demo.cast import cast
from movi_prep.demo.channels import MOCAP_RATE_HZ
from movi_prep.demo.film import empty_stage, film
from movi_prep.demo.footsteps import Spot
from movi_prep.demo.made import forget_made, read_made, write_made
from movi_prep.demo.open_body import read_open_body
from movi_prep.demo.posed_body import joint_transforms, shaped_body
from movi_prep.demo.session import Cue, act
from movi_prep.demo.smplx_body import open_body_betas, smplx_poses, write_smplx_body
from movi_prep.demo.wardrobe import dress
from movi_prep.formats.atomic import atomic_path, write_text
from movi_prep.records.body_layout import SMPLX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.demo.posed_body import DemoBody
    from movi_prep.demo.session import Session

RATE_HZ = 25.0
FIRST_FRAME = 4
"""Frame of the video that shows the motion at `OFFSET_S`; those before show what came before it."""

OFFSET_S = 0.003
UNKNOWN = (12, 13)
"""Frames without a pose of the camera."""

_PERFORMER, _N_FRAMES = 15, 24
# Of this sex is the most common release of SMPL-X, and the only template whose vertices can be compared.
_SEX = "neutral"
_MANIFEST = """\
# A recording of one's own: a clip, its video, and the camera that was carried along. Paths count from this folder.
body_models: body_models
cameras:
  handheld:
    calibration: calibration/handheld.yaml
recordings:
  - subject: Visitor
    clip: walk
    motion: motions/walk_stageii.npz
    cameras:
      handheld:
        video: videos/walk.mp4
        poses: calibration/walk.npz     # one pose for each frame
        first_frame: {first_frame}                  # frame that shows the motion at offset_s
        offset_s: {offset_s}
"""
_CONFIG = """\
# One clip: a process of its own would take longer to start than it works.
manifest: recordings.yaml
work: work
run:
  executor: serial
"""
_CALIBRATION = """\
%YAML:1.0
---
image_width: {width}
image_height: {height}
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ {fx}, 0., {cx}, 0., {fy}, {cy}, 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 1
   cols: 5
   dt: d
   data: [ {k1}, {k2}, 0., 0., 0. ]
"""


_MANIFEST_NAME = "recordings.yaml"
_PARTS = ("body_models", "motions", "videos", "calibration", "truth.npz", "config.yaml", _MANIFEST_NAME)


@dataclass(frozen=True)
class _Take:
    """The filmed motion: poses (f, 52, 3) and translation (f, 3) at the time of each frame, and where the camera is."""

    poses_rad: NDArray[np.float64]
    translation_m: NDArray[np.float64]
    cameras: tuple[DemoCamera, ...]


def find_own_recording(folder: Path, *, seed: int = 0) -> Path | None:
    """Return the manifest of the whole recording in a folder; None where it must be written (again)."""
    return None if read_made(folder, {"seed": seed}) is None else folder / _MANIFEST_NAME


def write_own_recording(folder: Path, *, seed: int = 0, workers: int | None = None) -> Path:
    """Write the recording below a folder; return its manifest."""
    from movi_prep.video.mp4_writer import write_mp4

    forget_made(folder)
    performer = cast()[_PERFORMER]
    body = shaped_body(read_open_body(_SEX), performer.betas)
    session = act(body, (Cue("walking", Spot(-0.6, 0.5, 30.0)),), np.random.default_rng([seed, 99]))
    take = _take(body, session)
    write_smplx_body(folder / "body_models" / "SMPLX_NEUTRAL.npz")
    _write_npz(folder / "motions" / "walk_stageii.npz", _motion_arrays(session, performer.betas))
    video = folder / "videos" / "walk.mp4"
    write_mp4(video, _film_all(take, workers), size_px=IMAGE_SIZE_PX, rate_hz=RATE_HZ)
    _write_camera(folder, take)
    _write_truth(folder, take, body)
    write_text(folder / "config.yaml", _CONFIG)
    write_text(folder / _MANIFEST_NAME, _MANIFEST.format(first_frame=FIRST_FRAME, offset_s=OFFSET_S))
    write_made(folder, {"seed": seed}, {}, _PARTS)
    return folder / _MANIFEST_NAME


def _motion_arrays(session: Session, betas: NDArray[np.float64]) -> dict[str, Any]:
    """Return the arrays of the clip as AMASS's SMPL-X N release has them."""
    samples = session.clips[0].samples
    # Real files are C-ordered: a reader in blocks relies on it.
    poses = np.ascontiguousarray(smplx_poses(session.poses_rad[samples]).reshape(-1, 3 * SMPLX.n_joints))
    shape = open_body_betas(betas)
    return {
        "gender": np.array(_SEX),
        "surface_model_type": np.array(SMPLX.surface_model_type),
        "mocap_frame_rate": np.array(MOCAP_RATE_HZ),
        "mocap_time_length": np.array(len(poses) / MOCAP_RATE_HZ),
        "trans": session.translation_m[samples],
        "poses": poses,
        "betas": shape,
        "num_betas": np.array(len(shape)),
        "root_orient": poses[:, :3],
        "pose_body": poses[:, 3:66],
        "pose_jaw": poses[:, 66:69],
        "pose_eye": poses[:, 69:75],
        "pose_hand": poses[:, 75:],
    }


def _film_all(take: _Take, workers: int | None) -> Iterator[NDArray[np.uint8]]:
    """Yield all frames, filmed by several processes."""
    n_workers = min(workers or os.cpu_count() or 1, 4)
    parts = np.array_split(np.arange(_N_FRAMES), n_workers)
    if n_workers == 1:
        yield from _film_frames(take, parts[0])
        return
    # Forked children would inherit the locks of whatever threads the caller has.
    with ProcessPoolExecutor(n_workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for images in pool.map(_film_frames, [take] * n_workers, parts):
            yield from images


def _film_frames(take: _Take, frames: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
    performer = cast()[_PERFORMER]
    model = read_open_body(_SEX)
    # Both meshes have one surface, so that the film needs no mesh of SMPL-X.
    body, wardrobe = shaped_body(model, performer.betas), dress(model, performer.clothes, performer.stripe)
    images = []
    for frame in frames.tolist():
        motion = (take.poses_rad[frame : frame + 1], take.translation_m[frame : frame + 1])
        # Another place, another view of the room.
        stage = empty_stage(take.cameras[frame], finer=1)
        images += [shot.image for shot in film(stage, body, wardrobe, motion, _PERFORMER, first=frame)]
    return images


def _take(body: DemoBody, session: Session) -> _Take:
    """Return the session at the times of the frames, each joint turned smoothly from sample to sample."""
    samples = np.arange(len(session.poses_rad)) / MOCAP_RATE_HZ
    begin_s = session.clips[0].samples.start / MOCAP_RATE_HZ + OFFSET_S - FIRST_FRAME / RATE_HZ
    times_s = begin_s + np.arange(_N_FRAMES) / RATE_HZ
    # The splines need only the samples around the frames.
    near = (samples > times_s[0] - 0.1) & (samples < times_s[-1] + 0.1)
    poses = np.stack(
        [
            RotationSpline(samples[near], Rotation.from_rotvec(session.poses_rad[near, joint]))(times_s).as_rotvec()
            for joint in range(session.poses_rad.shape[1])
        ],
        axis=1,
    )
    translation = CubicSpline(samples[near], session.translation_m[near])(times_s)
    _, joints = joint_transforms(body, poses, translation)
    return _Take(poses, translation, tuple(_carried(joints[:, 0])))


def _carried(target_m: NDArray[np.float64]) -> Iterator[DemoCamera]:
    """Yield the camera of each frame: carried a few steps around the person, who stays in the picture."""
    lens = DemoCamera("PG3", (820.4, 822.9), (402.6, 297.3), (-0.12, 0.05), np.eye(3), np.zeros(3))
    for frame, target in enumerate(target_m):
        turn = np.radians(-100.0 + 0.9 * frame)
        sway = 0.03 * np.sin(frame / RATE_HZ * 2 * np.pi * 1.8)
        place = np.array([3.6 * np.cos(turn), 3.6 * np.sin(turn), 1.5 + sway])
        ahead = target - place + np.array([0.1 * np.sin(0.2 * frame), 0.0, 0.05])
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, [np.sin(0.02), 0.0, 1.0])
        right /= np.linalg.norm(right)
        rotation = np.array([right, np.cross(ahead, right), ahead])
        yield replace(lens, rotation=rotation, translation_m=-rotation @ place)


def _write_camera(folder: Path, take: _Take) -> None:
    first = take.cameras[0]
    (fx, fy), (cx, cy), (k1, k2), (width, height) = first.focal_px, first.centre_px, first.radial, IMAGE_SIZE_PX
    text = _CALIBRATION.format(width=width, height=height, fx=fx, fy=fy, cx=cx, cy=cy, k1=k1, k2=k2)
    write_text(folder / "calibration" / "handheld.yaml", text)
    poses = np.array([np.column_stack([camera.rotation, camera.translation_m]) for camera in take.cameras])
    known = np.setdiff1d(np.arange(len(poses)), UNKNOWN)
    _write_npz(folder / "calibration" / "walk.npz", {"world_to_camera": poses[known], "frames": known})


def _write_truth(folder: Path, take: _Take, body: DemoBody) -> None:
    poses = np.array([np.column_stack([camera.rotation, camera.translation_m]) for camera in take.cameras])
    _, joints = joint_transforms(body, take.poses_rad, take.translation_m)
    _write_npz(folder / "truth.npz", {"joints_m": joints, "world_to_camera": poses})


def _write_npz(path: Path, arrays: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as partial:
        np.savez(partial, **arrays)
