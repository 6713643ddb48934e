"""The virtual camera: what it shows is what the real one shows, turned, without its distortion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from movi_prep.errors import InputError
from movi_prep.geometry.projection import project_points
from movi_prep.geometry.virtual_camera import aim_camera, source_pixels
from movi_prep.records.camera import Camera
from movi_prep.records.lens import radial_lens
from tests.sentences import raises_recorded

BOX = np.array([500.0, 100.0, 200.0, 300.0])


def _camera(k1: float = -0.2, k2: float = 0.1) -> Camera:
    """Five metres from the origin, looking along the world's x axis, 1 m up."""
    rotation = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    return Camera(
        name="PG1",
        intrinsics_px=np.array([[980.0, 0.0, 400.0], [0.0, 975.0, 300.0], [0.0, 0.0, 1.0]]),
        lens=radial_lens(k1, k2),
        world_to_camera_rotation=rotation,
        world_to_camera_translation_m=-rotation @ np.array([-5.0, 0.0, 1.0]),
        size_px=(800, 600),
        source="test",
    )


def _points(n: int = 40) -> np.ndarray:
    return np.random.default_rng(1).uniform([-0.5, -0.9, 0.3], [0.5, -0.1, 1.7], (n, 3))


def test_the_middle_of_the_box_stands_in_the_middle_of_the_picture() -> None:
    camera = _camera()
    virtual = aim_camera(camera, BOX, size_px=256)
    middle = source_pixels(camera, virtual)[127:129, 127:129].mean(axis=(0, 1))
    np.testing.assert_allclose(middle, BOX[:2] + (BOX[2:] - 1) / 2, atol=1e-3)


def test_a_point_seen_by_both_stands_where_the_map_says() -> None:
    camera = _camera()
    virtual = aim_camera(camera, BOX, size_px=256)
    pixels = virtual.to_pixels(virtual.to_camera(_points()))
    real = project_points(camera, _points())
    inside = ((pixels > 2) & (pixels < 253)).all(axis=-1)
    assert inside.sum() > 5
    lookup = source_pixels(camera, virtual)
    for pixel, expected in zip(pixels[inside], real[inside], strict=True):
        column, row = np.floor(pixel).astype(int)
        part = pixel - (column, row)
        corners = lookup[row : row + 2, column : column + 2]
        across = corners[:, 0] * (1 - part[0]) + corners[:, 1] * part[0]
        np.testing.assert_allclose(across[0] * (1 - part[1]) + across[1] * part[1], expected, atol=0.02)


def test_the_longer_side_of_the_box_fills_the_picture() -> None:
    camera = _camera(0.0, 0.0)
    virtual = aim_camera(camera, BOX, size_px=256)
    column = source_pixels(camera, virtual)[:, 127]
    # across the optical axis perspective stretches one half as it squeezes the other
    assert column[-1, 1] - column[0, 1] == pytest.approx(BOX[3], rel=0.02)


def test_up_stays_up_and_distances_stay() -> None:
    virtual = aim_camera(_camera(), BOX, size_px=256)
    low, high = virtual.to_camera(np.array([[0.0, -0.5, 0.5], [0.0, -0.5, 1.5]]))
    assert high[1] < low[1]
    assert np.linalg.norm(high - low) == pytest.approx(1.0)
    # no roll: the horizon of the world is level in the picture
    assert virtual.world_to_camera_rotation[0, 2] == pytest.approx(0.0, abs=1e-12)


def test_zoom_and_roll_act_about_the_middle() -> None:
    camera = _camera()
    plain = aim_camera(camera, BOX, size_px=256)
    turned = aim_camera(camera, BOX, size_px=256, zoom=2.0, roll_rad=np.pi / 2)
    offset = plain.to_pixels(plain.to_camera(_points())) - 127.5
    after = turned.to_pixels(turned.to_camera(_points())) - 127.5
    np.testing.assert_allclose(after, 2.0 * np.stack([offset[:, 1], -offset[:, 0]], axis=-1), atol=1e-9)


@pytest.mark.parametrize("turn_rad", [0.0, 1.1])
@pytest.mark.parametrize("down", [-1.0, 1.0])
def test_a_camera_that_looks_straight_down_or_up(down: float, turn_rad: float) -> None:
    """No horizon is there to be level with: the picture is turned as the real one is."""
    right = np.array([np.cos(turn_rad), np.sin(turn_rad), 0.0])
    forward = np.array([0.0, 0.0, down])
    rotation = np.stack([right, np.cross(forward, right), forward])
    centre_m = np.array([0.3, -0.2, 4.0])
    camera = replace(_camera(), world_to_camera_rotation=rotation, world_to_camera_translation_m=-rotation @ centre_m)
    virtual = aim_camera(camera, np.array([300.5, 200.5, 200.0, 200.0]), size_px=256)
    np.testing.assert_allclose(virtual.world_to_camera_rotation, rotation, atol=1e-12)
    np.testing.assert_allclose(source_pixels(camera, virtual)[127:129, 127:129].mean(axis=(0, 1)), [400.0, 300.0])


@pytest.mark.parametrize("tilt_rad", [1e-3, 1e-5, 1e-7, 0.0])
def test_near_the_vertical_a_virtual_camera_is_a_rotation(tilt_rad: float) -> None:
    sine, cosine = np.sin(tilt_rad), np.cos(tilt_rad)
    rotation = np.array([[0.0, -1.0, 0.0], [-cosine, 0.0, -sine], [sine, 0.0, -cosine]])
    camera = replace(_camera(), world_to_camera_rotation=rotation)
    turn = aim_camera(camera, np.array([300.5, 200.5, 200.0, 200.0]), size_px=256).world_to_camera_rotation
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1.0)
    np.testing.assert_allclose(turn, rotation, atol=1e-6)


def test_a_box_beyond_the_lens_is_refused() -> None:
    with raises_recorded(InputError):
        aim_camera(_camera(k1=-0.6, k2=0.0), np.array([2500.0, 100.0, 200.0, 300.0]), size_px=256)
