"""Feet stand where the translation belongs to the poses, and slide where an axis of it was mirrored."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from movi_prep.geometry.footing import Footing

N, STEP_M = 120, 0.6


def walk(heading_rad: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return feet (n, 2, 3) and translation (n, 3): the body glides, the feet take turns to stand for 20 rows each."""
    along = np.linspace(0.0, STEP_M * N / 40, N)
    phase = np.arange(N) / 20.0
    feet = np.zeros((N, 2, 3))
    for foot in (0, 1):
        turn = (phase + foot) / 2.0
        swing = np.clip(2.0 * (turn - np.floor(turn)), 0.0, 1.0)
        feet[:, foot, 0] = STEP_M * (np.floor(turn) + swing)
        feet[:, foot, 1] = 0.1 * np.sin(np.pi * swing)
        feet[:, foot, 2] = 0.1 - 0.2 * foot
    c, s = np.cos(heading_rad), np.sin(heading_rad)
    turned = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    body = np.stack([along, np.full(N, 0.9), np.zeros(N)], axis=1)
    return feet @ turned.T, body @ turned.T


@pytest.mark.parametrize("heading_rad", [0.0, 0.4, np.pi / 2, 2.5])
@pytest.mark.parametrize("axis", ["", "x", "y"])
def test_the_axis_that_was_mirrored_is_named_whichever_way_one_walks(heading_rad: float, axis: str) -> None:
    feet, body = walk(heading_rad)
    # AMASS' y is ground's z.
    mirror = {"": [1, 1, 1], "x": [-1, 1, 1], "y": [1, 1, -1]}[axis]
    moved = body * np.array(mirror)
    footing = Footing()
    for rows in (slice(0, 50), slice(50, 51), slice(51, N)):
        footing.add(feet[rows] - body[rows, None] + moved[rows, None], moved[rows])
    # Along an axis, the other axis makes no difference.
    moves_along = not axis or abs(body[-1, {"x": 0, "y": 2}[axis]] - body[0, {"x": 0, "y": 2}[axis]]) > 0.3
    assert footing.mirrored_axis() == (axis if moves_along else "")
    assert footing.way_m == pytest.approx(STEP_M * N / 40)


def test_nothing_is_said_of_one_who_stays() -> None:
    feet = np.random.default_rng(0).normal(0.0, 0.01, (N, 2, 3))
    footing = Footing()
    footing.add(feet, np.zeros((N, 3)))
    assert footing.mirrored_axis() == ""
