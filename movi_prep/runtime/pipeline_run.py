"""A run from configuration to results: finds the data, plans units and carries them out, with lock and log."""

from __future__ import annotations

import logging
import os
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from movi_prep.config.load import check_files, dump_config
from movi_prep.errors import UsageError, list_names, suggest
from movi_prep.formats.atomic import write_text
from movi_prep.plain_text import visible
from movi_prep.recordings.find import find_recordings
from movi_prep.records.choice import numbers_in
from movi_prep.records.work_folder import WorkFolder
from movi_prep.runtime.brought_documents import check_documents
from movi_prep.runtime.chosen_clips import keep_choice, read_choice, take_clips, with_gathered
from movi_prep.runtime.data_of_work import check_apart, check_same_data, config_path, config_to_keep, is_kept_config
from movi_prep.runtime.file_identity import FileIdentities, read_identities, write_identities
from movi_prep.runtime.interruption import stop_once
from movi_prep.runtime.locks import hold_scopes, scope_of
from movi_prep.runtime.named_work_folder import holds_results
from movi_prep.runtime.plan_execution import Coordinator, RunResult
from movi_prep.runtime.unit_attempt import Task, clear_scratch
from movi_prep.runtime.work_plan import PlannedUnit, WorkPlan, make_plan
from movi_prep.runtime.worker_pools import SerialExecutor, hear_nothing, local_executor, scheduler_executor
from movi_prep.runtime.writable import check_writable
from movi_prep.stages.order import SHARD_STAGES, empty_parts, idle_cameras

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from movi_prep.config.root import Config
    from movi_prep.records.recordings import Recordings
    from movi_prep.records.unit import AnyStage, AnyUnit
    from movi_prep.runtime.plan_execution import Observer
    from movi_prep.runtime.worker_pools import Executor, Hear

_LOG = logging.getLogger("movi_prep.run")


@dataclass(frozen=True)
class Prepared:
    """A plan, and the data it was made from.

    Attributes:
        config: the whole configuration.
        recordings: the data found, restricted to those of the plan.
        plan: the plan.
        identities: the file hashes that planning knows.
        is_gathering: whether a stage makes files of whole subjects.
        is_cut: whether `only` restricts the plan; such a choice of clips is not remembered.
    """

    config: Config
    recordings: Recordings
    plan: WorkPlan
    identities: FileIdentities
    is_gathering: bool = False
    is_cut: bool = False


def use_embedded_data(config: Config, *, write: bool) -> Config:
    """Return the configuration with the embedded data set as its data, where it asks for that.

    Args:
        config: the configuration.
        write: whether the data set is written where it is not there yet, cut to the subjects and clips asked for.

    Raises:
        UsageError: it is not there and must not be written.
    """
    if not config.embedded:
        return config
    from movi_prep.demo import write_demo
    from movi_prep.runtime.progress import show_work

    folder = WorkFolder(config.work).embedded()
    if not (folder / "config.yaml").is_file():
        if not write:
            raise UsageError(f"{folder}: expected the embedded data set, but it is not there yet; run first")
        # The embedded data set numbers its clips from 1, so all clips up to the last one wanted must be written.
        clips = None if config.clips is None else range(1, max(_numbers("clips", config.clips)) + 1)
        subjects = None if config.subjects is None else _numbers("subjects", config.subjects)
        with show_work("writing the embedded data set") as advance:
            write_demo(folder, subjects=subjects, clips=clips, workers=config.run.workers, advance=advance)
    parts = ("amass", "body_models", "v3d", "videos", "calibration")
    return config.model_copy(update={part: folder / part for part in parts})


def _numbers(setting: str, entries: Sequence[str]) -> tuple[int, ...]:
    try:
        return numbers_in(entries)
    except ValueError as error:
        raise UsageError(f"{setting}: {error}; the embedded data set is numbered") from error


def find_data(config: Config) -> Recordings:
    """Return the data that a configuration names, restricted to its subjects and clips.

    Raises:
        UsageError: a folder does not exist, or the choice of subjects and clips leaves nothing.
    """
    return find_recordings(config)


