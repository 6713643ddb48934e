"""Cameras of COLMAP in text: `cameras.txt` and `images.txt` of one model folder.

`cameras.txt`, a line for each: `CAMERA_ID MODEL WIDTH HEIGHT PARAMS...`

| model | parameters |
|---|---|
| SIMPLE_PINHOLE | f cx cy |
| PINHOLE | fx fy cx cy |
| SIMPLE_RADIAL | f cx cy k1 |
| RADIAL | f cx cy k1 k2 |
| OPENCV | fx fy cx cy k1 k2 p1 p2 |
| OPENCV_FISHEYE | fx fy cx cy k1 k2 k3 k4 |

`images.txt`, two lines for each picture: `IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME`, world to camera, then its 2D
points (not read). COLMAP puts (0, 0) on the corner of the first pixel: half a pixel is subtracted from cx and cy. The
unit of its world is arbitrary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError, list_names
from movi_prep.formats.reading import reading
from movi_prep.geometry.rotations import cross_matrices
from movi_prep.records.calibrated_camera import CalibratedCamera
from movi_prep.records.lens import fisheye_lens, opencv_lens

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.lens import Lens

_N_FOCAL = {"SIMPLE_PINHOLE": 1, "PINHOLE": 2, "SIMPLE_RADIAL": 1, "RADIAL": 1, "OPENCV": 2, "OPENCV_FISHEYE": 2}
_N_LENS = {"SIMPLE_PINHOLE": 0, "PINHOLE": 0, "SIMPLE_RADIAL": 1, "RADIAL": 2, "OPENCV": 4, "OPENCV_FISHEYE": 4}
_REMEDY = "export the model as text (colmap model_converter --output_type TXT)"


def read_colmap_cameras(folder: Path, *, metres_per_unit: float) -> tuple[CalibratedCamera, ...]:
    """Read the cameras of a model folder, each with a pose for every picture it took, sorted by the picture's name.

    Args:
        folder: holds `cameras.txt` and `images.txt`.
        metres_per_unit: length of one unit of the model's world; COLMAP leaves it open.

    Raises:
        MissingError: a file is not there.
        InputError: a line cannot be read, or a camera has a model that is not in the table.
    """
    poses = _poses(folder / "images.txt")
    cameras = []
    for camera_id, words in _lines_of_cameras(folder / "cameras.txt"):
        # By name, not by IMAGE_ID: COLMAP numbers pictures in the order in which it read them.
        own = sorted((pose for pose in poses if pose.camera_id == camera_id), key=lambda pose: pose.picture)
        # A camera without a picture has no pose: it is in the model, but of no use.
        if own:
            cameras.append(_camera(camera_id, words, own, folder / "cameras.txt", metres_per_unit))
    if not cameras:
        raise InputError(folder, expected="cameras that took pictures", got="none", remedy=_REMEDY)
    return tuple(cameras)


@dataclass(frozen=True)
class _Pose:
    """The pose of one picture, world to camera."""

    camera_id: str
    picture: str
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]


def _lines_of_cameras(path: Path) -> list[tuple[str, list[str]]]:
    rows = [line.split() for line in _text(path).splitlines() if line.strip() and not line.startswith("#")]
    return [(row[0], row[1:]) for row in rows]


def _camera(
    camera_id: str, words: list[str], poses: list[_Pose], path: Path, metres_per_unit: float
) -> CalibratedCamera:
    where = f"{path}: camera {camera_id}"
    model = words[0] if words else ""
    if model not in _N_FOCAL:
        raise InputError(where, expected=f"a model of {list_names(_N_FOCAL)}", got=repr(model), remedy=_REMEDY)
    n_focal, n_lens = _N_FOCAL[model], _N_LENS[model]
    values = _floats(words[1:], 2 + n_focal + 2 + n_lens, where)
    size, focal, centre, bent = np.split(values, [2, 2 + n_focal, 4 + n_focal])
    intrinsics = np.eye(3)
    intrinsics[[0, 1], [0, 1]] = focal
    # See the head of this module: (0, 0) is a corner in COLMAP and a pixel's centre here.
    intrinsics[:2, 2] = centre - 0.5
    return CalibratedCamera(
        name=camera_id,
        intrinsics_px=intrinsics,
        lens=_lens(model, bent, where),
        size_px=(int(size[0]), int(size[1])),
        rotations=np.array([pose.rotation for pose in poses]),
        translations_m=np.array([pose.translation for pose in poses]) * metres_per_unit,
        pictures=tuple(pose.picture for pose in poses),
        source=where,
    )


def _lens(model: str, bent: NDArray[np.float64], where: str) -> Lens:
    if model == "OPENCV_FISHEYE":
        return fisheye_lens(bent, source=where)
    # SIMPLE_RADIAL and RADIAL are OPENCV with its last coefficients at 0.
    return opencv_lens(np.concatenate([bent, np.zeros(4 - len(bent))]), source=where)


def _poses(path: Path) -> list[_Pose]:
    # The second line of a picture may be empty; only comments may stand in between.
    lines = [line for line in _text(path).splitlines() if not line.startswith("#")]
    while lines and not lines[-1].strip():
        lines.pop()
    return [_pose(line, f"{path}: picture {number}") for number, line in enumerate(lines[::2], 1)]


def _pose(line: str, where: str) -> _Pose:
    # The name comes last and may contain spaces.
    words = line.split(maxsplit=9)
    if len(words) != 10:
        expected = "IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME"
        raise InputError(where, expected=expected, got=repr(line[:80]), remedy=_REMEDY)
    values = _floats(words[1:8], 7, where)
    # Printed digits leave a quaternion slightly off length 1, and the rotation off a rotation.
    length = float(np.linalg.norm(values[:4]))
    if length == 0:
        raise InputError(where, expected="a quaternion", got="0 0 0 0", remedy=_REMEDY)
    return _Pose(words[8], words[9].strip(), _from_quaternion(values[:4] / length), values[4:])


def _from_quaternion(wxyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (3, 3) rotation of a unit quaternion, w first (COLMAP, Eigen)."""
    cross = cross_matrices(wxyz[1:])
    # Rodrigues' formula for a quaternion (w, v): I + 2 w [v] + 2 [v]^2.
    return np.asarray(np.eye(3) + 2.0 * wxyz[0] * cross + 2.0 * cross @ cross)


def _floats(words: list[str], count: int, where: str) -> NDArray[np.float64]:
    with reading(where, expected=f"{count} numbers", remedy=_REMEDY):
        values = np.array([float(word) for word in words])
    if len(values) != count or not np.isfinite(values).all():
        raise InputError(where, expected=f"{count} finite numbers", got=" ".join(words)[:80], remedy=_REMEDY)
    return values


def _text(path: Path) -> str:
    with reading(path, expected="a text file of COLMAP", remedy=_REMEDY):
        # Windows editors put a byte order mark in front; it would become part of the first word.
        return path.read_text(encoding="utf-8-sig")
