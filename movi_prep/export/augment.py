"""Altered test sets: one folder for each kind, with the files of its source folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from movi_prep.errors import InputError, MissingError, UsageError
from movi_prep.export.alterations import Alteration
from movi_prep.export.augment_d3ke import Folder, augment_folder
from movi_prep.export.augment_native import augment_shard
from movi_prep.export.tracks import find_shards
from movi_prep.formats.atomic import atomic_folder, write_text
from movi_prep.formats.hdf5_trial import check_hdf5
from movi_prep.formats.label_tables import read_label_tables
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_index import data_card, describe_folder
from movi_prep.formats.shard_records import read_shard_camera
from movi_prep.records.bmlmovi_names import movi_subject
from movi_prep.records.camera import Camera


@dataclass(frozen=True)
class Augmented:
    """One written folder: its number of files, and the error of a flip's joint centres, metres."""

    folder: Path
    n_files: int
    error_m: float


def augment(
    source: Path,
    out: Path,
    alterations: Sequence[Alteration],
    *,
    split: str | None = None,
    cameras: Mapping[str, Camera] | None = None,
    allow_asymmetric: bool = False,
) -> tuple[Augmented, ...]:
    """Write a folder of altered shards for each alteration, of native ones or of D3KE's layout.

    Args:
        source: a folder of shards, or a work folder (its native ones).
        out: parent of the new folders.
        alterations: the alterations.
        split: part of the data; None for all.
        cameras: calibration, needed for flips of D3KE's layout; None takes that of native shards beside it.
        allow_asymmetric: whether to flip a model that is not its own mirror image.

    Raises:
        UsageError: one of the folders is there already, or no shard is of that part.
        MissingError: there are no shards.
    """
    there = [name for name in (f"{out / item.kind}" for item in alterations) if _holds_something(Path(name))]
    if there:
        raise UsageError(f"{there[0]}: expected a new folder, but it holds files; name another, or remove it")
    # Only D3KE's layout has such names.
    if any(source.glob("subject_*.hdf5")):
        folder = Folder(source, cameras or _cameras_beside(source))
        subjects = _subjects_of(folder, split)
        return tuple(_one_d3ke(folder, out, item, subjects, allow_asymmetric=allow_asymmetric) for item in alterations)
    shards = [path for path in find_shards(source) if split is None or _split_of(path) == split]
    if not shards:
        raise UsageError(f"--split {split}: expected shards of that part below {source}, but there are none")
    return tuple(_one_native(shards, out, item, allow_asymmetric=allow_asymmetric) for item in alterations)


def _holds_something(folder: Path) -> bool:
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def _split_of(path: Path) -> str:
    check_hdf5(path)
    with ShardFile(path) as shard:
        return str(shard.attribute("split"))


def _subjects_of(folder: Folder, split: str | None) -> list[int]:
    tables = read_label_tables()
    subjects = [number for number in folder.subjects() if split in (None, tables.split_of(movi_subject(number)))]
    if not subjects:
        raise UsageError(f"--split {split}: expected subjects of that part in {folder.path}, but there are none")
    return subjects


def _cameras_beside(folder: Path) -> dict[str, Camera]:
    """Return the cameras of the native shards that stand beside D3KE's layout, where both were written."""
    found = {}
    for path in sorted((folder.parent / "shards").glob("*.h5")):
        try:
            with ShardFile(path) as shard:
                camera = read_shard_camera(shard)
        # A damaged shard only fails to give its camera; `_mirrors` reports a camera that is missing.
        except InputError:
            continue
        found[camera.name] = camera
    return found


def _one_native(shards: Sequence[Path], out: Path, item: Alteration, *, allow_asymmetric: bool) -> Augmented:
    final = out / item.kind
    # The folder appears when all its shards and its index are complete: training never sees a part of it.
    with atomic_folder(final) as partial:
        errors = [augment_shard(path, partial / path.name, item, allow_asymmetric=allow_asymmetric) for path in shards]
        # Statistics are of the altered pictures and labels, not of the source's.
        index = describe_folder([partial / path.name for path in shards])
        write_text(partial / "index.json", json.dumps(index, indent=1) + "\n")
        write_text(partial / "README.md", data_card(index))
    return Augmented(final, len(shards), max(errors))


def _one_d3ke(
    folder: Folder, out: Path, item: Alteration, subjects: Sequence[int], *, allow_asymmetric: bool
) -> Augmented:
    if not (folder.path / "pyBaseModel.pkl").is_file():
        raise MissingError(
            folder.path / "pyBaseModel.pkl",
            expected="the base model of D3KE's layout",
            got="no file",
            remedy="run 'movi-prep shard --layout d3ke'",
        )
    final = out / item.kind
    with atomic_folder(final) as partial:
        error_m = augment_folder(folder, partial, item, subjects=subjects, allow_asymmetric=allow_asymmetric)
        n_files = len(list(partial.iterdir()))
    return Augmented(final, n_files, error_m)
