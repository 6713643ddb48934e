"""The index of the folder of native shards, for programs (`formats.shard_index`) and for people (a data card).

| unit | reads | writes |
|---|---|---|
| `shard_index all` | all native shards of the work folder | `shards/index.json`, `shards/README.md` |
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from movi_prep.config.base import NoSettings
from movi_prep.errors import InputError
from movi_prep.formats.atomic import write_text
from movi_prep.formats.shard_index import data_card, describe_folder
from movi_prep.names import ALL_SUBJECTS, natural_order
from movi_prep.records.unit import Stage, StageReport, Unit
from movi_prep.stages.shards.shard import plan_shard

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TypeAlias

    from movi_prep.config.root import Config
    from movi_prep.records.recordings import Recordings
    from movi_prep.records.work_folder import WorkFolder

    IndexUnit: TypeAlias = Unit["IndexInputs", "IndexOutputs", NoSettings]


@dataclass(frozen=True)
class IndexInputs:
    """The shards; None for one whose unit failed."""

    shards: tuple[Path | None, ...] = field(metadata={"optional": True})


@dataclass(frozen=True)
class IndexOutputs:
    """The index, and the data card."""

    index: Path
    card: Path


def plan_shard_index(recordings: Recordings, work: WorkFolder, config: Config) -> tuple[IndexUnit, ...]:
    """Return the unit that describes all shards, where there are any."""
    planned = {unit.outputs.shard for unit in plan_shard(recordings, work, config)}
    if not planned:
        return ()
    # A run of some subjects adds to what an earlier one wrote of the others, and training reads all.
    there = {path for path in work.shards().glob("*.h5") if not path.name.startswith(".")}
    shards = sorted(planned | there, key=lambda path: natural_order(path.name))
    return (
        Unit(
            stage=SHARD_INDEX.name,
            key=ALL_SUBJECTS,
            inputs=IndexInputs(shards=tuple(shards)),
            outputs=IndexOutputs(index=work.shard_index(), card=work.data_card()),
            settings=NoSettings(),
        ),
    )


def run_shard_index(inputs: IndexInputs, outputs: IndexOutputs, settings: NoSettings) -> StageReport:  # noqa: ARG001 - a stage has settings
    """Write index and data card."""
    shards = [path for path in inputs.shards if path is not None]
    if not shards:
        raise InputError(
            outputs.index.parent,
            expected="at least one shard",
            got="none",
            remedy="see what failed before: movi-prep status",
        )
    # From the files themselves, not from records: the index must describe what training finds.
    index = describe_folder(shards)
    write_text(outputs.index, json.dumps(index, indent=1) + "\n")
    write_text(outputs.card, data_card(index))
    return StageReport(numbers={"shards": len(shards), "rows": sum(entry["rows"] for entry in index["shards"])})


SHARD_INDEX = Stage(
    name="shard_index",
    version=2,
    summary="what the folder of shards holds",
    plan=plan_shard_index,
    run=run_shard_index,
    gathers=True,
)
