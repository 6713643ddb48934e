"""Chooses the stages of a command by the data that the configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.errors import UsageError
from movi_prep.stages.order import COMMANDS, entries_of, load_stage, missing_parts

if TYPE_CHECKING:
    from movi_prep.config.root import Config
    from movi_prep.records.unit import AnyStage


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
    for entry in entries_of(last, config):
        missing = ", ".join(f"--{part.replace('_', '-')}" for part in missing_parts(entry, config))
        if not missing:
            stages.append(load_stage(entry))
        elif command == "run" and stages:
            notes.append(f"{entry.name} is left out: it needs {missing}")
        else:
            raise UsageError(
                f"{command}: stage {entry.name} needs {missing}; give them as flags or in the file of --config"
            )
    return stages, notes
