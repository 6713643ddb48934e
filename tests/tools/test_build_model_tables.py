"""The builder of our model's tables: the same inputs give the packaged tables, and bones lie along their joints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from movi_prep.formats.packaged import packaged_path
from movi_prep.osim.model_building.default_pose import solve_default_pose
from movi_prep.osim.model_building.part_tables import read_tables
from tools.build_model_tables import INPUTS, TABLES, main, read_surfaces

if TYPE_CHECKING:
    from pathlib import Path

PACKAGED = packaged_path("opensim_models", "full_body_joints.csv").parent


def test_the_inputs_give_the_packaged_tables(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path)]) == 0
    for name in TABLES:
        made = tmp_path / f"full_body_{name}.csv"
        assert made.read_bytes() == (PACKAGED / made.name).read_bytes()


def test_surface_markers_lie_on_the_mean_of_both_people() -> None:
    """Up to one shift along x, which puts the pelvis over the origin."""
    woman, man = read_surfaces(INPUTS / "surface_markers.csv")
    markers = {row.name: np.array(row.place_m) for row in read_tables(PACKAGED).markers}
    shifts = np.array([markers[name] - (woman[name] + man[name]) / 2.0 for name in woman])
    np.testing.assert_allclose(shifts, np.broadcast_to(shifts[0] * [1.0, 0.0, 0.0], shifts.shape), atol=2e-4)


@pytest.mark.parametrize(("upper", "lower"), [("femur_r", "tibia_r"), ("tibia_r", "talus_r"), ("humerus", "ulna")])
def test_a_bones_axis_runs_from_joint_to_joint(upper: str, lower: str) -> None:
    pose = solve_default_pose(read_tables(PACKAGED))
    along = np.subtract(pose.origins_m[upper], pose.origins_m[lower])
    seen = pose.rotations[upper].inv().apply(along / np.linalg.norm(along))
    # The tables round angles to a hundredth of a degree.
    np.testing.assert_allclose(seen, [0.0, 1.0, 0.0], atol=5e-4)
