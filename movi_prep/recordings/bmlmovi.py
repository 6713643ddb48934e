"""BMLmovi as AMASS and BML-MoVi distribute it: clips, V3D files, PG1 and PG2. Names are read, contents are not.

| what | name of the file | folders above it |
|---|---|---|
| AMASS clip, old release | `Subject_N_F_K_poses.npz` | any (`BMLmovi/BMLmovi/Subject_N_F_MoSh`) |
| AMASS clip, new release | `Subject_N_F_K_stageii.npz` | any |
| body model, soft tissue | see `recordings.bodies` | any |
| V3D | `F_v3d_Subject_N.mat` | any |
| video | `F_PG1_Subject_N_L.avi` | any |
| calibration | `cameraParams_PG1`, `Extrinsics_PG1` (.npz, .pkl, .mat) | any |

Subject N is `S00N`, clip K is `C0K`: K is the row of V3D's list. `shape.npz` and `*_stagei.npz` lie beside the clips
and are passed over. Clip numbers may have gaps or lie beyond 21.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from movi_prep.errors import list_names
from movi_prep.names import natural_order
from movi_prep.recordings.bodies import find_body_models
from movi_prep.recordings.folders import list_files, nearly_right, one_each, packed
from movi_prep.records.bmlmovi_names import movi_clip, movi_subject
from movi_prep.records.identity import ClipId
from movi_prep.records.recordings import Recordings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from movi_prep.recordings.folders import Folders, Listing

_CLIP = re.compile(r"^Subject_(\d+)_F_(\d+)_(poses|stageii)\.npz$", re.IGNORECASE)
_BESIDE_CLIPS = re.compile(r"^(shape|.*_stagei)\.npz$", re.IGNORECASE)
_V3D = re.compile(r"^F_v3d_Subject_(\d+)\.mat$", re.IGNORECASE)
_VIDEO = re.compile(r"^F_(PG\d+)_Subject_(\d+)_L\.avi$", re.IGNORECASE)
_TRIMMED_VIDEO = re.compile(r"^F_(PG\d+)_Subject_(\d+)_L_?\d+\.avi$", re.IGNORECASE)
_CALIBRATION = re.compile(r"^(cameraParams|Extrinsics)_(PG\d+)\.(npz|pkl|mat)$", re.IGNORECASE)
_CALIBRATION_ORDER = (".npz", ".pkl", ".mat")

_LIKE_CLIP = re.compile(r"Subject_?(\d+)_F_?(\d+).*?(stageii)?\.\w+$", re.IGNORECASE)
_LIKE_V3D = re.compile(r"v3d.*Subject_?(\d+)", re.IGNORECASE)
_LIKE_VIDEO = re.compile(r"(PG\d+).*Subject_?(\d+)(?!.*_L_?\d+\.)", re.IGNORECASE)
_LIKE_CALIBRATION = re.compile(r"(camera_?Params|Extrinsics).*(PG\d+)", re.IGNORECASE)
"""What a file with a name that is nearly right has in it."""


def find_bmlmovi(folders: Folders) -> Recordings:
    """Return the data. If two files claim the same place, one is used and a finding says which."""
    findings: list[str] = []
    listings = {part: list_files(getattr(folders, part)) for part in folders.__dataclass_fields__}
    for listing in listings.values():
        findings += listing.findings
    motions = _find_motions(listings["amass"], findings)
    body_models, dmpl_models = find_body_models(listings["body_models"], findings)
    sessions = _find_v3d(listings["v3d"], findings)
    videos = _find_videos(listings["videos"], findings)
    calibration = _find_cameras(listings["calibration"], findings)
    return Recordings(
        motions=motions,
        body_models=body_models,
        dmpl_models=dmpl_models,
        sessions=sessions,
        videos=videos,
        intrinsics=calibration.intrinsics,
        extrinsics=calibration.extrinsics,
        disputed_cameras=calibration.disputed,
        findings=(*dict.fromkeys(findings), *_absences(motions, sessions, videos)),
    )


def _find_motions(listing: Listing, findings: list[str]) -> dict[ClipId, Path]:
    candidates: dict[ClipId, list[Path]] = defaultdict(list)
    rest: list[Path] = []
    for path in listing.files:
        match = _CLIP.match(path.name)
        if match is not None:
            candidates[movi_clip(int(match[1]), int(match[2]))].append(path)
        elif not _BESIDE_CLIPS.match(path.name):
            rest.append(path)
    strangers = [path.name for path in rest if path.suffix.lower() == ".npz" and path.name.endswith(_OF_CLIPS)]
    if strangers:
        findings.append(
            f"{listing.root}: {len(strangers)} .npz files are not named like BMLmovi clips and were passed over "
            f"({list_names(strangers, at_most=3)}); --subset all, or --subset with names of subsets, takes them"
        )

    def meant(name: str) -> tuple[ClipId, str] | None:
        match = _LIKE_CLIP.search(name)
        if match is None:
            return None
        release = match[3] or "poses"
        return movi_clip(int(match[1]), int(match[2])), f"Subject_{match[1]}_F_{match[2]}_{release}.npz"

    findings += [*packed(listing), *nearly_right(rest, meant, candidates)]
    ordered = {clip: candidates[clip] for clip in sorted(candidates)}
    return one_each(ordered, findings, rank=lambda path: "stageii" in path.name.lower())


_OF_CLIPS = ("_poses.npz", "_stageii.npz")


def _find_v3d(listing: Listing, findings: list[str]) -> dict[str, Path]:
    candidates: dict[str, list[Path]] = defaultdict(list)
    rest: list[Path] = []
    for path in listing.files:
        match = _V3D.match(path.name)
        if match is not None:
            candidates[movi_subject(int(match[1]))].append(path)
        else:
            rest.append(path)

    def meant(name: str) -> tuple[str, str] | None:
        match = _LIKE_V3D.search(name)
        return None if match is None else (movi_subject(int(match[1])), f"F_v3d_Subject_{match[1]}.mat")

    findings += [*packed(listing), *nearly_right(rest, meant, candidates)]
    return one_each({name: candidates[name] for name in sorted(candidates, key=natural_order)}, findings)


def _find_videos(listing: Listing, findings: list[str]) -> dict[tuple[str, str], Path]:
    candidates: dict[tuple[str, str], list[Path]] = defaultdict(list)
    rest: list[Path] = []
    trimmed = 0
    for path in listing.files:
        match = _VIDEO.match(path.name)
        if match is not None:
            candidates[movi_subject(int(match[2])), match[1].upper()].append(path)
        elif _TRIMMED_VIDEO.match(path.name):
            trimmed += 1
        else:
            rest.append(path)
    if trimmed:
        findings.append(f"{trimmed} videos are cut into single motions and were passed over: whole ones are needed")

    def meant(name: str) -> tuple[tuple[str, str], str] | None:
        match = _LIKE_VIDEO.search(name)
        if match is None:
            return None
        camera, number = match[1].upper(), match[2]
        return (movi_subject(int(number)), camera), f"F_{camera}_Subject_{number}_L.avi"

    findings += [*packed(listing), *nearly_right(rest, meant, candidates)]
    ordered = sorted(candidates, key=lambda key: (natural_order(key[0]), key[1]))
    return one_each({key: candidates[key] for key in ordered}, findings, say="/".join)


@dataclass(frozen=True)
class _Calibration:
    """Files of calibration by camera, and the cameras of which two files say different things."""

    intrinsics: dict[str, Path]
    extrinsics: dict[str, Path]
    disputed: dict[str, str]


def _find_cameras(listing: Listing, findings: list[str]) -> _Calibration:
    """Return the files of each camera; of two that differ neither is taken, because either may be right."""
    found: dict[tuple[str, str], Path] = {}
    disputed: dict[str, str] = {}
    rest: list[Path] = []
    kinds = {suffix: rank for rank, suffix in enumerate(_CALIBRATION_ORDER)}
    # If a calibration exists in several formats, use the first that can be read directly.
    for path in sorted(listing.files, key=lambda path: kinds.get(path.suffix.lower(), len(kinds))):
        match = _CALIBRATION.match(path.name)
        if match is not None:
            camera = match[2].upper()
            first = found.setdefault((match[1].lower(), camera), path)
            # BMLmovi comes with each file as .npz and as .pkl: one calibration, written twice.
            if first.suffix == path.suffix and not _same_bytes(first, path):
                disputed[camera] = f"{first} and {path} are different calibrations of {camera}; remove the wrong one"
        else:
            rest.append(path)

    def meant(name: str) -> tuple[tuple[str, str], str] | None:
        match = _LIKE_CALIBRATION.search(name)
        if match is None:
            return None
        kind, camera = match[1].lower().replace("_", ""), match[2].upper()
        suffix = name.rpartition(".")[2].lower()
        right = "cameraParams" if kind == "cameraparams" else "Extrinsics"
        return (kind, camera), f"{right}_{camera}.{suffix if f'.{suffix}' in kinds else 'npz'}"

    findings += [*packed(listing), *nearly_right(rest, meant, found)]
    findings += disputed.values()
    cameras = sorted({camera for _, camera in found} - disputed.keys())
    inner, outer = (
        {camera: found[kind, camera] for camera in cameras if (kind, camera) in found}
        for kind in ("cameraparams", "extrinsics")
    )
    return _Calibration(inner, outer, disputed)


def _same_bytes(first: Path, other: Path) -> bool:
    try:
        return first == other or first.read_bytes() == other.read_bytes()
    except OSError:
        # A file that cannot be read is reported by the unit that reads it.
        return True


def _absences(
    motions: Mapping[ClipId, Path], sessions: Mapping[str, Path], videos: Mapping[tuple[str, str], Path]
) -> list[str]:
    """Return what subjects with motion lack, where others have it."""
    subjects = sorted({clip.subject for clip in motions}, key=natural_order)
    cameras = sorted({camera for _, camera in videos})
    said = []
    if sessions:
        said.append(("no V3D file", [subject for subject in subjects if subject not in sessions]))
    said += [
        (f"no {camera} video", [subject for subject in subjects if (subject, camera) not in videos])
        for camera in cameras
    ]
    return [f"{what}: {list_names(lacking, at_most=100)}" for what, lacking in said if lacking]
