"""A work folder belongs to one data set: settings may change, and its subjects, clips and subsets may become more.

| the data now | are taken where |
|---|---|
| of the same folder, read in the same way, or the same manifest | always |
| of another place (data that were moved) | a clip of the work folder is there with the same bytes |

`WORK/config.yaml` says what the last command asked for, except what another command of the same data adds to: it names
all subsets, and keeps the folders that a command did not name.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

from movi_prep.config.load import dump_config, load_config
from movi_prep.errors import UsageError, list_names
from movi_prep.names import ALL_SUBJECTS
from movi_prep.recordings.amass import ALL_SUBSETS
from movi_prep.records.work_folder import WorkFolder
from movi_prep.runtime.locks import scope_of
from movi_prep.runtime.unit_record import makers_of, read_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from movi_prep.config.root import Config
    from movi_prep.records.recordings import Recordings
    from movi_prep.runtime.file_identity import FileIdentities

_PARTS = ("amass", "body_models", "v3d", "videos", "calibration")
"""Folders of the data."""
_ADDED = ("v3d", "videos", "calibration")
"""Folders without which the stages before them run."""
_WITNESSES = 20
"""Clips that are compared: of the same data, the first one is the same already."""


def config_path(work: Path) -> Path:
    """Return where a work folder keeps the configuration of its last run, for `status` to ask by."""
    return work / "config.yaml"


def check_apart(config: Config, recordings: Recordings) -> None:
    """Refuse a work folder inside the data, which would be searched with them, and data inside the work folder.

    Raises:
        UsageError: one lies in the other, or is it.
    """
    work = os.path.realpath(config.work)
    for part in _PARTS:
        folder = getattr(config, part)
        if folder is not None and _is_inside(work, os.path.realpath(folder)):
            raise UsageError(
                f"work: expected a folder outside the data, but {config.work} is {part} or lies in it ({folder}); name "
                "another (--work)"
            )
    # What lies in a work folder counts as made by units, which need a record of it.
    folder, prefix = WorkFolder(config.work), f"{config.work}{os.sep}"
    # Text first: all of AMASS has seventeen thousand paths.
    near = (path for path in recordings.motions.values() if str(path).startswith(prefix))
    inside = next((path for path in near if folder.is_made(path)), None)
    if inside is not None:
        raise UsageError(
            f"work: expected a folder without data, but {inside} lies in {config.work}; name another (--work)"
        )


def check_same_data(config: Config, recordings: Recordings, identities: FileIdentities) -> None:
    """Refuse data that are not those of the work folder.

    Raises:
        UsageError: the work folder holds results of other data.
    """
    last = last_config(config.work)
    if last is None or _source(last) == _source(config):
        return
    if any(_the_same(config, recordings, identities)):
        return
    made = {scope_of(record.key) for record in makers_of(WorkFolder(config.work)).values()} - {ALL_SUBJECTS}
    if made:
        raise UsageError(
            f"work: expected the data of which {config.work} holds results ({_say(last)}: {list_names(made)}), but got "
            f"{_say(config)}; name another folder (--work)"
        )


def last_config(work: Path) -> Config | None:
    """Return the configuration of the last run in a work folder; None where there is none that can be read."""
    path = config_path(work)
    try:
        return load_config(path, {"work": str(work)}) if path.is_file() else None
    except UsageError:
        # Written by another release, or by hand: it says nothing of the data, and the next run replaces it.
        return None


def is_kept_config(path: Path) -> bool:
    """Return whether a file is one that a run wrote: all settings, as they are dumped."""
    try:
        return dump_config(load_config(path, {})).encode() == path.read_bytes()
    except UsageError:
        return False


def config_to_keep(config: Config) -> Config:
    """Return the configuration that describes the work folder after a run of this one."""
    # The file describes the work folder, not this run's choice from it: a later one without flags does all.
    kept = config.model_copy(update={"subjects": None, "clips": None})
    last = last_config(config.work)
    if last is None or _source(last) != _source(config):
        return kept
    added = {part: getattr(last, part) for part in _ADDED if getattr(config, part) is None}
    return kept.model_copy(update={**added, "subset": _both(last.subset, config.subset)})


def _both(before: tuple[str, ...] | None, now: tuple[str, ...] | None) -> tuple[str, ...] | None:
    names = tuple(dict.fromkeys((*(before or ()), *(now or ()))))
    return (ALL_SUBSETS,) if ALL_SUBSETS in names else names or None


def _source(config: Config) -> tuple[str, str]:
    """Return how the motions are read and where from, which is what makes a data set."""
    return _reader(config), os.path.realpath(config.manifest or config.amass or "")


def _reader(config: Config) -> str:
    if config.manifest is not None:
        return "manifest"
    return config.reader or ("BMLmovi" if config.subset is None else "AMASS")


def _say(config: Config) -> str:
    subsets = "" if config.subset is None else f", subset {','.join(config.subset)}"
    return f"{_reader(config)} of {config.manifest or config.amass}{subsets}"


def _the_same(config: Config, recordings: Recordings, identities: FileIdentities) -> Iterator[bool]:
    """Yield of clips of which the work folder holds results whether they are there with the same bytes."""
    found = {**recordings.others, **recordings.motions}
    folders = [path for path in WorkFolder(config.work).records().glob("*") if path.is_dir()]
    known = ((clip, place / f"{clip}.json") for clip in found for place in folders)
    for clip, path in islice(((clip, path) for clip, path in known if path.is_file()), _WITNESSES):
        record = read_record(path)
        inputs = () if record is None else record.inputs.values()
        yield any(identities.holds(found[clip], item.identity) for item in inputs)


def _is_inside(path: str, folder: str) -> bool:
    return os.path.commonpath((path, folder)) == folder
