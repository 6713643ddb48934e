"""Angles: the same rotation, near the frame before, and exact at gimbal lock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from movi_prep.kinematics.angle_branches import alias, angles_about, choose_branches, continue_triple
from movi_prep.kinematics.folded_model import FoldedModel, fold_model
from movi_prep.records.kinematic_tree import rotation_about
from tests.builders.kinematic_tree import TreeBuilder, follow, random_rotation

TRIPLES = [np.eye(3)[[2, 0, 1]], np.eye(3)[[0, 1, 2]], np.eye(3)[[1, 0, 2]], np.eye(3)[[0, 2, 1]]]
ANGLES = st.floats(-np.pi, np.pi)


def turned(directions: np.ndarray, angles_rad: np.ndarray) -> np.ndarray:
    rotation = np.eye(3)
    for axis, direction in enumerate(directions):
        rotation = rotation @ rotation_about(direction, angles_rad[..., axis])
    return rotation


@settings(max_examples=60, deadline=None)
@given(angles=st.tuples(ANGLES, ANGLES, ANGLES), which=st.integers(0, 3))
def test_the_alias_is_the_same_rotation(angles: tuple[float, ...], which: int) -> None:
    given_rad = np.array(angles)

    np.testing.assert_allclose(turned(TRIPLES[which], alias(given_rad)), turned(TRIPLES[which], given_rad), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1000), which=st.integers(0, 3))
def test_angles_of_a_rotation_make_it_again(seed: int, which: int) -> None:
    rotation = random_rotation(np.random.default_rng(seed))

    angles = angles_about(TRIPLES[which], rotation)

    assert abs(angles[1]) <= np.pi / 2
    np.testing.assert_allclose(turned(TRIPLES[which], angles), rotation, atol=1e-14)


@pytest.mark.parametrize("middle_deg", [90.0, -90.0, 90.0 - 1e-7])
def test_gimbal_lock_loses_nothing(middle_deg: float) -> None:
    rotation = turned(TRIPLES[0], np.array([0.7, np.deg2rad(middle_deg), -0.4]))

    np.testing.assert_allclose(turned(TRIPLES[0], angles_about(TRIPLES[0], rotation)), rotation, atol=1e-14)


def test_a_person_who_turns_around_twice_reaches_720_degrees() -> None:
    turning = np.linspace(0.0, 4 * np.pi, 200)
    angles = np.stack([0.1 + 0 * turning, 0.2 + 0 * turning, turning], axis=1)
    wrapped = np.mod(angles + np.pi, 2 * np.pi) - np.pi
    wrapped[50:120] = alias(wrapped[50:120])

    np.testing.assert_allclose(continue_triple(wrapped), angles, atol=1e-12)


def test_a_cartwheel_passes_ninety_degrees_without_a_jump() -> None:
    middle = np.linspace(0.0, 2 * np.pi, 100)
    angles = np.stack([0.1 + 0 * middle, middle, 0.2 + 0 * middle], axis=1)
    rotation = turned(TRIPLES[0], angles)

    found = continue_triple(angles_about(TRIPLES[0], rotation))

    np.testing.assert_allclose(found, angles, atol=1e-9)


def test_the_first_frame_is_canonical() -> None:
    found = continue_triple(np.array([[0.1 + np.pi, np.pi - 0.2, 0.3 - 3 * np.pi]]))

    np.testing.assert_allclose(found, [[0.1, 0.2, 0.3]], atol=1e-12)


@pytest.mark.parametrize(("turns", "changes_no_pose"), [(1.0, True), (-1.0, True), (2.0, True), (0.5, False)])
def test_whole_turns_go_where_all_that_they_move_makes_whole_turns(turns: float, changes_no_pose: bool) -> None:
    tree = TreeBuilder()
    line, coupler = (tree.function([(-np.inf, 0.0, [0.0, slope, 0.0, 0.0])]) for slope in (1.0, turns))
    plane, back = tree.coordinate("plane", clamped=False), tree.coordinate("back", clamped=False)
    elevation = tree.coordinate("elevation", clamped=False)
    follow(tree, back, plane, coupler)
    axes = [
        (True, np.array(axis), q, line) for axis, q in (((0, 1, 0), plane), ((0, 0, 1), elevation), ((0, 1, 0), back))
    ]
    tree.markers(tree.body(-1, axes, (0.0, 0.0, 0.0)), np.eye(3))
    built = tree.build()
    folded = fold_model(built, (0, 1, 2))
    smooth = np.zeros((6, 2))
    smooth[:, folded.unknowns == plane] = np.linspace(0.2, 0.4, 6)[:, None]
    smooth[:, folded.unknowns == elevation] = 0.5
    wound = smooth + np.where(folded.unknowns == plane, 2.0 * np.pi, 0.0) * np.arange(6)[:, None]

    chosen = choose_branches(folded, wound)

    np.testing.assert_allclose(chosen, smooth if changes_no_pose else wound, atol=1e-12)


def _unbounded_hinge() -> FoldedModel:
    tree = TreeBuilder()
    angle = tree.coordinate("angle", clamped=False)
    line = tree.function([(-np.inf, 0.0, [0.0, 1.0, 0.0, 0.0])])
    tree.markers(tree.body(-1, [(True, np.array([0.0, 1.0, 0.0]), angle, line)]), np.eye(3))
    return fold_model(tree.build(), (0, 1, 2))


def test_an_outlier_that_carries_an_angle_round_leaves_no_turn_behind() -> None:
    folded = _unbounded_hinge()
    smooth = np.linspace(0.1, 0.3, 10)
    found_rad = smooth + np.array([0.0, 0.0, 0.0, 2.2, 4.4, *[2.0 * np.pi] * 5])

    whole = choose_branches(folded, found_rad[:, None])[:, 0]
    later = choose_branches(folded, found_rad[4:, None], before=whole[3:4])[:, 0]

    np.testing.assert_allclose(whole[[0, 1, 2, 5, 6, 7, 8, 9]], smooth[[0, 1, 2, 5, 6, 7, 8, 9]], atol=1e-12)
    np.testing.assert_allclose(later, whole[4:], atol=1e-12)


def test_an_angle_that_turns_steadily_goes_on_beyond_a_turn_in_parts_too() -> None:
    folded = _unbounded_hinge()
    turning_rad = np.linspace(-4.0 * np.pi, 4.0 * np.pi, 81)
    wrapped = np.arctan2(np.sin(turning_rad), np.cos(turning_rad))[:, None]

    whole = choose_branches(folded, wrapped)
    later = choose_branches(folded, wrapped[40:], before=whole[39])

    np.testing.assert_allclose(whole[:, 0], turning_rad, atol=1e-12)
    np.testing.assert_allclose(later, whole[40:], atol=1e-12)
