"""Leaps out and back: found in every form, and not where people only move fast."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from movi_prep.geometry.jumps import LONGEST_RUN, WHOLE_BODY_M, angle_jumps, leaping_samples, marker_jumps

N, M = 120, 20
GENERATOR = np.random.default_rng(7)
BODY_M = GENERATOR.normal(0.0, 0.4, (M, 3))


def turned(angle_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 3, 3) turns about y."""
    c, s, o = np.cos(angle_rad), np.sin(angle_rad), np.zeros_like(angle_rad)
    return np.moveaxis(np.array([[c, o, s], [o, o + 1.0, o], [-s, o, c]]), 2, 0)


def walk(rate_hz: float) -> NDArray[np.float64]:
    """Walking at 1.5 m/s with a bob, and noise of a millimetre."""
    t = np.arange(N) / rate_hz
    path = np.stack([1.5 * t, 1.0 + 0.03 * np.sin(11.0 * t), 0.0 * t], axis=1)
    return path[:, None] + BODY_M + np.random.default_rng(1).normal(0.0, 0.001, (N, M, 3))


def spin(rate_hz: float) -> NDArray[np.float64]:
    """A skater: three turns a second."""
    t = np.arange(N) / rate_hz
    return np.einsum("nij,mj->nmi", turned(2.0 * np.pi * 3.0 * t), BODY_M)


def jump(rate_hz: float) -> NDArray[np.float64]:
    """Flights of 0.6 s, and between them contacts of 0.15 s at five times gravity."""
    fine_hz = 1200.0
    t = np.arange(round(N / rate_hz * fine_hz)) / fine_hz
    acceleration = np.where(t % 0.75 < 0.6, -9.81, 9.81 * 0.6 / 0.15)
    height = np.cumsum(np.cumsum(acceleration) / fine_hz + 9.81 * 0.3) / fine_hz
    heights = height[:: round(fine_hz / rate_hz)][:N]
    return np.stack([0.0 * heights, heights, 0.0 * heights], axis=1)[:, None] + BODY_M


