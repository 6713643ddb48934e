"""The frames of an .avi by number, read from its structure only: where each lies, and which are lost in damage.

A decoder skips damaged bytes and continues its count, without knowing how many frames were lost. Three sources show it:

| what | how |
|---|---|
| the index | the chunk behind the damage stands in it by its place, else a row of lengths does that occurs once |
| the length of the damage | too short for a frame: none was lost |
| the headers | a single damage, and both agree on a number of frames that fits its bytes |

Where none does, or in a file above 4 GB (`MOST_BYTES`), frames behind lost ones have no number; none is used.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.formats.avi.chunks import read_avi_chunks
from movi_prep.formats.avi.structure import HEADER_BYTES, JPEG_CODECS, OFFSET_BITS
from movi_prep.plain_text import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.formats.avi.chunks import AviChunks, ChunkRun
    from movi_prep.formats.avi.structure import AviHead, AviIndex

MOST_BYTES = 1 << 32
"""OpenCV passes file offsets as 32 bit integers: beyond 2 GB they come out negative, beyond 4 GB they are lost."""

_LEAST_ALIKE = 0.9
"""Share of an index's lengths that must equal those of the chunks before the damage for the index to be trusted."""

_MOST_CONTRADICTED = 0.5
"""Share of lengths above which an index that differs from its file is of another kind."""

_ROW_THAT_TELLS = 3
"""Number of lengths in a row that occur only once in an index of pictures of different sizes."""

_MOST_UNLIKE = 3.0
"""Largest ratio between the mean length of lost frames and that of the others where headers are trusted."""

_MOST_BETWEEN_FRAMES_BYTES = 1 << 26
"""Largest distance between neighbouring entries of an index; beyond it the entries are damaged."""

_END_OF_JPEG = b"\xff\xd9"
_TAIL_BYTES = _BLOCK_BYTES = 4096
_MAX_PADDING_BYTES = 1 << 20


@dataclass(frozen=True)
class Gap:
    """Bytes of a file that are not chunks.

    Attributes:
        begin: where they begin.
        end: where they end.
        first_lost: the frame that would have come first in them.
        n_lost: how many frames lay in them; -1 where it is unknown.
    """

    begin: int
    end: int
    first_lost: int
    n_lost: int


