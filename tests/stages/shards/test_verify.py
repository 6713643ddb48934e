"""Verify finds what is wrong and says where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from movi_prep.errors import MissingError
from movi_prep.stages.shards.verify import verify_shard, verify_shards
from tests.builders.shard import write_small_shard


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_small_shard(tmp_path / "S001_PG1.h5")
    return tmp_path / "S001_PG1.h5"


def test_a_sound_shard_has_no_faults(path: Path) -> None:
    report = verify_shards(path.parent)
    assert report.faults == ()
    assert (report.is_sound, report.n_rows, report.shards) == (True, 10, (path,))
    assert report.n_bytes == path.stat().st_size


def test_several_workers_find_the_same(path: Path) -> None:
    write_small_shard(path.with_name("S002_PG1.h5"), subject=2)
    with h5py.File(path, "r+") as file:
        file["labels/coordinates_rad"][3, 4] = np.nan
    one, two = verify_shards(path.parent, workers=1), verify_shards(path.parent, workers=2)
    assert one == two
    assert one.n_rows == 20
    assert {fault.path for fault in one.faults} == {path}


def _change(name: str, value: object, index: object = 0) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[name][index] = value

    return change


def _delete(name: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]

    return change


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        (_change("labels/coordinates_rad", np.inf, (3, 4)), "labels/coordinates_rad", "first in row 3"),
        (_change("labels/coordinates_rad", 0.123, (3, 4)), "labels/coordinates_rad", "checksum"),
        (_change("crops/bytes", 0, 100), "crops/bytes", "checksum"),
        (_change("crops/bytes", np.zeros(200, np.uint8), slice(0, 200)), "crops/bytes", "cannot be decoded: rows 0"),
        (_change("crops/size_px", [7, 7], 2), "crops/bytes", "another size"),
        (_change("labels/pelvis_rotation_world", 2 * np.eye(3), 5), "labels/pelvis_rotation_world", "no rotations"),
        (
            _change("labels/joints_camera_m", [[9.0, 9.0, 9.0]] * 22, 1),
            "labels/joints_camera_m",
            "off the camera's view",
        ),
        (_change("labels/joints_px", [[-50.0, 10.0]] * 22, 1), "labels/joints_px", "lie outside"),
        (_delete("labels/joints_px"), "labels/joints_px", "missing"),
    ],
)
def test_what_was_changed_is_found(path: Path, change: Callable[[h5py.File], None], where: str, what: str) -> None:
    with h5py.File(path, "r+") as file:
        change(file)
    faults = verify_shard(path).faults
    assert any(fault.where == where and what in fault.what for fault in faults), [str(fault) for fault in faults]


def test_a_label_outside_its_crop_is_found(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["crops/body_px"][:] = (0.0, 0.0, 399.0, 299.0)
        file["crops/source_px"][4] = (0, 0, 5, 5)
    faults = verify_shard(path).faults
    assert any("lie outside their crop, first in row 4" in fault.what for fault in faults)


def test_another_dtype_or_shape_is_found(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        values = file["labels/joints_valid"][:]
        del file["labels/joints_valid"]
        file["labels/joints_valid"] = values[:5].astype("f8")
    faults = [str(fault) for fault in verify_shard(path).faults]
    assert any("expected bool, but got float64" in fault for fault in faults)
    assert any("but got shape (5, 22)" in fault for fault in faults)


@pytest.mark.parametrize("content", [b"", b"not hdf5", None])
def test_a_file_that_cannot_be_read_is_a_fault_not_a_crash(path: Path, content: bytes | None) -> None:
    path.write_bytes(path.read_bytes()[:5000] if content is None else content)
    (fault,) = verify_shard(path).faults
    assert fault.where == "file"
    assert str(path) in str(fault.what)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="movi-prep shard"):
        verify_shards(tmp_path)
