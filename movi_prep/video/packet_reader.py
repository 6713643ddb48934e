"""Videos by their packets (PyAV): frame i is the i-th that is shown, at the time of its packet.

Rates may vary, the first packets may be hidden by an edit list, the clock may start above zero, and phones store a
rotation: pictures come out upright, times count from the first frame that is shown. Frames are decoded from the
beginning, in order, because a seek may land on another frame.

| sign | what it shows |
|---|---|
| an error, or a message of the decoder, while it decodes a packet | its frame is damaged |
| a packet or frame that is marked corrupt | the same |
| no frame for a packet | the same |

Frames that are decoded after a damaged one build on it, up to the next key frame; and so do those that are shown before
that key frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import InputError, MissingError
from movi_prep.plain_text import count_of
from movi_prep.records.timeline import group_refusals
from movi_prep.video.reader import VideoHeader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.timeline import Refusal

INSTALL = "pip install movi-prep[video]"

_DAMAGED, _ORPHANED = "cannot be decoded", "builds on a frame that cannot be decoded"
_QUARTER_TURNS = {0: 0, 90: 1, -270: 1, 180: 2, -180: 2, 270: 3, -90: 3}
"""Stored rotation, degrees counter-clockwise -> quarter turns that set the picture upright."""


@dataclass(frozen=True)
class PacketTable:
    """The packets of a video that show a frame, in the order of decoding.

    Attributes:
        shown: (n,) int64, the frame that each packet shows.
        is_key: (n,) bool, whether its frame can be decoded without others.
        is_corrupt: (n,) bool, whether the container marks it so.
        pts: (n,) int64, increasing: time of each *frame*, in ticks.
        tick_s: seconds of a tick.
    """

    shown: NDArray[np.int64]
    is_key: NDArray[np.bool_]
    is_corrupt: NDArray[np.bool_]
    pts: NDArray[np.int64]
    tick_s: float

    @property
    def times_s(self) -> NDArray[np.float64]:
        """(n,) float64, seconds: time of each frame since the first."""
        return np.asarray((self.pts - self.pts[0]) * self.tick_s)

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.shown)

    def touched_by(self, damaged: Collection[int]) -> NDArray[np.bool_]:
        """Return (n,) bool, by frame: frames that are decoded from a damaged one, and the damaged ones."""
        touched = np.zeros(self.n_frames, dtype=np.bool_)
        order = np.empty(self.n_frames, dtype=np.int64)
        order[self.shown] = np.arange(self.n_frames)
        # The end of the video stands twice behind the keys, as the key after the last one and the one after that.
        keys = np.append(np.flatnonzero(self.is_key), [self.n_frames, self.n_frames])
        for frame in damaged:
            begin = order[frame]
            following = np.searchsorted(keys, begin, side="right")
            end, after = keys[following], keys[min(following + 1, len(keys) - 1)]
            touched[self.shown[begin:end]] = True
            if end < self.n_frames:
                leading = self.shown[end:after]
                # Decoded after the key frame, shown before it: such frames build on both sides.
                touched[leading[leading < self.shown[end]]] = True
        return touched


class PacketReader:
    """One pass over a video that PyAV reads; with the interface of `video.reader.VideoReader`.

    Attributes:
        path: the file.
        header: size of the upright pictures, mean rate, number of frames, codec.
        packets: the packets' table.
    """

    def __init__(self, path: Path) -> None:
        """Read the packets.

        Raises:
            MissingError: there is no such file, or PyAV is not installed.
            InputError: it is no video, or its packets have no times.
        """
        if not path.is_file():
            raise MissingError(path, expected="a video", got="no file", remedy="correct its path")
        self.path = path
        self._av = load_pyav(path)
        with self._open() as container:
            stream = container.streams.video[0]
            self.packets = _read_packets(container, stream, path)
            codec = str(stream.codec_context.name)
        with self._open() as container:
            # Only a decoded frame knows its rotation.
            first = next(container.decode(container.streams.video[0]), None)
        if first is None:
            raise InputError(
                path, expected="a video", got="one of which no frame can be decoded", remedy="copy it again"
            )
        self._quarter_turns = _QUARTER_TURNS.get(round(first.rotation), 0)
        size = (first.width, first.height)
        self.header = VideoHeader(
            size_px=size[::-1] if self._quarter_turns % 2 else size,
            rate_hz=_mean_rate_hz(self.packets.times_s),
            n_frames=self.packets.n_frames,
            codec=codec,
        )
        self._damaged: set[int] = set(np.flatnonzero(self._by_frame(self.packets.is_corrupt)).tolist())
        self._came: set[int] = set()

    def frames(self, wanted: Collection[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield (number, (height, width, 3) uint8 BGR) of wanted frames that are intact, in order."""
        last = max(wanted, default=-1)
        # The frames that damage touches are computed when new damage appears, not for every frame.
        n_known, touched = -1, np.zeros(self.packets.n_frames, dtype=np.bool_)
        for number, frame in self._decoded():
            if len(self._damaged) != n_known:
                n_known, touched = len(self._damaged), self.packets.touched_by(self._damaged)
            if number in wanted and not touched[number]:
                self._came.add(number)
                # A copy: rot90 gives a view with negative strides, which OpenCV refuses.
                yield number, np.rot90(frame.to_ndarray(format="bgr24"), self._quarter_turns).copy()
            if number >= last:
                break

    def faults(self, wanted: Collection[int]) -> tuple[Refusal, ...]:
        """Return which of the wanted frames did not come, and why; call it after the pass."""
        asked, n_frames = set(wanted), self.packets.n_frames
        beyond = {number for number in asked if number >= n_frames}
        touched = set(np.flatnonzero(self.packets.touched_by(self._damaged)).tolist())
        orphans = (asked & touched) - self._damaged
        lost = asked - self._came - beyond - orphans
        reasons = {_DAMAGED: lost, _ORPHANED: orphans, f"the video ends after {n_frames} frames": beyond}
        return tuple(
            item
            for reason, numbers in reasons.items()
            for item in group_refusals(np.array(sorted(numbers), dtype=np.int64), reason)
        )

    def damage(self) -> tuple[str, ...]:
        """Return sentences on frames that the container marks as damaged."""
        n_corrupt = int(self.packets.is_corrupt.sum())
        frames = count_of(n_corrupt, "frame is", "frames are")
        return (f"{self.path.name}: {frames} marked as damaged (copy the file again)",) if n_corrupt else ()

    def notes(self) -> tuple[str, ...]:
        """Return sentences on other irregularities: gaps in the clock."""
        steps = np.diff(self.packets.times_s)
        gaps = np.flatnonzero(steps > 1.5 * np.median(steps)) if steps.size else steps
        # So many gaps are no gaps: the rate varies, as phones' does.
        if not gaps.size or gaps.size > 0.1 * steps.size:
            return ()
        first = int(gaps[0])
        return (
            f"{self.path.name}: {gaps.size} gaps in its clock, the first of {steps[first] * 1e3:.0f} ms after frame "
            f"{first}: frames are missing there; labels follow the clock",
        )

    def close(self) -> None:
        """Release the decoder; a pass holds no file open."""

    def _open(self) -> Any:
        try:
            container = self._av.open(str(self.path))
        except (self._av.error.FFmpegError, OSError) as error:
            got = f"a file that cannot be opened as one ({error})"
            raise InputError(self.path, expected="a video", got=got, remedy="copy it again") from error
        if not container.streams.video:
            container.close()
            raise InputError(self.path, expected="a video", got="a file without pictures", remedy="name another file")
        return container

    def _decoded(self) -> Iterator[tuple[int, Any]]:
        """Yield number and frame of all frames that come, and note which packets are damaged."""
        # By time, not by count: a damaged packet gives no frame, and all later ones would move up.
        number_of = {pts: number for number, pts in enumerate(self.packets.pts.tolist())}
        with self._open() as container, _DecoderMessages(self._av) as said:
            stream = container.streams.video[0]
            # In one thread a message belongs to the packet at hand.
            stream.thread_type, stream.codec_context.thread_count = "NONE", 1
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except self._av.error.FFmpegError:
                    frames = []
                    self._note(packet.pts, number_of)
                if said.something():
                    self._note(packet.pts, number_of)
                for frame in frames:
                    if frame.is_corrupt:
                        self._note(frame.pts, number_of)
                    if frame.pts in number_of:
                        yield number_of[frame.pts], frame

    def _note(self, pts: int | None, number_of: dict[int, int]) -> None:
        if pts in number_of:
            self._damaged.add(number_of[pts])

    def _by_frame(self, of_packet: NDArray[np.bool_]) -> NDArray[np.bool_]:
        by_frame = np.zeros(len(of_packet), dtype=np.bool_)
        by_frame[self.packets.shown] = of_packet
        return by_frame


