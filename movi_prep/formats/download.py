"""Find the files of a download in whatever folders people unpacked it into. Names are read, files are not.

| what | name of the file | folders above it |
|---|---|---|
| AMASS clip, old release | `Subject_N_F_K_poses.npz` | any (`BMLmovi/BMLmovi/Subject_N_F_MoSh`) |
| AMASS clip, new release | `Subject_N_F_K_stageii.npz` | any |
| body model | `model.npz` | `.../{male,female,neutral}`; `smplh` or none above it |
| soft tissue | `model.npz` | `.../{male,female,neutral}`; `dmpls` above it |
| V3D | `F_v3d_Subject_N.mat` | any |
| video | `F_PG1_Subject_N_L.avi` | any |
| calibration | `cameraParams_PG1`, `Extrinsics_PG1` (.npz, .pkl, .mat) | any |

`shape.npz` and `*_stagei.npz` lie beside the clips and are passed over. Clip numbers may have gaps or lie beyond 21.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from movi_prep.errors import InputError, UsageError, list_names, suggest
from movi_prep.names import natural_order
from movi_prep.records.bmlmovi_names import movi_clip, movi_subject, number_of
from movi_prep.records.choice import choose_names
from movi_prep.records.download import Download
from movi_prep.records.identity import ClipId

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

_CLIP = re.compile(r"^Subject_(\d+)_F_(\d+)_(poses|stageii)\.npz$", re.IGNORECASE)
_BESIDE_CLIPS = re.compile(r"^(shape|.*_stagei)\.npz$", re.IGNORECASE)
_V3D = re.compile(r"^F_v3d_Subject_(\d+)\.mat$", re.IGNORECASE)
_VIDEO = re.compile(r"^F_(PG\d+)_Subject_(\d+)_L\.avi$", re.IGNORECASE)
_TRIMMED_VIDEO = re.compile(r"^F_(PG\d+)_Subject_(\d+)_L_?\d+\.avi$", re.IGNORECASE)
_CALIBRATION = re.compile(r"^(cameraParams|Extrinsics)_(PG\d+)\.(npz|pkl|mat)$", re.IGNORECASE)
_KNOWN_NPZ = (_BESIDE_CLIPS, _CALIBRATION, re.compile(r"^model\.npz$"))
_ARCHIVE = re.compile(r"\.(tar|tar\.gz|tgz|tar\.bz2|tbz2|tar\.xz|zip|7z|rar)$", re.IGNORECASE)
_OTHER_MODEL = re.compile(r"^(SMPL|SMPLH|SMPLX|basicmodel)_.*\.(pkl|npz)$", re.IGNORECASE)
_SEXES = ("male", "female", "neutral")
_DOUBLES_TOLD = 3
_NAMES_TOLD = 20
_CALIBRATION_ORDER = (".npz", ".pkl", ".mat")

Key = TypeVar("Key", ClipId, str, tuple[str, str])


@dataclass(frozen=True)
class Folders:
    """Where the parts of a download lie; None for a part that the user does not have. They may be one folder."""

    amass: Path | None = None
    body_models: Path | None = None
    v3d: Path | None = None
    videos: Path | None = None
    calibration: Path | None = None


def find_download(folders: Folders) -> Download:
    """Return what is there. Where two files claim one place, one is taken and a finding says which.

    Raises:
        UsageError: a folder that was named does not exist.
    """
    _check_folders(folders)
    findings: list[str] = []
    motions = _find_motions(_files_below(folders.amass), findings)
    body_models, dmpl_models = _find_body_models(_files_below(folders.body_models), findings)
    intrinsics, extrinsics = _find_calibration(_files_below(folders.calibration))
    videos = _find_videos(_files_below(folders.videos), findings)
    v3d = _find_v3d(_files_below(folders.v3d), findings)
    return Download(
        motions=motions,
        body_models=body_models,
        dmpl_models=dmpl_models,
        v3d=v3d,
        videos=videos,
        intrinsics=intrinsics,
        extrinsics=extrinsics,
        findings=(*dict.fromkeys(findings), *_absences(motions, v3d, videos)),
    )


def select_clips(
    download: Download,
    *,
    subjects: Collection[str] | None,
    clips: Collection[str] | None,
    exclude: Collection[str] = (),
) -> Download:
    """Return the download cut to some subjects and clips; None means all that are found.

    Raises:
        UsageError: a subject is asked for that has no clips, or nothing is left.
    """
    known = download.subjects
    wanted, absent = (set(known), []) if subjects is None else choose_names(subjects, known)
    if absent:
        remedy = f"say {_ranges(wanted)}" if wanted else f"choose among them{suggest(absent[0], known)}"
        raise UsageError(
            f"subjects: expected subjects with AMASS clips ({_ranges(known)}), but got {_ranges(absent)}; "
            f"{remedy}, or check the folder `amass`"
        )
    names = {clip.clip for clip in download.motions}
    named = names if clips is None else choose_names(clips, names)[0]
    _check_excluded(exclude, download)
    left = {
        clip: path
        for clip, path in download.motions.items()
        if clip.subject in wanted and clip.clip in named and not {str(clip), clip.subject} & set(exclude)
    }
    if download.motions and not left:
        raise UsageError("subjects, clips, exclude: expected at least one clip, but none is left; widen the choice")
    others = {clip: path for clip, path in download.motions.items() if clip not in left}
    return replace(download, motions=left, others=others)


def _check_excluded(exclude: Collection[str], download: Download) -> None:
    """Raise UsageError for what can be no key of these data: it would leave nothing out, and nobody would notice."""
    keys = {*map(str, download.motions), *download.subjects}
    for entry in exclude:
        # A subject of BMLmovi that is not there need not be an error: one list serves any part of the data.
        parts = entry.split("/")
        numbered = number_of(parts[0]) is not None and len(parts) <= 2
        if download.motions and entry not in keys and not numbered:
            example = next(iter(download.motions))
            raise UsageError(
                f"exclude: expected a key like {example.subject!r} or {str(example)!r}, but got {entry!r}"
                f"{suggest(entry, keys)}"
            )


def _ranges(names: Collection[str]) -> str:
    """Return names as `--subjects` takes them, BML-MoVi's as `1-6,8`: of a range with a gap, what is there."""
    numbers = {number: name for name in names if (number := _number(name)) is not None}
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    ranges = [f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts]
    others = sorted(set(names) - set(numbers.values()), key=natural_order)
    return ",".join([*ranges, *others[:_NAMES_TOLD], *(["..."] if len(others) > _NAMES_TOLD else [])]) or "none"


