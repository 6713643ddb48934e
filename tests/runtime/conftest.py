"""A small download of fake motions, and a way to run the fake stages over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from movi_prep.config.load import load_config
from movi_prep.config.root import Config
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.unit import AnyStage
from movi_prep.runtime.pipeline_run import Prepared, carry_out, prepare_run
from movi_prep.runtime.plan_execution import RunResult
from movi_prep.runtime.unit_record import UnitRecord
from movi_prep.runtime.work_plan import PlannedUnit
from tests.runtime.fake_stages import STAGES, write_motions


@dataclass
class Silent:
    """An observer that only remembers."""

    ended: list[UnitRecord] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    waited_for: list[str] = field(default_factory=list)
    advanced: dict[str, list[float]] = field(default_factory=dict)

    def unit_ended(self, record: UnitRecord) -> None:
        self.ended.append(record)

    def unit_held(self, planned: PlannedUnit) -> None:
        self.held.append(planned.unit.id)

    def unit_advanced(self, unit_id: str, fraction: float) -> None:
        self.advanced.setdefault(unit_id, []).append(fraction)

    def tick(self, waits_for: str) -> None:
        if waits_for and waits_for not in self.waited_for:
            self.waited_for.append(waits_for)


def say_redo(planned: PlannedUnit) -> str:
    return f"redo {planned.unit.id}"


@dataclass
class World:
    """A folder with motions and a work folder."""

    folder: Path

    @property
    def amass(self) -> Path:
        return self.folder / "amass"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def config(self, **flags: Any) -> Config:
        run = {"executor": "serial", **flags.pop("run", {})}
        # The fake stages make so many copies; the default of the real setting is no matter here.
        markers = {"batch_samples": 512, **flags.pop("markers", {})}
        return load_config(None, {"work": self.work, "amass": self.amass, "run": run, "markers": markers, **flags})

    def prepare(
        self,
        *,
        stages: tuple[AnyStage, ...] = STAGES,
        force: tuple[str, ...] = (),
        as_chosen: bool = False,
        **flags: Any,
    ) -> Prepared:
        return prepare_run(self.config(**flags), stages, force=force, as_chosen=as_chosen)

    def run(
        self,
        *,
        stages: tuple[AnyStage, ...] = STAGES,
        force: tuple[str, ...] = (),
        observer: Silent | None = None,
        **flags: Any,
    ) -> RunResult:
        return carry_out(self.prepare(stages=stages, force=force, **flags), observer or Silent(), redo=say_redo)

    def results(self) -> dict[str, bytes]:
        """Every file that stands under a final name, records, locks and logs aside."""
        return {
            str(path.relative_to(self.work)): path.read_bytes()
            for folder in ("grown", "blend")
            for path in sorted((self.work / folder).rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two subjects, three clips each."""
    write_motions(
        tmp_path / "amass",
        {movi_clip(subject, clip): f"motion {subject} {clip} ".encode() for subject in (1, 15) for clip in (1, 2, 5)},
    )
    return World(tmp_path)
