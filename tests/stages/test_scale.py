"""The scaling stage: one unit per subject, outputs that read back, and a set-up for every model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import opensim
import pytest

from movi_prep.config.ik import IkSettings
from movi_prep.config.root import Config
from movi_prep.config.scaling import ScaleAuditSettings, ScaleUnitSettings, ScalingSettings
from movi_prep.errors import ModelError, UsageError
from movi_prep.formats.marker_file import read_static_trial, write_static_trial
from movi_prep.formats.opensim_setup import read_scale_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.formats.scale_file import read_scale_result
from movi_prep.osim.models import read_model
from movi_prep.osim.scale_model import scale_model
from movi_prep.recordings.find import select_clips
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.markers import StaticTrial
from movi_prep.records.recordings import Recordings
from movi_prep.records.setups import PostScaling, ScaleSetup
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.packaged_model import PACKAGED_MODEL, PACKAGED_SCALE_SETUP
from movi_prep.stages.scale import SCALE, pose_solver, scaling_method, solve_pose_converged
from tests.builders.small_model import MARKERS, build_model, markers_at, static_trial, trajectories
from tests.builders.small_world import write_small_world
from tests.sentences import raises_recorded

SMALL_SETUP = ScaleSetup(
    name="small",
    source="small",
    measurements=(),
    marker_weights=dict.fromkeys(MARKERS, 20.0),
    post_scaling=PostScaling(default_values="static pose"),
)
DOWNLOAD = Recordings(motions={movi_clip(1, 1): Path("a"), movi_clip(1, 2): Path("b"), movi_clip(7, 1): Path("c")})


def test_there_is_one_unit_per_subject(tmp_path: Path) -> None:
    units = SCALE.plan(DOWNLOAD, WorkFolder(tmp_path), Config())
    assert [unit.id for unit in units] == ["scale S001", "scale S007"]
    units = SCALE.plan(select_clips(DOWNLOAD, subjects=["7"], clips=None), WorkFolder(tmp_path), Config())
    assert [unit.key for unit in units] == ["S007"]
    assert units[0].inputs.model.name == "movi_full_body.osim"
    assert SCALE.plan(Recordings(), WorkFolder(tmp_path), Config()) == ()


def test_a_model_of_the_users_own_needs_a_set_up(tmp_path: Path) -> None:
    config = Config(scaling=ScalingSettings(model=tmp_path / "mine.osim"))
    with raises_recorded(UsageError):
        SCALE.plan(DOWNLOAD, WorkFolder(tmp_path), config)


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    world = write_small_world(tmp_path)
    (unit,) = SCALE.plan(world.recordings, world.work, world.config)
    report = SCALE.run_unit(unit)
    assert report.numbers["passed"] is True
    result = read_scale_result(world.work.scaled_model("S001").with_name("scale.json"))
    assert result.passed
    assert result.mass_kg == pytest.approx(60.0)
    assert read_model(world.work.scaled_model("S001")).getMarkerSet().getSize() == 9


def asked(config: Config, **scaling: object) -> Config:
    return config.model_copy(update={"scaling": config.scaling.model_copy(update=scaling)})


def by_motion(config: Config) -> Config:
    return asked(config, method="motion")


@pytest.mark.parametrize(
    ("config", "static", "moving", "method"),
    [
        (Config(), True, True, "motion"),
        (Config(), False, True, "motion"),
        (Config(), True, False, "static"),
        (Config(subset=("ACCAD",)), True, True, "static"),
        (Config(scaling=ScalingSettings(setup=Path("own.yaml"))), True, True, "static"),
        (Config(scaling=ScalingSettings(setup=Path("own.yaml"))), False, True, "motion"),
        (Config(scaling=ScalingSettings(placement_solver="opensim")), True, True, "static"),
        (Config(subset=("ACCAD",), scaling=ScalingSettings(method="motion")), True, True, "motion"),
        (Config(scaling=ScalingSettings(method="static")), False, True, "static"),
    ],
)
def test_what_measures_a_person_follows_a_stated_rule(config: Config, static: bool, moving: bool, method: str) -> None:
    assert scaling_method(config, static=static, moving=moving) == method


def test_a_subject_without_clips_is_scaled_by_the_static_trial_and_says_so(tmp_path: Path) -> None:
    world = write_small_world(tmp_path)
    (unit,) = SCALE.plan(world.recordings, world.work, by_motion(world.config))
    SCALE.run_unit(replace(unit, inputs=replace(unit.inputs, clips=(None,))))
    path = world.work.scaled_model("S001").with_name("scale.json")
    assert json.loads(path.read_text())["provenance"]["method"] == "static"
    assert read_scale_result(path).findings[-1].startswith("no clip of the subject")


def test_a_subject_is_scaled_from_all_clips_where_that_is_asked_for(tmp_path: Path) -> None:
    world = write_small_world(tmp_path)
    (unit,) = SCALE.plan(world.recordings, world.work, by_motion(world.config))
    assert unit.inputs.clips == (world.work.markers(movi_clip(1, 1)),)
    SCALE.run_unit(unit)
    result = read_scale_result(world.work.scaled_model("S001").with_name("scale.json"))
    assert result.passed
    # The clip is the generic model's own: nothing is to be scaled, and no marker to be moved.
    np.testing.assert_allclose(result.body_factors, 1.0, atol=0.02)
    assert result.landmark_max_m < 0.001
    generic, scaled = (read_model(path) for path in (unit.inputs.model, unit.outputs.model))
    for name in MARKERS:
        places = [model.getMarkerSet().get(name).get_location().to_numpy() for model in (generic, scaled)]
        np.testing.assert_allclose(*places, atol=0.003)


def test_a_static_trial_that_moves_is_named_and_costs_nothing(tmp_path: Path) -> None:
    world = write_small_world(tmp_path)
    (unit,) = SCALE.plan(world.recordings, world.work, by_motion(world.config))
    static = read_static_trial(unit.inputs.static)
    walked_m = static.markers.positions_m + np.linspace(-0.2, 0.2, 10)[:, None, None] * np.array([1.0, 0.0, 0.0])
    moving = replace(static, markers=replace(static.markers, positions_m=walked_m))
    write_static_trial(unit.inputs.static, moving, provenance={})
    SCALE.run_unit(unit)
    result = read_scale_result(unit.outputs.result)
    assert result.passed
    # By a name that stays true where the work folder is moved.
    assert [finding for finding in result.findings if finding.startswith("S001/static.h5: ")]
    assert str(tmp_path) not in unit.outputs.result.read_text(encoding="utf-8")
    np.testing.assert_allclose(result.body_factors, 1.0, atol=0.02)


def test_clips_are_no_inputs_of_the_static_method(tmp_path: Path) -> None:
    (first, _) = SCALE.plan(DOWNLOAD, WorkFolder(tmp_path), asked(Config(), method="static"))
    assert first.inputs.clips == ()
    (first, _) = SCALE.plan(DOWNLOAD, WorkFolder(tmp_path), Config())
    assert len(first.inputs.clips) == 2


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    world = write_small_world(tmp_path)
    (unit,) = SCALE.plan(world.recordings, world.work, world.config)
    SCALE.run_unit(unit)
    first = {path.name: path.read_bytes() for path in world.work.scaled_model("S001").parent.iterdir()}
    SCALE.run_unit(unit)
    assert first == {path.name: path.read_bytes() for path in world.work.scaled_model("S001").parent.iterdir()}


def test_the_settings_of_a_unit_are_the_audit_and_the_solver_alone(tmp_path: Path) -> None:
    (first, _) = SCALE.plan(DOWNLOAD, WorkFolder(tmp_path), Config())
    kept = Config(scaling=ScalingSettings(keep_failed_audit=True))
    assert SCALE.plan(DOWNLOAD, WorkFolder(tmp_path), kept)[0].settings == first.settings
    other = Config(scaling=ScalingSettings(placement_solver="opensim"))
    assert SCALE.plan(DOWNLOAD, WorkFolder(tmp_path), other)[0].settings != first.settings


def test_the_static_pose_is_found_by_the_solver_of_inverse_kinematics_unless_another_is_named(tmp_path: Path) -> None:
    def solver_of(config: Config) -> str:
        settings = SCALE.plan(DOWNLOAD, WorkFolder(tmp_path), config)[0].settings
        assert isinstance(settings, ScaleUnitSettings)
        return settings.placement_solver

    assert solver_of(Config()) == "converged"
    assert solver_of(Config(ik=IkSettings(solver="opensim"))) == "opensim"
    named = ScalingSettings(placement_solver="converged")
    assert solver_of(Config(ik=IkSettings(solver="opensim"), scaling=named)) == "converged"


@pytest.mark.parametrize(("solver", "tolerance"), [("converged", 1e-8), ("opensim", 1e-2)])
def test_the_static_pose_is_found_from_afar(solver: Literal["converged", "opensim"], tolerance: float) -> None:
    model = build_model(coupled=True)
    bent = np.array([[0.2, 0.3, -0.1, 1.0, 1.2, 0.4, 0.8, 0.4]])
    static = static_trial(markers_at(model, bent)[0])
    settings = ScaleUnitSettings(placement_solver=solver)
    scale_model(model, static, SMALL_SETUP, settings, solve_pose=pose_solver(settings))
    coordinates = model.getCoordinateSet()
    found = [coordinates.get(index).getDefaultValue() for index in range(coordinates.getSize())]
    np.testing.assert_allclose(found, bent[0], atol=tolerance)


def test_a_model_that_the_converged_solver_cannot_hold_names_the_other() -> None:
    model = build_model()
    model.addConstraint(
        opensim.PointConstraint(model.getGround(), opensim.Vec3(0), model.getBodySet().get("pelvis"), opensim.Vec3(0))
    )
    model.finalizeConnections()
    model.initSystem()
    static = static_trial(markers_at(build_model(), np.array([[0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]]))[0])
    with raises_recorded(ModelError):
        scale_model(model, static, SMALL_SETUP, ScaleUnitSettings(), solve_pose=solve_pose_converged)


def test_a_static_trial_with_too_few_markers_is_refused_with_the_reason() -> None:
    model = build_model()
    few = replace(SMALL_SETUP, marker_weights=dict.fromkeys(MARKERS[:2], 20.0))
    static = static_trial(markers_at(model, np.array([[0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]]))[0])
    with raises_recorded(ModelError):
        scale_model(model, static, few, ScaleUnitSettings(), solve_pose=solve_pose_converged)


@pytest.mark.reference
@pytest.mark.parametrize("subject", [1, 15])
def test_standing_upright_is_far_from_gimbal_lock(shared: Path, subject: int) -> None:
    static = np.load(shared / "reference" / "world_a_d3ke" / f"subject_{subject}_static_markers.npz")
    names = tuple(str(name) for name in static["names"])
    positions = np.repeat(static["markers"][None], 67, axis=0)
    trial = StaticTrial(trajectories(positions, names, rate_hz=120.0), 1.7, 70.0, None, "given")
    model = read_model(packaged_path("opensim_models", PACKAGED_MODEL))
    setup = read_scale_setup(packaged_path("opensim_models", PACKAGED_SCALE_SETUP))
    result = scale_model(model, trial, setup, ScaleAuditSettings())
    assert abs(np.degrees(result.pelvis_middle_angle_rad)) < 10.0
    # The same person with z up, as the superseded code has it, lies at the lock: the audit says so.
    x, y, z = np.moveaxis(positions, -1, 0)
    lying = replace(trial, markers=trajectories(np.stack([x, -z, y], axis=-1), names, rate_hz=120.0))
    model = read_model(packaged_path("opensim_models", PACKAGED_MODEL))
    findings = scale_model(model, lying, setup, ScaleAuditSettings()).findings
    assert any("near gimbal lock" in finding for finding in findings)
