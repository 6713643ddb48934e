"""Altered test sets: one folder for each kind, with the files of its source folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from movi_prep.errors import AuditError, InputError, MissingError, MoviPrepError, UsageError
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
    """One written folder.

    Attributes:
        folder: the folder.
        n_files: its number of files.
        error_m: error of a flip's joint centres, metres.
        left_out: shards or subjects that it lacks, and why.
    """

    folder: Path
    n_files: int
    error_m: float
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class AlteredSets:
    """The written folders, and why other kinds have none."""

    done: tuple[Augmented, ...]
    failed: tuple[str, ...]

    @property
    def left_out(self) -> tuple[str, ...]:
        """Everything that is missing, each once."""
        return tuple(dict.fromkeys([*self.failed, *(line for item in self.done for line in item.left_out)]))


def augment(
    source: Path,
    out: Path,
    alterations: Sequence[Alteration],
    *,
    split: str | None = None,
    cameras: Mapping[str, Camera] | None = None,
    allow_asymmetric: bool = False,
) -> AlteredSets:
    """Write a folder of altered shards for each alteration, of native ones or of D3KE's layout.

    What cannot be altered is left out and named; the rest is written.

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
        InputError, AuditError: no folder could be written; the reason of the first.
    """
    there = [name for name in (f"{out / item.kind}" for item in alterations) if _holds_something(Path(name))]
    if there:
        raise UsageError(f"{there[0]}: expected a new folder, but it holds files; name another, or remove it")
    # Only D3KE's layout has such names.
    if any(source.glob("subject_*.hdf5")):
        folder = Folder(source, cameras or _cameras_beside(source))
        subjects = _subjects_of(folder, split)

        def write(item: Alteration) -> Augmented:
            return _one_d3ke(folder, out, item, subjects, allow_asymmetric=allow_asymmetric)
    else:
        shards, unreadable = _shards_of(find_shards(source), split)

        def write(item: Alteration) -> Augmented:
            return _one_native(shards, out, item, unreadable, allow_asymmetric=allow_asymmetric)

    return _each_kind(alterations, write, out)


def _each_kind(alterations: Sequence[Alteration], write: Callable[[Alteration], Augmented], out: Path) -> AlteredSets:
    is_new = not out.exists()
    done: list[Augmented] = []
    errors: list[MoviPrepError] = []
    for item in alterations:
        try:
            done.append(write(item))
        # A model that is no mirror image of itself must not cost the test sets that change pictures only.
        except (InputError, AuditError) as error:
            errors.append(error)
    if not done:
        if is_new and out.is_dir():
            # Made for the folders that could not be written; it is empty, or it is not ours.
            with suppress(OSError):
                out.rmdir()
        raise errors[0]
    return AlteredSets(tuple(done), tuple(str(error) for error in errors))


def _holds_something(folder: Path) -> bool:
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def _shards_of(paths: Sequence[Path], split: str | None) -> tuple[list[Path], list[InputError]]:
    """Return the shards of a part of the data, and the errors of those that cannot be read."""
    if split is None:
        return list(paths), []
    found: list[Path] = []
    errors: list[InputError] = []
    for path in paths:
        try:
            if _split_of(path) == split:
                found.append(path)
        except InputError as error:
            errors.append(error)
    if not found:
        more = "".join(f"; {error}" for error in errors[:2])
        where = paths[0].parent
        raise UsageError(f"--split {split}: expected shards of that part in {where}, but there are none{more}")
    return found, errors


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


def _one_native(
    shards: Sequence[Path],
    out: Path,
    item: Alteration,
    unreadable: Sequence[InputError],
    *,
    allow_asymmetric: bool,
) -> Augmented:
    final = out / item.kind
    errors: list[InputError] = [*unreadable]
    misses_m: dict[str, float] = {}
    # The folder appears when all its shards and its index are complete: training never sees a part of it.
    with atomic_folder(final) as partial:
        for path in shards:
            try:
                misses_m[path.name] = augment_shard(path, partial / path.name, item, allow_asymmetric=allow_asymmetric)
            # One damaged or older shard must not cost the others; it is reported.
            except InputError as error:
                errors.append(error)
        if not misses_m:
            raise errors[0]
        # Statistics are of the altered pictures and labels, not of the source's.
        index = describe_folder([partial / name for name in misses_m])
        write_text(partial / "index.json", json.dumps(index, indent=1) + "\n")
        write_text(partial / "README.md", data_card(index))
    return Augmented(final, len(misses_m), max(misses_m.values()), tuple(map(str, errors)))


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
        error_m, errors = augment_folder(folder, partial, item, subjects=subjects, allow_asymmetric=allow_asymmetric)
        n_files = len(list(partial.iterdir()))
    return Augmented(final, n_files, error_m, tuple(map(str, errors)))
