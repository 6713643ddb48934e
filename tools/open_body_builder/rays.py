"""Intersection of a ray and a triangle mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InternalError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def hit_surface(
    vertices_m: NDArray[np.float64], faces: NDArray[np.int64], origin_m: ArrayLike, direction: ArrayLike
) -> NDArray[np.float64]:
    """Return the (3,) point, metres, where a ray from inside a closed mesh first leaves it.

    Raises:
        InternalError: the ray meets no triangle, or begins outside the mesh.

    Möller and Trumbore, "Fast, minimum storage ray/triangle intersection", J. Graphics Tools 2(1), 1997.
    """
    origin = np.asarray(origin_m, float)
    heading = np.asarray(direction, float) / np.linalg.norm(np.asarray(direction, float))
    corner = vertices_m[faces[:, 0]]
    edge1, edge2 = vertices_m[faces[:, 1]] - corner, vertices_m[faces[:, 2]] - corner
    p = np.cross(heading, edge2)
    determinant = np.einsum("fi,fi->f", edge1, p)
    # Triangles parallel to the ray have determinant 0: their infinities and NaN compare as no hit.
    with np.errstate(divide="ignore", invalid="ignore"):
        u = np.einsum("fi,fi->f", origin - corner, p) / determinant
        q = np.cross(origin - corner, edge1)
        v = q @ heading / determinant
        distance_m = np.einsum("fi,fi->f", edge2, q) / determinant
        slack = 1e-4  # a ray through a shared edge must meet one of the two triangles
        met = (u >= -slack) & (v >= -slack) & (u + v <= 1 + slack) & (distance_m > 1e-6)
    if not met.any():
        raise InternalError(f"a ray from {origin} along {heading} misses the body")
    first = np.flatnonzero(met)[distance_m[met].argmin()]
    # Faces point outwards: the first one met from inside is met from behind.
    if heading @ np.cross(edge1[first], edge2[first]) < 0:
        raise InternalError(f"a ray from {origin} along {heading} begins outside the body")
    return np.asarray(origin + heading * distance_m[first])
