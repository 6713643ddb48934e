"""Cameras of Pose2Sim: `Calib.toml`, one table for each camera.

| key | shape | content |
|---|---|---|
| name | text | name of the camera; the table's own where it is missing |
| size | (2,) | width and height, pixels |
| matrix | (3, 3) | intrinsics, pixels, 0-based |
| distortions | (4,) | k1 k2 p1 p2, or the four of `cv::fisheye` |
| rotation | (3,) | Rodrigues' vector, world to camera |
| translation | (3,) | metres, world to camera |
| fisheye | truth value | which lens model the distortions are of |

The table `metadata` (adjusted, error) is not a camera.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import InputError
from movi_prep.formats.reading import reading
from movi_prep.geometry.rotations import matrices_from_axis_angles
from movi_prep.records.calibrated_camera import CalibratedCamera
from movi_prep.records.lens import fisheye_lens, opencv_lens

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_REMEDY = "write the file again with Pose2Sim's calibration"


def read_pose2sim_cameras(path: Path) -> tuple[CalibratedCamera, ...]:
    """Read every camera of a `Calib.toml`, in the order of the file.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is not TOML, holds no camera, or one lacks something.
    """
    with reading(path, expected="a Calib.toml of Pose2Sim", remedy=_REMEDY):
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    # Tells cameras from `metadata`, whatever else future versions add.
    tables = {key: table for key, table in content.items() if isinstance(table, dict) and "matrix" in table}
    if not tables:
        raise InputError(path, expected="a table with a matrix for each camera", got="none", remedy=_REMEDY)
    return tuple(_camera(key, table, path) for key, table in tables.items())


def _camera(key: str, table: dict[str, Any], path: Path) -> CalibratedCamera:
    where = f"{path}: [{key}]"
    make_lens = fisheye_lens if table.get("fisheye", False) else opencv_lens
    size = _numbers(table, "size", (2,), where)
    return CalibratedCamera(
        name=str(table.get("name", key)),
        intrinsics_px=_numbers(table, "matrix", (3, 3), where),
        # None, not zeros: a lens that is not stated is reported, a straight one is not.
        lens=make_lens(_numbers(table, "distortions", None, where), source=f"{where}: distortions")
        if "distortions" in table
        else None,
        size_px=(int(size[0]), int(size[1])),
        rotations=matrices_from_axis_angles(_numbers(table, "rotation", (3,), where))[None],
        translations_m=_numbers(table, "translation", (3,), where)[None],
        pictures=(),
        source=where,
    )


def _numbers(table: dict[str, Any], key: str, shape: tuple[int, ...] | None, where: str) -> NDArray[np.float64]:
    """Return the numbers of an entry; None for any number of them, in one row."""
    with reading(f"{where}: {key}", expected="numbers", remedy=_REMEDY):
        values = np.asarray(table.get(key, []), dtype=np.float64)
    if shape is not None and (values.shape != shape or not np.isfinite(values).all()):
        expected = f"finite numbers of shape {shape}"
        raise InputError(f"{where}: {key}", expected=expected, got=f"shape {values.shape}", remedy=_REMEDY)
    return values if shape is not None else values.ravel()
