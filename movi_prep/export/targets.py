"""The targets by name, and the one writer that puts their files into a folder, completely or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from movi_prep.errors import InputError, MissingError, UsageError, list_names
from movi_prep.export import angles, baseline_3d, motionbert, pose_hg_3d, videopose3d
from movi_prep.export.about import FORMAT, define, in_short, subjects_of
from movi_prep.export.tracks import Corpus, Wanted, find_shards, read_corpus
from movi_prep.formats.atomic import atomic_folder, check_space
from movi_prep.formats.hdf5_trial import check_hdf5
from movi_prep.names import natural_order
from movi_prep.records.identity import ClipId

DEFINITION = "definition.json"
README = "README.md"


@dataclass(frozen=True)
class Target:
    """A training code with its files.

    Attributes:
        files: yields name and content of each file.
        readme: returns instructions to use them with the released code.
        parts: parts of the data that it reads; none where it takes subjects by name.
        plain_cameras: whether its files hold cameras in its own model.
        all_cameras: whether it reads the cameras of a moment together.
        pictures: whether it reads pictures.
        shortest_run: least number of successive frames that it takes. Speeds of a single frame are NaN in its tests.
    """

    files: Callable[[Corpus, Mapping[str, Any]], Iterator[tuple[str, bytes]]]
    readme: Callable[[Corpus, Mapping[str, Any]], str]
    parts: tuple[str, ...] = ()
    plain_cameras: bool = False
    all_cameras: bool = False
    pictures: bool = False
    shortest_run: int = 1


_BOTH = ("train", "test")
TARGETS = {
    "videopose3d": Target(videopose3d.files, videopose3d.readme, plain_cameras=True, all_cameras=True, shortest_run=2),
    "3d-pose-baseline": Target(baseline_3d.files, baseline_3d.readme, _BOTH, plain_cameras=True, all_cameras=True),
    "motionbert": Target(motionbert.files, motionbert.readme, _BOTH, shortest_run=2),
    "pose-hg-3d": Target(pose_hg_3d.files, pose_hg_3d.readme, _BOTH, pictures=True),
}
TABLES = "csv"
NAMES = (*TARGETS, TABLES)


@dataclass(frozen=True)
class Exported:
    """The result of an export.

    Attributes:
        folder: the folder.
        n_files: number of files.
        n_bytes: their size, bytes.
        subjects: part of the data -> subjects.
        findings: further findings.
        left_out: what is missing from the export, and why.
    """

    folder: Path
    n_files: int
    n_bytes: int
    subjects: Mapping[str, Sequence[str]]
    findings: tuple[str, ...]
    left_out: tuple[str, ...]


def export(source: Path, out: Path, *, target: str, wanted: Wanted) -> Exported:
    """Write the files of one target.

    Args:
        source: a work folder, or a folder of native shards.
        out: the folder to write; one of an earlier export to the same target is replaced.
        target: one of NAMES.
        wanted: which subjects, cameras and joints.

    Raises:
        UsageError: `out` is something else, or a part of the data that the target reads is empty.
        InputError: nothing can be exported.
    """
    # First of all: reading a data set takes minutes, and this needs none of it.
    _check_out(out, target)
    if target == TABLES:
        return _export_tables(source, out)
    chosen = TARGETS[target]
    needs = {name: getattr(chosen, name) for name in ("plain_cameras", "all_cameras", "pictures", "shortest_run")}
    corpus = read_corpus(find_shards(source), replace(wanted, **needs))
    _check_parts(corpus, chosen, target)
    definition = define(target, corpus, joints=wanted.joints)
    readme = chosen.readme(corpus, definition) + in_short(definition)
    n_files, n_bytes = _write_folder(out, chosen.files(corpus, definition), definition, readme)
    return Exported(out, n_files, n_bytes, subjects_of(corpus), corpus.findings, corpus.left_out)


def _export_tables(source: Path, out: Path) -> Exported:
    tables, left_out = _read_tables(source)
    definition = angles.define_tables(tables, left_out)
    n_files, n_bytes = _write_folder(out, angles.files(tables), definition, angles.README)
    subjects = list(dict.fromkeys(table.clip.subject for table in tables))
    return Exported(out, n_files, n_bytes, {"all": subjects}, (), tuple(left_out))


def _read_tables(source: Path) -> tuple[list[angles.AngleTable], list[str]]:
    """Return the tables of a work folder's solutions (every sample), or of a folder's shards."""
    solutions = sorted(
        (source / "ik").glob("*/*.h5"), key=lambda path: natural_order(f"{path.parent.name}/{path.name}")
    )
    found: dict[ClipId, list[angles.AngleTable]] = {}
    left_out: list[str] = []
    # Solutions hold every mocap sample and all coordinates; shards only the frames of a video.
    for path in solutions or find_shards(source):
        try:
            check_hdf5(path)
            if solutions:
                tables = [angles.read_solution_table(path, ClipId(path.parent.name, path.stem))]
            else:
                tables = list(angles.read_shard_tables(path))
        # One damaged file must not cost the others; it is reported.
        except InputError as error:
            left_out.append(str(error))
            continue
        for table in tables:
            found.setdefault(table.clip, []).append(table)
    if not found:
        raise MissingError(
            source,
            expected="clips with joint angles",
            got="none that can be read: " + "; ".join(left_out[:3]),
            remedy="run 'movi-prep ik'",
        )
    return [angles.join_cameras(found[clip]) for clip in sorted(found)], left_out


def _check_parts(corpus: Corpus, target: Target, name: str) -> None:
    there = subjects_of(corpus)
    empty = [part for part in target.parts if not there.get(part)]
    if empty or not corpus.tracks:
        told = "; ".join(f"{part} has {list_names(names)}" for part, names in there.items()) or "there are no tracks"
        more = "".join(f"; {line}" for line in corpus.left_out[:2])
        raise UsageError(
            f"--to {name}: expected subjects in {' and '.join(target.parts) or 'the shards'}, but {told}{more}; "
            "name some of both, as --train 1,2 --test 15"
        )


def _check_out(out: Path, target: str) -> None:
    """Refuse to replace a folder that is not an export to the same target."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    said = _definition_of(out)
    if said.get("format") == FORMAT and said.get("target") == target:
        return
    kind = f"an export to {said['target']}" if said.get("format") == FORMAT else "something else"
    raise UsageError(f"{out}: expected a new folder, or an export to {target} to replace, but got {kind}; name another")


def _definition_of(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / DEFINITION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_folder(
    out: Path, files: Iterable[tuple[str, bytes]], definition: Mapping[str, Any], readme: str
) -> tuple[int, int]:
    """Write all files, then give the folder its name; return their number and size."""
    n_files = n_bytes = 0
    with atomic_folder(out) as partial:
        described = [(DEFINITION, json.dumps(definition, indent=1).encode()), (README, readme.encode())]
        # One at a time: pictures of a whole data set are never in memory together.
        for name, content in chain(described, files):
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            check_space(partial, len(content))
            path.write_bytes(content)
            n_files, n_bytes = n_files + 1, n_bytes + len(content)
    return n_files, n_bytes
