"""A reader of videos, once and in order, with the true number of each frame. It reports damage and never passes it on.

OpenCV's decoder conceals damage: a broken frame comes out as a mixture with the one before, a frame that cannot be
decoded is skipped and all later ones move up by one. Three signs reveal this:

| sign | what it shows |
|---|---|
| the presentation time of a frame | its true number, whatever was skipped before it |
| what the decoder prints on standard error while it decodes a frame | that this frame is damaged |
| whether a frame is a key frame | where damage ends: all frames in between are built on the damaged one |

With one decoder thread, messages belong to the frame at hand.

Uncompressed .avi files (24 bit, bottom row first, as MATLAB writes them) crash OpenCV's conversion, which reads past
the start of such a picture; their bytes are taken from the file and turned over here.
"""

from __future__ import annotations

import os
import re
import struct
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from movi_prep.errors import InputError, MissingError
from movi_prep.records.timeline import group_refusals
from movi_prep.video.frame_table import read_frame_table
from movi_prep.video.holes import HoleFinder
from movi_prep.video.spliced_file import cut_excerpt, mend_avi

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.timeline import Refusal
    from movi_prep.video.frame_table import FrameTable
    from movi_prep.video.spliced_file import SplicedFile

_RATE_TOLERANCE = 0.005
"""Relative deviation of rates: containers write 29.97 or 30 for one camera, never 25 for 30."""

_BGR24 = 0x18524742
"""FFmpeg's tag of plain blue-green-red pictures."""

_HEAD_BYTES, _ROW_ALIGNMENT = 4096, 4

_FFMPEG_LINE = re.compile(rb"\[\w+ @ 0x[0-9a-f]+\]")

_DECODER_LINE = re.compile(rb"\[([\w,]+ @ 0x|[ A-Z]+:\d+@)")
"""FFmpeg's lines, and OpenCV's own: `[ WARN:0@9.905] global cap.cpp`."""

_HARMLESS = (b"unable to decode APP fields",)
"""Messages that FFmpeg calls errors although the picture is whole: the camera's notes that it does not understand."""

_SILENT_FAILURES_AT_END = 3
"""Failures in a row without a message after which the decoder has reached the end of the file."""

_BUILT_ON_OTHERS = frozenset(map(ord, "PBSpb"))
"""FFmpeg's letters of pictures that build on others."""

_NO_PICTURE_BYTES = 8
"""Longest chunk that may validly give no picture: an empty one, or MPEG-4's header of a frame that is not coded."""

_EXCERPT_FRAMES = 300
"""Frames of an excerpt; encoders put fewer between key frames."""


_PLACES = (0.0, 0.5, 0.95)
"""Places at which a quick look decodes a frame. Not the last: some containers only estimate their number of frames."""


class _Fault(Enum):
    """Why a frame is not passed on."""

    LOST = "lost in damaged bytes of the file"
    DAMAGED = "cannot be decoded"
    ORPHANED = "builds on a frame that cannot be decoded"
    DROPPED = "dropped when the video was recorded"


_UNNUMBERED = "behind damaged bytes, where frames cannot be numbered"


@dataclass(frozen=True)
class VideoHeader:
    """The header of the container.

    Attributes:
        size_px: width and height.
        rate_hz: frames per second.
        n_frames: number of frames it claims to hold.
        codec: four letters.
    """

    size_px: tuple[int, int]
    rate_hz: float
    n_frames: int
    codec: str


@dataclass(frozen=True)
class _Shown:
    """A frame that the decoder shows, or one that it skips.

    Attributes:
        number: its number.
        fault: the fault of the chunks that were read for it, or None.
        is_key: whether the chunk at hand is a key frame.
        stands_alone: whether the picture shown needs no other; with B frames it comes from an earlier chunk.
    """

    number: int
    fault: _Fault | None
    is_key: bool = False
    stands_alone: bool = False


class _Mistrust:
    """A judge of frames in the order of display: damage lasts until a key frame has been read and is shown."""

    def __init__(self) -> None:
        self._is_broken = self._met_key = False

    def judge(self, shown: _Shown) -> _Fault | None:
        """Return why a frame cannot be trusted, or None if it can."""
        if shown.fault is _Fault.DROPPED:
            # The encoder went on without it: what follows builds on the frame before.
            return shown.fault
        if shown.fault is not None:
            self._is_broken, self._met_key = True, False
            return shown.fault
        self._met_key = self._met_key or shown.is_key
        self._is_broken = self._is_broken and not (self._met_key and shown.stands_alone)
        return _Fault.ORPHANED if self._is_broken else None


