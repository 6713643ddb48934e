"""Videos: every frame under its own number, damage named, whatever the codec."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from movi_prep.errors import InputError, MissingError
from movi_prep.video.reader import VideoReader
from tests.sentences import raises_recorded

SIZE = (160, 120)
N = 30


def _write(path: Path, codec: str, images: Iterable[np.ndarray] | None = None) -> Path:
    """Write a video whose frame n is grey of value 8 n with a little noise, or the given images."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 30.0, SIZE)
    noise = np.random.default_rng(0).integers(-3, 4, (SIZE[1], SIZE[0], 3))
    for image in images or (8 * number + noise for number in range(N)):
        writer.write(np.clip(image, 0, 255).astype(np.uint8))
    writer.release()
    return path


def _sliding_texture() -> Iterator[np.ndarray]:
    """Yield images that an encoder predicts from the one before, so that it needs few key frames."""
    texture = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 255, (SIZE[1], SIZE[0], 3)), (9, 9), 0)
    for number in range(N):
        yield np.roll(texture, 2 * number, axis=1)


def _chunks(content: bytes) -> list[tuple[int, int]]:
    """Return place and length of every frame in an .avi."""
    place, found = content.index(b"movi") + 4, []
    while content[place + 2 : place + 4] in (b"dc", b"db"):
        length = struct.unpack_from("<I", content, place + 4)[0]
        found.append((place + 8, length))
        place += 8 + length + length % 2
    return found


def _read(path: Path, wanted: range = range(N)) -> tuple[dict[int, float], VideoReader]:
    reader = VideoReader(path)
    return {number: float(image[60:].mean()) for number, image in reader.frames(wanted)}, reader


@pytest.mark.parametrize("codec", ["MJPG", "XVID", "FFV1"])
def test_frames_come_in_order_under_their_numbers(tmp_path: Path, codec: str) -> None:
    means, reader = _read(_write(tmp_path / "v.avi", codec))
    assert list(means) == list(range(N))
    assert all(abs(mean - 8 * number) < 3.0 for number, mean in means.items())
    assert reader.faults(range(N)) == ()
    assert (reader.header.size_px, reader.header.rate_hz, reader.header.n_frames) == (SIZE, 30.0, N)


def test_only_wanted_frames_come(tmp_path: Path) -> None:
    reader = VideoReader(_write(tmp_path / "v.avi", "MJPG"))
    assert [number for number, _ in reader.frames({3, 17, 4})] == [3, 4, 17]


@pytest.mark.parametrize("codec", ["MJPG", "XVID"])
def test_a_frame_that_cannot_be_decoded_is_named_and_shifts_nothing(tmp_path: Path, codec: str) -> None:
    path = _write(tmp_path / "v.avi", codec)
    content = bytearray(path.read_bytes())
    place, length = _chunks(bytes(content))[10]
    content[place : place + length] = bytes(length)
    path.write_bytes(content)
    means, reader = _read(path)
    assert all(abs(mean - 8 * number) < 3.0 for number, mean in means.items())
    assert 10 not in means
    assert set(range(10)) <= set(means)
    refused = [number for fault in reader.faults(range(N)) for number in range(fault.first_frame, fault.last_frame + 1)]
    assert sorted([*means, *refused]) == list(range(N))
    first = reader.faults(range(N))[0]
    assert (first.first_frame, first.last_frame, first.reason) == (10, 10, "cannot be decoded")


