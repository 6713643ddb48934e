"""Small files that ask for everything: nested, referring to themselves, with states that numpy or scipy crash on."""

from __future__ import annotations

import pickle
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from movi_prep.errors import InputError
from movi_prep.formats.array_pickle import dump_array_pickle, load_array_pickle, read_array_pickle
from movi_prep.formats.mat_structure import DEEPEST, check_mat_structure
from movi_prep.formats.plain_pickle import load_plain
from movi_prep.formats.v3d import load_mat
from tests.sentences import raises_recorded

ARRAYS = {
    "IntrinsicMatrix": np.arange(9.0).reshape(3, 3),
    "columns": np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3)),
    "words": np.array(["left", "right"]),
    "numbers": np.array({1: np.arange(3), "two": [np.float64(2.5), None]}, dtype=object),
    "nothing": np.zeros((0, 4), np.uint8),
}


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_come_back_as_pickle_has_them(protocol: int) -> None:
    read = load_array_pickle(pickle.dumps(ARRAYS, protocol=protocol), where="x", remedy="")
    for name, array in ARRAYS.items():
        if name == "numbers":
            assert read[name].item()["two"] == [2.5, None]
            np.testing.assert_array_equal(read[name].item()[1], np.arange(3))
        else:
            np.testing.assert_array_equal(read[name], array)
            assert read[name].dtype == array.dtype


def test_no_changed_byte_of_a_pickle_ends_the_process() -> None:
    # In a process of its own: what this is about is a crash.
    code = """
import pickle, numpy as np
from movi_prep.errors import InputError
from movi_prep.formats.array_pickle import load_array_pickle
whole = pickle.dumps({"IntrinsicMatrix": np.eye(3), "RadialDistortion": np.array([1.0, 2.0])}, protocol=2)
refused = 0
for at in range(len(whole)):
    for change in (1, 4, 64, 255):
        spoilt = bytearray(whole)
        spoilt[at] ^= change
        try:
            load_array_pickle(bytes(spoilt), where="x", remedy="")
        except InputError as error:
            assert len(str(error)) < 2000
            refused += 1
print(refused)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert int(done.stdout) > 500


HOSTILE = {
    "code": b"cos\nsystem\n(S'true'\ntR.",
    "a state of a function": b"\x80\x02cnumpy\ndtype\n}(X\x04\x00\x00\x00nameK\x01ub.",
    "more things than bytes": b"\x80\x02}r\xff\xff\xff\x7f.",
    "text longer than the file": b"\x80\x02X\xff\xff\xff\x7fabc.",
    "a list of itself": b"\x80\x02]q\x00h\x00a.",
    "deep": b"\x80\x02" + b"](" * 100_000 + b"e" * 100_000 + b".",
    "doubling": b"\x80\x02]q\x00" + b"".join(
        b"]q" + bytes([k]) + b"(h" + bytes([k - 1]) + b"h" + bytes([k - 1]) + b"e" for k in range(1, 60)
    ) + b"q\x64(h\x3bt.",
    "an array of no lengths": pickle.dumps(np.zeros(3), protocol=2).replace(b"K\x03\x85", b"J\xfd\xff\xff\xff\x85"),
}  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_pickles_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(InputError):
        read_array_pickle(tmp_path / "a.pkl")
    with pytest.raises(InputError):
        load_plain(content, package="D3KE", where="x")


def test_a_pickle_of_other_things_is_no_calibration(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(dump_array_pickle([1, 2]))
    with pytest.raises(InputError):
        read_array_pickle(tmp_path / "a.pkl")


def _element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def _matrix(kind: int, body: bytes, *, dims: tuple[int, int] = (1, 1), name: bytes = b"") -> bytes:
    head = _element(6, struct.pack("<II", kind, 0)) + _element(5, struct.pack("<2i", *dims)) + _element(1, name)
    return _element(14, head + body)


def _nested(kind: int, depth: int) -> bytes:
    fields = _element(5, struct.pack("<i", 2)) + _element(1, b"a\0") if kind == 2 else b""
    inner = _matrix(6, _element(9, struct.pack("<d", 0.0)))
    # From within: each is its fields and what it holds.
    for _ in range(depth):
        inner = _matrix(kind, fields + inner)
    return inner


def _write_mat(path: Path, matrix: bytes, *, packed: bool) -> Path:
    body = zlib.compress(matrix) if packed else matrix
    content = struct.pack("<II", 15, len(body)) + body if packed else matrix
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H2s", 0x0100, b"IM") + content)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", [1, 2], ids=["cell", "struct"])
def test_nesting_that_nothing_real_has(tmp_path: Path, kind: int, *, packed: bool) -> None:
    for depth in (DEEPEST, 2000):
        path = _write_mat(tmp_path / "a.mat", _nested(kind, depth), packed=packed)
        with raises_recorded(InputError):
            load_mat(path)
    check_mat_structure(_write_mat(path, _nested(kind, DEEPEST - 1), packed=packed))


@pytest.mark.parametrize("packed", [False, True])
def test_cells_that_are_not_there(tmp_path: Path, *, packed: bool) -> None:
    # Each says that it holds one cell and holds none: a reader that believes them goes one deeper at every one.
    chain = b"".join(_matrix(1, b"") for _ in range(5000))
    path = _write_mat(tmp_path / "a.mat", _matrix(1, chain, dims=(5000, 1), name=b"x"), packed=packed)
    with raises_recorded(InputError):
        load_mat(path)
    path = _write_mat(tmp_path / "a.mat", _matrix(1, b"", dims=(2**30, 1), name=b"x"), packed=packed)
    with raises_recorded(InputError):
        load_mat(path)


@pytest.mark.parametrize("packed", [False, True])
def test_what_scipy_writes_is_walked_to_its_end(tmp_path: Path, *, packed: bool) -> None:
    cells = np.empty((1, 3), dtype=object)
    cells[0, :] = ["left", np.zeros((0, 0)), np.arange(6.0)]
    content: dict[str, Any] = {"s": {"cells": cells, "n": 1, "inner": {"text": "word"}}, "z": np.ones(3) + 1j}
    savemat(tmp_path / "a.mat", content, do_compression=packed)
    check_mat_structure(tmp_path / "a.mat")
    assert set(load_mat(tmp_path / "a.mat")) > {"s", "z"}


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b'{"error": "sign in first"}' + b" " * 200, "JSON"),
        (b"plain words" + b" " * 200, "a file of another kind"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "v7.3 (HDF5)"),
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM", "v7.3 (HDF5)"),
        (b"<!DOCTYPE html>" + b" " * 200, "a web page"),
        (b"", "an empty file"),
    ],
)
def test_what_is_no_matlab_file_is_reported_in_plain_words(tmp_path: Path, content: bytes, got: str) -> None:
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_mat(tmp_path / "a.mat")
    assert caught.value.got.startswith(got)
    assert "Error" not in str(caught.value), "no word of the reader's own"


def test_a_matlab_file_of_version_4_is_read(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"z": np.ones((2, 3))}, format="4")
    assert load_mat(tmp_path / "a.mat")["z"].shape == (2, 3)
