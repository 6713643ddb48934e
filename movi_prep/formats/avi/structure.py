"""The structure of .avi files: what the headers claim, and where the indexes say that each frame lies.

Layout (Microsoft, "AVI RIFF File Reference"; OpenDML, "AVI File Format Extensions" 1.02), numbers little-endian:

    RIFF 'AVI '
      LIST 'hdrl'   avih: 4 x u4, then the number of frames
        LIST 'strl' strh ('vids', codec, ...), strf (BITMAPINFOHEADER); indx: where the chunks ix## lie (OpenDML)
        LIST 'odml' dmlh: number of frames of all RIFF chunks (OpenDML)
      LIST 'movi'   '##dc' or '##db': one chunk per frame, ## the stream, padded to even length; LIST 'rec ' may group
                    them; between them sound '##wb', indexes 'ix##', 'JUNK'; length 0: a frame was dropped
      idx1          16 bytes per chunk: name, flags, offset of the chunk from 'movi' or from the file, length
    RIFF 'AVIX'     LIST 'movi'; a file above one or two GB has several (OpenDML)

| chunk | bytes |
|---|---|
| indx | u2 4, u1, u1 0, u4 entries, name, 3 x u4; entries: u8 place of an ix##, u4 its bytes, u4 its frames |
| ix## | u2 2, u1, u1 1, u4 entries, name, u8 base, u4; entries: u4 content of the chunk from base, u4 length |

An index is a list of frames that damage among the pictures leaves whole: from it, what was lost can be counted.
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

HEADER_BYTES = 8
"""A chunk begins with four letters and its length."""

OFFSET_BITS = 0xFFFFFFFF
"""idx1 has four bytes per offset: above 4 GB, the lower half of the true one."""

JPEG_CODECS = frozenset(("MJPG", "JPEG", "AVRN", "DMB1", "LJPG"))
"""Codecs whose frames are JPEG files."""

_LIST_HEADER_BYTES = 12
_MOVI = re.compile(rb"LIST.{4}movi", re.DOTALL)
_MAX_HEAD_BYTES = 1 << 24
_IDX1 = np.dtype([("name", "S4"), ("flags", "<u4"), ("offset", "<u4"), ("length", "<u4")])
_SUPER = np.dtype([("place", "<u8"), ("n_bytes", "<u4"), ("n_frames", "<u4")])
_STANDARD = np.dtype([("content", "<u4"), ("length", "<u4")])
_INDEX_HEAD_BYTES = 24
_SLACK_BYTES = 16
"""Some programs count headers of chunks to their lengths."""
_OF_INDEXES, _OF_CHUNKS = 0, 1
_ENTRIES_TRIED = 20
_NOT_KEY, _IS_KEY = 0x80000000, 0x10


@dataclass(frozen=True)
class AviHead:
    """What the headers of an .avi say.

    Attributes:
        n_bytes: length of the file.
        riff_bytes: length of its first RIFF chunk by its header.
        stream: number of the first video stream.
        n_streams: number of streams.
        codec: four letters.
        n_frames_main: frames by the main header; in OpenDML files only those of the first RIFF chunk.
        n_frames_stream: frames by the header of the stream.
        n_frames_odml: frames by OpenDML's header, 0 if there is none.
        movi: place of the word 'movi'; where that is damaged, before the first byte that may belong to a frame.
        movi_end: where the first list of frames ends by its header; 0 where that is damaged.
        super_index: (place, bytes, frames) of each chunk 'ix##', () if there is none.
    """

    n_bytes: int
    riff_bytes: int
    stream: int
    n_streams: int
    codec: str
    n_frames_main: int
    n_frames_stream: int
    n_frames_odml: int
    movi: int
    movi_end: int
    super_index: tuple[tuple[int, int, int], ...] = ()

    @property
    def n_frames(self) -> int:
        """How many frames the headers claim, 0 where none does."""
        return self.n_frames_odml or self.n_frames_stream or self.n_frames_main


@dataclass(frozen=True)
class AviIndex:
    """Where the frames of a video stream lie, by an index.

    Attributes:
        kind: "idx1" or "OpenDML".
        offsets: (n,) int64, where each chunk begins, as far as the index tells: `OFFSET_BITS` of it.
        lengths: (n,) int64, bytes of its content.
        is_key: (n,) bool, whether it is a key frame.
        is_whole: False where parts of the index cannot be read, which end it.
    """

    kind: str
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    is_key: NDArray[np.bool_]
    is_whole: bool = True


def read_avi_head(path: Path) -> AviHead | None:
    """Return what the headers say; None for a file that is not an .avi, or whose headers cannot be read."""
    with path.open("rb") as file:
        return parse_avi_head(file.fileno())


def parse_avi_head(descriptor: int) -> AviHead | None:
    """Return what the headers of an open file say; None where they are none of an .avi with a video stream."""
    n_bytes = os.fstat(descriptor).st_size
    opening = os.pread(descriptor, _LIST_HEADER_BYTES, 0)
    if len(opening) < _LIST_HEADER_BYTES or opening[:4] != b"RIFF" or opening[8:] != b"AVI ":
        return None
    riff_bytes = HEADER_BYTES + struct.unpack_from("<I", opening, 4)[0]
    found = _HeadParts()
    place = behind_headers = _LIST_HEADER_BYTES
    while place + _LIST_HEADER_BYTES <= n_bytes:
        name, length, kind = struct.unpack("<4sI4s", os.pread(descriptor, _LIST_HEADER_BYTES, place))
        if name == b"LIST" and kind == b"movi":
            break
        if name == b"LIST" and kind == b"hdrl" and length <= _MAX_HEAD_BYTES:
            found.add(os.pread(descriptor, length - 4, place + _LIST_HEADER_BYTES))
            behind_headers = place + HEADER_BYTES + length + length % 2
        place += HEADER_BYTES + length + length % 2
    else:
        # A length before it is wrong, or the beginning of the list of frames is damaged itself.
        match = _MOVI.search(os.pread(descriptor, _MAX_HEAD_BYTES, behind_headers))
        if match is None:
            return found.result(n_bytes, riff_bytes=riff_bytes, movi=behind_headers - 4, movi_end=0)
        place = behind_headers + match.start()
    length = struct.unpack("<I", os.pread(descriptor, 4, place + 4))[0]
    movi_end = place + HEADER_BYTES + length + length % 2
    return found.result(n_bytes, riff_bytes=riff_bytes, movi=place + HEADER_BYTES, movi_end=movi_end)


@dataclass
class _HeadParts:
    """What was met in the list of headers."""

    main: bytes = b""
    odml: bytes = b""
    streams: list[dict[bytes, bytes]] = field(default_factory=list)

    def add(self, content: bytes) -> None:
        for name, inner in _chunks(content):
            if name == b"avih":
                self.main = inner
            elif name == b"dmlh":
                self.odml = inner
            elif name == b"LIST" and inner[:4] == b"strl":
                self.streams.append(dict(_chunks(inner[4:])))
            elif name == b"LIST":
                self.add(inner[4:])

    def result(self, n_bytes: int, *, riff_bytes: int, movi: int, movi_end: int) -> AviHead | None:
        number = next((i for i, parts in enumerate(self.streams) if parts.get(b"strh", b"")[:4] == b"vids"), None)
        if number is None:
            return None
        parts = self.streams[number]
        return AviHead(
            n_bytes=n_bytes,
            riff_bytes=riff_bytes,
            stream=number,
            n_streams=len(self.streams),
            codec=parts.get(b"strf", b"").ljust(20, b"\0")[16:20].decode("latin1"),
            n_frames_main=_number(self.main, 16),
            n_frames_stream=_number(parts[b"strh"], 32),
            n_frames_odml=_number(self.odml, 0),
            movi=movi,
            movi_end=movi_end,
            super_index=_super_index(parts.get(b"indx", b"")),
        )


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + HEADER_BYTES <= len(content):
        name, length = struct.unpack_from("<4sI", content, place)
        yield name, content[place + HEADER_BYTES : place + HEADER_BYTES + length]
        place += HEADER_BYTES + length + length % 2


def _number(content: bytes, place: int) -> int:
    return int(struct.unpack_from("<I", content, place)[0]) if len(content) >= place + 4 else 0


def _super_index(content: bytes) -> tuple[tuple[int, int, int], ...]:
    if len(content) < _INDEX_HEAD_BYTES or content[3] != _OF_INDEXES:
        return ()
    n_entries = min(_number(content, 4), (len(content) - _INDEX_HEAD_BYTES) // _SUPER.itemsize)
    return tuple(np.frombuffer(content, _SUPER, n_entries, _INDEX_HEAD_BYTES).tolist())


def read_avi_index(
    descriptor: int, head: AviHead, *, idx1: tuple[int, int] | None, standard: Sequence[int]
) -> AviIndex | None:
    """Return the index of the video stream of an open file: OpenDML's, else idx1; None if there is none.

    Args:
        descriptor: the open file.
        head: its headers.
        idx1: place and length of the content of the chunk idx1.
        standard: places of the chunks ix## that were met; they count where others are named, if they are as many.
    """
    if head.super_index:
        places = standard if len(standard) == len(head.super_index) else [place for place, _, _ in head.super_index]
        return _read_odml(descriptor, head, places)
    return _read_idx1(descriptor, head, *idx1) if idx1 is not None else None


def find_idx1(descriptor: int, head: AviHead) -> tuple[int, int] | None:
    """Return place and length of the content of idx1 where the headers say that it lies; None where it does not."""
    place = head.movi_end or head.n_bytes
    while place + HEADER_BYTES <= head.n_bytes:
        name, length = struct.unpack("<4sI", os.pread(descriptor, HEADER_BYTES, place))
        if name == b"idx1":
            return place + HEADER_BYTES, length
        if name != b"JUNK":
            return None
        place += HEADER_BYTES + length + length % 2
    return None


def check_avi_ends(path: Path) -> tuple[str, ...]:
    """Return what the headers and the end of an .avi show to be wrong, as sentences; () for other files.

    Headers, index and a few places are read, so that all videos of a download can be looked at.
    """
    with path.open("rb") as file:
        descriptor = file.fileno()
        if os.pread(descriptor, _LIST_HEADER_BYTES, 0)[8:] != b"AVI ":
            return ()
        head = parse_avi_head(descriptor)
        if head is None or not head.movi_end:
            return ("its headers are damaged",)
        ends_at = max([head.riff_bytes, *(place + n_bytes for place, n_bytes, _ in head.super_index)])
        if head.riff_bytes < OFFSET_BITS and head.n_bytes + _SLACK_BYTES < ends_at:
            return (f"it is cut: {head.n_bytes:,} of {ends_at:,} bytes are there",)
        said = _index_damage(descriptor, head)
    return (said,) if said else ()


def _index_damage(descriptor: int, head: AviHead) -> str:
    """Return how the index and the headers contradict each other or the frames; empty where they do not."""
    idx1 = find_idx1(descriptor, head)
    index = read_avi_index(descriptor, head, idx1=idx1, standard=())
    n_indexed = 0 if idx1 is None else idx1[1] // _IDX1.itemsize
    if idx1 is None and not head.super_index:
        return "it has no index where its headers say: it was never closed, or is damaged or cut"
    if index is None or not _confirmed(descriptor, head, index):
        return "no frame lies where its index says: it was never filled, or is damaged"
    if n_indexed and head.n_streams == 1 and not head.n_frames_odml and n_indexed != head.n_frames:
        return f"its index tells of {n_indexed} frames, its headers of {head.n_frames}"
    return ""


def _confirmed(descriptor: int, head: AviHead, index: AviIndex) -> int:
    """Return how many of a few frames, spread over the file, begin where an index says."""
    tried = np.linspace(0, len(index.offsets) - 1, _ENTRIES_TRIED).astype(int)
    names = frame_names(head.stream)
    return sum(os.pread(descriptor, 4, int(offset)) in names for offset in index.offsets[tried])


def _read_odml(descriptor: int, head: AviHead, places: Sequence[int]) -> AviIndex | None:
    offsets, lengths, is_key, is_whole = [], [], [], True
    name = b"ix%02d" % head.stream
    for place, (_, n_bytes, _) in zip(places, head.super_index, strict=True):
        content = os.pread(descriptor, min(n_bytes, _MAX_HEAD_BYTES), place)
        body = content[HEADER_BYTES:]
        n_entries = _number(body, 4)
        if (
            content[:4] != name
            or len(body) < _INDEX_HEAD_BYTES + n_entries * _STANDARD.itemsize
            or body[3] != _OF_CHUNKS
        ):
            is_whole = False
            break
        entries = np.frombuffer(body, _STANDARD, n_entries, _INDEX_HEAD_BYTES)
        base = int(struct.unpack_from("<Q", body, 12)[0])
        offsets.append(base + entries["content"].astype(np.int64) - HEADER_BYTES)
        lengths.append((entries["length"] & (_NOT_KEY - 1)).astype(np.int64))
        is_key.append(entries["length"] < _NOT_KEY)
    if not offsets:
        return None
    where = np.concatenate(offsets) & OFFSET_BITS
    return AviIndex("OpenDML", where, np.concatenate(lengths), np.concatenate(is_key), is_whole)


def _read_idx1(descriptor: int, head: AviHead, place: int, n_bytes: int) -> AviIndex | None:
    content = os.pread(descriptor, min(n_bytes, head.n_bytes - place), place)
    entries = np.frombuffer(content, _IDX1, len(content) // _IDX1.itemsize)
    entries = entries[np.isin(entries["name"], frame_names(head.stream))]
    if not len(entries):
        return None
    offsets = entries["offset"].astype(np.int64)
    base = _base_of_idx1(descriptor, head, entries)
    return AviIndex(
        "idx1",
        (offsets + base) & OFFSET_BITS,
        entries["length"].astype(np.int64),
        (entries["flags"] & _IS_KEY) > 0,
        is_whole=len(content) == n_bytes,
    )


def _base_of_idx1(descriptor: int, head: AviHead, entries: NDArray[np.void]) -> int:
    """Return from where offsets count: the word 'movi' or the beginning of the file, whichever more chunks confirm."""
    tried = entries[np.linspace(0, len(entries) - 1, _ENTRIES_TRIED).astype(int)]

    def n_confirmed(base: int) -> int:
        headers = [os.pread(descriptor, HEADER_BYTES, base + int(entry["offset"])) for entry in tried]
        return sum(
            header == struct.pack("<4sI", entry["name"], entry["length"])
            for header, entry in zip(headers, tried, strict=True)
        )

    return 0 if n_confirmed(0) > n_confirmed(head.movi) else head.movi


def frame_names(stream: int) -> list[bytes]:
    """Return the names of the chunks that hold a video stream's frames: compressed, or not."""
    return [b"%02ddc" % stream, b"%02ddb" % stream]
