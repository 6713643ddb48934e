"""Cameras of a manifest stand in AMASS world, whatever file they come from; what nobody says is asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from movi_prep.config.footage import CameraOptions
from movi_prep.errors import InputError
from movi_prep.geometry.projection import project_points
from movi_prep.recordings.camera_files import read_manifest_camera
from movi_prep.records.camera import Camera
from movi_prep.records.recordings import CameraFiles

K = np.array([[900.0, 0.0, 640.0], [0.0, 905.0, 360.0], [0.0, 0.0, 1.0]])
LENS = [-0.1, 0.02, 0.001, -0.002, 0.0]
RVEC, TVEC = np.array([1.3, 0.2, -0.1]), np.array([0.1, 0.9, 4.0])
POINTS = np.random.default_rng(1).uniform(-0.4, 0.4, (20, 3)) + np.array([0.0, 0.0, 1.0])
"""AMASS world, z up."""


def _opencv(path: Path, **changes: Any) -> CameraFiles:
    content: dict[str, Any] = {
        "camera_matrix": K.tolist(),
        "dist_coeffs": LENS,
        "rvec": RVEC.tolist(),
        "tvec": TVEC.tolist(),
        "image_width": 1280,
        "image_height": 720,
        **changes,
    }
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
    return CameraFiles(path, path, CameraOptions())


def _with(files: CameraFiles, **options: Any) -> CameraFiles:
    return replace(files, options=CameraOptions(**options))


def _read(files: CameraFiles, video: Path | None = None) -> Camera:
    return read_manifest_camera("front", files, video)


def test_opencv_sees_the_same_points(tmp_path: Path) -> None:
    camera = _read(_opencv(tmp_path / "front.json"))
    expected, _ = cv2.projectPoints(POINTS, RVEC, TVEC, K, np.array(LENS))
    np.testing.assert_allclose(project_points(camera, POINTS), expected[:, 0], atol=1e-6)
    assert (camera.size_px, camera.is_moving) == ((1280, 720), False)


@pytest.mark.parametrize(
    ("world_up", "into_calibration"),
    [
        ("y", lambda p: np.stack([p[:, 0], p[:, 2], -p[:, 1]], axis=1)),
        ("-y", lambda p: np.stack([p[:, 0], -p[:, 2], p[:, 1]], axis=1)),
    ],
)
def test_a_calibration_with_another_axis_up_is_turned(tmp_path: Path, world_up: str, into_calibration: Any) -> None:
    files = _opencv(tmp_path / "front.json")
    camera = _read(_with(files, world_up=world_up))
    expected, _ = cv2.projectPoints(into_calibration(POINTS), RVEC, TVEC, K, np.array(LENS))
    np.testing.assert_allclose(project_points(camera, POINTS), expected[:, 0], atol=1e-6)
    # What is higher in AMASS world is higher in the calibration's.
    up = into_calibration(np.array([[0.0, 0.0, 1.0]]))[0]
    assert up[1] == (-1.0 if world_up == "-y" else 1.0)


def test_millimetres_are_metres(tmp_path: Path) -> None:
    files = _with(_opencv(tmp_path / "front.json", tvec=(1000 * TVEC).tolist()), metres_per_unit=0.001)
    np.testing.assert_allclose(_read(files).world_to_camera_translation_m, TVEC, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"dist_coeffs": None}, {}),
        ({}, {"distortion": "none"}),
        ({"dist_coeffs": [0.1, 0.2, 0.3]}, {}),
        ({"image_width": None}, {}),
        ({"rvec": None, "tvec": None}, {}),
    ],
    ids=["no coefficients", "coefficients denied", "three coefficients", "no size", "no pose"],
)
def test_what_nobody_says_is_asked_for(tmp_path: Path, changes: dict[str, Any], options: dict[str, Any]) -> None:
    files = _with(_opencv(tmp_path / "front.json", **changes), **options)
    with pytest.raises(InputError) as caught:
        _read(files)
    assert str(tmp_path / "front.json") in str(caught.value.where)


def test_what_the_manifest_adds_is_taken(tmp_path: Path) -> None:
    files = _opencv(tmp_path / "front.json", dist_coeffs=None, image_width=None)
    camera = _read(_with(files, distortion="none", size_px=(1920, 1080)))
    assert not camera.lens.coefficients.any()
    assert camera.size_px == (1920, 1080)


def test_poses_of_a_moving_camera_are_those_of_their_frames(tmp_path: Path) -> None:
    files = replace(_opencv(tmp_path / "front.json", rvec=None, tvec=None), extrinsics=tmp_path / "poses.npz")
    turns = np.array([cv2.Rodrigues(RVEC + 0.01 * n)[0] for n in range(4)])
    poses = np.concatenate([turns, np.repeat(TVEC[None, :, None], 4, axis=0)], axis=2)
    np.savez(tmp_path / "poses.npz", world_to_camera=poses, frames=np.array([2, 3, 7, 8]))
    camera = _read(files)
    assert camera.has_pose(np.arange(10)).tolist() == [number in (2, 3, 7, 8) for number in range(10)]
    np.testing.assert_allclose(camera.at(7).world_to_camera_rotation, turns[2], atol=1e-12)


@pytest.mark.parametrize("frames", [[0, 1, 2], [0, 1, 1, 2], [3, 2, 1, 0], [0.5, 1, 2, 3], [-1, 0, 1, 2]], ids=str)
def test_frames_that_are_none_are_refused(tmp_path: Path, frames: list[float]) -> None:
    files = replace(_opencv(tmp_path / "front.json"), extrinsics=tmp_path / "poses.npz")
    np.savez(tmp_path / "poses.npz", world_to_camera=np.repeat(np.eye(4)[None], 4, axis=0), frames=np.array(frames))
    with pytest.raises(InputError) as caught:
        _read(files)
    assert caught.value.where == str(tmp_path / "poses.npz")


def _colmap(folder: Path, numbers: range) -> CameraFiles:
    folder.mkdir()
    (folder / "cameras.txt").write_text("1 PINHOLE 1280 720 900 905 640.5 360.5\n")
    lines = [f"{n} 1 0 0 0 {0.1 * n} 0 4 1 image_{n:05d}.png\n" for n in numbers]
    (folder / "images.txt").write_text("\n".join(lines))
    return CameraFiles(folder / "cameras.txt", folder / "images.txt", CameraOptions(metres_per_unit=0.5))


def test_pictures_of_colmap_are_frames_by_their_numbers(tmp_path: Path) -> None:
    files, pictures = _colmap(tmp_path / "model", range(3, 6)), tmp_path / "pictures"
    pictures.mkdir()
    for number in range(1, 7):
        (pictures / f"image_{number:05d}.png").touch()
    in_folder = _read(files, pictures)
    assert in_folder.pose_frames is not None
    assert in_folder.pose_frames.tolist() == [2, 3, 4]
    np.testing.assert_allclose(in_folder.at(2).world_to_camera_translation_m, [0.15, 0.0, 2.0], atol=1e-12)
    beside_video = _read(_with(files, metres_per_unit=0.5, first_picture=1))
    np.testing.assert_array_equal(beside_video.pose_frames, in_folder.pose_frames)
    with pytest.raises(InputError):
        _read(files)
    with pytest.raises(InputError):
        _read(_with(files))


def test_a_camera_that_the_file_does_not_hold_is_named(tmp_path: Path) -> None:
    tables = "".join(
        f'[{name}]\nname="{name}"\nsize=[1280.0,720.0]\nmatrix=[[900.0,0.0,640.0],[0.0,905.0,360.0],[0.0,0.0,1.0]]\n'
        "distortions=[0.0,0.0,0.0,0.0]\nrotation=[0.0,0.0,0.0]\ntranslation=[0.0,0.0,4.0]\nfisheye=false\n"
        for name in ("cam01", "cam02")
    )
    (tmp_path / "Calib.toml").write_text(tables)
    files = CameraFiles(tmp_path / "Calib.toml", tmp_path / "Calib.toml", CameraOptions(calibration_name="cam02"))
    assert _read(files).source.endswith("[cam02]")
    with pytest.raises(InputError) as caught:
        _read(_with(files, calibration_name="cam03"))
    assert "cam02" in caught.value.got
