"""Cameras that move: the pose asked for is that of the frame, and a frame without one is never given another's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from movi_prep.errors import InputError, InternalError
from movi_prep.geometry.projection import project_points, rotation_to_camera, world_to_camera
from tests.builders.shard import moving_camera, small_camera

FRAMES = np.array([3, 4, 5, 9, 10])
POINTS = np.random.default_rng(0).uniform(-0.2, 0.2, (len(FRAMES), 7, 3)) + np.array([0.0, 0.0, 1.0])


def test_each_row_is_seen_from_its_own_pose() -> None:
    camera = moving_camera(FRAMES)
    together = project_points(camera, POINTS)
    for row, frame in enumerate(FRAMES.tolist()):
        standing = camera.at(frame)
        assert not standing.is_moving
        np.testing.assert_allclose(together[row], project_points(standing, POINTS[row]), atol=1e-10)
        np.testing.assert_allclose(
            world_to_camera(camera, POINTS[:, 0])[row], world_to_camera(standing, POINTS[row, 0]), atol=1e-14
        )
        turned = rotation_to_camera(camera, np.broadcast_to(np.eye(3), (len(FRAMES), 3, 3)))[row]
        np.testing.assert_array_equal(turned, standing.world_to_camera_rotation)


def test_frames_are_chosen_by_their_number() -> None:
    camera = moving_camera(FRAMES)
    chosen = camera.at(np.array([4, 9]))
    assert chosen.pose_frames is not None
    assert chosen.pose_frames.tolist() == [4, 9]
    np.testing.assert_array_equal(chosen.world_to_camera_rotation, camera.world_to_camera_rotation[[1, 3]])


def test_a_frame_in_a_gap_has_no_pose() -> None:
    camera = moving_camera(FRAMES)
    assert camera.has_pose(np.arange(2, 12)).tolist() == [frame in FRAMES for frame in range(2, 12)]
    for frame in (2, 6, 11):
        with pytest.raises(InternalError):
            camera.at(frame)


def test_a_camera_that_stands_still_has_one_pose_at_all_times() -> None:
    camera = small_camera()
    assert camera.at(5) is camera
    assert camera.has_pose(FRAMES).all()


def test_poses_and_frames_are_of_one_number_and_every_rotation_is_one() -> None:
    camera = moving_camera(FRAMES)
    with pytest.raises(InputError) as caught:
        replace(camera, pose_frames=FRAMES[:-1])
    assert caught.value.where == "test"
    bent = camera.world_to_camera_rotation.copy()
    bent[3] *= 1.01
    with pytest.raises(InputError) as caught:
        replace(camera, world_to_camera_rotation=bent)
    assert caught.value.got.startswith("1 of 5")
