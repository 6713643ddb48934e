"""Files of joblib and of torch: what networks wrote comes back, and nothing that could run code is called."""

from __future__ import annotations

import gzip
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from movi_prep.errors import InputError
from movi_prep.formats.joblib_pickle import is_joblib, load_joblib
from movi_prep.formats.motion_files import open_motion
from movi_prep.formats.pose_results import read_posed_persons
from movi_prep.formats.torch_file import load_torch
from movi_prep.recordings.folders import Folders
from movi_prep.recordings.pose_results import find_pose_results
from tests.builders.joblib_file import joblib_bytes
from tests.builders.pose_result_files import upright_poses

N = 20
UP = np.array([0.0, 1.0, 0.0])


def _wham(*, first: int = 0, frames: np.ndarray | None = None) -> dict[int, dict[str, np.ndarray]]:
    """Return what WHAM writes of two people, whose poses in the camera are others than in the world."""
    return {
        track: {
            "pose": np.full((N, 72), 9.0, np.float32),
            "trans": np.full((N, 3), 9.0, np.float32),
            "pose_world": upright_poses(N, up=UP, seed=track).astype(np.float32),
            "trans_world": np.full((N, 3), float(track)),
            "betas": np.zeros((N, 10), np.float32),
            "verts": np.asfortranarray(np.zeros((N, 7, 3), np.float32)),
            "frame_ids": np.arange(first, first + N) if frames is None else frames,
        }
        for track in (0, 4)
    }


PACKED = {"plain": bytes, "zlib": zlib.compress, "gzip": gzip.compress}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("packed", PACKED)
def test_people_of_wham_are_read_in_the_world(tmp_path: Path, packed: str, protocol: int) -> None:
    wanted = _wham(first=3)
    path = tmp_path / "wham_output.pkl"
    path.write_bytes(PACKED[packed](joblib_bytes(wanted, protocol=protocol)))
    for person, track in zip(read_posed_persons(path), wanted.values(), strict=True):
        np.testing.assert_array_equal(person.poses_rad.reshape(N, 72), track["pose_world"])
        np.testing.assert_array_equal(person.translation_m, track["trans_world"])
        assert any("first_frame: 3" in text for text in person.findings)


@pytest.mark.parametrize(
    "array", [np.arange(6).reshape(2, 3), np.asfortranarray(np.eye(3)[:2]), np.float32([1]), np.array([None, "x"])]
)
def test_arrays_of_joblib_come_back(array: np.ndarray) -> None:
    content = joblib_bytes({"before": 1, "array": array, "twice": [array, array], "after": "x"})
    assert is_joblib(content)
    back = load_joblib(content, where="x.pkl", remedy="")
    for each in (back["array"], *back["twice"]):
        np.testing.assert_array_equal(each, array)
        assert each.dtype == array.dtype
    assert (back["before"], back["after"]) == (1, "x")


def test_frames_that_are_missing_between_poses_are_refused(tmp_path: Path) -> None:
    frames = np.arange(N) + (np.arange(N) >= 5)
    path = tmp_path / "wham_output.pkl"
    path.write_bytes(joblib_bytes(_wham(frames=frames)))
    with pytest.raises(InputError) as caught:
        read_posed_persons(path)
    assert caught.value.where.endswith("frame_ids")


def _gvhmr() -> dict[str, Any]:
    poses = torch.tensor(upright_poses(N, up=UP), dtype=torch.float32)
    world = {
        "global_orient": poses[:, :3],
        "body_pose": poses[:, 3:66],
        "betas": torch.zeros(1, 10).expand(N, 10),
        "transl": torch.arange(3.0 * N).reshape(3, N).T,
    }
    return {
        "smpl_params_global": world,
        "smpl_params_incam": {name: values + 9 for name, values in world.items()},
        "K_fullimg": torch.eye(3).expand(N, 3, 3),
        "net_outputs": {"mask": [torch.ones(4, dtype=torch.bool)], "size": torch.Size([2, 3])},
    }