class VideoReader:
    """One pass over a video.

    Attributes:
        path: the file.
        header: content of the container's header.
        table: the frames by the structure of an .avi; None for other files, and where its headers cannot be read.
        n_frames: frames that exist; known after the pass.
    """

    def __init__(self, path: Path) -> None:
        """Open a video.

        Raises:
            MissingError: the file does not exist.
            InputError: the file is not a video that can be decoded.
        """
        if not path.is_file():
            raise MissingError(path, expected="a video", got="no file", remedy="check --videos")
        self.path = path
        self.table = read_frame_table(path)
        self._source = mend_avi(path, self.table) if self.table is not None and self.table.misleads_decoder else None
        self._capture = _open(path, self._source)
        self.header = _header_of(self._capture)
        self._is_plain = _is_upside_down(path, self._capture)
        if self._is_plain:
            self._capture = _open(path, self._source, cv2.CAP_PROP_FORMAT, -1)
        self.n_frames = 0
        self._faults: dict[_Fault, list[int]] = {fault: [] for fault in _Fault}

    def check(self, *, size_px: tuple[int, int], rate_hz: float) -> None:
        """Raise InputError unless the video has this size and frame rate."""
        if self.header.size_px != size_px:
            (width, height), (has_width, has_height) = size_px, self.header.size_px
            raise InputError(
                self.path,
                expected=f"{width}x{height} pixels, as the camera was calibrated",
                got=f"{has_width}x{has_height}",
                remedy="use the original video: a resized one has another camera matrix",
            )
        if abs(self.header.rate_hz / rate_hz - 1.0) > _RATE_TOLERANCE:
            raise InputError(
                self.path,
                expected=f"{rate_hz:g} frames per second",
                got=f"{self.header.rate_hz:g}",
                remedy="use the original video: flags30 count its frames",
            )

    def frames(self, wanted: Collection[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield (number, (height, width, 3) uint8 BGR) of wanted frames that are intact, in order.

        The image is overwritten by the next one. Frames that are damaged, or built on a damaged one, are left out;
        `faults` names them afterwards.
        """
        last = max(wanted, default=-1)
        image: NDArray[np.uint8] | None = None
        mistrust = _Mistrust()
        for shown in self._shown():
            fault = mistrust.judge(shown)
            if fault is not None:
                self._faults[fault].append(shown.number)
            elif shown.number in wanted:
                image = self._retrieve(image)
                yield shown.number, image
            if shown.number >= last:
                break

    def faults(self, wanted: Collection[int]) -> tuple[Refusal, ...]:
        """Return the wanted frames that did not come, and why; call it after the pass."""
        asked = set(wanted)
        reasons = {fault.value: asked.intersection(numbers) for fault, numbers in self._faults.items()}
        beyond = {number for number in asked if number >= self.n_frames}
        is_open = self.table is not None and self.table.unnumbered is not None
        reasons[_UNNUMBERED if is_open else f"the video ends after {self.n_frames} frames"] = beyond
        return tuple(item for reason, numbers in reasons.items() for item in group_refusals(_sorted(numbers), reason))

    def damage(self) -> tuple[str, ...]:
        """Return a sentence on each damage that the structure of the file shows."""
        damages = () if self.table is None else self.table.damage()
        return tuple(f"{self.path.name}: {text} (fetch the file again)" for text in damages)

    def notes(self) -> tuple[str, ...]:
        """Return sentences on other irregularities in the file's structure, and on checks that were impossible."""
        if self.table is None:
            what = "its structure cannot be read" if self.path.suffix.lower() == ".avi" else "it is not an .avi"
            return (f"{self.path.name}: {what}: frames that were lost in damaged bytes would not be noticed",)
        return tuple(f"{self.path.name}: {text}" for text in self.table.notes())

    def close(self) -> None:
        """Release the decoder."""
        self._capture.release()
        if self._source is not None:
            self._source.close()

    def _shown(self) -> Iterator[_Shown]:
        """Yield every frame up to the end, and those that the decoder does not show."""
        end = None if self.table is None else self.table.n_frames
        delay, last_read = None, -1
        with HoleFinder(self.path, self.table) as holes:
            for complained, has_complained in self._grabbed():
                read = self._chunk_read(last_read)
                if delay is None:
                    delay = self._delay(read, has_complained)
                # Frames are numbered in the order of display, chunks in the order of the file.
                number = read - delay
                if end is not None and number >= end:
                    break
                if number < self.n_frames:
                    # A stream without a container has no clock: only its first frame has a number.
                    continue
                yield from self._unseen(number, delay)
                # A decoder with B frames read other chunks since, which it shows later.
                is_damaged = complained or self._is_damaged(last_read + 1 if delay else read, read, holes)
                last_read, self.n_frames = read, number + 1
                yield _Shown(
                    number,
                    _Fault.DAMAGED if is_damaged else None,
                    is_key=bool(self._capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME)),
                    stands_alone=self._stands_alone(),
                )
        if end is not None:
            yield from self._unseen(end, delay or 0)

    def _grabbed(self) -> Iterator[tuple[bool, bool]]:
        """Decode frames to the end; yield whether the decoder complained of these chunks, and whether it ever did."""
        silent, has_complained = 0, False
        with _decoder_messages() as said_something:
            # A failure with a message is a damaged frame; frames come after it.
            while silent < _SILENT_FAILURES_AT_END:
                done = self._capture.grab()
                complained = said_something()
                has_complained = has_complained or complained
                silent = 0 if done or complained else silent + 1
                if done:
                    yield complained, has_complained

    def _unseen(self, end: int, delay: int) -> Iterator[_Shown]:
        """Yield the frames before `end` that the decoder did not show."""
        while self.n_frames < end:
            self.n_frames += 1
            yield _Shown(self.n_frames - 1, self._fault_unseen(self.n_frames - 1, delay))

    def _chunk_read(self, last_read: int) -> int:
        """Return the chunk of the file that the decoder read for the frame that it shows."""
        if self.table is None:
            return round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * self.header.rate_hz / 1000.0)
        # The clock of an .avi ticks once per chunk. At the end a decoder with B frames shows what it still holds, and
        # the clock stops.
        read = self.table.decoder_begins_at + int(self._capture.get(cv2.CAP_PROP_PTS))
        return max(read, last_read + 1)

    def _stands_alone(self) -> bool:
        # Pictures that are taken as they lie in the file are not decoded: OpenCV would crash.
        return self._is_plain or int(self._capture.get(cv2.CAP_PROP_FRAME_TYPE)) not in _BUILT_ON_OTHERS

    def _delay(self, first_read: int, has_complained: bool) -> int:
        """Return the number of chunks that are read before the first frame is shown."""
        if self.table is None:
            # Some containers do not begin at time zero; a first frame that was lost has been complained of.
            return 0 if has_complained else first_read
        if has_complained or self.table.decoder_begins_at:
            # With the first frames that sign was lost; decoders with B frames show it at the end, too.
            return _measure_delay(self.path, self.table)
        return first_read - self.table.first_with_picture

    def _fault_unseen(self, number: int, delay: int) -> _Fault:
        """Return why a frame is not shown."""
        if self.table is None or number >= self.table.n_frames:
            return _Fault.DAMAGED
        if self.table.is_lost[number]:
            return _Fault.LOST
        # With B frames, the order of chunks is not that of frames.
        is_empty = self.table.lengths[number] <= _NO_PICTURE_BYTES
        return _Fault.DROPPED if is_empty and not delay else _Fault.DAMAGED

    def _is_damaged(self, first: int, last: int, holes: HoleFinder) -> bool:
        """Return whether one of the chunks from `first` to `last` is known to be damaged."""
        return self.table is not None and any(
            chunk < self.table.n_frames and (self.table.is_incomplete(chunk) or holes.is_in(chunk))
            for chunk in range(first, last + 1)
        )

    def _retrieve(self, image: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        done, picture = self._capture.retrieve() if self._is_plain else self._capture.retrieve(image)
        if done and picture is not None:
            return self._turned_over(picture) if self._is_plain else np.asarray(picture)
        raise InputError(
            self.path, expected="colour frames", got="a frame that cannot be converted", remedy="fetch it again"
        )

    def _turned_over(self, content: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the picture in the bytes of an uncompressed frame: rows from the bottom, padded to four bytes."""
        width, height = self.header.size_px
        # Rows of a bitmap begin at multiples of four bytes.
        row_bytes = -(-3 * width // _ROW_ALIGNMENT) * _ROW_ALIGNMENT
        rows = content.reshape(height, row_bytes)[::-1, : 3 * width]
        return np.ascontiguousarray(rows.reshape(height, width, 3))


def read_video_head(path: Path) -> VideoHeader:
    """Return a container's header, after decoding a few frames along it as a test.

    Raises:
        InputError: it cannot be opened, or gives no frame at one of these places.
    """
    capture = _open(path, None)
    header = _header_of(capture)
    lost = None
    with _decoder_messages(pass_on=False):
        for share in _PLACES:
            number = int(share * max(header.n_frames - 1, 0))
            capture.set(cv2.CAP_PROP_POS_FRAMES, number)
            if lost is None and not capture.grab():
                lost = number
    capture.release()
    if lost is not None:
        got = f"one whose frame {lost} of {max(header.n_frames, 1)} cannot be decoded"
        raise InputError(path, expected="a whole video", got=got, remedy="it is cut or damaged: fetch it again")
    return header


def _header_of(capture: cv2.VideoCapture) -> VideoHeader:
    read = capture.get
    return VideoHeader(
        size_px=(int(read(cv2.CAP_PROP_FRAME_WIDTH)), int(read(cv2.CAP_PROP_FRAME_HEIGHT))),
        rate_hz=float(read(cv2.CAP_PROP_FPS)),
        n_frames=int(read(cv2.CAP_PROP_FRAME_COUNT)),
        codec=int(read(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode("latin1"),
    )


def _open(path: Path, source: SplicedFile | None, *options: int) -> cv2.VideoCapture:
    # The decoder would print four lines; the error says it in one.
    with _decoder_messages(pass_on=False):
        # One thread: with several, messages would belong to frames that are decoded later.
        settings = [cv2.CAP_PROP_N_THREADS, 1, *options]
        if source is None:
            capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, settings)
        else:
            # The same source is opened twice: once for its header, once in the format of its pictures.
            source.seek(0)
            capture = cv2.VideoCapture(cast("cv2.IStreamReader", source), cv2.CAP_FFMPEG, settings)
    if not capture.isOpened():
        raise InputError(path, expected="a video", got="a file that cannot be opened as one", remedy="fetch it again")
    return capture


def _is_upside_down(path: Path, capture: cv2.VideoCapture) -> bool:
    """Return whether frames are plain 24 bit pictures, bottom row first (BITMAPINFOHEADER with a positive height)."""
    if int(capture.get(cv2.CAP_PROP_FOURCC)) != 0 or int(capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) != _BGR24:
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    # The height of the BITMAPINFOHEADER: 8 bytes of chunk header, 4 of its size and 4 of the width before it.
    place = head.find(b"strf")
    return place >= 0 and struct.unpack_from("<i", head, place + 16)[0] > 0


def _sorted(numbers: set[int]) -> NDArray[np.int64]:
    return np.array(sorted(numbers), dtype=np.int64)


@contextmanager
def _decoder_messages(*, pass_on: bool = True) -> Iterator[_Listener]:
    """Redirect the process's standard error, to notice the decoder's messages on each frame.

    The decoder is a C library that prints to the descriptor itself. All output is passed on at the end, the decoder's
    own lines only with `pass_on`.
    """
    with tempfile.TemporaryFile() as aside:
        # The descriptor, not sys.stderr: a C library does not know Python's.
        original = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            yield _Listener(aside.fileno())
        finally:
            os.dup2(original, 2)
            aside.seek(0)
            # A damaged file can print millions of lines; the first ones are enough.
            said = aside.read(10_000).splitlines(keepends=True)
            os.write(original, b"".join(line for line in said if pass_on or not _DECODER_LINE.match(line)))
            os.close(original)


class _Listener:
    """A listener for complaints of the decoder in a file since the last question."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = 0

    def __call__(self) -> bool:
        size = os.fstat(self._descriptor).st_size
        if size == self._size:
            return False
        # Other threads write to standard error too; FFmpeg begins its lines with the codec and its address.
        lines = os.pread(self._descriptor, size - self._size, self._size).splitlines()
        self._size = size
        return any(_FFMPEG_LINE.match(line) and not any(words in line for words in _HARMLESS) for line in lines)


def _measure_delay(path: Path, table: FrameTable) -> int:
    """Return the number of chunks that a decoder of this .avi reads ahead: frames that it shows after the last one.

    The longest piece without damage is decoded, at most a few seconds of it.
    """
    first, n_frames = table.longest_whole_run()
    if not n_frames:
        return 0
    with cut_excerpt(path, table, first=first, n_frames=min(n_frames, _EXCERPT_FRAMES)) as excerpt:
        capture = _open(path, excerpt)
        n_shown = n_held = 0
        with _decoder_messages(pass_on=False):
            while capture.grab():
                # While it empties itself, the decoder's clock stands at 0.
                n_held += n_shown > 0 and capture.get(cv2.CAP_PROP_POS_MSEC) <= 0.0
                n_shown += 1
        capture.release()
    return n_held
