"""OpenSim's solver from memory: known poses come back, gaps and bad frames are flagged, couplers hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import opensim
import pytest

from movi_prep.errors import InputError
from movi_prep.formats.storage import read_storage
from movi_prep.formats.trc import write_trc
from movi_prep.osim.marker_tracking import TrackingProblem, coordinate_targets, track_markers
from movi_prep.osim.models import coordinate_names
from movi_prep.records.ik_solution import FrameStatus
from movi_prep.records.setups import CoordinateTask
from tests.builders.small_model import MARKERS, markers_at, trajectories
from tests.sentences import raises_recorded

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

ACCURACY = 1e-7
ANGLE = 0.01
"""OpenSim's solver stops this far from the answer, rad or m, however tight its accuracy."""


def _problem(positions_m: NDArray[np.float64], **changes: object) -> TrackingProblem:
    values: dict[str, object] = {
        "markers": trajectories(positions_m),
        "weights": np.ones(len(MARKERS)),
        "coordinate_targets": (),
        "accuracy": ACCURACY,
        "constraint_weight": float("inf"),
    }
    return TrackingProblem(**{**values, **changes})  # type: ignore[arg-type]


def test_known_poses_come_back(model: opensim.Model, swing: NDArray[np.float64]) -> None:
    track = track_markers(model, _problem(markers_at(model, swing)))
    assert (track.statuses == FrameStatus.SOLVED).all()
    np.testing.assert_allclose(track.coordinates, swing, atol=ANGLE)
    np.testing.assert_array_equal(track.constraint_errors, 0.0)


def test_couplers_hold(coupled_model: opensim.Model, swing: NDArray[np.float64]) -> None:
    track = track_markers(coupled_model, _problem(markers_at(coupled_model, swing)))
    np.testing.assert_allclose(track.coordinates[:, 7], 0.5 * track.coordinates[:, 6], atol=1e-6)
    assert track.constraint_errors.max() < 1e-6


@pytest.mark.parametrize("weight", [0.01, 20.0, float("inf")])
def test_opensims_own_tool_enforces_couplers_at_any_weight(
    model: opensim.Model, coupled_model: opensim.Model, tmp_path: Path, weight: float
) -> None:
    # The markers are those of a straight knee: a penalty would give way to them, as ours does.
    straight = np.zeros((2, 8))
    straight[:, 4], straight[:, 6] = 1.0, 0.6
    observed = markers_at(model, straight)
    ours = track_markers(coupled_model, _problem(observed, constraint_weight=0.01)).coordinates
    assert np.abs(ours[:, 7] - 0.5 * ours[:, 6]).max() > 0.05
    by_tool = _tool_coordinates(coupled_model, observed, tmp_path, weight)
    np.testing.assert_allclose(by_tool[:, 7], 0.5 * by_tool[:, 6], atol=1e-4)


def _tool_coordinates(
    model: opensim.Model, positions_m: NDArray[np.float64], folder: Path, weight: float
) -> NDArray[np.float64]:
    write_trc(folder / "walk.trc", trajectories(positions_m))
    tool = opensim.InverseKinematicsTool()
    tool.setModel(model)
    tool.setMarkerDataFileName(str(folder / "walk.trc"))
    tool.setStartTime(0.0)
    tool.setEndTime(1.0)
    tool.setOutputMotionFileName(str(folder / "walk.mot"))
    tool.setResultsDir(str(folder))
    tool.set_report_errors(False)
    tool.set_accuracy(ACCURACY)
    tool.set_constraint_weight(weight)
    for name in MARKERS:
        task = opensim.IKMarkerTask()
        task.setName(name)
        task.setWeight(1.0)
        tool.upd_IKTaskSet().cloneAndAppend(task)
    tool.run()
    table = read_storage(folder / "walk.mot")
    values = table.values[:, [table.labels.index(name) for name in coordinate_names(model)]]
    return np.radians(values)


def test_an_unseen_marker_is_left_out_of_its_frames(model: opensim.Model, swing: NDArray[np.float64]) -> None:
    positions = markers_at(model, swing)
    positions[3:6, MARKERS.index("shank_r_a")] = np.nan
    track = track_markers(model, _problem(positions))
    assert (track.statuses == FrameStatus.SOLVED).all()
    np.testing.assert_allclose(track.coordinates, swing, atol=ANGLE)


def test_without_a_tracked_marker_no_frame_has_a_pose(model: opensim.Model, swing: NDArray[np.float64]) -> None:
    none = trajectories(markers_at(model, swing)).select(())
    track = track_markers(model, _problem(markers_at(model, swing), markers=none, weights=np.zeros(0)))
    assert (track.statuses == FrameStatus.TOO_FEW_MARKERS).all()
    assert np.isnan(track.coordinates).all()


