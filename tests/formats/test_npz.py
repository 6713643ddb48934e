"""Archives: whole, in blocks, cut, pickled."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.npz import NpzArchive
from tests.sentences import raises_recorded


@pytest.fixture
def archive_path(tmp_path: Path) -> Path:
    path = tmp_path / "some.npz"
    grid = np.arange(35.0).reshape(7, 5)
    np.savez(path, grid=grid, columns=np.asfortranarray(grid), word=np.array("hello"), things=np.array([{}, None]))
    return path


def test_reads_what_numpy_wrote(archive_path: Path) -> None:
    with NpzArchive(archive_path) as archive:
        assert archive.names == ("grid", "columns", "word", "things")
        assert archive.shape("grid") == (7, 5)
        np.testing.assert_array_equal(archive.read("grid"), np.arange(35.0).reshape(7, 5))
        assert archive.read("word").item() == "hello"


@pytest.mark.parametrize("name", ["grid", "columns"])
@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_blocks_make_the_whole(archive_path: Path, name: str, size: int) -> None:
    with NpzArchive(archive_path) as archive:
        blocks = list(archive.blocks(name, size))
    assert all(len(block) <= size for block in blocks)
    np.testing.assert_array_equal(np.concatenate(blocks), np.arange(35.0).reshape(7, 5))


def test_pickled_objects_are_refused_unread(archive_path: Path) -> None:
    with NpzArchive(archive_path) as archive, raises_recorded(InputError):
        archive.read("things")


def test_a_missing_array_lists_what_there_is(archive_path: Path) -> None:
    with NpzArchive(archive_path) as archive, raises_recorded(InputError):
        archive.read("poses")


def test_a_missing_file(tmp_path: Path) -> None:
    with raises_recorded(MissingError):
        NpzArchive(tmp_path / "nowhere.npz")


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.99])
def test_a_cut_archive_is_one_line(archive_path: Path, keep: float) -> None:
    content = archive_path.read_bytes()
    archive_path.write_bytes(content[: int(keep * len(content))])
    with raises_recorded(InputError) as caught:
        NpzArchive(archive_path)
    assert "\n" not in str(caught.value)


def test_a_changed_byte_is_found(archive_path: Path) -> None:
    content = bytearray(archive_path.read_bytes())
    content[content.find(np.float64(17.0).tobytes())] ^= 1
    archive_path.write_bytes(content)
    with NpzArchive(archive_path) as archive, raises_recorded(InputError):
        archive.read("grid")


def test_a_member_shorter_than_its_header_says(tmp_path: Path) -> None:
    raw = io.BytesIO()
    np.save(raw, np.arange(100.0))
    with zipfile.ZipFile(tmp_path / "short.npz", "w") as file:
        file.writestr("poses.npy", raw.getvalue()[:-80])
    with NpzArchive(tmp_path / "short.npz") as archive, raises_recorded(InputError):
        archive.read("poses")
