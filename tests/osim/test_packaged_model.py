"""The packaged full-body model keeps what its README promises."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import opensim
import pytest
import yaml

from benchmarks.model_observability import read_poses
from movi_prep.config.ik_solver import ConvergedSettings
from movi_prep.formats.opensim_setup import read_ik_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.kinematics import solve_inverse_kinematics
from movi_prep.osim.build_model import main
from movi_prep.osim.extract_tree import extract_tree
from movi_prep.osim.model_building.part_tables import left_marker_name, left_name, read_tables
from movi_prep.osim.models import body_names, coordinate_names, marker_names, marker_positions_m, read_model
from movi_prep.osim.observability import solve_observability

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.osim.model_building.part_tables import ModelTables
    from movi_prep.records.kinematic_tree import KinematicTree

MIRROR = np.array([1.0, 1.0, -1.0])


@pytest.fixture(scope="module")
def tables() -> ModelTables:
    return read_tables(packaged_path("opensim_models", "full_body_joints.csv").parent)


@pytest.fixture(scope="module")
def model() -> opensim.Model:
    return read_model(packaged_path("opensim_models", "movi_full_body.osim"))


@pytest.fixture(scope="module")
def tree(model: opensim.Model) -> KinematicTree:
    return extract_tree(model)


@pytest.fixture(scope="module")
def labels() -> dict[str, list[str]]:
    document: dict[str, list[str]] = yaml.safe_load(
        packaged_path("opensim_models", "labels_d3ke.yaml").read_text(encoding="utf-8")
    )
    return document


@pytest.fixture(scope="module")
def t_pose_markers(model: opensim.Model) -> dict[str, NDArray[np.float64]]:
    names = marker_names(model)
    return dict(zip(names, marker_positions_m(model, model.initSystem(), names), strict=True))


def test_the_tables_build_the_packaged_bytes_every_time(tmp_path: Path) -> None:
    for name in ("first.osim", "second.osim"):
        assert main(["--out", str(tmp_path / name)]) == 0
    packaged = packaged_path("opensim_models", "movi_full_body.osim").read_bytes()
    assert (tmp_path / "first.osim").read_bytes() == packaged
    assert (tmp_path / "second.osim").read_bytes() == packaged


def test_it_loads_without_a_warning(tmp_path: Path) -> None:
    log = tmp_path / "load.log"
    opensim.Logger.setLevelString("Warn")
    opensim.Logger.addFileSink(str(log))
    try:
        opensim.Model(str(packaged_path("opensim_models", "movi_full_body.osim"))).initSystem()
    finally:
        opensim.Logger.removeFileSink()
        opensim.Logger.setLevelString("Off")
    assert "[warning]" not in log.read_text(encoding="utf-8")
    assert "[error]" not in log.read_text(encoding="utf-8")


def test_every_label_exists(model: opensim.Model, labels: dict[str, list[str]]) -> None:
    joints = model.getJointSet()
    joint_names = {joints.get(index).getName() for index in range(joints.getSize())}
    assert len(body_names(model)) == 58
    assert len(coordinate_names(model)) == 95
    assert set(labels["label_bodies"]) <= set(body_names(model))
    assert set(labels["label_coordinates"]) <= set(coordinate_names(model))
    assert set(labels["label_opensim_joints"]) | set(labels["leaf_joints"]) <= joint_names


def test_it_carries_the_default_marker_set(model: opensim.Model) -> None:
    document = yaml.safe_load(packaged_path("opensim_models", "marker_set_d3ke.yaml").read_text(encoding="utf-8"))
    # Points of the skin that training codes ask for; no model tracks them.
    surface = {"NOSE", "HEADTOP"}
    assert {marker["name"] for marker in document["markers"]} - surface == set(marker_names(model))


@pytest.mark.reference
def test_bodies_joints_and_coordinates_are_those_of_d3ke(model: opensim.Model, shared: Path) -> None:
    other = read_model(shared / "reference/d3ke_models/full_body_wo_hands.osim")
    assert set(body_names(model)) == set(body_names(other))
    assert set(coordinate_names(model)) == set(coordinate_names(other))
    assert _joint_ends(model) == _joint_ends(other)


@pytest.mark.reference
def test_marker_distances_agree_with_real_bodies(t_pose_markers: dict[str, NDArray[np.float64]], shared: Path) -> None:
    text = (shared / "reference/smplh_marker_distances.json").read_text(encoding="utf-8")
    # Published sides differ by up to 9 % (wrists 58 and 53 mm); the model is a mirror image, and can only be the mean.
    ours, published = defaultdict(list), defaultdict(list)
    for measurement in json.loads(text)["measurements"]:
        if measurement["trusted"]:
            both_sides = measurement["measurement"].replace("_l_", "").removesuffix("_l")
            pairs = measurement["marker_pairs"]
            ours[both_sides] += [np.linalg.norm(t_pose_markers[a] - t_pose_markers[b]) for a, b in pairs]
            published[both_sides] += [measurement["implied_average_distance_m"]] * len(pairs)
    ratios = {name: np.mean(ours[name]) / np.mean(published[name]) for name in ours}
    # The toes hang on the toe joint, which the published figures of the mean have 2.5 mm elsewhere.
    assert {name: ratio for name, ratio in ratios.items() if abs(ratio - 1.0) > 0.05} == {
        "toesYZ": pytest.approx(1.06, abs=0.005)
    }


def test_left_and_right_are_mirror_images_in_every_pose(tree: KinematicTree, tables: ModelTables) -> None:
    right = [row for row in tables.coordinates if left_name(row.name) in tree.coordinate_names]
    pose = np.array(tree.coordinate_default)
    for step, row in enumerate(right):
        angle = row.default + 0.02 * (step % 5 + 1)
        for name in (row.name, left_name(row.name)):
            pose[tree.coordinate_names.index(name)] = angle
    positions = tree.marker_positions(tree.complete_coordinates(pose[None]))[0]
    place = dict(zip(tree.marker_names, positions, strict=True))
    pairs = [(row.name, left_marker_name(row.name)) for row in tables.markers if row.place_m[2] > 0.0]
    assert len(pairs) == 56
    for name, left in pairs:
        np.testing.assert_allclose(place[left], place[name] * MIRROR, atol=1e-9, err_msg=name)


def test_every_axis_is_one_coordinate_turning_with_slope_one(model: opensim.Model) -> None:
    joints = model.getJointSet()
    for index in range(joints.getSize()):
        joint = opensim.CustomJoint.safeDownCast(joints.get(index))
        if joint is None:
            assert joints.get(index).getConcreteClassName() == "WeldJoint"
            continue
        transform = joint.getSpatialTransform()
        for axis in range(6):
            line = opensim.LinearFunction.safeDownCast(transform.getTransformAxis(axis).getFunction())
            if line is not None:
                assert (line.getSlope(), line.getIntercept()) == (1.0, 0.0), joint.getName()


def test_couplers_lead_to_label_coordinates_and_are_lines(tables: ModelTables, labels: dict[str, list[str]]) -> None:
    assert all(row.independent in labels["label_coordinates"] for row in tables.couplers)
    dependents = [row.dependent for row in tables.couplers]
    assert len(dependents) == len(set(dependents))
    for side in ("", "_l"):
        shoulder = {row.name for row in tables.couplers if row.name.endswith(f"_con{side}") and "_r" in row.name}
        assert len([name for name in shoulder if name.startswith(("stern", "unrot", "acrom", "shoulder1"))]) == 11


def test_the_t_pose_satisfies_the_couplers_and_the_ranges(tree: KinematicTree, tables: ModelTables) -> None:
    np.testing.assert_allclose(
        tree.complete_coordinates(tree.coordinate_default[None])[0], tree.coordinate_default, atol=2e-5
    )
    assert all(row.minimum <= row.default <= row.maximum for row in tables.coordinates)


def test_masses_and_inertias_are_physical(model: opensim.Model) -> None:
    bodies = model.getBodySet()
    for index in range(bodies.getSize()):
        body = bodies.get(index)
        moments = body.getInertia().getMoments()
        a, b, c = sorted(moments.get(axis) for axis in range(3))
        assert body.getMass() > 0.0, body.getName()
        assert 0.0 < a <= b <= c <= a + b + 1e-12, body.getName()
    assert model.getTotalMass(model.initSystem()) == pytest.approx(75.0, abs=0.1)


def test_it_stands_upright_on_the_floor_facing_x(t_pose_markers: dict[str, NDArray[np.float64]]) -> None:
    lowest = min(place[1] for place in t_pose_markers.values())
    assert lowest == pytest.approx(0.0, abs=1e-6)
    assert t_pose_markers["RFHD"][1] > 1.6
    assert t_pose_markers["RTOE"][0] > t_pose_markers["RHEE"][0] + 0.15
    assert t_pose_markers["RASI"][2] > 0 > t_pose_markers["LASI"][2]


def test_markers_see_every_free_coordinate_at_every_pose(tree: KinematicTree) -> None:
    poses = read_poses(packaged_path("opensim_models", "poses_full_body.yaml"), tree)
    weights = read_ik_setup(packaged_path("opensim_models", "ik_full_body.yaml")).marker_weights
    seen = solve_observability(tree, np.array(list(poses.values())), weights)
    assert (seen.ranks == len(seen.coordinate_names)).all()
    assert (seen.share_below(np.deg2rad(5.0)) >= 0.8).all()
    named = {"mtp_angle", "pro_sup", "subtalar_angle", "knee_angle_y", "shoulder_rot", "elv_angle"}
    weak = np.median(seen.deviations, axis=0) >= np.deg2rad(5.0)
    found = {name for name, is_weak in zip(seen.coordinate_names, weak, strict=True) if is_weak}
    assert {name.removesuffix("_l").removesuffix("_r") for name in found} <= named


def test_a_marker_that_is_taken_away_is_missed(tree: KinematicTree) -> None:
    weights = dict(read_ik_setup(packaged_path("opensim_models", "ik_full_body.yaml")).marker_weights)
    for name in tree.marker_names:
        if name.startswith("right_") or name == "RTOE":
            weights[name] = 0.0
    seen = solve_observability(tree, tree.coordinate_default[None], weights)
    # Nothing is left on the right hand (two wrist coordinates) and on the right toes.
    assert seen.ranks.tolist() == [len(seen.coordinate_names) - 3]


def _joint_ends(model: opensim.Model) -> dict[str, tuple[str, str]]:
    joints = model.getJointSet()
    found = [joints.get(index) for index in range(joints.getSize())]
    return {
        joint.getName(): (
            joint.getParentFrame().findBaseFrame().getName(),
            joint.getChildFrame().findBaseFrame().getName(),
        )
        for joint in found
    }


@pytest.mark.parametrize("turned_deg", [-93.0, -60.0, 0.0, 60.0])
@pytest.mark.parametrize("raised_deg", [20.0, 84.0, 150.0])
def test_bent_arms_are_found_in_one_frame_without_a_guess(
    tree: KinematicTree, turned_deg: float, raised_deg: float
) -> None:
    weights = read_ik_setup(packaged_path("opensim_models", "ik_full_body.yaml")).marker_weights
    pose = tree.coordinate_default.copy()
    arm_deg = {"elv_angle": 17.0, "shoulder_elv": raised_deg, "shoulder_rot": turned_deg, "elbow_flexion": 110.0}
    for name, angle_deg in arm_deg.items():
        pose[tree.coordinate(name)] = np.deg2rad(angle_deg)
    markers = tree.marker_positions(tree.complete_coordinates(pose))[None]

    solution = solve_inverse_kinematics(tree, tree.marker_names, markers, weights, ConvergedSettings())

    np.testing.assert_allclose(tree.marker_positions(solution.coordinates), markers, atol=1e-5)
