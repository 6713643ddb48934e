"""Medians are NumPy's, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from movi_prep.geometry.medians import median, medians


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 100, 101])
def test_medians_are_numpys(n: int) -> None:
    values = np.random.default_rng(n).normal(size=(5, n))
    values[0] = np.round(values[0])
    assert medians(values).tobytes() == np.median(values, axis=1).tobytes()
    assert [median(row.tolist()) for row in values] == np.median(values, axis=1).tolist()
