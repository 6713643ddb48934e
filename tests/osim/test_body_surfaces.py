"""Our model on real surfaces: the mean woman and man, the line through both, and bodies of random shape."""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.body_surfaces import LINE, draw_bodies, read_people

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.body_surfaces import People

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def people(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> People:
    """The mean woman and man of SMPL, expanded into body models."""
    body = runpy.run_path(str(shared / "reference" / "smpl_surface" / "expand.py"))["body"]
    folder = tmp_path_factory.mktemp("surfaces")
    for sex in ("female", "male"):
        (folder / sex).mkdir()
        np.savez(folder / sex / "model.npz", **body(sex))
    return read_people(folder)


@pytest.mark.parametrize("t", [0.0, 1.0])
def test_the_mean_woman_and_man_meet_their_landmarks(people: People, t: float) -> None:
    result = people.scaled(people.at(t))
    assert result.passed
    assert result.landmark_rms_m <= 0.004
    assert result.landmark_max_m <= 0.010


@pytest.mark.parametrize("t", [t for t in LINE if t not in (0.0, 1.0)])
def test_people_on_the_line_through_both_pass_the_audit(people: People, t: float) -> None:
    assert people.scaled(people.at(t)).passed


def test_bodies_of_random_shape_pass_the_audit(people: People) -> None:
    """A dozen of those that the benchmark draws."""
    drawn = draw_bodies(people, 12, deviation=1.3, seed=0)
    assert [result.findings[:1] for result in drawn if not result.passed] == []
    assert np.median([result.landmark_rms_m for result in drawn]) < 0.005
