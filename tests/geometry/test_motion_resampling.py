"""A motion at another rate: on its own samples unchanged, between them on the way from one to the next."""

from __future__ import annotations

import numpy as np
import pytest

from movi_prep.geometry.motion_resampling import n_resampled, resampled, turn_between
from movi_prep.geometry.rotations import axis_angles_from_matrices, matrices_from_axis_angles
from movi_prep.records.motion import Motion
from tests.builders.body import build_motion

N = 101


def at_rate(motion: Motion, rate_hz: float, *, block: int = N) -> Motion:
    blocks = (motion.rows(slice(first, first + block)) for first in range(0, motion.n_samples, block))
    parts = list(resampled(blocks, rate_hz))
    return Motion(
        poses_rad=np.concatenate([part.poses_rad for part in parts]),
        translation_m=np.concatenate([part.translation_m for part in parts]),
        betas=motion.betas,
        dmpls=np.concatenate([part.dmpls for part in parts]),  # type: ignore[misc]
        sex=motion.sex,
        rate_hz=parts[0].rate_hz,
        source=motion.source,
    )


def spread_rad(first: np.ndarray, second: np.ndarray) -> float:
    turn = np.swapaxes(matrices_from_axis_angles(first), -1, -2) @ matrices_from_axis_angles(second)
    return float(np.linalg.norm(axis_angles_from_matrices(turn), axis=-1).max())


def test_samples_that_fall_on_the_new_clock_are_themselves() -> None:
    motion = build_motion(N)
    half, twice = at_rate(motion, 60.0), at_rate(motion, 240.0)
    assert spread_rad(half.poses_rad, motion.poses_rad[::2]) < 1e-9
    assert spread_rad(twice.poses_rad[::2], motion.poses_rad) < 1e-9
    np.testing.assert_allclose(twice.translation_m[::2], motion.translation_m, atol=1e-12)
    assert (half.n_samples, twice.n_samples) == (51, 201)


@pytest.mark.parametrize("rate_hz", [59.94, 100.0, 29.97, 7.0, 250.0])
def test_rows_do_not_depend_on_how_the_motion_is_cut(rate_hz: float) -> None:
    motion = build_motion(N)
    whole = at_rate(motion, rate_hz)
    assert whole.n_samples == n_resampled(N, 120.0, rate_hz)
    assert whole.rate_hz == rate_hz
    for block in (1, 7, 50):
        cut = at_rate(motion, rate_hz, block=block)
        np.testing.assert_allclose(cut.poses_rad, whole.poses_rad, atol=1e-12)
        np.testing.assert_allclose(cut.translation_m, whole.translation_m, atol=1e-12)


def test_a_steady_turn_stays_steady_through_half_a_turn_and_back_to_front() -> None:
    # A joint that turns by 3 rad/s about a slant axis passes pi, where axis-angle vectors jump.
    axis = np.array([1.0, 2.0, -2.0]) / 3
    times = np.arange(240) / 120.0
    vectors = axis_angles_from_matrices(matrices_from_axis_angles(3.0 * times[:, None] * axis))
    new = np.arange(100) / 50.0
    motion = build_motion(240)
    poses = np.zeros_like(motion.poses_rad)
    poses[:, 5] = vectors
    (out,) = resampled([Motion(**{**motion.__dict__, "poses_rad": poses})], 50.0)
    expected = axis_angles_from_matrices(matrices_from_axis_angles(3.0 * new[:, None] * axis))
    assert spread_rad(out.poses_rad[:, 5], expected[: out.n_samples]) < 1e-7


def test_half_the_way_is_half_the_angle_the_short_way_round() -> None:
    first, second = np.array([[0.0, 0.0, 3.0]]), np.array([[0.0, 0.0, -3.0]])
    between = turn_between(first, second, np.array([0.5]))
    assert np.abs(np.linalg.norm(between) - np.pi) < 1e-9
    same = turn_between(first, first, np.array([0.3]))
    np.testing.assert_allclose(same, first, atol=1e-9)
