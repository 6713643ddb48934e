"""Rotations as matrices and axis-angle vectors, batch axes first.

Matrices act on column vectors: `rotated = matrix @ vector`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALL_ANGLE_RAD = 1e-4
"""Below this, sin(a)/a and (1 - cos(a))/a^2 are taken from their series: the next terms are below 1e-17."""


def matrices_from_axis_angles(axis_angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 3, 3) rotation matrices of (..., 3) axis-angle vectors, radians (Rodrigues' formula)."""
    squared = np.sum(axis_angles_rad**2, axis=-1)[..., None, None]
    angle = np.sqrt(squared)
    small = angle < _SMALL_ANGLE_RAD
    # Both branches are computed for all: the one that is not taken must not divide by zero.
    safe = np.where(small, 1.0, angle)
    sine_part = np.where(small, 1.0 - squared / 6.0, np.sin(safe) / safe)
    cosine_part = np.where(small, 0.5 - squared / 24.0, (1.0 - np.cos(safe)) / safe**2)
    cross = cross_matrices(axis_angles_rad)
    rotated: NDArray[np.float64] = np.eye(3) + sine_part * cross + cosine_part * (cross @ cross)
    return rotated


def axis_angles_from_matrices(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 3) axis-angle vectors, radians, of (..., 3, 3) rotation matrices; angles in [0, pi].

    Goes through the quaternion's largest component, which stays exact near angles of 0 and of pi.
    """
    quaternions = quaternions_from_matrices(matrices)
    vector = quaternions[..., 1:]
    sine = np.linalg.norm(vector, axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, quaternions[..., :1])
    # For tiny angles the axis is noise, but angle/sine tends to 2.
    factor = np.where(sine < 1e-12, 2.0, angle / np.where(sine < 1e-12, 1.0, sine))
    return np.asarray(factor * vector)


def quaternions_from_matrices(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 4) unit quaternions (w, x, y, z), w >= 0, of (..., 3, 3) rotation matrices.

    Bar-Itzhack (2000): the quaternion is the eigenvector of a symmetric matrix; here its largest column, which has
    no eigenvalue problem and no branch that divides by a small number.
    """
    m = matrices
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    # 4 q q^T, row by row, for rotation matrices.
    outer = np.empty((*m.shape[:-2], 4, 4))
    outer[..., 0, 0] = 1.0 + trace
    for i, (j, k) in enumerate(((1, 2), (2, 0), (0, 1))):
        outer[..., 0, i + 1] = outer[..., i + 1, 0] = m[..., k, j] - m[..., j, k]
        outer[..., i + 1, i + 1] = 1.0 + 2.0 * m[..., i, i] - trace
        outer[..., j + 1, k + 1] = outer[..., k + 1, j + 1] = m[..., k, j] + m[..., j, k]
    # The row of the largest component: every other divides by a smaller number.
    largest = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), axis=-1)
    rows = np.take_along_axis(outer, largest[..., None, None], axis=-2)[..., 0, :]
    unit = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(np.where(unit[..., :1] < 0, -unit, unit))


def cross_matrices(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 3, 3) matrices K of (..., 3) vectors v such that K @ x = v x x."""
    result = np.zeros((*vectors.shape, 3))
    for i, (j, k) in enumerate(((1, 2), (2, 0), (0, 1))):
        result[..., k, j] = vectors[..., i]
        result[..., j, k] = -vectors[..., i]
    return result
