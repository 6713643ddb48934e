"""What a solved frame is called: converged, suspect, or neither."""

from __future__ import annotations

import numpy as np
import pytest

from movi_prep.kinematics.diagnosis import judge_fit, settled_ends, stand_out
from movi_prep.kinematics.tracks import CONVERGED, ITERATION_LIMIT
from movi_prep.records.ik_solution import FrameStatus

NOISE_M = 0.005


@pytest.mark.parametrize(
    ("rms_mm", "stands_out", "status"),
    [
        (25.0, 5.0, FrameStatus.SUSPECT),  # beyond the noise, in some markers
        (25.0, 2.0, FrameStatus.SOLVED),  # beyond the noise, in all alike: a model of another size
        (12.0, 20.0, FrameStatus.SUSPECT),  # within its reach, but noise is on all markers alike
        (12.0, 6.0, FrameStatus.SOLVED),
        (3.0, 20.0, FrameStatus.SOLVED),
    ],
)
def test_a_pose_is_suspect_where_noise_cannot_explain_it(rms_mm: float, stands_out: float, status: FrameStatus) -> None:
    statuses, reasons = np.array([FrameStatus.SOLVED], dtype=np.int8), [""]
    objective = 0.5 * (rms_mm / 1000.0) ** 2
    judge_fit(statuses, reasons, (np.array([objective]), np.array([stands_out])), NOISE_M)
    assert statuses[0] == status
    assert bool(reasons[0]) == (status == FrameStatus.SUSPECT)


def test_markers_met_exactly_need_no_smaller_step() -> None:
    ends = settled_ends(np.full(3, ITERATION_LIMIT), np.array([0.5 * (1e-5) ** 2, 0.5 * (1e-3) ** 2, np.nan]))
    assert ends.tolist() == [CONVERGED, ITERATION_LIMIT, ITERATION_LIMIT]


def test_what_stands_out_is_measured_by_the_median_of_what_is_seen() -> None:
    missed_m = np.array([[0.001, 0.002, 0.003, 0.03], [0.001, np.nan, 0.003, 0.008], [np.nan, 0.0, np.nan, 0.0]])
    even = stand_out(np.ones(4), missed_m)
    np.testing.assert_allclose(even, [0.03 / 0.0025, 0.008 / 0.003, 0.0])


def test_a_marker_of_little_weight_hardly_stands_out() -> None:
    found = stand_out(np.array([1.0, 1.0, 1.0, 0.01]), np.array([[0.001, 0.001, 0.001, 0.01]]))
    np.testing.assert_allclose(found, [1.0])
