"""`check` opens one clip per subject and every other file, and says each kind of fault once."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from movi_prep.config.load import load_config
from movi_prep.recordings.find import find_recordings
from movi_prep.runtime.data_check import CLIPS, DataCheck, check_data_files
from movi_prep.runtime.work_estimate import Estimate
from tests.builders.avi_files import Layout, build_avi, encoded_frames
from tests.builders.body import build_motion, old_release, write_npz
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
    assert "SMPL-X" in fault.expected
    assert "SMPL+H" in fault.got


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
def test_a_body_model_that_is_none_is_reported(good: Path, tmp_path: Path, content: bytes) -> None:
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


NAME = "F_PG1_Subject_1_L.avi"


def _video(codec: str, suffix: str, folder: Path) -> bytes:
    """Return a video of another container, 40 pictures of noise."""
    path = folder / f"whole{suffix}"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 30, (64, 48))
    rng = np.random.default_rng(0)
    for _ in range(40):
        writer.write(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    writer.release()
    return path.read_bytes()


@pytest.mark.parametrize(("codec", "suffix"), [("mp4v", ".mp4"), ("MJPG", ".mkv"), ("", "")])
@pytest.mark.parametrize("spoil", ["zeros", "cut", "none"])
def test_a_broken_video_of_any_container_is_one_fault_and_a_whole_one_none(
    good: Path, tmp_path: Path, codec: str, suffix: str, spoil: str
) -> None:
    content = _video(codec, suffix, tmp_path) if codec else build_avi(encoded_frames("MJPG"), Layout()).content
    half = len(content) // 2
    spoilt = {"zeros": content[:half] + bytes(half), "cut": content[:half], "none": content}[spoil]
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / NAME).write_bytes(spoilt)
    checked = _check(good, videos=tmp_path / "videos")
    assert [fault.part for fault in checked.faults] == ([] if spoil == "none" else ["videos"])


def test_an_avi_with_index_and_without_frames_is_a_fault(good: Path, tmp_path: Path) -> None:
    content = build_avi(encoded_frames("MJPG"), Layout()).content
    begin, end = content.index(b"movi") + 4, content.index(b"idx1")
    (tmp_path / NAME).write_bytes(content[:begin] + bytes(end - begin) + content[end:])
    (fault,) = _check(good, videos=tmp_path).faults
    assert fault.files == (tmp_path / NAME,)


def test_a_first_word_of_mp4_and_zeros_is_a_fault(good: Path, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"\0\0\0\x20ftypmp42" + bytes(20_000))
    (fault,) = _check(good, videos=tmp_path).faults
    assert fault.part == "videos"


@pytest.mark.parametrize("kind", ["absent", "page", "tissue"])
def test_subjects_whose_body_model_cannot_be_used_are_named(good: Path, tmp_path: Path, kind: str) -> None:
    models, sexes = tmp_path / "smplh", {"female": ("S001", "S002"), "male": ("S003",)}
    for sex, subjects in sexes.items():
        for subject in subjects:
            arrays = old_release(build_motion(5)) | {"gender": np.array(sex)}
            write_npz(tmp_path / f"Subject_{int(subject[1:])}_F_1_poses.npz", arrays)
    for sex in ("male", "female"):
        (models / sex).mkdir(parents=True)
    (models / "male" / "model.npz").symlink_to(good / "models/smplh/male/model.npz")
    if kind == "page":
        (models / "female" / "model.npz").write_text("<!DOCTYPE html><title>Sign in</title>")
    elif kind == "tissue":
        np.savez(models / "female" / "model.npz", eigvec=np.zeros((6890, 3, 8)))
    recordings = find_recordings(load_config(None, {"amass": tmp_path, "body_models": models}))
    (fault,) = check_data_files(recordings).faults
    assert fault.subjects == sexes["female"]
    assert all(name in str(fault) for name in fault.subjects)
    # What the fault says is not said again.
    assert sum("model.npz" in text for text in recordings.findings) == (kind == "tissue")


@pytest.mark.parametrize("rate_hz", [0.0, -120.0, 1e9])
def test_a_rate_that_none_is_blames_the_field(good: Path, tmp_path: Path, rate_hz: float) -> None:
    arrays = old_release(build_motion(5)) | {"mocap_framerate": np.array(rate_hz)}
    write_npz(tmp_path / "Subject_1_F_1_poses.npz", arrays)
    (fault,) = _check(good, amass=tmp_path).faults
    assert "mocap_framerate" in fault.remedy
