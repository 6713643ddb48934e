"""Holes in frames: blocks of zeros, where a download reserved space and never wrote a part of it.

Decoders of JPEG or H.264 often show a picture of them without a message. These formats have no such rows of
zeros; lossless formats may.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from movi_prep.formats.avi.structure import HEADER_BYTES, JPEG_CODECS

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from movi_prep.video.frame_table import FrameTable

_HOLE = bytes(4096)
"""A block that disks and downloads lose as a whole. Pictures of one colour have shorter rows of zeros at 800x600."""

_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"
_MPEG_CODECS = frozenset(
    ("H264", "X264", "AVC1", "DAVC", "VSSH", "XVID", "DIVX", "DX50", "FMP4", "MP4V", "M4S2", "3IV2", "MP4S")
)


class HoleFinder:
    """A search for holes in the frames of an .avi."""

    def __init__(self, path: Path, table: FrameTable | None) -> None:
        """Look at this file, if its frames are known."""
        codec = "" if table is None else table.head.codec.upper()
        self._is_jpeg = codec in JPEG_CODECS
        self._table = table if self._is_jpeg or codec in _MPEG_CODECS else None
        self._file = path.open("rb") if self._table is not None else None

    def __enter__(self) -> HoleFinder:
        """Return this."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def is_in(self, number: int) -> bool:
        """Return whether there is a hole in a frame; False where zeros are nothing unusual."""
        if self._table is None or self._file is None or self._table.is_lost[number]:
            return False
        place, length = int(self._table.offsets[number]) + HEADER_BYTES, int(self._table.lengths[number])
        content = os.pread(self._file.fileno(), length, place)
        begin = content.find(_HOLE)
        return begin >= 0 and self._is_hole(content, begin)

    def _is_hole(self, content: bytes, begin: int) -> bool:
        is_padding = not content[begin:].strip(b"\0")
        if not self._is_jpeg:
            return not is_padding
        if is_padding:
            return not content[:begin].endswith(_JPEG_END)
        # Notes of a camera before the picture may be blank.
        return _JPEG_SCAN in content[:begin]
