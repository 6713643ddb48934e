"""Verify finds what is wrong and says where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from movi_prep.errors import MissingError
from movi_prep.geometry.frames import AMASS_TO_GROUND
from movi_prep.stages.shards.verify import verify_shard, verify_shards
from tests.builders.shard import moving_camera, small_camera, write_small_shard
from tests.sentences import raises_recorded


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_small_shard(tmp_path / "S001_PG1.h5")
    return tmp_path / "S001_PG1.h5"


def test_a_sound_shard_has_no_faults(path: Path) -> None:
    report = verify_shards(path.parent)
    assert report.faults == ()
    assert (report.is_sound, report.n_rows, report.shards) == (True, 10, (path,))
    assert report.n_bytes == path.stat().st_size


@pytest.mark.slow
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
        (_change("labels/pelvis_rotation_world", 2 * np.eye(3), 5), "labels/pelvis_rotation_world", "not rotations"),
        (
            _change("labels/joints_camera_m", [[9.0, 9.0, 9.0]] * 22, 1),
            "labels/joints_camera_m",
            "seen by the camera",
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
    with raises_recorded(MissingError):
        verify_shards(tmp_path)


def _law(path: Path, *changes: tuple[str, Callable[[np.ndarray], np.ndarray]]) -> list[tuple[str, str]]:
    """Return the faults of a shard whose writer was wrong; its checksums fit."""
    write_small_shard(path, tree=True, changes=dict(changes))
    return [(fault.where, fault.what) for fault in verify_shard(path).faults]


def test_tree_angles_and_root_give_the_joint_centres(tmp_path: Path) -> None:
    assert _law(tmp_path / "S001_PG1.h5") == []


@pytest.mark.parametrize(
    ("field", "change", "where"),
    [
        # OpenSim ground in place of the world: every other check still passes.
        ("labels/root_rotation_world", lambda r: AMASS_TO_GROUND @ r, "labels/opensim_joints_world_m"),
        ("labels/root_position_world_m", lambda p: p @ AMASS_TO_GROUND.T, "labels/opensim_joints_world_m"),
        ("labels/coordinates_rad", np.degrees, "labels/opensim_joints_world_m"),
        ("labels/coordinates_rad", lambda q: np.roll(q, 1, axis=1), "labels/opensim_joints_world_m"),
        ("labels/opensim_joints_world_m", lambda p: np.roll(p, 1, axis=1), "labels/opensim_joints_world_m"),
        ("tree/parent_position_m", lambda p: 1.05 * p, "labels/opensim_joints_world_m"),
        ("labels/pelvis_position_world_m", lambda p: p + 0.01, "labels/pelvis_position_world_m"),
        ("labels/pelvis_position_camera_m", lambda p: p + 0.01, "labels/pelvis_position_camera_m"),
        ("labels/pelvis_rotation_world", lambda r: AMASS_TO_GROUND @ r, "labels/pelvis_rotation_world"),
        ("labels/opensim_joints_camera_m", lambda p: p[..., ::-1], "labels/opensim_joints_camera_m"),
    ],
)
def test_a_label_of_another_frame_or_order_is_found(
    tmp_path: Path, field: str, change: Callable[[np.ndarray], np.ndarray], where: str
) -> None:
    assert where in [found for found, _ in _law(tmp_path / "S001_PG1.h5", (field, change))]


def test_what_no_mask_calls_a_label_is_not_compared(tmp_path: Path) -> None:
    """Joints that the model lacks, and rows without a pose, say nothing."""
    spoilt = ("labels/opensim_joints_world_m", lambda p: np.where(np.arange(len(p))[:, None, None] == 9, 7.0, p))
    assert _law(tmp_path / "S001_PG1.h5", spoilt) == []


def _attribute(name: str, value: object, field: str = "/") -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[field].attrs[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (_attribute("subject", 2), "subject"),
        (_attribute("subject_name", "S002"), "file"),
        (_attribute("subject", "one of them"), "subject"),
        (_attribute("subject", 1.5), "subject"),
        (_attribute("camera", "PG2"), "file"),
        (_attribute("split", "tested"), "split"),
        (_attribute("refused", "not json"), "refused"),
        (_attribute("refused", "[[1, 2]]"), "refused"),
        (_attribute("left_out", "{}"), "left_out"),
        (_attribute("frame_rate_hz", 0.0), "frame_rate_hz"),
        (_attribute("format_version", -1), "file"),
        (_attribute("format_version", "two"), "file"),
        (_attribute("format_version", [1, 2]), "file"),
        (_attribute("unit", "mm", "labels/joints_world_m"), "labels/joints_world_m"),
        (_attribute("frame", "camera", "labels/joints_world_m"), "labels/joints_world_m"),
        (_attribute("height_m", 2.5), "attributes"),
        (_attribute("provenance", "{}"), "attributes"),
        (_attribute("note", "added"), "attributes"),
        (_attribute("description", "other", "labels/joints_px"), "attributes"),
        (lambda file: file.attrs.__delitem__("metadata_sha256"), "attributes"),
        (lambda file: file["labels/joints_px"].attrs.__delitem__("sha256"), "labels/joints_px"),
    ],
)
def test_an_attribute_that_was_changed_is_found(path: Path, change: Callable[[h5py.File], None], where: str) -> None:
    with h5py.File(path, "r+") as file:
        change(file)
    assert where in [fault.where for fault in verify_shard(path).faults]


def test_shards_of_one_subject_are_in_one_part_of_the_data(path: Path) -> None:
    write_small_shard(path.with_name("S001_PG2.h5"), camera=small_camera("PG2"), split="test")
    write_small_shard(path.with_name("S002_PG1.h5"), subject=2, split="test")
    faults = verify_shards(path.parent).faults
    assert [(fault.path.name, fault.where) for fault in faults] == [("S001_PG1.h5", "split"), ("S001_PG2.h5", "split")]


def _replaced(name: str, make: Callable[[h5py.File, Path], None]) -> Callable[[h5py.File, Path], str]:
    def change(file: h5py.File, other: Path) -> str:
        del file[name]
        make(file, other)
        return name

    return change


def _virtual(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout(shape=(10, 22, 3), dtype="f4")
    layout[:] = h5py.VirtualSource(str(other), "labels/joints_world_m", shape=(10, 22, 3))
    file.create_virtual_dataset("labels/joints_world_m", layout)


def _raw(file: h5py.File, other: Path) -> None:
    file.create_dataset("labels/joints_world_m", (10, 22, 3), "f4", external=[(str(other), 4096, 2640)])


def _reference(file: h5py.File, _: Path) -> str:
    file.attrs["see"] = file["labels"].ref
    return "/"


JOINTS = "labels/joints_world_m"


@pytest.mark.parametrize(
    "change",
    [
        _replaced(JOINTS, lambda file, other: file.__setitem__(JOINTS, h5py.ExternalLink(str(other), JOINTS))),
        _replaced(JOINTS, lambda file, _: file.__setitem__(JOINTS, h5py.SoftLink("/labels/markers_world_m"))),
        _replaced(JOINTS, lambda file, _: file.__setitem__(JOINTS, h5py.SoftLink(f"/{JOINTS}"))),
        _replaced("labels", lambda file, other: file.__setitem__("labels", h5py.ExternalLink(str(other), "labels"))),
        _replaced("crops", lambda file, other: file.__setitem__("crops", h5py.ExternalLink(str(other), "crops"))),
        _replaced(JOINTS, _virtual),
        _replaced(JOINTS, _raw),
        _replaced(JOINTS, lambda file, _: file.create_group(JOINTS)),
        _replaced(JOINTS, lambda file, _: file.create_dataset(JOINTS, (10, 22, 3), "f4", chunks=(1, 22, 3))),
        _reference,
    ],
    ids=["external", "soft", "loop", "group", "pictures", "virtual", "raw", "no dataset", "empty", "reference"],
)
def test_what_is_elsewhere_is_found_and_the_other_shard_is_sound(
    path: Path, change: Callable[[h5py.File, Path], str]
) -> None:
    other = path.with_name("S002_PG1.h5")
    write_small_shard(other, subject=2)
    with h5py.File(path, "r+") as file:
        where = change(file, other)
    faults = verify_shards(path.parent).faults
    assert {fault.path for fault in faults} == {path}
    assert where in [fault.where for fault in faults]


def test_a_group_that_holds_itself_ends(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["labels/again"] = file["labels"]
    assert verify_shard(path).faults == ()


@pytest.mark.parametrize("error", [RuntimeError, ValueError, AttributeError, RecursionError, MemoryError, OSError])
def test_whatever_reading_a_shard_raises_is_a_finding_about_it(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail(_: object) -> None:
        raise error("broken inside")

    monkeypatch.setattr("movi_prep.stages.shards.verify.read_frame_labels", fail)
    (fault,) = verify_shards(path.parent).faults
    assert fault.where == "file"
    assert error.__name__ in fault.what


def test_the_poses_of_a_camera_that_moves_are_held_against_every_row(tmp_path: Path) -> None:
    path = tmp_path / "S001_PG1.h5"
    write_small_shard(path, camera=moving_camera(np.arange(10)), tree=True)
    assert verify_shard(path).faults == ()

    def exchanged(poses: np.ndarray) -> np.ndarray:
        return poses[[0, 1, 2, 4, 3, 5, 6, 7, 8, 9]]

    write_small_shard(
        path,
        camera=moving_camera(np.arange(10)),
        changes={f"frames/world_to_camera_{part}": exchanged for part in ("rotation", "translation_m")},
    )
    assert {"labels/joints_camera_m", "labels/markers_camera_m"} <= {fault.where for fault in verify_shard(path).faults}


def test_a_shard_that_says_nowhere_where_its_camera_is_is_broken(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["camera/world_to_camera_rotation"]
    (fault,) = [fault for fault in verify_shard(path).faults if fault.where == "file"]
    assert "pose of the camera" in fault.what


def test_a_lens_of_a_model_that_is_not_known_is_found(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["lens_model"] = "mirror"
    assert any("lens model" in fault.what for fault in verify_shard(path).faults)
