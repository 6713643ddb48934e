"""Flags: runs of frames whose reasons can be said aloud, problems first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from movi_prep.view.flags import Flag, find_flags, runs_of
from tests.builders.quality_work import HIP_MAX_RAD, N_SOLVED, known_solution

RANGES = {"hip_flexion_r": (-1.0, HIP_MAX_RAD)}


def texts(found: tuple[Flag, ...]) -> list[tuple[int, int, str]]:
    return [(flag.first, flag.last, flag.text) for flag in found]


def test_frames_without_a_pose_come_first_then_angles_at_their_ends() -> None:
    found = find_flags(known_solution(), RANGES, landmark_weight=20.0)
    assert texts(found) == [
        (N_SOLVED, N_SOLVED, "no usable pose: not converged"),
        (0, 9, "hip_flexion_r is at the upper end of its range"),
    ]
    assert [flag.is_bad for flag in found] == [True, False]


def test_what_a_set_up_holds_is_no_problem() -> None:
    found = find_flags(known_solution(), RANGES, landmark_weight=20.0, held={"hip_flexion_r"})
    assert not any("range" in flag.text for flag in found)


@pytest.mark.parametrize(
    ("marker", "miss_m", "says"),
    [
        ("HEEL", 0.045, "HEEL is missed by 45 mm"),
        ("SOFT", 0.045, "SOFT is missed by 45 mm"),
        ("SOFT", 0.025, "SOFT is missed by 25 mm"),
        ("CARRIED", 0.9, None),
    ],
    ids=["landmark", "tracked", "the largest of the clip", "without weight"],
)
def test_a_missed_marker_is_shown_where_it_is_missed_most(marker: str, miss_m: float, says: str | None) -> None:
    solution = known_solution()
    model = solution.model_markers_m.copy()
    column = solution.marker_names.index(marker)
    observed = solution.observed_markers_m[:, column]
    model[20:23, column] = observed[20:23] + np.array([[0.9], [1.0], [0.95]]) * [0.0, miss_m, 0.0]
    found = find_flags(replace(solution, model_markers_m=model), {}, landmark_weight=20.0)
    missed = [flag for flag in found if "missed" in flag.text]
    assert [flag.text for flag in missed] == ([says] if says else [])
    assert all(flag.worst == 21 and flag.is_bad == (miss_m > 0.04) for flag in missed)


def test_angles_that_are_masked_together_are_one_line() -> None:
    solution = known_solution()
    valid = solution.coordinate_valid.copy()
    valid[5:8] = False
    found = find_flags(replace(solution, coordinate_valid=valid), {}, landmark_weight=20.0)
    assert (5, 7, "no label: hip_flexion_r, knee_angle_r") in texts(found)


def test_runs_are_those_of_neighbours() -> None:
    flags = np.array([True, True, False, True, False, False, True])
    assert list(runs_of(flags)) == [(0, 1), (3, 3), (6, 6)]
    assert list(runs_of(np.zeros(0, bool))) == []
