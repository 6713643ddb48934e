"""Damaged .avi files: every frame that comes is the one that its number says, whole; every other one is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from movi_prep.errors import InputError
from movi_prep.video.reader import VideoReader
from tests.builders.avi_files import (
    CODECS,
    HEIGHT,
    N_FRAMES,
    WIDTH,
    AviFile,
    Frame,
    Layout,
    build_avi,
    coded_picture,
    encoded_frames,
    read_code,
)
from tests.sentences import raises_recorded

LAYOUTS = {
    "plain": Layout(),
    "absolute": Layout(absolute=True),
    "grouped": Layout(grouped=True),
    "sound": Layout(sound=True),
    "sectors": Layout(sector=2048),
    "opendml": Layout(n_riffs=3),
}
INTRA = "MJPG"


def _fill(avi: AviFile, begin: int, end: int, *, seed: int = 0) -> bytes:
    garbage = np.random.default_rng(seed).bytes(end - begin)
    return avi.content[:begin] + garbage + avi.content[end:]


def _garbage(avi: AviFile) -> bytes:
    return _fill(avi, avi.middle(25), avi.middle(31))


def _zeros(avi: AviFile) -> bytes:
    begin, end = avi.middle(25), avi.middle(31)
    return avi.content[:begin] + bytes(end - begin) + avi.content[end:]


def _two_places(avi: AviFile) -> bytes:
    return _fill(replace(avi, content=_garbage(avi)), avi.begins[40] - 5, avi.begins[42] + 5)


def _with_bytes_put_in(avi: AviFile) -> bytes:
    place = avi.middle(25)
    return avi.content[:place] + np.random.default_rng(0).bytes(5000) + avi.content[place:]


DAMAGES: dict[str, Callable[[AviFile], bytes]] = {
    "nothing": lambda avi: avi.content,
    "garbage": _garbage,
    "zeros": _zeros,
    "a header": lambda avi: _fill(avi, avi.begins[25], avi.begins[25] + 8),
    "a name": lambda avi: _fill(avi, avi.begins[25], avi.begins[25] + 4),
    "a length": lambda avi: _fill(avi, avi.begins[25] + 4, avi.begins[25] + 8),
    "bytes missing": lambda avi: avi.content[: avi.middle(25)] + avi.content[avi.middle(31) :],
    "bytes put in": _with_bytes_put_in,
    "first frames": lambda avi: _fill(avi, avi.begins[0], avi.middle(3)),
    "first picture": lambda avi: _fill(avi, avi.begins[0] + 12, avi.middle(2)),
    "last frames": lambda avi: _fill(avi, avi.middle(57), len(avi.content)),
    "cut": lambda avi: avi.content[: avi.middle(25)],
    "two places": _two_places,
    "other frames": lambda avi: (
        avi.content[: avi.begins[40]]
        + avi.content[avi.begins[10] : avi.begins[10] + 900]
        + avi.content[avi.begins[40] + 900 :]
    ),
}


@lru_cache
def _built(codec: str, layout: str) -> AviFile:
    return build_avi(encoded_frames(codec), replace(LAYOUTS[layout], codec_name=codec))


@lru_cache
def _true_pictures(codec: str, folder: Path) -> dict[int, np.ndarray]:
    path = folder / "undamaged.avi"
    path.write_bytes(_built(codec, "plain").content)
    pictures = {number: image.copy() for number, image in VideoReader(path).frames(range(N_FRAMES))}
    assert {number: read_code(image) for number, image in pictures.items()} == {n: n for n in range(N_FRAMES)}
    return pictures


def _read(path: Path) -> tuple[dict[int, np.ndarray], dict[int, str], VideoReader]:
    reader = VideoReader(path)
    came = {number: image.copy() for number, image in reader.frames(range(N_FRAMES))}
    faults = reader.faults(range(N_FRAMES))
    reader.close()
    reasons = {number: item.reason for item in faults for number in range(item.first_frame, item.last_frame + 1)}
    assert len(reasons) == sum(item.n_frames for item in faults)
    return came, reasons, reader


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("codec", CODECS)
def test_what_comes_is_what_its_number_says(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, codec: str, layout: str, damage: str
) -> None:
    pictures = _true_pictures(codec, tmp_path_factory.getbasetemp())
    path = tmp_path / "video.avi"
    path.write_bytes(DAMAGES[damage](_built(codec, layout)))
    if (codec, damage) == ("H264", "first picture"):
        # Without its first picture, H.264 does not tell what it is.
        with raises_recorded(InputError):
            VideoReader(path)
        return
    came, reasons, _ = _read(path)
    assert [number for number, image in came.items() if not np.array_equal(image, pictures[number])] == []
    assert sorted([*came, *reasons]) == list(range(N_FRAMES))


@pytest.mark.parametrize(
    ("damage", "lost", "doubtful"),
    [
        ("garbage", range(26, 32), {25}),
        ("zeros", range(26, 32), {25}),
        ("a header", {25}, set()),
        ("a name", {25}, set()),
        ("a length", {25}, set()),
        ("bytes put in", set(), {25}),
        ("first frames", range(4), set()),
        ("two places", {*range(26, 32), 40, 41, 42}, {25, 39}),
        ("last frames", {58, 59}, {57}),
        ("nothing", set(), set()),
    ],
)
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "sectors"])
def test_pictures_for_themselves_lose_what_was_damaged_and_no_more(
    tmp_path: Path, layout: str, damage: str, lost: Iterable[int], doubtful: set[int]
) -> None:
    path = tmp_path / "video.avi"
    path.write_bytes(DAMAGES[damage](_built(INTRA, layout)))
    came, _, reader = _read(path)
    assert set(range(N_FRAMES)) - set(came) <= {*lost, *doubtful}
    assert set(came).isdisjoint(lost)
    assert bool(reader.damage()) == (damage != "nothing")


def test_pictures_behind_damage_come_again_with_the_next_key_frame(tmp_path: Path) -> None:
    """Frames 26 to 31 are lost; key frames of H.264 and MPEG-4 stand every 20 frames, of XVID every 12."""
    for codec, comes_again in (("XVID", 36), ("H264", 40), ("FMP4", 40)):
        path = tmp_path / "video.avi"
        path.write_bytes(DAMAGES["garbage"](_built(codec, "plain")))
        came, reasons, _ = _read(path)
        assert set(range(comes_again, N_FRAMES)) <= set(came)
        assert {26, 31, 35} <= set(reasons)


def test_damage_without_an_index_ends_what_can_be_used_unless_the_headers_tell(tmp_path: Path) -> None:
    avi = build_avi(encoded_frames(INTRA), Layout(has_index=False))
    path = tmp_path / "video.avi"
    path.write_bytes(_garbage(avi))
    came, _, reader = _read(path)
    assert sorted(came) == [*range(25), *range(32, N_FRAMES)]
    assert "frames 26 to 31 are lost" in reader.damage()[0]
    path.write_bytes(_two_places(avi))
    came, reasons, reader = _read(path)
    assert sorted(came) == list(range(25))
    assert reasons[59] == "behind damaged bytes, where frames cannot be numbered"
    assert "no frame from 26 on is used" in reader.damage()[0]


def test_a_damaged_index_costs_nothing(tmp_path: Path) -> None:
    avi = _built(INTRA, "plain")
    path = tmp_path / "video.avi"
    for begin in (avi.ends[-1], avi.ends[-1] + 500):
        path.write_bytes(_fill(avi, begin + begin % 2, len(avi.content)))
        came, _, _ = _read(path)
        assert set(range(N_FRAMES - 1)) <= set(came)


@pytest.mark.parametrize("codec", ["MJPG", "XVID"])
def test_dropped_frames_have_no_picture_and_end_nothing(tmp_path: Path, codec: str) -> None:
    """An encoder that drops a frame goes on from the one before; here the last one before a key frame is dropped."""
    frames = list(encoded_frames(codec))
    frames[0 if codec == "MJPG" else 35] = Frame(b"", is_key=False)
    frames[59] = Frame(b"", is_key=False)
    path = tmp_path / "video.avi"
    path.write_bytes(build_avi(frames, Layout(codec_name=codec)).content)
    came, reasons, reader = _read(path)
    assert {number: read_code(image) for number, image in came.items()} == {number: number for number in came}
    assert set(reasons.values()) == {"dropped when the video was recorded"}
    assert len(reasons) == 2
    assert reader.damage() == ()
    assert reader.notes() == ("video.avi: 2 frames were dropped when it was recorded",)


def test_frames_that_mpeg4_does_not_code_end_nothing(tmp_path: Path) -> None:
    """An encoder whose picture did not change may write a header alone: the next one builds on the one before."""
    not_coded = Frame(bytes([0, 0, 1, 0xB6, 0x52, 0xDF]), is_key=False)
    frames = encoded_frames("XVID")
    path = tmp_path / "video.avi"
    path.write_bytes(build_avi([*frames[:15], not_coded, *frames[15:59]], Layout(codec_name="XVID")).content)
    came, reasons, _ = _read(path)
    assert {n: read_code(image) for n, image in came.items()} == {n: n - (n > 15) for n in range(N_FRAMES) if n != 15}
    assert reasons == {15: "dropped when the video was recorded"}


def test_other_files_say_what_cannot_be_checked(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 30.0, (WIDTH, HEIGHT))
    for number in range(N_FRAMES):
        writer.write(coded_picture(number))
    writer.release()
    came, reasons, reader = _read(path)
    assert {number: read_code(image) for number, image in came.items()} == {n: n for n in range(N_FRAMES)}
    assert not reasons
    assert reader.notes() == (
        "video.mp4: it is not an .avi: frames that were lost in damaged bytes would not be noticed",
    )
