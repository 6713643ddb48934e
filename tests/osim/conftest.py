"""A small model and what its markers do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from movi_prep.osim.models import marker_positions_m, set_pose
from tests.builders.small_model import MARKERS, build_model

if TYPE_CHECKING:
    import opensim
    from numpy.typing import NDArray


@pytest.fixture
def model() -> opensim.Model:
    """A fresh model: tests change it."""
    return build_model()


@pytest.fixture
def coupled_model() -> opensim.Model:
    """The same with knee = hip / 2."""
    return build_model(coupled=True)


@pytest.fixture
def swing() -> NDArray[np.float64]:
    """(12, 8) coordinates: the pelvis turns and moves, the hip swings, the knee follows at half the angle."""
    turn = np.linspace(0.0, 1.0, 12)
    hip = 0.8 * np.sin(2.0 * np.pi * turn)
    root = np.stack([0.2 * turn, 0.3 * turn, -0.1 * turn, turn, 1.0 + 0.0 * turn, 0.1 * turn], axis=1)
    return np.column_stack([root, hip, 0.5 * hip])


def markers_at(model: opensim.Model, coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, m, 3) metres: OpenSim's own marker positions at (n, c) coordinates."""
    state = model.initSystem()
    positions = []
    for row in coordinates:
        set_pose(model, state, row)
        positions.append(marker_positions_m(model, state, MARKERS))
    return np.array(positions)
