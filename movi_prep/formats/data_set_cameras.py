"""The moving camera of a sequence of 3DPW or EMDB, from the pickle that also holds the poses of the people.

| data set | intrinsics | poses, world -> camera | mask of good frames | size, px |
|---|---|---|---|---|
| 3DPW | `cam_intrinsics` (3, 3) | `cam_poses` (n, 4, 4) | `campose_valid` of all people | 1080 x 1920 |
| EMDB | `camera.intrinsics` (3, 3) | `camera.extrinsics` (n, 4, 4) | `good_frames_mask` | `camera.width`, `.height` |

Pictures of both are undistorted. People and camera of a file share one world, so that the people's up axis is also
the camera's. 3DPW does not state the size; a lying picture (1920 x 1080) shows in its principal point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import InputError, list_names
from movi_prep.formats.array_pickle import take_from_pickle
from movi_prep.formats.pose_results import read_posed_persons
from movi_prep.geometry.up_axis import find_up, turn_up_to_z
from movi_prep.records.camera import Camera
from movi_prep.records.checks import check_shape, frozen_array
from movi_prep.records.lens import opencv_lens

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.motion import UpAxis

_SIZE_3DPW_PX = (1080, 1920)
_REMEDY = "name the sequence's own file (sequenceFiles/.../NAME.pkl of 3DPW, NAME_data.pkl of EMDB)"


def read_data_set_camera(name: str, path: Path, *, up: UpAxis | None = None) -> Camera:
    """Read the camera of a sequence, in AMASS world.

    Args:
        name: what it is called.
        path: the sequence's pickle.
        up: which axis of its world is up; None to find it from the first person, as for their motion.

    Raises:
        MissingError: there is no such file.
        InputError: it holds no camera that is known here.
    """
    intrinsics, poses, is_good, size = take_from_pickle(path, lambda content: _camera(content, path), remedy=_REMEDY)
    check_shape(intrinsics, (3, 3), what="intrinsics", where=str(path))
    check_shape(poses, (None, 4, 4), what="camera poses", where=str(path))
    check_shape(is_good, (len(poses),), what="the mask of good frames", where=str(path))
    frames = np.flatnonzero(is_good & np.isfinite(poses).all(axis=(1, 2)))
    if not len(frames):
        raise InputError(path, expected="a frame in which the camera is known", got="none", remedy=_REMEDY)
    # From the people, not from the camera: people stand upright, a camera in a hand need not.
    axis = up or find_up(read_posed_persons(path)[0].poses_rad[:, 0], where=str(path))[0]
    return Camera(
        name=name,
        intrinsics_px=frozen_array(intrinsics),
        # No coefficients: pictures of both data sets are undistorted.
        lens=opencv_lens([], source=str(path)),
        # From AMASS world back into the file's, and on into the camera.
        world_to_camera_rotation=frozen_array(poses[frames, :3, :3] @ turn_up_to_z(axis).T),
        world_to_camera_translation_m=frozen_array(poses[frames, :3, 3]),
        size_px=size,
        source=str(path),
        pose_frames=frozen_array(frames, dtype=np.int64),
    )


_Parts = tuple["NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.bool_]", tuple[int, int]]


def _camera(content: Any, path: Path) -> _Parts:
    """Return intrinsics, poses, the mask of good frames, and the size of the pictures."""
    if isinstance(content, dict) and {"cam_poses", "cam_intrinsics"} <= content.keys():
        intrinsics = np.asarray(content["cam_intrinsics"], dtype=np.float64)
        poses = np.asarray(content["cam_poses"], dtype=np.float64)
        valid = [np.asarray(each, dtype=np.bool_) for each in content.get("campose_valid", [])]
        # The principal point lies near the middle, so that it tells which side is the longer one.
        upright = intrinsics[0, 2] < intrinsics[1, 2]
        size = _SIZE_3DPW_PX if upright else _SIZE_3DPW_PX[::-1]
        # Good for all people, or not at all: one world serves everybody in the file.
        return intrinsics, poses, np.all(valid, axis=0) if valid else np.ones(len(poses), np.bool_), size
    camera = content.get("camera") if isinstance(content, dict) else None
    if isinstance(camera, dict) and {"intrinsics", "extrinsics", "width", "height"} <= camera.keys():
        poses = np.asarray(camera["extrinsics"], dtype=np.float64)
        good = np.asarray(content.get("good_frames_mask", np.ones(len(poses))), dtype=np.bool_)
        size = int(camera["width"]), int(camera["height"])
        return np.asarray(camera["intrinsics"], dtype=np.float64), poses, good, size
    got = f"only {list_names(map(str, content))}" if isinstance(content, dict) else f"a {type(content).__name__}"
    raise InputError(path, expected="the camera of a sequence of 3DPW or EMDB", got=got, remedy=_REMEDY)
