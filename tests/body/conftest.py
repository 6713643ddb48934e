"""Bodies for the tests of posing."""

from __future__ import annotations

import pytest

from movi_prep.records.body_model import BodyModel
from tests.builders.body import build_body_model


@pytest.fixture(scope="session")
def small_body() -> BodyModel:
    """An ellipsoid of few vertices: posing does not care how many there are."""
    return build_body_model(rings=54, segments=6)
