"""The law of a shard: its tree, angles and root pose give its joint centres, in the world and in each camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from movi_prep.formats.label_tables import read_label_tables
from movi_prep.geometry.frame_labels import SolvedClip, label_clip
from movi_prep.geometry.projection import world_to_camera
from movi_prep.geometry.tree_labels import TreeAnswer, place_tree
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.camera import Camera
from movi_prep.records.frame_labels import FrameLabels
from movi_prep.records.ik_solution import IkSolution
from movi_prep.records.kinematic_tree import KinematicTree
from movi_prep.records.markers import MarkerTrajectories
from movi_prep.records.timeline import overlap_clocks
from tests.builders.filmed_world import made_up_scales, made_up_solution
from tests.builders.kinematic_tree import smooth_motion
from tests.builders.shard import labelled_tree, small_camera

TABLES = read_label_tables()
TIMELINE = overlap_clocks(movi_clip(1, 1), "walking", video_range=(10, 15), n_samples=17, samples_per_frame=4)
TREE = labelled_tree()


def _camera_above() -> Camera:
    """A second camera, turned by half a right angle and looking down."""
    half = np.sqrt(0.5)
    rotation = np.array([[0.0, -1.0, 0.0], [-half, 0.0, -half], [half, 0.0, -half]])
    centre_m = np.array([-2.0, 0.0, 3.0])
    return replace(
        small_camera("PG2"), world_to_camera_rotation=rotation, world_to_camera_translation_m=-rotation @ centre_m
    )


def _markers() -> MarkerTrajectories:
    names = tuple(dict.fromkeys((*TABLES.markers, *TABLES.joints)))
    positions_m = np.random.default_rng(0).uniform(-0.5, 0.5, (5, len(names), 3))
    return MarkerTrajectories(
        names=names, positions_m=positions_m, times_s=np.arange(5) / 30, sample_indices=4 * np.arange(5),
        rate_hz=30.0, source="test",
    )  # fmt: skip


def _solution(markers: MarkerTrajectories) -> IkSolution:
    """Return what inverse kinematics says, in ground, where the tree is posed by all its coordinates."""
    coordinates = smooth_motion(TREE, 2, n_frames=5)
    rotations, centres = TREE.joint_frames(coordinates)
    body_rotations, body_positions = TREE.bodies_at(rotations, centres)
    return replace(
        made_up_solution(markers),
        coordinate_names=TREE.coordinate_names,
        coordinate_is_rotation=TREE.coordinate_is_rotation,
        coordinates=coordinates,
        coordinate_valid=np.ones_like(coordinates, dtype=bool),
        free_coordinates=np.ones(TREE.n_coordinates, dtype=bool),
        posterior_std=None,
        joint_names=TREE.joint_names,
        joint_centres_m=centres,
        body_names=TREE.body_names,
        body_rotations=body_rotations,
        body_positions_m=body_positions,
        root_frame_rotations=rotations[:, 0],
        root_frame_positions_m=centres[:, 0],
    )


def _labels(camera: Camera) -> FrameLabels:
    markers = _markers()
    clip = SolvedClip(markers, _solution(markers), made_up_scales())
    return label_clip(TIMELINE.mocap_samples, clip, TABLES, camera=camera, miss_limit_m=0.02)


def _place(labels: FrameLabels, tree: KinematicTree = TREE, *, names: Sequence[str] = TABLES.coordinates) -> TreeAnswer:
    answer = place_tree(
        tree,
        coordinate_names=names,
        angles_rad=labels.coordinates.angles_rad,
        joint_names=TABLES.opensim_joints,
        root=labels.root,
    )
    assert answer is not None
    return answer


@pytest.mark.parametrize("camera", [small_camera(), _camera_above()], ids=lambda camera: camera.name)
def test_tree_angles_and_root_give_the_labels_in_the_world_and_in_each_camera(camera: Camera) -> None:
    labels, answer = _labels(camera), _place(_labels(camera))
    valid = labels.joint_centres.valid
    assert valid.any(axis=0).sum() == TREE.n_bodies
    np.testing.assert_allclose(answer.centres_m[valid], labels.joint_centres.world_m[valid], atol=1e-12)
    in_camera = world_to_camera(camera, answer.centres_m)
    np.testing.assert_allclose(in_camera[valid], labels.joint_centres.camera_m[valid], atol=1e-12)
    np.testing.assert_allclose(answer.pelvis_rotation_world, labels.root.pelvis_rotation_world, atol=1e-12)
    np.testing.assert_allclose(answer.pelvis_position_world_m, labels.root.pelvis_position_world_m, atol=1e-12)
    turned = camera.world_to_camera_rotation @ answer.pelvis_rotation_world
    np.testing.assert_allclose(labels.root.pelvis_rotation_camera, turned, atol=1e-12)
    moved = world_to_camera(camera, answer.pelvis_position_world_m)
    np.testing.assert_allclose(labels.root.pelvis_position_camera_m, moved, atol=1e-12)


def test_the_scaled_tree_is_meant_not_the_generic_one() -> None:
    labels = _labels(small_camera())
    bigger = _place(labels, replace(TREE, parent_position_m=1.1 * TREE.parent_position_m))
    valid = labels.joint_centres.valid
    assert np.abs(bigger.centres_m - labels.joint_centres.world_m)[valid].max() > 0.01


def test_a_joint_behind_a_coordinate_that_nothing_says_has_no_answer() -> None:
    labels = _labels(small_camera())
    first = TREE.coordinate_names[6]
    unsaid = ["other" if name == first else name for name in TABLES.coordinates]
    said, cut = _place(labels).centres_m, _place(labels, names=unsaid).centres_m
    (joint,) = {
        body for body in range(TREE.n_bodies)
        if 6 in TREE.axis_coordinate[TREE.first_axis[body] : TREE.first_axis[body + 1]]
    }  # fmt: skip
    behind = [body for body in range(TREE.n_bodies) if _hangs_from(body, joint)]
    assert behind
    assert np.isnan(cut[:, behind]).all()
    # Its own centre it does not move: the joint turns about it.
    np.testing.assert_array_equal(cut[:, joint], said[:, joint])


def _hangs_from(body: int, joint: int) -> bool:
    parent = int(TREE.body_parent[body])
    return parent >= 0 and (parent == joint or _hangs_from(parent, joint))


def test_a_tree_without_a_pelvis_on_the_ground_has_no_answer() -> None:
    labels = _labels(small_camera())
    nameless = replace(TREE, body_names=("trunk", *TREE.body_names[1:]))
    assert place_tree(
        nameless, coordinate_names=TABLES.coordinates, angles_rad=labels.coordinates.angles_rad,
        joint_names=TABLES.opensim_joints, root=labels.root,
    ) is None  # fmt: skip