def kick(rate_hz: float) -> NDArray[np.float64]:
    """A leg of five markers swings 2 rad in a quarter of a second; the foot reaches 15 m/s."""
    t = np.arange(N) / rate_hz
    swing = 1.0 - np.cos(2.0 * np.pi * np.clip((t - t[N // 2]) / 0.5, 0.0, 1.0))
    leg = np.linspace(0.2, 0.95, 5)
    moved = np.tile(BODY_M, (N, 1, 1))
    moved[:, :5] = np.stack([np.sin(swing)[:, None] * leg, -np.cos(swing)[:, None] * leg, np.zeros((N, 5))], axis=2)
    return moved


MOTIONS = [walk, spin, jump, kick]


def zeros(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows - rows.mean(axis=1, keepdims=True)


def leap(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows + np.array([0.0, 0.5, 0.0])


def flip(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = rows.mean(axis=1, keepdims=True)
    return middle + (rows - middle) * np.array([-1.0, 1.0, -1.0])


@pytest.mark.parametrize("rate_hz", [30.0, 60.0, 120.0])
@pytest.mark.parametrize("motion", MOTIONS)
def test_people_who_move_fast_do_not_leap(motion: Callable[[float], NDArray[np.float64]], rate_hz: float) -> None:
    assert marker_jumps(motion(rate_hz), rate_hz) == ()


@pytest.mark.parametrize("length", range(1, LONGEST_RUN + 1))
@pytest.mark.parametrize("spoil", [zeros, leap, flip])
@pytest.mark.parametrize("motion", [walk, jump])
@pytest.mark.parametrize("rate_hz", [30.0, 120.0])
def test_a_leap_out_and_back_is_found_to_the_row(
    motion: Callable[[float], NDArray[np.float64]],
    spoil: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    length: int,
    rate_hz: float,
) -> None:
    positions_m = motion(rate_hz)
    positions_m[40 : 40 + length] = spoil(positions_m[40 : 40 + length])
    assert [(found.first, found.last) for found in marker_jumps(positions_m, rate_hz)] == [(40, 39 + length)]


@pytest.mark.parametrize("row", [0, 1, N - 2, N - 1])
def test_the_ends_of_a_clip_are_looked_at(row: int) -> None:
    positions_m = walk(30.0)
    positions_m[row] = zeros(positions_m[row : row + 1])[0]
    assert [(found.first, found.last) for found in marker_jumps(positions_m, 30.0)] == [(row, row)]


def test_a_step_that_stays_is_no_leap_out_and_back() -> None:
    positions_m = walk(30.0)
    positions_m[60:] += np.array([0.5 * WHOLE_BODY_M.at(30.0), 0.0, 0.0])
    assert marker_jumps(positions_m, 30.0) == ()


def test_markers_that_are_not_seen_count_for_nothing() -> None:
    positions_m = walk(30.0)
    positions_m[20:60, ::2] = np.nan
    positions_m[:, 3] = np.nan
    assert marker_jumps(positions_m, 30.0) == ()
    positions_m[30] += np.array([0.3, 0.0, 0.0])
    assert [found.first for found in marker_jumps(positions_m, 30.0)] == [30]
    assert marker_jumps(np.full((N, M, 3), np.nan), 30.0) == ()


def test_angles_leap_and_turns_do_not() -> None:
    t = np.arange(N) / 30.0
    angles_rad = np.stack([np.sin(4.0 * t), np.mod(9.0 * t, 2.0 * np.pi) - np.pi, np.full(N, 0.3)], axis=1)
    angles_rad[10:13] = np.nan
    assert angle_jumps(angles_rad, 30.0) == ()
    angles_rad[70, 2] = 2.3
    (found,) = angle_jumps(angles_rad, 30.0)
    assert (found.first, found.last) == (70, 70)
    assert found.size == pytest.approx(2.0)


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    positions_m = walk(30.0)
    positions_m[[15, 16, 63]] += 0.4
    whole = marker_jumps(positions_m, 30.0)
    monkeypatch.setattr("movi_prep.geometry.jumps._BLOCK_ROWS", 7)
    assert marker_jumps(positions_m, 30.0) == whole
    assert len(whole) == 2


@pytest.mark.parametrize("rate_hz", [30.0, 60.0, 120.0])
@pytest.mark.parametrize("motion", MOTIONS)
def test_no_sample_of_people_who_move_fast_leaps(
    motion: Callable[[float], NDArray[np.float64]], rate_hz: float
) -> None:
    assert not leaping_samples(motion(rate_hz), rate_hz).any()


@pytest.mark.parametrize("first", [0, 1, 40, N - LONGEST_RUN])
@pytest.mark.parametrize("spoil", [zeros, leap, flip])
def test_samples_of_a_leap_are_found_with_few_beside(
    spoil: Callable[[NDArray[np.float64]], NDArray[np.float64]], first: int
) -> None:
    for length in (1, 2, LONGEST_RUN):
        positions_m = walk(120.0)
        positions_m[first : first + length] = spoil(positions_m[first : first + length])
        rows = leaping_samples(positions_m, 120.0).all(axis=1)
        assert rows[first : first + length].all()
        assert rows.sum() <= length + LONGEST_RUN


def test_leaps_that_follow_each_other_closely_are_all_found() -> None:
    positions_m = walk(120.0)
    positions_m[80:90] = leap(positions_m[80:90])
    positions_m[30:60:2] = leap(positions_m[30:60:2])
    rows = leaping_samples(positions_m, 120.0).all(axis=1)
    assert rows[30:60].all()
    assert rows[80:90].all()
    assert rows.sum() <= 44


def test_two_markers_that_leap_take_no_other_with_them() -> None:
    positions_m = walk(120.0)
    positions_m[40:43, [3, 7]] = positions_m[40:43, [7, 3]]
    leaping = leaping_samples(positions_m, 120.0)
    assert leaping[40:43][:, [3, 7]].all()
    assert not np.delete(leaping, [3, 7], axis=1).any()


def test_a_leap_beside_a_gap_is_found() -> None:
    positions_m = walk(120.0)
    positions_m[20:40] = np.nan
    positions_m[40] = leap(positions_m[40:41])[0]
    rows = leaping_samples(positions_m, 120.0).all(axis=1)
    assert rows[40]
    assert not rows[[18, 43]].any()
    assert leaping_samples(np.full((2, M, 3), 0.0), 120.0).sum() == 0
    assert leaping_samples(np.full((N, M, 3), np.nan), 120.0).sum() == 0
