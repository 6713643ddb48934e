"""Known poses are inside every range, and move."""

from __future__ import annotations

import numpy as np

from movi_prep.formats.packaged import packaged_path
from movi_prep.kinematics.known_motion import known_markers, known_poses
from movi_prep.osim.extract_tree import extract_tree
from movi_prep.osim.models import read_model
from movi_prep.stages.packaged_model import PACKAGED_MODEL


def test_known_poses_are_inside_every_range_and_move() -> None:
    tree = extract_tree(read_model(packaged_path("opensim_models", PACKAGED_MODEL)))
    poses = known_poses(tree)
    low, high = tree.coordinate_range.T
    free = tree.free_coordinates
    assert (poses >= low - 1e-9)[:, free].all()
    assert (poses <= high + 1e-9)[:, free].all()
    assert (np.ptp(poses, axis=0)[free] > 0.01).all()
    np.testing.assert_allclose(tree.complete_coordinates(poses), poses, atol=1e-12)
    assert np.isfinite(known_markers(tree, poses).positions_m).all()
