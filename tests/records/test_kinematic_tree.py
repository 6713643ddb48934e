"""Forward kinematics of the tree: rigid bodies, exact couplers, any batch shape, storage."""

from __future__ import annotations

import numpy as np
import pytest

from movi_prep.errors import InternalError
from movi_prep.records.kinematic_tree import KinematicTree, rotation_about
from tests.builders.kinematic_tree import LINE, TreeBuilder, follow, random_tree, smooth_motion
from tests.sentences import raises_recorded


def test_a_hinge_at_ninety_degrees_carries_its_marker_around() -> None:
    builder = TreeBuilder()
    line = builder.function(LINE)
    hinge = builder.body(-1, [(True, (0, 0, 1), builder.coordinate("hinge"), line)], (1.0, 0.0, 0.0))
    builder.markers(hinge, np.array([[2.0, 0.0, 0.0]]))

    position = builder.build().marker_positions(np.array([np.pi / 2]))

    np.testing.assert_allclose(position, [[1.0, 2.0, 0.0]], atol=1e-15)


def test_bodies_stay_rigid() -> None:
    tree = random_tree(3)
    coordinates = smooth_motion(tree, 3)

    rotations, _ = tree.body_poses(coordinates)
    markers = tree.marker_positions(coordinates)

    np.testing.assert_allclose(
        rotations @ np.swapaxes(rotations, -1, -2), np.broadcast_to(np.eye(3), rotations.shape), atol=1e-13
    )
    on_root = np.flatnonzero(tree.marker_body == 0)
    apart = np.linalg.norm(markers[:, on_root[0]] - markers[:, on_root[1]], axis=1)
    np.testing.assert_allclose(apart, apart[0], atol=1e-14)


def test_batches_of_any_shape_agree_with_single_frames() -> None:
    tree = random_tree(5)
    coordinates = smooth_motion(tree, 5, 6)

    together = tree.marker_positions(coordinates.reshape(2, 3, -1))

    for row, alone in enumerate(coordinates):
        np.testing.assert_allclose(together.reshape(6, -1, 3)[row], tree.marker_positions(alone), atol=1e-15)


@pytest.mark.parametrize("seed", range(6))
def test_markers_move_with_the_coordinates_that_they_decide_and_with_no_other(seed: int) -> None:
    tree = random_tree(seed)
    pose = smooth_motion(tree, seed)[0]
    # The markers of one body in the middle: what lies beyond it moves none of them.
    body = tree.n_bodies // 2
    markers = np.flatnonzero(tree.marker_body == body)
    decided = tree.decided_by(markers.tolist())
    at_rest = tree.marker_positions(tree.complete_coordinates(pose))[markers]
    for index in np.flatnonzero(tree.free_coordinates):
        moved = pose.copy()
        moved[index] += 0.01
        shift = np.abs(tree.marker_positions(tree.complete_coordinates(moved))[markers] - at_rest).max()
        assert bool(decided[index]) == bool(shift > 1e-9), tree.coordinate_names[index]


def test_a_marker_decides_the_leader_of_what_it_sees_and_its_other_followers() -> None:
    builder = TreeBuilder()
    line = builder.function(LINE)
    names = [builder.coordinate(name) for name in ("seen", "leader", "other", "locked", "unseen")]
    follow(builder, names[0], names[1], line)
    follow(builder, names[2], names[1], line)
    first = builder.body(-1, [(True, (0, 0, 1), names[0], line)], (1.0, 0.0, 0.0))
    builder.body(first, [(True, (0, 0, 1), names[4], line)], (1.0, 0.0, 0.0))
    builder.markers(first, np.array([[2.0, 0.0, 0.0]]))

    decided = builder.build().decided_by([0])

    assert decided.tolist() == [True, True, True, False, False]


def test_a_chain_of_couplers_follows_exactly() -> None:
    builder = TreeBuilder()
    double = builder.function([(-np.inf, 0.0, [0.1, 2.0, 0.0, 0.0])])
    names = [builder.coordinate(name) for name in ("last", "middle", "first")]
    follow(builder, names[0], names[1], double)
    follow(builder, names[1], names[2], double)

    complete = builder.build().complete_coordinates(np.array([9.0, 9.0, 0.5]))

    np.testing.assert_allclose(complete, [2.3, 1.1, 0.5])


def test_couplers_in_a_ring_are_refused() -> None:
    builder = TreeBuilder()
    line = builder.function(LINE)
    one, two = builder.coordinate("one"), builder.coordinate("two")
    follow(builder, one, two, line)
    follow(builder, two, one, line)

    with raises_recorded(InternalError):
        builder.build()


def test_locked_coordinates_stay_at_their_default() -> None:
    builder = TreeBuilder()
    builder.coordinate("held", default=0.25)
    builder.arrays["coordinate_locked"][0] = True

    assert builder.build().complete_coordinates(np.array([1.0])) == pytest.approx(0.25)


def test_storage_keeps_every_array() -> None:
    tree = random_tree(7)

    again = KinematicTree.from_arrays(tree.to_arrays())

    coordinates = smooth_motion(tree, 7, 3)
    np.testing.assert_array_equal(again.marker_positions(coordinates), tree.marker_positions(coordinates))
    assert again.coordinate_names == tree.coordinate_names


def test_a_missing_array_is_named() -> None:
    arrays = random_tree(7).to_arrays()
    del arrays["axis_direction"]

    with raises_recorded(InternalError):
        KinematicTree.from_arrays(arrays)


def test_arrays_are_frozen() -> None:
    with pytest.raises(ValueError, match="read-only"):
        random_tree(1).coordinate_default[0] = 1.0


def test_an_unknown_coordinate_lists_what_exists() -> None:
    with pytest.raises(KeyError, match="root_list"):
        random_tree(1).coordinate("pelvis_tilt")


def test_rotations_about_one_axis_add_up() -> None:
    direction = np.array([0.6, 0.0, 0.8])
    one, two = rotation_about(direction, np.array(0.4)), rotation_about(direction, np.array(0.3))

    np.testing.assert_allclose(one @ two, rotation_about(direction, np.array(0.7)), atol=1e-15)
