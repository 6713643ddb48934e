"""Cameras of a manifest: files of OpenCV, Pose2Sim and COLMAP, and poses of moving cameras, in AMASS world.

| calibration | read as |
|---|---|
| folder with `cameras.txt` and `images.txt` | COLMAP: a camera with several pictures moves |
| .toml | Pose2Sim |
| .yaml, .yml, .xml, .json | OpenCV |
| .pkl | the moving camera of a sequence of 3DPW or EMDB, with the people's own world: `world_up` does not matter |
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.config.footage import CameraOptions
from movi_prep.errors import InputError, list_names, suggest
from movi_prep.formats.camera_poses import read_camera_poses
from movi_prep.formats.colmap_cameras import read_colmap_cameras
from movi_prep.formats.data_set_cameras import read_data_set_camera
from movi_prep.formats.opencv_calibration import read_opencv_camera
from movi_prep.formats.pose2sim_calibration import read_pose2sim_cameras
from movi_prep.geometry.frames import AMASS_TO_GROUND
from movi_prep.recordings.picture_frames import frames_of_pictures
from movi_prep.records.camera import Camera
from movi_prep.records.checks import frozen_array
from movi_prep.records.lens import opencv_lens

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from movi_prep.records.calibrated_camera import CalibratedCamera
    from movi_prep.records.lens import Lens
    from movi_prep.records.recordings import CameraFiles

_FROM_AMASS = {"z": np.eye(3), "y": AMASS_TO_GROUND, "-y": np.diag([1.0, -1.0, -1.0]) @ AMASS_TO_GROUND}
"""Axis of the calibration's world that points up -> the matrix that turns AMASS world into that world."""


def read_manifest_camera(name: str, files: CameraFiles, video: Path | None) -> Camera:
    """Read a camera of a manifest.

    Args:
        name: its name in the manifest.
        files: its calibration.
        video: the folder of its pictures, whose names the poses may have.

    Raises:
        MissingError: a file is not there.
        InputError: a file cannot be read, or lacks something that a camera needs.
    """
    if files.intrinsics.suffix.lower() == ".pkl":
        return read_data_set_camera(name, files.intrinsics)
    options, found = files.options or CameraOptions(), _calibrated(files)
    size_px = found.size_px or options.size_px
    if size_px is None:
        raise InputError(
            found.source,
            expected="width and height of the pictures",
            got="a calibration that does not say",
            remedy=f"add size_px: [1920, 1080] to camera {name!r} in the manifest",
        )
    turn = _FROM_AMASS[options.world_up]
    rotations, translations, frames = found.rotations, found.translations_m, frames_of_pictures(found, files, video)
    # Poses in a file of their own go before the one pose of the calibration.
    if files.extrinsics.suffix.lower() == ".npz":
        poses, frames = read_camera_poses(files.extrinsics)
        rotations, translations = poses[:, :, :3], poses[:, :, 3] * (options.metres_per_unit or 1.0)
    if not len(rotations):
        raise InputError(
            found.source,
            expected="the pose of the camera (rvec and tvec), or a file with poses for each frame",
            got="neither",
            remedy=f"calibrate the extrinsics of camera {name!r}, or name `poses` in the manifest",
        )
    if frames is None:
        rotations, translations = rotations[0], translations[0]
    return Camera(
        name=name,
        intrinsics_px=frozen_array(found.intrinsics_px),
        lens=_lens(found, options),
        # From AMASS world into the calibration's, and on into the camera; the origin is the same.
        world_to_camera_rotation=frozen_array(rotations @ turn),
        world_to_camera_translation_m=frozen_array(translations),
        size_px=size_px,
        source=found.source,
        pose_frames=frames,
    )


def _calibrated(files: CameraFiles) -> CalibratedCamera:
    path, options = files.intrinsics, files.options or CameraOptions()
    if path.name == "cameras.txt":
        if options.metres_per_unit is None:
            raise InputError(
                path.parent,
                expected="metres_per_unit in the manifest: COLMAP leaves the unit of its world open",
                got="none",
                remedy="measure a length in the model, and divide its metres by it",
            )
        cameras: Sequence[CalibratedCamera] = read_colmap_cameras(path.parent, metres_per_unit=options.metres_per_unit)
    elif path.suffix.lower() == ".toml":
        cameras = [_in_metres(camera, options.metres_per_unit or 1.0) for camera in read_pose2sim_cameras(path)]
    else:
        return read_opencv_camera(path, metres_per_unit=options.metres_per_unit or 1.0)
    named = {camera.name: camera for camera in cameras}
    wanted = options.calibration_name or ""
    if wanted in named:
        return named[wanted]
    # A file of one camera needs no name.
    if len(cameras) == 1:
        return cameras[0]
    raise InputError(
        path,
        expected=f"a camera {wanted!r}",
        got=f"{list_names(named)}{suggest(wanted, named)}",
        remedy="give calibration_name of this camera in the manifest",
    )


def _in_metres(camera: CalibratedCamera, metres_per_unit: float) -> CalibratedCamera:
    return replace(camera, translations_m=camera.translations_m * metres_per_unit)


def _lens(camera: CalibratedCamera, options: CameraOptions) -> Lens:
    """Return the lens; raise InputError where nothing states the distortion, or file and manifest differ."""
    undistorted = options.distortion == "none"
    if undistorted and (camera.lens is None or not camera.lens.coefficients.any()):
        return opencv_lens([], source=camera.source)
    if camera.lens is None or undistorted:
        raise InputError(
            camera.source,
            expected="no distortion coefficients, as the manifest says" if undistorted else "distortion coefficients",
            got="some" if undistorted else "none",
            remedy="say distortion: none in the manifest if, and only if, the pictures are undistorted",
        )
    return camera.lens
