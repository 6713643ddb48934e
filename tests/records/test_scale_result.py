"""Left and right of a scaled model are compared body by body, where a body has a twin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.builders.quality_work import known_scale


def test_a_left_body_is_compared_with_its_twin_by_either_name() -> None:
    names = ("tibia_r", "tibia_l", "humerus", "humerus_l", "pelvis", "toes_l")
    factors = np.array([[1.0, 1.0, 1.0], [1.0, 1.1, 1.0], [2.0, 2.0, 2.0], [2.0, 2.0, 2.0], [3.0, 3.0, 3.0], [1, 1, 1]])
    tibia, humerus = replace(known_scale(), body_names=names, body_factors=factors).asymmetries()
    assert (tibia.left, tibia.right, tibia.axis) == ("tibia_l", "tibia_r", "Y")
    assert tibia.difference == pytest.approx(0.1 / 1.05)
    assert (humerus.left, humerus.right, humerus.difference) == ("humerus_l", "humerus", 0.0)