class _DecoderMessages:
    """A listener for complaints of the decoder since the last question; its messages are not passed on."""

    def __init__(self, av: Any) -> None:
        self._av = av
        self._capture = av.logging.Capture()
        self._level: int | None = None

    def __enter__(self) -> _DecoderMessages:
        self._level = self._av.logging.get_level()
        self._av.logging.set_level(self._av.logging.ERROR)
        self._messages: list[tuple[int, str, str]] = self._capture.__enter__()
        return self

    def __exit__(self, *reason: object) -> None:
        self._capture.__exit__(*reason)
        self._av.logging.set_level(self._level)

    def something(self) -> bool:
        complained = any(level <= self._av.logging.ERROR for level, _, _ in self._messages)
        self._messages.clear()
        return complained


def load_pyav(path: Path) -> Any:
    """Return PyAV; raise MissingError where it is not installed."""
    try:
        import av
    except ImportError as error:
        raise MissingError(
            "PyAV", expected=f"it to be installed, because {path} is no .avi", got="none", remedy=INSTALL
        ) from error
    return av


def _read_packets(container: Any, stream: Any, path: Path) -> PacketTable:
    # Frames that an edit list hides are decoded, because others build on them, but never shown.
    found = [
        (packet.pts, packet.is_keyframe, packet.is_corrupt)
        for packet in container.demux(stream)
        # The empty packet at the end only flushes the decoder.
        if packet.size and not packet.is_discard
    ]
    if not found or any(pts is None for pts, _, _ in found):
        got = "packets without times" if found else "no packets"
        raise InputError(path, expected="a video whose frames have times", got=got, remedy="store it as .mp4 or .mkv")
    pts = np.array([pts for pts, _, _ in found], dtype=np.int64)
    # Times are the only link between packets and frames: two alike would be one frame.
    if len(np.unique(pts)) < len(pts):
        raise InputError(path, expected="frames with a time each", got="two of one time", remedy="encode it again")
    order = np.argsort(pts, kind="stable")
    shown = np.empty(len(pts), dtype=np.int64)
    shown[order] = np.arange(len(pts))
    return PacketTable(
        shown=shown,
        is_key=np.array([is_key for _, is_key, _ in found], dtype=np.bool_),
        is_corrupt=np.array([is_corrupt for _, _, is_corrupt in found], dtype=np.bool_),
        pts=pts[order],
        tick_s=float(stream.time_base),
    )


def _mean_rate_hz(times_s: NDArray[np.float64]) -> float:
    return float((len(times_s) - 1) / times_s[-1]) if len(times_s) > 1 else 0.0
