"""What a person is reported of a work folder and of a recordings: counts, what waits, and what is missing."""

from __future__ import annotations

from dataclasses import replace

from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.runtime.overview import N_MOTIONS, Part, describe_recordings
from movi_prep.runtime.summary import summarise_plan
from tests.runtime.conftest import World
from tests.runtime.fake_stages import write_motions


def test_what_no_longer_holds_waits_with_its_reason_and_is_no_failure(world: World) -> None:
    write_motions(world.amass, {movi_clip(15, 2): b"fail"})
    world.run()
    prepared = world.prepare(scaling={"factor_min": 0.5})
    state = summarise_plan(prepared.plan, prepared.identities)
    assert (state.stages["grow"].done, state.stages["grow"].failed, state.stages["grow"].stale) == (5, 1, 0)
    assert (state.stages["blend"].done, state.stages["blend"].stale, state.stages["blend"].waiting) == (0, 1, 1)
    assert [failure.unit for failure in state.failed] == ["grow S015/C02"]
    assert state.waiting == {"blend S001": "setting factor_min: 0.6 -> 0.5", "blend S015": "follows grow S015/C02"}
    assert "grown/S001/C01.bin" in state.outputs
    assert "blend/S001.bin" not in state.outputs


def motions(world: World) -> Part:
    prepared = world.prepare()
    return describe_recordings(prepared.recordings, prepared.config)[0]


def test_gaps_in_a_whole_download_are_named_up_to_the_last_motion_everyone_performed(world: World) -> None:
    write_motions(world.amass, {movi_clip(1, clip): b"motion" for clip in range(1, N_MOTIONS + 1)})
    part = motions(world)
    assert part.found == "24 clips of 2 subjects"
    gaps = ",".join(str(clip) for clip in range(1, N_MOTIONS + 1) if clip not in (1, 2, 5))
    assert part.missing == f"clips not there: S015 {gaps}"


def test_a_small_set_has_gaps_only_before_its_subjects_last_clips(world: World) -> None:
    assert motions(world).missing == "clips not there: S001 3,4, S015 3,4"


def test_a_camera_that_is_not_planned_is_a_warning(world: World) -> None:
    prepared = world.prepare()
    plan = replace(prepared.plan, left_out={"shard PG3": "no shards of PG3: there are no videos"})
    assert summarise_plan(plan, prepared.identities).warnings == {
        "shard PG3": ("no shards of PG3: there are no videos",)
    }
