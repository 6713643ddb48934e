"""Pictures of a figure agree with it and nothing else: other cameras, times and places are reported."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from movi_prep.config.shard import PictureCheckSettings
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.picture_check import PictureAgreement
from movi_prep.stages.shards.picture_check import picture_doubts
from movi_prep.video.motion_watch import ClipBody, MotionWatch
from tests.builders.moving_figure import N_FRAMES, SIZE_PX, figure_px, film, still_px

CLIP = movi_clip(1, 1)
FIRST = 6
"""First video frame of the clip."""

SETTINGS = PictureCheckSettings()


def _watch(
    pictures: np.ndarray, body: np.ndarray | None = None, *, late: int = 0, other: np.ndarray | None = None, **how: Any
) -> PictureAgreement:
    """Return how well pictures of one figure agree with a body; frame n shows frame n - `late`."""
    body = figure_px() if body is None else body
    others = {} if other is None else {"PG2": other}
    watch = MotionWatch([ClipBody(CLIP, np.arange(FIRST, FIRST + len(body)), body, others)], SIZE_PX)
    for number, image in enumerate(film(pictures, **how)):
        watch(FIRST + number + late, image)
    (measured,) = watch.results()
    return measured


def _reported(measured: PictureAgreement) -> list[tuple[bool, str]]:
    return [(doubt.is_strong, doubt.text) for doubt in picture_doubts(measured, "PG1", SETTINGS)]


@pytest.mark.parametrize(
    "how", [{}, {"noise": 2.0}, {"noise": 2.0, "jpeg": 50}, {"lamp": 25.0}], ids=["clean", "noise", "jpeg", "lamp"]
)
def test_pictures_of_the_body_agree_whatever_the_sensor_does(how: dict[str, Any]) -> None:
    measured = _watch(figure_px(), other=figure_px(centre_px=(120.0, 110.0), seed=3), **how)
    assert _reported(measured) == []
    assert measured.agreement is not None
    assert measured.agreement > 0.5
    assert abs(measured.lag_frames or 0.0) < 0.3
    assert np.hypot(*(measured.offset_px or (99.0, 99.0))) < 6.0
    assert (measured.on_body or 0.0) > 0.7 > 3.0 * (measured.by_chance or 1.0)


def test_exchanged_pictures_are_named() -> None:
    other = figure_px(centre_px=(120.0, 110.0), seed=3)
    ((is_strong, text),) = _reported(_watch(other, other=other))
    assert is_strong
    assert "agrees better with the calibration of PG2" in text
    assert "exchanged?" in text


@pytest.mark.parametrize("late", [-6, -3, 3, 5])
def test_a_video_that_is_shifted_tells_by_how_much(late: int) -> None:
    measured = _watch(figure_px(), late=late, noise=2.0)
    assert measured.lag_frames == pytest.approx(late, abs=0.4)
    reported = _reported(measured)
    assert any(is_strong and ("late" if late > 0 else "early") in text for is_strong, text in reported)


def test_one_frame_is_too_little_to_leave_a_clip_out() -> None:
    assert not any(is_strong for is_strong, _ in _reported(_watch(figure_px(), late=1)))


@pytest.mark.parametrize("moved", [(36.0, 0.0), (-12.0, 34.0)])
def test_a_camera_that_was_moved_tells_by_how_much(moved: tuple[float, float]) -> None:
    measured = _watch(figure_px() + np.array(moved, np.float32))
    assert measured.offset_px == pytest.approx(moved, abs=6.0)
    assert any(is_strong and "was PG1 moved?" in text for is_strong, text in _reported(measured))


def test_another_motion_in_the_picture_is_strange() -> None:
    ((is_strong, text),) = _reported(_watch(figure_px(centre_px=(240.0, 150.0), seed=8)))
    assert is_strong
    assert "does not show this motion" in text


@pytest.mark.parametrize("jpeg", [None, 50])
def test_a_body_that_stands_still_is_not_judged(jpeg: int | None) -> None:
    measured = _watch(still_px(), still_px(), noise=2.0, jpeg=jpeg)
    assert measured.agreement is None
    assert measured.not_judged.startswith("the body moves visibly in 0 of ")
    assert _reported(measured) == []


def test_a_frozen_picture_is_strange() -> None:
    measured = _watch(np.repeat(figure_px()[:1], N_FRAMES, axis=0))
    assert measured.agreement == 0.0
    assert [is_strong for is_strong, _ in _reported(measured)] == [True]


def test_clips_that_overlap_and_frames_that_are_missing_are_no_matter() -> None:
    body = figure_px()
    frames = np.arange(N_FRAMES)
    kept = (frames % 31 != 7) & ((frames < 40) | (frames > 46))
    parts = [
        ClipBody(CLIP, frames[kept], body[kept]),
        ClipBody(movi_clip(1, 2), frames[30:], body[30:]),
    ]
    watch = MotionWatch(parts, SIZE_PX)
    for number, image in enumerate(film(body)):
        if number not in (50, 51):
            watch(number, image)
    for measured in watch.results():
        assert (measured.agreement or 0.0) > 0.5
        assert abs(measured.lag_frames or 0.0) < 0.3
