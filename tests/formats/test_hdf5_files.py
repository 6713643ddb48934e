"""HDF5 files open on file systems without locks: no code path of ours asks for one."""

from __future__ import annotations

import ast
import fcntl
from pathlib import Path

import h5py
import pytest

import movi_prep
from movi_prep.errors import InputError
from movi_prep.formats.hdf5_files import open_hdf5
from movi_prep.formats.hdf5_outline import read_hdf5_outline
from movi_prep.formats.shard import ShardFile
from tests.builders.shard import write_small_shard

PACKAGE = Path(movi_prep.__file__).parent


def test_no_module_but_one_opens_hdf5_files_itself() -> None:
    openers = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("h5py.File", "File")
    ]
    assert openers == ["formats/hdf5_files.py"]


def test_a_file_that_another_process_has_locked_is_read_and_written(tmp_path: Path) -> None:
    """A lock that cannot be had stands for a file system that has none: HDF5 asks in both cases."""
    path = tmp_path / "shard.h5"
    write_small_shard(path)
    with path.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="lock"), h5py.File(path, "r", locking=True):
            pass
        assert read_hdf5_outline(path).datasets
        assert ShardFile(path).n_rows
        with open_hdf5(path, "w") as file:
            file["again"] = 1


def test_a_file_that_is_none_is_reported_by_its_reader(tmp_path: Path) -> None:
    (tmp_path / "no.h5").write_bytes(b"no")
    with pytest.raises(InputError) as reported:
        read_hdf5_outline(tmp_path / "no.h5")
    assert reported.value.where == str(tmp_path / "no.h5")
