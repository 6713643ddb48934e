"""Poses of 3DPW, EMDB and networks: the same motion from each, and what the files do not say."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from movi_prep.config.footage import MotionChoice
from movi_prep.errors import InputError
from movi_prep.formats.motion_files import open_motion, read_subject_shape
from movi_prep.formats.pose_results import read_posed_persons
from movi_prep.geometry.rotations import matrices_from_axis_angles
from movi_prep.geometry.up_axis import find_up, turn_up_to_z
from movi_prep.recordings.folders import Folders
from movi_prep.recordings.pose_results import find_pose_results
from tests.builders.pose_result_files import network_results, upright_poses, write_3dpw, write_emdb
from tests.builders.python2_pickle import write_python2_pickle

Y = np.array([0.0, 1.0, 0.0])
N = 20


def same_pose(found: np.ndarray, poses: np.ndarray, *, atol: float = 1e-9) -> None:
    expected = matrices_from_axis_angles(poses.reshape(len(poses), -1, 3))
    np.testing.assert_allclose(matrices_from_axis_angles(found), expected, atol=atol)


def test_persons_of_3dpw_are_read_one_by_one(tmp_path: Path) -> None:
    people = [upright_poses(N, up=Y), upright_poses(N, up=Y, seed=1)]
    path = write_3dpw(tmp_path / "courtyard_arguing_00.pkl", people, ["m", "f"])
    for person, sex in enumerate(("male", "female")):
        with open_motion(path, MotionChoice(person=person)) as file:
            (motion,) = (block for _, block in file.blocks(N))
        assert (file.shape.sex, file.shape.body, file.rate_hz, file.n_samples) == (sex, "SMPL", 30.0, N)
        same_pose(motion.poses_rad, people[person])
        assert motion.translation_m[0, 0] == person
    with pytest.raises(InputError) as caught:
        read_subject_shape(path, MotionChoice(person=2))
    assert caught.value.where == str(path)


def test_emdb(tmp_path: Path) -> None:
    poses = upright_poses(N, up=-Y)
    path = write_emdb(tmp_path / "P3" / "25_walk" / "25_walk_data.pkl", poses)
    with open_motion(path) as file:
        (motion,) = (block for _, block in file.blocks(N))
    assert (file.shape.sex, motion.body) == ("female", "SMPL")
    same_pose(motion.poses_rad, poses)
    # Upside down in the file's world, upright in AMASS world.
    trunk = motion.to_amass_world @ matrices_from_axis_angles(motion.poses_rad[:, 0])[:, :, 1].mean(axis=0)
    assert trunk[2] > 0.9


@pytest.mark.parametrize("matrices", [True, False])
@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
def test_results_of_networks(tmp_path: Path, suffix: str, *, matrices: bool) -> None:
    poses = upright_poses(N, up=Y)
    arrays = network_results(poses, matrices=matrices)
    path = tmp_path / f"walk{suffix}"
    if suffix == ".npz":
        np.savez(path, **arrays)
    else:
        path.write_bytes(pickle.dumps(arrays))
    with open_motion(path, rate_hz=25.0) as file:
        (motion,) = (block for _, block in file.blocks(N))
    same_pose(motion.poses_rad, poses, atol=1e-5)
    assert (file.rate_hz, file.shape.sex) == (25.0, "neutral")
    np.testing.assert_allclose(motion.betas, np.median(arrays["betas"], axis=0))
    assert any("betas change" in text for text in file.findings)
    with pytest.raises(InputError) as caught, open_motion(path):
        pass
    assert "motion_rate_hz" in caught.value.remedy


def test_the_rate_of_a_clip_goes_before_the_setting_and_that_of_the_file_before_both(tmp_path: Path) -> None:
    np.savez(tmp_path / "walk.npz", **network_results(upright_poses(N, up=Y), matrices=False))
    path = write_3dpw(tmp_path / "walk.pkl", [upright_poses(N, up=Y)], ["m"])
    for file, said, setting, wanted in (
        (tmp_path / "walk.npz", 25.0, 50.0, 25.0),
        (tmp_path / "walk.npz", None, 50.0, 50.0),
        (path, 25.0, 50.0, 30.0),
    ):
        with open_motion(file, MotionChoice(motion_rate_hz=said), rate_hz=setting) as motion:
            assert motion.rate_hz == wanted


def test_betas_that_hardly_change_are_no_matter(tmp_path: Path) -> None:
    arrays = network_results(upright_poses(N, up=Y), matrices=False, spread=0.01)
    np.savez(tmp_path / "walk.npz", **arrays)
    (person,) = read_posed_persons(tmp_path / "walk.npz")
    assert person.findings == ()


def _without_hands(path: Path, **more: Any) -> Path:
    arrays: dict[str, Any] = network_results(upright_poses(N, up=Y), matrices=False)
    arrays["body_pose"] = arrays["body_pose"][:, :63]
    np.savez(path, **arrays, **more)
    return path


@pytest.mark.parametrize(
    ("said", "n_joints"), [({}, 55), ({"body": "SMPL"}, 24), ({"body": "SMPL+H"}, 52), ({"body": "SMPL-X"}, 55)]
)
def test_a_body_of_21_joints_is_that_which_is_said_with_hands_at_rest(
    tmp_path: Path, said: dict[str, Any], n_joints: int
) -> None:
    path = _without_hands(tmp_path / "walk.npz")
    with open_motion(path, MotionChoice(**said), rate_hz=30.0) as file:
        (motion,) = (block for _, block in file.blocks(N))
    assert motion.poses_rad.shape == (N, n_joints, 3)
    assert motion.poses_rad[:, 21].any()
    assert not motion.poses_rad[:, 22:].any()
    assert read_subject_shape(path, MotionChoice(**said)).body == file.shape.body


@pytest.mark.parametrize(
    ("in_file", "said", "sex"),
    [(None, None, "neutral"), (None, "female", "female"), ("male", None, "male"), ("male", "male", "male")],
)
def test_a_sex_that_the_file_leaves_open_is_that_which_is_said(
    tmp_path: Path, in_file: str | None, said: Any, sex: str
) -> None:
    more = {} if in_file is None else {"gender": np.array(in_file)}
    path = _without_hands(tmp_path / "walk.npz", **more)
    shape = read_subject_shape(path, MotionChoice(sex=said))
    assert (shape.sex, shape.sex_is_known) == (sex, in_file is not None or said is not None)


@pytest.mark.parametrize(("gender", "said"), [(None, "female"), ("unknown", "female"), ("male", "male")])
def test_amass_too(tmp_path: Path, gender: str | None, said: Any) -> None:
    arrays: dict[str, Any] = {"poses": np.zeros((3, 156)), "trans": np.zeros((3, 3)), "betas": np.zeros(16)}
    path = tmp_path / "walk_poses.npz"
    np.savez(path, mocap_framerate=120.0, **arrays, **({} if gender is None else {"gender": np.array(gender)}))
    assert read_subject_shape(path, MotionChoice(sex=said)).sex == said
    with open_motion(path, MotionChoice(sex=said)) as file:
        assert {motion.sex for _, motion in file.blocks(3)} == {said}
    if gender != said:
        with pytest.raises(InputError):
            read_subject_shape(path)


@pytest.mark.parametrize("said", [{"sex": "female"}, {"body": "SMPL-X"}, {"person": 1}])
def test_what_is_said_against_the_file_is_refused(tmp_path: Path, said: dict[str, Any]) -> None:
    poses = upright_poses(N, up=Y)
    path = write_3dpw(tmp_path / "walk.pkl", [poses], ["m"])
    for read in (read_subject_shape, lambda path, choice: open_motion(path, choice).__enter__()):
        with pytest.raises(InputError) as caught:
            read(path, MotionChoice(**said))
        assert caught.value.where == str(path)


def test_people_by_name_are_persons_in_their_order(tmp_path: Path) -> None:
    poses = [upright_poses(N, up=Y), upright_poses(N, up=Y, seed=1)]
    content = {k: {"pose": p, "trans": np.zeros((N, 3)), "betas": np.zeros((N, 10))} for k, p in enumerate(poses)}
    persons = read_posed_persons(write_python2_pickle(tmp_path / "wham_output.pkl", content))
    for person, expected in zip(persons, poses, strict=True):
        same_pose(person.poses_rad, expected)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"betas": None}, ""),
        ({"body_pose": np.zeros((N, 60))}, ""),
        ({"body_pose": np.zeros((N, 23, 3, 3))}, ""),
        ({"transl": np.zeros((N - 1, 3))}, "transl"),
        ({"betas": np.full((N, 10), np.nan)}, ""),
        ({"global_orient": np.full((N, 3), "x")}, ""),
    ],
)
def test_what_is_no_pose_is_refused(tmp_path: Path, changes: dict[str, Any], where: str) -> None:
    arrays = {**network_results(upright_poses(N, up=Y), matrices=False), **changes}
    path = tmp_path / "walk.npz"
    np.savez(path, **{name: values for name, values in arrays.items() if values is not None})
    with pytest.raises(InputError) as caught:
        read_posed_persons(path)
    assert path.name in caught.value.where
    assert where in caught.value.where


@pytest.mark.parametrize("up", ["x", "y", "z", "-x", "-y", "-z"])
def test_up_is_found_and_turned_to_z(up: str) -> None:
    axis = np.eye(3)["xyz".index(up[-1])] * (-1 if up.startswith("-") else 1)
    found, cosine = find_up(upright_poses(200, up=axis)[:, :3], where="walk")
    assert found == up
    assert cosine > 0.9
    turn = turn_up_to_z(found)
    np.testing.assert_array_equal(turn @ axis, [0, 0, 1])
    assert np.linalg.det(turn) == pytest.approx(1)


def test_a_tilted_world_is_asked_about() -> None:
    tilted = np.array([0.0, 1.0, 1.0]) / np.sqrt(2)
    with pytest.raises(InputError) as caught:
        find_up(upright_poses(100, up=tilted)[:, :3], where="walk.npz")
    assert "motion_up" in caught.value.remedy


def test_recordings_name_people_and_files(tmp_path: Path) -> None:
    poses = upright_poses(N, up=Y)
    write_3dpw(tmp_path / "3dpw/train/courtyard_arguing_00.pkl", [poses, poses], ["m", "m"])
    (tmp_path / "3dpw/train/notes.pkl").write_bytes(pickle.dumps(["nothing"]))
    found = find_pose_results(Folders(amass=tmp_path / "3dpw"), "3dpw")
    assert [str(clip) for clip in found.motions] == [
        "courtyard_arguing_00_p0/courtyard_arguing_00",
        "courtyard_arguing_00_p1/courtyard_arguing_00",
    ]
    assert list(found.choices.values()) == [MotionChoice(person=1)]
    assert any("notes.pkl was passed over" in text for text in found.findings)
    write_emdb(tmp_path / "emdb/P3/25_walk/25_walk_data.pkl", poses)
    found = find_pose_results(Folders(amass=tmp_path / "emdb"), "emdb")
    assert [str(clip) for clip in found.motions] == ["P3/25_walk"]
