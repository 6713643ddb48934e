"""The embedded data set: files as the real download has them, and a truth that they agree with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from movi_prep.demo import draw_contact_sheet, find_demo, read_frame_code, write_demo
from movi_prep.demo.amass_files import subject_folder
from movi_prep.demo.cast import cast
from movi_prep.demo.dataset import write_recordings
from movi_prep.demo.open_body import read_open_body
from movi_prep.demo.posed_body import shaped_body
from movi_prep.demo.session import act
from movi_prep.demo.truth import marker_vertices
from movi_prep.errors import MissingError, UsageError
from movi_prep.formats.amass import read_motion, read_subject_shape
from movi_prep.formats.v3d import read_v3d
from movi_prep.geometry.frames import amass_to_movi
from movi_prep.recordings.bmlmovi import find_bmlmovi
from movi_prep.recordings.folders import Folders
from movi_prep.records.bmlmovi_names import number_of
from tests.sentences import raises_recorded

if TYPE_CHECKING:
    from movi_prep.demo.session import Session

Truth = dict[str, Any]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, Session], Truth]:
    """Everything but the films: all AMASS and V3D files of the default data set."""
    folder = tmp_path_factory.mktemp("recordings")
    sessions, truth = {}, {}
    for performer in cast().values():
        rng = np.random.default_rng([0, performer.subject])
        body = shaped_body(read_open_body(performer.sex), performer.betas)
        sessions[performer.subject] = act(body, performer.cues, rng)
        truth |= write_recordings(folder, performer, body, sessions[performer.subject], rng)
    return folder, sessions, truth


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of one subject and one clip, films included."""
    folder = tmp_path_factory.mktemp("small")
    write_demo(folder, subjects=(15,), clips=(5,), workers=2)
    return folder


def test_four_clips_of_each_sex_are_found_in_the_doubled_folder(recordings: tuple[Path, Any, Any]) -> None:
    found = find_bmlmovi(Folders(amass=recordings[0] / "amass", v3d=recordings[0] / "v3d"))
    assert [str(clip) for clip in found.motions] == [
        "S001/C01", "S001/C02", "S001/C03", "S001/C04", "S015/C01", "S015/C02", "S015/C04", "S015/C05",
    ]  # fmt: skip
    assert {read_v3d(path).sex for path in found.sessions.values()} == {"male", "female"}


def test_the_files_carry_the_irregularities_of_the_real_ones(recordings: tuple[Path, Any, Any]) -> None:
    folder = recordings[0] / "amass"
    names = {path.name for path in folder.rglob("*.npz")}
    assert {"shape.npz", "male_stagei.npz", "Subject_1_F_3_stageii.npz", "Subject_1_F_1_poses.npz"} <= names
    with np.load(subject_folder(folder, 15) / "Subject_15_F_1_poses.npz") as female:
        assert female["gender"].dtype.kind == "S"
        assert female["mocap_framerate"] == 120.00004578
        assert list(female) == ["trans", "gender", "mocap_framerate", "betas", "dmpls", "poses"]
    with np.load(subject_folder(folder, 15) / "Subject_15_F_4_poses.npz") as lacking:
        assert "dmpls" not in lacking
    with np.load(subject_folder(folder, 1) / "Subject_1_F_1_poses.npz") as male:
        assert male["gender"].dtype.kind == "U"
        assert np.abs(male["dmpls"]).max() > 0.1


def test_amass_reads_back_what_was_played(recordings: tuple[Path, dict[int, Session], Truth]) -> None:
    folder, sessions, _ = recordings
    for clip, path in find_bmlmovi(Folders(amass=folder / "amass")).motions.items():
        motion = read_motion(path)
        session = sessions[number_of(clip.subject) or 0]
        played = session.clips[(number_of(clip.clip) or 0) - 1]
        np.testing.assert_array_equal(motion.poses_rad, session.poses_rad[played.samples])
        np.testing.assert_array_equal(motion.translation_m, session.translation_m[played.samples])
        assert motion.sex == cast()[number_of(clip.subject) or 0].sex


def test_shape_files_hold_the_betas(recordings: tuple[Path, Any, Any]) -> None:
    for subject, performer in cast().items():
        shape = read_subject_shape(subject_folder(recordings[0] / "amass", subject) / "shape.npz")
        np.testing.assert_array_equal(shape.betas, performer.betas)


def test_v3d_names_the_clips_and_holds_the_joints(recordings: tuple[Path, dict[int, Session], Truth]) -> None:
    folder, sessions, truth = recordings
    for subject, session in sessions.items():
        v3d = read_v3d(folder / "v3d" / f"F_v3d_Subject_{subject}.mat")
        assert v3d.motions == tuple(cue.motion for cue in cast()[subject].cues)
        expected = [[clip.first_frame, clip.last_frame + 1] for clip in session.clips]
        np.testing.assert_array_equal(v3d.video_ranges, expected)
        assert v3d.virtual_markers_m is not None
        pelvis = v3d.virtual_markers_m[session.clips[0].samples, v3d.virtual_marker_names.index("pelv")]
        difference = pelvis - amass_to_movi(truth[f"S{subject}_C1_joints_m"][:, 0])
        assert 0.0 < np.abs(difference).max() < 0.03  # two estimates of one joint
        assert difference.std(axis=0).max() < 0.001


