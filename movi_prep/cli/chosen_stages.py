"""Chooses the stages of a command by the data that the configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.errors import InputError, UsageError
from movi_prep.formats.manifest_file import read_manifest
from movi_prep.stages.order import COMMANDS, entries_of, load_stage, missing_parts

if TYPE_CHECKING:
    from movi_prep.config.root import Config
    from movi_prep.records.unit import AnyStage


_OF_VIDEO = frozenset({"v3d", "videos", "calibration"})
"""Parts of the data that a manifest holds only where it names cameras."""


def stages_of(command: str, config: Config) -> tuple[list[AnyStage], list[str]]:
    """Return the stages of a command for which there are data, and a note on each that is left out.

    Raises:
        UsageError: the configuration does not name data that the command needs.
    """
    without_video = config.subset is not None or config.reader is not None
    if without_video and command == "shard":
        raise UsageError("shard: expected recordings with videos, but these have none; leave --subset and --reader out")
    # Subsets of AMASS have no videos, so `run` ends with ik and does not ask for --videos.
    widest = COMMANDS[-1] if not without_video else "ik"
    last = next((name for name in COMMANDS if name == command), widest)
    stages, notes = [], []
    without_cameras = _has_no_camera(config)
    remedy = "name them there" if without_cameras else "give them as flags or in the file of --config"
    for entry in entries_of(last, config):
        missing = ", ".join(f"--{part.replace('_', '-')}" for part in missing_parts(entry, config))
        if without_cameras and not _OF_VIDEO.isdisjoint(entry.parts):
            missing = f"cameras with videos, and {config.manifest} names none"
        if not missing:
            stages.append(load_stage(entry))
        elif command == "run" and stages:
            notes.append(f"{entry.name} is left out: it needs {missing}")
        else:
            raise UsageError(f"{command}: stage {entry.name} needs {missing}; {remedy}")
    return stages, notes


def _has_no_camera(config: Config) -> bool:
    """Whether a manifest names no video at all; one that cannot be read is reported where the data are found."""
    if config.manifest is None:
        return False
    try:
        return not any(clip.cameras for clip in read_manifest(config.manifest).recordings)
    except InputError:
        return False