def _number(name: str) -> int | None:
    return int(name) if name.isdecimal() else number_of(name)


def _check_folders(folders: Folders) -> None:
    """Raise UsageError that names every folder that is not there: nobody should correct six paths one by one."""
    named = {item.name: getattr(folders, item.name) for item in fields(folders)}
    wrong = {name: folder for name, folder in named.items() if folder is not None and not folder.is_dir()}
    if wrong:
        told = "; ".join(f"{name}: expected a folder, but {folder} is not one" for name, folder in wrong.items())
        raise UsageError(f"{told}; correct the path{'s' if len(wrong) > 1 else ''}")


def _files_below(folder: Path | None) -> list[Path]:
    """Return all files below `folder` in a stable order, links followed once."""
    if folder is None:
        return []
    seen: set[str] = set()
    found: list[Path] = []
    for where, below, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(where)
        # A link to a folder above would be walked for ever.
        below[:] = [] if real in seen else sorted(below)
        if real not in seen:
            found.extend(Path(where, name) for name in sorted(names))
        seen.add(real)
    return found


def _find_motions(files: Iterable[Path], findings: list[str]) -> dict[ClipId, Path]:
    candidates: dict[ClipId, list[Path]] = defaultdict(list)
    strangers: list[str] = []
    for path in files:
        match = _CLIP.match(path.name)
        if match is not None:
            candidates[movi_clip(int(match[1]), int(match[2]))].append(path)
        elif path.suffix.lower() == ".npz" and not any(pattern.match(path.name) for pattern in _KNOWN_NPZ):
            strangers.append(path.name)
        elif _ARCHIVE.search(path.name):
            findings.append(f"{path} is still packed: unpack it where it lies if clips are missing")
    if strangers:
        findings.append(
            f"{len(strangers)} .npz files are not named like BMLmovi clips and were passed over: "
            f"{list_names(strangers, at_most=3)}"
        )
    return _one_each(candidates, findings, rank=lambda path: "stageii" in path.name.lower())


def _find_v3d(files: Iterable[Path], findings: list[str]) -> dict[str, Path]:
    candidates: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        match = _V3D.match(path.name)
        if match is not None:
            candidates[movi_subject(int(match[1]))].append(path)
        elif _ARCHIVE.search(path.name):
            findings.append(f"{path} is still packed: unpack it where it lies if V3D files are missing")
    return _one_each(candidates, findings)


def _find_videos(files: Iterable[Path], findings: list[str]) -> dict[tuple[str, str], Path]:
    candidates: dict[tuple[str, str], list[Path]] = defaultdict(list)
    trimmed = 0
    for path in files:
        match = _VIDEO.match(path.name)
        if match is not None:
            candidates[movi_subject(int(match[2])), match[1].upper()].append(path)
        trimmed += _TRIMMED_VIDEO.match(path.name) is not None
    if trimmed:
        findings.append(f"{trimmed} videos are cut into single motions and were passed over: whole ones are needed")
    return _one_each(candidates, findings)


