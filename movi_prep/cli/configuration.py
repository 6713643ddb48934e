"""The configuration of a command: from its flags and file, or from the last run in a work folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.cli.flags import config_file_of, settings_of, typed_of
from movi_prep.cli.typed_inputs import check_typed_inputs
from movi_prep.config.load import load_config
from movi_prep.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from movi_prep.config.root import Config


def config_of(given: argparse.Namespace) -> Config:
    """Return the configuration that flags and configuration file give."""
    check_typed_inputs(given)
    return load_config(config_file_of(given), settings_of(given), typed=typed_of(given))


def config_of_last_run(given: argparse.Namespace) -> Config:
    """Return the configuration that flags and file give; if they name only a work folder, that of its last run."""
    # Imported here, because `ik --setup` needs no pipeline, and importing it takes longer than solving a short trial.
    from movi_prep.runtime.data_of_work import config_path
    from movi_prep.runtime.named_work_folder import check_work_folder

    check_typed_inputs(given)
    flags = settings_of(given)
    file = config_file_of(given)
    if file is None and "amass" not in flags:
        last = config_path(Path(flags.get("work", "work")))
        if not last.is_file() and (last.parent / "ik").is_dir():
            raise UsageError(
                f"{last.parent}: expected a work folder of AMASS clips, but got results of marker files, for which "
                "movi-prep keeps no records; see report/marker_files.html there, and movi-prep inspect FILE"
            )
        # Not by the file only: a data set, too, may have a config.yaml.
        check_work_folder(last.absolute().parent)
        if not last.is_file():
            raise UsageError(f"{last} does not exist: nothing ran in this work folder yet; give --config or --amass")
        file = last
        # The stored configuration holds the folder's old path if the folder was moved or copied since.
        flags["work"] = str(last.parent)
    return load_config(file, flags, typed=typed_of(given))