@dataclass(frozen=True)
class FrameTable:
    """The frames of an .avi in the order of the file, each under its number.

    Attributes:
        head: content of the headers.
        index: content of the index, None if there is none.
        offsets: (n,) int64, where the chunk of each frame begins; -1 where its bytes are lost.
        lengths: (n,) int64, bytes of its content; 0 for a frame that was dropped when the video was recorded.
        is_doubtful: (n,) bool, whether the frame may end in damaged bytes.
        gaps: damaged bytes, in the order of the file.
        is_cut: whether the file ends within its last frame.
    """

    head: AviHead
    index: AviIndex | None
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    is_doubtful: NDArray[np.bool_]
    gaps: tuple[Gap, ...] = ()
    is_cut: bool = False

    @property
    def n_frames(self) -> int:
        """Number of frames up to the last that has a number, lost ones included."""
        return len(self.offsets)

    @property
    def is_lost(self) -> NDArray[np.bool_]:
        """(n,) bool, frames that are lost entirely."""
        return np.asarray(self.offsets < 0)

    @property
    def is_dropped(self) -> NDArray[np.bool_]:
        """(n,) bool, frames that the recording never had."""
        return np.asarray((self.lengths == 0) & ~self.is_lost)

    @property
    def decoder_begins_at(self) -> int:
        """Number of the first frame that a decoder should meet: where the first are lost, the next key frame.

        FFmpeg's clock does not count frames before the first key frame, which it cannot use.
        """
        if not self.n_frames or not self.gaps or self.gaps[0].first_lost or self.index is None:
            return 0
        is_key = self.index.is_key[: self.n_frames] & ~self.is_lost[: len(self.index.is_key)]
        return int(np.argmax(is_key)) if is_key.any() else int(np.argmin(self.is_lost))

    @property
    def first_with_picture(self) -> int:
        """Number of the first frame that a decoder can show."""
        with_picture = np.flatnonzero(self.lengths[self.decoder_begins_at :] > 0)
        return self.decoder_begins_at + int(with_picture[0]) if len(with_picture) else self.n_frames

    def is_incomplete(self, number: int) -> bool:
        """Return whether a frame is lost, or may end in damaged bytes."""
        return bool(self.offsets[number] < 0 or self.is_doubtful[number])

    def longest_whole_run(self) -> tuple[int, int]:
        """Return the first frame and the number of the most frames in a row that are whole, from a key frame on."""
        is_broken = np.r_[True, self.is_lost | self.is_doubtful | self.is_dropped, True]
        ends = np.flatnonzero(is_broken)
        longest = int(np.argmax(np.diff(ends)))
        first, behind = int(ends[longest]), int(ends[longest + 1]) - 1
        is_key = np.ones(0, np.bool_) if self.index is None else self.index.is_key[first:behind]
        skipped = int(np.argmax(is_key)) if is_key.any() else 0
        return first + skipped, behind - first - skipped

    @property
    def unnumbered(self) -> Gap | None:
        """The damage after which frames have no number, or None."""
        return next((gap for gap in self.gaps if gap.n_lost < 0), None)

    @property
    def misleads_decoder(self) -> bool:
        """Whether a decoder that jumps over damaged bytes would count wrongly."""
        return any(gap.n_lost > 0 for gap in self.gaps)

    def damage(self) -> tuple[str, ...]:
        """Return sentences on the damage, without the name of the file."""
        sentences = [_sentence(gap) for gap in self.gaps]
        if self.is_cut:
            sentences.append(f"the file was cut: it holds {self.n_frames} frames, its headers claim {self.n_claimed}")
        explained = {gap.first_lost - 1 for gap in self.gaps} | ({self.n_frames - 1} if self.is_cut else set())
        others = set(np.flatnonzero(self.is_doubtful).tolist()) - explained
        if others:
            sentences.append(f"{len(others)} frames from frame {min(others)} on are not those in the index")
        return tuple(sentences)

    def notes(self) -> tuple[str, ...]:
        """Return sentences on other irregularities, without the name of the file."""
        sentences = []
        if self.n_frames != self.n_claimed and not self.is_cut and self.unnumbered is None:
            sentences.append(f"the file holds {self.n_frames} frames, its headers and index claim {self.n_claimed}")
        n_dropped = int(self.is_dropped.sum())
        if n_dropped:
            sentences.append(f"{count_of(n_dropped, 'frame was', 'frames were')} dropped when it was recorded")
        return tuple(sentences)

    @property
    def n_claimed(self) -> int:
        """Number of frames that headers or index claim."""
        return max(self.head.n_frames, 0 if self.index is None else len(self.index.lengths))


@dataclass(frozen=True)
class Break:
    """Bytes between two runs of chunks, or before the first, or behind the last.

    Attributes:
        begin: where they begin.
        end: where they end; mostly where they begin.
        follows_whole_jpeg: whether the frame before them is a JPEG with its end.
        is_blank: whether they are zeros, as padding is.
    """

    begin: int
    end: int
    follows_whole_jpeg: bool = False
    is_blank: bool = True


def read_frame_table(path: Path) -> FrameTable | None:
    """Return the frames of an .avi; None for another file, one with unreadable headers, or one without frames."""
    chunks = read_avi_chunks(path)
    # A file without frames has nothing to number; the reader then goes without a table.
    if chunks is None or not chunks.runs:
        return None
    with path.open("rb") as file:
        # None stands for the beginning and the end of the file, so that every run has a break on both sides.
        runs = (None, *chunks.runs, None)
        breaks = [_read_break(file.fileno(), chunks, *pair) for pair in itertools.pairwise(runs)]
    return number_frames(chunks, breaks)


