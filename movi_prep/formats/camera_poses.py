"""Poses of a camera that moves: an .npz file, one pose for each frame of its video in which the camera is known.

| array | shape | content |
|---|---|---|
| `world_to_camera` | (n, 3, 4) or (n, 4, 4) | rotation and translation (in the unit of the calibration) |
| `frames` | (n,) whole numbers | frames of the video, increasing; without it 0, 1, 2, ... |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError, list_names
from movi_prep.formats.npz import NpzArchive
from movi_prep.formats.reading import reading

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_REMEDY = "save the poses as numpy.savez(FILE, world_to_camera=..., frames=...)"


def read_camera_poses(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return (n, 3, 4) poses and the (n,) frames that they are of.

    Raises:
        MissingError: there is no such file.
        InputError: an array is missing, or is not what it must be.
    """
    with NpzArchive(path) as archive, reading(path, expected="poses of a camera"):
        if "world_to_camera" not in archive:
            got = f"only {list_names(archive.names)}"
            raise InputError(path, expected="an array 'world_to_camera'", got=got, remedy=_REMEDY)
        poses = archive.numbers("world_to_camera")
        # As float64, so that both cases pass the same check of whole numbers.
        numbers = archive.numbers("frames") if "frames" in archive else np.arange(len(poses), dtype=np.float64)
    if poses.ndim != 3 or poses.shape[1:] not in ((3, 4), (4, 4)) or not len(poses):
        raise InputError(path, expected="world_to_camera (n, 3, 4)", got=f"shape {poses.shape}", remedy=_REMEDY)
    frames = check_pose_frames(numbers, len(poses), where=str(path))
    # The fourth row of a (4, 4) pose is 0, 0, 0, 1 and says nothing.
    return poses[:, :3], frames


def check_pose_frames(numbers: NDArray[np.float64], n_poses: int, *, where: str) -> NDArray[np.int64]:
    """Return frame numbers; raise InputError unless there is one for each pose, and they are whole and increase."""
    whole = numbers.shape == (n_poses,) and bool((numbers == np.round(numbers)).all() and (numbers >= 0).all())
    if not whole or (np.diff(numbers) <= 0).any():
        raise InputError(
            where,
            expected=f"{n_poses} whole frame numbers from 0 that increase, one for each pose",
            got=f"shape {numbers.shape}" if numbers.shape != (n_poses,) else "numbers that do not",
            remedy=_REMEDY,
        )
    return numbers.astype(np.int64)
