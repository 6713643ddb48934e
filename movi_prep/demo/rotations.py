"""Rotation matrices of the demo's figure: few, plain, and independent of the code that the demo tests.

Axes first turn, then move: `turn_x(a) @ turn_y(b)` turns about y by b, then about the fixed x by a. All functions are
batch-first: angles (...,) in degrees give matrices (..., 3, 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_PLANES = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}


def turn(axis: str, angle_deg: ArrayLike) -> NDArray[np.float64]:
    """Return rotation matrices (..., 3, 3) about a coordinate axis, right-handed, by degrees (...,)."""
    angle = np.deg2rad(np.asarray(angle_deg, dtype=np.float64))
    first, second = _PLANES[axis]
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[...] = np.eye(3)
    matrix[..., first, first] = matrix[..., second, second] = np.cos(angle)
    matrix[..., second, first] = np.sin(angle)
    matrix[..., first, second] = -np.sin(angle)
    return matrix


def mirrored(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation (..., 3, 3) in the mirror x -> -x: from a motion of the left side to that of the right."""
    signs = np.array([-1.0, 1.0, 1.0])
    mirror: NDArray[np.float64] = matrix * signs[:, None] * signs
    return mirror


def basis(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return orthonormal frames (..., 3, 3); columns: `first`, `second` made normal to it, their cross product."""
    u = first / np.linalg.norm(first, axis=-1, keepdims=True)
    w = second - (second * u).sum(-1, keepdims=True) * u
    w = w / np.linalg.norm(w, axis=-1, keepdims=True)
    return np.stack([u, w, np.cross(u, w)], axis=-1)


def to_axis_angle(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rotation vectors (..., 3), radians, of matrices (..., 3, 3)."""
    vectors: NDArray[np.float64] = Rotation.from_matrix(matrix.reshape(-1, 3, 3)).as_rotvec()
    return vectors.reshape(matrix.shape[:-1])


def from_axis_angle(vectors_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return matrices (..., 3, 3) of rotation vectors (..., 3), radians."""
    matrices: NDArray[np.float64] = Rotation.from_rotvec(vectors_rad.reshape(-1, 3)).as_matrix()
    return matrices.reshape(*vectors_rad.shape, 3)


def transpose(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse rotations."""
    return np.swapaxes(matrix, -1, -2)


def apply(matrix: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return matrices (..., 3, 3) times vectors (..., 3)."""
    product: NDArray[np.float64] = np.einsum("...ij,...j->...i", matrix, vector)
    return product
