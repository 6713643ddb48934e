"""A download is found however it was unpacked; what is passed over is said."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from movi_prep.errors import UsageError
from movi_prep.recordings.bmlmovi import find_bmlmovi
from movi_prep.recordings.find import check_folders, select_clips
from movi_prep.recordings.folders import Folders
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.recordings import Recordings
from movi_prep.stages.order import idle_cameras
from tests.sentences import raises_recorded


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    touch(
        tmp_path,
        "amass/BMLmovi/BMLmovi/Subject_1_F_MoSh/Subject_1_F_1_poses.npz",
        "amass/BMLmovi/BMLmovi/Subject_1_F_MoSh/Subject_1_F_22_poses.npz",
        "amass/BMLmovi/BMLmovi/Subject_1_F_MoSh/shape.npz",
        "amass/BMLmovi/BMLmovi/Subject_15_F_MoSh/Subject_15_F_3_stageii.npz",
        "amass/BMLmovi/BMLmovi/Subject_15_F_MoSh/female_stagei.npz",
        "v3d/F_Subjects_1_45.tar/F_Subjects_1_45/F_v3d_Subject_1.mat",
        "videos/F_PG1_Subject_1_L.avi",
        "videos/F_PG1_Subject_1_L3.avi",
        "videos/F_CP1_Subject_1.mp4",
        "calib/cameraParams_PG1.mat",
        "calib/cameraParams_PG1.npz",
        "calib/Extrinsics_PG1.pkl",
    )
    write_model(tmp_path / "models/smplh/female/model.npz", n_joints=52)
    write_model(tmp_path / "models/smplx/male/model.npz", n_joints=55)
    np.savez(make_folder(tmp_path / "models/dmpls/female") / "model.npz", eigvec=np.zeros((1, 3, 8)))
    return tmp_path


def make_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def write_model(path: Path, *, n_joints: int) -> None:
    """Write as much of a body model as tells what it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, J_regressor=np.zeros((n_joints, 1)), v_template=np.zeros((1, 3)))


def find(root: Path, **more: Path) -> Recordings:
    folders = {
        "amass": root / "amass",
        "body_models": root / "models",
        "v3d": root / "v3d",
        "videos": root / "videos",
        "calibration": root / "calib",
    }
    return find_bmlmovi(Folders(**{**folders, **more}))


def test_everything_is_found_where_archives_leave_it(root: Path) -> None:
    recordings = find(root)
    assert list(recordings.motions) == [movi_clip(1, 1), movi_clip(1, 22), movi_clip(15, 3)]
    assert ("SMPL+H", "female") in recordings.body_models
    assert list(recordings.dmpl_models) == ["female"]
    assert list(recordings.sessions) == ["S001"]
    assert list(recordings.videos) == [("S001", "PG1")]
    assert recordings.intrinsics["PG1"].suffix == ".npz"
    assert recordings.extrinsics["PG1"].suffix == ".pkl"


def test_what_lies_beside_clips_is_passed_over_without_a_word(root: Path) -> None:
    assert not [text for text in find(root).findings if "shape" in text or "stagei" in text]


def test_what_is_odd_is_said(root: Path) -> None:
    touch(root, "amass/CMU/01/01_01_poses.npz", "v3d/F_Subjects_46_90.tar")
    said = "\n".join(find(root).findings)
    assert "01_01_poses.npz" in said
    assert "F_Subjects_46_90.tar is still packed" in said
    assert ("SMPL-X", "male") in find(root).body_models
    assert "1 video cut into single motions" in said
    assert "no PG1 video: S015" in said
    assert "no V3D file: S015" in said


def test_of_two_releases_of_a_clip_the_one_with_soft_tissue_is_used_and_said(root: Path) -> None:
    touch(root, "amass/new/Subject_1_F_1_stageii.npz")
    recordings = find(root)
    assert recordings.motions[movi_clip(1, 1)].name == "Subject_1_F_1_poses.npz"
    assert any("S001/C01: 2 files" in text and "stageii" in text for text in recordings.findings)


def test_a_download_that_is_there_twice_does_not_flood(root: Path) -> None:
    for clip in range(1, 11):
        touch(root, *(f"amass/{folder}/Subject_3_F_{clip}_poses.npz" for folder in ("a", "b/b")))
    said = [text for text in find(root).findings if "2 files" in text or "more than once" in text]
    assert len(said) == 4
    assert said[-1].startswith("7 more")


