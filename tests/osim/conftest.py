"""A small model and how it moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders.small_model import build_model, swinging

if TYPE_CHECKING:
    import numpy as np
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
    return swinging(12)