def test_v3d_markers_are_missing_here_and_there_and_one_has_a_number_for_a_name(
    recordings: tuple[Path, Any, Any],
) -> None:
    v3d = read_v3d(recordings[0] / "v3d" / "F_v3d_Subject_1.mat")
    assert v3d.markers_m is not None
    missing = np.isnan(v3d.markers_m).any(axis=-1).mean()
    assert 0.002 < missing < 0.05
    assert sum(name.startswith("*") for name in v3d.marker_names) == 1


def test_truth_is_at_the_mocap_clock_and_seen_by_both_cameras(recordings: tuple[Path, Any, Truth]) -> None:
    truth = recordings[2]
    n_samples = len(truth["S1_C1_joints_m"])
    assert truth["S1_C1_markers_m"].shape == (n_samples, len(marker_vertices()), 3)
    assert n_samples == 4 * (len(truth["S1_C1_frames"]) - 1) + 1
    for subject, performer in cast().items():
        for number in range(1, len(performer.cues) + 1):
            for camera in ("PG1", "PG2"):
                pixels = truth[f"S{subject}_C{number}_pixels_{camera}"]
                inside = ((pixels >= 0) & (pixels < (800, 600))).all(axis=-1)
                assert inside.mean() > 0.97


@pytest.mark.slow
def test_films_show_the_frames_that_their_code_says(small: Path) -> None:
    reported = json.loads((small / "truth" / "truth.json").read_text())["subjects"]["15"]
    for camera in ("PG1", "PG2"):
        video = cv2.VideoCapture(str(small / "videos" / f"F_{camera}_Subject_15_L.avi"))
        assert (video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (800, 600)
        assert video.get(cv2.CAP_PROP_FPS) == 30.0
        codes = []
        while (grabbed := video.read())[0]:
            codes.append(read_frame_code(grabbed[1]))
        assert [code.frame for code in codes] == list(range(reported["video_frames"][camera]))
        assert {(code.subject, code.camera) for code in codes} == {(15, camera)}
    assert reported["video_frames"]["PG1"] - reported["video_frames"]["PG2"] == 3


def test_the_configuration_beside_it_finds_everything(small: Path) -> None:
    folders = Folders(*(small / name for name in ("amass", "body_models", "v3d", "videos", "calibration")))
    found = find_bmlmovi(folders)
    assert set(found.body_models) == {("SMPL+H", sex) for sex in ("male", "female", "neutral")}
    assert set(found.videos) == {("S015", "PG1"), ("S015", "PG2")}
    assert set(found.intrinsics) == set(found.extrinsics) == {"PG1", "PG2"}
    assert (small / "config.yaml").is_file()


def test_a_data_set_that_is_whole_need_not_be_written_again(small: Path) -> None:
    found = find_demo(small, subjects=(15,), clips=(5,))
    assert found is not None
    assert (found.subjects, found.n_clips, found.config) == ((15,), 1, small / "config.yaml")
    assert found.n_frames > 0
    assert found.n_bytes > 1e6
    assert find_demo(small, subjects=(15,), clips=(5,), seed=1) is None
    assert find_demo(small) is None, "more was asked for"


@pytest.mark.slow
def test_equal_seeds_give_equal_bytes(small: Path, tmp_path: Path) -> None:
    write_demo(tmp_path, subjects=(15,), clips=(5,), workers=2)
    files = sorted(path.relative_to(small) for path in small.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert [str(path) for path in files if (small / path).read_bytes() != (tmp_path / path).read_bytes()] == []


def test_the_contact_sheet_is_a_picture_of_every_clip(small: Path, tmp_path: Path) -> None:
    picture = cv2.imread(str(draw_contact_sheet(small, None, tmp_path / "sheet.png")))
    assert picture.shape[1] > 1200
    assert picture.std() > 20.0
    # The strip on top says what the colours of the dots are.
    for colour in ((60, 235, 255), (255, 190, 40)):
        assert (picture[:24] == colour).all(axis=2).any()


def test_a_contact_sheet_of_something_else_is_refused(tmp_path: Path) -> None:
    with raises_recorded(MissingError):
        draw_contact_sheet(tmp_path, None, tmp_path / "sheet.png")


def test_recordings_of_another_origin_are_never_replaced(tmp_path: Path) -> None:
    real = tmp_path / "videos" / "F_PG1_Subject_1_L.avi"
    real.parent.mkdir()
    real.write_text("a recording")
    (tmp_path / "config.yaml").write_text("amass: elsewhere")
    with raises_recorded(UsageError):
        write_demo(tmp_path)
    assert real.read_text() == "a recording"
    with raises_recorded(UsageError):
        write_demo(tmp_path / "new", seed=-1)
    assert not (tmp_path / "new").exists()


def test_unknown_subjects_and_clips_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with raises_recorded(UsageError):
        write_demo(tmp_path, subjects=(2,))
    with raises_recorded(UsageError):
        write_demo(tmp_path, subjects=(1,), clips=(9,))
    assert list(tmp_path.iterdir()) == []
