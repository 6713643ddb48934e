"""Projection: a 3-4-5 triangle by hand, OpenCV for the rest."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from movi_prep.formats.calibration import read_camera
from movi_prep.geometry.projection import (
    crop_intrinsics,
    inside_image,
    pixel_rays,
    project_camera_points,
    project_points,
    rotation_to_camera,
    world_to_camera,
)
from movi_prep.records.camera import Camera
from movi_prep.records.lens import Lens, radial_lens
from tests.builders.calibration_files import WORLD_TO_CAMERA

PLAIN = radial_lens(0.0, 0.0)
BARREL = radial_lens(-0.22, 0.3)


def _camera(lens: Lens = BARREL) -> Camera:
    turn, _ = cv2.Rodrigues(np.array([0.1, -0.2, 0.3]))
    return Camera(
        name="PG1",
        intrinsics_px=np.array([[980.0, 0.0, 391.5], [0.0, 978.0, 301.25], [0.0, 0.0, 1.0]]),
        lens=lens,
        world_to_camera_rotation=turn @ WORLD_TO_CAMERA,
        world_to_camera_translation_m=np.array([0.1, 0.9, 4.2]),
        size_px=(800, 600),
        source="test",
    )


def test_a_three_four_five_point() -> None:
    """3 m right and 4 m down at 5 m depth, focal length 100: 60 and 80 pixels off the principal point."""
    K = np.array([[100.0, 0.0, 10.0], [0.0, 100.0, 20.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(project_camera_points(np.array([3.0, 4.0, 5.0]), K, PLAIN), (70.0, 100.0), atol=1e-12)
    # r^2 = 9/25 + 16/25 = 1: the lens scales by 1 + k1 + k2.
    lens = radial_lens(0.1, 0.05)
    np.testing.assert_allclose(project_camera_points(np.array([3.0, 4.0, 5.0]), K, lens), (79.0, 112.0), atol=1e-12)


def test_agrees_with_opencv() -> None:
    rng = np.random.default_rng(3)
    camera = _camera()
    points = rng.uniform((-1.5, -1.5, 0.0), (1.5, 1.5, 2.0), (7, 50, 3))
    theirs, _ = cv2.projectPoints(
        points.reshape(-1, 3),
        cv2.Rodrigues(camera.world_to_camera_rotation)[0],
        camera.world_to_camera_translation_m,
        camera.intrinsics_px,
        camera.lens.coefficients[:4],
    )
    np.testing.assert_allclose(project_points(camera, points), theirs.reshape(7, 50, 2), atol=1e-8)


def test_what_is_behind_the_camera_has_no_pixel() -> None:
    camera = _camera()
    behind = np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 0.0]])
    pixels = project_camera_points(behind, camera.intrinsics_px, camera.lens)
    assert np.isnan(pixels).all()
    assert not inside_image(pixels, camera.size_px).any()


def test_rays_pass_through_their_pixels() -> None:
    camera = _camera()
    pixels = np.array([[0.0, 0.0], [391.5, 301.25], [799.0, 599.0]])
    rays = pixel_rays(camera, pixels)
    again = project_camera_points(3.7 * rays, camera.intrinsics_px, camera.lens)
    np.testing.assert_allclose(again, pixels, atol=1e-7)


def test_a_scaled_crop_keeps_corners_on_corners() -> None:
    """Cut 100 pixels from column 200, row 50, doubled: its first pixel's outer corner stays where it was."""
    camera = _camera(PLAIN)
    K = crop_intrinsics(camera.intrinsics_px, np.array([[200.0, 50.0]]), np.array([2.0]))[0]
    into_picture = K @ np.linalg.inv(camera.intrinsics_px)
    np.testing.assert_allclose(into_picture @ (199.5, 49.5, 1.0), (-0.5, -0.5, 1.0), atol=1e-12)
    np.testing.assert_allclose(into_picture @ (299.5, 149.5, 1.0), (199.5, 199.5, 1.0), atol=1e-12)


def test_the_image_ends_half_a_pixel_beyond_its_last_centre() -> None:
    pixels = np.array([[-0.5, 0.0], [-0.51, 0.0], [799.49, 599.49], [799.5, 0.0], [np.nan, 1.0]])
    assert inside_image(pixels, (800, 600)).tolist() == [True, False, True, False, False]


def test_rotations_and_points_go_the_same_way() -> None:
    camera = _camera()
    body_to_world, _ = cv2.Rodrigues(np.array([0.5, 0.4, -0.3]))
    axis_tip = body_to_world[:, 0]
    moved = world_to_camera(camera, axis_tip) - world_to_camera(camera, np.zeros(3))
    np.testing.assert_allclose(rotation_to_camera(camera, body_to_world)[:, 0], moved, atol=1e-12)


@pytest.mark.reference
@pytest.mark.parametrize("name", ["PG1", "PG2"])
def test_world_a_is_seen_where_it_was_drawn(shared: Path, name: str) -> None:
    world = shared / "reference/world_a"
    truth = np.load(world / "truth.npz")
    cameras = world / "cameras"
    camera = read_camera(name, cameras / f"cameraParams_{name}.npz", cameras / f"Extrinsics_{name}.npz")
    for key in ("S1_C1", "S1_C2", "S1_C3", "S15_C1", "S15_C2", "S15_C3"):
        points = np.concatenate([truth[f"{key}_markers"], truth[f"{key}_joints"]], axis=1)[::4].astype(np.float64)
        np.testing.assert_allclose(project_points(camera, points), truth[f"{key}_uv_{name}"], atol=1e-3)
