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
    """A pinhole camera without distortion at the optical centre of a real one; or n of them, one for each row.

    Attributes:
        world_to_camera_rotation: (3, 3) or (n, 3, 3) float64, AMASS world to this camera (x right, y down, z forward).
        centre_m: (3,) or (n, 3) float64, metres, AMASS world.
        intrinsics_px: (3, 3) or (n, 3, 3) float64, pixels; pixel centres at integers.
        size_px: side of the square picture, pixels.
    """

    world_to_camera_rotation: NDArray[np.float64]
    centre_m: NDArray[np.float64]
    intrinsics_px: NDArray[np.float64]
    size_px: int

    def __getitem__(self, row: int) -> VirtualCamera:
        """Return the camera of one row."""
        return VirtualCamera(
            self.world_to_camera_rotation[row], self.centre_m[row], self.intrinsics_px[row], self.size_px
        )

    def to_camera(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (p, 3) or (n, p, 3) points of AMASS world in this camera's frame, metres."""
        turn = np.swapaxes(self.world_to_camera_rotation, -1, -2)
        return np.asarray((points_m - self.centre_m[..., None, :]) @ turn)

    def to_pixels(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (p, 2) or (n, p, 2) pixels of points in this camera's frame; NaN behind it."""
        depth = points_m[..., 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            plane = np.where(depth > 0, points_m[..., :2] / depth, np.nan)
        # Square pixels, no skew: one focal length.
        return np.asarray(plane * self.intrinsics_px[..., :1, :1] + self.intrinsics_px[..., None, :2, 2])


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
    return aim_cameras(
        camera,
        box_px[None],
        size_px=size_px,
        zoom=np.array([zoom]),
        roll_rad=np.array([roll_rad]),
        shift=np.array([shift]),
    )[0]


def aim_cameras(
    camera: Camera,
    boxes_px: NDArray[np.float64],
    *,
    size_px: int,
    zoom: NDArray[np.float64],
    roll_rad: NDArray[np.float64],
    shift: NDArray[np.float64],
) -> VirtualCamera:
    """Return the n virtual cameras that look at n boxes, all worked out at once.

    Args:
        camera: the real camera, standing, or with one pose for each box.
        boxes_px: (n, 4), as for `aim_camera`.
        size_px: side of the pictures, pixels.
        zoom: (n,) further magnification.
        roll_rad: (n,) rotation about the optical axis, radians.
        shift: (n, 2) offset of the aim from the middle, in sides of the box.

    Raises:
        InputError: the middle of a box lies beyond what the lens shows.
    """
    side = boxes_px[:, 2:].max(axis=1)
    # A box of w pixels that starts at x covers x - 0.5 to x + w - 0.5.
    middle = boxes_px[:, :2] + (boxes_px[:, 2:] - 1.0) / 2.0 + shift * side[:, None]
    # The middles of the two far sides: the distance between them, as this camera sees it, sets the focal length.
    # The longer side must fit into the square picture.
    is_tall = boxes_px[:, 3] > boxes_px[:, 2]
    along = np.stack([~is_tall, is_tall], axis=1) * (side[:, None] / 2.0)
    rays = pixel_rays(camera, np.stack([middle, middle - along, middle + along], axis=1))
    _check_seen(camera, rays, side, middle)
    to_camera = camera.world_to_camera_rotation
    to_world = np.swapaxes(to_camera, -1, -2)
    looking = (to_world @ rays[:, 0, :, None])[..., 0]
    rotation = _roll(roll_rad) @ _look_along(looking, sideways=to_camera[..., 0, :])
    sides = (rays[:, 1:] @ to_camera) @ np.swapaxes(rotation, -1, -2)
    ends = sides[..., :2] / sides[..., 2:]
    extent = np.sqrt(((ends[:, 0] - ends[:, 1]) ** 2).sum(axis=-1))
    intrinsics_px = np.zeros((len(side), 3, 3))
    intrinsics_px[:, 0, 0] = intrinsics_px[:, 1, 1] = zoom * size_px / extent
    intrinsics_px[:, :2, 2] = (size_px - 1) / 2.0
    intrinsics_px[:, 2, 2] = 1.0
    centre_m = -(to_world @ camera.world_to_camera_translation_m[..., None])[..., 0]
    each_m = centre_m if camera.is_moving else centre_m[None].repeat(len(side), axis=0)
    return VirtualCamera(rotation, each_m, intrinsics_px, size_px)


def _check_seen(
    camera: Camera, rays: NDArray[np.float64], side: NDArray[np.float64], middle: NDArray[np.float64]
) -> None:
    unseen = np.flatnonzero(~np.isfinite(rays).all(axis=(1, 2)))
    if len(unseen):
        column, row = middle[unseen[0]]
        raise InputError(
            camera.source,
            expected="a box that the lens can show",
            got=f"a box of {side[unseen[0]]:.0f} px about pixel ({column:.0f}, {row:.0f})",
            remedy="check the distortion terms of this camera, or leave the frame out",
        )


def source_pixels(camera: Camera, virtual: VirtualCamera) -> NDArray[np.float64]:
    """Return (size, size, 2) float64: the pixel of the real picture that each pixel of the virtual one shows.

    NaN where the lens shows nothing. Row and column of the virtual picture come first.
    """
    steps = np.arange(virtual.size_px, dtype=np.float64)
    return source_pixels_at(camera, virtual, np.stack(np.meshgrid(steps, steps), axis=-1))


def source_pixels_at(camera: Camera, virtual: VirtualCamera, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the pixels of the real picture that (..., 2) pixels of the virtual one show.

    (..., 2) float64; (n, ..., 2) for n virtual cameras, and a real one that stands or has n poses.
    """
    flat = pixels.reshape(-1, 2)
    plane = (flat - virtual.intrinsics_px[..., None, :2, 2]) / virtual.intrinsics_px[..., :1, :1]
    # Both look from one place: a rotation leads from one to the other, no depth is needed.
    turn = camera.world_to_camera_rotation @ np.swapaxes(virtual.world_to_camera_rotation, -1, -2)
    rays = plane @ np.swapaxes(turn[..., :2], -1, -2) + turn[..., None, :, 2]
    seen = np.where(rays[..., 2:] > 0, rays[..., :2] / rays[..., 2:], np.nan)
    found = distort(seen, camera.lens) @ camera.intrinsics_px[:2, :2].T + camera.intrinsics_px[:2, 2]
    return np.asarray(found.reshape(*found.shape[:-2], *pixels.shape))


_STEEP = 1e-6
"""Sine of the angle to the vertical below which the horizon is numerically undefined."""


def _look_along(directions: NDArray[np.float64], *, sideways: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 3, 3) rotations, world to camera, of upright cameras that look along directions of the world (z up).

    When one looks straight down or up, "upright" is undefined; its x axis then follows the real camera's, `sideways`.
    """
    forward = directions / np.sqrt((directions * directions).sum(axis=-1, keepdims=True))
    level = np.hypot(forward[:, 0], forward[:, 1])[:, None]
    # right = forward x up, level
    right = np.stack([forward[:, 1], -forward[:, 0], np.zeros(len(forward))], axis=-1)
    beside = sideways - (sideways * forward).sum(axis=-1, keepdims=True) * forward
    right = np.where(level > _STEEP, right, beside)
    right = right / np.sqrt((right * right).sum(axis=-1, keepdims=True))
    x, y, z = forward.T
    a, b, c = right.T
    down = np.stack([y * c - z * b, z * a - x * c, x * b - y * a], axis=-1)  # forward x right
    return np.stack([right, down, forward], axis=1)


def _roll(angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    turn = np.zeros((len(angles_rad), 3, 3))
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angles_rad)
    turn[:, 0, 1] = np.sin(angles_rad)
    turn[:, 1, 0] = -turn[:, 0, 1]
    turn[:, 2, 2] = 1.0
    return turn
