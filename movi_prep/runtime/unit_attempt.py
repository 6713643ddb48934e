"""Run one unit in this process: identify inputs, write aside, publish, record. Nothing a unit does can end a run.

Outputs are written below `WORK/.scratch/SCOPE/STAGE~KEY~RUN~ATTEMPT/` on the file system of the work folder, then
renamed. The scratch folder of an attempt whose worker died stays behind: its count is how often the unit was tried.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.errors import InputError, InternalError, MissingError, MoviPrepError, describe_os_error
from movi_prep.formats.atomic import publish
from movi_prep.formats.trial_load import sound_files
from movi_prep.records.advance import at_most_every, unheard
from movi_prep.records.unit import map_paths, optional_roles, paths_of
from movi_prep.runtime.file_identity import FileIdentities, Stamp
from movi_prep.runtime.locks import check_still_held, scope_of
from movi_prep.runtime.process_memory import keep_freed_memory, peak_memory_mb, reset_peak_memory, resident_memory_mb
from movi_prep.runtime.settings_identity import describe_settings
from movi_prep.runtime.unit_log import unit_log
from movi_prep.runtime.unit_record import ABSENT, FileRecord, UnitRecord, record_path, write_record

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from movi_prep.formats.file_stamp import FileStamp
    from movi_prep.records.advance import Advance
    from movi_prep.records.unit import AnyStage, AnyUnit
    from movi_prep.records.work_folder import WorkFolder

SCRATCH = ".scratch"

_ADVANCE_EVERY_S = 1.0
"""How often a unit reports its progress at most: with a thousand workers, still few messages for a scheduler."""


@dataclass(frozen=True)
class Task:
    """All that a worker needs to run one unit.

    Attributes:
        stage: the stage, its functions pickled by name.
        unit: the unit, with its final paths.
        work: the work folder.
        run_id: the run on whose behalf it works.
        tries: how often a unit is tried whose worker dies.
        redo: the command that repeats only this unit.
        absent: optional inputs that count as not there, because the unit that makes them failed.
        made: identities of inputs that other units of the plan made, from their records.
    """

    stage: AnyStage
    unit: AnyUnit
    work: WorkFolder
    run_id: str
    tries: int = 3
    redo: str = ""
    absent: frozenset[Path] = frozenset()
    made: Mapping[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class UnitEnd:
    """The end of a unit, and the state of the process that ran it.

    Attributes:
        record: how the unit ended.
        resident_mb: memory of that process after the unit, megabytes.
    """

    record: UnitRecord
    resident_mb: float


# One memory of hashes per process: a body model is read once, not once per clip.
_identities = FileIdentities()


def execute(task: Task, advance: Advance = unheard) -> UnitEnd:
    """Run one unit and write its record, also if it fails; report that it has begun, and then how far it has come."""
    advance = at_most_every(_ADVANCE_EVERY_S, advance)
    advance(0.0)
    keep_freed_memory()
    begin_s, begin_processor_s = time.perf_counter(), time.process_time()
    reset_peak_memory()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    identities = _identities
    blank = UnitRecord(
        stage=task.unit.stage,
        key=task.unit.key,
        status="failed",
        stage_version=task.stage.version,
        settings=describe_settings(task.unit.settings, identities),
    )
    record = _attempt(task, blank, identities, advance)
    record = replace(
        record,
        started=started,
        seconds=round(time.perf_counter() - begin_s, 4),
        processor_seconds=round(time.process_time() - begin_processor_s, 4),
        peak_memory_mb=round(peak_memory_mb(), 1),
        host=socket.gethostname(),
        worker=str(os.getpid()),
        redo=task.redo if record.status == "failed" else "",
    )
    # Again, now that it ended: a record of ours must not replace that of a run that took over meanwhile.
    check_still_held(task.work, task.unit.key, task.run_id)
    write_record(record_path(task.work, task.unit), record, scratch=scratch_of(task))
    return UnitEnd(record=record, resident_mb=resident_memory_mb())


def clear_scratch(work: WorkFolder, scope: str) -> None:
    """Remove what dead runs left aside; the caller holds the lock of the scope."""
    shutil.rmtree(work.root / SCRATCH / scope, ignore_errors=True)


def _attempt(task: Task, blank: UnitRecord, identities: FileIdentities, advance: Advance) -> UnitRecord:
    dead = _dead_attempts(task)
    blank = replace(blank, tries=len(dead) + 1)
    try:
        if len(dead) >= task.tries:
            raise MoviPrepError(  # noqa: TRY301 - handled like every other failure, with its record
                f"set aside: its worker died {len(dead)} times while at it (killed, out of memory or out of walltime); "
                "give workers more memory or time, then redo it"
            )
        done = _run_aside(task, blank, identities, advance, attempt=len(dead) + 1)
    except Exception as error:  # noqa: BLE001 - a failure of any kind is a row, never the end of a run
        done = replace(blank, reason=_one_line(error), traceback=traceback.format_exc())
    done = _with_final_names(done, task, _attempt_folder(task, len(dead) + 1))
    # Only now, because the remaining files count how often the unit was tried.
    for folder in dead:
        shutil.rmtree(folder, ignore_errors=True)
    return done


def _run_aside(
    task: Task, blank: UnitRecord, identities: FileIdentities, advance: Advance, *, attempt: int
) -> UnitRecord:
    unit, root = task.unit, task.work.root
    aside = _attempt_folder(task, attempt)
    aside.mkdir(parents=True, exist_ok=True)
    try:
        # Stamps before hashes: a file that changes in between is found by `_check_unchanged`.
        stamps = _stamps(task)
        inputs = {
            role: FileRecord(str(path), identities.identity(path) if role in stamps else ABSENT)
            for role, path in paths_of(unit.inputs)
        }
        absent = {path for role, path in paths_of(unit.inputs) if role not in stamps}
        private = _aside(task, aside, absent)
        for folder in {path.parent for _, path in paths_of(private.outputs)} - {aside}:
            folder.mkdir(parents=True, exist_ok=True)
        with unit_log(task.work.logs() / unit.stage / f"{unit.key}.log"), sound_files(_sound(task, inputs, stamps)):
            report = task.stage.run_unit(private, advance)
        # In this order: inputs that changed would make the record lie, a lost lock would overwrite another run's files,
        # and only then do files get their final names.
        _check_unchanged(unit, stamps, inputs, identities)
        check_still_held(task.work, unit.key, task.run_id)
        outputs = _publish(unit, private, root, identities)
    finally:
        # Removed after an error too: only the folder of a worker that died stays, and counts as a try.
        shutil.rmtree(aside, ignore_errors=True)
    return replace(
        blank,
        status="done",
        inputs=inputs,
        outputs=outputs,
        numbers=dict(report.numbers),
        findings=tuple(report.findings),
        warnings=tuple(report.warnings),
    )


def _aside(task: Task, folder: Path, absent: Collection[Path]) -> AnyUnit:
    """Return the unit writing below its scratch folder, with None for each input that is not there."""
    root, unit = task.work.root, task.unit
    inputs = map_paths(unit.inputs, lambda path: None if path in absent else path)
    # One flat folder, because creating and removing folders would take most of the time here.
    names = [path.name for _, path in paths_of(unit.outputs)]
    is_flat = len(set(names)) == len(names)
    outputs = map_paths(unit.outputs, lambda path: folder / (path.name if is_flat else path.relative_to(root)))
    return replace(unit, inputs=inputs, outputs=outputs)


def _stamps(task: Task) -> dict[str, Stamp]:
    """Return the stamps of all inputs that are there; raise MissingError where one must be and is not."""
    unit, optional = task.unit, optional_roles(task.unit.inputs)
    stamps = {}
    for role, path in paths_of(unit.inputs):
        if role in optional and (path in task.absent or not path.exists()):
            continue
        if not path.exists():
            raise MissingError(path, expected=f"the input {role!r} of {unit.id}", got="no file", remedy="make it first")
        stamps[role] = Stamp.of(path)
    return stamps


def _sound(task: Task, inputs: Mapping[str, FileRecord], stamps: Mapping[str, Stamp]) -> dict[Path, FileStamp]:
    """Return the inputs whose bytes are those that another unit wrote, with their stamps."""
    return {
        path: (stamps[role].modified_ns, stamps[role].size)
        for role, path in paths_of(task.unit.inputs)
        if role in stamps and task.made.get(path) == inputs[role].identity
    }


def _check_unchanged(
    unit: AnyUnit, stamps: Mapping[str, Stamp], before: Mapping[str, FileRecord], identities: FileIdentities
) -> None:
    for role, path in paths_of(unit.inputs):
        if role not in stamps or (path.exists() and Stamp.of(path) == stamps[role]):
            continue
        # A backup that links the file, or a change of its permissions, moves the stamp and leaves the content.
        if not identities.holds(path, before[role].identity):
            raise InputError(
                path,
                expected="an input that does not change during the run",
                got="one that changed",
                remedy="run again",
            )


def _publish(unit: AnyUnit, private: AnyUnit, root: Path, identities: FileIdentities) -> dict[str, FileRecord]:
    """Flush every output, move it to its final name, and return the outputs."""
    final = dict(paths_of(unit.outputs))
    # All are checked before any is moved: a unit's files appear together or not at all, unless the machine stops in
    # between.
    for role, aside in paths_of(private.outputs):
        if not aside.is_file():
            raise InternalError(f"{unit.id} did not write its output {role!r} ({final[role].name})")
    for role, aside in paths_of(private.outputs):
        publish(aside, final[role])
    return {role: FileRecord(str(path.relative_to(root)), identities.identity(path)) for role, path in final.items()}


def scratch_of(task: Task) -> Path:
    """Return the scratch folder of a unit's scope; each attempt has its own folder below it."""
    return task.work.root / SCRATCH / scope_of(task.unit.key)