def test_a_link_to_nothing_is_passed_over_and_said(root: Path) -> None:
    (root / "amass" / "Subject_1_F_5_poses.npz").symlink_to(root / "nowhere")
    recordings = find(root)
    assert movi_clip(1, 5) not in recordings.motions
    assert any("Subject_1_F_5_poses.npz is a link to nothing" in text for text in recordings.findings)


def test_one_folder_for_everything_and_links_in_circles(root: Path) -> None:
    (root / "amass" / "back").symlink_to(root, target_is_directory=True)
    recordings = find_bmlmovi(Folders(root, root, root, root, root))
    assert len(recordings.motions) == 3
    assert len(recordings.videos) == 1


def test_a_folder_that_is_not_there_is_named(root: Path) -> None:
    with raises_recorded(UsageError):
        check_folders(Folders(v3d=root / "nowhere"))
    with raises_recorded(UsageError):
        check_folders(Folders(v3d=root / "nowhere", amass=root / "nowhere"))


def test_a_choice_keeps_the_other_clips_for_their_subject(root: Path) -> None:
    chosen = select_clips(find(root), subjects=["1"], clips=["C01"])
    assert list(chosen.motions) == [movi_clip(1, 1)]
    assert chosen.others[movi_clip(1, 22)].name == "Subject_1_F_22_poses.npz"


def test_excluded_clips_and_subjects_are_left_out(root: Path) -> None:
    left = select_clips(find(root), subjects=None, clips=None, exclude=("S001/C22", "S015"))
    assert list(left.motions) == [movi_clip(1, 1)]


def test_a_choice_of_nothing_is_refused(root: Path) -> None:
    with raises_recorded(UsageError):
        select_clips(find(root), subjects=["S001", "99"], clips=None)
    with raises_recorded(UsageError):
        select_clips(find(root), subjects=["1-16"], clips=None)
    with raises_recorded(UsageError):
        select_clips(find(root), subjects=["1"], clips=["7"])


def test_a_key_that_leaves_nothing_out_is_reported_with_one_that_would(root: Path) -> None:
    known = find(root)
    chosen = select_clips(known, subjects=None, clips=None, exclude=["S001", "S00/C01", "S015/C99"][::2])
    (said,) = chosen.findings[len(known.findings) :]
    assert "S015/C99" in said
    assert "did you mean" in said
    assert "S001" not in said.split("(did you mean")[0]
    with raises_recorded(UsageError):
        select_clips(known, subjects=None, clips=None, exclude=["S00/C01"])


