"""The order of the stages, which command asks for which, and what data each needs.

Stages are imported only when needed, so that planning and help do not wait for torch and OpenSim.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from movi_prep.errors import InternalError, suggest
from movi_prep.recordings.wanted import BODY_MODELS, WANTED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from movi_prep.config.root import Config
    from movi_prep.records.recordings import Recordings
    from movi_prep.records.unit import AnyStage

Command = Literal["markers", "ik", "shard"]
Part = Literal["amass", "body_models", "v3d", "videos", "calibration"]


@dataclass(frozen=True)
class StageEntry:
    """One row of the order.

    Attributes:
        name: name of the stage, as in its `Stage`.
        module: module below `movi_prep.stages`.
        constant: name of the `Stage` in that module.
        command: the first command that runs it.
        parts: the parts of the data that it needs.
    """

    name: str
    module: str
    constant: str
    command: Command
    parts: tuple[Part, ...]


_MOTION: tuple[Part, ...] = ("amass", "body_models")
_VIDEO: tuple[Part, ...] = (*_MOTION, "v3d", "videos", "calibration")

ORDER = (
    StageEntry("static", "markers", "STATIC", "markers", _MOTION),
    StageEntry("markers", "markers", "MARKERS", "markers", _MOTION),
    StageEntry("scale", "scale", "SCALE", "ik", _MOTION),
    StageEntry("ik", "ik", "IK", "ik", _MOTION),
    StageEntry("align", "align", "ALIGN", "shard", _VIDEO),
    StageEntry("shard", "shards.shard", "SHARD", "shard", _VIDEO),
    StageEntry("shard_index", "shards.shard_index", "SHARD_INDEX", "shard", _VIDEO),
    StageEntry("shard_d3ke", "d3ke.shard_d3ke", "SHARD_D3KE", "shard", _VIDEO),
    StageEntry("d3ke_occluders", "d3ke.occluder_file", "D3KE_OCCLUDERS", "shard", _VIDEO),
    StageEntry("d3ke_corpus", "d3ke.shard_d3ke", "D3KE_CORPUS", "shard", _VIDEO),
)
"""Every stage, after those whose files it may read."""

SHARD_STAGES = ("shard", "shard_d3ke")
"""The stages that write shards, one per layout."""

COMMANDS: tuple[Command, ...] = ("markers", "ik", "shard")
"""Commands that run stages, in order; each includes the stages of those before it."""


def entries_of(command: Command, config: Config) -> tuple[StageEntry, ...]:
    """Return the stages that a command runs, in order: its own and all before it, without those of other layouts."""
    last = COMMANDS.index(command)
    layout = config.shard.layout
    unwanted = {
        "native": {"shard_d3ke", "d3ke_occluders", "d3ke_corpus"},
        "d3ke": {"shard", "shard_index"},
        "both": set[str](),
    }[layout]
    return tuple(entry for entry in ORDER if COMMANDS.index(entry.command) <= last and entry.name not in unwanted)


def missing_parts(entry: StageEntry, config: Config) -> tuple[Part, ...]:
    """Return the parts of the data that a stage needs but the configuration does not name."""
    # A manifest lists the files of each part; what it lacks shows when it is read.
    return () if config.manifest is not None else tuple(part for part in entry.parts if getattr(config, part) is None)


def empty_parts(stages: Collection[str], recordings: Recordings) -> dict[Part, str]:
    """Return the needed parts of the data without any file, with the file names that were expected."""
    wanted = WANTED[recordings.reader]
    found: dict[Part, tuple[object, str]] = {
        "amass": (recordings.motions, wanted.motions),
        "body_models": (recordings.body_models, BODY_MODELS),
        "v3d": (recordings.sessions or recordings.footage, wanted.sessions),
        "videos": (recordings.filmed, wanted.videos.format(camera="PG1")),
        "calibration": (
            recordings.intrinsics or recordings.extrinsics or recordings.footage,
            wanted.calibration.format(camera="PG1"),
        ),
    }
    # Only parts that these stages need: without --v3d, no V3D files are expected.
    needed = {part for entry in ORDER if entry.name in stages for part in entry.parts}
    return {part: names for part, (files, names) in found.items() if part in needed and not files}


def idle_cameras(recordings: Recordings, cameras: Iterable[str]) -> dict[str, str]:
    """Return the cameras that can have no shard of any subject, with what is missing for each."""
    filmed = {camera for _, camera in recordings.filmed}
    whole = recordings.whole_cameras
    idle, wanted = {}, WANTED[recordings.reader]
    for camera in cameras:
        lacking = [] if camera in filmed else [f"no videos ({wanted.videos.format(camera=camera)})"]
        if camera in recordings.disputed_cameras:
            lacking.append(f"two calibrations ({recordings.disputed_cameras[camera]})")
        elif camera not in whole:
            lacking.append(f"no calibration ({wanted.calibration.format(camera=camera)})")
        if lacking:
            # A name that is nearly another's was probably mistyped.
            idle[camera] = f"no shards of {camera}{suggest(camera, whole)}: found {' and '.join(lacking)}"
    return idle


def load_stage(entry: StageEntry) -> AnyStage:
    """Import a stage."""
    stage: AnyStage = getattr(import_module(f"movi_prep.stages.{entry.module}"), entry.constant)
    # The table is written by hand: a name that drifted would plan one stage and record another.
    if stage.name != entry.name:
        raise InternalError(f"stage {stage.name!r} is called {entry.name!r} in the order of stages")
    return stage