def test_frames_with_too_few_markers_have_no_pose_and_the_others_go_on(
    model: opensim.Model, swing: NDArray[np.float64]
) -> None:
    positions = markers_at(model, swing)
    positions[0] = np.nan
    positions[4, 2:] = np.nan
    track = track_markers(model, _problem(positions))
    empty = np.array([0, 4])
    assert (track.statuses[empty] == FrameStatus.TOO_FEW_MARKERS).all()
    assert np.isnan(track.coordinates[empty]).all()
    rest = np.setdiff1d(np.arange(len(swing)), empty)
    np.testing.assert_allclose(track.coordinates[rest], swing[rest], atol=ANGLE)


class _FailingSolver(opensim.InverseKinematicsSolver):
    """Refuses some times, always or once: what OpenSim does when an assembly does not reach its tolerance."""

    refused: tuple[float, ...] = ()
    refusals_left = 0

    def track(self, state: opensim.State) -> None:
        self._refuse(state)
        super().track(state)

    def assemble(self, state: opensim.State) -> None:
        self._refuse(state)
        super().assemble(state)

    def _refuse(self, state: opensim.State) -> None:
        cls = type(self)
        if cls.refusals_left > 0 and any(abs(state.getTime() - time) < 1e-9 for time in cls.refused):
            cls.refusals_left -= 1
            raise RuntimeError("Unable to achieve required assembly error tolerance.")


@pytest.mark.parametrize(
    ("refusals", "status"),
    [(1, FrameStatus.RETRIED), (2, FrameStatus.RETRIED), (3, FrameStatus.FAILED)],
)
def test_a_frame_that_fails_is_tried_again_then_flagged(
    model: opensim.Model,
    swing: NDArray[np.float64],
    monkeypatch: pytest.MonkeyPatch,
    refusals: int,
    status: FrameStatus,
) -> None:
    monkeypatch.setattr(_FailingSolver, "refused", (5 / 30.0,))
    monkeypatch.setattr(_FailingSolver, "refusals_left", refusals)
    positions = markers_at(model, swing)
    monkeypatch.setattr(opensim, "InverseKinematicsSolver", _FailingSolver)
    track = track_markers(model, _problem(positions))
    assert track.statuses[5] == status
    rest = np.setdiff1d(np.arange(len(swing)), [5])
    assert (track.statuses[rest] == FrameStatus.SOLVED).all()
    np.testing.assert_allclose(track.coordinates[rest], swing[rest], atol=ANGLE)
    assert np.isnan(track.coordinates[5]).all() == (status == FrameStatus.FAILED)


def test_a_coordinate_task_pulls(model: opensim.Model, swing: NDArray[np.float64]) -> None:
    task = CoordinateTask(name="knee", weight=1000.0, source="manual", value=0.1)
    times_s = np.arange(len(swing)) / 30.0
    targets = coordinate_targets(model, (task,), times_s, {}, "test")
    track = track_markers(model, _problem(markers_at(model, swing), coordinate_targets=targets))
    np.testing.assert_allclose(track.coordinates[:, 7], 0.1, atol=1e-3)


def test_a_coordinate_follows_a_curve(model: opensim.Model, swing: NDArray[np.float64]) -> None:
    task = CoordinateTask(name="knee", weight=1000.0, source="file")
    times_s = np.arange(len(swing)) / 30.0
    targets = coordinate_targets(model, (task,), times_s, {"knee": np.sin}, "test")
    track = track_markers(model, _problem(markers_at(model, swing), coordinate_targets=targets))
    np.testing.assert_allclose(track.coordinates[:, 7], np.sin(times_s), atol=2e-3)


def test_default_tasks_hold_the_default_and_wrong_names_are_refused(model: opensim.Model) -> None:
    model.getCoordinateSet().get("knee").setDefaultValue(0.3)
    times_s = np.zeros(2)
    targets = coordinate_targets(model, (CoordinateTask("knee", 1.0, "default"),), times_s, {}, "test")
    np.testing.assert_array_equal(targets[0][1], [0.3, 0.3])
    with raises_recorded(InputError):
        coordinate_targets(model, (CoordinateTask("kne", 1.0, "default"),), times_s, {}, "test")
    with raises_recorded(InputError):
        coordinate_targets(model, (CoordinateTask("knee", 1.0, "file"),), times_s, {}, "test")
