"""Markers of another size than the model are refused; gaps, children and crouching are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from movi_prep.errors import InputError
from movi_prep.geometry.marker_size import check_marker_size
from tests.builders.small_model import trajectories

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODEL_M = {"top": np.array([0.0, 1.0, 0.0]), "bottom": np.array([0.0, -1.0, 0.0])}


def _pair(half_m: float) -> NDArray[np.float64]:
    return np.array([[[5.0, half_m, 5.0], [5.0, -half_m, 5.0]]] * 3)


@pytest.mark.parametrize("half_m", [0.3, 1.0, 2.0])
def test_bodies_of_many_sizes_pass(half_m: float) -> None:
    check_marker_size(trajectories(_pair(half_m), ("top", "bottom")), MODEL_M)


@pytest.mark.parametrize(("half_m", "reported"), [(0.1, "0.1 m, 0.1 times"), (1000.0, r"1e\+03 m, 1e\+03 times")])
def test_a_wrong_unit_is_refused(half_m: float, reported: str) -> None:
    with pytest.raises(InputError, match=f"the model's, 1 m \\(RMS\\), but got {reported} as far; check the unit"):
        check_marker_size(trajectories(_pair(half_m), ("top", "bottom")), MODEL_M)


def test_the_fullest_frame_counts_and_nothing_seen_says_nothing() -> None:
    positions = _pair(1.0)
    positions[0, 0] = np.nan
    check_marker_size(trajectories(positions, ("top", "bottom")), MODEL_M)
    check_marker_size(trajectories(np.full_like(positions, np.nan), ("top", "bottom")), MODEL_M)
    check_marker_size(trajectories(positions, ("else", "where")), MODEL_M)
