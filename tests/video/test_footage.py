"""Every frame under its own number and time: codecs, containers, rates, hidden first frames, rotation, damage."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.picture_folder import list_pictures
from movi_prep.video.footage import FrameReader, frame_clock, open_footage
from tests.builders.coded_videos import SIZE, coded_picture, copy_packets, number_in, turn_picture, write_coded_video

pytest.importorskip("av")
N = 40


def _numbers(reader: FrameReader, wanted: range = range(N)) -> dict[int, int]:
    return {number: number_in(image) for number, image in reader.frames(wanted)}


def _even(rate_hz: float, n: int = N) -> list[float]:
    return [number / rate_hz for number in range(n)]


@pytest.mark.parametrize(
    ("codec", "suffix", "rate_hz", "tick"),
    [
        ("libx264", "mp4", 30.0, Fraction(1, 90000)),
        ("libx264", "mov", 25.0, Fraction(1, 600)),
        ("libx264", "mkv", 30000 / 1001, Fraction(1, 1000)),
        ("libx264", "mp4", 60000 / 1001, Fraction(1, 60000)),
        ("libx265", "mp4", 50.0, Fraction(1, 90000)),
        ("mpeg4", "mp4", 60.0, Fraction(1, 600)),
        ("mjpeg", "mov", 24.0, Fraction(1, 24000)),
        ("libvpx-vp9", "mkv", 30.0, Fraction(1, 1000)),
    ],
)
def test_each_frame_shows_its_number(tmp_path: Path, codec: str, suffix: str, rate_hz: float, tick: Fraction) -> None:
    path = write_coded_video(tmp_path / f"v.{suffix}", codec=codec, times_s=_even(rate_hz), tick=tick)
    reader = open_footage(path)
    assert _numbers(reader) == {number: number for number in range(N)}
    assert reader.faults(range(N)) == ()
    assert (reader.header.size_px, reader.header.n_frames) == (SIZE, N)
    clock = frame_clock(reader, None)
    assert clock.is_even
    assert clock.rate_hz == pytest.approx(rate_hz, rel=1e-3)
    # A container that counts milliseconds is off by half of one at most; over all frames that evens out.
    np.testing.assert_allclose(clock.times_s, _even(rate_hz), atol=0.6e-3)


def test_a_rate_that_varies_is_that_of_the_packets(tmp_path: Path) -> None:
    times = np.cumsum([0.0, *np.random.default_rng(0).uniform(0.02, 0.06, N - 1)])
    reader = open_footage(write_coded_video(tmp_path / "v.mp4", times_s=times.tolist()))
    clock = frame_clock(reader, None)
    assert not clock.is_even
    np.testing.assert_allclose(clock.times_s, times, atol=2e-5)
    assert _numbers(reader) == {number: number for number in range(N)}


def test_a_clock_that_starts_above_zero_counts_from_its_first_frame(tmp_path: Path) -> None:
    path = write_coded_video(tmp_path / "v.mkv", times_s=[7.0 + time for time in _even(25.0)], tick=Fraction(1, 1000))
    reader = open_footage(path)
    np.testing.assert_allclose(frame_clock(reader, None).times_s, _even(25.0), atol=1e-9)
    assert _numbers(reader) == {number: number for number in range(N)}


def test_frames_that_an_edit_list_hides_are_not_counted(tmp_path: Path) -> None:
    """Cut at frame 5, between key frames, as a phone trims: frame 0 is the first that is shown."""
    whole = write_coded_video(tmp_path / "whole.mp4", times_s=_even(30.0), options={"bf": "0"})
    path = copy_packets(whole, tmp_path / "cut.mp4", shift_s=-5 / 30.0)
    reader = open_footage(path)
    assert _numbers(reader, range(N - 5)) == {number: number + 5 for number in range(N - 5)}
    np.testing.assert_allclose(frame_clock(reader, None).times_s, _even(30.0, N - 5), atol=1e-4)


def test_frames_that_are_missing_shift_no_time(tmp_path: Path) -> None:
    whole = write_coded_video(tmp_path / "whole.mkv", codec="mjpeg", times_s=_even(25.0), tick=Fraction(1, 1000))
    reader = open_footage(copy_packets(whole, tmp_path / "lost.mkv", lost=(10, 11, 12)))
    assert reader.header.n_frames == N - 3
    seen, times = _numbers(reader, range(N - 3)), frame_clock(reader, None).times_s
    np.testing.assert_allclose(times, [number / 25.0 for number in seen.values()], atol=1e-3)
    assert "1 gaps" in reader.notes()[0]


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_what_builds_on_a_damaged_frame_is_refused_up_to_the_next_key_frame(tmp_path: Path, codec: str) -> None:
    whole = write_coded_video(
        tmp_path / "whole.mp4", codec=codec, times_s=_even(30.0), tick=Fraction(1, 30000), options={"bf": "0"}
    )
    reader = open_footage(copy_packets(whole, tmp_path / "bad.mp4", damaged=(5,)))
    seen = _numbers(reader)
    assert all(number == shown for number, shown in seen.items())
    assert not set(range(5, 12)) & set(seen)
    assert {*range(5), *range(12, N)} <= set(seen)
    refused = [n for fault in reader.faults(range(N)) for n in range(fault.first_frame, fault.last_frame + 1)]
    assert sorted([*seen, *refused]) == list(range(N))


@pytest.mark.parametrize("b_frames", ["0", "2"])
def test_a_damaged_frame_costs_no_frame_before_it(tmp_path: Path, b_frames: str) -> None:
    whole = write_coded_video(tmp_path / "whole.mp4", times_s=_even(30.0), options={"bf": b_frames, "g": "10"})
    reader = open_footage(copy_packets(whole, tmp_path / "bad.mp4", damaged=(20,)))
    seen = _numbers(reader)
    assert all(number == shown for number, shown in seen.items())
    assert set(range(15)) <= set(seen)
    assert len(seen) < N


@pytest.mark.parametrize("matrix", [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)])
def test_pictures_come_upright_as_opencv_shows_them(tmp_path: Path, matrix: tuple[int, int, int, int]) -> None:
    path = write_coded_video(tmp_path / "v.mp4", times_s=_even(30.0, 5))
    turn_picture(path, matrix)
    capture = cv2.VideoCapture(str(path))
    shown = capture.read()[1].astype(int)
    capture.release()
    reader = open_footage(path)
    _, image = next(iter(reader.frames({0})))
    assert reader.header.size_px == shown.shape[1::-1]
    assert np.abs(image.astype(int) - shown).mean() < 2.0


def test_more_frames_than_there_are_is_named(tmp_path: Path) -> None:
    reader = open_footage(write_coded_video(tmp_path / "v.mp4", times_s=_even(30.0)))
    _numbers(reader, range(N + 3))
    (fault,) = reader.faults(range(N + 3))
    assert (fault.first_frame, fault.last_frame) == (N, N + 2)


def test_a_folder_of_pictures_counts_by_their_numbers(tmp_path: Path) -> None:
    for number in (1, 2, 3, 5, 6):
        cv2.imwrite(str(tmp_path / f"image_{number:05d}.png"), coded_picture(number))
    (tmp_path / "image_00006.png").write_bytes(b"no picture")
    reader = open_footage(tmp_path)
    assert _numbers(reader, range(7)) == {0: 1, 1: 2, 2: 3, 4: 5}
    assert [(fault.first_frame, fault.last_frame) for fault in reader.faults(range(7))] == [(3, 3), (5, 5), (6, 6)]
    with pytest.raises(InputError) as caught:
        frame_clock(reader, None)
    assert caught.value.where == str(tmp_path)
    np.testing.assert_allclose(frame_clock(reader, 30.0).times_s, _even(30.0, 6))


def test_pictures_that_are_not_numbered_are_refused(tmp_path: Path) -> None:
    for name in ("front_1.png", "side_1.png"):
        cv2.imwrite(str(tmp_path / name), coded_picture(0))
    with pytest.raises(InputError):
        list_pictures(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingError):
        list_pictures(tmp_path / "empty")


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"<html>sign in</html>")
    with pytest.raises(InputError) as caught:
        open_footage(tmp_path / "v.mp4")
    assert caught.value.where == str(tmp_path / "v.mp4")
    with pytest.raises(MissingError):
        open_footage(tmp_path / "none.mp4")
