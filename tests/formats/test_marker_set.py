"""Marker set files: the packaged one, a user's own, and faulty ones."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.marker_set import default_marker_set_path, read_marker_set
from movi_prep.records.marker_set import Extreme, FloorPoint, JointCentre, Midpoint, Vertex
from tests.builders.body import HIGHEST, LOWEST, NOSE, build_body_model
from tests.sentences import raises_recorded

GOOD = [
    {"name": "SHADOW", "floor": "MIDDLE"},
    {"name": "MIDDLE", "midpoint": ["LEFT", "HIP"]},
    {"name": "LEFT", "vertex": 12},
    {"name": "HIP", "joint": 1},
]


def write(path: Path, markers: Any, **head: Any) -> Path:
    document = {"format": "movi-prep marker set", "version": 1, "name": "mine", "markers": markers, **head}
    path.write_text(yaml.safe_dump(document))
    return path


def test_the_packaged_set_has_144_markers() -> None:
    markers = read_marker_set(default_marker_set_path())
    kinds = Counter(type(rule) for rule in markers.rules.values())
    assert kinds == {Vertex: 66, JointCentre: 52, Midpoint: 12, FloorPoint: 12, Extreme: 2}
    assert markers.names[:3] == ("STRN", "T1", "T8")
    assert markers.rules["MASI"] == Midpoint(("RASI", "LASI"))
    assert markers.names[-2:] == ("NOSE", "HEADTOP")
    assert len(markers.vertices) == 66


@pytest.mark.reference
def test_the_packaged_set_is_that_of_the_figures(shared: Path) -> None:
    tables = json.loads((shared / "reference" / "d3ke_tables.json").read_text())
    rules = read_marker_set(default_marker_set_path()).rules
    vertices = {name: rule.index for name, rule in rules.items() if isinstance(rule, Vertex)}
    truth = json.loads((shared / "reference" / "world_a" / "truth.json").read_text())
    assert vertices == dict(zip(truth["marker_names"], truth["marker_vertices"], strict=True))
    assert all(name in json.dumps(tables) for name, rule in rules.items() if not isinstance(rule, Extreme))


def test_a_users_own_set(tmp_path: Path) -> None:
    markers = read_marker_set(write(tmp_path / "mine.yaml", GOOD))
    assert markers.name == "mine"
    assert markers.names == ("SHADOW", "MIDDLE", "LEFT", "HIP")
    assert markers.build_order.index("MIDDLE") < markers.build_order.index("SHADOW")


def test_a_vertex_that_does_not_exist_is_reported_with_its_marker(tmp_path: Path) -> None:
    markers = read_marker_set(write(tmp_path / "mine.yaml", [{"name": "FAR", "vertex": 7000}]))
    with raises_recorded(InputError):
        markers.on_body(replace(build_body_model(), source="model.npz"))


def test_points_found_by_rule_are_those_of_the_mesh(tmp_path: Path) -> None:
    body = build_body_model()
    weights = np.zeros_like(body.skinning_weights)
    weights[:, 0] = 1.0
    # The head: the two poles and the vertex that bulges forward, whatever their numbers.
    weights[[LOWEST, HIGHEST, NOSE]] = np.eye(52)[15]
    entries = [{"name": "NOSE", "foremost": 15}, {"name": "TOP", "highest": 15}]
    markers = read_marker_set(write(tmp_path / "mine.yaml", entries))
    assert markers.vertices == ()
    on_body = markers.on_body(replace(body, skinning_weights=weights))
    assert on_body.rules == {"NOSE": Vertex(NOSE), "TOP": Vertex(HIGHEST)}
    with pytest.raises(InputError) as caught:
        markers.on_body(replace(body, skinning_weights=np.eye(52)[np.zeros(body.n_vertices, int)]))
    assert caught.value.got == "none"
    assert "joint 15" in caught.value.expected


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([], "a list of markers"),
        ("LEFT", "a list of markers"),
        (["LEFT"], "a name and one of"),
        ([{"name": "A"}], "a name and one of"),
        ([{"name": "A", "vertex": 1, "joint": 2}], "a name and one of"),
        ([{"name": "A", "vertx": 1}], "a name and one of"),
        ([{"name": False, "vertex": 1}], "in quotes where YAML reads something else, but got False"),
        ([{"name": "", "vertex": 1}], "names without tabs"),
        ([{"name": "A\tB", "vertex": 1}], "names without tabs"),
        ([{"name": "A", "vertex": "seven"}], "a number for 'vertex'"),
        ([{"name": "A", "vertex": True}], "a number for 'vertex'"),
        ([{"name": "A", "vertex": -1}], "a vertex number from 0"),
        ([{"name": "A", "joint": 52}], "a joint number from 0 to 51"),
        ([{"name": "A", "highest": 52}], "a joint number from 0 to 51"),
        ([{"name": "A", "foremost": "head"}], "a number for 'foremost'"),
        ([{"name": "A", "midpoint": []}], "the markers to average"),
        ([{"name": "A", "midpoint": "B"}], "a list of marker names"),
        ([{"name": "A", "floor": ["B"]}], "a marker name"),
        ([{"name": "LASI", "vertex": 1}, {"name": "M", "floor": "LAS"}], "did you mean 'LASI'"),
        ([{"name": "A", "vertex": 1}, {"name": "A", "vertex": 2}], "it twice"),
        ([{"name": "A", "floor": "B"}, {"name": "B", "midpoint": ["A"]}], "a circle"),
    ],
)
def test_faults_are_named(tmp_path: Path, entries: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_marker_set(write(tmp_path / "mine.yaml", entries))
    assert said in str(caught.value)
    assert "mine.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        read_marker_set(tmp_path / "none.yaml")
    with raises_recorded(InputError):
        read_marker_set(write(tmp_path / "new.yaml", GOOD, version=2))
    for content in (b"{unclosed: [", b"\xff\xfe\x00", b"just words"):
        (tmp_path / "odd.yaml").write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_marker_set(tmp_path / "odd.yaml")
        assert "\n" not in str(caught.value)
