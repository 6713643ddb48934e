"""Checks that markers and model have the same size, to report a wrong unit before anything is fitted.

Sizes are the spread of the markers that both have, sqrt(mean |p - centre|^2), in one pose each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError
from movi_prep.records.vectors import are_finite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from movi_prep.records.markers import MarkerTrajectories

LARGEST_SIZE_RATIO = 4.0
"""A child or a crouching person has half the model's size; a wrong unit changes it by a factor of 10 or more."""


def check_marker_size(markers: MarkerTrajectories, model_m: Mapping[str, NDArray[np.float64]]) -> None:
    """Raise InputError where markers are four times as far apart as the model's, or a quarter.

    Args:
        markers: trajectories, metres; the frame that shows most is measured.
        model_m: marker -> (3,) metres, where the model has it in its default pose.
    """
    columns = [column for column, name in enumerate(markers.names) if name in model_m]
    positions_m = markers.positions_m
    # Where the first row shows all, no other one shows more.
    if np.isfinite(positions_m[:1, columns]).all():
        positions_m = positions_m[:1]
    seen = are_finite(positions_m[:, columns])
    if not seen.any():
        return
    # One frame is enough: units are wrong in all of them or in none.
    row = int(np.argmax(seen.sum(axis=1)))
    observed_m = _spread_m(positions_m[row, columns][seen[row]])
    expected_m = _spread_m(np.array([model_m[markers.names[column]] for column in columns])[seen[row]])
    # Markers in one point, or a single one, have no size to compare.
    if expected_m == 0.0 or 1.0 / LARGEST_SIZE_RATIO <= observed_m / expected_m <= LARGEST_SIZE_RATIO:
        return
    raise InputError(
        markers.source,
        expected=f"markers about as far from their centre as the model's, {expected_m:.2g} m (RMS)",
        got=f"{observed_m:.2g} m, {observed_m / expected_m:.2g} times as far",
        remedy="check the unit of the marker file (mm, cm, m), and that model and markers belong together",
    )


def _spread_m(positions_m: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.sum((positions_m - positions_m.mean(axis=0)) ** 2, axis=-1))))
