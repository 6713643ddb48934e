"""The network layer's forward kinematics, on chains whose answer is known by thought and on its authors' own data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from movi_prep.errors import ModelError
from movi_prep.formats.label_tables import read_label_tables
from movi_prep.formats.packaged import packaged_path
from movi_prep.formats.setup_yaml import read_scale_yaml
from movi_prep.records.base_model import BaseAxis, BaseCoordinate, BaseCoupler, BaseJoint, BaseMarker, BaseModel
from movi_prep.stages.d3ke.network_layer import layer_joint_centres
from movi_prep.stages.d3ke.network_limits import unscaled_sites, with_marker_sites
from tests.builders.filmed_world import made_up_scales
from tests.builders.kinematic_tree import random_tree
from tests.sentences import raises_recorded

ZERO = (0.0, 0.0, 0.0)
COORDINATE = BaseCoordinate("bend", rotates=True, default=0.0, minimum=-3.0, maximum=3.0, locked=False)


def _joint(name: str, parent: str, child: str, place: tuple[float, float, float], coordinate: str) -> BaseJoint:
    return BaseJoint(
        name=name,
        welded=False,
        parent_body=parent,
        parent_location_m=place,
        parent_orientation_rad=ZERO,
        child_body=child,
        child_location_m=ZERO,
        child_orientation_rad=ZERO,
        coordinates=(COORDINATE,),
        axes=(BaseAxis("rotation1", (0.0, 0.0, 1.0), coordinate, 1),),
    )


def _arm(couplers: tuple[BaseCoupler, ...] = (), second: str = "bend") -> BaseModel:
    """A root, an elbow 1 m along x, a hand 1 m further along x."""
    joints = (
        _joint("hand", "lower", "hand", (1.0, 0.0, 0.0), second),
        _joint("root", "ground", "upper", ZERO, ""),
        _joint("elbow", "upper", "lower", (1.0, 0.0, 0.0), "bend"),
    )
    return BaseModel(bodies=(), joints=joints, markers=(), couplers=couplers)


def _solve(model: BaseModel, bend_rad: float, **scales: tuple[float, float, float]) -> dict[str, np.ndarray]:
    return layer_joint_centres(
        model,
        coordinate_names=["bend"],
        angles_rad=np.array([[bend_rad]]),
        root_poses=np.eye(4)[None],
        scale_ratios={name: np.array(ratio) for name, ratio in scales.items()},
        leaf_joints=[],
    )


def test_a_right_angle_at_the_elbow_raises_the_hand() -> None:
    centres = _solve(_arm(), np.pi / 2)
    np.testing.assert_allclose(centres["elbow"], [[1.0, 0.0, 0.0]], atol=1e-12)
    np.testing.assert_allclose(centres["hand"], [[1.0, 1.0, 0.0]], atol=1e-12)


def test_a_longer_lower_arm_moves_the_hand_alone() -> None:
    centres = _solve(_arm(), np.pi / 2, lower=(2.0, 1.0, 1.0))
    np.testing.assert_allclose(centres["elbow"], [[1.0, 0.0, 0.0]], atol=1e-12)
    np.testing.assert_allclose(centres["hand"], [[1.0, 2.0, 0.0]], atol=1e-12)


def test_a_coupler_from_a_coordinate_that_is_no_label_is_refused() -> None:
    coupler = BaseCoupler("c", True, "elsewhere", "wrist", (0.0, 0.0), (1.0, 1.0))
    with raises_recorded(ModelError):
        _solve(_arm((coupler,), second="wrist"), 0.1)


@pytest.mark.reference
@pytest.mark.parametrize("subject", [1, 15])
def test_it_gives_back_the_joint_positions_that_the_layer_itself_stored(shared: Path, subject: int) -> None:
    osim = pytest.importorskip("movi_prep.osim.base_model")
    folder = shared / "reference"
    tables = json.loads((folder / "d3ke_tables.json").read_text())
    model = osim.read_base_model(folder / "d3ke_models" / "full_body_wo_hands.osim")
    with h5py.File(folder / "world_a_d3ke" / f"subject_{subject}_opensim.hdf5") as file:
        angles, roots = file["coordinateAngle"][:], file["rootRot"][:]
        stored, scales = file["openSimJointPos"][:], file[f"{subject}_boneScale"][:]
    mesh_scales = {body.name: np.array(body.mesh_scale) for body in model.bodies}
    bodies = tables["label_bodies"]
    centres = layer_joint_centres(
        model,
        coordinate_names=tables["label_coordinates"],
        angles_rad=angles,
        root_poses=roots,
        scale_ratios={name: scales[index] / mesh_scales[name] for index, name in enumerate(bodies)},
        leaf_joints=tables["leaf_joints"],
    )
    names = tables["label_opensim_joints"] + tables["leaf_joints"]
    # the layer computes in single precision
    np.testing.assert_allclose(np.stack([centres[name] for name in names], axis=1), stored, atol=2e-6)


def test_marker_sites_are_the_mean_of_where_markers_were_placed_on_unscaled_bodies() -> None:
    tree = random_tree(2)
    factors = np.linspace(0.8, 1.2, 3 * tree.n_bodies).reshape(-1, 3)
    scale = replace(made_up_scales(), body_names=tree.body_names, body_factors=factors)
    sites = unscaled_sites(tree, scale)
    for at, name in enumerate(tree.marker_names):
        body = int(tree.marker_body[at])
        factor = np.ones(3) if body < 0 else factors[body]
        np.testing.assert_allclose(sites[name] * factor, tree.marker_position_m[at])
    base = BaseModel((), (), tuple(BaseMarker(name, "pelvis", (9.0, 9.0, 9.0), False) for name in ("A", "B")), ())
    placed = with_marker_sites(base, [{"A": np.array([0.0, 0.2, 0.4])}, {"A": np.array([0.2, 0.2, 0.0])}])
    assert placed.markers[0].location_m == pytest.approx((0.1, 0.2, 0.2))
    # A marker that no subject has stays where the model has it.
    assert placed.markers[1] == base.markers[1]


def test_the_set_up_for_d3kes_network_shares_every_factor_that_the_network_shares() -> None:
    def factor_of(name: str) -> dict[tuple[str, str], str]:
        setup = read_scale_yaml(packaged_path("opensim_models", name))
        return {
            (body, axis): measurement.name
            for measurement in setup.measurements
            for body, axes in measurement.body_axes
            for axis in axes
        }

    ours, theirs = factor_of("scaling_full_body_d3ke_network.yaml"), factor_of("scaling_d3ke.yaml")
    labels = read_label_tables().bodies
    groups: dict[str, set[str]] = {}
    for (body, axis), measurement in theirs.items():
        # The toes' height is measured twice in D3KE's set-up; the last one counts.
        if body in labels:
            groups.setdefault(measurement, set()).add(ours[body, axis])
    assert {name for name, found in groups.items() if len(found) > 1} == set()
    plain = factor_of("scaling_full_body.yaml")
    assert plain.keys() == ours.keys()
    changed = {body for body, axis in ours if ours[body, axis] != plain[body, axis]}
    assert changed == {"talus_r", "talus_l", "head_neck", *(f"cerv{number}" for number in range(1, 7))}
