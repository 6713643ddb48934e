"""A shard of an earlier run is reported by name, with reason and command; one that is up to date is not."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from movi_prep.config.root import Config
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.outdated import OutdatedShards
from movi_prep.records.recordings import Recordings
from movi_prep.records.unit import AnyUnit
from movi_prep.records.work_folder import WorkFolder
from movi_prep.runtime.outdated import find_outdated
from movi_prep.runtime.summary import summarise_run
from tests.runtime.conftest import World
from tests.runtime.fake_stages import BLEND, GROW, BlendOutputs, plan_blend, write_motions


def plan_shards(recordings: Recordings, work: WorkFolder, config: Config) -> tuple[AnyUnit, ...]:
    """Plan what `blend` does, as shards: one file per subject where training looks for it."""
    return tuple(
        replace(unit, outputs=BlendOutputs(work.shards() / f"{unit.key}.h5"))
        for unit in plan_blend(recordings, work, config)
    )


STAGES = (GROW, replace(BLEND, plan=plan_shards))
SHARDS = ["shards/S001.h5", "shards/S015.h5"]


def outdated(world: World, **flags: object) -> tuple[OutdatedShards, ...]:
    prepared = world.prepare(stages=STAGES, **flags)
    return find_outdated(prepared.plan, prepared.identities)


@pytest.fixture
def finished(world: World) -> World:
    """The world after a run that was complete."""
    assert world.run(stages=STAGES).is_complete
    return world


def test_what_a_whole_run_wrote_is_not_outdated(finished: World) -> None:
    assert outdated(finished) == ()


def test_the_old_shard_of_a_unit_that_cannot_be_made_again_is_named(finished: World) -> None:
    before = (finished.work / SHARDS[0]).read_bytes()
    write_motions(finished.amass, {movi_clip(1, 2): b"fail"})
    result = finished.run(stages=STAGES)
    assert (finished.work / SHARDS[0]).read_bytes() == before, "hours of work are not thrown away"
    (reported,) = summarise_run(result).outdated
    assert (reported.files, reported.reason) == ((SHARDS[0],), "needs grow S001/C02, which failed")
    (reported,) = outdated(finished)
    assert reported.files == (SHARDS[0],)
    assert reported.reason.startswith("follows grow S001/C02: failed last time: ")

    write_motions(finished.amass, {movi_clip(1, 2): b"mended"})
    assert summarise_run(finished.run(stages=STAGES)).outdated == ()
    assert outdated(finished) == ()


def test_a_shard_whose_own_unit_failed_says_why(finished: World) -> None:
    def fail(*_: object) -> None:
        raise OSError("the lamp went out")

    stages = (STAGES[0], replace(STAGES[1], run=fail))
    summary = summarise_run(finished.run(stages=stages, scaling={"factor_min": 0.5}))
    assert [item.files for item in summary.outdated] == [(shard,) for shard in SHARDS]
    assert summary.outdated[0].reason.startswith("failed: OSError: the lamp went out")
    (first, _) = outdated(finished, scaling={"factor_min": 0.5})
    assert first.reason.startswith("failed last time: OSError: the lamp went out")
    assert shlex.split(first.redo) == [
        *("movi-prep", "run", "--config", str(finished.work / "config.yaml"), "--work", str(finished.work)),
        *("--only", "blend S001"),
    ]


def test_a_setting_that_changed_since_outdates_what_it_made(finished: World) -> None:
    reported = outdated(finished, scaling={"factor_min": 0.5})
    assert [(item.files, item.reason) for item in reported] == [
        ((shard,), "setting factor_min: 0.6 -> 0.5") for shard in SHARDS
    ]


def test_a_shard_that_someone_changed_is_named(finished: World) -> None:
    (finished.work / SHARDS[1]).write_bytes(b"another")
    assert [item.reason for item in outdated(finished)] == ["output shards/S015.h5 was changed"]


def test_a_shard_of_another_run_holds_while_its_record_does(finished: World) -> None:
    flags = {"subjects": "15"}
    assert outdated(finished, **flags) == ()
    (finished.work / SHARDS[0]).write_bytes(b"another")
    assert [(item.files, item.reason) for item in outdated(finished, **flags)] == [
        ((SHARDS[0],), "it was changed after blend S001 wrote it")
    ]


def test_a_shard_of_another_run_falls_with_what_it_was_made_from(finished: World) -> None:
    (finished.work / "grown" / "S001" / "C02.bin").write_bytes(b"another")
    (reported,) = outdated(finished, subjects="15")
    assert (reported.files, reported.reason) == (
        (SHARDS[0],), "blend S001 read other files than are there now: input grown[1]"
    )  # fmt: skip


def test_a_file_that_no_record_names_is_reported_and_what_training_does_not_read_is_not(finished: World) -> None:
    for name in ("S099.h5", "notes.txt", ".S001.h5.half"):
        (finished.work / "shards" / name).touch()
    (reported,) = outdated(finished)
    assert reported.files == ("shards/S099.h5",)
    assert reported.reason.startswith("no record names it")


def test_a_moved_work_folder_is_not_outdated(finished: World) -> None:
    moved = finished.folder / "elsewhere"
    moved.mkdir()
    for name in ("work", "amass"):
        Path(finished.folder / name).rename(moved / name)
    assert outdated(World(moved)) == ()
