"""A download is found however it was unpacked; what is passed over is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from movi_prep.errors import InputError, UsageError
from movi_prep.formats.download import Folders, find_download, select_clips
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.download import Download


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
        "models/smplh/female/model.npz",
        "models/dmpls/female/model.npz",
        "models/smplx/male/model.npz",
        "v3d/F_Subjects_1_45.tar/F_Subjects_1_45/F_v3d_Subject_1.mat",
        "videos/F_PG1_Subject_1_L.avi",
        "videos/F_PG1_Subject_1_L3.avi",
        "videos/F_CP1_Subject_1.mp4",
        "calib/cameraParams_PG1.mat",
        "calib/cameraParams_PG1.npz",
        "calib/Extrinsics_PG1.pkl",
    )
    return tmp_path


def find(root: Path, **more: Path) -> Download:
    folders = {
        "amass": root / "amass",
        "body_models": root / "models",
        "v3d": root / "v3d",
        "videos": root / "videos",
        "calibration": root / "calib",
    }
    return find_download(Folders(**{**folders, **more}))


def test_everything_is_found_where_archives_leave_it(root: Path) -> None:
    download = find(root)
    assert list(download.motions) == [movi_clip(1, 1), movi_clip(1, 22), movi_clip(15, 3)]
    assert list(download.body_models) == ["female"]
    assert list(download.dmpl_models) == ["female"]
    assert list(download.v3d) == ["S001"]
    assert list(download.videos) == [("S001", "PG1")]
    assert download.intrinsics["PG1"].suffix == ".npz"
    assert download.extrinsics["PG1"].suffix == ".pkl"


def test_what_lies_beside_clips_is_passed_over_without_a_word(root: Path) -> None:
    assert not [text for text in find(root).findings if "shape" in text or "stagei" in text]


def test_what_is_odd_is_said(root: Path) -> None:
    touch(root, "amass/Subject_1_F_MoSh/extra.npz", "v3d/F_Subjects_46_90.tar")
    said = "\n".join(find(root).findings)
    assert "extra.npz" in said
    assert "F_Subjects_46_90.tar is still packed" in said
    assert "SMPL-X" in said
    assert "1 videos are cut into single motions" in said
    assert "no PG1 video: S015" in said
    assert "no V3D file: S015" in said


def test_of_two_releases_of_a_clip_the_one_with_soft_tissue_is_used_and_said(root: Path) -> None:
    touch(root, "amass/new/Subject_1_F_1_stageii.npz")
    download = find(root)
    assert download.motions[movi_clip(1, 1)].name == "Subject_1_F_1_poses.npz"
    assert any("S001/C01: 2 files" in text and "stageii" in text for text in download.findings)


def test_a_download_that_is_there_twice_does_not_flood(root: Path) -> None:
    for clip in range(1, 11):
        touch(root, *(f"amass/{folder}/Subject_3_F_{clip}_poses.npz" for folder in ("a", "b/b")))
    said = [text for text in find(root).findings if "2 files" in text or "more than once" in text]
    assert len(said) == 4
    assert said[-1].startswith("7 more")


def test_a_link_to_nothing_is_passed_over_and_said(root: Path) -> None:
    (root / "amass" / "Subject_1_F_5_poses.npz").symlink_to(root / "nowhere")
    download = find(root)
    assert movi_clip(1, 5) not in download.motions
    assert any("Subject_1_F_5_poses.npz is a link to nothing" in text for text in download.findings)


def test_one_folder_for_everything_and_links_in_circles(root: Path) -> None:
    (root / "amass" / "back").symlink_to(root, target_is_directory=True)
    download = find_download(Folders(root, root, root, root, root))
    assert len(download.motions) == 3
    assert len(download.videos) == 1


def test_a_folder_that_is_not_there_is_named(root: Path) -> None:
    with pytest.raises(UsageError, match=r"v3d: expected a folder, but .*nowhere"):
        find(root, v3d=root / "nowhere")
    with pytest.raises(UsageError, match=r"amass: expected .*nowhere is not one; v3d: expected .*; correct the paths"):
        find(root, v3d=root / "nowhere", amass=root / "nowhere")


def test_a_choice_keeps_the_other_clips_for_their_subject(root: Path) -> None:
    chosen = select_clips(find(root), subjects=["1"], clips=["C01"])
    assert list(chosen.motions) == [movi_clip(1, 1)]
    assert chosen.others[movi_clip(1, 22)].name == "Subject_1_F_22_poses.npz"


def test_excluded_clips_and_subjects_are_left_out(root: Path) -> None:
    left = select_clips(find(root), subjects=None, clips=None, exclude=("S001/C22", "S015"))
    assert list(left.motions) == [movi_clip(1, 1)]


def test_a_choice_of_nothing_is_refused(root: Path) -> None:
    with pytest.raises(UsageError, match=r"expected subjects with AMASS clips \(1,15\), but got 99; say 1, or check"):
        select_clips(find(root), subjects=["S001", "99"], clips=None)
    with pytest.raises(UsageError, match=r"\(1,15\), but got 2-14,16; say 1,15, or check"):
        select_clips(find(root), subjects=["1-16"], clips=None)
    with pytest.raises(UsageError, match="at least one clip"):
        select_clips(find(root), subjects=["1"], clips=["7"])


@pytest.mark.parametrize(
    ("name", "told"), [("smplh.tar.xz", "still packed"), ("smplh/SMPLH_MALE.pkl", "another release"), ("note.txt", "")]
)
def test_what_is_no_body_model_is_told_where_there_is_none(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    findings = find_download(Folders(body_models=tmp_path)).findings
    assert [told in finding for finding in findings] == ([True] if told else [])
    (tmp_path / "smplh" / "male").mkdir(parents=True)
    (tmp_path / "smplh" / "male" / "model.npz").touch()
    assert find_download(Folders(body_models=tmp_path)).findings == ()


@pytest.mark.parametrize("name", ["Extrinsics_PG1.npz", "cameraParams_PG1.npz"])
def test_two_calibrations_of_one_camera_are_an_error(tmp_path: Path, name: str) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(folder.encode())
    with pytest.raises(InputError) as caught:
        find_download(Folders(calibration=tmp_path))
    assert caught.value.where == str(tmp_path / "second" / name)
    assert str(tmp_path / "first" / name) in caught.value.got


def test_one_calibration_that_is_there_twice_is_one(tmp_path: Path) -> None:
    """A copy says the same, and BMLmovi's .pkl is its .npz written another way."""
    for name in ("one/Extrinsics_PG1.npz", "two/Extrinsics_PG1.npz", "two/Extrinsics_PG1.pkl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name[-3:].encode())
    assert find_download(Folders(calibration=tmp_path)).extrinsics == {"PG1": tmp_path / "one" / "Extrinsics_PG1.npz"}
