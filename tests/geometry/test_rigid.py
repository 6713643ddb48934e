"""Rigid fits and time lags: moved by a known amount, found again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from movi_prep.geometry.rigid import fit_rigid, fit_time_lag, remains_of_groups


def _turn_about_z(angle_rad: float) -> np.ndarray:
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def test_a_known_motion_is_found() -> None:
    points = np.random.default_rng(1).normal(size=(6, 4, 3))
    turn, shift = _turn_about_z(np.radians(2.0)), np.array([0.03, -0.02, 0.01])
    fit = fit_rigid(points, points @ turn.T + shift)
    assert fit is not None
    np.testing.assert_allclose(fit.rotation, turn, atol=1e-12)
    np.testing.assert_allclose(fit.translation_m, shift, atol=1e-12)
    assert np.degrees(fit.angle_rad) == pytest.approx(2.0)
    assert fit.rms_m == pytest.approx(0.0, abs=1e-12)
    assert fit.n_points == 24


def test_the_offset_does_not_depend_on_the_origin() -> None:
    points = np.random.default_rng(1).normal(size=(50, 3))
    shift = np.array([0.03, 0.04, 0.0])
    near, far = fit_rigid(points, points + shift), fit_rigid(points + 1000.0, points + 1000.0 + shift)
    assert near is not None
    assert far is not None
    assert near.offset_m == pytest.approx(0.05)
    assert far.offset_m == pytest.approx(0.05)


def test_a_mirror_image_is_not_a_rotation() -> None:
    points = np.random.default_rng(1).normal(size=(50, 3))
    fit = fit_rigid(points, points * (1.0, 1.0, -1.0))
    assert fit is not None
    assert np.linalg.det(fit.rotation) == pytest.approx(1.0)
    assert fit.rms_m > 0.1


def test_missing_points_are_left_out() -> None:
    points = np.random.default_rng(1).normal(size=(10, 3))
    target = points + 1.0
    target[3] = np.nan
    fit = fit_rigid(points, target)
    assert fit is not None
    assert fit.n_points == 9
    assert fit_rigid(points[:2], target[:2]) is None


def test_groups_that_moved_each_its_own_way_leave_nothing_but_what_moved_within_them() -> None:
    rng = np.random.default_rng(3)
    source_m, group = rng.normal(size=(10, 3)), np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
    turned_m = np.concatenate([source_m[:4] @ _turn_about_z(0.7).T, source_m[4:] @ _turn_about_z(-1.2).T + 0.3])
    missing = np.where(np.arange(10)[:, None] == 9, np.nan, turned_m)
    stretched = turned_m + np.where(np.arange(10)[:, None] == 5, 0.04, 0.0)

    np.testing.assert_allclose(remains_of_groups(group, source_m, turned_m), 0.0, atol=1e-12)
    assert np.flatnonzero(np.isnan(remains_of_groups(group, source_m, missing))).tolist() == [9]
    remains_m = remains_of_groups(group, source_m, stretched)
    assert (remains_m[4:8] > 1e-3).all()
    np.testing.assert_allclose(np.delete(remains_m, [4, 5, 6, 7]), 0.0, atol=1e-12)


def _swing(times_s: np.ndarray) -> np.ndarray:
    """Three points swinging at 0.7 to 1.9 Hz, 20 cm wide."""
    rates = np.array([0.7, 1.3, 1.9])
    phase = 2 * np.pi * rates * times_s[:, None]
    return 0.2 * np.stack([np.sin(phase), np.cos(1.1 * phase), np.sin(phase + 1.0)], axis=-1)


@pytest.mark.parametrize("lag", [0.0, 0.4, -1.7, 3.25, 9.0])
@pytest.mark.parametrize("stride", [1, 4])
def test_a_known_lag_is_found_to_a_fraction_of_a_sample(lag: float, stride: int) -> None:
    samples = np.arange(0, 241, stride)
    recording = _swing((np.arange(400) - 60 - lag) / 120.0) + np.array([0.02, -0.01, 0.03])
    fit = fit_time_lag(_swing(samples / 120.0), samples, recording, first_sample=60, max_lag_samples=12)
    assert fit is not None
    assert fit.lag_samples == pytest.approx(lag, abs=0.02)
    assert not fit.at_edge


def test_a_lag_beyond_the_search_is_reported() -> None:
    samples = np.arange(0, 241, 4)
    recording = _swing((np.arange(400) - 60 - 20) / 120.0)
    fit = fit_time_lag(_swing(samples / 120.0), samples, recording, first_sample=60, max_lag_samples=12)
    assert fit is not None
    assert fit.at_edge


def test_where_nothing_moves_there_is_no_lag() -> None:
    samples = np.arange(0, 241, 4)
    assert (
        fit_time_lag(np.zeros((61, 3, 3)), samples, np.zeros((400, 3, 3)), first_sample=60, max_lag_samples=12) is None
    )


def test_where_only_noise_moves_there_is_no_lag() -> None:
    """A person who stands still under 1.5 mm of noise must not be reported to be late."""
    rng = np.random.default_rng(0)
    samples = np.arange(0, 241, 4)
    source = rng.normal(0, 0.0015, (61, 12, 3))
    assert (
        fit_time_lag(source, samples, rng.normal(0, 0.0015, (400, 12, 3)), first_sample=60, max_lag_samples=12) is None
    )


SURFACE_MARKERS = ("LASI", "RASI", "LKNE", "RKNE", "LANK", "RANK", "LSHO", "RSHO", "LELB", "RELB", "LIWR", "RIWR")
JOINTS = (1, 2, 4, 5, 7, 8, 16, 17, 18, 19, 20, 21)


@pytest.mark.reference
@pytest.mark.parametrize("clip", ["S1_C1", "S1_C2", "S1_C3", "S15_C1", "S15_C2", "S15_C3"])
def test_another_definition_of_the_joints_does_not_look_like_a_lag(shared: Path, clip: str) -> None:
    """Markers on the skin, 6 cm from the joints and with 1 mm of noise, stand for a system that defines joints its
    own way: the lag must come out within 2 ms (half a video frame is 17 ms), the turn within 3 degrees."""
    world = shared / "reference/world_a"
    names = json.loads((world / "truth.json").read_text())["marker_names"]
    truth = np.load(world / "truth.npz")
    joints = truth[f"{clip}_joints"][:, JOINTS].astype(float)
    skin = truth[f"{clip}_markers"][:, [names.index(name) for name in SURFACE_MARKERS]].astype(float)
    late = np.concatenate([np.repeat(skin[:1], 60, axis=0), skin, np.repeat(skin[-1:], 60, axis=0)])
    late += np.random.default_rng(0).normal(0, 0.001, late.shape)
    samples = np.arange(0, len(joints), 4)
    lag = fit_time_lag(joints[samples], samples, late, first_sample=58, max_lag_samples=30)
    fit = fit_rigid(joints, skin)
    assert lag is not None
    assert fit is not None
    assert lag.lag_samples / 120.0 == pytest.approx(2 / 120.0, abs=0.002)
    assert lag.mismatch < 0.05
    assert np.degrees(fit.angle_rad) < 3.0
    assert fit.offset_m < 0.08
