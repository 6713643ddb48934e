"""Clocks of a clip and its own video: each frame has the moment that it shows, and frames beyond the motion go."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from movi_prep.config.shard import ClipFootage
from movi_prep.errors import InputError
from movi_prep.formats.alignment_file import read_alignment, write_alignment
from movi_prep.records.alignment import SubjectAlignment
from movi_prep.records.identity import ClipId
from movi_prep.records.markers import MarkerTrajectories
from movi_prep.stages.align_footage import align_footage, footage_timeline
from tests.builders.coded_videos import write_coded_video

CLIP = ClipId("Anna", "walk")


def _markers(n_samples: int, rate_hz: float = 120.0) -> MarkerTrajectories:
    rows = np.arange(n_samples)
    return MarkerTrajectories(("A",), np.zeros((n_samples, 1, 3)), rows / rate_hz, rows, rate_hz, "test")


def _footage(**clock: float | bool) -> ClipFootage:
    return ClipFootage(clip=str(CLIP), camera="front", **clock)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty frames at 25 Hz."""
    pytest.importorskip("av")
    path = tmp_path_factory.mktemp("video") / "v.mp4"
    return write_coded_video(path, codec="mpeg4", times_s=[n / 25 for n in range(40)], tick=Fraction(1, 1000))


@pytest.mark.parametrize("rate_hz", [25.0, 24.0, 30000 / 1001, 50.0, 60000 / 1001])
def test_a_frame_shows_its_own_time_at_every_rate(rate_hz: float) -> None:
    frames = np.arange(30)
    timeline = footage_timeline(CLIP, frames, frames / rate_hz * 120.0, last_sample=10_000)
    after = 0.0 if timeline.after_sample is None else timeline.after_sample
    np.testing.assert_allclose((timeline.mocap_samples + after) / 120.0, frames / rate_hz, atol=0.02 / 120)


def test_frames_that_fall_on_samples_are_those_samples() -> None:
    timeline = footage_timeline(CLIP, np.arange(5), 4.0 * np.arange(5) + 0.015, last_sample=16)
    assert timeline.after_sample is None
    assert timeline.mocap_samples.tolist() == [0, 4, 8, 12, 16]


def test_frames_before_and_after_the_motion_are_refused() -> None:
    timeline = footage_timeline(CLIP, np.arange(10, 16), np.array([-4.8, 0.0, 4.8, 9.6, 14.4, 19.2]), last_sample=14)
    assert timeline.video_frames.tolist() == [11, 12, 13]
    assert [(item.first_frame, item.last_frame) for item in timeline.refused] == [(10, 10), (14, 15)]


def test_a_clip_and_its_video(video: Path, tmp_path: Path) -> None:
    found = align_footage(CLIP, _footage(first_frame=3, offset_s=0.1), _markers(150), video)
    timeline = found.timeline
    assert found.video_rate_hz == pytest.approx(25.0)
    assert timeline.after_sample is not None
    np.testing.assert_allclose(
        timeline.mocap_samples + timeline.after_sample, 12.0 + 4.8 * np.arange(timeline.n_frames), atol=0.02
    )
    assert timeline.video_frames[0] == 3
    assert timeline.video_frames[-1] == 3 + (149 - 12) // 4.8
    write_alignment(tmp_path / "a.json", SubjectAlignment("Anna", (found,)), provenance={})
    (again,) = read_alignment(tmp_path / "a.json").clips
    assert (again.camera, again.video_rate_hz) == (found.camera, found.video_rate_hz)
    np.testing.assert_array_equal(again.timeline.after_sample, timeline.after_sample)


def test_a_motion_of_one_sample_for_each_frame_needs_no_rate(video: Path) -> None:
    found = align_footage(CLIP, _footage(per_frame=True, first_frame=2), _markers(30, rate_hz=30.0), video)
    assert found.timeline.mocap_samples.tolist() == list(range(30))
    assert found.timeline.video_frames.tolist() == list(range(2, 32))


def test_a_video_with_fewer_frames_than_the_motion_is_reported(video: Path) -> None:
    short = align_footage(CLIP, _footage(), _markers(600), video)
    assert "3.4" in " ".join(short.findings)
    asked = align_footage(CLIP, _footage(n_frames=50), _markers(600), video)
    assert any("40 frames" in text and "50" in text for text in asked.findings)
    with pytest.raises(InputError) as caught:
        align_footage(CLIP, _footage(first_frame=40), _markers(600), video)
    assert caught.value.where == str(video)
