"""Between samples: exact for a cubic and for a steady turn; a sample is itself; what is not there is not covered."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from movi_prep.geometry.between_samples import cubic_stencil

SAMPLES = np.arange(20)
AT = np.array([0.0, 0.25, 1.5, 7.999, 12.0, 18.4, 19.0])


def _cubic(t: np.ndarray) -> np.ndarray:
    return np.stack([1.0 + 2.0 * t - 0.3 * t**2 + 0.02 * t**3, -t], axis=-1)


def test_a_cubic_is_met_exactly() -> None:
    stencil = cubic_stencil(SAMPLES, AT)
    assert stencil.covers.all()
    np.testing.assert_allclose(stencil.values(_cubic(SAMPLES.astype(float))), _cubic(AT), atol=1e-11)


def test_a_sample_is_itself() -> None:
    values = np.random.default_rng(0).normal(size=(20, 3, 2))
    np.testing.assert_array_equal(cubic_stencil(SAMPLES, np.array([0.0, 5.0, 19.0])).values(values), values[[0, 5, 19]])


def test_a_steady_turn_is_met_exactly_whatever_its_angle() -> None:
    axis = np.array([0.6, 0.0, 0.8])
    turns = Rotation.from_rotvec(0.4 * SAMPLES[:, None] * axis).as_matrix()
    expected = Rotation.from_rotvec(0.4 * AT[:, None] * axis).as_matrix()
    np.testing.assert_allclose(cubic_stencil(SAMPLES, AT).rotations(turns), expected, atol=1e-12)


def test_an_angle_that_went_around_is_no_jump() -> None:
    steady = 0.9 * SAMPLES.astype(float)
    wrapped = (steady + np.pi) % (2 * np.pi) - np.pi
    found = cubic_stencil(SAMPLES, AT).angles(wrapped[:, None])[:, 0]
    np.testing.assert_allclose(np.exp(1j * found), np.exp(0.9j * AT), atol=1e-12)


def test_a_swing_is_met_to_what_the_bound_says() -> None:
    """3/128 h^4 |f''''| of 30 cm at 3 Hz, sampled at 120 Hz."""
    frequency, rate = 2 * np.pi * 3.0, 120.0
    at = np.linspace(20, 80, 997)
    found = cubic_stencil(np.arange(100), at).values(0.3 * np.sin(frequency * np.arange(100) / rate)[:, None])[:, 0]
    worst = np.abs(found - 0.3 * np.sin(frequency * at / rate)).max()
    assert worst < 3 / 128 * 0.3 * (frequency / rate) ** 4 * 1.01


@pytest.mark.parametrize(
    ("samples", "at", "covered"),
    [
        ([0, 1, 2, 3, 7, 8, 9, 10], [1.5, 2.5, 5.0, 9.5], [True, False, False, True]),
        ([0, 4, 8, 12], [6.0, 12.5], [True, False]),
        ([0, 1, 2], [1.0], [False]),
        ([0, 1, 2, 3], [-0.1, 3.1], [False, False]),
    ],
)
def test_gaps_and_ends_are_not_covered(samples: list[int], at: list[float], covered: list[bool]) -> None:
    assert cubic_stencil(np.array(samples), np.array(at)).covers.tolist() == covered
