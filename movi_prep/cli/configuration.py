"""The configuration that a command works with: of its flags and file, or that of a work folder's last run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.cli.flags import config_file_of, settings_of, typed_of
from movi_prep.config.load import load_config
from movi_prep.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from movi_prep.config.root import Config


def config_of(given: argparse.Namespace) -> Config:
    """Return the configuration that flags and file name."""
    return load_config(config_file_of(given), settings_of(given), typed=typed_of(given))


def config_of_last_run(given: argparse.Namespace) -> Config:
    """Return the configuration that was asked for; given only a work folder, that of its last run."""
    # Trials need no pipeline, and loading it takes longer than solving a short one.
    from movi_prep.runtime.pipeline_run import config_path

    flags = settings_of(given)
    file = config_file_of(given)
    if file is None and "amass" not in flags:
        last = config_path(Path(flags.get("work", "work")))
        if not last.is_file() and (last.parent / "ik").is_dir():
            raise UsageError(
                f"{last.parent}: expected a work folder of AMASS clips, but got results of marker files, of which no "
                "records are kept; see report/marker_files.html there, and movi-prep inspect FILE"
            )
        if not last.is_file():
            raise UsageError(f"{last} is not there: nothing ran in this work folder yet; name --config or --amass")
        file = last
        # A folder that was moved or copied is the one that is meant, not the one where it was made.
        flags["work"] = str(last.parent)
    return load_config(file, flags, typed=typed_of(given))
