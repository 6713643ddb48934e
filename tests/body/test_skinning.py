"""Posing agrees with `smplx`'s own whole-mesh function, and obeys the laws of rigid motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from smplx.lbs import lbs

from movi_prep.body.device import torch_device, torch_threads
from movi_prep.body.skinning import PosedPoints, pose_body, select_vertices, shape_body
from movi_prep.errors import InputError, UsageError
from movi_prep.geometry.frames import AMASS_TO_GROUND, amass_to_ground
from movi_prep.records.body_model import BodyModel
from movi_prep.records.motion import Motion
from tests.builders.body import build_motion, resting
from tests.sentences import raises_recorded

CHOSEN = (5, 0, 17, 200)


def pose(body: BodyModel, motion: Motion, vertices: tuple[int, ...] | None = None, **how: object) -> PosedPoints:
    return pose_body(shape_body(select_vertices(body, vertices), motion.betas), motion, **how)  # type: ignore[arg-type]


def pose_by_smplx(
    body: BodyModel, motion: Motion, *, soft_tissue: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return vertices and joints by `smplx.lbs.lbs` in float64, shape directions and DMPLs side by side."""
    directions, coefficients = body.shape_directions_m, np.tile(motion.betas, (motion.n_samples, 1))
    if soft_tissue:
        directions = np.concatenate([directions, body.soft_tissue_directions_m], axis=2)
        coefficients = np.hstack([coefficients, motion.dmpls])
    vertices, joints = lbs(
        torch.tensor(coefficients),
        torch.tensor(motion.poses_rad.reshape(motion.n_samples, -1)),
        torch.tensor(body.template_m)[None],
        torch.tensor(directions),
        torch.tensor(body.pose_directions_m.reshape(-1, body.pose_directions_m.shape[-1]).T.astype(np.float64)),
        torch.tensor(body.joint_regressor),
        torch.tensor(body.parents),
        torch.tensor(body.skinning_weights),
    )
    moved = motion.translation_m[:, None]
    return vertices.numpy() + moved, joints.numpy() + moved


