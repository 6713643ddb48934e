"""Objective, gradient and matrices: by the definition, by finite differences, and kernel against oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from movi_prep.kinematics import kernels
from tests.builders.kinematic_tree import LINE, TreeBuilder
from tests.kinematics.engines import TASK_WEIGHT, Posed, moving_clip, problem_of, random_point, random_problem

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = range(6)


def posed(seed: int) -> tuple[Posed, np.ndarray]:
    folded = random_problem(seed)
    return Posed(folded, moving_clip(folded, seed), seed), random_point(folded, seed)


@pytest.mark.slow
def test_sines_are_right_to_the_last_bits() -> None:
    rng = np.random.default_rng(0)
    quarters = np.arange(-9, 10) * np.pi / 2
    angles = np.concatenate([rng.uniform(-50, 50, 5000), rng.uniform(-1e5, 1e5, 5000), quarters, [0.0, 1e-300]])
    sines, cosines = np.empty_like(angles), np.empty_like(angles)

    kernels.find_sines(angles, sines, cosines)

    np.testing.assert_allclose(sines, np.sin(angles), rtol=0.0, atol=2.3e-16)
    np.testing.assert_allclose(cosines, np.cos(angles), rtol=0.0, atol=2.3e-16)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_objective_is_what_it_says(seed: int) -> None:
    both, x = posed(seed)
    folded, clip, scene = both.folded, both.clip, both.work["tests.kinematics.oracle"].scene
    coordinates = folded.tree.coordinate_default.copy()
    coordinates[folded.unknowns] = x
    coordinates = folded.tree.complete_coordinates(coordinates)
    markers = folded.tree.marker_positions(coordinates)[folded.markers]

    share = clip.weights / clip.weights.sum()
    expected = share @ ((markers - clip.positions_m[0]) ** 2).sum(axis=1)
    expected += scene.stiffness @ (x - scene.centre) ** 2
    expected += TASK_WEIGHT * (coordinates[folded.moving[-1]] - 0.1) ** 2

    assert both.evaluate_kernel(x).value == pytest.approx(expected / 2, rel=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_kernel_and_oracle_agree_to_rounding(seed: int) -> None:
    both, x = posed(seed)

    ours, oracles = both.evaluate_kernel(x), both.evaluate_oracle(x)

    assert ours.value == pytest.approx(oracles.value, rel=1e-13)
    assert ours.markers == pytest.approx(oracles.markers, rel=1e-13)
    for name in ("gradient", "gauss_newton", "second_order"):
        np.testing.assert_allclose(getattr(ours, name), getattr(oracles, name), atol=1e-13, err_msg=name)


def spine(seed: int) -> tuple[Posed, np.ndarray]:
    """Two unknowns bend four joints in turn, and two arms hang below the third and the last."""
    rng, tree = np.random.default_rng(seed), TreeBuilder()
    body = tree.root()
    line = tree.function(LINE)
    bend, side, elbow, wrist = (tree.coordinate(name) for name in ("bend", "side", "elbow", "wrist"))
    for k in range(4):
        axes = [(True, rng.normal(size=3), coordinate, line) for coordinate in (bend, side)]
        body = tree.body(body, axes[:: (-1) ** k], (0.0, 0.1, 0.0))
        tree.markers(body, rng.normal(0, 0.1, (2, 3)))
        if k >= 2:
            arm = tree.body(body, [(True, rng.normal(size=3), (elbow, wrist)[k - 2], line)], (0.1, 0.0, 0.0))
            tree.markers(arm, rng.normal(0, 0.1, (3, 3)))
    folded = problem_of(tree.build())
    return Posed(folded, moving_clip(folded, seed), seed), random_point(folded, seed)


def test_one_unknown_that_bends_a_chain_meets_the_others_once() -> None:
    both, x = spine(0)
    pattern = both.folded.arrays.pattern

    ours, oracles = both.evaluate_kernel(x), both.evaluate_oracle(x)

    assert len(pattern.sum_rows) == 12, (
        "sums of two to four twists, shared by the arms, and twice those of one to three"
    )
    for name in ("gradient", "gauss_newton", "second_order"):
        np.testing.assert_allclose(getattr(ours, name), getattr(oracles, name), atol=1e-13, err_msg=name)


@pytest.mark.parametrize("made", [posed, spine])
@pytest.mark.parametrize("seed", SEEDS)
def test_gradient_and_hessian_agree_with_finite_differences(seed: int, made: Callable[[int], Any]) -> None:
    both, x = made(seed)
    at, step = both.evaluate_kernel(x), 1e-6
    hessian = at.gauss_newton + at.second_order
    for unknown in range(len(x)):
        forward, backward = x.copy(), x.copy()
        forward[unknown] += step
        backward[unknown] -= step
        ahead, behind = both.evaluate_kernel(forward), both.evaluate_kernel(backward)

        slope = (ahead.value - behind.value) / (2 * step)
        assert at.gradient[unknown] == pytest.approx(slope, abs=1e-8 * np.abs(at.gradient).max())
        bend = (ahead.gradient - behind.gradient) / (2 * step)
        # Splines have kinks in their second derivative; no random point lies within a step of one.
        np.testing.assert_allclose(hessian[unknown], bend, atol=1e-7 * np.abs(hessian).max())


@pytest.mark.parametrize("seed", SEEDS)
def test_without_residuals_gauss_newton_is_the_whole_hessian(seed: int) -> None:
    folded = random_problem(seed)
    both = Posed(folded, moving_clip(folded, seed, noise_m=0.0), seed)
    from tests.builders.kinematic_tree import smooth_motion

    truth = smooth_motion(folded.tree, seed, 8)[0, folded.unknowns]
    at = both.evaluate_kernel(truth)

    assert at.markers < 1e-28
    task = np.unravel_index(np.abs(at.second_order).argmax(), at.second_order.shape)
    assert task[0] == task[1] == folded.arrays.pattern.q_unknown[-1], "only the coordinate task has curvature left"


def test_the_gauss_newton_matrix_is_the_jacobians_square() -> None:
    both, x = posed(2)
    folded = both.folded
    step = 1e-6

    def markers(unknowns: np.ndarray) -> np.ndarray:
        coordinates = folded.tree.coordinate_default.copy()
        coordinates[folded.unknowns] = unknowns
        return folded.tree.marker_positions(folded.tree.complete_coordinates(coordinates))[folded.markers]

    moves = np.eye(len(x)) * step
    jacobian = np.array([(markers(x + move) - markers(x - move)).ravel() / (2 * step) for move in moves]).T
    share = np.repeat(both.clip.weights / both.clip.weights.sum(), 3)
    scene = both.work["tests.kinematics.oracle"].scene
    expected = jacobian.T @ (share[:, None] * jacobian) + np.diag(scene.stiffness)
    found = both.evaluate_kernel(x).gauss_newton
    unknown = folded.arrays.pattern.q_unknown[-1]
    found[unknown, unknown] = expected[unknown, unknown] = 0.0  # the coordinate task's own entry

    np.testing.assert_allclose(found, expected, atol=1e-9)
