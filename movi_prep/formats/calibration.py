"""BML-MoVi's camera calibration, and the one place where its conventions become ours.

| file                    | array               | shape       | content                                             |
|-------------------------|---------------------|-------------|-----------------------------------------------------|
| `cameraParams_<camera>` | `IntrinsicMatrix`   | (3, 3)      | K transposed: principal point in row 2, px, 1-based |
|                         | `RadialDistortion`  | (2,)        | k1, k2 on normalised coordinates                    |
| `Extrinsics_<camera>`   | `rotationMatrix`    | (3, 3)      | R of row vectors: x_camera = x_world R + t          |
|                         | `translationVector` | (3,), (1, 3) | t, mm                                              |

As .npz, .pkl (a dict of the same arrays) or .mat. `cameraParams_*.mat` holds a MATLAB object that only MATLAB opens.

With column vectors, metres and AMASS' axes, and F from AMASS to MoVi world:

    K_ours = K^T,  cx - 1,  cy - 1              R_ours = R^T F              t_ours = t / 1000
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import InputError, MissingError, list_names
from movi_prep.formats.array_pickle import read_array_pickle
from movi_prep.formats.npz import NpzArchive
from movi_prep.formats.reading import check_real, reading
from movi_prep.formats.v3d import load_mat
from movi_prep.geometry.frames import AMASS_TO_MOVI
from movi_prep.records.camera import Camera
from movi_prep.records.checks import check_finite, frozen_array
from movi_prep.records.lens import radial_lens

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_LARGEST_ARRAY_BYTES = 4096
"""A camera is a few numbers."""

MILLIMETRES = 1e-3

_SHORTEST_TRANSLATION_MM = 100.0
"""No camera stands 10 cm from the middle of the room; shorter means that the file is in metres."""

_LARGEST_ROLL_DEG = 45.0
"""The room's cameras stand upright; a rotation stored the other way round lays them on their side."""

_LEVEL_ENOUGH = 0.3
"""Sine of the angle between the optical axis and the vertical: below it (17 degrees) a camera is too steep."""


def read_camera(name: str, intrinsics: Path, extrinsics: Path, size_px: tuple[int, int] = (800, 600)) -> Camera:
    """Read one camera's calibration and turn it into our conventions.

    Args:
        name: "PG1" or "PG2" (or a user's own).
        intrinsics: `cameraParams_<camera>` as .npz or .pkl.
        extrinsics: `Extrinsics_<camera>` as .npz, .pkl or .mat.
        size_px: width and height of the video, pixels.

    Raises:
        MissingError: a file is not there.
        InputError: a file cannot be read, lacks an array, or its numbers cannot be a calibration.
    """
    inner, outer = _read_arrays(intrinsics), _read_arrays(extrinsics)
    rotation = _array(outer, "rotationMatrix", (3, 3), extrinsics)
    _check_upright(rotation, extrinsics)
    return Camera(
        name=name,
        intrinsics_px=frozen_array(
            _intrinsics(_array(inner, "IntrinsicMatrix", (3, 3), intrinsics), intrinsics, size_px)
        ),
        lens=radial_lens(*_array(inner, "RadialDistortion", (2,), intrinsics)),
        # The file turns MoVi world; ours is AMASS world, a quarter turn about the vertical away.
        world_to_camera_rotation=frozen_array(rotation.T @ AMASS_TO_MOVI),
        world_to_camera_translation_m=frozen_array(_translation_m(outer, extrinsics)),
        size_px=size_px,
        source=f"{intrinsics}, {extrinsics}",
    )


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    with reading(path, expected="a calibration file"):
        return _read_by_suffix(path)


