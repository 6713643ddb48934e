"""A body that lies and a mirror image are named; a body that stands, bends or turns is not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from movi_prep.geometry.body_orientation import judge_orientation
from movi_prep.records.markers import MarkerTrajectories
from tests.builders.small_model import trajectories

NAMES = ("head", "sacrum", "belly", "left", "right", "toe_l", "toe_r")
STANDING_M = np.array(
    [[0, 1.7, 0], [-0.1, 1, 0], [0.1, 1, 0], [0, 1.1, -0.2], [0, 1.1, 0.2], [0.2, 0, -0.1], [0.2, 0, 0.1]]
)
MODEL_M = dict(zip(NAMES, STANDING_M, strict=True))


def _seen(positions_m: np.ndarray) -> MarkerTrajectories:
    return trajectories(np.repeat(positions_m[None], 30, axis=0), NAMES)


@pytest.mark.parametrize("euler_deg", [(0, 0, 0), (170, 0, 0), (30, 40, 0), (-90, 0, 30)])
def test_a_standing_body_says_nothing_wherever_it_faces(euler_deg: tuple[float, ...]) -> None:
    turned = Rotation.from_euler("yxz", euler_deg, degrees=True).apply(STANDING_M) + np.array([3.0, 0.2, -4.0])
    assert judge_orientation(_seen(turned), MODEL_M).findings == ()


def test_z_up_is_named_with_the_remedy_that_mends_it() -> None:
    x, y, z = STANDING_M.T
    in_laboratory = np.stack([x, -z, y], axis=1)
    (finding,) = judge_orientation(_seen(in_laboratory), MODEL_M).findings
    assert "tilted by 90 degrees" in finding
    assert "(x, z, -y)" in finding
    x, y, z = in_laboratory.T
    assert judge_orientation(_seen(np.stack([x, z, -y], axis=1)), MODEL_M).findings == ()


def test_axes_exchanged_without_a_change_of_sign_make_a_mirror_image() -> None:
    x, y, z = STANDING_M.T
    (finding,) = judge_orientation(_seen(np.stack([x, y, -z], axis=1)), MODEL_M).findings
    assert "mirror image" in finding


def test_gaps_and_strangers_are_left_out() -> None:
    positions = STANDING_M.copy()
    positions[:5] = np.nan
    assert judge_orientation(_seen(positions), MODEL_M).findings == ()
    assert judge_orientation(_seen(STANDING_M), {"else": np.zeros(3)}).findings == ()
