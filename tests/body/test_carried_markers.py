"""A marker set on the three bodies: the same points of the same person."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from movi_prep.body.betas import all_betas
from movi_prep.body.carried_markers import carry_markers
from movi_prep.body.marker_points import place_markers
from movi_prep.body.skinning import pose_body, select_vertices, shape_body
from movi_prep.body.t_pose import enclosed_volume_m3
from movi_prep.demo.open_body import read_open_body, smpl_arrays, smplh_arrays
from movi_prep.demo.smplx_body import open_body_betas, smplx_arrays
from movi_prep.errors import InputError
from movi_prep.formats.marker_set import default_marker_set_path, read_marker_set
from movi_prep.formats.smplx_vertices import read_smplx_vertices
from movi_prep.records.body_layout import LAYOUTS, SMPLX
from movi_prep.records.body_model import BodyModel
from movi_prep.records.marker_set import JointCentre, MarkerSet, Midpoint, Vertex
from movi_prep.records.motion import Motion
from tests.builders.body import build_motion

FINGERS = {"left_index1", "right_thumb3"}


def as_model(arrays: dict[str, np.ndarray], source: str) -> BodyModel:
    parents = arrays["kintree_table"][0].astype(np.int64)
    parents[0] = -1
    return BodyModel(
        sex="neutral",
        template_m=arrays["v_template"],
        faces=arrays["f"].astype(np.int64),
        shape_directions_m=arrays["shapedirs"][..., :300].astype(np.float64),
        pose_directions_m=arrays["posedirs"],
        joint_regressor=arrays["J_regressor"],
        skinning_weights=arrays["weights"],
        parents=parents,
        soft_tissue_directions_m=None,
        source=source,
    )


@pytest.fixture(scope="module")
def smplh() -> BodyModel:
    return as_model(smplh_arrays(read_open_body("neutral")), "SMPLH_NEUTRAL.npz")


@pytest.fixture(scope="module")
def smplx() -> BodyModel:
    return as_model(smplx_arrays(read_open_body("neutral"), read_smplx_vertices()), "SMPLX_NEUTRAL.npz")


@pytest.fixture(scope="module")
def markers() -> MarkerSet:
    return read_marker_set(default_marker_set_path())


@pytest.fixture(scope="module")
def motion() -> Motion:
    return build_motion(8)


def on_smplx(motion: Motion) -> Motion:
    poses = np.zeros((motion.n_samples, SMPLX.n_joints, 3))
    for joint in range(52):
        poses[:, SMPLX.joint_of_smplh(joint)] = motion.poses_rad[:, joint]
    return replace(motion, poses_rad=poses, betas=open_body_betas(motion.betas))


def place(model: BodyModel, markers: MarkerSet, motion: Motion) -> dict[str, np.ndarray]:
    carried = carry_markers(markers, model).markers
    body = shape_body(select_vertices(model, carried.vertices), motion.betas)
    positions = place_markers(carried, pose_body(body, motion))
    return dict(zip(carried.names, np.moveaxis(positions, 1, 0), strict=True))


def test_one_person_has_the_same_markers_on_smplh_and_smplx(
    smplh: BodyModel, smplx: BodyModel, markers: MarkerSet, motion: Motion
) -> None:
    there, here = place(smplh, markers, motion), place(smplx, markers, on_smplx(motion))
    off_mm = {name: 1e3 * np.linalg.norm(here[name] - there[name], axis=-1).max() for name in there}
    on_vertices = {name: off for name, off in off_mm.items() if name not in ("LFHD", "RFHD", "LBHD", "RBHD")}
    assert set(here) == set(there)
    # What a shape direction in single precision is off by.
    assert max(on_vertices.values()) < 1e-3
    # The four points of the head lie between vertices.
    assert max(off_mm.values()) < 10


def test_vertices_are_found_by_place_whatever_their_numbers(smplx: BodyModel, markers: MarkerSet) -> None:
    order = np.random.default_rng(0).permutation(smplx.n_vertices)
    shuffled = replace(
        smplx,
        template_m=smplx.template_m[order] + 9e-5 / np.sqrt(3),
        skinning_weights=smplx.skinning_weights[order],
        faces=np.argsort(order)[smplx.faces],
    )
    carried = carry_markers(markers, shuffled)
    rule = carried.markers.rules["LSHO"]
    assert isinstance(rule, Vertex)
    original = carry_markers(markers, smplx).markers.rules["LSHO"]
    assert original == Vertex(int(order[rule.index]))
    assert carried.findings == ()


def test_another_template_is_reported_from_another_mesh(smplx: BodyModel, markers: MarkerSet) -> None:
    table = read_smplx_vertices()
    other = replace(smplx, template_m=smplx.template_m + np.array([0, 2e-4, 0]))
    with pytest.raises(InputError) as caught:
        # The made body has SMPL-X's numbers, but not its faces.
        carry_markers(markers, other)
    assert "other faces around" in caught.value.got
    rings = [(v, near) for v, ring in zip(table.smplx.tolist(), table.neighbours, strict=True) for near in ring]
    # Faces of which every one joins a vertex to one neighbour: what the table says, and nothing else.
    faces = np.array([(v, near, v) for v, near in rings])
    carried = carry_markers(markers, replace(other, faces=faces))
    assert len(carried.findings) == 1
    rule = carried.markers.rules["LSHO"]
    assert rule == Vertex(int(table.smplx[table.smpl == 606][0]))


def test_smpl_loses_its_finger_joints_and_what_builds_on_them(markers: MarkerSet, motion: Motion) -> None:
    model = as_model(smpl_arrays(read_open_body("neutral")), "SMPL_NEUTRAL.npz")
    more = replace(markers, rules={**markers.rules, "PALM": Midpoint(("LWRIST", "left_index1"))})
    carried = carry_markers(more, model)
    assert FINGERS | {"PALM"} <= set(carried.lost)
    assert set(carried.lost) == {
        name for name, rule in markers.rules.items() if isinstance(rule, JointCentre) and rule.index >= 22
    } | {"PALM"}
    assert len(carried.findings) == 1
    assert set(carried.markers.names) | set(carried.lost) == set(more.names)
    smpl_motion = replace(motion, poses_rad=motion.poses_rad[:, :24])
    assert np.isfinite(np.array(list(place(model, more, smpl_motion).values()))).all()


def test_a_vertex_without_a_counterpart_is_named(smplx: BodyModel) -> None:
    with pytest.raises(InputError) as caught:
        carry_markers(MarkerSet("own", {"MINE": Vertex(17)}, "own.yaml"), smplx)
    assert caught.value.where == "own.yaml: MINE"


def test_joints_of_the_hand_keep_their_order() -> None:
    assert [LAYOUTS["SMPL-X"].joint_of_smplh(joint) for joint in (0, 21, 22, 36, 37, 51)] == [0, 21, 25, 39, 40, 54]
    assert LAYOUTS["SMPL"].joint_of_smplh(22) is None


def test_betas_beyond_the_model_are_refused_unless_they_are_0() -> None:
    assert all_betas(np.array([1.0, 2.0]), 4, model="m").tolist() == [1, 2, 0, 0]
    assert all_betas(np.array([1.0, 2.0, 0.0]), 2, model="m").tolist() == [1, 2]
    with pytest.raises(InputError) as caught:
        all_betas(np.array([1.0, 2.0, 3.0]), 2, model="m")
    assert caught.value.where == "m"


def test_the_mouth_of_smplx_is_closed_for_its_volume(smplx: BodyModel) -> None:
    surface = smplx.template_m
    whole = enclosed_volume_m3(surface, smplx.faces, source="whole")
    # A mouth: the faces around one vertex of the face, where no other part of the mesh is.
    lips = int(np.argmax(surface[:, 2]))
    open_mouth = smplx.faces[~(smplx.faces == lips).any(axis=1)]
    assert enclosed_volume_m3(surface, open_mouth, source="mouth") == pytest.approx(whole, rel=1e-3)
    far = int(np.argmin(surface[:, 1]))
    two_holes = open_mouth[~(open_mouth == far).any(axis=1)]
    with pytest.raises(InputError):
        enclosed_volume_m3(surface, two_holes, source="holes")
