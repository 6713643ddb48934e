"""Maps of change worked out by hand, and a correlation that is Pearson's."""

from __future__ import annotations

import numpy as np
import pytest

from movi_prep.geometry.picture_motion import (
    FULL,
    Correlation,
    body_cells,
    find_peak,
    grid_of,
    observed_change,
    predicted_change,
)

GRID = (6, 8)


def _points(*places: tuple[float, float]) -> np.ndarray:
    return np.array(places, dtype=np.float32).reshape(1, -1, 2)


def test_cells_are_those_that_are_whole() -> None:
    assert grid_of((800, 600)) == (75, 100)
    assert grid_of((67, 55)) == (6, 8)


def test_a_point_that_moves_by_a_cell_or_more_fills_where_it_was_and_is() -> None:
    """From cell (2, 2) to cell (2, 4): both and their neighbours, columns 1 to 5, rows 1 to 3."""
    found = predicted_change(_points((20, 20)), _points((36, 20)), GRID)[0]
    expected = np.zeros(GRID, int)
    expected[1:4, 1:6] = FULL
    np.testing.assert_array_equal(found, expected)


def test_what_stands_still_is_not_seen_or_lies_outside_fills_nothing() -> None:
    before = _points((20, 20), (np.nan, np.nan), (-90, 20))
    after = _points((20.5, 20), (36, 20), (-60, 20))
    assert not predicted_change(before, after, GRID).any()
    covered = body_cells(before[:, :1], after[:, :1], GRID)[0]
    assert covered.sum() == 9


def test_change_beyond_noise_is_seen_and_a_lamp_is_not() -> None:
    rng = np.random.default_rng(1)
    before = rng.uniform(50, 150, (30, 40)).astype(np.float32)
    after = before + rng.normal(0, 0.4, before.shape).astype(np.float32)
    after[10:12, 20:22] += 60.0
    for brighter in (0.0, 35.0):
        found = observed_change(before, after + np.float32(brighter))
        assert (found[10:12, 20:22] == FULL).all()
        assert found.sum() == 4 * FULL


def test_the_coefficient_is_pearsons() -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(0, FULL, (5, 48)).astype(float)
    y = x + rng.integers(0, FULL, (5, 48))
    sums = Correlation.empty((1,))
    for rows in (slice(0, 3), slice(3, 5)):
        a, b = x[rows], y[rows]
        sums.add(
            count=np.full((len(a), 1), 48.0),
            x=a.sum(axis=1, keepdims=True),
            xx=(a * a).sum(axis=1, keepdims=True),
            y=b.sum(axis=1, keepdims=True),
            yy=(b * b).sum(axis=1, keepdims=True),
            xy=(a * b).sum(axis=1, keepdims=True),
        )
    np.testing.assert_allclose(sums.coefficients(), np.corrcoef(x.ravel(), y.ravel())[0, 1], rtol=1e-12)
    assert np.isnan(Correlation.empty((1,)).coefficients()).all()


def test_a_peak_between_places_is_found_and_one_at_the_edge_is_reported() -> None:
    rows, columns = np.mgrid[0:9, 0:11]
    peak = find_peak(5.0 - (rows - 3.3) ** 2 - 0.5 * (columns - 6.8) ** 2)
    assert peak.place == pytest.approx([3.3, 6.8])
    assert not peak.at_edge
    assert find_peak(np.arange(5.0)).at_edge
