"""The file of occluders that D3KE's code pastes over its pictures by default.

| unit | reads | writes |
|---|---|---|
| `d3ke_occluders all` | Pascal VOC 2012 | `shards-d3ke/pascal.hdf5` |
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from movi_prep.config.shard import OccluderSettings
from movi_prep.errors import InputError
from movi_prep.formats.occluders import write_occluders
from movi_prep.names import ALL_SUBJECTS
from movi_prep.records.unit import Stage, StageReport, Unit

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TypeAlias

    from movi_prep.config.root import Config
    from movi_prep.records.recordings import Recordings
    from movi_prep.records.work_folder import WorkFolder

    OccluderUnit: TypeAlias = Unit["OccluderInputs", "OccluderOutputs", OccluderSettings]

_LIST = ("ImageSets", "Segmentation", "trainval.txt")


@dataclass(frozen=True)
class OccluderInputs:
    """The list of segmented pictures; they lie around it."""

    listed: Path


@dataclass(frozen=True)
class OccluderOutputs:
    """The file of occluders."""

    occluders: Path


def plan_occluders(recordings: Recordings, work: WorkFolder, config: Config) -> tuple[OccluderUnit, ...]:  # noqa: ARG001 - every stage's plan has these
    """Return the one unit, where the configuration names Pascal VOC."""
    if config.shard.pascal is None:
        return ()
    return (
        Unit(
            stage=D3KE_OCCLUDERS.name,
            key=ALL_SUBJECTS,
            inputs=OccluderInputs(listed=config.shard.pascal.joinpath(*_LIST)),
            outputs=OccluderOutputs(occluders=work.d3ke_shards() / "pascal.hdf5"),
            settings=OccluderSettings(people=config.shard.pascal_people),
        ),
    )


def run_occluders(inputs: OccluderInputs, outputs: OccluderOutputs, settings: OccluderSettings) -> StageReport:
    """Cut objects out of Pascal VOC and write them."""
    from movi_prep.video.pascal_voc import cut_out_objects

    folder = inputs.listed.parents[2]
    found = cut_out_objects(folder, people=settings.people)
    first = next(found, None)
    if first is None:
        raise InputError(
            folder,
            expected="segmented objects that are seen whole",
            got="none" if settings.people else "none but people",
            remedy="unpack VOCtrainval_11-May-2012.tar again" if settings.people else "set shard.pascal_people=true",
        )
    count = write_occluders(outputs.occluders, chain([first], found))
    return StageReport(
        numbers={"occluders": count},
        findings=(f"{count} occluders: set PASCAL_PATH in D3KE's configuration to {outputs.occluders.name}",),
    )


D3KE_OCCLUDERS = Stage(
    name="d3ke_occluders",
    version=2,
    summary="objects cut out of Pascal VOC, for D3KE's training code",
    plan=plan_occluders,
    run=run_occluders,
)
