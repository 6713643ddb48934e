"""Medians of numbers. NumPy's own function loads masked arrays first, which takes longer than reading a trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (...) medians over the last axis of (..., n) numbers, at least one and none of them NaN."""
    below, above = (values.shape[-1] - 1) // 2, values.shape[-1] // 2
    ordered = np.partition(values, (below, above), axis=-1)
    return np.asarray(0.5 * (ordered[..., below] + ordered[..., above]))


def median(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Return the median of numbers, at least one and none of them NaN."""
    return float(medians(np.asarray(values, dtype=np.float64)))
