"""Frames of several cameras that show one moment, whatever each camera counts its frames from.

Moments are times of the motion in mocap samples: the sample that a frame shows, plus how far after it the frame is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SAME_MOMENT = 0.25
"""Mocap samples, 2 ms at 120 Hz: frames no further apart show one moment. Containers round times to milliseconds."""


def common_moments(moments: Sequence[NDArray[np.float64]]) -> list[NDArray[np.int64]]:
    """Return for each camera the indices (m,) int64 of the frames whose moments every camera has.

    Args:
        moments: for each camera (n,) float64, increasing, in mocap samples.
    """
    first = moments[0]
    if not all(len(own) for own in moments):
        return [np.empty(0, dtype=np.int64) for _ in moments]
    nearest = [nearest_moments(own, first) for own in moments]
    shared = np.all([np.abs(own[at] - first) <= SAME_MOMENT for own, at in zip(moments, nearest, strict=True)], axis=0)
    return [at[shared] for at in nearest]


def nearest_moments(moments: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return (m,) int64: the index in (n,) increasing moments, of which there are some, that is nearest to each."""
    after = np.clip(np.searchsorted(moments, wanted), 1, max(len(moments) - 1, 1))
    before = np.minimum(after - 1, len(moments) - 1)
    after = np.minimum(after, len(moments) - 1)
    return np.where(wanted - moments[before] <= moments[after] - wanted, before, after)


def lacking_moments(moments: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (m,) bool: which moments of others (m,) are none of (n,) increasing moments."""
    if not len(moments):
        return np.ones(len(others), dtype=np.bool_)
    return np.asarray(np.abs(moments[nearest_moments(moments, others)] - others) > SAME_MOMENT)
