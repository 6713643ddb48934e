"""Boxes: the body is always inside, and the border of the image is reported, not hidden."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from movi_prep.geometry.boxes import body_extent, moving_maximum, moving_mean, plan_crops, square_boxes
from movi_prep.records.crops import CropPlan

IMAGE = (800, 600)


def test_the_extent_is_that_of_what_is_seen() -> None:
    pixels = np.array([[[10.0, 20.0], [30.0, 5.0], [np.nan, np.nan]], [[np.nan] * 2] * 3])
    extent = body_extent(pixels)
    np.testing.assert_array_equal(extent[0], (10.0, 5.0, 30.0, 20.0))
    assert np.isnan(extent[1]).all()


def test_a_still_body_gets_a_still_box_with_its_margin() -> None:
    """A body 100 wide and 200 high with 10 % on each side: a square of 240, and a pixel for rounding."""
    extent = np.tile([300.0, 200.0, 400.0, 400.0], (20, 1))
    boxes = square_boxes(extent, margin=0.1, window_frames=12)
    assert (boxes == boxes[0]).all()
    assert boxes[0, 2] == boxes[0, 3] == 241
    np.testing.assert_allclose(boxes[0, :2] + boxes[0, 2:] / 2, (350.0, 300.0), atol=1.0)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    window=st.integers(0, 30),
    margin=st.floats(0.0, 0.5),
    n=st.integers(1, 60),
)
def test_the_body_is_always_inside(seed: int, window: int, margin: float, n: int) -> None:
    rng = np.random.default_rng(seed)
    near = rng.uniform(-300, 700, (n, 2))
    extent = np.concatenate([near, near + rng.uniform(1, 500, (n, 2))], axis=1)
    boxes = square_boxes(extent, margin=margin, window_frames=window)
    # Pixel centres are at integers: a box from 3 of width 2 reaches from 2.5 to 4.5.
    assert (boxes[:, :2] - 0.5 <= extent[:, :2]).all()
    assert (boxes[:, :2] + boxes[:, 2:] - 0.5 >= extent[:, 2:]).all()


def test_smoothing_takes_the_jitter_out() -> None:
    rng = np.random.default_rng(0)
    extent = np.array([300.0, 200.0, 400.0, 400.0]) + rng.normal(0, 4, (200, 4))
    rough, calm = (square_boxes(extent, margin=0.1, window_frames=w) for w in (0, 12))
    assert np.abs(np.diff(calm, axis=0)).mean() < 0.2 * np.abs(np.diff(rough, axis=0)).mean()


@pytest.mark.parametrize("window", [1, 4, 5, 99])
def test_moving_windows_are_centred_and_shrink_at_the_ends(window: int) -> None:
    values = np.random.default_rng(0).normal(size=(15, 2))
    reach = window // 2
    for row in range(15):
        part = values[max(0, row - reach) : row + reach + 1]
        np.testing.assert_allclose(moving_mean(values, window)[row], part.mean(axis=0), atol=1e-12)
        np.testing.assert_array_equal(moving_maximum(values, window)[row], part.max(axis=0))


def _plan(box: tuple[int, int, int, int], side: int | None) -> CropPlan:
    boxes = np.array([box])
    return plan_crops(boxes.astype(float), boxes, image_size_px=IMAGE, picture_side_px=side)


def test_a_box_beyond_the_image_is_cut_and_the_rest_is_reported() -> None:
    plan = _plan((-30, 500, 200, 200), None)
    assert plan.source_px.tolist() == [[0, 500, 170, 100]]
    assert plan.padding_px.tolist() == [[30, 0, 0, 100]]
    assert plan.picture_size_px.tolist() == [[170, 100]]
    assert plan.valid_px.tolist() == [[0, 0, 170, 100]]
    assert plan.corner_px.tolist() == [[0, 500]]


def test_a_fixed_side_shows_the_whole_box() -> None:
    """200 pixels become 100: 30 beyond the left border are 15, 100 below the lower one are 50."""
    plan = _plan((-30, 500, 200, 200), 100)
    assert plan.picture_size_px.tolist() == [[100, 100]]
    assert plan.valid_px.tolist() == [[15, 0, 85, 50]]
    assert plan.corner_px.tolist() == [[-30, 500]]
    assert plan.scale.tolist() == [0.5]


def test_a_pixel_that_is_filled_in_part_is_not_valid() -> None:
    assert _plan((-31, 0, 200, 200), 100).valid_px.tolist() == [[16, 0, 84, 100]]


def test_plans_join_and_select() -> None:
    joined = CropPlan.join([_plan((0, 0, 50, 50), None), _plan((10, 10, 60, 60), None)])
    assert joined.n_frames == 2
    assert joined.select(np.array([False, True])).box_px.tolist() == [[10, 10, 60, 60]]
