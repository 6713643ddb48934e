"""A recording of the same joints, late, turned or cut, is measured as what it is."""

from __future__ import annotations

import numpy as np
import pytest

from movi_prep.geometry.alignment import compare_joints

RATE_HZ = 120.0
FIRST = 40
"""Sample of the recording at which the clip begins."""


def joints(n_samples: int, *, late_samples: float = 0.0) -> np.ndarray:
    """Twelve joints on a wave through space, metres."""
    phase = (np.arange(n_samples) - late_samples)[:, None] * 0.05 + np.arange(12) * 0.4
    return np.stack([np.sin(phase), np.cos(1.3 * phase), 0.5 * np.sin(0.7 * phase) + np.arange(12)], axis=-1)


def test_the_same_joints_agree_without_turn_shift_or_lag() -> None:
    whole = joints(300)
    samples = np.arange(0, 100, 4)
    found = compare_joints(whole[FIRST + samples], samples, whole, first_sample=FIRST, rate_hz=RATE_HZ)
    assert found.fit is not None
    assert found.fit.n_points == samples.size * 12
    assert found.fit.rms_m < 1e-12
    assert found.lag_s == pytest.approx(0.0, abs=1e-4)


def test_a_late_recording_has_its_lag_in_seconds() -> None:
    samples = np.arange(0, 100, 4)
    late = joints(300, late_samples=6.0)
    found = compare_joints(joints(300)[FIRST + samples], samples, late, first_sample=FIRST, rate_hz=RATE_HZ)
    assert found.lag_s == pytest.approx(6.0 / RATE_HZ, abs=1e-4)


def test_what_lies_beyond_the_end_of_the_recording_is_not_compared() -> None:
    whole = joints(300)
    samples = np.arange(100)
    cut = whole[: FIRST + 60]
    found = compare_joints(whole[FIRST + samples], samples, cut, first_sample=FIRST, rate_hz=RATE_HZ)
    assert found.fit is not None
    assert found.fit.n_points == 60 * 12
    assert found.fit.rms_m < 1e-12
