"""Scaling recovers a size: bodies stretched by known factors give those factors, and their markers fit."""

from __future__ import annotations

import gzip
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from movi_prep.config.scaling import ScaleAuditSettings, ScaleUnitSettings
from movi_prep.errors import InputError
from movi_prep.formats.opensim_setup import read_scale_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.formats.trc import read_trc
from movi_prep.osim.models import (
    add_marker_set,
    array,
    marker_names,
    marker_positions_m,
    model_document,
    read_model,
    set_pose,
)
from movi_prep.osim.scale_model import (
    apply_factors,
    body_factors,
    measurement_distances,
    measurement_factors,
    scale_model,
    size_model,
)
from movi_prep.records.markers import StaticTrial
from movi_prep.records.scale_result import AuditGrade
from movi_prep.records.setups import MANUAL, MEASUREMENTS, CoordinateTask, Measurement, PostScaling, ScaleSetup
from movi_prep.stages.scale import with_angles
from tests.builders.small_model import MARKERS, build_model, markers_at, static_trial, trajectories
from tests.sentences import raises_recorded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import opensim
    from numpy.typing import NDArray

SETTINGS = ScaleAuditSettings()
SETUP = ScaleSetup(
    name="small",
    source="small.yaml",
    measurements=tuple(
        Measurement(
            name=f"{body}_size",
            marker_pairs=((f"{body}_a", f"{body}_b"), (f"{body}_a", f"{body}_c")),
            body_axes=((body, "XYZ"),),
        )
        for body in ("pelvis", "thigh_r", "shank_r")
    ),
    marker_weights=dict.fromkeys(MARKERS, 20.0),
)
FACTORS = {"pelvis": (1.1, 1.0, 0.9), "thigh_r": (1.0, 1.2, 1.0), "shank_r": (1.0, 0.8, 1.0)}
REST = np.array([0.0, 0.1, 0.0, 0.2, 1.0, 0.3, 0.3, 0.2])
SIZES = {"pelvis": 1.1, "thigh_r": 0.9, "shank_r": 1.2}


def _subject() -> NDArray[np.float64]:
    """Return (m, 3): markers of a body whose segments have known sizes, standing in a known pose."""
    model = build_model()
    model.scale(model.initSystem(), _scales({name: (size,) * 3 for name, size in SIZES.items()}), True, -1.0)
    return markers_at(model, REST[None])[0]


def _scales(factors: Mapping[str, tuple[float, ...]]) -> opensim.ScaleSet:
    import opensim

    scales = opensim.ScaleSet()
    for name, values in factors.items():
        scale = opensim.Scale()
        scale.setSegmentName(name)
        scale.setScaleFactors(opensim.Vec3(*values))
        scale.setApply(True)
        scales.cloneAndAppend(scale)
    return scales


def test_known_sizes_come_back_and_the_markers_fit(model: opensim.Model) -> None:
    result = scale_model(model, static_trial(_subject()), SETUP, SETTINGS)
    found = dict(zip(result.body_names, result.body_factors, strict=True))
    for name, size in SIZES.items():
        np.testing.assert_allclose(found[name], size, rtol=1e-9)
    assert result.landmark_max_m < 1e-3
    assert result.passed
    assert result.mass_kg == pytest.approx(60.0)
    assert result.pelvis_middle_angle_rad == pytest.approx(0.1, abs=0.01)


def test_markers_end_where_they_were_measured(model: opensim.Model) -> None:
    measured = _subject()
    measured[MARKERS.index("shank_r_a")] += [0.01, 0.0, 0.0]
    setup = replace(SETUP, post_scaling=PostScaling(default_values="static pose"))
    scale_model(model, static_trial(measured), setup, SETTINGS)
    state = model.initSystem()
    np.testing.assert_allclose(marker_positions_m(model, state, MARKERS), measured, atol=1e-9)


def test_a_marker_that_changes_its_body_stays_where_it_is(model: opensim.Model) -> None:
    measured = _subject()
    post = PostScaling(default_values="static pose", markers_moved_to_body={"thigh_r_c": "shank_r"})
    scale_model(model, static_trial(measured), replace(SETUP, post_scaling=post), SETTINGS)
    assert model.getMarkerSet().get("thigh_r_c").getParentFrame().getName() == "shank_r"
    np.testing.assert_allclose(marker_positions_m(model, model.initSystem(), MARKERS), measured, atol=1e-9)


