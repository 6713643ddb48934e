"""Frames by number, from the structure of an .avi alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from movi_prep.video.frame_table import FrameTable, read_frame_table
from tests.builders.avi_files import AviFile, Frame, Layout, build_avi

LENGTHS = [int(length) for length in np.random.default_rng(1).integers(900, 1100, 20)]
FRAMES = [Frame(b"x" * length, is_key=number % 5 == 0) for number, length in enumerate(LENGTHS)]


def _table(path: Path, content: bytes) -> FrameTable:
    (path / "v.avi").write_bytes(content)
    table = read_frame_table(path / "v.avi")
    assert table is not None
    return table


def _without_headers(avi: AviFile, *numbers: int) -> bytes:
    content = bytearray(avi.content)
    for number in numbers:
        content[avi.begins[number] : avi.begins[number] + 8] = b"????????"
    return bytes(content)


def _lost(table: FrameTable) -> list[int]:
    return np.flatnonzero(table.is_lost).tolist()


def test_lost_frames_are_counted_by_the_index(tmp_path: Path) -> None:
    avi = build_avi(FRAMES, Layout())
    table = _table(tmp_path, _without_headers(avi, 4, 9, 10))
    assert (_lost(table), table.n_frames, table.misleads_decoder) == ([4, 9, 10], 20, True)
    assert np.flatnonzero(table.is_doubtful).tolist() == [3, 8]
    assert table.damage()[1].endswith("frames 9 to 10 are lost")
    assert table.offsets[11] == avi.begins[11]


def test_without_an_index_headers_count_one_damage_and_no_more(tmp_path: Path) -> None:
    avi = build_avi(FRAMES, Layout(has_index=False))
    table = _table(tmp_path, _without_headers(avi, 9, 10))
    assert (_lost(table), table.unnumbered) == ([9, 10], None)
    table = _table(tmp_path, _without_headers(avi, 4, 9))
    assert (_lost(table), table.n_frames) == ([], 4)
    assert table.unnumbered is not None
    assert table.unnumbered.first_lost == 4


def test_headers_that_no_damage_of_this_length_explains_are_not_believed(tmp_path: Path) -> None:
    """The headers tell of 20 frames, the file never held more than 8: a thousand bytes are not 13 frames."""
    avi = build_avi(FRAMES[:8], Layout(has_index=False))
    content = _without_headers(avi, 3).replace((8).to_bytes(4, "little"), (20).to_bytes(4, "little"))
    table = _table(tmp_path, content)
    assert (table.head.n_frames_main, table.head.n_frames_stream) == (20, 20)
    assert table.unnumbered is not None


def test_an_index_that_leaves_frames_out_is_not_believed(tmp_path: Path) -> None:
    """Some programs write no entry for a frame that was dropped: behind damage their index counts too few."""
    frames = list(FRAMES)
    frames[1] = Frame(b"", is_key=False)
    avi = build_avi(frames, Layout())
    place = avi.content.index(b"idx1") + 8
    content = _without_headers(avi, 15)
    content = (
        content[: place - 4] + (16 * 19).to_bytes(4, "little") + content[place : place + 16] + content[place + 32 :]
    )
    table = _table(tmp_path, content)
    assert _lost(table) == [15]
    assert table.is_dropped[1]


def test_frames_of_other_lengths_than_the_index_tells_are_doubted(tmp_path: Path) -> None:
    """A block of another place was written over frames 8 to 10: chunks follow each other, but are others."""
    avi = build_avi(FRAMES, Layout())
    begin, end = avi.begins[8], avi.begins[11]
    short = Frame(b"y" * 700)
    long = Frame(b"y" * (end - begin - 2 * (8 + 700) - 8))
    others = build_avi([*FRAMES[:8], short, short, long], Layout())
    content = avi.content[:begin] + others.content[begin:][: end - begin] + avi.content[end:]
    table = _table(tmp_path, content)
    assert set(range(8, 11)) <= {*_lost(table), *np.flatnonzero(table.is_doubtful).tolist()}
    assert set(range(8)) | set(range(11, 20)) == set(np.flatnonzero(~table.is_lost & ~table.is_doubtful).tolist())


def test_a_decoder_begins_with_a_key_frame_where_the_first_are_lost(tmp_path: Path) -> None:
    avi = build_avi(FRAMES, Layout())
    table = _table(tmp_path, _without_headers(avi, 0))
    assert (_lost(table), table.decoder_begins_at, table.first_with_picture) == ([0], 5, 5)
    assert table.longest_whole_run() == (5, 15)
    whole = _table(tmp_path, avi.content)
    assert (whole.decoder_begins_at, whole.damage(), whole.notes(), whole.misleads_decoder) == (0, (), (), False)


def test_a_file_without_frames_of_the_kind_that_is_known_has_no_table(tmp_path: Path) -> None:
    (tmp_path / "v.avi").write_bytes(build_avi(FRAMES, Layout()).content.replace(b"00dc", b"00iv"))
    assert read_frame_table(tmp_path / "v.avi") is None
