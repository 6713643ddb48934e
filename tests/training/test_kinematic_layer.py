"""The kinematic layer says what the tree and OpenSim say, scales as OpenSim scales, and can be learned through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import opensim
import pytest
import torch

from movi_prep.errors import ModelError, UsageError
from movi_prep.osim.extract_tree import extract_tree
from movi_prep.osim.models import vector
from movi_prep.training.kinematic_layer import KinematicLayer, KinematicPose
from tests.builders.kinematic_tree import LINE, TreeBuilder, random_rotation, random_tree, smooth_motion
from tests.builders.opensim_chain import chain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree


def _at_root(
    layer: KinematicLayer, tree: KinematicTree, coordinates: NDArray[np.float64], scales: torch.Tensor | None = None
) -> KinematicPose:
    """Pose the layer where the tree's own root coordinates put it."""
    frames, centres = tree.joint_frames(coordinates)
    pose: KinematicPose = layer(
        torch.tensor(coordinates), torch.tensor(frames[..., 0, :, :]), torch.tensor(centres[..., 0, :]), scales
    )
    return pose


def _layer(tree: KinematicTree) -> KinematicLayer:
    return KinematicLayer(tree, dtype=torch.float64)


@pytest.mark.parametrize("seed", range(4))
def test_it_poses_a_model_as_its_tree_does(seed: int) -> None:
    tree = random_tree(seed, n_bodies=9)
    motion = 2.0 * smooth_motion(tree, seed, 30)
    # What the caller says of followers does not count.
    said = motion.copy()
    motion = tree.complete_coordinates(motion)
    rotations, positions = tree.body_poses(motion)

    pose = _at_root(_layer(tree), tree, said)

    np.testing.assert_allclose(pose.joint_centres_m, tree.joint_frames(motion)[1], atol=1e-12)
    np.testing.assert_allclose(pose.markers_m, tree.marker_positions(motion), atol=1e-12)
    np.testing.assert_allclose(pose.body_rotations, rotations, atol=1e-12)
    np.testing.assert_allclose(pose.body_positions_m, positions, atol=1e-12)


def test_scales_act_as_opensim_scales_a_model() -> None:
    rng = np.random.default_rng(0)
    bodies = extract_tree(chain()).body_names
    before, after = rng.uniform(0.7, 1.4, (2, len(bodies), 3))
    tree, other = (extract_tree(_scale_in_opensim(chain(), bodies, scales)) for scales in (before, after))
    layer = KinematicLayer(tree, tree_scales=before, dtype=torch.float64)
    motion = other.complete_coordinates(rng.uniform(-1.5, 1.5, (20, other.n_coordinates)))

    pose = _at_root(layer, other, motion, torch.tensor(after))

    np.testing.assert_allclose(pose.joint_centres_m, other.joint_frames(motion)[1], atol=1e-12)
    np.testing.assert_allclose(pose.markers_m, other.marker_positions(motion), atol=1e-12)


def test_the_tree_of_a_scaled_model_is_scaled_from_where_it_stands() -> None:
    tree = random_tree(1)
    scales = np.random.default_rng(3).uniform(0.8, 1.2, (tree.n_bodies, 3))
    layer = KinematicLayer(tree, tree_scales=scales, dtype=torch.float64)
    motion = smooth_motion(tree, 2, 5)

    same = _at_root(layer, tree, motion, torch.tensor(scales))
    twice = _at_root(layer, tree, motion, torch.tensor(2.0 * scales))

    np.testing.assert_allclose(same.markers_m, tree.marker_positions(motion), atol=1e-12)
    own = same.markers_m - same.joint_centres_m[:, :1]
    np.testing.assert_allclose(
        np.linalg.norm(twice.markers_m - twice.joint_centres_m[:, :1], axis=-1)[:, :4],
        2.0 * np.linalg.norm(own, axis=-1)[:, :4],
        rtol=1e-9,
        err_msg="markers of the root body lie twice as far from its joint in a person of twice the size",
    )


def test_a_root_pose_in_another_frame_carries_everything_along() -> None:
    tree = random_tree(2)
    motion = smooth_motion(tree, 1, 6)
    turn, shift = random_rotation(np.random.default_rng(5)), np.array([0.3, -2.0, 4.0])
    frames, centres = tree.joint_frames(motion)

    pose = _layer(tree)(
        torch.tensor(motion), torch.tensor(turn @ frames[:, 0]), torch.tensor(centres[:, 0] @ turn.T + shift)
    )

    np.testing.assert_allclose(pose.markers_m, tree.marker_positions(motion) @ turn.T + shift, atol=1e-12)


