"""Each world, said aloud: where up, forward and left go."""

from __future__ import annotations

import numpy as np
import pytest

from movi_prep.geometry.frames import (
    AMASS_TO_GROUND,
    AMASS_TO_MOVI,
    REST_POSE_TO_GROUND,
    amass_to_ground,
    amass_to_movi,
    ground_to_amass,
    movi_to_amass,
    rest_pose_to_ground,
)


def test_up_stays_up() -> None:
    assert amass_to_ground(np.array([0, 0, 1.0])).tolist() == [0, 1, 0]
    assert amass_to_movi(np.array([0, 0, 1.0])).tolist() == [0, 0, 1]
    assert rest_pose_to_ground(np.array([0, 1.0, 0])).tolist() == [0, 1, 0]


def test_the_formulas_of_the_design() -> None:
    x, y, z = 1.0, 2.0, 3.0
    assert amass_to_ground(np.array([x, y, z])).tolist() == [x, z, -y]
    assert amass_to_movi(np.array([x, y, z])).tolist() == [-y, x, z]


def test_the_rest_pose_faces_x_with_its_left_at_minus_z() -> None:
    assert rest_pose_to_ground(np.array([0, 0, 1.0])).tolist() == [1, 0, 0]
    assert rest_pose_to_ground(np.array([1.0, 0, 0])).tolist() == [0, 0, -1]


@pytest.mark.parametrize("matrix", [AMASS_TO_GROUND, AMASS_TO_MOVI, REST_POSE_TO_GROUND])
def test_turns_are_proper_rotations_and_cannot_be_changed(matrix: np.ndarray) -> None:
    np.testing.assert_array_equal(matrix @ matrix.T, np.eye(3))
    assert np.linalg.det(matrix) == pytest.approx(1)
    assert not matrix.flags.writeable


def test_there_and_back() -> None:
    points = np.random.default_rng(0).normal(size=(4, 5, 3))
    np.testing.assert_array_equal(ground_to_amass(amass_to_ground(points)), points)
    np.testing.assert_array_equal(movi_to_amass(amass_to_movi(points)), points)
