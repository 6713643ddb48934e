"""Files that are spliced for a decoder: parts of an .avi, with other bytes in between.

FFmpeg gives frames their time by counting chunks. With a chunk in place of each lost one, it counts rightly. The
rest of the damaged bytes becomes 'JUNK', so that all that follows keeps its place and the index stays valid. Nothing is
written to disk.
"""

from __future__ import annotations

import io
import struct
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from movi_prep.formats.avi.structure import HEADER_BYTES, frame_names
from movi_prep.video.frame_table import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from movi_prep.video.frame_table import FrameTable, Gap

_UNDECODABLE = bytes(8)
"""Content of a stand-in: no codec decodes zeros, and an empty chunk would mean a frame dropped in the recording."""


@dataclass(frozen=True)
class Extent:
    """Bytes of a spliced file: literal ones, or a part of the file below."""

    n_bytes: int
    place: int = 0
    literal: bytes | None = None


class SplicedFile(io.BufferedIOBase):
    """Parts of a file and other bytes, read as one file."""

    def __init__(self, path: Path, extents: Sequence[Extent]) -> None:
        """Open a file."""
        super().__init__()
        self._file = path.open("rb")
        self._extents = extents
        self._begins = [0, *accumulate(extent.n_bytes for extent in extents)]
        self._place = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes, at most to the end of the extent that they begin in; b"" at the end of the file."""
        # Short reads are allowed: the decoder asks again, and extents need not be joined.
        number = bisect_right(self._begins, self._place) - 1
        if number >= len(self._extents):
            return b""
        extent, skipped = self._extents[number], self._place - self._begins[number]
        left = extent.n_bytes - skipped
        n_bytes = left if size is None or size < 0 else min(size, left)
        if extent.literal is not None:
            content = extent.literal[skipped : skipped + n_bytes]
        else:
            self._file.seek(extent.place + skipped)
            content = self._file.read(n_bytes)
        self._place += len(content)
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._begins[-1]}[whence]
        # OpenCV passes places as signed 32 bits: above 2 GB they come out negative.
        self._place = start + offset if whence != io.SEEK_SET or offset >= 0 else offset + MOST_BYTES
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def mend_avi(path: Path, table: FrameTable) -> SplicedFile:
    """Return an .avi with a chunk that cannot be decoded in place of every lost frame, except at its beginning.

    A decoder that meets no picture first may take the file for something else; and FFmpeg moves an idx1 so that its
    first frame is the first chunk, which it is not then.
    """
    place = 0
    extents: list[Extent] = []
    for gap in table.gaps:
        if gap.n_lost <= 0 or gap.begin < place:
            continue
        is_first = gap.first_lost == 0
        end = int(table.offsets[table.decoder_begins_at]) if is_first else gap.end
        extents.append(Extent(gap.begin - place, place))
        extents += _stand_ins(gap, 0 if is_first else gap.n_lost, end, stream=table.head.stream)
        place = end
    end = table.head.n_bytes
    if table.decoder_begins_at:
        # Without the index, whose first entry FFmpeg would take for the first chunk that is left.
        end = int(table.offsets[-1] + HEADER_BYTES + table.lengths[-1])
    return SplicedFile(path, [*extents, Extent(end - place, place)])


def cut_excerpt(path: Path, table: FrameTable, *, first: int, n_frames: int) -> SplicedFile:
    """Return an .avi with only the headers and these frames; none of them may be lost."""
    last = first + n_frames - 1
    begin, end = int(table.offsets[first]), int(table.offsets[last] + HEADER_BYTES + table.lengths[last])
    return SplicedFile(path, [Extent(table.head.movi + 4), Extent(end - begin, begin)])


def _stand_ins(gap: Gap, n_frames: int, end: int, *, stream: int) -> list[Extent]:
    """Return a chunk for every lost frame, and one for the rest of the bytes up to `end` where it has room."""
    frames = (frame_names(stream)[0] + struct.pack("<I", len(_UNDECODABLE)) + _UNDECODABLE) * n_frames
    rest = end - gap.begin - len(frames) - HEADER_BYTES
    if rest < 0:
        return [Extent(len(frames), literal=frames)]
    content = frames + b"JUNK" + struct.pack("<I", rest)
    return [Extent(len(content), literal=content), Extent(rest, gap.begin)]