def test_a_person_of_gvhmr_is_read_in_the_world(tmp_path: Path) -> None:
    path, wanted = tmp_path / "hmr4d_results.pt", _gvhmr()
    torch.save(wanted, path)
    world = {name: values.numpy() for name, values in wanted["smpl_params_global"].items()}
    (person,) = read_posed_persons(path)
    poses = np.hstack([world["global_orient"], world["body_pose"]])
    np.testing.assert_array_equal(person.poses_rad.reshape(N, -1), poses)
    np.testing.assert_array_equal(person.translation_m, world["transl"])
    with open_motion(path, rate_hz=30.0) as file:
        assert (file.shape.body, file.n_samples) == ("SMPL-X", N)
    found = find_pose_results(Folders(amass=tmp_path), "results")
    assert [str(clip) for clip in found.motions] == ["hmr4d_results/hmr4d_results"]


@pytest.mark.parametrize("tensor", [torch.arange(12.0).reshape(3, 4)[:, 1:3], torch.zeros(0, 3), torch.tensor(2.5)])
def test_tensors_are_their_part_of_a_storage(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save({"it": tensor, "again": tensor}, tmp_path / "x.pt")
    back = load_torch((tmp_path / "x.pt").read_bytes(), where="x.pt", remedy="")
    np.testing.assert_array_equal(back["it"], tensor.numpy())
    np.testing.assert_array_equal(back["again"], tensor.numpy())


class _Bomb:
    called = False

    def __reduce__(self) -> Any:
        return setattr, (_Bomb, "called", True)


@pytest.mark.parametrize("suffix", [".pkl", ".pt"])
def test_a_file_that_would_run_code_is_refused_and_says_how_to_convert_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bomb{suffix}"
    if suffix == ".pt":
        torch.save({"x": torch.zeros(3), "y": _Bomb()}, path)
    else:
        path.write_bytes(joblib_bytes({"x": np.zeros(3), "y": _Bomb()}))
    with pytest.raises(InputError) as caught:
        read_posed_persons(path)
    assert not _Bomb.called
    assert "np.savez('bomb.npz'" in caught.value.remedy


def test_a_view_beyond_its_storage_is_refused(tmp_path: Path) -> None:
    torch.save({"it": torch.arange(12.0).reshape(3, 4)}, tmp_path / "x.pt")
    with zipfile.ZipFile(tmp_path / "x.pt") as whole, zipfile.ZipFile(tmp_path / "y.pt", "w") as changed:
        for name in whole.namelist():
            # The pickle of a tuple of three rows becomes one of ninety.
            content = whole.read(name).replace(b"K\x03K\x04\x86", b"K\x5aK\x04\x86")
            changed.writestr(name, content)
    with pytest.raises(InputError):
        load_torch((tmp_path / "y.pt").read_bytes(), where="y.pt", remedy="")


def test_what_is_cut_or_packed_in_a_rare_way_is_refused() -> None:
    content = joblib_bytes(_wham())
    for damaged in (content[:-40], zlib.compress(content)[:-9], b"BZ" + content, pickle.dumps(_wham())[:-9]):
        with pytest.raises(InputError):
            load_joblib(damaged, where="x.pkl", remedy="")


def test_people_by_frame_are_refused_with_the_lines_that_convert_them(tmp_path: Path) -> None:
    person = {"global_orient": np.eye(3)[None], "body_pose": np.tile(np.eye(3), (23, 1, 1)), "betas": np.zeros(10)}
    frames = {f"{k}.jpg": {"tid": [1], "smpl": [person], "time": k} for k in range(3)}
    path = tmp_path / "demo_walk.pkl"
    path.write_bytes(zlib.compress(joblib_bytes(frames)))
    with pytest.raises(InputError) as caught:
        read_posed_persons(path)
    assert "track_1.npz" in caught.value.remedy