def test_locks_and_releases_are_done() -> None:
    model = build_model(coupled=True)
    post = PostScaling(locked_coordinates=("hip",), released_constraints=("knee_con",))
    scale_model(model, static_trial(_subject()), replace(SETUP, post_scaling=post), SETTINGS)
    assert model.getCoordinateSet().get("hip").get_locked()
    assert not model.getConstraintSet().get("knee_con").get_isEnforced()


def test_manual_factors_win_when_they_come_later(model: opensim.Model) -> None:
    setup = replace(SETUP, manual_factors={"pelvis": (2.0, 2.0, 2.0)}, order=(MEASUREMENTS, MANUAL))
    measured = dict.fromkeys((item.name for item in SETUP.measurements), 1.5)
    np.testing.assert_array_equal(body_factors(model, setup, measured)["pelvis"], 2.0)
    np.testing.assert_array_equal(body_factors(model, setup, measured)["thigh_r"], 1.5)
    first = replace(setup, order=(MANUAL, MEASUREMENTS))
    np.testing.assert_array_equal(body_factors(model, first, measured)["pelvis"], 1.5)


def test_steps_that_a_document_switches_off_change_nothing(model: opensim.Model) -> None:
    """As OpenSim's tool: without scaling masses stay, without placement markers stay; the audit sees the pose."""
    rest = static_trial(markers_at(model, REST[None])[0])
    mass_kg = model.getTotalMass(model.initSystem())
    off = replace(SETUP, order=(), scale_bodies=False)
    result = scale_model(model, replace(rest, mass_kg=mass_kg + 10.0), off, SETTINGS)
    assert result.mass_kg == pytest.approx(mass_kg)
    np.testing.assert_array_equal(result.body_factors, 1.0)

    fresh = build_model()
    moved = markers_at(fresh, REST[None])[0]
    moved[MARKERS.index("shank_r_a")] += [0.01, 0.0, 0.0]
    before = fresh.getMarkerSet().get("shank_r_a").get_location().to_numpy()
    result = scale_model(fresh, static_trial(moved), replace(SETUP, order=(), place_markers=False), SETTINGS)
    np.testing.assert_array_equal(fresh.getMarkerSet().get("shank_r_a").get_location().to_numpy(), before)
    assert result.landmark_max_m > 0.002


def test_a_coordinate_task_holds_a_coordinate_in_the_static_pose(model: opensim.Model) -> None:
    task = CoordinateTask(name="knee", weight=1e4, source="manual", value=0.5)
    post = PostScaling(default_values="static pose")
    setup = replace(SETUP, coordinate_tasks=(task,), post_scaling=post, place_markers=False)
    scale_model(model, static_trial(_subject()), setup, SETTINGS)
    assert model.getCoordinateSet().get("knee").getDefaultValue() == pytest.approx(0.5, abs=0.01)


def test_a_marker_seen_half_of_the_time_still_measures(model: opensim.Model) -> None:
    trial = static_trial(_subject())
    positions = np.array(trial.markers.positions_m)
    positions[:5, 0] = np.nan
    factors = measurement_factors(measurement_distances(model, trajectories(positions), SETUP))
    assert factors["pelvis_size"] == pytest.approx(1.1)


def test_distances_are_those_of_the_subject_and_of_the_generic_model(model: opensim.Model) -> None:
    generic = measurement_distances(model, static_trial(_subject()).markers, SETUP)
    result = scale_model(model, static_trial(_subject()), SETUP, SETTINGS)
    # Those of the model as it came, although scaling has changed it since.
    assert result.distances == generic
    pelvis = [distance for distance in result.distances if distance.measurement == "pelvis_size"]
    assert [distance.ratio for distance in pelvis] == pytest.approx([1.1] * len(pelvis))


def test_a_measurement_without_markers_is_named(model: opensim.Model) -> None:
    setup = replace(SETUP, measurements=(*SETUP.measurements, Measurement("empty", (), (("pelvis", "X"),))))
    with pytest.raises(InputError) as refused:
        scale_model(model, static_trial(_subject()), setup, SETTINGS)
    assert refused.value.where == setup.source
    assert "'empty'" in refused.value.expected


def test_a_trial_that_is_not_static_is_refused(model: opensim.Model) -> None:
    trial = static_trial(_subject())
    positions = trial.markers.positions_m + np.linspace(0.0, 0.2, 10)[:, None, None]
    with raises_recorded(InputError):
        scale_model(model, replace(trial, markers=trajectories(positions)), SETUP, SETTINGS)


MEASURED = replace(SETUP, marker_weights=dict.fromkeys(MARKERS, 1.0))


