"""The demo's two cameras: a frontal one and one at the side, as in BML-MoVi, with this project's own numbers.

| file | name | shape | content |
|---|---|---|---|
| cameraParams_CAM.npz, .pkl | IntrinsicMatrix | (3, 3) | transposed: principal point in row 2, 1-based, pixels |
| | RadialDistortion | (2,) | k1, k2 |
| Extrinsics_CAM.npz, .pkl, .mat | rotationMatrix | (3, 3) | row convention: x_camera = x_movi R + t |
| | translationVector | (3,), in .mat (1, 3) | millimetres |

MATLAB stores cameraParams_CAM.mat as an object that only MATLAB can read; the demo leaves it out.
"""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.demo.matlab import write_mat
from movi_prep.demo.rotations import apply, turn
from movi_prep.formats.atomic import atomic_path, write_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

IMAGE_SIZE_PX = (800, 600)
"""Width and height of PG1 and PG2, pixels."""

AMASS_TO_MOVI = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
"""Axes of AMASS world to axes of MoVi world: (x, y, z) -> (-y, x, z)."""


@dataclass(frozen=True)
class DemoCamera:
    """A camera of the demo: pixels are 0-based with centres at integers, metres, AMASS world.

    Attributes:
        name: PG1 or PG2.
        focal_px: fx, fy.
        centre_px: cx, cy, 0-based.
        radial: k1, k2.
        rotation: (3, 3) AMASS world to camera (x right, y down, z forward).
        translation_m: (3,) metres.
    """

    name: str
    focal_px: tuple[float, float]
    centre_px: tuple[float, float]
    radial: tuple[float, float]
    rotation: NDArray[np.float64]
    translation_m: NDArray[np.float64]

    @property
    def position_m(self) -> NDArray[np.float64]:
        """Place of the camera, (3,) metres, AMASS world."""
        place: NDArray[np.float64] = -self.rotation.T @ self.translation_m
        return place

    def project(self, points_m: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return pixels (..., 2) and depths (...,) in metres of world points (..., 3)."""
        seen = apply(self.rotation, points_m) + self.translation_m
        flat = seen[..., :2] / seen[..., 2:]
        squared = (flat**2).sum(-1, keepdims=True)
        bent = flat * (1.0 + self.radial[0] * squared + self.radial[1] * squared**2)
        return bent * self.focal_px + self.centre_px, seen[..., 2]

    def rays(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return directions (..., 3), AMASS world, of pixels (..., 2): the inverse of `project`."""
        bent = (pixels - self.centre_px) / self.focal_px
        flat = bent.copy()
        for _ in range(10):  # the fixed point of the distortion; ten rounds reach 1e-8 in the corners
            squared = (flat**2).sum(-1, keepdims=True)
            flat = bent / (1.0 + self.radial[0] * squared + self.radial[1] * squared**2)
        ahead = np.concatenate([flat, np.ones_like(flat[..., :1])], axis=-1)
        return apply(self.rotation.T, ahead)


def _standing_at(position_m: tuple[float, float, float], yaw_deg: float, down_deg: float, roll_deg: float) -> tuple[
    NDArray[np.float64], NDArray[np.float64]
]:  # fmt: skip
    """Return rotation and translation of a camera; yaw 0 looks along +y of AMASS world, positive turns left."""
    # From the world's z up to a camera's y down, looking along +y.
    upright = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    # From the right: the heading in the world, the camera's axes, then its tilt and its roll.
    rotation = turn("z", roll_deg) @ turn("x", down_deg) @ upright @ turn("z", -yaw_deg)
    return rotation, -rotation @ np.array(position_m)


def demo_cameras() -> tuple[DemoCamera, DemoCamera]:
    """Return PG1, about 5 m in front of the middle of the room, and PG2, about 4 m to its side."""
    frontal = _standing_at((0.09, -5.18, 1.42), yaw_deg=1.3, down_deg=4.7, roll_deg=0.9)
    side = _standing_at((-4.25, -0.31, 1.47), yaw_deg=-87.6, down_deg=8.4, roll_deg=-0.7)
    return (
        DemoCamera(
            "PG1", (962.31724096, 960.84913571), (401.22718034, 296.55091347), (-0.17290416, 0.15137725), *frontal
        ),
        DemoCamera("PG2", (957.60482213, 958.97741838), (396.83051772, 303.71624481), (-0.21178533, 0.28804917), *side),
    )


def write_calibration(folder: Path, camera: DemoCamera) -> None:
    """Write the calibration files of one camera, in MATLAB's conventions."""
    (fx, fy), (cx, cy) = camera.focal_px, camera.centre_px
    intrinsics: dict[str, Any] = {
        # MATLAB counts pixels from 1.
        "IntrinsicMatrix": np.array([[fx, 0.0, 0.0], [0.0, fy, 0.0], [cx + 1.0, cy + 1.0, 1.0]]),
        "RadialDistortion": np.array(camera.radial),
    }
    # x_camera = R_amass F^T x_movi + t, and MATLAB multiplies rows from the left.
    extrinsics: dict[str, Any] = {
        "rotationMatrix": np.ascontiguousarray((camera.rotation @ AMASS_TO_MOVI.T).T),
        "translationVector": 1000.0 * camera.translation_m,
    }
    for stem, arrays in ((f"cameraParams_{camera.name}", intrinsics), (f"Extrinsics_{camera.name}", extrinsics)):
        with atomic_path(folder / f"{stem}.npz") as partial:
            np.savez(partial, **arrays)
        write_bytes(folder / f"{stem}.pkl", _pickled_as_in_2020(arrays))
    row = extrinsics | {"translationVector": extrinsics["translationVector"][None]}
    write_mat(folder / f"Extrinsics_{camera.name}.mat", row)


def _pickled_as_in_2020(arrays: dict[str, Any]) -> bytes:
    """Return a pickle (protocol 4) that names numpy's modules as numpy 1 did: the real files date from that time.

    A protocol 4 pickle is PROTO 4, FRAME, the length of the frame (8 bytes), the frame.
    """
    # PROTO and FRAME with its length: the frame is written anew, because the shorter names change its length.
    frame = pickle.dumps(arrays, protocol=4)[11:]
    for new, old in (
        (b"numpy._core.multiarray", b"numpy.core.multiarray"),
        (b"numpy._core.numeric", b"numpy.core.numeric"),
    ):
        frame = frame.replace(_short_text(new), _short_text(old))
    return b"\x80\x04\x95" + struct.pack("<Q", len(frame)) + frame


def _short_text(text: bytes) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text
