"""A solution that is read block by block gives the numbers of the whole."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from movi_prep.formats.ik_file import read_ik_solution, write_ik_solution
from movi_prep.records.ik_solution import FrameStatus, IkSolution
from movi_prep.records.solved_rows import VectorMean
from movi_prep.report import read_rows
from movi_prep.report.measures import coordinate_uses, marker_biases, measure_clip
from tests.builders.quality_work import BODY, COORDINATES, known_solution

BODIES = {"HEEL": BODY, "SOFT": "elsewhere"}


def _shaken() -> IkSolution:
    """Markers that miss by a vector and noise, some of them not seen; a frame that is not usable."""
    solution = known_solution()
    rng = np.random.default_rng(3)
    observed = solution.observed_markers_m + rng.normal(0.0, 0.004, solution.observed_markers_m.shape)
    observed[rng.random(observed.shape[:2]) < 0.2] = np.nan
    statuses = solution.statuses.copy()
    statuses[4] = FrameStatus.SUSPECT
    return replace(solution, observed_markers_m=observed, statuses=statuses)


@pytest.mark.parametrize("block_rows", [1, 7, 20, 41, 500])
def test_blocks_give_the_numbers_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_rows: int) -> None:
    path = tmp_path / "C01.h5"
    write_ik_solution(path, _shaken(), provenance={})
    monkeypatch.setattr(read_rows, "BLOCK_ROWS", block_rows)
    whole, rows = read_ik_solution(path), read_rows.read_solved_rows(path, BODIES)
    ours, theirs = (measure_clip("C01", each, labels=COORDINATES, landmark_weight=20.0) for each in (rows, whole))
    for field in fields(ours):
        np.testing.assert_array_equal(getattr(ours, field.name), getattr(theirs, field.name), err_msg=field.name)
    ranges = {"hip_flexion_r": (-1.0, 1.0)}
    angles = rows.only_angles()
    assert coordinate_uses([angles], ranges, COORDINATES) == coordinate_uses([whole], ranges, COORDINATES)
    for our, their in zip(marker_biases([angles], BODIES), marker_biases([whole], BODIES), strict=True):
        assert (our.name, our.body, our.n_rows) == (their.name, their.body, their.n_rows)
        assert our.mean_mm == pytest.approx(their.mean_mm, abs=1e-9)
        assert our.deviation_mm == pytest.approx(their.deviation_mm, abs=1e-9)


def test_no_more_rows_than_a_block_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, asked = tmp_path / "C01.h5", []
    write_ik_solution(path, known_solution(), provenance={})

    def watched(path: Path, rows: slice, *, without: tuple[str, ...]) -> IkSolution:
        asked.append(rows.stop - rows.start)
        return read_ik_solution(path, rows, without=without)

    monkeypatch.setattr(read_rows, "BLOCK_ROWS", 10)
    monkeypatch.setattr("movi_prep.formats.ik_file.read_ik_solution", watched)
    assert read_rows.read_solved_rows(path, BODIES).n_rows == sum(asked) == known_solution().n_rows
    assert max(asked) == 10


def test_a_mean_of_parts_is_that_of_the_whole_however_far_off_the_vectors_are() -> None:
    vectors = np.random.default_rng(0).normal(0.0, 0.001, (50, 3)) + 1e6
    whole, parts = VectorMean.of(vectors), VectorMean.of(vectors[:0])
    for part in np.split(vectors, [1, 7, 30]):
        parts += VectorMean.of(part)
    assert parts.n_rows == 50
    np.testing.assert_allclose(parts.mean_mm, whole.mean_mm, rtol=1e-12)
    assert parts.squares_mm2 == pytest.approx(whole.squares_mm2, rel=1e-4)