def prepare_run(
    config: Config,
    stages: Sequence[AnyStage],
    *,
    force: Collection[str] = (),
    only: Collection[str] = (),
    per_subject: bool = False,
    as_chosen: bool = False,
) -> Prepared:
    """Return the plan of some stages: the data, the units that would run, and why. It writes nothing.

    A file about a whole subject keeps the clips that it holds: the stage that writes it is also planned with those.

    Args:
        config: the whole configuration.
        stages: the stages, in order.
        force: stages whose units run even if their records say that they are current.
        only: ids of units (`ik S001/C03`) or stages (`ik`: all its units): the plan is restricted to them and what they
            need.
        per_subject: whether units that concern all subjects at once are left out (array jobs, one per subject).
        as_chosen: whether a configuration without subjects and clips means those that earlier runs chose.

    Raises:
        UsageError: the data or the chosen units do not exist, or a folder lacks the files that it should hold.
    """
    work = WorkFolder(config.work)
    check_files(config)
    check_documents(config)
    recordings = find_data(config)
    _check_nothing_is_empty(config, stages, recordings)
    check_apart(config, recordings)
    identities = read_identities(_identities_path(work), full_hash=config.run.full_hash)
    check_same_data(config, recordings, identities)
    choice, is_gathering = read_choice(work), any(stage.gathers for stage in stages)
    gathered = None
    if choice is not None and (as_chosen or only) and config.subjects is None and config.clips is None:
        named = {name.partition(" ")[2] for name in only}
        everything, was_asked, is_gathered = recordings, choice.was_asked, choice.is_gathered
        recordings = take_clips(everything, lambda clip: str(clip) in named or was_asked(clip), exclude=config.exclude)
        gathered = take_clips(everything, is_gathered, exclude=config.exclude)
    elif is_gathering:
        recordings = with_gathered(recordings, choice, exclude=config.exclude)
    plan = make_plan(
        stages,
        recordings=recordings,
        gathered=gathered,
        config=config,
        identities=identities,
        force=force,
    )
    is_cut = bool(only)
    if per_subject:
        subjects = set(recordings.subjects)
        only = [name for name, planned in plan.units.items() if scope_of(planned.unit.key) in subjects]
    return Prepared(
        config=config,
        recordings=recordings,
        plan=_cut(plan, only) if only else plan,
        identities=identities,
        is_gathering=is_gathering,
        is_cut=is_cut,
    )


def check_machine(prepared: Prepared) -> None:
    """Raise UsageError if this machine cannot run a unit with these settings; do nothing if units run elsewhere.

    Raises:
        UsageError: a stage cannot run, reported once for all of its units.
    """
    if not _works_here(prepared.config):
        return
    for stage, units in _units_to_run(prepared.plan):
        if stage.check is not None:
            stage.check([unit.settings for unit in units])


def carry_out(prepared: Prepared, observer: Observer, *, redo: Callable[[PlannedUnit], str]) -> RunResult:
    """Execute a plan on the executor that its configuration names.

    Raises:
        LockedError: another run works on the same subjects.
        UsageError: the executor cannot be started as configured, or the work folder cannot be written.
    """
    config, plan = prepared.config, prepared.plan
    run_id = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    scopes = {scope_of(planned.unit.key) for planned in plan.to_run}
    if not scopes:
        if plan.work.records().is_dir():
            _keep_config(config)
            _keep_choice(prepared)
        return RunResult(plan=plan, records={}, blocked={})

    def make_task(planned: PlannedUnit, absent: frozenset[Path], made: Mapping[Path, str]) -> Task:
        return Task(
            stage=planned.stage,
            unit=planned.unit,
            work=plan.work,
            run_id=run_id,
            tries=config.run.tries,
            redo=redo(planned),
            absent=absent,
            made=made,
        )

    check_machine(prepared)
    _make_work_folder(config.work)
    # The lock first, then the configuration and the choice: a run that is refused must not change the work folder.
    with _run_log(plan.work), hold_scopes(plan.work, scopes, run_id), stop_once():
        # The process that left files aside is dead: it would hold the lock otherwise.
        for scope in scopes:
            clear_scratch(plan.work, scope)
        _keep_config(config)
        _keep_choice(prepared)
        _LOG.info("run %s: %d of %d units, %s", run_id, len(plan.to_run), len(plan.units), config.run.executor)
        if _works_here(config):
            for stage, units in _units_to_run(plan):
                if stage.prepare is not None:
                    stage.prepare([unit.settings for unit in units], observer.tick)
        with open_executor(config, len(plan.to_run), observer.unit_advanced) as executor:
            result = Coordinator(
                plan=plan,
                executor=executor,
                observer=observer,
                make_task=make_task,
                identities=prepared.identities,
                on_error=config.run.on_error,
            ).run()
        _LOG.info("run %s: %d ended, %d failed", run_id, len(result.records), len(result.failed))
        remember(prepared)
    return result


def _keep_config(config: Config) -> None:
    path, content = config_path(config.work), dump_config(config_to_keep(config))
    # A folder that is only read, because all is current, need not be writable.
    if not path.is_file() or path.read_bytes() != content.encode():
        write_text(path, content)


def _keep_choice(prepared: Prepared) -> None:
    config = prepared.config
    if not prepared.is_cut:
        keep_choice(
            prepared.plan.work,
            prepared.recordings,
            all_subjects=config.subjects is None,
            all_clips=config.clips is None,
            is_gathering=prepared.is_gathering,
        )


def remember(prepared: Prepared) -> None:
    """Keep the file hashes that planning has read, so that the next plan need not; without effect on results."""
    if prepared.plan.work.root.is_dir():
        write_identities(_identities_path(prepared.plan.work), prepared.identities)


