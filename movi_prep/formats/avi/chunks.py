"""The chunks of an .avi, one after the other, as they lie in the file: which frames are there, where the row breaks.

Only headers of chunks are read, eight bytes per frame. Where one is none, the bytes in between are damaged: reading
goes on at the next place from which a row of chunks runs on. How many frames lay in between is another question
(`video.frame_table`).
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from movi_prep.formats.avi.structure import (
    HEADER_BYTES,
    OFFSET_BITS,
    AviHead,
    AviIndex,
    find_idx1,
    frame_names,
    parse_avi_head,
    read_avi_index,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_RUNS_ON = 3
"""Chunks in a row that are no coincidence: four letters and a length that leads to the next, each."""

_AT_ONCE = 1 << 17
_BLOCK_BYTES, _SECTOR_BYTES = 4096, 512
_LIST_HEADER_BYTES = 12
_KINDS_IN_STREAMS = (b"dc", b"db", b"wb", b"pc", b"tx")
_ENTERED = (b"movi", b"rec ", b"AVIX")
"""Lists whose content is chunks of streams."""


@dataclass(frozen=True)
class ChunkRun:
    """Chunks that follow each other without a break.

    Attributes:
        begin: where the first chunk begins.
        end: where the last one ends.
        offsets: (n,) int64, where the chunk of each frame begins.
        lengths: (n,) int64, bytes of its content; 0 for a frame that was dropped when the video was recorded.
    """

    begin: int
    end: int
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]


@dataclass(frozen=True)
class AviChunks:
    """What lies in an .avi.

    Attributes:
        head: what its headers say.
        runs: its chunks; more than one run where bytes in between are none.
        index: what its index says, None where it has none.
        is_cut: whether the last frame's chunk is longer than the file.
        moved_bytes: how far behind its place by the headers the last index lies: bytes that were put in, negative where
            some are missing; 0 where it is unknown.
    """

    head: AviHead
    runs: tuple[ChunkRun, ...]
    index: AviIndex | None
    is_cut: bool
    moved_bytes: int = 0


def read_avi_chunks(path: Path) -> AviChunks | None:
    """Return what lies in an .avi; None for a file that is none, or whose headers cannot be read."""
    with path.open("rb") as file:
        descriptor = file.fileno()
        head = parse_avi_head(descriptor)
        if head is None:
            return None
        walk = _Walk(descriptor, head, read_avi_index(descriptor, head, idx1=find_idx1(descriptor, head), standard=()))
        walk.run()
        runs = tuple(run for run in walk.runs if len(run.offsets))
        index = read_avi_index(descriptor, head, idx1=walk.idx1, standard=walk.standard)
        return AviChunks(head, runs, index, walk.is_cut, walk.moved_bytes())


class _Chunk(NamedTuple):
    """A chunk; of a list that is entered, its end is its beginning."""

    place: int
    name: bytes
    length: int
    after: int


class _Walk:
    """A walk along the chunks of an open file.

    Attributes:
        runs: chunks met so far.
        idx1: place and length of the content of idx1, None before it was met.
        standard: places of the chunks ix## of the video stream.
        is_cut: whether the last frame's chunk is longer than the file.
    """

    def __init__(self, descriptor: int, head: AviHead, index: AviIndex | None) -> None:
        self.runs: list[ChunkRun] = []
        self.idx1: tuple[int, int] | None = None
        self.standard: list[int] = []
        self.is_cut = False
        self._descriptor, self._head, self._n_bytes = descriptor, head, head.n_bytes
        self._indexed = {} if index is None else dict(zip(index.offsets.tolist(), index.lengths.tolist(), strict=True))
        self._frames = frozenset(frame_names(head.stream))
        streams = [b"%02d" % number for number in range(head.n_streams)]
        self._others = frozenset(
            {stream + kind for stream in streams for kind in _KINDS_IN_STREAMS}
            | {b"ix" + stream for stream in streams}
            | {b"JUNK", b"idx1"}
        )
        self._any_name = re.compile(b"|".join(sorted({*self._frames, *self._others, b"LIST", b"RIFF"})))

    def run(self) -> None:
        """Walk to the end of the file."""
        place: int | None = self._head.movi + 4
        while place is not None:
            place = self._walk_run(place)

    def moved_bytes(self) -> int:
        """Return how far behind its place by the headers the last index lies, 0 where it is unknown."""
        if self._head.super_index:
            is_there = len(self.standard) == len(self._head.super_index)
            return self.standard[-1] - self._head.super_index[-1][0] if is_there else 0
        can_tell = self.idx1 is not None and self._head.movi_end
        return self.idx1[0] - HEADER_BYTES - self._head.movi_end if self.idx1 is not None and can_tell else 0

    def _walk_run(self, begin: int) -> int | None:
        """Note the chunks from a place on; return where the next run begins, None if there is none."""
        frames: list[_Chunk] = []
        last: _Chunk | None = None
        chunk = self._chunk_at(begin)
        while chunk is not None and chunk.after <= self._n_bytes + 1:
            if chunk.name in self._frames:
                frames.append(chunk)
            elif chunk.name == b"idx1":
                self.idx1 = (chunk.place + HEADER_BYTES, chunk.length)
            elif chunk.name == b"ix%02d" % self._head.stream:
                self.standard.append(chunk.place)
            last, chunk = chunk, self._chunk_behind(chunk)
        end = begin if last is None else last.after
        if chunk is None and end >= self._n_bytes:
            self._note(begin, end, frames)
            return None
        # The length that led nowhere may be wrong itself: look from behind its header.
        doubted = chunk or last
        following = self._next_run(begin if doubted is None else doubted.place + HEADER_BYTES)
        if following is None and chunk is not None and chunk.name in self._frames:
            frames, end, self.is_cut = [*frames, chunk], self._n_bytes, True
        elif following is not None and last is not None and following < last.after:
            frames, end = [frame for frame in frames if frame is not last], last.place
        self._note(begin, end, frames)
        return following

    def _note(self, begin: int, end: int, frames: list[_Chunk]) -> None:
        offsets = np.array([frame.place for frame in frames], dtype=np.int64)
        lengths = np.array([frame.length for frame in frames], dtype=np.int64)
        self.runs.append(ChunkRun(begin, end, offsets, lengths))

    def _chunk_at(self, place: int) -> _Chunk | None:
        """Return the chunk at a place, None where none begins."""
        header = os.pread(self._descriptor, _LIST_HEADER_BYTES, place)
        if len(header) < HEADER_BYTES:
            return None
        name, length = struct.unpack_from("<4sI", header)
        if name in self._frames or name in self._others:
            return _Chunk(place, name, length, place + HEADER_BYTES + length + length % 2)
        if name in (b"LIST", b"RIFF") and header[8:] in _ENTERED:
            return _Chunk(place, name, 4, place + _LIST_HEADER_BYTES)
        after = place + HEADER_BYTES + length + length % 2
        # Chunks that other programs put between frames are recognised by the chunk that follows.
        is_foreign = name.isalnum() and self._is_known(after)
        return _Chunk(place, name, length, after) if name == b"LIST" or is_foreign else None

    def _is_known(self, place: int) -> bool:
        return self._any_name.fullmatch(os.pread(self._descriptor, len(b"name"), place)) is not None

    def _chunk_behind(self, chunk: _Chunk) -> _Chunk | None:
        """Return the next chunk; some programs write no padding behind odd lengths, others fill up sectors."""
        found = self._chunk_at(chunk.after)
        if found is None and chunk.length % 2:
            found = self._chunk_at(chunk.after - 1)
        if found is None and not self._indexed:
            padding = os.pread(self._descriptor, _BLOCK_BYTES, chunk.after)
            place = chunk.after + len(padding) - len(padding.lstrip(b"\0"))
            # Zeros may also be the rest of a frame that lost bytes: its end lies anywhere.
            found = self._chunk_at(place) if place % _SECTOR_BYTES in (0, _SECTOR_BYTES - HEADER_BYTES) else None
        return found

    def _next_run(self, place: int) -> int | None:
        """Return where the next row of chunks begins, None where none does."""
        longest_name = 4
        while place < self._n_bytes:
            content = os.pread(self._descriptor, _AT_ONCE, place)
            for match in self._any_name.finditer(content):
                if self._runs_on(place + match.start()):
                    return place + match.start()
            if len(content) <= longest_name:
                break
            place += len(content) - longest_name + 1
        return None

    def _runs_on(self, place: int) -> bool:
        """Return whether a row of chunks begins here: enough, or some that the index or the file's end confirm."""
        chunk = self._chunk_at(place)
        if chunk is not None and chunk.name in self._frames and self._indexed.get(place & OFFSET_BITS) == chunk.length:
            return True
        for _ in range(_RUNS_ON):
            if chunk is None or chunk.after > self._n_bytes + 1:
                return False
            if chunk.after >= self._n_bytes:
                return True
            chunk = self._chunk_behind(chunk)
        return True
