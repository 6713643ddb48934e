"""The record of one unit: what ran, on what, with what, and how it ended. One JSON file, written last.

`WORK/records/STAGE/KEY.json`:

| field | content |
|---|---|
| `format`, `version` | `movi-prep-record`, integer version of this layout |
| `stage`, `key`, `status` | which unit; `done` or `failed` |
| `stage_version`, `settings` | the code and the part of the configuration it used |
| `inputs`, `outputs` | by role: `path` (outputs: below WORK) and `identity` (`absent` for an optional input) |
| `numbers`, `findings`, `warnings` | measurements of the stage, what to read, and what must not be overlooked |
| `started`, `seconds`, `processor_seconds`, `peak_memory_mb` | when, how long, how much |
| `host`, `worker`, `movi_prep` | where, which process, which release |
| `tries`, `reason`, `traceback`, `redo` | attempts (worker deaths + 1); for a failure why, where, and the command |
"""

from __future__ import annotations

import json
import math
import uuid
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from movi_prep._version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from movi_prep.records.unit import AnyUnit
    from movi_prep.records.work_folder import WorkFolder

FORMAT = "movi-prep-record"
VERSION = 1
ABSENT = "absent"
"""Stands for the identity of an optional input that was not there."""


@dataclass(frozen=True)
class FileRecord:
    """A file that a unit read or wrote: its path and its content's hash."""

    path: str
    identity: str


@dataclass(frozen=True)
class UnitRecord:
    """The record of one execution of a unit; see the table of this module."""

    stage: str
    key: str
    status: Literal["done", "failed"]
    stage_version: int
    settings: Mapping[str, Any]
    inputs: Mapping[str, FileRecord] = field(default_factory=dict)
    outputs: Mapping[str, FileRecord] = field(default_factory=dict)
    numbers: Mapping[str, float | int | str | bool] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    started: str = ""
    seconds: float = 0.0
    processor_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    host: str = ""
    worker: str = ""
    movi_prep: str = __version__
    tries: int = 1
    reason: str = ""
    traceback: str = ""
    redo: str = ""

    @property
    def id(self) -> str:
        """Name of the unit, `ik S001/C01`."""
        return f"{self.stage} {self.key}"


def record_path(work: WorkFolder, unit: AnyUnit) -> Path:
    """Return the path of a unit's record."""
    return work.records() / unit.stage / f"{unit.key}.json"


def write_record(path: Path, record: UnitRecord, *, scratch: Path) -> None:
    """Write a record atomically: below `scratch` first, which is cleared after a crash."""
    scratch.mkdir(parents=True, exist_ok=True)
    aside = scratch / f"{uuid.uuid4().hex}.json"
    content = {"format": FORMAT, "version": VERSION, **asdict(record)}
    aside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    # Not flushed to disk: if a power cut damages the record, the unit merely runs again.
    path.parent.mkdir(parents=True, exist_ok=True)
    # Rename is atomic: a reader finds the old record or the new one, never half of one.
    aside.replace(path)


def read_record(path: Path) -> UnitRecord | None:
    """Return a record, or None if there is none that this release can read; the unit then runs again."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or (content.get("format"), content.get("version")) != (FORMAT, VERSION):
        return None
    known = {item.name for item in fields(UnitRecord)}
    try:
        files = {
            role: {name: FileRecord(**entry) for name, entry in content[role].items()} for role in ("inputs", "outputs")
        }
        # Fields of later releases are passed over; missing ones take their defaults.
        values = {name: value for name, value in content.items() if name in known}
        # JSON has lists; a record is frozen and holds tuples.
        said = {name: tuple(content.get(name, ())) for name in ("findings", "warnings")}
        record = UnitRecord(**{**values, **files, **said})
    except (KeyError, TypeError, AttributeError):
        return None
    return record if _is_sound(record) else None


def makers_of(work: WorkFolder) -> dict[Path, UnitRecord]:
    """Return the records that vouch for files, by the file; that of a failed unit vouches for none."""
    found = (read_record(path) for path in sorted(work.records().glob("*/**/*.json")))
    records = [record for record in found if record is not None and record.status == "done"]
    return {work.root / entry.path: record for record in records for entry in record.outputs.values()}


def _is_sound(record: UnitRecord) -> bool:
    """Whether every value is of the kind that it is declared as: a record may have been written or edited by hand."""
    files = [*record.inputs.items(), *record.outputs.items()]
    text = [record.stage, record.key, record.started, record.host, record.worker, record.movi_prep, record.reason]
    text += [record.traceback, record.redo, *record.findings, *record.warnings]
    text += [part for role, entry in files for part in (role, entry.path, entry.identity)]
    amounts = [record.seconds, record.processor_seconds, record.peak_memory_mb]
    return (
        all(isinstance(value, str) for value in text)
        and all(type(value) in (int, float) and math.isfinite(value) for value in amounts)
        and all(type(value) is int for value in (record.stage_version, record.tries))
        and record.status in ("done", "failed")
        and isinstance(record.settings, dict)
        and isinstance(record.numbers, dict)
        and all(isinstance(value, int | float | str) for value in record.numbers.values())
    )
