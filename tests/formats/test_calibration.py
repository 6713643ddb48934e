"""Calibration: MATLAB's conventions become ours in one place."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.calibration import read_camera
from movi_prep.geometry.projection import project_points
from tests.builders.calibration_files import (
    CENTRE_M,
    DISTORTION,
    TRANSLATION_M,
    WORLD_TO_CAMERA,
    extrinsic_arrays,
    intrinsic_arrays,
    write_calibration,
)
from tests.sentences import raises_recorded


@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
def test_every_kind_of_file_gives_the_same_camera(tmp_path: Path, suffix: str) -> None:
    camera = read_camera("PG1", *write_calibration(tmp_path, "PG1", suffix))
    np.testing.assert_allclose(camera.world_to_camera_rotation, WORLD_TO_CAMERA, atol=1e-15)
    np.testing.assert_allclose(camera.world_to_camera_translation_m, TRANSLATION_M, atol=1e-15)
    np.testing.assert_array_equal(camera.lens.coefficients[:2], DISTORTION)


def test_extrinsics_may_be_a_mat(tmp_path: Path) -> None:
    intrinsics, _ = write_calibration(tmp_path, "PG1", ".npz")
    _, extrinsics = write_calibration(tmp_path, "PG1", ".mat")
    np.testing.assert_allclose(
        read_camera("PG1", intrinsics, extrinsics).world_to_camera_translation_m, TRANSLATION_M, atol=1e-15
    )


def test_pixels_count_from_zero(tmp_path: Path) -> None:
    """What stands straight ahead is seen at MATLAB's principal point minus one."""
    camera = read_camera("PG1", *write_calibration(tmp_path, "PG1"))
    ahead = CENTRE_M + np.array([0.0, 2.5, 0.0])
    np.testing.assert_allclose(project_points(camera, ahead), (400.0, 300.0), atol=1e-12)


def test_a_pickle_never_runs_code(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    intrinsics, extrinsics = write_calibration(tmp_path, "PG1", ".pkl")
    intrinsics.write_bytes(pickle.dumps({"IntrinsicMatrix": Trap()}))
    with raises_recorded(InputError):
        read_camera("PG1", intrinsics, extrinsics)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_every_protocol_are_read(tmp_path: Path, protocol: int) -> None:
    intrinsics, extrinsics = write_calibration(tmp_path, "PG1", ".pkl")
    extrinsics.write_bytes(pickle.dumps(extrinsic_arrays(), protocol=protocol))
    camera = read_camera("PG1", intrinsics, extrinsics)
    np.testing.assert_allclose(camera.world_to_camera_rotation, WORLD_TO_CAMERA, atol=1e-15)


def _bad(**changes: object) -> dict[str, np.ndarray]:
    return {**intrinsic_arrays(), **extrinsic_arrays(), **changes}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_bad(IntrinsicMatrix=intrinsic_arrays()["IntrinsicMatrix"].T), "transpose the matrix"),
        (_bad(IntrinsicMatrix=np.eye(3)), "principal point inside"),
        (_bad(RadialDistortion=np.zeros(3)), r"RadialDistortion of shape \(2,\)"),
        (_bad(rotationMatrix=2 * np.eye(3)), "a rotation matrix"),
        (_bad(rotationMatrix=np.diag([1.0, 1.0, -1.0])), "a rotation matrix"),
        (_bad(rotationMatrix=np.full((3, 3), np.nan)), "finite rotationMatrix"),
        (_bad(rotationMatrix=extrinsic_arrays()["rotationMatrix"].T), "of an upright camera.*transpose the matrix"),
        (_bad(translationVector=TRANSLATION_M), "in millimetres"),
        ({"RadialDistortion": DISTORTION}, "an array 'rotationMatrix'"),
    ],
)
def test_numbers_that_cannot_be_a_calibration_are_refused(
    tmp_path: Path, content: dict[str, np.ndarray], message: str
) -> None:
    path = tmp_path / "PG1.npz"
    np.savez(path, **content)
    with pytest.raises(InputError, match=message):
        read_camera("PG1", path, path)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    intrinsics, extrinsics = write_calibration(tmp_path, "PG1")
    with raises_recorded(MissingError):
        read_camera("PG9", tmp_path / "cameraParams_PG9.npz", extrinsics)
    intrinsics.write_bytes(intrinsics.read_bytes()[:100])
    with raises_recorded(InputError):
        read_camera("PG1", intrinsics, extrinsics)
    objects = tmp_path / "objects.npz"
    np.savez(objects, IntrinsicMatrix=np.array([{}], dtype=object))
    with raises_recorded(InputError):
        read_camera("PG1", objects, extrinsics)
    mat = tmp_path / "wrong.mat"
    savemat(mat, {"other": 1.0})
    with raises_recorded(InputError):
        read_camera("PG1", mat, mat)


@pytest.mark.reference
@pytest.mark.parametrize("suffix", [".npz", ".pkl", ".mat"])
@pytest.mark.parametrize("name", ["PG1", "PG2"])
def test_the_real_calibration_gives_the_known_cameras(shared: Path, name: str, suffix: str) -> None:
    folder = shared / "reference/movi_calibration"
    inner_suffix = ".npz" if suffix == ".mat" else suffix
    camera = read_camera(name, folder / f"cameraParams_{name}{inner_suffix}", folder / f"Extrinsics_{name}{suffix}")
    tables = json.loads((shared / "reference/d3ke_tables.json").read_text())
    known = np.array(tables["cameras_amass_metres_to_camera_metres"][name]["extrinsic"])
    turn = camera.world_to_camera_rotation @ known[:, :3].T
    angle = np.degrees(np.arcsin(0.5 * np.linalg.norm(turn - turn.T) / np.sqrt(2)))
    assert angle < 0.01
    np.testing.assert_allclose(camera.world_to_camera_translation_m, known[:, 3], atol=1e-4)


@pytest.mark.reference
def test_the_real_camera_object_is_refused_with_a_remedy(shared: Path) -> None:
    folder = shared / "reference/movi_calibration"
    with raises_recorded(InputError):
        read_camera("PG1", folder / "cameraParams_PG1.mat", folder / "Extrinsics_PG1.mat")