def _find_body_models(files: Iterable[Path], findings: list[str]) -> tuple[dict[str, Path], dict[str, Path]]:
    bodies: dict[str, list[Path]] = defaultdict(list)
    tissues: dict[str, list[Path]] = defaultdict(list)
    unusable: list[str] = []
    for path in files:
        sex = path.parent.name.lower()
        if path.name.lower() != "model.npz" or sex not in _SEXES:
            unusable += _say_unusable_model(path)
            continue
        # All kinds of model are called `SEX/model.npz`: only the folders above tell them apart.
        above = [part.lower() for part in path.parts[:-2]]
        kind = next((part for part in reversed(above) if part.startswith(("smpl", "dmpl"))), "smplh")
        if kind.startswith("dmpl"):
            tissues[sex].append(path)
        elif kind.startswith("smplx"):
            findings.append(f"{path} is a SMPL-X model and was passed over: SMPL+H is needed")
        else:
            bodies[sex].append(path)
    # Beside models that are there, an archive or another release is no matter.
    findings.extend([] if bodies else unusable)
    return _one_each(bodies, findings), _one_each(tissues, findings)


def _say_unusable_model(path: Path) -> list[str]:
    """Return what a person should know of a file that looks like a body model and is none that can be read."""
    if _ARCHIVE.search(path.name):
        return [f"{path} is still packed: unpack it where it lies"]
    if _OTHER_MODEL.match(path.name):
        return [f"{path} is another release of the body model: 'Extended SMPL+H' for AMASS is needed, SEX/model.npz"]
    return []


def _find_calibration(files: Iterable[Path]) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return camera -> intrinsics and extrinsics; raise InputError where two files say different things of one."""
    found: dict[str, dict[str, Path]] = {"cameraparams": {}, "extrinsics": {}}
    for path in sorted(files, key=lambda path: _CALIBRATION_ORDER.index(path.suffix) if _is_calibration(path) else 9):
        match = _CALIBRATION.match(path.name)
        if match is not None:
            first = found[match[1].lower()].setdefault(match[2].upper(), path)
            # BMLmovi comes with each file as .npz and as .pkl: one calibration, written twice.
            if first.suffix == path.suffix:
                _check_same(first, path, camera=match[2].upper())
    return found["cameraparams"], found["extrinsics"]


def _check_same(first: Path, other: Path, *, camera: str) -> None:
    if first != other and first.read_bytes() != other.read_bytes():
        raise InputError(
            other,
            expected=f"one calibration of {camera}",
            got=f"another one than {first}",
            remedy="leave the one that the videos were recorded with below the folder of --calibration",
        )


def _is_calibration(path: Path) -> bool:
    return path.suffix in _CALIBRATION_ORDER


def _one_each(
    candidates: Mapping[Key, Sequence[Path]], findings: list[str], rank: Callable[[Path], int] = lambda _path: 0
) -> dict[Key, Path]:
    """Return one file per key: by rank, then the shortest path; findings name those that were passed over."""
    chosen: dict[Key, Path] = {}
    doubled: list[str] = []
    lost = {path for paths in candidates.values() for path in paths if not path.exists()}
    for key in sorted(candidates):
        there = [path for path in candidates[key] if path not in lost]
        ordered = sorted(there, key=lambda path: (rank(path), len(path.parts), str(path)))
        if ordered:
            chosen[key] = ordered[0]
        if len(ordered) > 1:
            rest = ", ".join(map(str, ordered[1:]))
            doubled.append(f"{_say(key)}: {len(ordered)} files; {ordered[0]} is used, not {rest}")
    findings += _first_few(doubled, "more are there more than once, chosen alike")
    findings += _first_few(
        [f"{path} is a link to nothing and was passed over" for path in sorted(lost)], "more such links"
    )
    return chosen


def _first_few(said: list[str], rest: str) -> list[str]:
    """Return sentences, cut after a few with the number of the rest: a download that is there twice must not flood."""
    n_more = len(said) - _DOUBLES_TOLD
    return said if n_more <= 0 else [*said[:_DOUBLES_TOLD], f"{n_more} {rest}"]


def _say(key: ClipId | str | tuple[str, str]) -> str:
    return "/".join(key) if isinstance(key, tuple) else str(key)


def _absences(
    motions: Mapping[ClipId, Path], v3d: Mapping[str, Path], videos: Mapping[tuple[str, str], Path]
) -> list[str]:
    """Return what subjects with motion lack, where others have it."""
    subjects = sorted({clip.subject for clip in motions}, key=natural_order)
    cameras = sorted({camera for _, camera in videos})
    said = []
    if v3d:
        said.append(("no V3D file", [subject for subject in subjects if subject not in v3d]))
    said += [
        (f"no {camera} video", [subject for subject in subjects if (subject, camera) not in videos])
        for camera in cameras
    ]
    return [f"{what}: {list_names(lacking, at_most=100)}" for what, lacking in said if lacking]
