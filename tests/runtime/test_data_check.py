"""`check` opens one clip per subject and every other file, and says each kind of fault once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from movi_prep.config.load import load_config
from movi_prep.recordings.find import find_recordings
from movi_prep.runtime.data_check import CLIPS, DataCheck, check_data_files
from movi_prep.runtime.work_estimate import Estimate
from tests.builders.download import write_small_download


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_download(tmp_path_factory.mktemp("download"))


def _check(folder: Path, **others: Path) -> DataCheck:
    folders = {"amass": folder / "amass", "body_models": folder / "models", **others}
    return check_data_files(find_recordings(load_config(None, folders)))


def test_a_whole_download_has_no_fault_and_every_clip_a_length(good: Path) -> None:
    checked = _check(good)
    assert checked.faults == ()
    assert checked.lengths.keys() == find_recordings(load_config(None, {"amass": good / "amass"})).motions.keys()
    assert all(length.n_samples > 0 for length in checked.lengths.values())


def test_the_wrong_release_is_one_fault_however_many_clips(good: Path, tmp_path: Path) -> None:
    for subject in range(1, 8):
        for clip in range(1, 4):
            np.savez(
                tmp_path / f"Subject_{subject}_F_{clip}_stageii.npz",
                poses=np.zeros((200 + subject, 165)),
                trans=np.zeros((200 + subject, 3)),
                betas=np.zeros(16),
                gender="female",
                mocap_frame_rate=120.0,
                surface_model_type="smplx",
            )
    (fault,) = _check(good, amass=tmp_path).faults
    assert (fault.part, len(fault.files), fault.n_opened) == (CLIPS, 7, 7)
    assert "SMPL-X" in fault.got
    assert "SMPL+H" in fault.expected


def test_pages_and_empty_files_are_one_fault_for_each_kind(good: Path, tmp_path: Path) -> None:
    for subject in (1, 15):
        (tmp_path / f"F_v3d_Subject_{subject}.mat").touch()
        for camera in ("PG1", "PG2"):
            (tmp_path / f"F_{camera}_Subject_{subject}_L.avi").write_text("<!DOCTYPE html><title>Sign in</title>")
    for name in ("cameraParams_PG1.npz", "Extrinsics_PG1.npz"):
        (tmp_path / name).write_bytes(b"PK" + bytes(40))
    checked = _check(good, v3d=tmp_path, videos=tmp_path, calibration=tmp_path)
    assert {(fault.part, len(fault.files)) for fault in checked.faults} == {
        ("V3D", 2),
        ("videos", 4),
        ("calibration", 1),
    }


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK cut", bytes(100)])
def test_a_body_model_that_is_none_is_told(good: Path, tmp_path: Path, content: bytes) -> None:
    for sex in ("female", "male"):
        (tmp_path / "smplh" / sex).mkdir(parents=True)
        (tmp_path / "smplh" / sex / "model.npz").write_bytes(content)
    (fault,) = _check(good, body_models=tmp_path).faults
    assert (fault.part, len(fault.files)) == ("body models", 2)


def test_an_estimate_says_hours_disk_and_what_they_rest_on() -> None:
    said = str(Estimate(processor_hours=3.0, hours=1.5, workers=2, gigabytes=25.0, measured=("ik",), speed=1.2))
    for part in ("1.5 h", "2 workers", "3.0 h of one core", "25 GB", "ik as measured in this work folder"):
        assert part in said


def test_a_fault_of_a_camera_names_the_file_that_has_it(good: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "cameraParams_PG1.npz", IntrinsicMatrix=np.diag([800.0, 800.0, 1.0]))
    np.savez(tmp_path / "Extrinsics_PG1.npz", rotationMatrix=np.full((3, 3), np.nan), translationVector=np.ones(3))
    (fault,) = _check(good, calibration=tmp_path).faults
    assert "rotationMatrix" in fault.expected + fault.got
    assert fault.files == (tmp_path / "Extrinsics_PG1.npz",)
