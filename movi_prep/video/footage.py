"""One kind of reader for videos of any container, and the time at which each frame is shown.

| video | reader | times |
|---|---|---|
| folder of pictures | `PictureReader` | the rate that the manifest gives |
| .avi | `VideoReader` | its header's rate |
| anything else | `PacketReader` (PyAV) | its packets' |

A clock that is everywhere within a tick of an even one counts as even: containers round times to a millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from movi_prep.errors import InputError, MissingError
from movi_prep.video.packet_reader import PacketReader
from movi_prep.video.picture_reader import PictureReader
from movi_prep.video.reader import VideoReader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.timeline import Refusal
    from movi_prep.video.reader import VideoHeader


class FrameReader(Protocol):
    """The reader that a pass over a video needs."""

    path: Path
    header: VideoHeader

    def frames(self, wanted: Collection[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield number and picture of wanted frames that are intact, in order."""

    def faults(self, wanted: Collection[int]) -> tuple[Refusal, ...]:
        """Return the wanted frames that did not come, and why."""

    def damage(self) -> tuple[str, ...]:
        """Return sentences on damage."""

    def notes(self) -> tuple[str, ...]:
        """Return sentences on other irregularities."""

    def close(self) -> None:
        """Release the decoder."""


@dataclass(frozen=True)
class FrameClock:
    """The times at which the frames of a video are shown.

    Attributes:
        times_s: (n,) float64, seconds, increasing, 0 at the first frame.
        rate_hz: frames per second, the mean of a clock that varies.
        is_even: whether all frames last equally long.
    """

    times_s: NDArray[np.float64]
    rate_hz: float
    is_even: bool


def open_footage(path: Path) -> FrameReader:
    """Open a video or a folder of pictures; raise MissingError or InputError where it is none."""
    if path.is_dir():
        return PictureReader(path)
    if not path.exists():
        raise MissingError(path, expected="a video", got="no file", remedy="correct its path in the manifest")
    return VideoReader(path) if path.suffix.lower() == ".avi" else PacketReader(path)


def check_size(reader: FrameReader, size_px: tuple[int, int]) -> None:
    """Raise InputError unless the pictures have the size that the camera was calibrated with."""
    if reader.header.size_px != size_px:
        (width, height), (has_width, has_height) = size_px, reader.header.size_px
        raise InputError(
            reader.path,
            expected=f"{width}x{height} pixels, as the camera was calibrated",
            got=f"{has_width}x{has_height}",
            remedy="use the original video, upright as it was calibrated: a resized one has another camera matrix",
        )


def frame_clock(reader: FrameReader, rate_hz: float | None) -> FrameClock:
    """Return the clock of a video.

    Args:
        reader: the video.
        rate_hz: frames per second of an even clock, where the user gives it.

    Raises:
        InputError: neither file nor user gives the rate.
    """
    if rate_hz is None and isinstance(reader, PacketReader):
        return _measured_clock(reader.packets.times_s, reader.packets.tick_s)
    # The user's rate goes first: a manifest states it where a header is wrong.
    rate = rate_hz or reader.header.rate_hz
    if not rate > 0:
        raise InputError(
            reader.path, expected="a frame rate", got="none in the file", remedy="give rate_hz in the manifest"
        )
    return FrameClock(np.arange(_n_frames(reader)) / rate, rate, is_even=True)


def _n_frames(reader: FrameReader) -> int:
    table = reader.table if isinstance(reader, VideoReader) else None
    return reader.header.n_frames if table is None else table.n_frames


def _measured_clock(times_s: NDArray[np.float64], tick_s: float) -> FrameClock:
    numbers = np.arange(len(times_s))
    if len(times_s) < 2:
        return FrameClock(times_s, 0.0, is_even=True)
    # From the first frame to the last: the rounding of single times hardly moves it.
    period_s = times_s[-1] / numbers[-1]
    even = numbers * period_s
    if np.abs(times_s - even).max() <= tick_s:
        return FrameClock(even, 1.0 / period_s, is_even=True)
    return FrameClock(times_s, 1.0 / period_s, is_even=False)
