"""Rows that repeat the one before: found where the body moves, and not where it rests."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from movi_prep.geometry.repeats import Standstill, row_steps, standstills

N, M = 90, 12
BODY_M = np.random.default_rng(3).normal(0.0, 0.4, (M, 3))


def walk(rate_hz: float, *, noise_m: float = 0.0) -> NDArray[np.float64]:
    """Walking along x at 1.2 m/s."""
    path = np.zeros((N, 1, 3))
    path[:, 0, 0] = 1.2 * np.arange(N) / rate_hz
    return path + BODY_M + np.random.default_rng(4).normal(0.0, noise_m, (N, M, 3))


def found(positions_m: NDArray[np.float64], rate_hz: float) -> list[tuple[int, int]]:
    return [(run.first, run.last) for run in standstills(row_steps(positions_m), rate_hz)]


@pytest.mark.parametrize("rate_hz", [30.0, 120.0])
@pytest.mark.parametrize("noise_m", [0.0, 0.001])
@pytest.mark.parametrize(("first", "last"), [(40, 40), (40, 43), (40, N - 1), (1, 20)])
def test_a_frozen_stretch_is_found_to_the_row(rate_hz: float, noise_m: float, first: int, last: int) -> None:
    positions_m = walk(rate_hz, noise_m=noise_m)
    assert found(positions_m, rate_hz) == []
    positions_m[first : last + 1] = positions_m[first - 1]
    assert found(positions_m, rate_hz) == [(first, last)]


def test_a_clip_whose_every_second_row_is_a_copy() -> None:
    positions_m = walk(60.0)
    positions_m[1::2] = positions_m[::2]
    assert found(positions_m, 60.0) == [(row, row) for row in range(1, N, 2)]


def test_who_comes_to_rest_stands_still_rightly() -> None:
    t = np.clip(np.arange(N) / 30.0, 0.0, 1.0)
    eased = 10 * t**3 - 15 * t**4 + 6 * t**5
    positions_m = eased[:, None, None] * np.array([0.5, 0.0, 0.0]) + BODY_M
    assert (row_steps(positions_m) == 0.0).sum() > 50
    assert found(positions_m, 30.0) == []
    assert found(np.repeat(BODY_M[None], N, axis=0), 30.0) == []


def test_single_precision_does_not_hide_a_copy_nor_a_gap_make_one() -> None:
    positions_m = walk(30.0)
    positions_m[50] = positions_m[49].astype(np.float32)
    assert found(positions_m, 30.0) == [(50, 50)]
    positions_m = walk(30.0)
    positions_m[20:40, 2:] = np.nan
    assert found(positions_m, 30.0) == []


def test_blocks_add_up_to_the_clip() -> None:
    positions_m = walk(30.0)
    positions_m[28:33] = positions_m[27]
    parts = [row_steps(positions_m[:30]), row_steps(positions_m[30:], positions_m[29])]
    np.testing.assert_array_equal(np.concatenate(parts), row_steps(positions_m))


def test_how_far_the_body_came_meanwhile() -> None:
    assert Standstill(10, 12, 0.6).moved_m(30.0) == pytest.approx(0.06)