@pytest.mark.parametrize("soft_tissue", [False, True])
@pytest.mark.parametrize("vertices", [None, CHOSEN])
def test_agrees_with_smplx_on_the_whole_mesh(
    small_body: BodyModel, *, soft_tissue: bool, vertices: tuple[int, ...] | None
) -> None:
    motion = build_motion(9)
    expected_vertices, expected_joints = pose_by_smplx(small_body, motion, soft_tissue=soft_tissue)
    points = pose(small_body, motion, vertices, soft_tissue=soft_tissue)
    rows = slice(None) if vertices is None else list(vertices)
    np.testing.assert_allclose(points.vertices_m, expected_vertices[:, rows], atol=1e-7)
    np.testing.assert_allclose(points.joints_m, expected_joints, atol=1e-7)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_directions_that_are_zero_are_left_out_and_missed_by_nobody(small_body: BodyModel, share: float) -> None:
    # Fingers move a few vertices, joints of the trunk move all: some joints of each kind, and a vertex that none moves.
    rng, (v, _, n_features) = np.random.default_rng(1), small_body.pose_directions_m.shape
    moved = rng.random((v, n_features // 9)) < share * np.linspace(0.0, 2.0, n_features // 9)
    moved[CHOSEN[0]] = False
    body = replace(small_body, pose_directions_m=small_body.pose_directions_m * np.repeat(moved, 9, axis=1)[:, None])
    motion = build_motion(9)
    expected, _ = pose_by_smplx(body, motion, soft_tissue=False)
    np.testing.assert_allclose(pose(body, motion, CHOSEN).vertices_m, expected[:, list(CHOSEN)], atol=1e-7)
    n_directions = sum(part.directions.numel() for part in select_vertices(body, CHOSEN).pose_directions)
    assert n_directions < 3 * len(CHOSEN) * n_features


def test_every_beta_counts(small_body: BodyModel) -> None:
    motion = build_motion(1)
    before = pose(small_body, motion, CHOSEN).vertices_m
    for beta in range(len(motion.betas)):
        more = replace(motion, betas=motion.betas + np.eye(len(motion.betas))[beta])
        assert np.abs(pose(small_body, more, CHOSEN).vertices_m - before).max() > 1e-4


def test_a_body_at_rest_stands_as_its_template(small_body: BodyModel) -> None:
    motion = replace(resting(build_motion(2)), betas=np.zeros(16))
    points = pose(small_body, motion)
    np.testing.assert_allclose(points.vertices_m[1], small_body.template_m, atol=1e-12)
    np.testing.assert_allclose(points.joints_m[1], small_body.joint_regressor @ small_body.template_m, atol=1e-12)


def test_translation_moves_everything_alike(small_body: BodyModel) -> None:
    motion = build_motion(3)
    there = replace(motion, translation_m=motion.translation_m + np.array([1.0, -2.0, 0.5]))
    step = pose(small_body, there, CHOSEN).vertices_m - pose(small_body, motion, CHOSEN).vertices_m
    np.testing.assert_allclose(step, np.broadcast_to([1.0, -2.0, 0.5], step.shape), atol=1e-12)


def test_turning_the_root_keeps_all_distances(small_body: BodyModel) -> None:
    motion = build_motion(1)
    poses = motion.poses_rad.copy()
    poses[:, 0] = [0.3, -1.0, 2.0]
    turned = pose(small_body, replace(motion, poses_rad=poses), CHOSEN).vertices_m[0]
    before = pose(small_body, motion, CHOSEN).vertices_m[0]
    for points in (turned, before):
        points.setflags(write=False)
    np.testing.assert_allclose(
        np.linalg.norm(turned[:, None] - turned, axis=-1), np.linalg.norm(before[:, None] - before, axis=-1), atol=1e-7
    )


def test_posing_into_a_world_is_posing_and_then_turning(small_body: BodyModel) -> None:
    motion = build_motion(4)
    plain, turned = pose(small_body, motion, CHOSEN), pose(small_body, motion, CHOSEN, world=AMASS_TO_GROUND)
    np.testing.assert_allclose(turned.vertices_m, amass_to_ground(plain.vertices_m), atol=1e-12)
    np.testing.assert_allclose(turned.joints_m, amass_to_ground(plain.joints_m), atol=1e-12)


def test_batches_do_not_change_the_result(small_body: BodyModel) -> None:
    # The whole mesh of a long motion is posed in several batches; a few samples of it in one.
    motion = build_motion(400)
    few = replace(
        motion, poses_rad=motion.poses_rad[390:], translation_m=motion.translation_m[390:], dmpls=motion.dmpls[390:]
    )
    whole, part = pose(small_body, motion, soft_tissue=True), pose(small_body, few, soft_tissue=True)
    np.testing.assert_allclose(whole.vertices_m[390:], part.vertices_m, atol=5e-8)
    np.testing.assert_allclose(whole.joints_m[390:], part.joints_m, atol=1e-12)


def test_soft_tissue_without_coefficients_is_refused(small_body: BodyModel) -> None:
    with raises_recorded(InputError):
        pose(small_body, replace(build_motion(2), dmpls=None), CHOSEN, soft_tissue=True)


def test_soft_tissue_without_a_model_is_refused(small_body: BodyModel) -> None:
    with raises_recorded(InputError):
        pose(replace(small_body, soft_tissue_directions_m=None), build_motion(2), CHOSEN, soft_tissue=True)


def test_a_device_that_is_not_there_is_an_error_not_a_fallback() -> None:
    assert torch_device("cpu").type == "cpu"
    with pytest.raises(UsageError):
        torch_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError):
            torch_device("cuda")


def test_thread_count_is_put_back() -> None:
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
