"""Two clocks: frame j is sample step * j, what has no sample is refused by number, and rates that do not fit are."""

from __future__ import annotations

import numpy as np
import pytest

from movi_prep.errors import InputError
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.timeline import Refusal, group_refusals, overlap_clocks, samples_per_frame

CLIP = movi_clip(1, 2)


@pytest.mark.parametrize(("mocap_hz", "step"), [(120.0, 4), (120.00004578, 4), (119.0, 4), (30.0, 1), (60.0, 2)])
def test_a_rate_that_is_a_whole_multiple_counts_samples_to_a_frame(mocap_hz: float, step: int) -> None:
    assert samples_per_frame(mocap_hz, 30.0, source="C02.npz") == step


@pytest.mark.parametrize("mocap_hz", [110.0, 100.0, 15.0])
def test_a_rate_that_is_none_is_refused_with_its_remedy(mocap_hz: float) -> None:
    with pytest.raises(InputError, match=rf"C02\.npz.*whole multiple.*30 Hz.*{mocap_hz:g} Hz.*, or leave it out"):
        samples_per_frame(mocap_hz, 30.0, source="C02.npz", or_else=", or leave it out")


def test_frame_j_of_a_clip_is_mocap_sample_four_j() -> None:
    timeline = overlap_clocks(CLIP, "walking", video_range=(100, 105), n_samples=17, samples_per_frame=4)
    np.testing.assert_array_equal(timeline.video_frames, [100, 101, 102, 103, 104])
    np.testing.assert_array_equal(timeline.mocap_samples, [0, 4, 8, 12, 16])
    assert timeline.refused == ()


def test_frames_beyond_the_motion_are_refused_by_number() -> None:
    timeline = overlap_clocks(CLIP, "walking", video_range=(100, 105), n_samples=12, samples_per_frame=4)
    np.testing.assert_array_equal(timeline.video_frames, [100, 101, 102])
    assert timeline.refused == (Refusal(103, 104, "the clip ends with mocap sample 11"),)
    assert str(timeline.refused[0]) == "frames 103 to 104 refused: the clip ends with mocap sample 11"


def test_what_is_kept_and_what_is_refused_are_all_frames() -> None:
    whole = overlap_clocks(CLIP, "walking", video_range=(0, 8), n_samples=99, samples_per_frame=4)
    kept = whole.keep(np.array([True, False, False, True, True, False, True, False]), "too dark")
    assert [(item.first_frame, item.last_frame) for item in kept.refused] == [(1, 2), (5, 5), (7, 7)]
    assert kept.n_frames + sum(item.n_frames for item in kept.refused) == whole.n_frames


def test_nothing_refused_is_no_refusal() -> None:
    assert group_refusals(np.array([], dtype=np.int64), "never") == ()