def number_frames(chunks: AviChunks, breaks: Sequence[Break]) -> FrameTable:
    """Return the frames of an .avi under their numbers, up to where the numbers are known.

    Args:
        chunks: what lies in the file.
        breaks: what lies before each run of chunks, and behind the last.
    """
    starts: list[int] = []
    gaps: list[Gap] = []
    doubtful: list[int] = []
    n_frames = 0
    for i, found in enumerate(breaks):
        n_lost = _count_lost(chunks, i, found, n_frames) if found.end > found.begin else 0
        # The decoder could not be led past the damage there.
        if n_lost and chunks.head.n_bytes > MOST_BYTES:
            n_lost = None
        is_whole = found.follows_whole_jpeg or (n_lost == 0 and found.is_blank) or not n_frames
        if not is_whole:
            doubtful.append(n_frames - 1)
        if n_lost != 0 or not is_whole:
            gaps.append(Gap(found.begin, found.end, n_frames, -1 if n_lost is None else n_lost))
        # Behind an unknown loss no frame has a number: the table ends here.
        if n_lost is None or i == len(chunks.runs):
            break
        starts.append(n_frames + n_lost)
        n_frames = starts[-1] + len(chunks.runs[i].offsets)
    return _table(chunks, starts, doubtful=doubtful, gaps=gaps)


def _table(chunks: AviChunks, starts: Sequence[int], *, doubtful: list[int], gaps: Sequence[Gap]) -> FrameTable:
    """Return the table of the runs whose first frames have these numbers; the others have none."""
    runs = chunks.runs[: len(starts)]
    n_frames = starts[-1] + len(runs[-1].offsets) if runs else 0
    offsets, lengths = np.full(n_frames, -1, dtype=np.int64), np.zeros(n_frames, dtype=np.int64)
    for start, run in zip(starts, runs, strict=True):
        offsets[start : start + len(run.offsets)] = run.offsets
        lengths[start : start + len(run.offsets)] = run.lengths
    is_cut = chunks.is_cut and len(runs) == len(chunks.runs)
    # A chunk of another length than the index says holds another frame, or a part of one.
    is_doubtful = _contradicts_index(chunks.index, lengths) & (offsets >= 0)
    is_doubtful[[*doubtful, *([n_frames - 1] if is_cut else [])]] = True
    return FrameTable(chunks.head, chunks.index, offsets, lengths, is_doubtful, tuple(gaps), is_cut)


def _read_break(descriptor: int, chunks: AviChunks, before: ChunkRun | None, after: ChunkRun | None) -> Break:
    begin = chunks.head.movi + 4 if before is None else before.end
    # Behind the last run lie the index and what programs add; where no index was met, it may be damaged.
    is_indexed = chunks.index is not None and chunks.index.is_whole
    end = after.begin if after is not None else begin if is_indexed else chunks.head.n_bytes
    if end <= begin:
        return Break(begin, begin)
    # Padding is short: a longer row of zeros is read as a hole, without reading all of it.
    is_blank = end - begin <= _MAX_PADDING_BYTES and not os.pread(descriptor, end - begin, begin).strip(b"\0")
    return Break(begin, end, _is_whole_jpeg(descriptor, chunks, before), is_blank)


def _is_whole_jpeg(descriptor: int, chunks: AviChunks, run: ChunkRun | None) -> bool:
    """Return whether the last frame of a run is a JPEG with its end; where bytes are missing it may be another's."""
    if run is None or chunks.moved_bytes or chunks.head.codec.upper() not in JPEG_CODECS:
        return False
    end = int(run.offsets[-1] + HEADER_BYTES + run.lengths[-1])
    tail = os.pread(descriptor, _TAIL_BYTES, max(0, end - _TAIL_BYTES))
    return tail[: max(0, min(end, _TAIL_BYTES))].rstrip(b"\0").endswith(_END_OF_JPEG)


def _count_lost(chunks: AviChunks, i: int, found: Break, n_before: int) -> int | None:
    """Return how many frames lay in a break, None where it is unknown.

    Args:
        chunks: what lies in the file.
        i: which run of chunks follows; behind the last, their number.
        found: the break.
        n_before: how many frames come before it.
    """
    if not chunks.head.movi_end:
        return None
    if i == len(chunks.runs):
        return 0 if found.is_blank or chunks.head.n_frames <= n_before else None
    run = chunks.runs[i]
    number = _place_in_index(chunks, run, n_before) if _index_is_believed(chunks, starts_file=i == 0) else None
    if number is not None:
        return number - n_before
    lengths = np.concatenate([run.lengths for run in chunks.runs])
    n_bytes = found.end - found.begin
    # Programs align the first frame with zeros; one whole block of zeros is a hole, not padding.
    is_padding = found.is_blank and not n_before and n_bytes < _BLOCK_BYTES
    is_short = n_bytes < HEADER_BYTES + lengths.min() and (found.is_blank or found.follows_whole_jpeg)
    if is_padding or is_short:
        return 0
    return _count_by_headers(chunks, n_bytes, lengths)