def _read_by_suffix(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise MissingError(
            path,
            expected="a calibration file",
            got="no file",
            remedy="unpack 'Camera Parameters.tar' or check --calibration",
        )
    if path.suffix == ".pkl":
        return read_array_pickle(path)
    if path.suffix == ".mat":
        return _read_mat(path)
    with NpzArchive(path) as archive:
        # Larger arrays are not read: a camera has none, and they can be of any size.
        small = (name for name in archive.names if archive.header(name).n_bytes <= _LARGEST_ARRAY_BYTES)
        return {name: archive.read(name) for name in small}


def _read_mat(path: Path) -> dict[str, NDArray[Any]]:
    content = load_mat(path)
    # How scipy shows a MATLAB object that it cannot open: its workspace, or an array without a
    # name.
    if "__function_workspace__" in content or "None" in content:
        raise InputError(
            path,
            expected="plain arrays",
            got="a MATLAB object (cameraParameters), which only MATLAB can open",
            remedy=f"use {path.with_suffix('.npz').name} or {path.with_suffix('.pkl').name}",
        )
    return {key: value for key, value in content.items() if not key.startswith("__")}


def _array(content: dict[str, NDArray[Any]], name: str, shape: tuple[int, ...], path: Path) -> NDArray[np.float64]:
    remedy = "check that this is the calibration file of this camera"
    if name not in content:
        raise InputError(path, expected=f"an array {name!r}", got=f"only {list_names(content)}", remedy=remedy)
    raw = np.asarray(content[name])
    # MATLAB has no vectors: (1, 3) and (3, 1) are its (3,).
    fits = raw.shape == shape or (len(shape) == 1 and raw.size == shape[0] and raw.ndim == 2)
    check_real(raw.dtype, where=path, name=name, remedy=remedy)
    if not fits:
        raise InputError(
            path, expected=f"{name} of shape {shape}", got=f"shape {raw.shape} of {raw.dtype}", remedy=remedy
        )
    values = raw.astype(np.float64).reshape(shape)
    check_finite(values, what=name, where=str(path))
    return values


def _intrinsics(matrix: NDArray[np.float64], path: Path, size_px: tuple[int, int]) -> NDArray[np.float64]:
    """Return K of column vectors with a 0-based principal point; refuse one that is not stored transposed."""
    # Exactly zero: MATLAB writes these as constants, so that any other number is a principal point.
    if np.abs(matrix[:2, 2]).max() > 0 or matrix[2, 2] != 1.0:
        raise InputError(
            path,
            expected="IntrinsicMatrix as MATLAB stores it, transposed, last column (0, 0, 1)",
            got=f"last column {matrix[:, 2].tolist()}",
            remedy="transpose the matrix in the file",
        )
    # MATLAB multiplies rows from the left, [x y z] K; OpenCV, and everything here, columns from the right.
    K = matrix.T.copy()
    # MATLAB counts pixels from 1.
    K[:2, 2] -= 1.0
    # A principal point outside the picture betrays another unit, or the calibration of another video.
    inside = 0 < K[0, 2] < size_px[0] and 0 < K[1, 2] < size_px[1]
    if not inside or K[0, 0] <= 0 or K[1, 1] <= 0:
        raise InputError(
            path,
            expected=f"positive focal lengths and a principal point inside {size_px[0]}x{size_px[1]} pixels",
            got=f"focal lengths {K[0, 0]:g}, {K[1, 1]:g}, principal point {K[0, 2]:g}, {K[1, 2]:g}",
            remedy="check that this calibration belongs to this video",
        )
    return K


def _translation_m(content: dict[str, NDArray[Any]], path: Path) -> NDArray[np.float64]:
    translation_mm = _array(content, "translationVector", (3,), path)
    length_mm = float(np.linalg.norm(translation_mm))
    if length_mm < _SHORTEST_TRANSLATION_MM:
        raise InputError(
            path,
            expected="translationVector in millimetres",
            got=f"a camera {length_mm:.3g} mm from the world's origin",
            remedy="multiply by 1000 if the file is in metres",
        )
    return translation_mm * MILLIMETRES


def _check_upright(rotation: NDArray[np.float64], path: Path) -> None:
    """Refuse a MATLAB rotation (row vectors, MoVi's z up) that turns the picture by over 45 degrees."""
    # A rotation that was transposed twice is a rotation still: only what it does to the vertical gives it away.
    right, down, _ = rotation[2]  # where the world's up points in the camera
    roll_deg = float(np.degrees(np.arctan2(right, -down)))
    if np.hypot(right, down) > _LEVEL_ENOUGH and abs(roll_deg) > _LARGEST_ROLL_DEG:
        raise InputError(
            path,
            expected="rotationMatrix of an upright camera, as MATLAB stores it (transposed)",
            got=f"a camera rolled by {roll_deg:.0f} deg",
            remedy="transpose the matrix in the file",
        )
