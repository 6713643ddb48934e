"""The static trial of an ellipsoid: height, volume, floor and direction are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from movi_prep.body.t_pose import enclosed_volume_m3, stand_in_t_pose, static_markers
from movi_prep.errors import InputError
from movi_prep.records.body_model import BodyModel
from movi_prep.records.marker_set import FloorPoint, MarkerSet, Vertex
from tests.builders.body import HALF_DEPTH_M, HALF_HEIGHT_M, HALF_WIDTH_M, HIGHEST, LOWEST
from tests.sentences import raises_recorded

MEAN_SHAPE = np.zeros(16)
TALLER = np.eye(16)[0]


def test_it_stands_on_the_floor_and_faces_x(small_body: BodyModel) -> None:
    pose = stand_in_t_pose(small_body, MEAN_SHAPE)
    np.testing.assert_allclose(pose.vertices_m[LOWEST], [0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(pose.vertices_m[HIGHEST], [0, 2 * HALF_HEIGHT_M, 0], atol=1e-12)
    foremost = np.argmax(small_body.template_m[:, 2])
    assert np.argmax(pose.vertices_m[:, 0]) == foremost
    # The rest pose's left is +x; facing +x with y up, left is -z.
    left = np.argmax(small_body.template_m[:, 0])
    assert np.argmin(pose.vertices_m[:, 2]) == left


def test_height_follows_beta_0(small_body: BodyModel) -> None:
    assert stand_in_t_pose(small_body, MEAN_SHAPE).height_m == pytest.approx(2 * HALF_HEIGHT_M)
    assert stand_in_t_pose(small_body, TALLER).height_m == pytest.approx(1.05 * 2 * HALF_HEIGHT_M)


def test_joints_move_with_the_mesh(small_body: BodyModel) -> None:
    pose = stand_in_t_pose(small_body, TALLER)
    np.testing.assert_allclose(pose.joints_m[:, 1], (small_body.joint_regressor @ pose.vertices_m)[:, 1], atol=1e-12)


def test_volume_is_that_of_an_ellipsoid(small_body: BodyModel) -> None:
    volume = enclosed_volume_m3(small_body.template_m, small_body.faces, source="test")
    # A hexagonal section holds less than the ellipse around it: 6 sin(60 deg) / 2 pi of its area.
    full = 4 / 3 * np.pi * HALF_HEIGHT_M * HALF_WIDTH_M * HALF_DEPTH_M
    assert volume == pytest.approx(full * 6 * np.sin(np.pi / 3) / (2 * np.pi), rel=2e-3)


def test_a_mesh_with_a_hole_has_no_volume(small_body: BodyModel) -> None:
    holed = replace(small_body, faces=small_body.faces[1:])
    with raises_recorded(InputError):
        enclosed_volume_m3(holed.template_m, holed.faces, source="model.npz")


def test_the_trial_repeats_one_pose(small_body: BodyModel) -> None:
    markers = MarkerSet("test", {"TOP": Vertex(HIGHEST), "SHADOW": FloorPoint("TOP")}, "test")
    trial = static_markers(stand_in_t_pose(small_body, MEAN_SHAPE), markers, rate_hz=120.0, duration_s=0.55)
    assert trial.n_rows == 66
    assert trial.times_s[0] == 0.0
    np.testing.assert_allclose(trial.positions_m[:, 0], np.tile([0, 2 * HALF_HEIGHT_M, 0], (66, 1)), atol=1e-12)
    np.testing.assert_allclose(trial.positions_m[:, 1], 0, atol=1e-12)
