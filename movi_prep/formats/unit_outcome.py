"""`records/STAGE/KEY.json`, as pages read it: how a unit ended, what it measured, and its findings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from movi_prep.formats.reading import reads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """How a unit ended, from its record.

    Attributes:
        stage: which stage.
        key: what it worked on, `S001/C01`.
        status: "done" or "failed".
        numbers: the stage's measurements.
        findings: sentences that a person should read.
        warnings: sentences that a person must read: something was left out, or must not be trusted.
        reason: for a failure, why.
        redo: for a failure, the command that repeats it.
        seconds: how long it took.
        peak_memory_mb: largest memory of the process.
    """

    stage: str
    key: str
    status: str
    numbers: Mapping[str, float | int | str | bool]
    findings: tuple[str, ...]
    warnings: tuple[str, ...]
    reason: str
    redo: str
    seconds: float
    peak_memory_mb: float

    @property
    def subject(self) -> str:
        """Name of the subject; `all` for units of all subjects."""
        return self.key.split("/", maxsplit=1)[0]


@reads("the record of a unit", "run it again: movi-prep status names it")
def read_outcome(path: Path) -> Outcome:
    """Read the record of a unit.

    Raises:
        InputError: the file is not such a record.
    """
    content: Any = json.loads(path.read_text(encoding="utf-8"))
    return Outcome(
        stage=str(content["stage"]),
        key=str(content["key"]),
        status=str(content["status"]),
        numbers=dict(content["numbers"]),
        findings=tuple(map(str, content["findings"])),
        # Records of earlier releases have no warnings.
        warnings=tuple(map(str, content.get("warnings", ()))),
        reason=str(content["reason"]),
        redo=str(content["redo"]),
        seconds=float(content["seconds"]),
        peak_memory_mb=float(content["peak_memory_mb"]),
    )
