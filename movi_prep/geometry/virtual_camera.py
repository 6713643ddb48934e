"""A virtual camera turned to the middle of a box: undistorted, upright, square pixels, the box filling the picture.

Looking at a person through the middle of the real picture and through its edge gives different perspectives of the
same pose; turning a camera to the box makes the picture depend on the pose only (MeTRAbs, Sarandi et al. 2020,
which D3KE follows). The optical centre stays, so every pixel of the new picture has one place in the old one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from movi_prep.errors import InputError
from movi_prep.geometry.lens import distort
from movi_prep.geometry.projection import pixel_rays
from movi_prep.records.camera import Camera


@dataclass(frozen=True)
class VirtualCamera:
    """A pinhole camera without distortion at the optical centre of a real one.

    Attributes:
        world_to_camera_rotation: (3, 3) float64, AMASS world to this camera (x right, y down, z forward).
        centre_m: (3,) float64, metres, AMASS world.
        intrinsics_px: (3, 3) float64, pixels; pixel centres at integers.
        size_px: side of the square picture, pixels.
    """

    world_to_camera_rotation: NDArray[np.float64]
    centre_m: NDArray[np.float64]
    intrinsics_px: NDArray[np.float64]
    size_px: int

    def to_camera(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (..., 3) points of AMASS world in this camera's frame, metres."""
        return np.asarray((points_m - self.centre_m) @ self.world_to_camera_rotation.T)

    def to_pixels(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (..., 2) pixels of (..., 3) points in this camera's frame; NaN behind it."""
        depth = points_m[..., 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            plane = np.where(depth > 0, points_m[..., :2] / depth, np.nan)
        return np.asarray(plane @ self.intrinsics_px[:2, :2].T + self.intrinsics_px[:2, 2])


def aim_camera(
    camera: Camera,
    box_px: NDArray[np.float64],
    *,
    size_px: int,
    zoom: float = 1.0,
    roll_rad: float = 0.0,
    shift: tuple[float, float] = (0.0, 0.0),
) -> VirtualCamera:
    """Return the virtual camera that looks at a box.

    Args:
        camera: the real camera, at one moment.
        box_px: (4,) column and row of the first pixel, width and height, pixels.
        size_px: side of the picture, pixels.
        zoom: further magnification (augmentation).
        roll_rad: rotation about the optical axis, radians (augmentation).
        shift: offset of the aim from the middle, in sides of the box (augmentation).

    Raises:
        InputError: the middle of the box lies beyond what the lens shows.
    """
    side = float(box_px[2:].max())
    # A box of w pixels that starts at x covers x - 0.5 to x + w - 0.5.
    middle = box_px[:2] + (box_px[2:] - 1.0) / 2.0 + np.asarray(shift) * side
    # The middles of the two far sides: the distance between them, as this camera sees it, sets the focal length.
    # The longer side must fit into the square picture.
    along = np.array([0.0, side / 2.0]) if box_px[3] > box_px[2] else np.array([side / 2.0, 0.0])
    rays = pixel_rays(camera, np.stack([middle, middle - along, middle + along]))
    if not np.isfinite(rays).all():
        raise InputError(
            camera.source,
            expected="a box that the lens can show",
            got=f"a box of {side:.0f} px about pixel ({middle[0]:.0f}, {middle[1]:.0f})",
            remedy="check the distortion terms of this camera, or leave the frame out",
        )
    rotation = _roll(roll_rad) @ _look_along(
        camera.world_to_camera_rotation.T @ rays[0], sideways=camera.world_to_camera_rotation[0]
    )
    sides = (rays[1:] @ camera.world_to_camera_rotation) @ rotation.T
    extent = float(np.linalg.norm(sides[0, :2] / sides[0, 2] - sides[1, :2] / sides[1, 2]))
    focal = zoom * size_px / extent
    centre = (size_px - 1) / 2.0
    return VirtualCamera(
        world_to_camera_rotation=rotation,
        centre_m=-camera.world_to_camera_rotation.T @ camera.world_to_camera_translation_m,
        intrinsics_px=np.array([[focal, 0.0, centre], [0.0, focal, centre], [0.0, 0.0, 1.0]]),
        size_px=size_px,
    )


def source_pixels(camera: Camera, virtual: VirtualCamera) -> NDArray[np.float64]:
    """Return (size, size, 2) float64: the pixel of the real picture that each pixel of the virtual one shows.

    NaN where the lens shows nothing. Row and column of the virtual picture come first.
    """
    steps = np.arange(virtual.size_px, dtype=np.float64)
    return source_pixels_at(camera, virtual, np.stack(np.meshgrid(steps, steps), axis=-1))


def source_pixels_at(camera: Camera, virtual: VirtualCamera, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 2) float64: the pixels of the real picture that (..., 2) pixels of the virtual one show."""
    plane = (pixels - virtual.intrinsics_px[:2, 2]) / virtual.intrinsics_px[0, 0]
    # Both look from one place: a rotation leads from one to the other, no depth is needed.
    turn = camera.world_to_camera_rotation @ virtual.world_to_camera_rotation.T
    rays = plane @ turn[:, :2].T + turn[:, 2]
    seen = np.where(rays[..., 2:] > 0, rays[..., :2] / rays[..., 2:], np.nan)
    return np.asarray(distort(seen, camera.lens) @ camera.intrinsics_px[:2, :2].T + camera.intrinsics_px[:2, 2])


_STEEP = 1e-6
"""Sine of the angle to the vertical below which the horizon is numerically undefined."""


def _look_along(direction: NDArray[np.float64], *, sideways: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation, world to camera, of an upright camera that looks along a direction of the world (z up).

    When it looks straight down or up, "upright" is undefined; its x axis then follows the real camera's, `sideways`.
    """
    x, y, z = forward = direction / np.sqrt(direction @ direction)
    level = np.hypot(x, y)
    # right = forward x up, level
    right = np.array([y, -x, 0.0]) / level if level > _STEEP else sideways - (sideways @ forward) * forward
    right = right / np.sqrt(right @ right)
    return np.array([right, np.cross(forward, right), [x, y, z]])


def _roll(angle_rad: float) -> NDArray[np.float64]:
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])