def test_what_builds_on_a_damaged_frame_is_not_trusted(tmp_path: Path) -> None:
    """XVID here has a key frame every twelve frames: damage in frame 14 ends with frame 24."""
    path = _write(tmp_path / "v.avi", "XVID", _sliding_texture())
    content = bytearray(path.read_bytes())
    place, length = _chunks(bytes(content))[14]
    content[place + length // 2 : place + length] = np.random.default_rng(0).bytes(length - length // 2)
    path.write_bytes(content)
    means, reader = _read(path)
    assert sorted(means) == [*range(14), *range(24, N)]
    reasons = [(fault.first_frame, fault.last_frame, fault.reason) for fault in reader.faults(range(N))]
    assert reasons == [(14, 14, "cannot be decoded"), (15, 23, "builds on a frame that cannot be decoded")]


def test_a_video_cut_in_the_middle_ends_where_it_ends(tmp_path: Path) -> None:
    path = _write(tmp_path / "v.avi", "MJPG")
    content = path.read_bytes()
    place, length = _chunks(content)[20]
    path.write_bytes(content[: place + length // 2])
    means, reader = _read(path)
    assert list(means) == list(range(20))
    faults = reader.faults(range(N))
    assert (faults[0].first_frame, faults[-1].last_frame) == (20, 29)
    # Where in its header the last picture is cut decides whether the decoder makes anything of it.
    assert faults[-1].reason in ("the video ends after 20 frames", "the video ends after 21 frames")


def test_flags_beyond_the_end_are_named(tmp_path: Path) -> None:
    _, reader = _read(_write(tmp_path / "v.avi", "MJPG"), range(25, 35))
    assert [str(fault) for fault in reader.faults(range(25, 35))] == [
        "frames 30 to 34 refused: the video ends after 30 frames"
    ]


@pytest.mark.parametrize("width", [160, 157])
def test_uncompressed_bottom_up_pictures_are_turned_over(tmp_path: Path, width: int) -> None:
    """Rows of 157 pixels are 471 bytes, padded to 472."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (SIZE[1], width, 3), dtype=np.uint8) for _ in range(4)]
    path = tmp_path / "plain.avi"
    path.write_bytes(_plain_avi(images))
    reader = VideoReader(path)
    for number, image in reader.frames(range(4)):
        np.testing.assert_array_equal(image, images[number])


def _plain_avi(images: list[np.ndarray]) -> bytes:
    height, width = images[0].shape[:2]
    row_bytes = -(-3 * width // 4) * 4
    size = row_bytes * height
    frames = b""
    for image in images:
        padded = np.zeros((height, row_bytes), np.uint8)
        padded[:, : 3 * width] = image[::-1].reshape(height, -1)
        frames += b"00db" + struct.pack("<I", size) + padded.tobytes()
    main = struct.pack("<14I", 33_333, 0, 0, 0, len(images), 0, 1, size, width, height, 0, 0, 0, 0)
    stream = b"vidsDIB " + struct.pack("<10I4H", 0, 0, 0, 1, 30, 0, len(images), size, 0, 0, 0, 0, width, height)
    picture = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, size, 0, 0, 0, 0)
    inner = b"strl" + _chunk(b"strh", stream) + _chunk(b"strf", picture)
    head = b"hdrl" + _chunk(b"avih", main) + _chunk(b"LIST", inner)
    return _chunk(b"RIFF", b"AVI " + _chunk(b"LIST", head) + _chunk(b"LIST", b"movi" + frames))


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content


def test_size_and_rate_are_checked(tmp_path: Path) -> None:
    reader = VideoReader(_write(tmp_path / "v.avi", "MJPG"))
    reader.check(size_px=SIZE, rate_hz=30.0)
    reader.check(size_px=SIZE, rate_hz=29.97)
    with raises_recorded(InputError):
        reader.check(size_px=(800, 600), rate_hz=30.0)
    with raises_recorded(InputError):
        reader.check(size_px=SIZE, rate_hz=25.0)


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    with raises_recorded(MissingError):
        VideoReader(tmp_path / "none.avi")
    for content in (b"", b"no video" * 100):
        (tmp_path / "v.avi").write_bytes(content)
        with raises_recorded(InputError):
            VideoReader(tmp_path / "v.avi")


def test_what_others_print_meanwhile_is_passed_on_and_no_damage(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reader = VideoReader(_write(tmp_path / "v.avi", "MJPG"))
    numbers = []
    for number, _ in reader.frames(range(N)):
        numbers.append(number)
        os.write(2, b"a word from elsewhere\n")
    assert numbers == list(range(N))
    assert "a word from elsewhere" in capfd.readouterr().err


def test_a_lost_first_frame_is_lost_and_not_counted_away(tmp_path: Path) -> None:
    path = _write(tmp_path / "v.avi", "MJPG")
    content = bytearray(path.read_bytes())
    place, length = _chunks(bytes(content))[0]
    content[place : place + length] = bytes(length)
    path.write_bytes(content)
    means, reader = _read(path)
    assert list(means) == list(range(1, N))
    assert abs(means[1] - 8) < 3.0
    assert str(reader.faults(range(N))[0]) == "frame 0 refused: cannot be decoded"
