"""The stage of inverse kinematics: both solvers find the known motion, and what is wrong is named."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from movi_prep.config.ik import IkSettings
from movi_prep.config.scaling import ScalingSettings
from movi_prep.errors import AuditError, InputError, UsageError
from movi_prep.formats.ik_file import read_ik_solution
from movi_prep.formats.marker_file import read_markers, write_markers
from movi_prep.formats.opensim_setup import read_ik_setup
from movi_prep.formats.storage import read_storage
from movi_prep.formats.trc import read_trc
from movi_prep.osim.solution import SolvedFrames, complete_solution
from movi_prep.records.ik_solution import FrameStatus
from movi_prep.report.measures import measure_clip
from movi_prep.stages.ik import IK
from movi_prep.stages.ik_account import counted_reasons, limit_violations, sum_rows
from movi_prep.stages.scale import SCALE
from movi_prep.stages.solve_clip import name_findings, read_scaled_model, solve_clip
from tests.builders.small_model import MARKERS, build_model, markers_at, swinging, trajectories
from tests.builders.small_world import CLIP, SmallWorld, write_small_world
from tests.sentences import raises_recorded

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.config.root import Config
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.records.unit import Unit


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SmallWorld:
    world = write_small_world(tmp_path_factory.mktemp("world"))
    (unit,) = SCALE.plan(world.recordings, world.work, world.config)
    SCALE.run_unit(unit)
    return world


def _unit(world: SmallWorld) -> Unit:
    (unit,) = IK.plan(world.recordings, world.work, world.config)
    return unit


def _solved(world: SmallWorld, markers: MarkerTrajectories, **settings: object):  # type: ignore[no-untyped-def]
    scaled = read_scaled_model(world.work.scaled_model("S001"))
    setup = read_ik_setup(_unit(world).inputs.setup)
    return solve_clip(scaled, markers, setup, IkSettings(solver="opensim", **settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("solver", ["opensim", "converged"])
def test_both_solvers_find_the_known_motion(world: SmallWorld, solver: str) -> None:
    config = world.config.model_copy(update={"ik": world.config.ik.model_copy(update={"solver": solver})})
    (unit,) = IK.plan(world.recordings, world.work, config)
    report = IK.run_unit(unit)
    solution = read_ik_solution(world.work.ik_solution(CLIP))
    assert solution.solver == solver
    assert solution.usable().all()
    np.testing.assert_allclose(solution.coordinates, world.coordinates, atol=0.01)
    assert solution.coordinate_valid.all()
    assert report.numbers["usable_rows"] == len(world.coordinates)
    assert float(report.numbers["marker_rms_mm"]) < 2.0
    measured = measure_clip("walk", solution, labels=(), landmark_weight=config.ik.landmark_weight)
    assert report.numbers["marker_max_mm"] == pytest.approx(measured.max_mm, abs=1e-3)


def test_files_for_others_hold_degrees_and_millimetres(world: SmallWorld) -> None:
    IK.run_unit(_unit(world))
    solution = read_ik_solution(world.work.ik_solution(CLIP))
    motion = read_storage(world.work.ik_motion(CLIP))
    assert motion.in_degrees
    hip = motion.values[:, motion.labels.index("hip")]
    np.testing.assert_allclose(np.radians(hip), solution.coordinates[:, 6], atol=1e-8)
    np.testing.assert_allclose(motion.times_s, solution.times_s, atol=1e-8)
    markers = read_trc(world.work.ik_solution(CLIP).with_suffix(".trc"))
    np.testing.assert_allclose(markers.positions_m, solution.model_markers_m, atol=1e-6)


def test_only_what_is_asked_for_is_planned(world: SmallWorld) -> None:
    settings = world.config.ik.model_copy(update={"write_mot": False, "write_trc": False})
    (unit,) = IK.plan(world.recordings, world.work, world.config.model_copy(update={"ik": settings}))
    assert unit.outputs.motion is None
    assert unit.outputs.trc is None
    assert unit.settings == _unit(world).settings


def test_a_model_of_the_users_own_needs_a_tracking_set_up(world: SmallWorld) -> None:
    config = world.config.model_copy(update={"ik": IkSettings()})
    with raises_recorded(UsageError):
        IK.plan(world.recordings, world.work, config)


def test_a_subject_that_failed_its_audit_is_refused_unless_kept(world: SmallWorld, tmp_path: Path) -> None:
    unit = _unit(world)
    content = json.loads(unit.inputs.scale.read_text())
    content.update(audit="refused", findings=["landmark A misses by 30.0 mm"])
    (tmp_path / "scale.json").write_text(json.dumps(content))
    inputs = replace(unit.inputs, scale=tmp_path / "scale.json")  # type: ignore[type-var]
    with raises_recorded(AuditError):
        IK.run_unit(replace(unit, inputs=inputs))
    scaling = ScalingSettings(
        model=world.config.scaling.model, setup=world.config.scaling.setup, keep_failed_audit=True
    )
    (kept,) = IK.plan(world.recordings, world.work, world.config.model_copy(update={"scaling": scaling}))
    IK.run_unit(replace(kept, inputs=inputs))


def test_a_doubtful_subject_is_solved(world: SmallWorld, tmp_path: Path) -> None:
    unit = _unit(world)
    content = json.loads(unit.inputs.scale.read_text())
    content.update(audit="doubtful", passed=False, findings=["landmark A misses by 30.0 mm"])
    (tmp_path / "scale.json").write_text(json.dumps(content))
    IK.run_unit(replace(unit, inputs=replace(unit.inputs, scale=tmp_path / "scale.json")))  # type: ignore[type-var]


def test_gaps_are_reported_and_solved_around(world: SmallWorld) -> None:
    markers = read_markers(world.work.markers(CLIP))
    positions = np.array(markers.positions_m)
    positions[2:4, markers.column("shank_r_b")] = np.nan
    positions[5] = np.nan
    solution, findings = _solved(world, replace(markers, positions_m=positions))
    assert "marker shank_r_b is missing in 3 of 8 samples: solved without it there" in findings
    assert "1 of 8 frames show too few markers: first is row 5" in findings
    assert solution.statuses[5] == FrameStatus.TOO_FEW_MARKERS
    np.testing.assert_allclose(solution.coordinates[2:4], world.coordinates[2:4], atol=0.01)


def test_gaps_of_one_length_are_reported_together(world: SmallWorld) -> None:
    markers = read_markers(world.work.markers(CLIP))
    positions = np.array(markers.positions_m)
    positions[:2] = np.nan
    _, findings = _solved(world, replace(markers, positions_m=positions))
    reported = [finding for finding in findings if "missing in 2 of 8 samples" in finding]
    assert len(reported) == 1
    assert reported[0].startswith(f"{len(MARKERS)} markers are missing")


def test_a_clip_without_any_pose_fails(world: SmallWorld) -> None:
    """A result without a single frame must not look like one."""
    markers = read_markers(world.work.markers(CLIP))
    with raises_recorded(InputError):
        _solved(world, replace(markers, positions_m=np.full_like(markers.positions_m, np.nan)))


def test_a_landmark_that_misses_masks_its_body(world: SmallWorld) -> None:
    markers = read_markers(world.work.markers(CLIP))
    positions = np.array(markers.positions_m)
    positions[3, markers.column("shank_r_b")] += [0.0, 0.0, 0.1]
    solution, _ = _solved(world, replace(markers, positions_m=positions))
    knee = solution.coordinate_names.index("knee")
    assert not solution.coordinate_valid[3, knee]
    assert solution.coordinate_valid[2, knee]


def test_what_no_marker_sees_is_never_valid(world: SmallWorld) -> None:
    markers = read_markers(world.work.markers(CLIP))
    positions = np.array(markers.positions_m)
    shank = [index for index, name in enumerate(markers.names) if name.startswith("shank")]
    positions[:, shank] = np.nan
    solution, _ = _solved(world, replace(markers, positions_m=positions))
    knee = solution.coordinate_names.index("knee")
    assert not solution.coordinate_valid[:, knee].any()
    assert np.delete(solution.coordinate_valid, knee, axis=1).all()


@pytest.mark.parametrize("solver", ["opensim", "converged"])
def test_what_no_marker_sees_in_some_frames_is_not_valid_in_these(world: SmallWorld, solver: str) -> None:
    markers = read_markers(world.work.markers(CLIP))
    positions = np.array(markers.positions_m)
    shank = [index for index, name in enumerate(markers.names) if name.startswith("shank")]
    positions[3:5, shank] = np.nan
    positions[6, shank[:2]] = np.nan
    scaled, setup = read_scaled_model(world.work.scaled_model("S001")), read_ik_setup(_unit(world).inputs.setup)
    hidden = replace(markers, positions_m=positions)
    solution, _ = solve_clip(scaled, hidden, setup, IkSettings(solver=solver))  # type: ignore[arg-type]
    knee = solution.coordinate_names.index("knee")
    assert np.flatnonzero(~solution.coordinate_valid[:, knee]).tolist() == [3, 4], "one marker of three still tells"
    assert np.delete(solution.coordinate_valid, knee, axis=1).all()


@pytest.mark.parametrize(("first", "last"), [(10, 15), (30, 39)])
def test_frames_of_a_frozen_recording_are_suspect_and_named(world: SmallWorld, first: int, last: int) -> None:
    positions = markers_at(build_model(), swinging(40))
    assert _solved(world, trajectories(positions))[0].usable().all()
    positions[first : last + 1] = positions[first - 1]
    solution, reported = _solved(world, trajectories(positions))
    assert np.flatnonzero(solution.statuses == FrameStatus.SUSPECT).tolist() == list(range(first, last + 1))
    assert any(f"rows {first} to {last} repeat" in text for text in reported)


def test_markers_that_do_not_match_are_named(world: SmallWorld) -> None:
    markers = read_markers(world.work.markers(CLIP))
    _, findings = _solved(world, markers.select(MARKERS[1:]))
    assert any("not in the data: pelvis_a" in finding for finding in findings)
    with raises_recorded(InputError):
        _solved(world, markers.select(MARKERS[:2]))
    capitals = replace(markers, names=tuple(f"Jane:{name.upper()}" for name in markers.names))
    with raises_recorded(InputError):
        _solved(world, capitals)
    with raises_recorded(InputError):
        _solved(world, markers.rows(slice(0, 0)))


@pytest.mark.parametrize("solver", ["opensim", "converged"])
def test_one_row_is_solved_as_any_other(world: SmallWorld, solver: str) -> None:
    scaled, setup = read_scaled_model(world.work.scaled_model("S001")), read_ik_setup(_unit(world).inputs.setup)
    one = read_markers(world.work.markers(CLIP)).rows(slice(2, 3))
    solution, _ = solve_clip(scaled, one, setup, IkSettings(solver=solver))
    assert solution.usable().all()
    np.testing.assert_allclose(solution.coordinates, world.coordinates[2:3], atol=0.01)


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_a_unit_that_is_wrong_by_ten_is_named(world: SmallWorld, factor: float) -> None:
    markers = read_markers(world.work.markers(CLIP))
    with raises_recorded(InputError):
        _solved(world, replace(markers, positions_m=factor * markers.positions_m))


def test_a_misspelt_weight_gets_a_suggestion(world: SmallWorld) -> None:
    scaled = read_scaled_model(world.work.scaled_model("S001"))
    weights = dict.fromkeys(("pelvis_x", *MARKERS[1:]), 1.0)
    setup = replace(read_ik_setup(_unit(world).inputs.setup), marker_weights=weights)
    findings = name_findings(scaled, read_markers(world.work.markers(CLIP)), setup)
    assert findings[0].startswith("weighted markers that are not in the model: pelvis_x (did you mean 'pelvis_a'?)")


def test_reasons_that_differ_in_a_number_alone_are_reported_once() -> None:
    reasons = [
        "RMS 276 mm, most at T8",
        "",
        "RMS 274.5 mm, most at T8",
        "RMS 276 mm, most at T8",
        "RMS 9 mm, most at T10",
    ]
    assert counted_reasons(reasons) == [("RMS 274.5 to 276 mm, most at T8", 3), ("RMS 9 mm, most at T10", 1)]


def test_swapped_markers_are_suspect_and_not_labels(world: SmallWorld) -> None:
    markers = read_markers(world.work.markers(CLIP))
    positions = np.array(markers.positions_m)
    swapped = [markers.column("pelvis_b"), markers.column("shank_r_c")]
    positions[4, swapped] = positions[4, swapped[::-1]]
    solution, findings = _solved(world, replace(markers, positions_m=positions))
    assert solution.statuses[4] == FrameStatus.SUSPECT
    assert not solution.coordinate_valid[4].any()
    assert any("suspect" in finding for finding in findings)


def test_numbers_tell_limits_that_are_broken(world: SmallWorld) -> None:
    solution, _ = _solved(world, read_markers(world.work.markers(CLIP)))
    scaled = read_scaled_model(world.work.scaled_model("S001"))
    assert limit_violations(solution, scaled).max() == 0.0
    beyond = np.array(solution.coordinates)
    beyond[0, 6] = 2.5
    broken = replace(solution, coordinates=beyond)
    assert limit_violations(broken, scaled).max() == pytest.approx(0.5)
    assert sum_rows(broken, scaled, IkSettings(), broken.residuals_m()).largest["limit_violation_max"] == pytest.approx(
        0.5
    )


def test_write_markers_is_what_the_stage_reads(world: SmallWorld, tmp_path: Path) -> None:
    markers = read_markers(world.work.markers(CLIP))
    write_markers(tmp_path / "C01.h5", markers.rows(slice(0, 4)), provenance={})
    inputs = replace(_unit(world).inputs, markers=tmp_path / "C01.h5")  # type: ignore[type-var]
    IK.run_unit(replace(_unit(world), inputs=inputs))
    assert read_ik_solution(world.work.ik_solution(CLIP)).n_rows == 4


def test_completing_a_solution_needs_little_beside_the_solution(world: SmallWorld) -> None:
    scaled, markers = read_scaled_model(world.work.scaled_model("S001")), read_markers(_unit(world).inputs.markers)
    known = _solved(world, markers)[0]
    peaks, held = [], []
    for n_rows in (2_000, 20_000):
        rows = np.resize(np.arange(markers.n_rows), n_rows)
        frames = SolvedFrames("converged", known.coordinates[rows], np.zeros(n_rows, dtype=np.int8))
        weights, at = dict.fromkeys(markers.names, 1.0), np.arange(n_rows)
        long = replace(markers, positions_m=markers.positions_m[rows], times_s=at / 30.0, sample_indices=at)
        tracemalloc.start()
        solution = complete_solution(scaled, frames, long, weights)
        solution.residuals_m()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        held.append(sum(v.nbytes for v in vars(solution).values() if isinstance(v, np.ndarray)))
    # What is copied besides are a few numbers per marker and coordinate, and one block of 2048 rows.
    assert peaks[1] - peaks[0] < 1.3 * (held[1] - held[0])


def _with_ik(world: SmallWorld, **settings: object) -> Config:
    ik = world.config.ik
    converged = ik.converged.model_copy(update=settings.pop("converged", {}))
    return world.config.model_copy(
        update={"ik": ik.model_copy(update={"solver": "converged", "converged": converged, **settings})}
    )


def _run_ik(world: SmallWorld, config: Config) -> IkSolution:
    (unit,) = IK.plan(world.recordings, world.work, config)
    IK.run_unit(unit)
    return read_ik_solution(unit.outputs.solution)


@pytest.mark.parametrize("verify_frames", [0, 1])
def test_how_many_frames_are_verified_changes_no_byte(world: SmallWorld, verify_frames: int) -> None:
    def written(n_frames: int) -> dict[str, bytes]:
        _run_ik(world, _with_ik(world, converged={"verify_frames": n_frames}))
        return {path.name: path.read_bytes() for path in world.work.ik_solution(CLIP).parent.iterdir()}

    assert written(verify_frames) == written(8)


def test_the_landmark_limit_reaches_the_mask(world: SmallWorld) -> None:
    def valid(limit_m: float) -> NDArray[np.bool_]:
        return _run_ik(world, _with_ik(world, landmark_weight=0.0, landmark_limit_m=limit_m)).coordinate_valid

    assert valid(1.0).all()
    assert not valid(1e-16).all(), "no marker sits that well"


def test_masking_what_is_not_seen_reaches_the_mask(world: SmallWorld) -> None:
    bound = {"unseen_std_rad": 1e-9}
    kept = _run_ik(world, _with_ik(world, converged=bound)).coordinate_valid
    masked = _run_ik(world, _with_ik(world, converged={**bound, "mask_unseen": True})).coordinate_valid
    assert kept.all()
    assert not masked.any(), "nothing is seen to a nanometre"


def test_settings_of_the_solver_that_is_not_used_redo_nothing(world: SmallWorld) -> None:
    def settings(**changed: object) -> object:
        return IK.plan(world.recordings, world.work, _with_ik(world, **changed))[0].settings

    assert settings(accuracy=1e-3, suspect_rms_m=0.2) == settings()
    assert settings(converged={"iteration_limit": 7}) != settings()
    assert settings(solver="opensim", converged={"iteration_limit": 7}) == settings(solver="opensim")
    assert settings(solver="opensim", accuracy=1e-3) != settings(solver="opensim")