def _attempt_folder(task: Task, attempt: int) -> Path:
    return scratch_of(task) / f"{_prefix(task)}{attempt}"


def _with_final_names(record: UnitRecord, task: Task, folder: Path) -> UnitRecord:
    """Return the record without scratch paths in its sentences: users know only the final names."""
    asides, finals = (paths_of(unit.outputs) for unit in (_aside(task, folder, ()), task.unit))
    final = {str(aside): str(path) for (_, aside), (_, path) in zip(asides, finals, strict=True)}
    for _, path in paths_of(task.unit.outputs):
        final.setdefault(str(folder), str(path.parent))

    def said(text: str) -> str:
        for aside, path in final.items():
            text = text.replace(aside, path)
        return text

    return replace(
        record,
        reason=said(record.reason),
        findings=tuple(map(said, record.findings)),
        warnings=tuple(map(said, record.warnings)),
    )


def _prefix(task: Task) -> str:
    return f"{task.unit.stage}~{task.unit.key.replace('/', '~')}~{task.run_id}~"


def _dead_attempts(task: Task) -> list[Path]:
    """Return scratch folders that earlier attempts of this run left behind when their worker died."""
    with suppress(FileNotFoundError):
        # The name holds the run's id: folders of other runs do not count as tries of this one.
        return [path for path in scratch_of(task).iterdir() if path.name.startswith(_prefix(task))]
    return []


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or "no message"
    if isinstance(error, OSError) and error.errno is not None:
        return " ".join(describe_os_error(error).split())
    return text if isinstance(error, MoviPrepError) else f"{type(error).__name__}: {text}"