def _moving_later(still_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (20, m, 3): ten rows that stand still, ten in which the body walks away."""
    walk = np.concatenate([np.zeros(10), np.linspace(0.05, 0.5, 10)])
    return still_m + walk[:, None, None]


@pytest.mark.parametrize("place_first", [True, False])
def test_each_step_is_judged_over_its_own_rows(model: opensim.Model, place_first: bool) -> None:
    """Rows 0 to 9 stand still: only a step that looks beyond 0.3 s meets a body that moves."""
    still, beyond = (0.0, 0.29), (0.0, 0.6)
    trial = replace(static_trial(_subject()), markers=trajectories(_moving_later(_subject())))
    one = {"scaling_time_range_s": beyond, "placement_time_range_s": still}
    ranges = one if place_first else {"scaling_time_range_s": still, "placement_time_range_s": beyond}
    with pytest.raises(InputError):
        scale_model(build_model(), trial, replace(MEASURED, **ranges), SETTINGS)  # type: ignore[arg-type]
    unused = {"order": ()} if place_first else {"place_markers": False}
    result = scale_model(model, trial, replace(MEASURED, **ranges, **unused), SETTINGS)  # type: ignore[arg-type]
    assert np.isfinite(result.marker_errors_m).all()


def test_a_range_that_no_step_looks_at_may_lie_outside_of_the_trial(model: opensim.Model) -> None:
    setup = replace(SETUP, order=(), scaling_time_range_s=(50.0, 60.0))
    scale_model(model, static_trial(_subject()), setup, SETTINGS)


def test_a_set_up_without_a_placer_scales_and_says_that_nothing_was_compared(model: opensim.Model) -> None:
    setup = replace(SETUP, marker_weights={}, place_markers=False)
    result = scale_model(model, static_trial(_subject()), setup, SETTINGS)
    np.testing.assert_allclose(dict(zip(result.body_names, result.body_factors, strict=True))["pelvis"], 1.1)
    assert np.isnan(result.marker_errors_m).all()
    assert not result.passed


@pytest.mark.parametrize("weight", [0.0, 20.0])
def test_markers_that_the_trial_lacks_leave_the_model_as_in_opensims_tool(model: opensim.Model, weight: float) -> None:
    """Weighted or not, on any body; where markers are not placed they stay."""
    trial, lacking = static_trial(_subject()), ("pelvis_c", "shank_r_b")
    shown = tuple(name for name in MARKERS if name not in lacking)
    trial = replace(trial, markers=trial.markers.select(shown))
    # One pair of each body is left to measure it.
    measurements = tuple(replace(item, marker_pairs=((f"{body}_a", f"{body}_{end}"),)) for item, body, end in (
        (SETUP.measurements[0], "pelvis", "b"), (SETUP.measurements[2], "shank_r", "c")
    ))  # fmt: skip
    weights = {**SETUP.marker_weights, **dict.fromkeys(lacking, weight)}
    setup = replace(SETUP, measurements=measurements, marker_weights=weights)
    result = scale_model(model, trial, setup, SETTINGS)
    assert marker_names(model) == shown
    assert all(any(name in finding for finding in result.findings) for name in lacking)
    kept = build_model()
    scale_model(kept, trial, replace(setup, place_markers=False), SETTINGS)
    assert marker_names(kept) == MARKERS


def test_markers_are_placed_from_a_trial_of_their_own(model: opensim.Model) -> None:
    shifted = _subject() + np.array([0.5, 0.0, 0.0])
    trial = replace(static_trial(_subject()), placement=static_trial(shifted).markers)
    setup = replace(SETUP, post_scaling=PostScaling(default_values="static pose"))
    scale_model(model, trial, setup, SETTINGS)
    np.testing.assert_allclose(marker_positions_m(model, model.initSystem(), MARKERS), shifted, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"measurements": (Measurement("m", (("pelvis_a", "nose"),), (("pelvis", "X"),)),)}, "nose"),
        ({"scaling_time_range_s": (5.0, 6.0)}, "samples between 5 and 6 s"),
        ({"post_scaling": PostScaling(locked_coordinates=("hipp",))}, "did you mean 'hip'"),
        ({"post_scaling": PostScaling(released_constraints=("con",))}, "constraint"),
        ({"post_scaling": PostScaling(markers_moved_to_body={"pelvis_a": "foot"})}, "foot"),
        ({"measurements": (), "marker_weights": {"nose": 1.0}}, "belong together"),
    ],
)
def test_what_does_not_exist_is_named(model: opensim.Model, change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        scale_model(model, static_trial(_subject()), replace(SETUP, **change), SETTINGS)  # type: ignore[arg-type]


def test_names_that_meet_nothing_are_reported_and_do_not_stop(model: opensim.Model) -> None:
    extra = Measurement("patella", (("thigh_r_a", "thigh_r_b"),), (("patella_r", "X"),))
    setup = replace(
        SETUP,
        measurements=(*SETUP.measurements[1:], extra),
        marker_weights={**SETUP.marker_weights, "nose": 5.0},
    )
    findings = " | ".join(scale_model(model, static_trial(_subject()), setup, SETTINGS).findings)
    assert "not in the model: nose" in findings
    assert "bodies without a measurement, which keep their size: pelvis" in findings
    assert "patella_r" in findings


def test_a_subject_beyond_the_bounds_fails_the_audit_by_name(model: opensim.Model) -> None:
    settings = ScaleAuditSettings(factor_max=1.15, landmark_max_limit_m=0.02)
    measured = _subject()
    measured[MARKERS.index("thigh_r_b")] += [0.0, 0.0, 0.08]
    result = scale_model(model, static_trial(measured), SETUP, settings)
    assert result.audit is AuditGrade.DOUBTFUL
    result = with_angles(model, result, ScaleUnitSettings(**settings.model_dump()))
    (reported,) = [finding for finding in result.findings if "thigh_r_b by up to" in finding]
    # A miss of some centimetres at the end of a lever of some decimetres.
    assert 1.0 < float(reported.split("thigh_r_b by up to ")[1].split(" degrees")[0]) < 60.0
    findings = " | ".join(result.findings)
    assert "scale factors of shank_r are" in findings
    assert "landmark thigh_r_b misses by" in findings


def test_a_trial_whose_sides_are_exchanged_is_refused(model: opensim.Model) -> None:
    mirrored = _subject() * [1.0, 1.0, -1.0]
    assert scale_model(model, static_trial(mirrored), SETUP, SETTINGS).audit is AuditGrade.REFUSED


@pytest.mark.reference
def test_the_official_example_gives_the_published_factors(shared: Path) -> None:
    folder = shared / "reference" / "gait2354"
    setup = read_scale_setup(folder / "subject01_Setup_Scale.xml")
    assert setup.model_file is not None
    assert setup.marker_set_file is not None
    assert setup.static_file is not None
    model = read_model(setup.model_file)
    add_marker_set(model, setup.marker_set_file)
    static = StaticTrial(read_trc(setup.static_file), 1.8, 72.6, None, "setup")
    result = scale_model(model, static, setup, SETTINGS)
    published = _published_factors(folder / "expected" / "subject01_scaleSet_applied.xml")
    for name, factors in zip(result.body_names, result.body_factors, strict=True):
        np.testing.assert_allclose(factors, published[name], atol=1e-5, err_msg=name)
    assert result.mass_kg == pytest.approx(72.6)


def _published_factors(path: Path) -> dict[str, NDArray[np.float64]]:
    scales = ET.parse(path).getroot().iter("Scale")  # noqa: S314 - a file of ours
    return {
        (scale.findtext("segment") or "").strip(): np.array((scale.findtext("scales") or "").split(), dtype=float)
        for scale in scales
    }


@pytest.mark.reference
@pytest.mark.parametrize("subject", [1, 15])
def test_d3kes_model_is_scaled_as_d3ke_scales_it(shared: Path, tmp_path: Path, subject: int) -> None:
    folder = shared / "reference" / "world_a_d3ke"
    static = np.load(folder / f"subject_{subject}_static_markers.npz")
    names = tuple(str(name) for name in static["names"])
    positions = np.repeat(static["markers"][None], 67, axis=0)
    setup = read_scale_setup(packaged_path("opensim_models", "scaling_d3ke.yaml"))
    model = read_model(shared / "reference" / "d3ke_models" / "full_body.osim")
    trial = StaticTrial(trajectories(positions, names, rate_hz=120.0), 1.7, 70.0, None, "given")
    result = scale_model(model, trial, setup, SETTINGS)

    published = json.loads((folder / f"subject_{subject}_body_scales.json").read_text())["factor"]
    meshless = {"clavphant", "scapphant", "humphant", "humphant1", "firstmc1"}
    for name, factors in zip(result.body_names, result.body_factors, strict=True):
        # Bodies without a mesh have no factor there: they stand with 1.
        if name.removesuffix("_l") not in meshless:
            np.testing.assert_allclose(factors, published[name], atol=1e-4, err_msg=name)

    (tmp_path / "d3ke.osim").write_bytes(gzip.decompress((folder / f"subject_{subject}_scale.osim.gz").read_bytes()))
    theirs = read_model(tmp_path / "d3ke.osim")
    _assert_same_frames(model, theirs)
    _assert_same_post_scaling(model, theirs)


def _assert_same_frames(ours: opensim.Model, theirs: opensim.Model) -> None:
    for index in range(theirs.getJointSet().getSize()):
        joint = theirs.getJointSet().get(index)
        twin = ours.getJointSet().get(joint.getName())
        for side in (0, 1):
            np.testing.assert_allclose(
                array(twin.get_frames(side).get_translation()),
                array(joint.get_frames(side).get_translation()),
                atol=1e-9,
            )


def _assert_same_post_scaling(ours: opensim.Model, theirs: opensim.Model) -> None:
    for index in range(theirs.getCoordinateSet().getSize()):
        coordinate = theirs.getCoordinateSet().get(index)
        twin = ours.getCoordinateSet().get(coordinate.getName())
        assert twin.get_locked() == coordinate.get_locked(), coordinate.getName()
        # Both static poses stop early (accuracy 1e-4), from markers of six and of sixteen digits.
        assert twin.getDefaultValue() == pytest.approx(coordinate.getDefaultValue(), abs=0.05)
    for name in marker_names(theirs):
        marker, twin = theirs.getMarkerSet().get(name), ours.getMarkerSet().get(name)
        assert twin.getParentFrame().getName() == marker.getParentFrame().getName()
        np.testing.assert_allclose(array(twin.get_location()), array(marker.get_location()), atol=0.005, err_msg=name)


def test_the_same_static_trial_gives_the_same_model_twice(model: opensim.Model) -> None:
    other = build_model()
    for one in (model, other):
        scale_model(one, static_trial(_subject()), SETUP, SETTINGS)
    state, other_state = model.initSystem(), other.initSystem()
    set_pose(model, state, REST)
    set_pose(other, other_state, REST)
    np.testing.assert_array_equal(
        marker_positions_m(model, state, MARKERS), marker_positions_m(other, other_state, MARKERS)
    )


def _with_a_muscle(model: opensim.Model) -> opensim.Model:
    """Add a muscle across the knee, whose length in the default pose depends on whether the coupler is kept."""
    import opensim

    model.getCoordinateSet().get("hip").setDefaultValue(0.8)
    muscle = opensim.Thelen2003Muscle("muscle", 100.0, 0.1, 0.2, 0.0)
    muscle.addNewPathPoint("origin", model.getBodySet().get("thigh_r"), opensim.Vec3(0.05, 0.0, 0.0))
    muscle.addNewPathPoint("insertion", model.getBodySet().get("shank_r"), opensim.Vec3(0.05, -0.2, 0.0))
    model.addForce(muscle)
    model.finalizeConnections()
    return model


@pytest.mark.parametrize("muscle", [False, True])
@pytest.mark.parametrize("mass_kg", [60.0, float("nan")])
def test_bodies_are_scaled_as_opensim_scales_them_to_the_last_digit(
    coupled_model: opensim.Model, muscle: bool, mass_kg: float
) -> None:
    # Couplers are left out meanwhile, but not where a muscle asks for the pose that they keep.
    generic = _with_a_muscle(coupled_model) if muscle else coupled_model
    model, theirs = generic.clone(), generic.clone()
    apply_factors(
        model, {name: np.array(values) for name, values in FACTORS.items()}, mass_kg=mass_kg, preserve_mass=False
    )
    theirs.scale(theirs.initSystem(), _scales(FACTORS), False, mass_kg if np.isfinite(mass_kg) else -1.0)
    for one in (model, theirs):
        one.finalizeConnections()
    assert model_document(model) == model_document(theirs)


def test_constraints_that_were_released_stay_so(coupled_model: opensim.Model) -> None:
    coupled_model.getConstraintSet().get(0).set_isEnforced(False)
    coupled_model.initSystem()
    apply_factors(coupled_model, {"pelvis": np.full(3, 1.1)}, mass_kg=60.0, preserve_mass=True)
    assert not coupled_model.getConstraintSet().get(0).get_isEnforced()


@pytest.mark.parametrize("scale_bodies", [True, False])
def test_a_copy_is_scaled_as_the_model_itself_and_the_model_stays(scale_bodies: bool) -> None:
    setup = replace(SETUP, scale_bodies=scale_bodies)
    generic, own = build_model(coupled=True), build_model(coupled=True)
    for model in (generic, own):
        model.initSystem()
    before = model_document(generic)
    copy = size_model(generic, static_trial(_subject()), setup, SETTINGS, in_place=False).model
    size_model(own, static_trial(_subject()), setup, SETTINGS)
    for model in (copy, own):
        model.finalizeConnections()
    assert model_document(copy) == model_document(own)
    assert model_document(generic) == before
