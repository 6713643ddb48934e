"""Camera calibration as OpenCV's programs write it: one camera in a YAML, XML or JSON file (`cv::FileStorage`).

| key (any of) | shape | content |
|---|---|---|
| camera_matrix, cameraMatrix, K, intrinsics, mtx | (3, 3) | pixels, 0-based |
| distortion_coefficients, dist_coeffs, distCoeffs, D, dist | 0, 4, 5, 8, 12, 14 | k1 k2 p1 p2 k3 to k6 s1 to s4 tx ty |
| image_width, image_height; or image_size, resolution | 1; 2 | pixels |
| rvec, R, rotation, rotation_matrix | (3,) or (3, 3) | world to camera: Rodrigues' vector or matrix; may be missing |
| tvec, T, t, translation | (3,) | world to camera, in the unit of the calibration board |
| fisheye, or camera_model, distortion_model | truth value, text | whether the coefficients are those of `cv::fisheye` |

Matrices are mappings with `rows`, `cols`, `data` (as OpenCV writes them), or nested lists.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.config.yaml_text import parse_yaml
from movi_prep.errors import InputError, list_names
from movi_prep.formats.reading import reading
from movi_prep.geometry.rotations import matrices_from_axis_angles
from movi_prep.records.calibrated_camera import CalibratedCamera
from movi_prep.records.lens import fisheye_lens, opencv_lens

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_MATRIX = ("camera_matrix", "cameraMatrix", "K", "intrinsics", "mtx")
_DISTORTION = ("distortion_coefficients", "distCoeffs", "dist_coeffs", "D", "dist")
_ROTATION = ("rvec", "R", "rotation", "rotation_matrix")
_TRANSLATION = ("tvec", "T", "t", "translation")
_SIZE = ("image_size", "resolution", "size")
_MODEL = ("camera_model", "distortion_model")
_REMEDY = "name the file that OpenCV's calibration wrote, with intrinsics and pose of one camera"


def read_opencv_camera(path: Path, *, metres_per_unit: float = 1.0, name: str | None = None) -> CalibratedCamera:
    """Read one camera.

    Args:
        path: .yaml, .yml, .xml or .json.
        metres_per_unit: of the translation; 0.001 where the board was measured in millimetres.
        name: of the camera; None: the name of the file.

    Raises:
        MissingError: the file does not exist.
        InputError: the file cannot be read, lacks something, or its numbers cannot be a calibration.
    """
    with reading(path, expected="a camera calibration of OpenCV (YAML, XML or JSON)", remedy=_REMEDY):
        content = _content(path)
    size = _size(content, path)
    # The coefficients of both models look alike, four numbers: only the file can say which they are.
    make_lens = fisheye_lens if _is_fisheye(content) else opencv_lens
    lens = None
    if key := _key(content, _DISTORTION):
        # Named as the file names it: a user looks for that word.
        lens = make_lens(_array(content, _DISTORTION, path).ravel(), source=f"{path}: {key}")
    rotations, translations = _pose(content, path) if _key(content, (*_ROTATION, *_TRANSLATION)) else _NO_POSE
    return CalibratedCamera(
        name=name or path.stem,
        intrinsics_px=_shaped(content, _MATRIX, (3, 3), path),
        lens=lens,
        size_px=size,
        rotations=rotations,
        translations_m=translations * metres_per_unit,
        pictures=(),
        source=str(path),
    )


_NO_POSE = np.zeros((0, 3, 3)), np.zeros((0, 3))
"""The poses of a file that holds intrinsics only: those of a moving camera come from another file."""


def _pose(content: Mapping[str, Any], path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if _array(content, _ROTATION, path).size == 3:
        rotation = matrices_from_axis_angles(_shaped(content, _ROTATION, (3,), path))
    else:
        rotation = _shaped(content, _ROTATION, (3, 3), path)
    return rotation[None], _shaped(content, _TRANSLATION, (3,), path)[None]


def _content(path: Path) -> Mapping[str, Any]:
    text = path.read_text(encoding="utf-8-sig")
    suffix = path.suffix.lower()
    content: Any
    if suffix == ".xml":
        content = _from_xml(ET.fromstring(text))  # noqa: S314 - a document of the user; expat bounds entities
    elif suffix == ".json":
        content = json.loads(text)
    else:
        # OpenCV's header is not a YAML directive, and its tags name mappings of rows, cols (or sizes) and data.
        content = parse_yaml(re.sub(r"\A%YAML[^\n]*\n|!!opencv-(nd-)?matrix", "", text))
    if not isinstance(content, dict):
        raise InputError(path, expected="a mapping of names to values", got=type(content).__name__, remedy=_REMEDY)
    return content


def _from_xml(element: ET.Element) -> Any:
    """Return the content of an element of `cv::FileStorage`: a mapping, a list of numbers, or text."""
    if len(element):
        return {child.tag: _from_xml(child) for child in element}
    words = (element.text or "").split()
    try:
        # `cv::FileStorage` writes no types in XML: what parses as numbers is numbers.
        numbers = [float(word) for word in words]
    except ValueError:
        return " ".join(words)
    return numbers[0] if len(numbers) == 1 else numbers


def _key(content: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Return the first of the names that a file has, "" where it has none."""
    return next((name for name in names if name in content), "")


def _array(content: Mapping[str, Any], names: tuple[str, ...], path: Path) -> NDArray[np.float64]:
    key = _key(content, names)
    if not key:
        got = f"only {list_names(map(str, content))}"
        raise InputError(path, expected=f"one of {', '.join(names)}", got=got, remedy=_REMEDY)
    found = content[key]
    shape: tuple[int, ...] | None = None
    with reading(f"{path}: {key}", expected="numbers", remedy=_REMEDY):
        if isinstance(found, dict) and "data" in found:
            # Some writers put rows and cols into lists of one.
            shape = tuple(int(np.ravel(found[side])[0]) for side in ("rows", "cols") if side in found)
            found = found["data"]
        values = np.asarray(found, dtype=np.float64)
        return values.reshape(shape) if shape else values


def _shaped(
    content: Mapping[str, Any], names: tuple[str, ...], shape: tuple[int, ...], path: Path
) -> NDArray[np.float64]:
    values = _array(content, names, path)
    if values.size != prod(shape):
        where = f"{path}: {_key(content, names)}"
        raise InputError(where, expected=f"shape {shape}", got=f"shape {values.shape}", remedy=_REMEDY)
    return values.reshape(shape)


def _size(content: Mapping[str, Any], path: Path) -> tuple[int, int] | None:
    if {"image_width", "image_height"} <= content.keys():
        size = [_array(content, (name,), path).ravel()[0] for name in ("image_width", "image_height")]
    elif _key(content, _SIZE):
        size = list(_shaped(content, _SIZE, (2,), path))
    else:
        return None
    width, height = size
    # Written so that NaN fails.
    if not (width >= 1 and height >= 1 and np.isfinite([width, height]).all()):
        raise InputError(path, expected="an image size in pixels", got=f"{width:g} x {height:g}", remedy=_REMEDY)
    return int(width), int(height)


def _is_fisheye(content: Mapping[str, Any]) -> bool:
    told = next((str(content[name]) for name in _MODEL if name in content), "")
    return str(content.get("fisheye", "")).strip().lower() in ("true", "1", "1.0") or "fisheye" in told.lower()