@pytest.mark.parametrize(
    ("name", "reported"),
    [("smplh.tar.xz", "still packed"), ("SMPLH/SMPLH_MALE.json", "another release"), ("note.txt", "")],
)
def test_what_is_no_body_model_is_reported_where_there_is_none(tmp_path: Path, name: str, reported: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    findings = find_bmlmovi(Folders(body_models=tmp_path)).findings
    assert [reported in finding for finding in findings] == ([True] if reported else [])
    write_model(tmp_path / "smplh/male/model.npz", n_joints=52)
    assert find_bmlmovi(Folders(body_models=tmp_path)).findings == ()


@pytest.mark.parametrize(
    "name", ["SMPLH_MALE.npz", "smplh_male.npz", "male/model.npz", "MALE/SMPLH.npz", "model_male.npz"]
)
@pytest.mark.parametrize("above", ["smplx_project/models", "dmpl_and_smpl", "."])
def test_arrays_tell_what_a_body_model_is_whatever_it_is_called(tmp_path: Path, above: str, name: str) -> None:
    write_model(tmp_path / above / name, n_joints=52)
    found = find_bmlmovi(Folders(body_models=tmp_path / above))
    assert (list(found.body_models), found.dmpl_models, found.findings) == ([("SMPL+H", "male")], {}, ())


def test_a_wrong_file_under_a_right_name_is_refused_by_what_it_holds(tmp_path: Path) -> None:
    write_model(tmp_path / "smplh/male/model.npz", n_joints=16)
    np.savez(make_folder(tmp_path / "smplh/female") / "model.npz", poses=np.zeros(3))
    found = find_bmlmovi(Folders(body_models=tmp_path))
    assert found.body_models == {}
    assert any("male/model.npz is a MANO model" in text for text in found.findings)
    assert any("female/model.npz holds no body model (poses)" in text for text in found.findings)


def test_a_model_that_cannot_be_read_is_named_and_kept_for_its_sex_only_where_there_is_no_other(tmp_path: Path) -> None:
    touch(tmp_path, "smplh/male/model.npz", "smplh/female/model.npz")
    write_model(tmp_path / "SMPLH_FEMALE.npz", n_joints=52)
    found = find_bmlmovi(Folders(body_models=tmp_path))
    assert found.body_models["SMPL+H", "female"].name == "SMPLH_FEMALE.npz"
    assert found.body_models["SMPL+H", "male"].parent.name == "male"
    # The one that is kept fails its units; `check` opens it and says why.
    assert [("smplh/female/model.npz" in text) for text in found.findings] == [True]


NEARLY = [
    ("videos", "F_PG1_Subject_7_L.mp4", "F_PG1_Subject_7_L.avi"),
    ("videos", "F_PG2_Subject_7.avi", "F_PG2_Subject_7_L.avi"),
    ("videos", "F_PG1_Subject_7_L (1).avi", "F_PG1_Subject_7_L.avi"),
    ("videos", "F_PG1_Subject_7_L.avi.part", "F_PG1_Subject_7_L.avi"),
    ("v3d", "F_v3d_Subject_7 (1).mat", "F_v3d_Subject_7.mat"),
    ("v3d", "F_v3d_Subject_7.mat.crdownload", "F_v3d_Subject_7.mat"),
    ("calib", "cameraParams_PG3 (1).npz", "cameraParams_PG3.npz"),
    ("calib", "Extrinsics_PG3 - Copy.pkl", "Extrinsics_PG3.pkl"),
    ("calib", "cameraParams_PG3.txt", "cameraParams_PG3.npz"),
    ("amass", "Subject_7_F_2_poses(2).npz", "Subject_7_F_2_poses.npz"),
    ("amass", "Subject_7_F_2_stageii.npz.part", "Subject_7_F_2_stageii.npz"),
]


@pytest.mark.parametrize(("part", "name", "right"), NEARLY)
def test_a_name_that_is_nearly_right_is_reported_with_the_right_one(
    root: Path, part: str, name: str, right: str
) -> None:
    touch(root, f"{part}/below/{name}")
    reported = [text for text in find(root).findings if name in text]
    assert len(reported) == 1
    assert f"is nearly {right}: " in reported[0]
    # What is there under its right name is not missed.
    touch(root, f"{part}/{right}")
    assert not [text for text in find(root).findings if "is nearly " in text]


@pytest.mark.parametrize("part", ["amass", "models", "v3d", "videos", "calib"])
def test_a_folder_that_cannot_be_listed_is_a_finding_in_each_part(
    root: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    locked = root / part / "locked"
    locked.mkdir()
    refuse_to_list(monkeypatch, locked)
    assert [text for text in find(root).findings if text.startswith(f"{locked} cannot be listed")]


def test_a_named_folder_that_cannot_be_listed_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_to_list(monkeypatch, root / "v3d")
    with raises_recorded(UsageError):
        find(root)


def refuse_to_list(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the system refuse a folder, as it does to all but the superuser."""
    scan = os.scandir

    def refusing(where: Any) -> Any:
        if Path(where) == folder:
            raise PermissionError(errno.EACCES, "Permission denied", str(where))
        return scan(where)

    monkeypatch.setattr(os, "scandir", refusing)


@pytest.mark.parametrize("name", ["Extrinsics_PG1.npz", "cameraParams_PG1.npz"])
def test_a_camera_of_two_calibrations_has_none_and_costs_nothing_else(tmp_path: Path, name: str) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(folder.encode())
    (tmp_path / "first" / name.replace("PG1", "PG2")).write_bytes(b"right")
    found = find_bmlmovi(Folders(calibration=tmp_path))
    assert {*found.intrinsics, *found.extrinsics} == {"PG2"}
    (said,) = found.disputed_cameras.values()
    assert all(str(tmp_path / folder / name) in said for folder in ("first", "second"))
    assert said in found.findings
    assert said in idle_cameras(found, ["PG1"])["PG1"]


def test_one_calibration_that_is_there_twice_is_one(tmp_path: Path) -> None:
    """A copy says the same, and BMLmovi's .pkl is its .npz written another way."""
    for name in ("one/Extrinsics_PG1.npz", "two/Extrinsics_PG1.npz", "two/Extrinsics_PG1.pkl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name[-3:].encode())
    assert find_bmlmovi(Folders(calibration=tmp_path)).extrinsics == {"PG1": tmp_path / "one" / "Extrinsics_PG1.npz"}
