"""Sums and lengths over short axes: NumPy's own reductions take several times as long there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def are_finite(vectors: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (...) bool: whether all three components of (..., 3) vectors are finite."""
    # A sum is finite where all of its terms are.
    return np.asarray(np.isfinite(vectors[..., 0] + vectors[..., 1] + vectors[..., 2]))


def squared_lengths(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (...) squared lengths of (..., d) vectors of few components."""
    total = np.square(vectors[..., 0])
    for component in range(1, vectors.shape[-1]):
        total += np.square(vectors[..., component])
    return np.asarray(total)
