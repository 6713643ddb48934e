"""Any subset of AMASS: folders and files as they are, names that are safe, and every clip on its own clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from movi_prep.config.root import Config
from movi_prep.errors import UsageError
from movi_prep.recordings.amass import find_amass
from movi_prep.recordings.find import find_recordings, select_clips
from movi_prep.recordings.folders import Folders
from movi_prep.records.recordings import Recordings
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.markers import MARKERS, STATIC
from tests.sentences import raises_recorded

FILES = (
    "ACCAD/Female1General_c3d/A1 - Stand_poses.npz",
    "ACCAD/Female1General_c3d/A10 - lie [to] crouch_poses.npz",
    "ACCAD/Female1General_c3d/A2 - Sway_stageii.npz",
    "ACCAD/Female1General_c3d/shape.npz",
    "CMU/CMU/01/01_01_poses.npz",
    "CMU/CMU/10/01_01_poses.npz",
    "CMU/CMU/9/neutral_stagei.npz",
    "CMU/CMU/9/static_poses.npz",
    "KIT/3/Gr\u00f6\u00dfe.v2_poses.npz",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, *FILES)
    return tmp_path


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def find(root: Path, *subsets: str) -> Recordings:
    return find_amass(Folders(amass=root), subsets or ("all",))


def test_subject_folders_and_file_names_become_names_in_the_order_that_people_count(root: Path) -> None:
    assert list(map(str, find(root).motions)) == [
        "ACCAD_Female1General_c3d/A1_-_Stand",
        "ACCAD_Female1General_c3d/A2_-_Sway",
        "ACCAD_Female1General_c3d/A10_-_lie_to_crouch",
        "CMU_01/01_01",
        "CMU_9/static_",
        "CMU_10/01_01",
        "KIT_3/Gr\u00f6\u00dfe.v2",
    ]


def test_subsets_are_chosen_by_name_whatever_the_case(root: Path) -> None:
    assert find(root, "accad", "KIT").subjects == ("ACCAD_Female1General_c3d", "KIT_3")
    with raises_recorded(UsageError):
        find(root, "ACAD")


def test_the_folder_of_one_subset_or_subject_may_be_named(root: Path) -> None:
    assert find(root / "CMU").subjects == find(root / "CMU/CMU").subjects == ("CMU_01", "CMU_9", "CMU_10")
    assert list(find(root / "KIT/3").motions.values()) == [root / FILES[-1]]


def test_of_two_releases_the_old_one_is_used_and_said(root: Path) -> None:
    write(root, "CMU/CMU/01/01_01_stageii.npz")
    found = find(root, "CMU")
    assert next(iter(found.motions.values())).name == "01_01_poses.npz"
    assert [text for text in found.findings if "01_01_stageii.npz" in text]


def test_two_clips_or_subjects_of_one_name_are_left_out_and_said_and_the_rest_done(root: Path) -> None:
    write(root, "KIT/3/jump (1)_poses.npz", "KIT/3/jump [1]_poses.npz", "A_B/C/x_poses.npz", "A/B_C/x_poses.npz")
    found = find(root)
    assert len(found.motions) == 7
    said = " ".join(found.findings)
    assert "KIT/3/jump (1) and KIT/3/jump [1] would both be KIT_3/jump_1" in said
    assert "A/B_C and A_B/C would both be A_B_C" in said


def test_subjects_and_clips_are_chosen_by_name_or_pattern(root: Path) -> None:
    chosen = select_clips(find(root), subjects=["CMU_*"], clips=["01_01"], exclude=["CMU_10"])
    assert list(map(str, chosen.motions)) == ["CMU_01/01_01"]
    with raises_recorded(UsageError):
        select_clips(find(root), subjects=None, clips=None, exclude=["CMU10"])


def test_what_only_bmlmovi_has_is_refused_beside_a_subset(root: Path) -> None:
    with raises_recorded(UsageError):
        find_recordings(Config(amass=root, videos=root, subset=("KIT",)))


def test_clips_are_planned_on_their_own_clock_and_in_their_own_files(root: Path, tmp_path: Path) -> None:
    work, config = WorkFolder(tmp_path / "work"), Config(amass=root)
    units = MARKERS.plan(find(root, "KIT"), work, config)
    assert [unit.settings.rate for unit in units] == ["mocap"]
    assert units[0].outputs.markers == work.root / "markers" / "KIT_3" / "Gr\u00f6\u00dfe.v2.h5"
    # The clip called `static` and the static trial of its subject are two files.
    outputs = {unit.outputs.trial for unit in STATIC.plan(find(root, "CMU"), work, config)}
    assert not outputs & {unit.outputs.markers for unit in MARKERS.plan(find(root, "CMU"), work, config)}


def test_eleven_thousand_clips_are_grouped_once(tmp_path: Path) -> None:
    clips = dict.fromkeys(find_many(500, 22), tmp_path)
    recordings = Recordings(motions=clips)
    assert sum(len(recordings.clips_of(subject)) for subject in recordings.subjects) == 11_000
    assert sum(len(recordings.all_motions_of(subject)) for subject in recordings.subjects) == 11_000


def find_many(n_subjects: int, n_clips: int) -> list:  # type: ignore[type-arg]
    from movi_prep.records.identity import ClipId

    rng = np.random.default_rng(0)
    clips = [ClipId(f"KIT_{subject}", f"walk_{clip}") for subject in range(n_subjects) for clip in range(n_clips)]
    return [clips[index] for index in rng.permutation(len(clips))]
