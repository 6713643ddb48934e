"""The tree agrees with OpenSim's forward kinematics, or the model is refused by name."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import opensim
import pytest

from movi_prep.errors import AuditError, ModelError
from movi_prep.osim.extract_tree import extract_tree
from movi_prep.osim.models import array, read_model
from movi_prep.osim.verify_solution import check_solution, compare_with_opensim
from tests.builders.opensim_chain import JOINTS, chain, coupler
from tests.sentences import raises_recorded

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree

REFERENCES = (
    "gait2354/gait2354_simbody.osim",
    "gait2354/expected/subject01_simbody.osim",
    "d3ke_models/full_body.osim",
    "d3ke_models/full_body_wo_hands.osim",
    "world_a_d3ke/subject_1_scale.osim.gz",
    "world_a_d3ke/subject_15_scale.osim.gz",
)


def random_poses(tree: KinematicTree, n_poses: int = 30) -> NDArray[np.float64]:
    """(n, c) poses inside the ranges, locks and couplers kept."""
    low, high = np.clip(tree.coordinate_range, -3.0, 3.0).T
    poses = np.random.default_rng(1).uniform(low, high, (n_poses, tree.n_coordinates))
    return tree.complete_coordinates(poses)


def with_markers_everywhere(model: opensim.Model) -> opensim.Model:
    """Add a marker off the origin of every body."""
    for index in range(model.getBodySet().getSize()):
        body = model.getBodySet().get(index)
        model.addMarker(opensim.Marker(f"extra_{body.getName()}", body, opensim.Vec3(0.1, -0.2, 0.3)))
    model.finalizeConnections()
    return model


def largest_error_m(model: opensim.Model, tree: KinematicTree, poses: NDArray[np.float64]) -> float:
    return compare_with_opensim(model, poses, tree.marker_names, tree.marker_positions(poses))[0]


def test_every_joint_type_agrees_with_opensim() -> None:
    model = chain()
    tree = extract_tree(model)
    poses = random_poses(tree)

    markers_m, violation = compare_with_opensim(model, poses, tree.marker_names, tree.marker_positions(poses))

    assert markers_m < 1e-13
    assert violation < 1e-13, "couplers hold exactly"
    assert tree.n_bodies == len(JOINTS)


def test_bodies_and_joint_centres_agree_with_opensim() -> None:
    model = chain(1)
    tree = extract_tree(model)
    pose = random_poses(tree, 1)
    state = model.initSystem()
    for index in range(tree.n_coordinates):
        model.getCoordinateSet().get(index).setValue(state, float(pose[0, index]), False)
    model.realizePosition(state)

    rotations, positions = tree.body_poses(pose[0])
    _, centres = tree.joint_frames(pose[0])

    for index, name in enumerate(tree.body_names):
        body = model.getBodySet().get(name)
        np.testing.assert_allclose(positions[index], array(body.getPositionInGround(state)), atol=1e-13)
        corner = array(body.expressVectorInGround(state, opensim.Vec3(1, 2, 3)))
        np.testing.assert_allclose(rotations[index] @ [1, 2, 3], corner, atol=1e-13)
    for index, name in enumerate(tree.joint_names):
        centre = model.getJointSet().get(name).getChildFrame().getPositionInGround(state)
        np.testing.assert_allclose(centres[index], array(centre), atol=1e-13)


@pytest.mark.reference
@pytest.mark.parametrize("path", REFERENCES)
def test_reference_models_agree_with_opensim(path: str, shared: Path, tmp_path: Path) -> None:
    source = shared / "reference" / path
    if source.suffix == ".gz":
        source = tmp_path / "model.osim"
        source.write_bytes(gzip.decompress((shared / "reference" / path).read_bytes()))
    model = with_markers_everywhere(read_model(source))
    tree = extract_tree(model)

    assert largest_error_m(model, tree, random_poses(tree)) < 1e-9


def test_locks_and_clamps_are_taken_over() -> None:
    model = chain()
    model.updCoordinateSet().get("q7_0").set_locked(True)
    model.updCoordinateSet().get("q7_0").setDefaultValue(0.4)
    model.updCoordinateSet().get("q2_0").set_clamped(True)

    tree = extract_tree(model)

    assert tree.coordinate_locked[tree.coordinate("q7_0")]
    assert tree.coordinate_default[tree.coordinate("q7_0")] == pytest.approx(0.4)
    assert tree.coordinate_clamped[tree.coordinate("q2_0")]


def test_a_prescribed_constant_is_a_lock_and_a_motion_is_refused() -> None:
    model = chain()
    model.updCoordinateSet().get("q2_0").setPrescribedFunction(opensim.Constant(0.3))
    model.updCoordinateSet().get("q2_0").setDefaultIsPrescribed(True)
    tree = extract_tree(model)
    assert tree.coordinate_locked[tree.coordinate("q2_0")]
    assert tree.coordinate_default[tree.coordinate("q2_0")] == pytest.approx(0.3)

    model.updCoordinateSet().get("q2_0").setPrescribedFunction(opensim.LinearFunction(1.0, 0.0))
    with raises_recorded(ModelError):
        extract_tree(model)


def test_a_coordinate_with_two_masters_is_refused() -> None:
    model = chain()
    model.updCoordinateSet().get("q9_0").set_locked(True)

    with raises_recorded(ModelError):
        extract_tree(model)


def test_a_released_coupler_is_no_coupler() -> None:
    model = chain()
    model.updConstraintSet().get(0).set_isEnforced(False)

    tree = extract_tree(model)

    assert tree.coupled_to[tree.coordinate("q9_0")] == -1


def test_all_that_cannot_be_represented_is_named_at_once() -> None:
    model = chain()
    body = model.getBodySet()
    point = opensim.PointConstraint(body.get(0), opensim.Vec3(0), body.get(3), opensim.Vec3(0))
    point.setName("pinned")
    model.addConstraint(point)
    model.addConstraint(coupler("q1_0 q1_1", "q2_0", opensim.LinearFunction(1.0, 0.0)))
    model.addConstraint(coupler("q5_0", "q5_1", opensim.Sine(1.0, 1.0, 0.0, 0.0)))
    model.finalizeConnections()

    with pytest.raises(ModelError) as refusal:
        extract_tree(model)

    for named in ("PointConstraint pinned", "q2_0_con", "one leader", "function Sine", "--solver opensim"):
        assert named in str(refusal.value)


def test_couplers_in_a_ring_are_refused() -> None:
    model = chain()
    model.addConstraint(coupler("q9_0", "q7_0", opensim.LinearFunction(1.0, 0.0)))
    model.finalizeConnections()

    with raises_recorded(ModelError):
        extract_tree(model)


def test_an_axis_with_two_coordinates_is_refused() -> None:
    model = chain()
    both = opensim.ArrayStr()
    both.append("q8_0")
    both.append("q8_1")
    joint = opensim.CustomJoint.safeDownCast(model.updJointSet().get("j8"))
    axis = joint.updSpatialTransform().upd_translation3()
    axis.setCoordinateNames(both)
    axis.set_function(opensim.MultivariatePolynomialFunction(opensim.Vector(np.array([0.0, 1.0, 1.0])), 2, 1))
    model.finalizeConnections()

    with raises_recorded(ModelError):
        extract_tree(model)


def test_a_solution_that_opensim_does_not_share_fails_with_the_numbers() -> None:
    model = chain()
    tree = extract_tree(model)
    poses = random_poses(tree, 5)
    markers = tree.marker_positions(poses)
    found = check_solution(model, poses, tree.marker_names, markers, n_frames=3, tolerance=1e-8)
    assert found.frames == (0, 2, 4)

    with raises_recorded(AuditError):
        check_solution(model, poses, tree.marker_names, markers + 0.0008, n_frames=3, tolerance=1e-8)
    broken = poses.copy()
    broken[:, tree.coordinate("q9_0")] += 0.1
    with raises_recorded(AuditError):
        check_solution(model, broken, tree.marker_names, tree.marker_positions(broken), n_frames=3, tolerance=1e-8)


def test_frames_without_a_pose_are_passed_over() -> None:
    model = chain()
    tree = extract_tree(model)
    poses = random_poses(tree, 3)
    poses[0] = np.nan

    found = check_solution(
        model, poses, tree.marker_names, tree.marker_positions(np.nan_to_num(poses)), n_frames=8, tolerance=1e-8
    )

    assert found.frames == (1, 2)
