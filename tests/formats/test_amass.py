"""AMASS clips of both releases, and everything that is wrong with some of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from movi_prep.errors import InputError
from movi_prep.formats.amass import open_motion, read_motion, read_subject_shape
from movi_prep.records.motion import Motion
from tests.builders.body import build_motion, new_release, old_release, write_npz
from tests.sentences import raises_recorded

N = 13


@pytest.fixture
def motion() -> Motion:
    return build_motion(N)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Subject_1_F_MoSh" / "Subject_1_F_1_poses.npz"


def refused(path: Path, arrays: dict[str, Any]) -> str:
    """Return the error of reading these arrays: one line that names the file."""
    write_npz(path, arrays)
    with pytest.raises(InputError) as caught:
        read_motion(path)
    message = str(caught.value)
    assert path.name in message
    assert "\n" not in message
    return message


def test_old_release(path: Path, motion: Motion) -> None:
    read = read_motion(write_npz(path, old_release(motion)))
    np.testing.assert_array_equal(read.poses_rad, motion.poses_rad)
    np.testing.assert_array_equal(read.translation_m, motion.translation_m)
    np.testing.assert_array_equal(read.betas, motion.betas)
    assert read.dmpls is not None
    np.testing.assert_array_equal(read.dmpls, motion.dmpls)
    assert (read.sex, read.rate_hz, read.n_samples) == ("female", 120.0, N)


def test_new_release_without_dmpls_and_with_pickled_labels(path: Path, motion: Motion) -> None:
    read = read_motion(write_npz(path, new_release(motion)))
    np.testing.assert_array_equal(read.poses_rad, motion.poses_rad)
    assert read.dmpls is None


@pytest.mark.parametrize("gender", [np.array(b"female"), np.array("female"), np.array(["Female"]), np.array("female ")])
def test_gender_as_it_is_stored_here_and_there(path: Path, motion: Motion, gender: np.ndarray) -> None:
    assert read_motion(write_npz(path, {**old_release(motion), "gender": gender})).sex == "female"


def test_rate_is_kept_as_stored(path: Path, motion: Motion) -> None:
    arrays = {**old_release(motion), "mocap_framerate": np.array(120.00004578)}
    assert read_motion(write_npz(path, arrays)).rate_hz == 120.00004578


def test_extra_arrays_of_samples_are_passed_over(path: Path, motion: Motion) -> None:
    extra = {"marker_data": np.full((N, 4, 3), np.nan), "marker_labels": np.array([b"C7", b"T8"])}
    assert read_motion(write_npz(path, {**old_release(motion), **extra})).n_samples == N


@pytest.mark.parametrize(("dmpls", "gap"), [(None, "no 'dmpls'"), (np.zeros((8, 8)), "shape (8, 8)")])
def test_missing_and_missliced_dmpls_are_a_stated_gap(path: Path, motion: Motion, dmpls: Any, gap: str) -> None:
    write_npz(path, {**old_release(motion), "dmpls": dmpls})
    assert read_motion(path).dmpls is None
    with open_motion(path) as file:
        assert file.dmpl_gap is not None
        assert gap in file.dmpl_gap


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_blocks_make_the_clip(path: Path, motion: Motion, size: int, every: int) -> None:
    write_npz(path, old_release(motion))
    with open_motion(path) as file:
        blocks = list(file.blocks(size, every=every))
    samples = np.concatenate([samples for samples, _ in blocks])
    assert samples.tolist() == list(range(0, N, every))
    np.testing.assert_array_equal(np.concatenate([b.poses_rad for _, b in blocks]), motion.poses_rad[::every])
    np.testing.assert_array_equal(np.concatenate([b.dmpls for _, b in blocks]), motion.dmpls[::every])  # type: ignore[misc,index]


def test_a_bad_sample_between_video_frames_is_found(path: Path, motion: Motion) -> None:
    arrays = old_release(motion)
    arrays["poses"] = arrays["poses"].copy()
    arrays["poses"][6, 3] = np.nan
    write_npz(path, arrays)
    with open_motion(path) as file, raises_recorded(InputError):
        list(file.blocks(100, every=4))


def test_shape_file_beside_the_clips(tmp_path: Path, motion: Motion) -> None:
    write_npz(tmp_path / "shape.npz", {"gender": np.array("male"), "betas": motion.betas})
    shape = read_subject_shape(tmp_path / "shape.npz")
    assert shape.sex == "male"
    np.testing.assert_array_equal(shape.betas, motion.betas)
    with raises_recorded(InputError):
        read_motion(tmp_path / "shape.npz")


@pytest.mark.parametrize(("width", "body"), [(72, "SMPL"), (156, "SMPL+H"), (165, "SMPL-X")])
def test_the_width_of_poses_tells_the_body(path: Path, motion: Motion, width: int, body: str) -> None:
    arrays = {**old_release(motion), "poses": np.zeros((N, width)), "betas": np.zeros(10)}
    read = read_motion(write_npz(path, arrays))
    assert (read.body, read.poses_rad.shape, read.betas.shape) == (body, (N, width // 3, 3), (10,))
    assert read_subject_shape(path).body == body


@pytest.mark.parametrize(("width", "stated"), [(165, "smplh"), (156, "smplx"), (72, "smplh"), (156, "mano")])
def test_a_clip_that_says_two_bodies_is_refused(path: Path, motion: Motion, width: int, stated: str) -> None:
    message = refused(path, {**new_release(motion), "poses": np.zeros((N, width)), "surface_model_type": stated})
    assert f"poses ({N}, {width}) and surface_model_type '{stated}'" in message


@pytest.mark.parametrize("name", ["poses", "trans", "betas", "gender", "mocap_framerate"])
def test_a_missing_array(path: Path, motion: Motion, name: str) -> None:
    assert name in refused(path, {**old_release(motion), name: None})


@pytest.mark.parametrize("name", ["poses", "trans", "betas", "gender"])
def test_pickled_arrays_are_never_unpickled(path: Path, motion: Motion, name: str) -> None:
    arrays = old_release(motion)
    arrays[name] = np.asarray(arrays[name], dtype=object)
    assert "never unpickled" in refused(path, arrays)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["poses", "trans", "betas"])
def test_values_that_are_no_numbers(path: Path, motion: Motion, name: str, value: float) -> None:
    arrays = old_release(motion)
    arrays[name] = arrays[name].copy()
    arrays[name].flat[0] = value
    assert "NaN or infinite" in refused(path, arrays)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("poses", np.zeros((N, 150)), f"poses ({N}, 150)"),
        ("poses", np.zeros((N, 52, 3)), f"poses ({N}, 52, 3)"),
        ("trans", np.zeros((N - 1, 3)), f"trans ({N - 1}, 3)"),
        ("betas", np.zeros((N, 10)), f"({N}, 10)"),
        ("betas", np.zeros((1, 16)), "(1, 16)"),
        ("dmpls", np.zeros((N - 1, 8)), f"({N - 1}, 8)"),
        ("gender", np.array("unknown"), "'unknown'"),
        ("gender", np.array(["male", "female"]), "shape (2,)"),
        ("mocap_framerate", np.array(0.0), "0.0"),
        ("mocap_framerate", np.array(np.nan), "nan"),
        ("mocap_framerate", np.array("fast"), "'fast'"),
    ],
)
def test_wrong_shapes_and_values(path: Path, motion: Motion, name: str, value: np.ndarray, said: str) -> None:
    assert said in refused(path, {**old_release(motion), name: value})


def test_a_clip_of_length_zero(path: Path, motion: Motion) -> None:
    arrays = {**old_release(motion), "poses": np.zeros((0, 156)), "trans": np.zeros((0, 3)), "dmpls": None}
    assert "length zero" in refused(path, arrays)


def test_a_cut_file(path: Path, motion: Motion) -> None:
    write_npz(path, old_release(motion))
    path.write_bytes(path.read_bytes()[:5000])
    with raises_recorded(InputError):
        read_motion(path)


def test_single_precision_and_foreign_byte_order(path: Path, motion: Motion) -> None:
    arrays = old_release(motion)
    arrays["poses"], arrays["trans"] = arrays["poses"].astype(">f4"), arrays["trans"].astype(np.float32)
    read = read_motion(write_npz(path, arrays))
    assert read.poses_rad.dtype == np.float64
    np.testing.assert_allclose(read.poses_rad, motion.poses_rad, atol=1e-6)
