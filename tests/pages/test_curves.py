"""Curves of coordinates: each has the unit of its motion type."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from movi_prep.pages.curves import coordinate_curves
from tests.builders.quality_work import known_solution


def test_each_coordinate_has_the_unit_of_its_motion_type() -> None:
    solution = known_solution()
    first, second = solution.coordinate_names
    ranges = {first: (-0.5, 1.0), second: (0.0, 2.0)}
    angles = coordinate_curves(solution, ranges, turning={first, second})
    assert angles["units"] == ["°", "°"]
    np.testing.assert_allclose(angles["bounds"][0], np.degrees([-0.5, 1.0]), atol=1e-3)
    # Neither is Rotational: one turns a body through a function of its own (a kneecap), the other slides.
    others = replace(solution, coordinate_is_rotation=np.zeros(2, dtype=bool))
    curves = coordinate_curves(others, ranges, turning={first})
    assert curves["units"] == ["mrad", "cm"]
    assert curves["bounds"] == [[-500.0, 1000.0], [0.0, 200.0]]
