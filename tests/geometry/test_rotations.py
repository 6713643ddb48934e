"""Laws of rotations, and turns that can be done in the head."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from movi_prep.geometry.rotations import (
    axis_angles_from_matrices,
    cross_matrices,
    matrices_from_axis_angles,
    quaternions_from_matrices,
)

vectors = arrays(np.float64, 3, elements=st.floats(-1.7, 1.7))
"""Shorter than pi, so that the way back is unique."""


def test_a_quarter_turn_about_z_sends_x_to_y() -> None:
    turn = matrices_from_axis_angles(np.array([0, 0, np.pi / 2]))
    np.testing.assert_allclose(turn @ [1, 0, 0], [0, 1, 0], atol=1e-15)


@given(vectors)
def test_matrices_are_rotations(vector: np.ndarray) -> None:
    matrix = matrices_from_axis_angles(vector)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(matrix @ vector, vector, atol=1e-14)
    assert np.linalg.det(matrix) > 0


@given(vectors)
def test_there_and_back(vector: np.ndarray) -> None:
    np.testing.assert_allclose(axis_angles_from_matrices(matrices_from_axis_angles(vector)), vector, atol=1e-12)


def test_there_and_back_at_half_a_turn_and_at_none() -> None:
    exact = np.array([[np.pi, 0, 0], [0, np.pi, 0], [0, 0, np.pi], [0, 0, 0], [1e-9, 0, 0], [0, 3e-5, 4e-5]])
    np.testing.assert_allclose(axis_angles_from_matrices(matrices_from_axis_angles(exact)), exact, atol=1e-15)


def test_batch_axes_come_first() -> None:
    batch = np.random.default_rng(0).uniform(-1, 1, (4, 5, 3))
    assert matrices_from_axis_angles(batch).shape == (4, 5, 3, 3)
    assert quaternions_from_matrices(matrices_from_axis_angles(batch)).shape == (4, 5, 4)
    np.testing.assert_allclose(
        matrices_from_axis_angles(batch)[2, 3], matrices_from_axis_angles(batch[2, 3]), atol=1e-15
    )


@given(vectors, vectors)
def test_cross_matrices_cross(first: np.ndarray, second: np.ndarray) -> None:
    np.testing.assert_allclose(cross_matrices(first) @ second, np.cross(first, second), atol=1e-14)