def test_columns_are_found_by_name() -> None:
    tree = random_tree(0)
    motion = smooth_motion(tree, 4, 3)
    order = np.random.default_rng(0).permutation(tree.n_coordinates)
    names = [*(tree.coordinate_names[at] for at in order), "no_such_coordinate"]
    layer = KinematicLayer(tree, coordinate_names=names, dtype=torch.float64)
    shuffled = np.column_stack([motion[:, order], np.full(3, np.nan)])
    frames, centres = tree.joint_frames(motion)

    pose = layer(torch.tensor(shuffled), torch.tensor(frames[:, 0]), torch.tensor(centres[:, 0]))

    np.testing.assert_allclose(pose.markers_m, tree.marker_positions(motion), atol=1e-12)


def test_a_coordinate_that_is_not_given_rests_at_its_default() -> None:
    builder = TreeBuilder()
    line = builder.function(LINE)
    body = builder.body(-1, [(False, (1, 0, 0), builder.coordinate("slide", is_rotation=False), line)])
    builder.body(body, [(True, (0, 0, 1), builder.coordinate("hinge", default=0.5), line)], (1.0, 0.0, 0.0))
    builder.markers(1, np.array([[1.0, 0.0, 0.0]]))
    layer = KinematicLayer(builder.build(), coordinate_names=["slide"], dtype=torch.float64)

    pose = layer(torch.zeros(1, 1), torch.eye(3, dtype=torch.float64)[None], torch.zeros(1, 3, dtype=torch.float64))

    np.testing.assert_allclose(pose.markers_m[0, 0], [1 + np.cos(0.5), np.sin(0.5), 0], atol=1e-12)


def test_gradients_are_those_of_finite_differences() -> None:
    tree = random_tree(3, n_bodies=4, markers_per_body=1)
    rng = np.random.default_rng(0)
    motion = torch.tensor(tree.complete_coordinates(rng.uniform(-0.9, 0.9, (2, tree.n_coordinates))))
    root = torch.tensor(np.stack([random_rotation(rng) for _ in range(2)]))
    inputs = (motion, root, torch.tensor(rng.normal(size=(2, 3))), torch.tensor(rng.uniform(0.8, 1.2, (2, 9, 3))))
    inputs = (*inputs[:3], inputs[3][:, : tree.n_bodies])
    for value in inputs:
        value.requires_grad_()

    assert torch.autograd.gradcheck(_layer(tree), inputs)


def test_batch_axes_are_free() -> None:
    tree = random_tree(0)
    motion = smooth_motion(tree, 4, 6)
    layer = _layer(tree)
    flat = _at_root(layer, tree, motion)

    grid = _at_root(layer, tree, motion.reshape(2, 3, -1))
    single = _at_root(layer, tree, motion[4])

    np.testing.assert_allclose(grid.markers_m.reshape(flat.markers_m.shape), flat.markers_m, atol=1e-12)
    np.testing.assert_allclose(single.joint_centres_m, flat.joint_centres_m[4], atol=1e-12)


def test_wrong_widths_and_two_roots_are_named() -> None:
    tree = random_tree(0)
    layer = _layer(tree)
    root = torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    with pytest.raises(UsageError):
        layer(torch.zeros(tree.n_coordinates - 1), *root)
    with pytest.raises(UsageError):
        layer(torch.zeros(tree.n_coordinates), *root, torch.ones(3))
    two = TreeBuilder()
    two.root()
    two.body(-1, [])
    with pytest.raises(ModelError):
        _layer(two.build())


def _scale_in_opensim(model: opensim.Model, bodies: tuple[str, ...], scales: NDArray[np.float64]) -> opensim.Model:
    factors = opensim.ScaleSet()
    for body, values in zip(bodies, scales, strict=True):
        scale = opensim.Scale()
        scale.setSegmentName(body)
        scale.setScaleFactors(vector(values))
        scale.setApply(True)
        factors.cloneAndAppend(scale)
    state = model.initSystem()
    model.scale(state, factors, False, -1.0)
    model.initSystem()
    return model
