"""Skeletons: bones run between the joints on the way to a marker, and end in the middle of the last markers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from movi_prep.formats.model_outline import ModelOutline
from movi_prep.view.skeleton import make_skeleton
from tests.builders.quality_work import known_solution

BODIES = ("pelvis", "thigh", "shank", "patella", "here")
JOINTS = ("root", "hip", "knee", "cap", "weld")
OUTLINE = ModelOutline(
    name="leg",
    ranges={},
    marker_bodies={"HEEL": "shank", "SOFT": "shank", "CARRIED": "pelvis"},
    joints={
        "root": ("ground", "pelvis"),
        "hip": ("pelvis", "thigh"),
        "knee": ("thigh", "shank"),
        "cap": ("thigh", "patella"),
        "weld": ("thigh", "here"),
    },
)


def leg(*, knee_at: float = 0.5) -> tuple[list[str], list[tuple[str, str]]]:
    solution = known_solution()
    n = solution.n_rows
    heights = [1.0, 0.9, knee_at, 0.5, 0.6]
    centres = np.zeros((n, len(JOINTS), 3))
    centres[:, :, 1] = heights
    markers = np.zeros((n, 3, 3))
    markers[:, 0], markers[:, 1] = [0.1, 0.0, 0.0], [-0.1, 0.1, 0.0]
    solution = replace(
        solution,
        body_names=BODIES,
        body_rotations=np.broadcast_to(np.eye(3), (n, 5, 3, 3)),
        body_positions_m=centres,
        joint_names=JOINTS,
        joint_centres_m=centres,
        model_markers_m=markers,
    )
    skeleton = make_skeleton(solution, OUTLINE)
    end = skeleton.names.index("shank end")
    assert skeleton.points_m[0, end].tolist() == [0.0, 0.05, 0.0]
    return list(skeleton.names), [(skeleton.names[a], skeleton.names[b]) for a, b in skeleton.bones]


def test_bodies_without_markers_below_them_have_no_bone() -> None:
    names, bones = leg()
    assert names == ["root", "hip", "knee", "shank end"]
    assert bones == [("root", "hip"), ("hip", "knee"), ("knee", "shank end")]


def test_joints_in_one_place_have_no_bone_between_them() -> None:
    assert ("hip", "knee") not in leg(knee_at=0.9)[1]


def test_a_model_whose_joints_are_not_known_has_no_bones() -> None:
    skeleton = make_skeleton(known_solution(), ModelOutline("other", {}, {}))
    assert skeleton.names == ()
    assert skeleton.bones.shape == (0, 2)
    assert skeleton.points_m.shape == (41, 0, 3)
