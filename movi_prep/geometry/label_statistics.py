"""Statistics of labels and pictures, for normalisation and for a first look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def masked_statistics(values: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (4, ...) mean, standard deviation, smallest and largest valid value over rows; zeros where none is.

    Args:
        values: (n, ...) float.
        valid: (n, ...) bool, same shape.
    """
    # At least 1, so that the mean of nothing is 0 over 1.
    count = np.maximum(valid.sum(axis=0), 1)
    kept = np.where(valid, values, 0.0).astype(np.float64)
    mean = kept.sum(axis=0) / count
    # In two passes: the difference of mean squares loses its digits where values are far from 0.
    deviation = np.sqrt(np.where(valid, (kept - mean) ** 2, 0.0).sum(axis=0) / count)
    smallest = np.where(valid, values, np.inf).min(axis=0, initial=np.inf)
    largest = np.where(valid, values, -np.inf).max(axis=0, initial=-np.inf)
    found = np.stack([mean, deviation, smallest, largest])
    return np.where(valid.any(axis=0), found, 0.0)


def joined_statistics(
    parts: Sequence[NDArray[np.float64]], counts: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return the statistics of all values from those of parts of them; zeros where no part has any.

    Args:
        parts: (4, ...) each, mean, standard deviation, smallest and largest value.
        counts: (...) each, number of values that they are of.
    """
    stacked, weights = np.stack(parts), np.stack(counts).astype(np.float64)
    total = np.maximum(weights.sum(axis=0), 1.0)
    mean = (weights * stacked[:, 0]).sum(axis=0) / total
    # The spread within each part, and that of the parts' means.
    spread = (weights * (stacked[:, 1] ** 2 + (stacked[:, 0] - mean) ** 2)).sum(axis=0) / total
    there = weights > 0
    smallest = np.where(there, stacked[:, 2], np.inf).min(axis=0)
    largest = np.where(there, stacked[:, 3], -np.inf).max(axis=0)
    return np.where(there.any(axis=0), np.stack([mean, np.sqrt(spread), smallest, largest]), 0.0)


class PixelStatistics:
    """Mean, standard deviation, smallest and largest value per channel, over pictures that come one by one."""

    def __init__(self) -> None:
        """Start with no picture."""
        # Counts of each value: all statistics follow from them, and counting is faster than four sums of floats.
        self._counts = np.zeros((3, 256), dtype=np.int64)

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Take the pixels of one (height, width, 3) uint8 picture."""
        for channel in range(3):
            self._counts[channel] += np.bincount(picture[..., channel].ravel(), minlength=256)

    @classmethod
    def join(cls, parts: Sequence[PixelStatistics]) -> PixelStatistics:
        """Return the statistics of all pictures that several have taken."""
        whole = cls()
        whole._counts = np.sum([part._counts for part in parts], axis=0) + whole._counts
        return whole

    def result(self) -> NDArray[np.float64]:
        """Return (4, 3) mean, standard deviation, smallest, largest; zeros where no picture came."""
        n = int(self._counts[0].sum())
        if n == 0:
            return np.zeros((4, 3))
        values = np.arange(256)
        mean = (self._counts @ values) / n
        # Rounding may leave a picture of one colour slightly below zero.
        variance = np.maximum((self._counts @ (values * values)) / n - mean**2, 0.0)
        there = self._counts > 0
        smallest, largest = there.argmax(axis=1), 255 - there[:, ::-1].argmax(axis=1)
        return np.stack([mean, np.sqrt(variance), smallest, largest]).astype(np.float64)
