"""Projection from AMASS world through a lens (`geometry.lens`) onto pixels, and back to rays; batch axes first.

Pixel centres are at integers. A camera that moves has one pose per row: the first axis of points is its frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.geometry.lens import distort, undistort

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.camera import Camera
    from movi_prep.records.lens import Lens


def world_to_camera(camera: Camera, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 3) float64, metres, camera frame, for (..., 3) points in AMASS world."""
    rotation, translation = camera.world_to_camera_rotation, camera.world_to_camera_translation_m
    if not camera.is_moving:
        return np.asarray(points_m @ rotation.T + translation)
    # The poses of a moving camera belong to the first axis of the points; all axes after it share one pose.
    n, between = len(rotation), [1] * (points_m.ndim - 2)
    turned = (rotation.reshape(n, *between, 3, 3) @ points_m[..., None])[..., 0]
    return np.asarray(turned + translation.reshape(n, *between, 3))


def rotation_to_camera(camera: Camera, rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 3, 3) body-to-camera rotations for (..., 3, 3) body-to-AMASS-world rotations."""
    return np.asarray(camera.world_to_camera_rotation @ rotations)


def project_camera_points(
    points_m: NDArray[np.float64], intrinsics_px: NDArray[np.float64], lens: Lens
) -> NDArray[np.float64]:
    """Return the pixels that points in the camera frame are seen at.

    Args:
        points_m: (..., 3) float64, metres, camera frame.
        intrinsics_px: (3, 3) float64, or (..., 1, 3, 3) for one camera per row of points.
        lens: the lens.

    Returns:
        (..., 2) float64, pixels; NaN for points behind the camera and beyond the radius at which the lens model
        turns back on itself.
    """
    depth = points_m[..., 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        # A point behind the camera would appear mirrored in the picture.
        plane = np.where(depth > 0, points_m[..., :2] / depth, np.nan)
    seen = distort(plane, lens)
    homogeneous = np.concatenate([seen, np.ones_like(depth)], axis=-1)
    return np.asarray((intrinsics_px @ homogeneous[..., None])[..., :2, 0])


def project_points(camera: Camera, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 2) pixels for (..., 3) points in AMASS world, metres; NaN where the camera cannot see."""
    return project_camera_points(world_to_camera(camera, points_m), camera.intrinsics_px, camera.lens)


def pixel_rays(camera: Camera, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 3) float64 rays (x, y, 1) in the camera frame through (..., 2) pixels; NaN where there is none."""
    ones = np.ones((*pixels.shape[:-1], 1))
    seen = np.concatenate([pixels, ones], axis=-1) @ np.linalg.inv(camera.intrinsics_px).T
    return np.concatenate([undistort(seen[..., :2], camera.lens), ones], axis=-1)


def crop_intrinsics(
    intrinsics_px: NDArray[np.float64], corner_px: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the intrinsics of pictures cut out of a video and scaled.

    A pixel u of the video lies at (u - corner + 0.5) scale - 0.5 in the picture: corners scale, centres do not.

    Args:
        intrinsics_px: (3, 3) float64, pixels, of the video.
        corner_px: (n, 2) column and row of the first pixel of each picture.
        scale: (n,) picture pixels per video pixel.

    Returns:
        (n, 3, 3) float64, pixels.
    """
    into_picture = np.zeros((len(corner_px), 3, 3))
    into_picture[:, 0, 0] = into_picture[:, 1, 1] = scale
    into_picture[:, :2, 2] = (0.5 - corner_px) * scale[:, None] - 0.5
    into_picture[:, 2, 2] = 1.0
    return np.asarray(into_picture @ intrinsics_px)


def into_crop(
    pixels: NDArray[np.float64], intrinsics_px: NDArray[np.float64], cut_intrinsics_px: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return pixels of a video as pixels of a picture that was cut out of it and scaled.

    Args:
        pixels: (..., 2) float64, of the video.
        intrinsics_px: (3, 3) float64, of the video.
        cut_intrinsics_px: (3, 3) or (..., 3, 3) float64, of the picture (`crop_intrinsics`).
    """
    # The lens acts before both matrices, so that one matrix undoes the other.
    turn = cut_intrinsics_px @ np.linalg.inv(intrinsics_px)
    homogeneous = np.concatenate([pixels, np.ones((*pixels.shape[:-1], 1))], axis=-1)
    return np.asarray((turn @ homogeneous[..., None])[..., :2, 0])


def inside_image(pixels: NDArray[np.float64], size_px: tuple[int, int]) -> NDArray[np.bool_]:
    """Return (...) bool: whether (..., 2) pixels lie on an image of (width, height); false for NaN."""
    # A pixel covers half a pixel on each side of its centre.
    far = np.asarray(size_px, dtype=np.float64) - 0.5
    with np.errstate(invalid="ignore"):
        return np.asarray(((pixels >= -0.5) & (pixels < far)).all(axis=-1))
