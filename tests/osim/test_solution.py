"""The whole solution from coordinates: the tree and OpenSim agree, objectives are worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from movi_prep.osim.solution import SolvedFrames, complete_solution, marker_objectives, prepare_model
from movi_prep.records.ik_solution import FrameStatus
from tests.builders.small_model import MARKERS, build_model, markers_at, trajectories

if TYPE_CHECKING:
    import opensim
    from numpy.typing import NDArray

WEIGHTS = dict.fromkeys(MARKERS, 20.0)


def _frames(coordinates: NDArray[np.float64]) -> SolvedFrames:
    statuses = np.zeros(len(coordinates), dtype=np.int8)
    return SolvedFrames(solver="opensim", coordinates=coordinates, statuses=statuses)


def test_tree_and_opensim_pose_the_model_alike(coupled_model: opensim.Model, swing: NDArray[np.float64]) -> None:
    scaled = prepare_model(coupled_model, Path("small.osim"))
    assert scaled.tree is not None
    markers = trajectories(markers_at(coupled_model, swing))
    by_tree = complete_solution(scaled, _frames(swing), markers, WEIGHTS)
    by_opensim = complete_solution(replace(scaled, tree=None, refusal="asked"), _frames(swing), markers, WEIGHTS)
    for name in (
        "model_markers_m",
        "body_rotations",
        "body_positions_m",
        "joint_centres_m",
        "root_frame_rotations",
        "root_frame_positions_m",
    ):
        np.testing.assert_allclose(getattr(by_tree, name), getattr(by_opensim, name), atol=1e-12, err_msg=name)
    assert by_tree.residuals_m().max() < 1e-12
    np.testing.assert_array_equal(by_tree.constraint_errors, 0.0)


def test_a_violated_coupler_is_reported(coupled_model: opensim.Model, swing: NDArray[np.float64]) -> None:
    scaled = prepare_model(coupled_model, Path("small.osim"))
    swing[3, 7] += 0.25
    markers = trajectories(markers_at(coupled_model, swing))
    errors = complete_solution(scaled, _frames(swing), markers, WEIGHTS).constraint_errors
    assert errors[3] == pytest.approx(0.25)
    assert errors[2] == 0.0


def test_names_and_bounds_are_those_of_the_model(coupled_model: opensim.Model) -> None:
    coupled_model.getCoordinateSet().get("hip").set_locked(True)
    coupled_model.initSystem()
    scaled = prepare_model(coupled_model, Path("small.osim"))
    free = dict(zip(scaled.coordinate_names, scaled.free_coordinates.tolist(), strict=True))
    assert not free["hip"]
    assert not free["knee"]
    assert sum(free.values()) == 6
    bodies = dict(zip(scaled.coordinate_names, scaled.coordinate_bodies, strict=True))
    assert (bodies["hip"], bodies["knee"]) == ("thigh_r", "shank_r")
    assert scaled.marker_bodies["shank_r_a"] == "shank_r"
    bounds = dict(zip(scaled.coordinate_names, scaled.coordinate_bounds.tolist(), strict=True))
    assert bounds["hip"] == [-2.0, 2.0]
    assert np.isinf(bounds[scaled.coordinate_names[0]]).all()


def test_frames_without_a_pose_are_nan_and_not_valid(model: opensim.Model, swing: NDArray[np.float64]) -> None:
    positions = markers_at(model, swing)
    swing[2] = np.nan
    frames = _frames(swing)
    frames.statuses[2] = FrameStatus.FAILED
    solution = complete_solution(prepare_model(model, Path("x")), frames, trajectories(positions), WEIGHTS)
    assert np.isnan(solution.model_markers_m[2]).all()
    assert np.isnan(solution.objectives[2])
    assert not solution.coordinate_valid[2].any()
    assert solution.coordinate_valid[[1, 3]].all()
    assert solution.weighted_rms_m() < 1e-12


def test_a_frame_that_no_motion_gives_is_suspect(model: opensim.Model, swing: NDArray[np.float64]) -> None:
    positions = markers_at(model, swing)
    positions[4] += 0.2
    markers = trajectories(positions)
    solution = complete_solution(prepare_model(model, Path("x")), _frames(swing), markers, WEIGHTS, suspect_rms_m=0.05)
    assert solution.statuses[4] == FrameStatus.SUSPECT
    assert (np.delete(solution.statuses, 4) == FrameStatus.SOLVED).all()


def test_a_marker_at_infinity_is_not_seen(model: opensim.Model, swing: NDArray[np.float64]) -> None:
    positions = markers_at(model, swing)
    positions[0, 0, 1] = np.inf
    solution = complete_solution(prepare_model(model, Path("x")), _frames(swing), trajectories(positions), WEIGHTS)
    assert np.isnan(solution.observed_markers_m[0, 0]).all()
    assert solution.objectives[0] < 1e-20


def test_the_objective_is_half_the_weighted_mean_square_of_what_is_seen() -> None:
    model_m = np.zeros((1, 3, 3))
    observed_m = np.array([[[3.0, 0.0, 0.0], [0.0, 4.0, 0.0], [np.nan] * 3]])
    # (1 * 9 + 3 * 16) / 4 / 2, the third marker left out of sum and weight
    assert marker_objectives(model_m, observed_m, np.array([1.0, 3.0, 100.0]))[0] == pytest.approx(57.0 / 8.0)


def test_markers_of_the_data_that_the_model_lacks_are_left_out() -> None:
    model = build_model()
    positions = np.zeros((2, 2, 3))
    markers = trajectories(positions, ("nose", "thigh_r_a"))
    solution = complete_solution(prepare_model(model, Path("x")), _frames(np.zeros((2, 8))), markers, WEIGHTS)
    assert solution.marker_names == ("thigh_r_a",)
