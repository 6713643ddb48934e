"""The structure of .avi files: headers, indexes and chunks, however they were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from movi_prep.formats.avi.chunks import read_avi_chunks
from movi_prep.formats.avi.structure import check_avi_ends, read_avi_head
from tests.builders.avi_files import AviFile, Frame, Layout, build_avi

FRAMES = [Frame(bytes([65 + number]) * (101 + 7 * number), is_key=number % 4 == 0) for number in range(12)]

LAYOUTS = [
    Layout(),
    Layout(absolute=True),
    Layout(grouped=True),
    Layout(sound=True),
    Layout(padded=False),
    Layout(n_riffs=3),
]


def _write(path: Path, avi: AviFile) -> Path:
    path.write_bytes(avi.content)
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
def test_chunks_and_index_tell_the_same_places(tmp_path: Path, layout: Layout) -> None:
    avi = build_avi(FRAMES, layout)
    chunks = read_avi_chunks(_write(tmp_path / "v.avi", avi))
    assert chunks is not None
    assert chunks.index is not None
    (run,) = chunks.runs
    assert tuple(run.offsets) == avi.begins == tuple(chunks.index.offsets)
    assert run.lengths.tolist() == chunks.index.lengths.tolist() == [len(frame.content) for frame in FRAMES]
    assert chunks.index.is_key.tolist() == [frame.is_key for frame in FRAMES]
    assert (chunks.index.kind, chunks.index.is_whole) == ("OpenDML" if layout.n_riffs > 1 else "idx1", True)
    assert (chunks.is_cut, chunks.moved_bytes) == (False, 0)


def test_headers_say_what_they_claim(tmp_path: Path) -> None:
    head = read_avi_head(_write(tmp_path / "v.avi", build_avi(FRAMES, Layout(sound=True, codec_name="XVID"))))
    assert head is not None
    assert (head.codec, head.stream, head.n_streams) == ("XVID", 0, 2)
    assert (head.n_frames, head.n_frames_main, head.n_frames_stream, head.n_frames_odml) == (12, 12, 12, 0)
    odml = read_avi_head(_write(tmp_path / "v.avi", build_avi(FRAMES, Layout(n_riffs=2))))
    assert odml is not None
    assert (odml.n_frames_odml, len(odml.super_index)) == (12, 2)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\x10\0\0\0WAVEfmt ", b"no video" * 50, b"RIFF\x10\0\0\0AVI "])
def test_what_is_no_avi_has_no_structure(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v.avi").write_bytes(content)
    assert read_avi_head(tmp_path / "v.avi") is None
    assert read_avi_chunks(tmp_path / "v.avi") is None


def test_a_break_ends_a_run_and_what_follows_begins_one(tmp_path: Path) -> None:
    avi = build_avi(FRAMES, Layout())
    garbage = np.random.default_rng(0).bytes(300)
    content = avi.content[: avi.begins[4]] + garbage + avi.content[avi.begins[4] + 300 :]
    chunks = read_avi_chunks(_write(tmp_path / "v.avi", AviFile(content, avi.begins, avi.ends)))
    assert chunks is not None
    first, second = chunks.runs
    assert tuple(first.offsets) == avi.begins[:4]
    assert (first.end, second.begin) == (avi.begins[4], avi.begins[7])
    assert tuple(second.offsets) == avi.begins[7:]


def test_chunks_of_other_programs_break_nothing(tmp_path: Path) -> None:
    avi = build_avi(FRAMES, Layout())
    content = avi.content
    for place in reversed(avi.begins[1:6]):
        content = content[:place] + b"Cam1" + (6).to_bytes(4, "little") + b"stamps" + content[place:]
    chunks = read_avi_chunks(_write(tmp_path / "v.avi", AviFile(content, avi.begins, avi.ends)))
    assert chunks is not None
    (run,) = chunks.runs
    assert len(run.offsets) == len(FRAMES)


@pytest.mark.parametrize("has_index", [True, False])
def test_chunks_that_begin_in_sectors_are_all_there(tmp_path: Path, has_index: bool) -> None:
    avi = build_avi(FRAMES, Layout(sector=512, has_index=has_index))
    chunks = read_avi_chunks(_write(tmp_path / "v.avi", avi))
    assert chunks is not None
    assert tuple(place for run in chunks.runs for place in run.offsets) == avi.begins


def test_missing_bytes_move_the_index(tmp_path: Path) -> None:
    for layout in (Layout(), Layout(n_riffs=2)):
        avi = build_avi(FRAMES, layout)
        content = avi.content[: avi.middle(2)] + avi.content[avi.middle(2) + 150 :]
        chunks = read_avi_chunks(_write(tmp_path / "v.avi", AviFile(content, avi.begins, avi.ends)))
        assert chunks is not None
        assert chunks.moved_bytes == -150


def test_a_wrong_length_costs_its_own_chunk(tmp_path: Path) -> None:
    avi = build_avi(FRAMES, Layout())
    for wrong, n_before in ((3, 5), (5000, 4), (2**31, 4)):
        place = avi.begins[4] + 4
        content = avi.content[:place] + wrong.to_bytes(4, "little") + avi.content[place + 4 :]
        chunks = read_avi_chunks(_write(tmp_path / "v.avi", AviFile(content, avi.begins, avi.ends)))
        assert chunks is not None
        assert [tuple(run.offsets) for run in chunks.runs] == [avi.begins[:n_before], avi.begins[5:]]


def test_a_video_as_long_as_the_disk_is_walked_by_its_headers_alone(tmp_path: Path) -> None:
    """Five gigabytes, all but the headers of chunks a hole in the disk."""
    path, n_bytes = tmp_path / "long.avi", 500_000_000
    avi = build_avi([Frame(b"")], Layout())
    begin = avi.begins[0]
    with path.open("wb") as file:
        file.write(avi.content[:begin])
        for number in range(10):
            file.seek(begin + number * (n_bytes + 8))
            file.write(b"00dc" + n_bytes.to_bytes(4, "little"))
        file.truncate(begin + 10 * (n_bytes + 8))
    if path.stat().st_blocks * 512 > 1_000_000_000:
        pytest.skip("this file system writes holes out")
    chunks = read_avi_chunks(path)
    assert chunks is not None
    (run,) = chunks.runs
    assert run.offsets.tolist() == [begin + number * (n_bytes + 8) for number in range(10)]


@pytest.mark.parametrize(
    ("layout", "kept", "said"),
    [
        (Layout(), 1.0, None),
        (Layout(n_riffs=3), 1.0, None),
        (Layout(), 0.5, "it is cut: "),
        (Layout(n_riffs=3), 0.9, "it is cut: "),
        (Layout(has_index=False), 1.0, "it has no index where its headers say"),
    ],
)
def test_headers_and_end_of_a_download_are_looked_at(
    tmp_path: Path, layout: Layout, kept: float, said: str | None
) -> None:
    avi = build_avi(FRAMES, layout)
    path = tmp_path / "v.avi"
    path.write_bytes(avi.content[: int(kept * len(avi.content))])
    found = check_avi_ends(path)
    assert [text.startswith(said) for text in found] == [True] if said else found == ()


def test_an_index_that_contradicts_the_headers_is_reported(tmp_path: Path) -> None:
    avi = build_avi(FRAMES, Layout())
    place = avi.content.index(b"idx1")
    content = avi.content[: place + 4] + (16 * 11).to_bytes(4, "little") + avi.content[place + 8 :]
    path = _write(tmp_path / "v.avi", AviFile(content, avi.begins, avi.ends))
    assert check_avi_ends(path) == ("its index tells of 11 frames, its headers of 12",)
    (tmp_path / "v.avi").write_bytes(b"RIFF\x10\0\0\0AVI ")
    assert check_avi_ends(path) == ("its headers are damaged",)
    (tmp_path / "v.avi").write_bytes(b"no video")
    assert check_avi_ends(path) == ()
