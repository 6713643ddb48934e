"""From AMASS world through a camera's lens onto its pixels, and back to rays; batch axes first.

The lens is the radial model of MATLAB and OpenCV with two terms: a point (x, y) on the plane z = 1 is seen at
(x, y) (1 + k1 r^2 + k2 r^4), r^2 = x^2 + y^2 (Brown 1971; OpenCV, `calib3d`, "Camera Calibration"). Pixel centres
are at integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.camera import Camera

_NEWTON_STEPS = 20
"""Newton's method doubles its digits per step; lenses seen so far need four."""

_NEWTON_TOLERANCE = 1e-13
"""A step below this, on the plane z = 1, changes nothing that a float64 pixel could show."""


def world_to_camera(camera: Camera, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 3) float64, metres, camera frame, for (..., 3) points in AMASS world."""
    return np.asarray(points_m @ camera.world_to_camera_rotation.T + camera.world_to_camera_translation_m)


def rotation_to_camera(camera: Camera, rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 3, 3) body-to-camera rotations for (..., 3, 3) body-to-AMASS-world rotations."""
    return np.asarray(camera.world_to_camera_rotation @ rotations)


def project_camera_points(
    points_m: NDArray[np.float64], intrinsics_px: NDArray[np.float64], radial_distortion: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the pixels that points in the camera frame are seen at.

    Args:
        points_m: (..., 3) float64, metres, camera frame.
        intrinsics_px: (3, 3) float64, or (..., 1, 3, 3) for one camera per row of points.
        radial_distortion: (2,) float64, k1 and k2.

    Returns:
        (..., 2) float64, pixels; NaN for points behind the camera and beyond the radius at which the lens model
        turns back on itself.
    """
    depth = points_m[..., 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        plane = np.where(depth > 0, points_m[..., :2] / depth, np.nan)
    seen = distort(plane, radial_distortion)
    homogeneous = np.concatenate([seen, np.ones_like(depth)], axis=-1)
    return np.asarray((intrinsics_px @ homogeneous[..., None])[..., :2, 0])


def project_points(camera: Camera, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 2) pixels for (..., 3) points in AMASS world, metres; NaN where the camera cannot see."""
    return project_camera_points(world_to_camera(camera, points_m), camera.intrinsics_px, camera.radial_distortion)


def distort(plane: NDArray[np.float64], radial_distortion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where the lens shows (..., 2) points of the plane z = 1; NaN beyond the model's last radius."""
    k1, k2 = radial_distortion
    square = np.sum(plane * plane, axis=-1, keepdims=True)
    inside = square <= last_radius(radial_distortion) ** 2
    return np.where(inside, plane * (1.0 + k1 * square + k2 * square * square), np.nan)


def undistort(seen: NDArray[np.float64], radial_distortion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (..., 2) points of the plane z = 1 that the lens shows at `seen`; NaN where none is.

    Solves r (1 + k1 r^2 + k2 r^4) = r_seen by Newton's method.
    """
    k1, k2 = radial_distortion
    r_seen = np.linalg.norm(seen, axis=-1)
    r = r_seen.copy()
    limit = last_radius(radial_distortion)
    with np.errstate(invalid="ignore"):
        for _ in range(_NEWTON_STEPS):
            square = r * r
            value = r * (1.0 + square * (k1 + k2 * square)) - r_seen
            slope = 1.0 + square * (3.0 * k1 + 5.0 * k2 * square)
            # Beyond the last radius the slope changes sign and Newton would run away.
            before, r = r, np.minimum(np.maximum(r - value / np.maximum(slope, 1e-6), 0.0), limit)
            if not (np.abs(r - before) > _NEWTON_TOLERANCE).any():
                break
    # Asked of the solution, not of the steps: at the last radius Newton stands still without having arrived.
    solved = np.abs(r * (1.0 + k1 * r**2 + k2 * r**4) - r_seen) <= 1e-9 * (1.0 + r_seen)
    with np.errstate(divide="ignore", invalid="ignore"):
        # On the axis nothing is bent, and 0 / 0 says nothing.
        shrink = np.where(r_seen > 0, r / r_seen, 1.0)
    return np.where(solved[..., None], seen * shrink[..., None], np.nan)


def last_radius(radial_distortion: NDArray[np.float64]) -> float:
    """Return the radius on the plane z = 1 up to which the lens model grows; infinity where it always does.

    d/dr r (1 + k1 r^2 + k2 r^4) = 1 + 3 k1 s + 5 k2 s^2 with s = r^2. Its smallest positive root is written with
    the root in the denominator, which holds for k2 = 0 as well.
    """
    k1, k2 = (float(term) for term in radial_distortion)
    discriminant = 9.0 * k1 * k1 - 20.0 * k2
    if discriminant < 0:
        return float("inf")
    denominator = np.sqrt(discriminant) - 3.0 * k1
    return float(np.sqrt(2.0 / denominator)) if denominator > np.finfo(float).tiny else float("inf")


def pixel_rays(camera: Camera, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 3) float64 rays (x, y, 1) in the camera frame through (..., 2) pixels; NaN where there is none."""
    ones = np.ones((*pixels.shape[:-1], 1))
    seen = np.concatenate([pixels, ones], axis=-1) @ np.linalg.inv(camera.intrinsics_px).T
    return np.concatenate([undistort(seen[..., :2], camera.radial_distortion), ones], axis=-1)


def crop_intrinsics(
    intrinsics_px: NDArray[np.float64], corner_px: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the intrinsics of pictures cut out of a video and scaled.

    A pixel u of the video stands at (u - corner + 0.5) scale - 0.5 in the picture: corners scale, centres do not.

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
    """Return where pixels of a video stand in a picture that was cut out of it and scaled.

    Args:
        pixels: (..., 2) float64, of the video.
        intrinsics_px: (3, 3) float64, of the video.
        cut_intrinsics_px: (3, 3) or (..., 3, 3) float64, of the picture (`crop_intrinsics`).
    """
    # What the lens does comes before both matrices, so one undoes the other.
    turn = cut_intrinsics_px @ np.linalg.inv(intrinsics_px)
    homogeneous = np.concatenate([pixels, np.ones((*pixels.shape[:-1], 1))], axis=-1)
    return np.asarray((turn @ homogeneous[..., None])[..., :2, 0])


def inside_image(pixels: NDArray[np.float64], size_px: tuple[int, int]) -> NDArray[np.bool_]:
    """Return (...) bool: whether (..., 2) pixels lie on an image of (width, height); false for NaN."""
    far = np.asarray(size_px, dtype=np.float64) - 0.5
    with np.errstate(invalid="ignore"):
        return np.asarray(((pixels >= -0.5) & (pixels < far)).all(axis=-1))
