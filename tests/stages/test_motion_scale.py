"""Trials that a person is scaled to: samples that no person's motion has do not count, and are counted."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from movi_prep.config.scaling import MotionScalingSettings
from movi_prep.kinematics.person_from_motion import MotionScaling, scale_from_motion
from movi_prep.records.markers import MarkerTrajectories
from movi_prep.stages.motion_scale import person_prior, scaling_trial
from tests.builders.known_person import KnownPerson, known_person
from tests.builders.spoilt_rows import FAULTS, WHOLE_BODY_FAULTS

N_ROWS, RATE_HZ = 240, 120.0
SETTINGS = MotionScalingSettings(n_frames=24, n_refining_frames=0)
LENGTHS = ("upper_arm_length", "forearm_length", "thigh_length", "shank_length", "upper_back_height")
# A twentieth of the rows: at the beginning, two together, and runs.
SPOILT = np.array([0, 60, 61, 80, 100, 101, 102, 103, 140, 180, 183, 239])


@lru_cache(maxsize=1)
def someone() -> KnownPerson:
    return known_person(1)


def names() -> tuple[str, ...]:
    person = someone()
    return tuple(person.markers.tree.marker_names[marker] for marker in person.markers.markers)


@lru_cache(maxsize=1)
def moving() -> NDArray[np.float64]:
    return someone().move(N_ROWS, 1)


def trajectories(positions_m: NDArray[np.float64], *, every: int = 1) -> MarkerTrajectories:
    rows = np.arange(len(positions_m)) * every
    return MarkerTrajectories(names(), positions_m, rows / RATE_HZ, rows, RATE_HZ / every, "S001/C01.h5")


def scale(positions_m: NDArray[np.float64]) -> tuple[MotionScaling, tuple[str, ...]]:
    person = someone()
    trial, told = scaling_trial(trajectories(positions_m), names(), static=False)
    prior = person_prior(person.markers, ["Y"] * person.markers.n_groups, SETTINGS)
    return scale_from_motion(person.markers, [trial], person.weights, prior, SETTINGS), told


@lru_cache(maxsize=1)
def clean() -> MotionScaling:
    found, told = scale(moving())
    assert told == ()
    return found


@pytest.mark.parametrize("fault", FAULTS)
def test_a_spoilt_twentieth_of_the_rows_changes_nobody(fault: str) -> None:
    positions_m, truth = moving().copy(), clean()
    positions_m[SPOILT] = FAULTS[fault](someone(), positions_m[SPOILT], np.random.default_rng(5))
    found, told = scale(positions_m)
    (sentence,) = told
    assert f"of {N_ROWS} rows" in sentence
    seen = truth.seen & found.seen
    assert seen.sum() > 0.6 * len(seen)
    apart = np.abs(found.fit.person.log_factors - truth.fit.person.log_factors)
    deviation = np.sqrt(np.diag(truth.fit.log_covariance))
    assert (apart[seen] < 0.1 * deviation[seen]).all()
    lengths = [someone().markers.groups.names.index(name) for name in LENGTHS]
    assert apart[lengths].max() < 5e-4
    person, answers = someone(), [one.fit.person for one in (found, truth)]
    moved_m = np.subtract(*(person.sites_m(one.log_factors, one.offsets_m) for one in answers))
    assert np.linalg.norm(moved_m, axis=1).max() < 2e-4


@pytest.mark.parametrize("fault", WHOLE_BODY_FAULTS)
def test_spoilt_rows_are_kept_out_whole_and_most_others_stay(fault: str) -> None:
    positions_m = moving().copy()
    positions_m[SPOILT] = FAULTS[fault](someone(), positions_m[SPOILT], np.random.default_rng(5))
    trial, _ = scaling_trial(trajectories(positions_m), names(), static=False)
    out = np.isnan(trial.positions_m).all(axis=(1, 2))
    assert out[SPOILT].all()
    assert out.sum() < 4 * len(SPOILT)
    np.testing.assert_array_equal(trial.positions_m[~out], moving()[~out])


def test_a_frozen_stretch_is_kept_out() -> None:
    positions_m = moving().copy()
    positions_m[100:150] = positions_m[99]
    trial, told = scaling_trial(trajectories(positions_m), names(), static=False)
    out = np.isnan(trial.positions_m).all(axis=(1, 2))
    assert out[100:150].all()
    # The release may leap: a few rows around.
    assert out.sum() < 56
    assert told


def test_rows_that_all_differ_are_poses_and_all_count() -> None:
    positions_m = someone().move(N_ROWS, 1)[np.random.default_rng(0).permutation(N_ROWS)]
    trial, told = scaling_trial(trajectories(positions_m), names(), static=False)
    assert np.isfinite(trial.positions_m).all()
    assert told == ()


def test_the_rate_is_that_of_the_rows_read() -> None:
    # Every 16th row of a fast motion: at the rate of recording it would leap everywhere.
    fast = trajectories(someone().move(N_ROWS, 1)[::16], every=16)
    trial, told = scaling_trial(fast, names(), static=False)
    assert np.isfinite(trial.positions_m).all()
    assert told == ()


def test_a_leap_in_the_middle_of_a_static_trial_is_passed_over() -> None:
    person = someone()
    still = np.repeat(moving()[:1], 21, axis=0) + np.random.default_rng(0).normal(0.0, 1e-4, (21, *moving().shape[1:]))
    still[10] = 0.0
    trial, _ = scaling_trial(trajectories(still), names(), static=True)
    whole, _ = scaling_trial(trajectories(moving()), names(), static=False)
    prior = person_prior(person.markers, ["Y"] * person.markers.n_groups, SETTINGS)
    found = scale_from_motion(person.markers, [whole, trial], person.weights, prior, SETTINGS)
    (row,) = found.frames.row[found.frames.trial == 1]
    assert 7 <= row <= 13
    assert row != 10
