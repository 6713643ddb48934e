"""Spliced files: parts of a file and other bytes, read as one."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from movi_prep.video.frame_table import MOST_BYTES
from movi_prep.video.spliced_file import Extent, SplicedFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the file below."""
    (tmp_path / "below").write_bytes(b"0123456789")
    return tmp_path / "below"


EXTENTS = [Extent(3), Extent(2, literal=b"ab"), Extent(0, 5), Extent(4, 6)]
WHOLE = b"012ab6789"


def test_parts_are_read_as_one_file(path: Path) -> None:
    with SplicedFile(path, EXTENTS) as file:
        assert b"".join(iter(lambda: file.read(2), b"")) == WHOLE
        assert file.read(2) == b""
        for place in range(len(WHOLE)):
            file.seek(place)
            assert file.read(1) == WHOLE[place : place + 1]
        assert file.seek(-4, io.SEEK_END) == 5
        assert (file.read(), file.tell()) == (b"6789", 9)
        assert (file.readable(), file.seekable()) == (True, True)


def test_places_beyond_two_gigabytes_that_came_out_negative_are_meant(path: Path) -> None:
    far = (1 << 31) + 5
    with SplicedFile(path, [Extent(far, literal=None), Extent(3, literal=b"end")]) as file:
        assert file.seek(far - MOST_BYTES) == far
        assert file.read(3) == b"end"
