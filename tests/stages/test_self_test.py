"""The known-answer test passes with both solvers, and its poses are inside every range."""

from __future__ import annotations

import numpy as np
import pytest

from movi_prep.formats.packaged import packaged_path
from movi_prep.stages.ik import read_scaled_model
from movi_prep.stages.scale import PACKAGED_MODEL
from movi_prep.stages.self_test import known_poses, run_self_test


def test_known_poses_are_inside_every_range_and_move() -> None:
    tree = read_scaled_model(packaged_path("opensim_models", PACKAGED_MODEL)).tree
    assert tree is not None
    poses = known_poses(tree)
    low, high = tree.coordinate_range.T
    free = tree.free_coordinates
    assert (poses >= low - 1e-9)[:, free].all()
    assert (poses <= high + 1e-9)[:, free].all()
    assert (np.ptp(poses, axis=0)[free] > 0.01).all()
    np.testing.assert_allclose(tree.complete_coordinates(poses), poses, atol=1e-12)


@pytest.mark.parametrize("solver", ["converged", "opensim"])
def test_the_coordinates_come_back(solver: str) -> None:
    result = run_self_test(solver)  # type: ignore[arg-type]
    assert result.passed, result
    assert result.usable_frames == result.n_frames
