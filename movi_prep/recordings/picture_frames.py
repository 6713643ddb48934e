"""The frame of the video that each picture of a COLMAP model is, by the numbers in their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError, list_names
from movi_prep.formats.camera_poses import check_pose_frames
from movi_prep.formats.picture_folder import list_pictures, picture_number

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.calibrated_camera import CalibratedCamera
    from movi_prep.records.recordings import CameraFiles


def frames_of_pictures(camera: CalibratedCamera, files: CameraFiles, video: Path | None) -> NDArray[np.int64] | None:
    """Return the frame of each pose's picture; None for a camera that stands still."""
    if len(camera.pictures) <= 1:
        return None
    first = None if files.options is None else files.options.first_picture
    if first is not None:
        numbers = [picture_number(name)[1] - first for name in camera.pictures]
    elif video is not None and video.is_dir():
        # By name, because a model may hold its pictures in other folders.
        frame_of = {path.name: frame for frame, path in list_pictures(video).items()}
        # A model may have been made from some of the pictures, or know more of them.
        numbers = [frame_of.get(name.rpartition("/")[2], -1) for name in camera.pictures]
    else:
        raise InputError(
            files.extrinsics,
            expected="first_picture in the manifest: the number in the name of the picture of frame 0",
            got=f"pictures {list_names(camera.pictures, at_most=3)} beside a video",
            remedy="add it; ffmpeg counts pictures from 1",
        )
    return check_pose_frames(np.array(numbers, dtype=np.float64), len(numbers), where=str(files.extrinsics))
