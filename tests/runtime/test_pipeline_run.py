"""What a run promises: done means proven, failures are rows, and what did not change is not done again."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from movi_prep.config.base import Settings
from movi_prep.config.fields import CHANGES_NO_RESULT
from movi_prep.config.ik_solver import ConvergedSettings
from movi_prep.config.markers import TrajectorySettings
from movi_prep.errors import InternalError, UsageError
from movi_prep.formats.trial_load import check_that_it_loads
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.unit import AnyUnit, StageReport
from movi_prep.records.work_folder import WorkFolder
from movi_prep.runtime.file_identity import FileIdentities
from movi_prep.runtime.locks import LockedError, hold_scopes
from movi_prep.runtime.pipeline_run import check_machine, prepare_run
from movi_prep.runtime.settings_identity import describe_settings
from movi_prep.runtime.summary import summarise_plan, summarise_run
from movi_prep.runtime.unit_attempt import Task, execute
from movi_prep.runtime.unit_record import read_record, record_path
from movi_prep.stages.order import ORDER, load_stage
from tests.runtime.conftest import Silent, World
from tests.runtime.fake_stages import (
    BLEND,
    GROW,
    BlendOutputs,
    GrowInputs,
    GrowOutputs,
    GrowSettings,
    TolerantInputs,
    plan_blend_elsewhere,
    plan_tolerant_blend,
    run_blend,
    run_grow,
    run_tolerant_blend,
    write_motions,
)
from tests.sentences import raises_recorded


def prepare_loudly(settings: Sequence[Settings], say: Callable[[str], None]) -> None:
    say(f"preparing for {len(settings)} units")


def refuse(settings: Sequence[Settings]) -> None:
    raise UsageError(f"{len(settings)} units cannot run here")


def interrupt(*_: object) -> StageReport:
    raise KeyboardInterrupt


def ran(result: object) -> set[str]:
    return set(result.records)  # type: ignore[attr-defined]


def test_a_second_run_executes_nothing(world: World) -> None:
    assert len(world.run().records) == 8
    before = world.results()
    second = world.run()
    assert second.records == {}
    assert second.is_complete
    assert world.results() == before


def test_one_setting_runs_its_stage_and_what_follows_again_and_no_more(world: World) -> None:
    world.run()
    assert ran(world.run(scaling={"factor_min": 0.5})) == {"blend S001", "blend S015"}
    assert len(world.run(markers={"batch_samples": 2}, scaling={"factor_min": 0.5}).records) == 8


def test_one_input_runs_its_clip_and_its_subject_again(world: World) -> None:
    world.run()
    write_motions(world.amass, {movi_clip(1, 2): b"another motion"})
    assert ran(world.run()) == {"grow S001/C02", "blend S001"}


def test_a_touched_input_of_equal_content_runs_nothing(world: World) -> None:
    world.run()
    for path in world.amass.rglob("*.npz"):
        os.utime(path)
    assert ran(world.run()) == set()


def test_a_moved_download_and_work_folder_run_nothing(world: World) -> None:
    world.run()
    (world.folder / "elsewhere").mkdir()
    world.amass.rename(world.folder / "elsewhere" / "amass")
    world.work.rename(world.folder / "elsewhere" / "work")
    assert ran(World(world.folder / "elsewhere").run()) == set()


@pytest.mark.parametrize("harm", ["delete", "truncate", "flip"])
def test_a_harmed_output_is_made_again(world: World, harm: str) -> None:
    world.run()
    victim = world.work / "grown" / "S015" / "C05.bin"
    content = victim.read_bytes()
    if harm == "delete":
        victim.unlink()
    else:
        victim.write_bytes(content[:-3] if harm == "truncate" else b"X" + content[1:])
    again = world.run()
    assert ran(again) == {"grow S015/C05"}
    assert again.unchanged == {"blend S015"}, "it came out as it was"
    assert world.run().records == {}
    assert victim.read_bytes() == content


def test_a_new_stage_version_runs_it_again(world: World) -> None:
    world.run()
    assert ran(world.run(stages=(GROW, replace(BLEND, version=2)))) == {"blend S001", "blend S015"}


def test_force_runs_a_stage_and_what_follows_only_where_it_made_something_else(world: World) -> None:
    world.run()
    assert ran(world.run(force=("blend",))) == {"blend S001", "blend S015"}
    forced = world.run(force=("grow",))
    assert {record.stage for record in forced.records.values()} == {"grow"}
    assert forced.unchanged == {"blend S001", "blend S015"}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def try_inputs(inputs: Any, outputs: Any, settings: Settings) -> StageReport:
    """Grow or blend, but let each input pass a trial that nothing survives."""
    files = (inputs.motion,) if isinstance(inputs, GrowInputs) else inputs.grown
    for path in files:
        check_that_it_loads(path, die)
    return (run_grow if isinstance(inputs, GrowInputs) else run_blend)(inputs, outputs, settings)


def test_what_units_made_needs_no_trial_and_what_others_made_does(world: World) -> None:
    blend = replace(BLEND, run=try_inputs)
    assert world.run(stages=(GROW, blend)).is_complete
    # Its makers are not run again: their records of the first run vouch.
    assert ran(world.run(stages=(GROW, blend), force=("blend",))) == {"blend S001", "blend S015"}
    theirs = world.run(stages=(replace(GROW, run=try_inputs), blend), force=("grow",))
    assert {record.stage for record in theirs.failed} == {"grow"}


def test_a_failed_clip_is_a_row_and_the_others_are_done(world: World) -> None:
    write_motions(world.amass, {movi_clip(1, 2): b"fail"})
    result = world.run()
    assert [record.id for record in result.failed] == ["grow S001/C02"]
    assert result.blocked == {"blend S001": "needs grow S001/C02, which failed"}
    failed = result.failed[0]
    assert "expected a motion, but got a mishap" in failed.reason
    assert "\n" not in failed.reason
    assert "Traceback" in failed.traceback
    assert failed.redo == "redo grow S001/C02"
    assert "blend/S015.bin" in world.results()
    assert "grown/S001/C02.bin" not in world.results()


def test_a_mended_clip_runs_with_what_waited_for_it(world: World) -> None:
    write_motions(world.amass, {movi_clip(1, 2): b"fail"})
    world.run()
    write_motions(world.amass, {movi_clip(1, 2): b"mended"})
    result = world.run()
    assert ran(result) == {"grow S001/C02", "blend S001"}
    assert result.is_complete


def test_abort_stops_after_the_first_failure(world: World) -> None:
    write_motions(world.amass, {movi_clip(1, 1): b"fail"})
    result = world.run(run={"on_error": "abort"})
    assert ran(result) == {"grow S001/C01"}
    assert "blend S015" in result.blocked


def test_an_absent_output_is_a_failure_and_nothing_is_published(world: World) -> None:
    write_motions(world.amass, {movi_clip(1, 2): b"mute"})
    result = world.run()
    assert "did not write its output 'note'" in result.failed[0].reason
    assert "grown/S001/C02.bin" not in world.results()


def test_a_record_tells_all_and_nothing_is_left_aside(world: World) -> None:
    world.run()
    work = WorkFolder(world.work)
    record = read_record(work.records() / "grow" / "S001" / "C01.json")
    assert record is not None
    assert record.status == "done"
    assert record.numbers["grown_bytes"] > 0
    assert record.findings == ("it grew",)
    assert record.outputs["grown"].path == "grown/S001/C01.bin"
    assert record.inputs["motion"].identity.startswith("sha256:")
    assert record.seconds > 0
    assert record.peak_memory_mb > 1
    assert record.host
    assert not [path for path in (world.work / ".scratch").rglob("*") if path.is_file()]


def test_what_a_unit_prints_goes_into_its_own_log(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.run()
    assert (world.work / "logs" / "grow" / "S001" / "C01.log").read_text() == "spoken on the way\n"
    assert "spoken" not in capfd.readouterr().out


def test_a_damaged_record_only_means_that_the_unit_runs_again(world: World) -> None:
    world.run()
    path = world.work / "records" / "grow" / "S001" / "C01.json"
    for harm in ("", "{", "[]", json.dumps({"format": "movi-prep-record", "version": 1})):
        path.write_text(harm)
        assert "grow S001/C01" in ran(world.run())


def test_the_plan_can_be_cut_to_one_unit_and_what_it_needs(world: World) -> None:
    prepared = prepare_run(world.config(), (GROW, BLEND), only=("blend S001",))
    assert set(prepared.plan.units) == {"grow S001/C01", "grow S001/C02", "grow S001/C05", "blend S001"}
    with raises_recorded(UsageError):
        prepare_run(world.config(), (GROW, BLEND), only=("blnd S001",))


def test_a_stage_alone_means_all_its_units(world: World) -> None:
    prepared = prepare_run(world.config(), (GROW, BLEND), only=("grow",))
    assert {planned.unit.stage for planned in prepared.plan.units.values()} == {"grow"}
    assert len(prepared.plan.units) == 6


def test_reasons_are_said(world: World) -> None:
    world.run()
    plan = world.prepare(markers={"batch_samples": 2}).plan
    assert plan.units["grow S001/C01"].reason == "setting copies: 512 -> 2"
    assert plan.units["blend S001"].reason == "follows grow S001/C01 and 2 more"


def test_a_clip_that_is_gone_makes_what_was_made_of_it_anew(world: World) -> None:
    world.run()
    [motion] = world.amass.rglob("Subject_1_F_5_poses.npz")
    motion.unlink()
    assert world.prepare().plan.units["blend S001"].reason == "it reads other files now"
    assert ran(world.run()) == {"blend S001"}


def test_outputs_under_other_names_are_made_anew(world: World) -> None:
    world.run()
    renamed = replace(BLEND, plan=plan_blend_elsewhere)
    assert world.prepare(stages=(GROW, renamed)).plan.units["blend S001"].reason == "it writes other files now"
    assert ran(world.run(stages=(GROW, renamed))) == {"blend S001", "blend S015"}
    assert (world.work / "mixed" / "S001.bin").read_bytes() == (world.work / "blend" / "S001.bin").read_bytes()


def test_no_two_units_write_one_file(world: World) -> None:
    def plan_again(*found: Any) -> tuple[AnyUnit, ...]:
        return tuple(replace(unit, stage="weed") for unit in GROW.plan(*found))

    with raises_recorded(InternalError):
        world.prepare(stages=(GROW, replace(GROW, name="weed", plan=plan_again)))


def test_an_orphaned_worker_leaves_neither_output_nor_record(world: World) -> None:
    planned = world.prepare().plan.units["grow S001/C01"]
    work = WorkFolder(world.work)
    with hold_scopes(work, ["S001"], "other"), raises_recorded(LockedError):
        execute(Task(planned.stage, planned.unit, work, "mine"))
    assert world.results() == {}
    assert read_record(record_path(work, planned.unit)) is None


def test_a_tolerant_unit_goes_on_without_what_failed(world: World) -> None:
    tolerant = replace(BLEND, plan=plan_tolerant_blend, run=run_tolerant_blend)
    write_motions(world.amass, {movi_clip(1, 2): b"fail"})
    result = world.run(stages=(GROW, tolerant))
    assert [record.id for record in result.failed] == ["grow S001/C02"]
    assert result.blocked == {}
    assert world.results()["blend/S001.bin"] == b"motion 1 1 " * 512 + b"motion 1 5 " * 512

    again = world.run(stages=(GROW, tolerant))
    assert ran(again) == {"grow S001/C02"}
    assert again.unchanged == {"blend S001"}

    write_motions(world.amass, {movi_clip(1, 2): b"mended"})
    assert ran(world.run(stages=(GROW, tolerant))) == {"grow S001/C02", "blend S001"}
    assert b"mended" in world.results()["blend/S001.bin"]


def test_a_tolerant_unit_does_not_see_what_an_earlier_run_made(world: World) -> None:
    tolerant = replace(BLEND, plan=plan_tolerant_blend, run=run_tolerant_blend)
    world.run(stages=(GROW, tolerant))
    write_motions(world.amass, {movi_clip(1, 2): b"fail"})
    world.run(stages=(GROW, tolerant))
    assert b"motion 1 2" not in world.results()["blend/S001.bin"]


def test_an_input_that_changes_meanwhile_fails_and_one_that_a_backup_links_does_not(world: World) -> None:
    write_motions(world.amass, {movi_clip(1, 1): b"link", movi_clip(1, 2): b"edit"})
    result = world.run()
    assert [record.key for record in result.failed] == ["S001/C02"]
    assert "one that changed" in result.failed[0].reason


def test_a_full_disk_is_reported_by_the_folder_that_a_person_knows(world: World) -> None:
    write_motions(world.amass, {movi_clip(1, 2): b"full"})
    (record,) = world.run().failed
    folder = world.work / "grown" / "S001"
    assert record.reason == f"{folder}: No space left on device; check the path, permissions and free space"


def test_a_folder_without_any_clip_is_refused(world: World) -> None:
    """Nothing to do must not end like all done."""
    config = world.config(amass=world.folder)
    for path in world.amass.rglob("*.npz"):
        path.unlink()
    with raises_recorded(UsageError):
        prepare_run(config, (load_stage(ORDER[0]),))


def test_a_file_that_a_setting_names_must_be_there(world: World) -> None:
    with raises_recorded(UsageError):
        world.prepare(markers={"marker_set": world.folder / "absent.yaml"})


def test_a_machine_is_prepared_before_the_first_unit_and_for_what_runs_alone(world: World) -> None:
    stages, observer = (replace(GROW, prepare=prepare_loudly), BLEND), Silent()
    result = world.run(stages=stages, observer=observer)
    assert observer.waited_for == ["preparing for 6 units"]
    assert result.is_complete
    world.run(stages=stages, observer=observer)
    assert observer.waited_for == ["preparing for 6 units"], "nothing was to be run"


def test_what_this_machine_cannot_do_is_one_error_and_no_unit_runs(world: World) -> None:
    with raises_recorded(UsageError):
        world.run(stages=(replace(GROW, check=refuse), BLEND))
    assert not world.work.exists()


def test_other_machines_are_not_judged_by_this_one(world: World) -> None:
    check_machine(world.prepare(stages=(replace(GROW, check=refuse), BLEND), run={"executor": "slurm"}))


def test_who_stops_a_run_is_reported_at_once_that_it_heard(world: World) -> None:
    observer = Silent()
    result = world.run(stages=(replace(GROW, run=interrupt), BLEND), observer=observer)
    assert result.interrupted
    assert observer.waited_for == ["stopping; the same command resumes where this one stopped"]
    assert world.run().is_complete


def test_an_input_that_is_another_file_is_reported_with_both_names(world: World) -> None:
    world.run()
    before = world.amass.rename(world.folder / "before")
    # The other clip is as it was: without any such clip, these would be other data.
    write_motions(world.amass, {movi_clip(1, 1): b"another take", movi_clip(1, 2): b"motion 1 2 "})
    name = "Subject_1_F_MoSh/Subject_1_F_1_poses.npz"
    assert world.prepare().plan.units["grow S001/C01"].reason == "input motion was changed: " + str(world.amass / name)
    world.amass.rename(world.folder / "later")
    plan = world.prepare(amass=world.folder / "later").plan
    assert plan.units["grow S001/C01"].reason == (
        f"input motion is another file: was {world.amass / name}, is {world.folder / 'later' / name}"
    )
    assert before.is_dir()


def test_equal_bytes_cut_off_all_that_follows(world: World) -> None:
    stages = (GROW, BLEND)
    world.run(stages=stages)
    # A motion that is another file, and of which comes the same: `copies` halved, content doubled.
    first = movi_clip(1, 1)
    write_motions(world.amass, {first: b"motion 1 1 " * 2})
    observer = Silent()
    halved = replace(GROW, run=_grow_half_of_doubled)
    result = world.run(stages=(halved, BLEND), observer=observer)
    assert ran(result) == {"grow S001/C01"}
    assert observer.held == ["blend S001"]
    assert summarise_run(result).stages["blend"].current == 2
    assert world.run(stages=(halved, BLEND)).records == {}


def _grow_half_of_doubled(inputs: GrowInputs, outputs: GrowOutputs, settings: GrowSettings) -> StageReport:
    return run_grow(inputs, outputs, GrowSettings(copies=settings.copies // 2))


def test_what_failed_since_is_not_read_by_later_runs_that_do_not_ask_for_it(world: World) -> None:
    """A unit may read what other runs left, but only what a record vouches for."""
    tolerant = replace(BLEND, plan=plan_tolerant_blend, run=run_tolerant_blend)
    world.run(stages=(GROW, tolerant))
    write_motions(world.amass, {movi_clip(1, 2): b"fail"})
    world.run(stages=(GROW,))
    assert (world.work / "grown" / "S001" / "C02.bin").is_file(), "it lies there"
    # Only the blend is planned: nobody makes what it reads.
    again = world.run(stages=(tolerant,))
    assert ran(again) == {"blend S001"}
    assert world.results()["blend/S001.bin"] == b"motion 1 1 " * 512 + b"motion 1 5 " * 512
    assert world.run(stages=(tolerant,)).records == {}


@pytest.mark.parametrize(
    "harm",
    [
        {"seconds": "abc"},
        {"seconds": None},
        {"tries": "3"},
        {"findings": 3},
        {"findings": [3]},
        {"numbers": []},
        {"settings": 1},
        {"inputs": []},
        {"outputs": {"grown": {"path": 1, "identity": "x"}}},
        {"status": "perhaps"},
        {"format": "other"},
    ],
    ids=str,
)
def test_a_record_with_values_of_another_kind_counts_as_absent(world: World, harm: dict[str, Any]) -> None:
    world.run()
    path = world.work / "records" / "grow" / "S001" / "C01.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | harm))
    prepared = world.prepare()
    assert prepared.plan.units["grow S001/C01"].state == "new"
    assert summarise_plan(prepared.plan, prepared.identities).stages["grow"].waiting == 1


@pytest.mark.parametrize("content", ["[" * 100_000, "", "null", "[]", "\x00", '{"a": 1'], ids=lambda text: text[:6])
def test_a_record_that_cannot_be_read_counts_as_absent(world: World, content: str) -> None:
    world.run()
    for path in (world.work / "records").rglob("*.json"):
        path.write_text(content)
    prepared = world.prepare()
    assert {planned.state for planned in prepared.plan.to_run} == {"new"}
    assert summarise_plan(prepared.plan, prepared.identities).stages["grow"].waiting == 6
    assert len(world.run().records) == 8


CHOICE = {"subjects": "1", "clips": "1,2"}


def test_a_part_that_was_asked_for_is_whole_to_those_who_only_look(world: World) -> None:
    assert world.run(**CHOICE).is_complete
    looked = world.prepare(as_chosen=True)
    assert looked.plan.to_run == ()
    assert {planned.unit.key for planned in looked.plan.units.values()} == {"S001/C01", "S001/C02", "S001"}
    assert len(world.prepare().plan.to_run) == 6, "a run without a choice does all"


@pytest.mark.parametrize("first", [{}, CHOICE, {"subjects": "1"}], ids=["all", "two clips", "a subject"])
@pytest.mark.parametrize("later", [{"clips": "2"}, {"subjects": "1", "clips": "2"}, {"clips": "1,2"}], ids=str)
def test_a_later_choice_never_shrinks_the_file_of_a_whole_subject(
    world: World, first: dict[str, str], later: dict[str, str]
) -> None:
    world.run(**first)
    before = world.results()
    result = world.run(**later)
    assert {name: content for name, content in world.results().items() if name in before} == before
    assert not ran(result) & {"blend S001", "grow S001/C02"}
    assert world.prepare(as_chosen=True).plan.to_run == ()


def test_a_later_choice_adds_its_clips_and_keeps_the_others_up_to_date(world: World) -> None:
    world.run(**CHOICE)
    result = world.run(subjects="1", clips="5")
    assert ran(result) == {"grow S001/C05", "blend S001"}
    assert world.results()["blend/S001.bin"] == b"".join(f"motion 1 {clip} ".encode() * 512 for clip in (1, 2, 5))
    # What is in the file must not be of another setting than the file says.
    renewed = world.run(subjects="1", clips="5", markers={"batch_samples": 2})
    assert ran(renewed) == {"grow S001/C01", "grow S001/C02", "grow S001/C05", "blend S001"}


def test_a_choice_of_single_files_does_not_bind_what_gathers_them(world: World) -> None:
    world.run(stages=(GROW,))
    result = world.run(**CHOICE)
    assert ran(result) == {"blend S001"}
    assert world.results()["blend/S001.bin"] == b"motion 1 1 " * 512 + b"motion 1 2 " * 512
    looked = world.prepare(as_chosen=True)
    assert looked.plan.units["blend S001"].is_current


def test_what_is_excluded_leaves_the_file_of_its_subject(world: World) -> None:
    world.run()
    assert ran(world.run(exclude=["S001/C02"])) == {"blend S001"}
    assert world.results()["blend/S001.bin"] == b"motion 1 1 " * 512 + b"motion 1 5 " * 512
    assert world.prepare(as_chosen=True, exclude=["S001/C02"]).plan.to_run == ()


def test_a_clip_more_runs_its_own_unit_and_its_subjects(world: World) -> None:
    world.run()
    write_motions(world.amass, {movi_clip(1, 9): b"motion 1 9 "})
    assert {planned.unit.id for planned in world.prepare(as_chosen=True).plan.to_run} == {"grow S001/C09", "blend S001"}
    assert ran(world.run()) == {"grow S001/C09", "blend S001"}


def test_to_repeat_one_unit_takes_the_choice_that_was_made(world: World) -> None:
    world.run(**CHOICE)
    (world.work / "blend" / "S001.bin").unlink()
    prepared = prepare_run(world.config(), (GROW, BLEND), only=["blend S001"])
    assert [planned.unit.id for planned in prepared.plan.to_run] == ["blend S001"]
    named = prepare_run(world.config(), (GROW, BLEND), only=["grow S001/C05"])
    assert [planned.unit.id for planned in named.plan.to_run] == ["grow S001/C05"]


def test_a_work_folder_without_a_choice_stands_for_all(world: World) -> None:
    world.run(**CHOICE)
    for path in (world.work / "records").rglob("choice*/*.json"):
        path.write_text("[" * 100_000)
    (world.work / "records" / "choice.json").unlink(missing_ok=True)
    assert {planned.unit.key for planned in world.prepare(as_chosen=True).plan.units.values()} >= {"S015", "S001"}


def test_an_orphan_of_a_run_that_ended_may_not_publish(world: World) -> None:
    planned = world.prepare().plan.units["grow S001/C01"]
    work = WorkFolder(world.work)
    with hold_scopes(work, ["S001"], "mine"):
        pass
    with pytest.raises(LockedError):
        execute(Task(planned.stage, planned.unit, work, "mine"))
    assert world.results() == {}
    assert read_record(record_path(work, planned.unit)) is None


def test_absent_inputs_leave_no_path_of_this_run_in_what_is_written(world: World) -> None:
    tolerant = replace(BLEND, plan=plan_tolerant_blend, run=_tell_inputs)
    write_motions(world.amass, {movi_clip(1, 2): b"fail"})
    world.run(stages=(GROW, tolerant))
    reported = world.results()["blend/S001.bin"].decode().split()
    assert reported[1] == "None"
    assert not [path for path in reported if ".scratch" in path]


def _tell_inputs(inputs: TolerantInputs, outputs: BlendOutputs, _settings: Settings) -> StageReport:
    outputs.blend.write_text(" ".join(map(str, inputs.grown)))
    return StageReport()


def test_fields_that_change_no_result_do_not_change_the_identity() -> None:
    identities = FileIdentities()

    def described(**changed: object) -> dict[str, Any]:
        return describe_settings(ConvergedSettings(**changed), identities)  # type: ignore[arg-type]

    assert described(verify_frames=0) == described()
    assert described(iteration_limit=7) != described()
    # Whoever marks another field adds the test that runs both ways and compares bytes.
    marked = {name for part in (TrajectorySettings, ConvergedSettings) for name in _marked(part)}
    assert marked == {"verify_frames", "batch_samples"}


def _marked(settings: type[Settings]) -> list[str]:
    return [name for name, field in settings.model_fields.items() if CHANGES_NO_RESULT in field.metadata]
