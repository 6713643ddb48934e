"""Camera files of OpenCV, Pose2Sim and COLMAP: what their own programs would project is where a point is seen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from movi_prep.errors import InputError
from movi_prep.formats.colmap_cameras import read_colmap_cameras
from movi_prep.formats.opencv_calibration import read_opencv_camera
from movi_prep.formats.pose2sim_calibration import read_pose2sim_cameras
from movi_prep.geometry.lens import distort

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.calibrated_camera import CalibratedCamera

K = np.array([[980.0, 0.0, 640.5], [0.0, 970.0, 361.25], [0.0, 0.0, 1.0]])
LENS = np.array([-0.2, 0.1, 0.001, -0.002, 0.01])
RVEC, TVEC = np.array([0.3, -2.1, 0.4]), np.array([0.1, -0.4, 4.0])
POINTS = np.random.default_rng(0).uniform(-0.6, 0.6, (20, 3))


def _seen(camera: CalibratedCamera, points: NDArray[np.float64], pose: int = 0) -> NDArray[np.float64]:
    inside = points @ camera.rotations[pose].T + camera.translations_m[pose]
    bent = distort(inside[:, :2] / inside[:, 2:], camera.lens)
    return bent @ camera.intrinsics_px[:2, :2].T + camera.intrinsics_px[:2, 2]


@pytest.mark.parametrize("suffix", ["yaml", "yml", "xml", "json"])
@pytest.mark.parametrize("as_matrix", [False, True])
def test_a_file_that_opencv_wrote_projects_as_opencv_does(tmp_path: Path, suffix: str, as_matrix: bool) -> None:
    path = tmp_path / f"front.{suffix}"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for key, value in (("image_width", 1280), ("image_height", 720)):
        storage.write(key, value)
    storage.write("camera_matrix", K)
    storage.write("distortion_coefficients", LENS)
    storage.write("R" if as_matrix else "rvec", cv2.Rodrigues(RVEC)[0] if as_matrix else RVEC)
    storage.write("T" if as_matrix else "tvec", TVEC * 1000)
    storage.release()
    camera = read_opencv_camera(path, metres_per_unit=0.001)
    expected, _ = cv2.projectPoints(POINTS, RVEC, TVEC, K, LENS)
    np.testing.assert_allclose(_seen(camera, POINTS), expected[:, 0], atol=1e-6)
    assert (camera.name, camera.size_px, camera.is_moving) == ("front", (1280, 720), False)


def test_plain_lists_and_a_fisheye_are_read(tmp_path: Path) -> None:
    lens = [0.05, -0.01, 0.002, 0.0003]
    content = {"K": K.tolist(), "D": lens, "rvec": RVEC.tolist(), "tvec": TVEC.tolist(), "fisheye": True}
    (tmp_path / "c.json").write_text(json.dumps(content))
    camera = read_opencv_camera(tmp_path / "c.json")
    expected, _ = cv2.fisheye.projectPoints(POINTS[:, None], RVEC, TVEC, K, np.array(lens))
    np.testing.assert_allclose(_seen(camera, POINTS), expected[:, 0], atol=1e-6)
    assert camera.size_px is None


TOML = """
[cam_01]
name = "left"
size = [ 1280.0, 720.0]
matrix = [ [ 980.0, 0.0, 640.5], [ 0.0, 970.0, 361.25], [ 0.0, 0.0, 1.0]]
distortions = [ -0.2, 0.1, 0.001, -0.002]
rotation = [ 0.3, -2.1, 0.4]
translation = [ 0.1, -0.4, 4.0]
fisheye = false

