"""Calibration files in MATLAB's conventions, of a camera whose pose can be said aloud."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
from scipy.io import savemat

# A camera 4 m from the origin along AMASS' -y, 1 m up, level, looking along +y (column vectors, OpenCV axes:
# right is AMASS +x, down is AMASS -z, forward is AMASS +y).
WORLD_TO_CAMERA = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
CENTRE_M = np.array([0.0, -4.0, 1.0])
TRANSLATION_M = -WORLD_TO_CAMERA @ CENTRE_M
FOCAL_PX = 1000.0
PRINCIPAL_0BASED_PX = (400.0, 300.0)
DISTORTION = np.array([-0.2, 0.2])

# MoVi world is AMASS world turned: (x, y, z) -> (-y, x, z).
MOVI_FROM_AMASS = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def intrinsic_arrays() -> dict[str, np.ndarray]:
    """Return cameraParams as MATLAB stores them: transposed, 1-based principal point."""
    cx, cy = PRINCIPAL_0BASED_PX
    matrix = np.array([[FOCAL_PX, 0.0, cx + 1.0], [0.0, FOCAL_PX, cy + 1.0], [0.0, 0.0, 1.0]]).T
    return {"IntrinsicMatrix": matrix, "RadialDistortion": DISTORTION}


def extrinsic_arrays() -> dict[str, np.ndarray]:
    """Return Extrinsics as MATLAB stores them: row vectors, MoVi world, millimetres."""
    column_form = WORLD_TO_CAMERA @ MOVI_FROM_AMASS.T
    return {"rotationMatrix": column_form.T, "translationVector": 1000.0 * TRANSLATION_M}


def write_calibration(folder: Path, camera: str, suffix: str = ".npz") -> tuple[Path, Path]:
    """Write both files of one camera and return their paths."""
    paths = folder / f"cameraParams_{camera}{suffix}", folder / f"Extrinsics_{camera}{suffix}"
    for path, arrays in zip(paths, (intrinsic_arrays(), extrinsic_arrays()), strict=True):
        if suffix == ".npz":
            np.savez(path, **arrays)
        elif suffix == ".pkl":
            path.write_bytes(pickle.dumps(arrays))
        else:
            savemat(path, arrays)
    return paths
