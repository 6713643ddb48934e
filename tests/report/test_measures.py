"""Numbers of the report, on motions and misses whose answer is known by thought."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from movi_prep.records.ik_solution import FrameStatus, IkSolution
from movi_prep.report.measures import (
    ClipMeasures,
    biases_over_subjects,
    common_rms_mm,
    coordinate_uses,
    marker_biases,
    measure_clip,
    median_deviations_deg,
)
from movi_prep.report.verdicts import judge_max, judge_rms, largest_asymmetry
from tests.builders.quality_work import BODY, CLIP, COORDINATES, MARKERS, N_SOLVED, known_scale, known_solution

BODIES = {"HEEL": BODY, "SOFT": "elsewhere"}
RANGES = {"hip_flexion_r": (-1.0, 1.0), "knee_angle_r": (0.0, 2.0)}


def _measured(solution: IkSolution | None = None) -> ClipMeasures:
    return measure_clip(CLIP, solution or known_solution(), labels=COORDINATES, landmark_weight=20.0)


def test_landmarks_and_tracked_markers_are_distinguished_and_carried_ones_do_not_count() -> None:
    clip = _measured()
    assert clip.landmark_rms_mm == pytest.approx(12.0)
    assert clip.tracking_rms_mm == pytest.approx(8.0)
    assert clip.marker_rms_mm == pytest.approx(np.sqrt((12.0**2 + 8.0**2) / 2.0))
    assert (clip.max_mm, clip.max_marker) == (pytest.approx(12.0), "HEEL")


def test_a_frame_without_a_usable_pose_counts_as_a_frame_and_for_nothing_else() -> None:
    clip = _measured()
    assert (clip.n_rows, clip.n_usable) == (N_SOLVED + 1, N_SOLVED)
    assert clip.statuses == {"solved": N_SOLVED, "not_converged": 1}
    assert clip.valid_percent == pytest.approx(100.0 * N_SOLVED / (N_SOLVED + 1))


def test_a_constant_miss_on_a_turning_body_is_all_bias_and_an_alternating_one_all_deviation() -> None:
    heel, soft = marker_biases([known_solution(), known_solution()], BODIES)
    assert (heel.name, heel.body, heel.n_rows) == ("HEEL", BODY, 2 * N_SOLVED)
    assert heel.mean_mm == pytest.approx((12.0, 0.0, 0.0), abs=1e-9)
    assert (heel.bias_mm, heel.deviation_mm) == (pytest.approx(12.0), pytest.approx(0.0, abs=1e-6))
    assert (soft.bias_mm, soft.deviation_mm) == (pytest.approx(0.0, abs=1e-9), pytest.approx(8.0))
    assert soft.body == "ground", "a body that the solution does not have must not be guessed"


def test_bias_and_deviation_add_up_to_the_rms() -> None:
    solution = known_solution()
    for bias in marker_biases([solution], BODIES):
        column = MARKERS.index(bias.name)
        residuals_mm = solution.residuals_m()[:N_SOLVED, column] * 1000.0
        assert bias.rms_mm == pytest.approx(np.sqrt(np.mean(residuals_mm**2)))


def test_medians_over_subjects() -> None:
    subjects = [marker_biases([known_solution(heel_mm=length_mm)], BODIES) for length_mm in (10.0, 12.0, 30.0)]
    assert biases_over_subjects(subjects)[0] == ("HEEL", 3, pytest.approx(12.0), pytest.approx(0.0, abs=1e-6))


def test_use_of_a_range() -> None:
    hip, knee = coordinate_uses([known_solution()], RANGES, COORDINATES)
    assert hip.at_limit_percent == pytest.approx(25.0)
    assert hip.model_range_deg == pytest.approx((-57.2958, 57.2958), abs=1e-3)
    assert hip.used_deg[1] == pytest.approx(np.degrees(1.0))
    assert (knee.at_limit_percent, knee.beyond_deg) == (0.0, 0.0)


def test_beyond_the_range_is_reported_in_degrees() -> None:
    hip = coordinate_uses([known_solution()], {"hip_flexion_r": (-1.0, 0.9)}, COORDINATES)[0]
    assert hip.beyond_deg == pytest.approx(np.degrees(0.1))


def test_even_motion_has_no_jitter_and_an_alternating_degree_has_four() -> None:
    even = known_solution()
    assert coordinate_uses([even], RANGES, COORDINATES)[1].jitter_deg == pytest.approx(0.0, abs=1e-9)
    values = even.coordinates.copy()
    values[:, 0] = values[:, 1]
    values[:, 1] += np.radians(1.0) * np.where(np.arange(len(values)) % 2, 1.0, -1.0)
    shaken = replace(even, coordinates=values)
    assert coordinate_uses([shaken], RANGES, COORDINATES)[1].jitter_deg == pytest.approx(4.0)
    clip = _measured(shaken)
    assert (clip.jitter_deg, clip.jitter_most_in) == (pytest.approx(4.0 / np.sqrt(2.0)), "knee_angle_r")


def test_a_full_turn_is_not_a_jump() -> None:
    solution = known_solution()
    values = solution.coordinates.copy()
    values[:, 0] = np.linspace(0.0, 1.0, len(values))
    values[20:, 1] += 2.0 * np.pi
    assert _measured(replace(solution, coordinates=values)).jitter_deg == pytest.approx(0.0, abs=1e-9)


def test_observability_is_the_median_and_what_is_undetermined_is_infinite() -> None:
    solution = known_solution()
    assert solution.posterior_std is not None
    deviation = solution.posterior_std.copy()
    deviation[:, 0] = np.nan
    clips = [_measured(), _measured(), _measured(replace(solution, posterior_std=deviation))]
    assert median_deviations_deg(clips) == {"hip_flexion_r": pytest.approx(60.0), "knee_angle_r": pytest.approx(3.0)}
    assert median_deviations_deg(clips[2:])["hip_flexion_r"] == np.inf
    assert median_deviations_deg([_measured(replace(solution, posterior_std=None))]) == {}


def test_the_deviation_of_labels_counts_where_there_is_one() -> None:
    solution = known_solution()
    label_std = np.full_like(solution.coordinates, np.radians(4.0))
    measured = _measured(replace(solution, label_std=label_std))
    assert median_deviations_deg([measured]) == {name: pytest.approx(4.0) for name in measured.deviation_deg}
    assert measured.deviation_deg


def test_two_solutions_are_compared_on_the_markers_that_both_track() -> None:
    ours, theirs = _measured(), known_solution(heel_mm=24.0)
    lacking = replace(theirs, marker_weights=np.array([20.0, 0.0, 0.0]))
    assert common_rms_mm(ours, _measured(lacking)) == (pytest.approx(12.0), pytest.approx(24.0))


def test_a_clip_without_a_usable_frame_has_no_numbers_and_no_error() -> None:
    solution = known_solution()
    lost = replace(solution, statuses=np.full(solution.n_rows, FrameStatus.FAILED, np.int8))
    clip = _measured(lost)
    assert clip.n_usable == 0
    assert np.isnan([clip.marker_rms_mm, clip.max_mm, clip.jitter_deg]).all()
    assert marker_biases([lost], BODIES) == ()
    assert coordinate_uses([lost], RANGES, COORDINATES) == ()


def test_asymmetry_is_relative_to_the_mean_of_both_sides() -> None:
    assert largest_asymmetry(known_scale()) == (pytest.approx(100.0 * 0.1 / 1.05), "calcn_r, calcn_l along X")


@pytest.mark.parametrize(
    ("rms_mm", "max_mm", "verdicts"),
    [(20.0, 20.0, ("good", "good")), (20.1, 40.0, ("bad", "check")), (np.nan, 40.1, ("none", "bad"))],
)
def test_verdicts_follow_the_guideline(rms_mm: float, max_mm: float, verdicts: tuple[str, str]) -> None:
    assert (judge_rms(rms_mm), judge_max(max_mm)) == verdicts
