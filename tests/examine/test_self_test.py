"""The known-answer test passes with both solvers."""

from __future__ import annotations

import pytest

from movi_prep.examine.self_test import run_self_test


@pytest.mark.parametrize("solver", ["converged", "opensim"])
def test_the_coordinates_come_back(solver: str) -> None:
    result = run_self_test(solver)  # type: ignore[arg-type]
    assert result.passed, result
    assert result.usable_frames == result.n_frames
