"""Elimination order, sparse factor, bounded steps, inverse diagonal: against dense algebra."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from movi_prep.kinematics import kernels
from movi_prep.kinematics.elimination import order_elimination
from tests.kinematics import oracle
from tests.kinematics.engines import Posed, moving_clip, random_point, random_problem


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 14))
def test_the_factor_fills_in_nowhere_else(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    pattern = rng.random((size, size)) < 0.25
    pattern |= pattern.T
    np.fill_diagonal(pattern, True)
    neighbours = [set(np.flatnonzero(row).tolist()) - {k} for k, row in enumerate(pattern)]

    found = order_elimination(neighbours, list(range(size)))

    matrix = np.where(pattern, rng.random((size, size)), 0.0)
    matrix = matrix + matrix.T + 10 * size * np.eye(size)
    factor = np.linalg.cholesky(matrix[np.ix_(found.order, found.order)])
    allowed = np.eye(size, dtype=bool)
    for column in range(size):
        allowed[found.rows[found.first_row[column] : found.first_row[column + 1]], column] = True
    assert sorted(found.order) == list(range(size))
    assert not np.any((np.abs(factor) > 1e-14) & ~allowed)
    assert found.first_column[-1] == size


def _kernel_at(seed: int) -> tuple[Posed, np.ndarray, oracle.Evaluation]:
    folded = random_problem(seed)
    posed = Posed(folded, moving_clip(folded, seed), seed)
    x = random_point(folded, seed)
    return posed, x, posed.evaluate_kernel(x)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_bound", [0, 4])
def test_the_sparse_step_is_the_dense_one(seed: int, n_bound: int) -> None:
    posed, x, at = _kernel_at(seed)
    work, arrays = posed.work[kernels.__name__], posed.folded.arrays
    bound = np.random.default_rng(seed).permutation(len(x))[:n_bound]
    work.system.side[:] = 0
    work.system.step[:] = 0.0
    work.system.side[bound], work.system.step[bound] = 1, 0.1

    assert kernels.solve_free(arrays.elimination, work.model, work.system, work.scene.stiffness, 0, False, 1e-3)

    matrix = at.gauss_newton + 1e-3 * np.diag(np.diag(at.gauss_newton) + 1e-9)
    free = np.setdiff1d(np.arange(len(x)), bound)
    np.testing.assert_allclose((matrix @ work.system.step + at.gradient)[free], 0.0, atol=1e-13)
    np.testing.assert_array_equal(work.system.step[bound], 0.1)


def test_an_indefinite_matrix_is_reported() -> None:
    posed, _, at = _kernel_at(1)
    work, arrays = posed.work[kernels.__name__], posed.folded.arrays
    work.model.second_order[0, arrays.pattern.diagonal] -= 10.0 * np.diag(at.gauss_newton)
    work.system.side[:] = 0

    assert not kernels.solve_free(arrays.elimination, work.model, work.system, work.scene.stiffness, 0, True, 0.0)


@pytest.mark.parametrize("seed", range(6))
def test_the_bounded_step_meets_the_optimality_conditions(seed: int) -> None:
    posed, x, _ = _kernel_at(seed)
    arrays = posed.folded.arrays
    tight = arrays._replace(lower=x - 0.05, upper=x + 0.02)
    at = posed.evaluate_oracle(x)

    step = oracle.solve_box(tight, posed.work[oracle.__name__], (x, at), newton=False, damping=0.0)

    assert step is not None
    multiplier = at.gradient + at.gauss_newton @ step
    low, high = step <= -0.05 + 1e-12, step >= 0.02 - 1e-12
    assert (low | high).any(), "the bounds should matter in this test"
    assert np.all((step >= -0.05 - 1e-12) & (step <= 0.02 + 1e-12))
    np.testing.assert_allclose(multiplier[~(low | high)], 0.0, atol=1e-11)
    assert np.all(multiplier[low] >= -1e-11)
    assert np.all(multiplier[high] <= 1e-11)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("observed", [True, False])
def test_what_certifies_a_pose_agrees_with_the_dense_inverse(seed: int, observed: bool) -> None:
    folded = random_problem(seed)
    clip = moving_clip(folded, seed, 3)
    weak = np.full(folded.arrays.n_unknowns if observed else 0, 1e-12)
    found = []
    for engine in (kernels, oracle):
        n, m, x = 3, len(folded.markers), folded.arrays.n_unknowns
        out = (np.zeros(n), np.zeros(n), np.zeros(n, dtype=np.int64), np.zeros((n, x)), np.zeros((n, m, 3)))
        work = engine.allocate_workspace(folded.arrays, 1)
        tasks = engine.Tasks(clip.task_q, clip.task_weight, clip.task_target)
        prior = (folded.start, np.full(x, 1e-6))
        point = np.tile(random_point(folded, seed), (n, 1))
        data = (clip.positions_m, clip.weights, clip.solvable)
        engine.certify(folded.arrays, work, tasks, data, prior, (point, np.zeros((n, x))), np.ones(n), point, weak, out)
        found.append(out)

    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-13)
