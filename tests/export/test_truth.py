"""The 17 points of the embedded body against its own skinning, which shares no code with the pipeline's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from movi_prep.body.marker_points import place_markers
from movi_prep.body.skinning import pose_body, select_vertices, shape_body
from movi_prep.demo.open_body import read_open_body, smplh_arrays
from movi_prep.demo.posed_body import joint_transforms, pose_vertices, shaped_body
from movi_prep.export.human36m import LEFT, NAMES, RIGHT, make_points
from movi_prep.formats.body_models import read_body_model
from movi_prep.formats.label_tables import read_label_tables
from movi_prep.formats.marker_set import default_marker_set_path, read_marker_set
from movi_prep.geometry.frame_labels import SolvedClip, label_clip
from movi_prep.geometry.frames import AMASS_TO_GROUND
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.marker_set import Vertex
from movi_prep.records.markers import MarkerTrajectories
from movi_prep.records.timeline import overlap_clocks
from tests.builders.body import build_motion, write_npz
from tests.builders.filmed_world import made_up_scales, made_up_solution
from tests.builders.shard import small_camera

JOINTS = {"LHip": 1, "LKnee": 4, "LAnkle": 7, "LShoulder": 16, "LElbow": 18, "LWrist": 20}
JOINTS |= {"RHip": 2, "RKnee": 5, "RAnkle": 8, "RShoulder": 17, "RElbow": 19, "RWrist": 21}
"""Joints of SMPL+H."""


def test_points_are_where_the_embedded_body_has_them(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "smplh" / "female" / "model.npz", smplh_arrays(read_open_body("female")))
    model = read_body_model(path, sex="female")
    markers = read_marker_set(default_marker_set_path()).on_body(model)
    motion = build_motion(17, seed=3)
    posed = pose_body(
        shape_body(select_vertices(model, markers.vertices), motion.betas),
        replace(motion, dmpls=None),
        world=AMASS_TO_GROUND,
    )
    trajectories = MarkerTrajectories(
        names=markers.names,
        positions_m=place_markers(markers, posed),
        times_s=np.arange(17) / 120.0,
        sample_indices=np.arange(17),
        rate_hz=120.0,
        source="test",
    )
    timeline = overlap_clocks(movi_clip(1, 1), "walking", video_range=(10, 15), n_samples=17, samples_per_frame=4)
    tables = read_label_tables()
    solved = SolvedClip(trajectories, made_up_solution(trajectories), made_up_scales())
    labels = label_clip(timeline.mocap_samples, solved, tables, camera=small_camera(), miss_limit_m=0.02)
    points = make_points(labels, tables, joints="smpl", source="test").world_m

    body = shaped_body(read_open_body("female"), motion.betas)
    poses, moved = motion.poses_rad[::4], motion.translation_m[::4]
    head = np.flatnonzero(body.weights.argmax(axis=1) == 15)
    nose, top = head[body.template_m[head, 2].argmax()], head[body.template_m[head, 1].argmax()]
    chest = [rule.index for name in ("C7", "CLAV") if isinstance(rule := markers.rules[name], Vertex)]
    joints = joint_transforms(body, poses, moved)[1]
    vertices = pose_vertices(body.only(np.array([*chest, nose, top])), poses, moved)
    expected = {name: joints[:, joint] for name, joint in JOINTS.items()}
    expected["Hip"] = (joints[:, 1] + joints[:, 2]) / 2
    expected["Thorax"] = vertices[:, :2].mean(axis=1)
    expected["Spine"] = (expected["Hip"] + expected["Thorax"]) / 2
    expected["Nose"], expected["Head"] = vertices[:, 2], vertices[:, 3]
    assert set(expected) == set(NAMES)
    for place, name in enumerate(NAMES):
        np.testing.assert_allclose(points[:, place], expected[name], rtol=0, atol=1e-5, err_msg=name)


def test_nose_and_head_top_are_on_the_midline_in_front_and_on_top() -> None:
    template = read_open_body("male").v_template_m
    weights = read_open_body("male").skinning_weights
    head = np.flatnonzero(weights.argmax(axis=1) == 15)
    nose, top = head[template[head, 2].argmax()], head[template[head, 1].argmax()]
    assert abs(template[nose, 0]) < 0.01
    assert abs(template[top, 0]) < 0.03
    assert template[top, 1] == template[:, 1].max()
    assert [f"L{NAMES[right][1:]}" for right in RIGHT] == [NAMES[left] for left in LEFT]
