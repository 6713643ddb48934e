"""The choice of a few vertices that represent a surface."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def spread_vertices(vertices_m: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return (count,) vertices spread over the surface, each as far from those before it as any.

    Fingertips, toes and the crown come first, which a box around the body needs most (farthest point sampling,
    Gonzalez 1985, Clustering to minimize the maximum intercluster distance).

    Args:
        vertices_m: (v, 3) float64, metres.
        count: how many; all of them where there are fewer.
    """
    if count >= len(vertices_m):
        return np.arange(len(vertices_m))
    chosen = np.empty(count, dtype=np.int64)
    # The farthest from the middle, so that the choice depends on the surface only, not on its numbering.
    chosen[0] = int(np.argmax(np.linalg.norm(vertices_m - vertices_m.mean(axis=0), axis=1)))
    nearest = np.full(len(vertices_m), np.inf)
    # Every choice depends on all before it.
    for index in range(1, count):
        nearest = np.minimum(nearest, np.sum((vertices_m - vertices_m[chosen[index - 1]]) ** 2, axis=1))
        chosen[index] = int(np.argmax(nearest))
    return np.sort(chosen)
