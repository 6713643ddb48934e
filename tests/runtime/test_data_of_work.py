"""A work folder belongs to one data set, whose parts may come one by one and which may move."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from movi_prep.config.load import load_config
from movi_prep.errors import UsageError
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.runtime.data_of_work import config_path
from tests.runtime.conftest import World
from tests.runtime.fake_stages import write_motions
from tests.sentences import raises_recorded


def _write_subset(amass: Path, *names: str) -> None:
    for name in names:
        for clip in ("walk", "run"):
            path = amass / name / "s1" / f"{clip}_poses.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{name} {clip} ".encode())


@pytest.mark.parametrize("other", ["another folder", "another reading"])
def test_other_data_are_refused_and_leave_the_folder_as_it_is(world: World, other: str) -> None:
    world.run()
    write_motions(world.folder / "else", {movi_clip(1, 1): b"of somebody else", movi_clip(7, 1): b"and more"})
    asked = {"amass": world.folder / "else"} if other == "another folder" else {"subset": "all"}
    before = {path: path.read_bytes() for path in world.work.rglob("*") if path.is_file()}
    with raises_recorded(UsageError) as refused:
        world.run(**asked)
    assert "S001, S015" in str(refused.value)
    assert {path: path.read_bytes() for path in world.work.rglob("*") if path.is_file()} == before


def test_other_data_have_their_own_folder(world: World) -> None:
    world.run()
    write_motions(world.folder / "else", {movi_clip(1, 1): b"of somebody else"})
    assert world.run(amass=world.folder / "else", work=world.folder / "work2").is_complete


def test_a_folder_in_which_nothing_was_done_takes_any_data(world: World) -> None:
    for path in world.amass.rglob("*.npz"):
        path.write_bytes(b"fail")
    assert not world.run().is_complete
    write_motions(world.folder / "else", {movi_clip(1, 1): b"of somebody else"})
    assert world.run(amass=world.folder / "else").is_complete


def test_subsets_of_one_folder_come_one_by_one_and_are_remembered(tmp_path: Path) -> None:
    world = World(tmp_path)
    _write_subset(world.amass, "ACCAD", "KIT", "Eyes")
    for subset, known in (("KIT", ("KIT",)), ("ACCAD,KIT", ("KIT", "ACCAD")), ("all", ("all",)), ("Eyes", ("all",))):
        assert world.run(subset=subset).is_complete
        assert load_config(config_path(world.work), {}).subset == known
    assert {path.name for path in (world.work / "grown").iterdir()} == {"ACCAD_s1", "KIT_s1", "Eyes_s1"}


def test_a_part_of_a_download_named_by_itself_is_the_same_data(tmp_path: Path) -> None:
    world = World(tmp_path)
    _write_subset(world.amass, "ACCAD", "KIT")
    world.run(subset="KIT")
    shutil.copytree(world.amass / "KIT", tmp_path / "copied" / "KIT")
    assert not world.prepare(subset="KIT", amass=tmp_path / "copied" / "KIT").plan.to_run


def test_the_configuration_is_that_of_the_last_command_even_if_nothing_ran(world: World) -> None:
    world.run(run={"workers": 1})
    result = world.run(run={"workers": 3}, subjects="1")
    assert not result.records
    kept = load_config(config_path(world.work), {})
    assert (kept.run.workers, kept.subjects) == (3, None)


def test_a_command_that_needs_no_video_does_not_forget_where_videos_are(world: World) -> None:
    (world.folder / "videos").mkdir()
    world.run(videos=world.folder / "videos")
    world.run()
    assert load_config(config_path(world.work), {}).videos == world.folder / "videos"


@pytest.mark.parametrize("place", ["amass", "amass/results", "linked/results"])
def test_a_work_folder_in_the_data_is_refused(world: World, place: str) -> None:
    (world.folder / "linked").symlink_to(world.amass)
    before = sorted(world.folder.rglob("*"))
    with raises_recorded(UsageError):
        world.run(work=world.folder / place)
    assert sorted(world.folder.rglob("*")) == before


def test_data_in_the_work_folder_are_refused(world: World) -> None:
    with raises_recorded(UsageError):
        world.run(work=world.folder)
    assert not config_path(world.folder).exists()


def test_a_configuration_of_the_users_own_is_never_replaced(world: World) -> None:
    world.work.mkdir()
    config_path(world.work).write_text("amass: ../amass\n")
    with raises_recorded(UsageError):
        world.run()
    assert config_path(world.work).read_text() == "amass: ../amass\n"
    assert not (world.work / "logs").exists()


def test_a_work_folder_that_was_emptied_by_hand_begins_anew(world: World) -> None:
    world.run()
    for folder in world.work.iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)
    assert world.run().is_complete
