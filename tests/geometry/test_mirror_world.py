"""The mirror of a camera: what it sees of a mirrored world is what the law says, also where it rolls and bends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from movi_prep.errors import ModelError, UsageError
from movi_prep.geometry.mirror_world import mirror_of, mirror_tree
from movi_prep.geometry.projection import project_points, world_to_camera
from movi_prep.geometry.rotations import matrices_from_axis_angles
from movi_prep.records.camera import Camera
from movi_prep.records.frame_labels import BodyScales
from movi_prep.records.lens import opencv_lens
from tests.builders.kinematic_tree import random_tree
from tests.builders.shard import moving_camera, small_camera

POINTS_M = np.random.default_rng(0).uniform([-0.5, -0.5, 0.0], [0.5, 0.5, 1.8], (40, 3))


def rolled_camera() -> Camera:
    """A camera that rolls, looks down a little, has two focal lengths and a lens."""
    camera = small_camera()
    turn = matrices_from_axis_angles(np.array([0.2, 0.1, 0.15]))
    return replace(
        camera,
        world_to_camera_rotation=turn @ camera.world_to_camera_rotation,
        world_to_camera_translation_m=turn @ camera.world_to_camera_translation_m,
    )


@pytest.mark.parametrize("camera", [small_camera(), rolled_camera()], ids=["level", "rolled"])
def test_the_camera_sees_the_mirrored_world_as_the_law_says(camera: Camera) -> None:
    mirror = mirror_of(camera)
    mirrored = mirror.points(POINTS_M)
    np.testing.assert_allclose(
        world_to_camera(camera, mirrored), world_to_camera(camera, POINTS_M) @ mirror.camera, atol=1e-12
    )
    np.testing.assert_allclose(
        project_points(camera, mirrored), mirror.pixels(project_points(camera, POINTS_M)), atol=1e-9
    )
    # The floor stays the floor, up stays up, depth stays depth, and a second mirror undoes the first.
    np.testing.assert_allclose(mirrored[:, 2], POINTS_M[:, 2], atol=1e-12)
    np.testing.assert_allclose(world_to_camera(camera, mirrored)[:, 2], world_to_camera(camera, POINTS_M)[:, 2])
    np.testing.assert_allclose(mirror.points(mirrored), POINTS_M, atol=1e-12)
    assert np.linalg.det(mirror.world) == pytest.approx(-1.0)
    assert not mirror.points(np.zeros((2, 3))).any()


def test_a_level_camera_flips_its_picture_and_nothing_else() -> None:
    mirror = mirror_of(small_camera())
    np.testing.assert_allclose(mirror.camera, np.diag([-1.0, 1.0, 1.0]), atol=1e-12)
    np.testing.assert_allclose(mirror.pixels(np.array([[201.0, 10.0], [0.0, 5.0]])), [[201.0, 10.0], [402.0, 5.0]])
    # A box keeps its size; a plain flip of the columns that it holds.
    assert mirror.boxes(np.array([[190, 20, 11, 30]])).tolist() == [[202, 20, 11, 30]]


def test_cameras_that_no_mirror_leaves_as_they_are_are_named() -> None:
    camera = small_camera()
    down = replace(camera, world_to_camera_rotation=np.diag([1.0, -1.0, -1.0]))
    bent = replace(camera, lens=opencv_lens([-0.2, 0.1, 0.01, 0.0], source="test"))
    for wrong in (down, bent, moving_camera(np.arange(4))):
        with pytest.raises(UsageError):
            mirror_of(wrong)


def test_a_model_whose_sides_hang_differently_has_no_mirror_image() -> None:
    tree = random_tree(3)
    n = tree.n_bodies
    scales = BodyScales(np.ones((n, 3)), np.ones(n, bool))
    deep = int(np.flatnonzero(tree.body_parent > 0)[-1])
    names = list(tree.body_names)
    names[1], names[deep] = "leg_r", "leg_l"
    with pytest.raises(ModelError):
        mirror_tree(replace(tree, body_names=tuple(names)), scales, tuple(names))
