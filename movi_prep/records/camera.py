"""A camera: intrinsics, two radial distortion terms, and its pose in AMASS world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError
from movi_prep.records.checks import check_finite, check_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROTATION_TOLERANCE = 1e-4
"""How far R R^T may be from the identity: calibration files are printed with 7 to 16 digits."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with radial distortion, OpenCV axes (x right, y down, z forward).

    A point X in AMASS world (metres) stands at `world_to_camera_rotation @ X + world_to_camera_translation_m` in
    the camera frame. Pixel centres are at integers, (0, 0) is the centre of the top left pixel.

    Attributes:
        name: "PG1" or "PG2" (or a user's own).
        intrinsics_px: (3, 3) float64, [[fx, s, cx], [0, fy, cy], [0, 0, 1]], pixels, 0-based principal point.
        radial_distortion: (2,) float64, k1 and k2 of x (1 + k1 r^2 + k2 r^4) on normalised coordinates.
        world_to_camera_rotation: (3, 3) float64, AMASS world to camera.
        world_to_camera_translation_m: (3,) float64, metres.
        size_px: width and height of the image, pixels.
        source: the files it was derived from.
    """

    name: str
    intrinsics_px: NDArray[np.float64]
    radial_distortion: NDArray[np.float64]
    world_to_camera_rotation: NDArray[np.float64]
    world_to_camera_translation_m: NDArray[np.float64]
    size_px: tuple[int, int]
    source: str

    def __post_init__(self) -> None:
        """Check shapes, finite values and that the rotation is one."""
        check_shape(self.intrinsics_px, (3, 3), what="intrinsics", where=self.source)
        check_shape(self.radial_distortion, (2,), what="radial distortion", where=self.source)
        check_shape(self.world_to_camera_rotation, (3, 3), what="rotation", where=self.source)
        check_shape(self.world_to_camera_translation_m, (3,), what="translation", where=self.source)
        for name, values in (
            ("intrinsics", self.intrinsics_px),
            ("radial distortion", self.radial_distortion),
            ("rotation", self.world_to_camera_rotation),
            ("translation", self.world_to_camera_translation_m),
        ):
            check_finite(values, what=name, where=self.source)
        rotation = self.world_to_camera_rotation
        error = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
        if error > _ROTATION_TOLERANCE or np.linalg.det(rotation) < 0:
            raise InputError(
                self.source,
                expected="a rotation matrix (orthonormal, determinant +1)",
                got=f"R R^T off by {error:.2g}, determinant {np.linalg.det(rotation):+.3f}",
                remedy="check the extrinsics file of this camera",
            )