[metadata]
adjusted = false
error = 0.0
"""


def test_the_cameras_of_pose2sim_are_read(tmp_path: Path) -> None:
    (tmp_path / "Calib.toml").write_text(TOML)
    (camera,) = read_pose2sim_cameras(tmp_path / "Calib.toml")
    expected, _ = cv2.projectPoints(POINTS, RVEC, TVEC, K, LENS[:4])
    np.testing.assert_allclose(_seen(camera, POINTS), expected[:, 0], atol=1e-6)
    assert (camera.name, camera.size_px) == ("left", (1280, 720))


COLMAP_MODELS = {
    "SIMPLE_PINHOLE": ("980 641 361.75", [980, 980], []),
    "PINHOLE": ("980 970 641 361.75", [980, 970], []),
    "SIMPLE_RADIAL": ("980 641 361.75 -0.2", [980, 980], [-0.2, 0, 0, 0]),
    "RADIAL": ("980 641 361.75 -0.2 0.1", [980, 980], [-0.2, 0.1, 0, 0]),
    "OPENCV": ("980 970 641 361.75 -0.2 0.1 0.001 -0.002", [980, 970], [-0.2, 0.1, 0.001, -0.002]),
    "OPENCV_FISHEYE": ("980 970 641 361.75 0.05 -0.01 0.002 0.0003", [980, 970], [0.05, -0.01, 0.002, 0.0003]),
}


@pytest.mark.parametrize("model", COLMAP_MODELS)
def test_the_cameras_of_colmap_move_from_picture_to_picture(tmp_path: Path, model: str) -> None:
    parameters, focal, lens = COLMAP_MODELS[model]
    (tmp_path / "cameras.txt").write_text(f"# cameras\n7 {model} 1280 720 {parameters}\n")
    turns = [RVEC, RVEC + np.array([0.0, 0.2, 0.0])]
    lines = ["# images"]
    for index in (1, 0):
        angle = np.linalg.norm(turns[index])
        w, (x, y, z) = np.cos(angle / 2), np.sin(angle / 2) * turns[index] / angle
        # A quaternion of another length and sign is the same rotation.
        numbers = " ".join(repr(float(-2 * part)) for part in (w, x, y, z))
        lines += [f"{index + 1} {numbers} 0.1 -0.4 4.0 7 pictures/frame {index}.jpg", ""]
    (tmp_path / "images.txt").write_text("\n".join(lines) + "\n")
    (camera,) = read_colmap_cameras(tmp_path, metres_per_unit=1.0)
    assert camera.pictures == ("pictures/frame 0.jpg", "pictures/frame 1.jpg")
    matrix = np.array([[focal[0], 0, 640.5], [0, focal[1], 361.25], [0, 0, 1.0]])
    for pose, turn in enumerate(turns):
        if model == "OPENCV_FISHEYE":
            expected, _ = cv2.fisheye.projectPoints(POINTS[:, None], turn, TVEC, matrix, np.array(lens))
        else:
            expected, _ = cv2.projectPoints(POINTS, turn, TVEC, matrix, np.array(lens) if lens else None)
        np.testing.assert_allclose(_seen(camera, POINTS, pose), expected.reshape(-1, 2), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "[1, 2]"),
        ("a.yaml", "K: [[1, 0], [0, 1]]\nrvec: [0, 0, 0]\ntvec: [0, 0, 0]"),
        ("a.yaml", "K: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]\nR: [[1, 0, 0], [0, 1, 0], [0, 0, -1]]\nT: [0, 0, 0]"),
        ("a.yaml", "K: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]\nrvec: [0, 0, .nan]\ntvec: [0, 0, 0]"),
        ("a.yaml", "K: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]\nD: [1, 2, 3]\nrvec: [0, 0, 0]\ntvec: [0, 0, 0]"),
        ("a.yaml", "K: x\nrvec: [0, 0, 0]\ntvec: [0, 0, 0]"),
        ("a.xml", "<opencv_storage><K>"),
        ("a.json", "{"),
        ("a.json", "{}"),
    ],
)
def test_what_is_no_calibration_of_opencv_is_the_files_error(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        read_opencv_camera(tmp_path / name)
    assert str(tmp_path / name) in caught.value.where


_SOUND = {"K": np.eye(3), "D": [0.0] * 5, "rvec": [0.0] * 3, "tvec": [0.0] * 3, "size": [10, 10]}


@pytest.mark.parametrize(
    ("instead_of", "key"),
    [
        *(("K", key) for key in ("camera_matrix", "intrinsics", "mtx")),
        *(("D", key) for key in ("distortion_coefficients", "dist_coeffs", "D", "dist")),
        *(("rvec", key) for key in ("rvec", "R", "rotation")),
        *(("tvec", key) for key in ("tvec", "T", "translation")),
        *(("size", key) for key in ("image_size", "resolution")),
    ],
)
@pytest.mark.parametrize("value", ["x", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], {"rows": "a", "data": [1.0]}])
def test_the_entry_at_fault_has_the_name_that_the_file_gives_it(
    tmp_path: Path, instead_of: str, key: str, value: object
) -> None:
    content = {name: np.asarray(part).tolist() for name, part in _SOUND.items() if name != instead_of}
    path = tmp_path / "front.json"
    path.write_text(json.dumps({**content, key: value}))
    with pytest.raises(InputError) as caught:
        read_opencv_camera(path)
    assert caught.value.where == f"{path}: {key}"


def test_a_file_of_intrinsics_only_has_no_pose_and_no_lens(tmp_path: Path) -> None:
    """A camera that moves has its poses in another file."""
    (tmp_path / "a.yaml").write_text("camera_matrix: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]")
    camera = read_opencv_camera(tmp_path / "a.yaml")
    assert len(camera.rotations) == len(camera.translations_m) == 0
    assert camera.lens is None


@pytest.mark.parametrize(
    "line", ["distortions = [1.0]", "matrix = [[1.0]]", "size = 3", 'rotation = ["a", "b", "c"]', 'distortions = ["a"]']
)
def test_what_is_no_camera_of_pose2sim_is_the_tables_error(tmp_path: Path, line: str) -> None:
    key = line.split(" ", maxsplit=1)[0]
    text = "\n".join(line if row.startswith(key) else row for row in TOML.splitlines())
    (tmp_path / "Calib.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_pose2sim_cameras(tmp_path / "Calib.toml")
    assert caught.value.where.endswith(f"[cam_01]: {key}")


@pytest.mark.parametrize(
    ("cameras", "images"),
    [
        ("1 THIN_PRISM_FISHEYE 10 10 1 1 1 1", "1 1 0 0 0 0 0 1 1 a.jpg\n\n"),
        ("1 PINHOLE 10 10 1 1 1", "1 1 0 0 0 0 0 1 1 a.jpg\n\n"),
        ("1 PINHOLE 10 10 1 1 5 5", "1 0 0 0 0 0 0 1 1 a.jpg\n\n"),
        ("1 PINHOLE 10 10 1 1 5 5", "1 1 0 0 0 0 0 x 1 a.jpg\n\n"),
        ("1 PINHOLE 10 10 1 1 5 5", "1 1 0 0\n\n"),
        ("1 PINHOLE 10 10 1 1 5 5", ""),
        ("", "1 1 0 0 0 0 0 1 1 a.jpg\n\n"),
    ],
)
def test_what_is_no_model_of_colmap_is_named(tmp_path: Path, cameras: str, images: str) -> None:
    (tmp_path / "cameras.txt").write_text(cameras)
    (tmp_path / "images.txt").write_text(images)
    with pytest.raises(InputError):
        read_colmap_cameras(tmp_path, metres_per_unit=1.0)
