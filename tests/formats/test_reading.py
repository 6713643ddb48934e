"""The door of every reader: whatever is raised behind it is one error of one file."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from movi_prep.errors import LONGEST_PART, InputError, InternalError, MissingError
from movi_prep.formats.amass import read_motion, read_subject_shape
from movi_prep.formats.body_models import read_body_model
from movi_prep.formats.calibration import read_camera
from movi_prep.formats.npz import NpzArchive
from movi_prep.formats.reading import reading, reads
from movi_prep.records.body_model import BodyModel
from tests.builders.body import build_body_model, build_motion, model_arrays, old_release, write_npz
from tests.builders.calibration_files import write_calibration

FAULTS = (
    RuntimeError("encrypted"),
    KeyError("poses.npy"),
    LookupError("no codec"),
    MemoryError(),
    RecursionError(),
    TypeError("text"),
    ValueError("shape"),
    OSError(5, "Input/output error"),
    zlib.error("Error -3"),
    lzma.LZMAError("Corrupt input data"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_whatever_is_raised_is_the_file_s_error(fault: Exception) -> None:
    @reads("a clip")
    def read(path: Path) -> None:
        raise fault

    with pytest.raises(InputError) as caught:
        read(Path("folder/clip.npz"))
    assert caught.value.where == "folder/clip.npz"
    assert caught.value.expected == "a clip"
    assert caught.value.got
    assert caught.value.__cause__ is fault
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("error", [InternalError("a promise"), MissingError("x", expected="", got="", remedy="")])
def test_errors_of_our_own_pass(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, reading("clip.npz", expected="a clip"):
        raise error
    assert caught.value is error


def test_a_message_does_not_grow_with_the_file() -> None:
    with pytest.raises(InputError) as caught, reading("clip.npz", expected="a clip"):
        raise ValueError("x" * 10**8)
    assert len(caught.value.got) < 2 * LONGEST_PART


DTYPES = ["M8[s]", "m8[s]", "c16", "?", "U3", "S3", [("a", "f8")]]


@pytest.mark.parametrize("name", ["poses", "trans", "betas", "dmpls", "mocap_framerate"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_array_of_a_clip_holds_real_numbers(tmp_path: Path, name: str, dtype: Any) -> None:
    arrays = old_release(build_motion(5))
    arrays[name] = np.zeros(np.shape(arrays[name]), dtype)
    with pytest.raises(InputError) as caught:
        read_motion(write_npz(tmp_path / "clip.npz", arrays))
    assert caught.value.where.endswith(f"clip.npz: {name}")


@pytest.fixture(scope="module")
def model() -> BodyModel:
    return build_body_model()


@pytest.mark.parametrize("dtype", ["M8[s]", "c8", "?"])
@pytest.mark.parametrize(
    "name", ["v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table"]
)
def test_every_array_of_a_body_model_holds_real_numbers(
    tmp_path: Path, model: BodyModel, name: str, dtype: str
) -> None:
    arrays = model_arrays(model)
    arrays[name] = np.zeros(np.shape(arrays[name]), dtype)
    with pytest.raises(InputError) as caught:
        read_body_model(write_npz(tmp_path / "model.npz", arrays), sex="female")
    assert caught.value.where.endswith(f"model.npz: {name}")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ["IntrinsicMatrix", "RadialDistortion", "rotationMatrix", "translationVector"])
def test_every_array_of_a_calibration_holds_real_numbers(tmp_path: Path, name: str, dtype: Any) -> None:
    for path in write_calibration(tmp_path, "PG1"):
        arrays = dict(np.load(path))
        if name in arrays:
            np.savez(path, **{**arrays, name: np.zeros(arrays[name].shape, dtype)})
    with pytest.raises(InputError) as caught:
        read_camera("PG1", *(tmp_path / f"{part}_PG1.npz" for part in ("cameraParams", "Extrinsics")))
    assert name in str(caught.value)


def _member(shape: tuple[int, ...], *, fortran_order: bool, values: bytes = b"") -> bytes:
    head = f"{{'descr':'<f8','fortran_order':{fortran_order},'shape':{shape}}}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + values


@pytest.mark.parametrize("fortran_order", [False, True])
@pytest.mark.parametrize("n_samples", [-5, -1, 0, 2**62, 10**40])
@pytest.mark.parametrize("name", ["poses", "trans", "dmpls"])
def test_lengths_that_no_clip_has(tmp_path: Path, name: str, n_samples: int, *, fortran_order: bool) -> None:
    arrays = old_release(build_motion(5))
    path = tmp_path / "clip.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for each, value in arrays.items():
            # A clip whose parts agree in what cannot be is the harder case.
            lies = each == name or (n_samples <= 0 and each in ("poses", "trans", "dmpls"))
            stream = io.BytesIO()
            np.save(stream, value)
            shape = (n_samples, np.shape(value)[-1]) if lies else ()
            archive.writestr(f"{each}.npy", _member(shape, fortran_order=fortran_order) if lies else stream.getvalue())
    with pytest.raises(InputError):
        read_motion(path)


def test_memory_that_a_header_asks_for_is_checked_before_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "clip.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("betas.npy", _member((10**12,), fortran_order=False, values=b"\0" * 800))
    with NpzArchive(path) as archive, pytest.raises(InputError) as caught:
        archive.read("betas")
    assert "8000000000000 bytes" in caught.value.expected


def _encrypted(content: bytearray) -> None:
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + flags] |= 1
            at = content.find(signature, at + 4)


def _of_unknown_packing(content: bytearray) -> None:
    at = content.find(b"PK\x01\x02")
    content[at + 10] = 77


@pytest.mark.parametrize(
    ("spoil", "read"),
    [(_encrypted, read_motion), (_encrypted, read_subject_shape), (_of_unknown_packing, read_motion)],
)
def test_archives_that_cannot_be_unpacked(
    tmp_path: Path, spoil: Callable[[bytearray], None], read: Callable[[Path], Any]
) -> None:
    path = write_npz(tmp_path / "clip.npz", old_release(build_motion(5)))
    content = bytearray(path.read_bytes())
    spoil(content)
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.where == str(path)
