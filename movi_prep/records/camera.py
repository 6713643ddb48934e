"""A camera: intrinsics, lens, and its pose in AMASS world: one, or one for each frame of its video."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InternalError
from movi_prep.records.checks import check_finite, check_rotations, check_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.lens import Lens


@dataclass(frozen=True)
class Camera:
    """A camera, OpenCV axes (x right, y down, z forward).

    A point X in AMASS world (metres) lies at `world_to_camera_rotation @ X + world_to_camera_translation_m` in
    the camera frame. Pixel centres are at integers, (0, 0) is the centre of the top left pixel. A camera that moves has
    one pose for each of its `pose_frames`; in other frames its pose is unknown.

    Attributes:
        name: "PG1" or "PG2" (or a user's own).
        intrinsics_px: (3, 3) float64, [[fx, s, cx], [0, fy, cy], [0, 0, 1]], pixels, 0-based principal point.
        lens: the lens.
        world_to_camera_rotation: (3, 3) float64, AMASS world to camera; (n, 3, 3) of a camera that moves.
        world_to_camera_translation_m: (3,) float64, metres; (n, 3) of a camera that moves.
        size_px: width and height of the image, pixels.
        source: the files it was derived from.
        pose_frames: (n,) int64, increasing: the video frames of the poses; None for a static camera.
    """

    name: str
    intrinsics_px: NDArray[np.float64]
    lens: Lens
    world_to_camera_rotation: NDArray[np.float64]
    world_to_camera_translation_m: NDArray[np.float64]
    size_px: tuple[int, int]
    source: str
    pose_frames: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Check shapes, finite values and that the rotations are rotations."""
        n = () if self.pose_frames is None else (len(self.pose_frames),)
        check_shape(self.intrinsics_px, (3, 3), what="intrinsics", where=self.source)
        check_shape(self.world_to_camera_rotation, (*n, 3, 3), what="rotation", where=self.source)
        check_shape(self.world_to_camera_translation_m, (*n, 3), what="translation", where=self.source)
        for name, values in (
            ("intrinsics", self.intrinsics_px),
            ("rotation", self.world_to_camera_rotation),
            ("translation", self.world_to_camera_translation_m),
        ):
            check_finite(values, what=name, where=self.source)
        check_rotations(self.world_to_camera_rotation, what=f"the pose of camera {self.name!r}", where=self.source)

    @property
    def is_moving(self) -> bool:
        """Whether the camera has a pose for each frame."""
        return self.pose_frames is not None

    def has_pose(self, frames: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return (n,) bool: video frames in which the camera's pose is known."""
        if self.pose_frames is None:
            return np.ones(len(frames), dtype=np.bool_)
        return np.isin(frames, self.pose_frames)

    def at(self, frames: NDArray[np.int64] | int) -> Camera:
        """Return the camera with one pose for each of some increasing video frames, or standing still at one frame.

        A static camera is the same in all frames.
        """
        if self.pose_frames is None:
            return self
        wanted = np.asarray(frames, dtype=np.int64)
        # A frame beyond the last pose would index past the end; the comparison below refuses it.
        rows = np.minimum(np.searchsorted(self.pose_frames, wanted), len(self.pose_frames) - 1)
        if (self.pose_frames[rows] != wanted).any():
            raise InternalError(f"camera {self.name} has no pose in some frames; they should have been refused")
        return replace(
            self,
            world_to_camera_rotation=self.world_to_camera_rotation[rows],
            world_to_camera_translation_m=self.world_to_camera_translation_m[rows],
            # One frame: the camera stands still there, and needs no frames.
            pose_frames=None if wanted.ndim == 0 else wanted,
        )