def open_executor(config: Config, n_units: int, hear: Hear = hear_nothing) -> AbstractContextManager[Executor]:
    """Return the executor that a configuration names, started when entered; `hear` receives the progress of units."""
    run = config.run
    if run.scheduler is not None:
        return scheduler_executor(run.scheduler, run, hear)
    if run.executor == "serial":
        return _serial(hear)
    if run.executor == "slurm":
        from movi_prep.runtime.slurm.cluster import read_profile, slurm_executor

        return slurm_executor(read_profile(run.slurm_profile), WorkFolder(config.work).logs() / "slurm", run, hear)
    # Not os.cpu_count: batch systems and containers give a process fewer cores than the machine has.
    workers = run.workers or len(os.sched_getaffinity(0))
    # No more processes than units: each takes seconds and a few hundred megabytes to start.
    return local_executor(min(workers, max(n_units, 1)), run, hear)


def _works_here(config: Config) -> bool:
    """Whether units run on this machine; checks made here say nothing about a cluster's nodes."""
    return config.run.scheduler is None and config.run.executor in ("serial", "local")


def _units_to_run(plan: WorkPlan) -> Iterator[tuple[AnyStage, list[AnyUnit]]]:
    """Yield each stage that has something to do, with these units."""
    by_stage: dict[str, list[PlannedUnit]] = {}
    for planned in plan.to_run:
        by_stage.setdefault(planned.unit.stage, []).append(planned)
    for units in by_stage.values():
        yield units[0].stage, [planned.unit for planned in units]


@contextmanager
def _serial(hear: Hear) -> Iterator[Executor]:
    yield SerialExecutor(hear)


def _check_nothing_is_empty(config: Config, stages: Sequence[AnyStage], recordings: Recordings) -> None:
    """Raise UsageError where a folder holds no file of its kind: a run without units would end as if all were done."""
    empty: list[str] = []
    nearly: list[str] = []
    for part, wanted in empty_parts([stage.name for stage in stages], recordings).items():
        folder = getattr(config, part)
        named = f"with --{part.replace('_', '-')}" if part == "body_models" or config.manifest is None else ""
        # A manifest lists the files of a part itself; only body models may lie in a folder of their own.
        listed = "" if config.manifest is None else f"in {config.manifest}"
        place = f"below {folder}" if folder is not None else " or ".join(filter(None, (listed, named)))
        empty.append(f"{part}: expected {wanted} {place}, but got none; correct the path")
        whole = config.manifest is not None and folder is None
        nearly += [finding for finding in recordings.findings if whole or finding.startswith(str(folder))]
    if empty:
        # Parts may share a folder, and then report the same file name that is nearly right.
        raise UsageError("; ".join([*empty, *dict.fromkeys(nearly)]))
    cameras = recordings.cameras_wanted(config.shard.cameras)
    idle = idle_cameras(recordings, cameras)
    if len(idle) == len(cameras) and any(stage.name in SHARD_STAGES for stage in stages):
        raise UsageError(
            f"shard.cameras: expected a camera with videos and calibration, but got {'; '.join(idle.values())}; "
            "name others with --cameras, or correct the paths"
        )


def _make_work_folder(work: Path) -> None:
    own = config_path(work)
    if own.is_file() and not holds_results(work) and not is_kept_config(own):
        raise UsageError(
            f"work: expected a new folder or one of a run, but {own} is a file of yours, which would be replaced; name "
            "another folder (--work), or move it away"
        )
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"work: expected a folder that can be written, but {work}: {error.strerror}; name another"
        ) from error
    check_writable(work)


def _cut(plan: WorkPlan, only: Collection[str]) -> WorkPlan:
    """Return the plan of some units and all that they need."""
    known = {*plan.units, *plan.stages}
    unknown = [name for name in only if name not in known]
    if unknown:
        example = next(iter(plan.units), "ik S001/C03")
        raise UsageError(
            f"--only: expected a stage ({', '.join(plan.stages)}), or a stage and the key of a unit in the plan, as "
            f"{example!r}, but got {list_names(unknown)}{suggest(unknown[0], known)}"
        )
    kept: set[str] = set()
    waiting = [name for name, planned in plan.units.items() if name in only or planned.unit.stage in only]
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept.add(name)
            waiting.extend(plan.units[name].needs)
    return replace(plan, units={name: planned for name, planned in plan.units.items() if name in kept})


def _identities_path(work: WorkFolder) -> Path:
    return work.records() / "file_hashes.json"


class _PlainFormatter(logging.Formatter):
    """Writes lines without control bytes, which a reader's terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


@contextmanager
def _run_log(work: WorkFolder) -> Iterator[None]:
    """Append what happens to `WORK/logs/run.log`."""
    path = work.logs() / "run.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(_PlainFormatter("%(asctime)s %(levelname)s %(message)s"))
    before = _LOG.level
    _LOG.addHandler(handler)
    _LOG.setLevel(logging.INFO)
    # A program that uses this package as a library may have a root handler, which would print every line once more.
    _LOG.propagate = False
    try:
        yield
    finally:
        _LOG.removeHandler(handler)
        _LOG.setLevel(before)
        handler.close()
