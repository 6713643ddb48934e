"""Moments that several cameras have: by time, not by number."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from movi_prep.geometry.moments import SAME_MOMENT, common_moments, lacking_moments, nearest_moments

TIMES = st.lists(st.integers(0, 60), unique=True, min_size=1, max_size=20).map(
    lambda values: np.sort(np.array(values, dtype=np.float64))
)


@given(TIMES, TIMES, TIMES)
def test_common_moments_are_the_intersection_in_every_camera(
    one: np.ndarray, two: np.ndarray, three: np.ndarray
) -> None:
    cameras = [one, two + SAME_MOMENT / 2, three - SAME_MOMENT / 2]
    found = common_moments(cameras)
    expected = sorted(set(one) & set(two) & set(three))
    for times, shift, index in zip(cameras, (0.0, SAME_MOMENT / 2, -SAME_MOMENT / 2), found, strict=True):
        np.testing.assert_allclose(times[index], np.array(expected) + shift)


@given(TIMES, TIMES)
def test_what_is_lacking_is_the_rest(one: np.ndarray, two: np.ndarray) -> None:
    assert two[lacking_moments(one, two)].tolist() == sorted(set(two) - set(one))


@given(TIMES, TIMES)
def test_the_nearest_moment_is_the_nearest(one: np.ndarray, two: np.ndarray) -> None:
    off = np.abs(one[nearest_moments(one, two)] - two)
    np.testing.assert_array_equal(off, np.abs(one[:, None] - two).min(axis=0))


def test_a_camera_without_frames_has_nothing_in_common() -> None:
    empty, some = np.empty(0), np.arange(3.0)
    assert [len(index) for index in common_moments([some, empty])] == [0, 0]
    assert lacking_moments(empty, some).all()
    assert not len(lacking_moments(some, empty))
