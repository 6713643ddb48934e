"""The card of conventions: every sentence on the sense of a coordinate is looked up on the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from movi_prep.errors import InputError
from movi_prep.formats.convention_table import packaged_conventions, read_conventions
from movi_prep.formats.label_tables import read_label_tables
from movi_prep.formats.packaged import packaged_path
from movi_prep.osim.extract_tree import extract_tree
from movi_prep.osim.models import read_model
from movi_prep.records.convention import convention_of, holds
from movi_prep.records.kinematic_tree import KinematicTree
from movi_prep.stages.packaged_model import PACKAGED_MODEL
from tools.convention_card import card

CONVENTIONS = packaged_conventions()
OPPOSITE = {
    "forward": "back",
    "back": "forward",
    "up": "down",
    "down": "up",
    "right": "left",
    "left": "right",
    "medial": "lateral",
    "lateral": "medial",
}


@pytest.fixture(scope="module")
def tree() -> KinematicTree:
    return extract_tree(read_model(packaged_path("opensim_models", PACKAGED_MODEL)))


def test_the_model_moves_as_the_card_says(tree: KinematicTree) -> None:
    named = [(name, convention_of(CONVENTIONS, name)) for name in tree.coordinate_names]
    wrong = [name for name, entry in named if entry is not None and not holds(tree, name, entry)]
    assert wrong == []


def test_every_free_coordinate_and_every_moving_label_is_on_the_card(tree: KinematicTree) -> None:
    free = {name for name, is_free in zip(tree.coordinate_names, tree.free_coordinates, strict=True) if is_free}
    locked = {name for name, is_locked in zip(tree.coordinate_names, tree.coordinate_locked, strict=True) if is_locked}
    wanted = (free | set(read_label_tables().coordinates)) - locked
    assert sorted(name for name in wanted if convention_of(CONVENTIONS, name) is None) == []


def test_a_card_that_says_the_opposite_is_found_out(tree: KinematicTree) -> None:
    for name in tree.coordinate_names:
        entry = convention_of(CONVENTIONS, name)
        if entry is not None:
            assert not holds(tree, name, replace(entry, towards=OPPOSITE[entry.towards])), name


def test_a_model_that_turns_the_other_way_is_found_out(tree: KinematicTree) -> None:
    knee = tree.coordinate("knee_angle_r")
    directions = np.array(tree.axis_direction)
    directions[tree.axis_coordinate == knee] *= -1.0
    turned = replace(tree, axis_direction=directions)
    entry = convention_of(CONVENTIONS, "knee_angle_r")
    assert entry is not None
    assert holds(tree, "knee_angle_r", entry)
    assert not holds(turned, "knee_angle_r", entry)


def test_sides_are_mirror_images(tree: KinematicTree) -> None:
    """Equal values on both sides are a symmetric pose: what the page says of the left."""
    rng = np.random.default_rng(0)
    pose = np.zeros(tree.n_coordinates)
    for name in tree.coordinate_names:
        twin = name.removesuffix("_l") if name.endswith("_l") else name
        twin = f"{twin}_r" if f"{twin}_r" in tree.coordinate_names else twin
        if name.endswith("_l"):
            pose[tree.coordinate(name)] = pose[tree.coordinate(twin)] = rng.uniform(-0.4, 0.4)
    markers = dict(zip(tree.marker_names, tree.marker_positions(pose), strict=True))
    for right, left in (("RAJC", "LAJC"), ("RTOE", "LTOE"), ("RWRIST", "LWRIST"), ("right_middle1", "left_middle1")):
        np.testing.assert_allclose(markers[right] * [1, 1, -1], markers[left], atol=2e-3, err_msg=right)


def test_the_page_is_made_from_table_and_model(tree: KinematicTree) -> None:
    page = Path(__file__).parents[2] / "docs" / "conventions.md"
    assert page.read_text(encoding="utf-8") == card(tree), "python -m tools.convention_card > docs/conventions.md"


def test_a_side_that_does_not_exist_is_refused_by_its_row(tmp_path: Path) -> None:
    text = packaged_path("opensim_models", "conventions.csv").read_text(encoding="utf-8")
    (tmp_path / "a.csv").write_text(text.replace("RAJC,forward", "RAJC,ahead", 1))
    (tmp_path / "b.csv").write_text("a,b\n1,2\n")
    for name in ("a.csv", "b.csv"):
        with pytest.raises(InputError):
            read_conventions(tmp_path / name)