def _count_by_headers(chunks: AviChunks, n_bytes: int, lengths: NDArray[np.int64]) -> int | None:
    """Return how many frames the headers have more than the file, where that fits the only damaged bytes."""
    head = chunks.head
    n_lost = head.n_frames - len(lengths)
    is_only_damage = len(chunks.runs) == 2 and chunks.runs[0].begin == head.movi + 4 and not chunks.is_cut
    agree = bool(head.n_frames_odml) or head.n_frames_main == head.n_frames_stream
    if not is_only_damage or not agree or n_lost <= 0:
        return None
    # The lost frames must have fitted into the damage: about as many bytes for each as the others have.
    ratio = n_bytes / (n_lost * (HEADER_BYTES + float(lengths.mean())))
    return n_lost if 1.0 / _MOST_UNLIKE < ratio < _MOST_UNLIKE else None


def _index_is_believed(chunks: AviChunks, *, starts_file: bool) -> bool:
    """Return whether the index is right about the chunks before the first damage; an index that omits frames is not
    used."""
    if chunks.index is None or starts_file:
        return chunks.index is not None
    n = min(len(chunks.index.lengths), len(chunks.runs[0].lengths))
    return bool(np.mean(chunks.index.lengths[:n] == chunks.runs[0].lengths[:n]) >= _LEAST_ALIKE)


def _contradicts_index(index: AviIndex | None, lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (n,) bool: frames of another length than the index says, where the index is in order: not its frames."""
    listed = np.zeros(len(lengths), dtype=np.bool_)
    n = 0 if index is None else min(len(lengths), len(index.lengths) - 1)
    if index is None or n <= 1:
        return listed
    # Some programs count the padding.
    differs = np.abs(index.lengths[:n] - lengths[:n]) > 1
    room = index.offsets[1 : n + 1] - index.offsets[:n]
    in_order = (room >= HEADER_BYTES + index.lengths[:n]) & (room < _MOST_BETWEEN_FRAMES_BYTES)
    # An entry counts only while all before it are in order.
    in_order[1:] &= in_order[:-1]
    if np.mean(differs) <= _MOST_CONTRADICTED:
        listed[:n] = differs & in_order
    return listed


def _place_in_index(chunks: AviChunks, run: ChunkRun, at_least: int) -> int | None:
    """Return where a run of chunks is in the index, by place or else by its lengths; None if it is not there."""
    index = chunks.index
    if index is None:
        return None
    candidates = at_least + np.flatnonzero(index.lengths[at_least:] == run.lengths[0])
    # Bytes that are missing, or were put in, move all that follows, the index with it.
    places = {int(run.offsets[0]) & OFFSET_BITS, int(run.offsets[0] - chunks.moved_bytes) & OFFSET_BITS}
    there = candidates[np.isin(index.offsets[candidates], list(places))]
    # Places are unique, lengths can repeat.
    if len(there) == 1:
        return int(there[0])
    rows = [number for number in candidates.tolist() if _has_row(index, run, number)]
    return int(rows[0]) if len(rows) == 1 else None


def _has_row(index: AviIndex, run: ChunkRun, number: int) -> bool:
    n = min(len(run.lengths), len(index.lengths) - number)
    return n >= _ROW_THAT_TELLS and bool((index.lengths[number : number + n] == run.lengths[:n]).all())


def _sentence(gap: Gap) -> str:
    damage = f"{gap.end - gap.begin:,} bytes from byte {gap.begin:,} on are damaged"
    if gap.n_lost < 0:
        return f"{damage}, and frames after them cannot be numbered: no frame from {gap.first_lost} on is used"
    if gap.n_lost == 0:
        return f"{damage}: frame {gap.first_lost - 1} may be incomplete"
    last = gap.first_lost + gap.n_lost - 1
    lost = f"frame {last} is" if gap.n_lost == 1 else f"frames {gap.first_lost} to {last} are"
    return f"{damage}: {lost} lost"
