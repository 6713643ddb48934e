"""Markers stand where their rules say."""

from __future__ import annotations

import numpy as np

from movi_prep.body.marker_points import place_markers
from movi_prep.body.skinning import PosedPoints
from movi_prep.records.marker_set import FloorPoint, JointCentre, MarkerSet, Midpoint, Vertex

RULES = {
    "SHADOW": FloorPoint("MIDDLE"),
    "LEFT": Vertex(7),
    "MIDDLE": Midpoint(("LEFT", "RIGHT")),
    "HIP": JointCentre(2),
    "RIGHT": Vertex(3),
    "AGAIN": Vertex(7),
}


def test_rules_are_followed_in_any_order_of_columns() -> None:
    markers = MarkerSet("test", RULES, "test")
    assert markers.vertices == (7, 3)
    joints = np.zeros((1, 52, 3))
    joints[0, 2] = [9, 8, 7]
    points = PosedPoints(vertices_m=np.array([[[0.0, 2.0, 4.0], [2.0, 4.0, 6.0]]]), joints_m=joints)
    placed = dict(zip(markers.names, place_markers(markers, points)[0].tolist(), strict=True))
    assert placed == {
        "SHADOW": [1, 0, 5],
        "LEFT": [0, 2, 4],
        "MIDDLE": [1, 3, 5],
        "HIP": [9, 8, 7],
        "RIGHT": [2, 4, 6],
        "AGAIN": [0, 2, 4],
    }


def test_a_set_of_joints_alone_needs_no_vertex() -> None:
    markers = MarkerSet("test", {"HIP": JointCentre(1)}, "test")
    points = PosedPoints(vertices_m=np.empty((2, 0, 3)), joints_m=np.ones((2, 52, 3)))
    assert place_markers(markers, points).tolist() == [[[1, 1, 1]], [[1, 1, 1]]]
