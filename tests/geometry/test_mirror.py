"""The mirror image: twice is nothing, and a mirrored pose is the pose of mirrored coordinates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

from movi_prep.formats.packaged import packaged_path
from movi_prep.geometry.mirror import (
    BODY_REFLECTION,
    CAMERA_REFLECTION,
    mirror_coordinates,
    mirror_order,
    mirror_partner,
    mirror_positions,
    mirror_rotations,
)
from movi_prep.stages.d3ke.network_layer import layer_joint_centres


@pytest.fixture(scope="module")
def labels() -> dict:
    return yaml.safe_load(packaged_path("opensim_models", "labels_d3ke.yaml").read_text())


@pytest.mark.parametrize(
    ("name", "partner"),
    [
        ("femur_r", "femur_l"),
        ("clavicle", "clavicle_l"),
        ("clavicle_l", "clavicle"),
        ("LASI", "RASI"),
        ("Virtual_Ground_RMT5", "Virtual_Ground_LMT5"),
        ("ROOT", "ROOT"),
        ("L5_S1_IVDjnt", "L5_S1_IVDjnt"),
    ],
)
def test_partners(name: str, partner: str) -> None:
    there = ["femur_r", "femur_l", "clavicle", "clavicle_l", "LASI", "RASI", "ROOT", "L5_S1_IVDjnt"]
    there += ["Virtual_Ground_RMT5", "Virtual_Ground_LMT5"]
    assert mirror_partner(name, there) == partner


def test_names_give_the_same_partners_as_the_published_tables(labels: dict) -> None:
    for names, partners in (("label_coordinates", "mirror_coordinates"), ("label_bodies", "mirror_bodies")):
        derived = mirror_order(labels[names])
        np.testing.assert_array_equal(derived, mirror_order(labels[names], labels[partners]))


@pytest.mark.parametrize("names", ["label_coordinates", "label_bodies", "label_opensim_joints", "label_markers"])
def test_twice_is_nothing(labels: dict, names: str) -> None:
    order = mirror_order(labels[names])
    np.testing.assert_array_equal(order[order], np.arange(len(order)))


def test_sided_labels_all_have_a_partner(labels: dict) -> None:
    middle = {"T12", "T10", "T8", "T1", "C7", "STRN", "CLAV"}
    names = labels["label_markers"]
    alone = {name for name in names if mirror_partner(name, names) == name}
    assert alone == middle


def test_a_mirrored_rotation_is_a_rotation() -> None:
    rotations = Rotation.random(20, random_state=0).as_matrix()
    mirrored = mirror_rotations(rotations)
    np.testing.assert_allclose(np.linalg.det(mirrored), 1.0)
    np.testing.assert_allclose(mirror_rotations(mirrored), rotations)


def test_mirrored_coordinates_pose_the_mirror_image(labels: dict) -> None:
    model_file = Path(str(packaged_path("opensim_models", "labels_d3ke.yaml"))).with_name("movi_full_body.osim")
    if not model_file.is_file():
        pytest.skip("the packaged model is not built")
    from movi_prep.osim.base_model import read_base_model

    model = read_base_model(model_file)
    rng = np.random.default_rng(3)
    names = labels["label_coordinates"]
    angles = rng.uniform(-0.4, 0.4, (5, len(names)))
    roots = np.broadcast_to(np.eye(4), (5, 4, 4)).copy()
    roots[:, :3, :3] = Rotation.random(5, random_state=1).as_matrix()
    roots[:, :3, 3] = rng.uniform(-1.0, 1.0, (5, 3))
    ratios = {body: rng.uniform(0.8, 1.2, 3) for body in labels["label_bodies"]}
    mirrored_roots = roots.copy()
    mirrored_roots[:, :3, :3] = mirror_rotations(roots[:, :3, :3])
    mirrored_roots[:, :3, 3] *= CAMERA_REFLECTION
    signs = np.array([labels["mirror_sign"][name] for name in names], dtype=np.float64)
    joints = labels["label_opensim_joints"] + labels["leaf_joints"]

    def centres(angles_rad: np.ndarray, poses: np.ndarray, scales: dict[str, np.ndarray]) -> np.ndarray:
        found = layer_joint_centres(
            model,
            coordinate_names=names,
            angles_rad=angles_rad,
            root_poses=poses,
            scale_ratios=scales,
            leaf_joints=labels["leaf_joints"],
        )
        return np.stack([found[name] for name in joints], axis=1)

    partners = {body: mirror_partner(body, list(ratios)) for body in ratios}
    mirrored = centres(
        mirror_coordinates(angles, mirror_order(names), signs),
        mirrored_roots,
        {body: ratios[partners[body]] for body in ratios},
    )
    expected = mirror_positions(centres(angles, roots, ratios), mirror_order(joints))
    np.testing.assert_allclose(mirrored, expected, atol=1e-6)
    assert BODY_REFLECTION.prod() == -1.0
