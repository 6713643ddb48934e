"""A cause is reported once, however many units it fails and however many wait."""

from __future__ import annotations

from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.runtime.root_causes import Failure, root_causes
from movi_prep.runtime.summary import summarise_plan, summarise_run
from tests.runtime.conftest import World
from tests.runtime.fake_stages import write_motions


def _wrong_release(number: int) -> Failure:
    reason = f"/data/S{number}/C{number}_poses.npz: expected SMPL+H motion, but got SMPL-X (poses ({number}, 165))"
    return Failure(f"markers S{number:03d}/C01", reason, "")


def test_six_hundred_clips_of_the_wrong_release_are_one_cause() -> None:
    failed = [_wrong_release(number) for number in range(1, 631)]
    waits_for = {f"ik S{number:03d}/C01": failure.unit for number, failure in enumerate(failed, start=1)}
    (cause,) = root_causes(failed, waits_for)
    assert len(cause.units) == cause.n_waiting == 630
    assert cause.reason == failed[0].reason


def test_another_reason_is_another_cause_and_the_largest_stands_first() -> None:
    failed = [Failure("scale S001", "the model has no pelvis", ""), _wrong_release(1), _wrong_release(2)]
    assert [cause.units for cause in root_causes(failed, {})] == [
        ("markers S001/C01", "markers S002/C01"),
        ("scale S001",),
    ]


def test_a_setting_that_goes_on_all_the_same_is_taken_from_the_reason() -> None:
    (cause,) = root_causes([Failure("ik S001/C01", "failed its audit; go on with --set scaling.keep=true", "")], {})
    assert cause.override == "scaling.keep=true"


def test_what_waits_is_counted_for_the_failure_it_waits_for_in_run_and_status(world: World) -> None:
    write_motions(world.amass, {movi_clip(1, 1): b"fail"})
    result = world.run()
    prepared = world.prepare()
    for summary in (summarise_run(result), summarise_plan(prepared.plan, prepared.identities)):
        assert not summary.is_complete
        assert [cause.units for cause in summary.causes] == [("grow S001/C01",)]
        assert summary.causes[0].n_waiting == len(summary.waits_for) == 1
