"""BMLmovi as AMASS and BML-MoVi distribute it: clips, V3D files, PG1 and PG2. Only names are read, not contents.

| what | name of the file | folders above it |
|---|---|---|
| AMASS clip, old release | `Subject_N_F_K_poses.npz` | any (`BMLmovi/BMLmovi/Subject_N_F_MoSh`) |
| AMASS clip, new release | `Subject_N_F_K_stageii.npz` | any |
| body model, soft tissue | see `recordings.bodies` | any |
| V3D | `F_v3d_Subject_N.mat` | any |
| video, calibration | see `recordings.bmlmovi_footage` | any |

Subject N is `S00N`, clip K is `C0K`: K is the row of V3D's list. `shape.npz` and `*_stagei.npz` lie beside the clips
and are passed over. Clip numbers may have gaps or lie beyond 21.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from movi_prep.errors import list_names
from movi_prep.names import natural_order
from movi_prep.plain_text import count_of
from movi_prep.recordings.bmlmovi_footage import find_bmlmovi_cameras, find_bmlmovi_videos
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

_LIKE_CLIP = re.compile(r"Subject_?(\d+)_F_?(\d+).*?(stageii)?\.\w+$", re.IGNORECASE)
_LIKE_V3D = re.compile(r"v3d.*Subject_?(\d+)", re.IGNORECASE)
"""Patterns of names that are nearly right."""


def find_bmlmovi(folders: Folders) -> Recordings:
    """Return the data. If two files claim the same place, one is used and a finding says which."""
    findings: list[str] = []
    listings = {part: list_files(getattr(folders, part)) for part in folders.__dataclass_fields__}
    for listing in listings.values():
        findings += listing.findings
    motions = _find_motions(listings["amass"], findings)
    body_models, dmpl_models = find_body_models(listings["body_models"], findings)
    sessions = _find_v3d(listings["v3d"], findings)
    videos = find_bmlmovi_videos(listings["videos"], findings)
    calibration = find_bmlmovi_cameras(listings["calibration"], findings)
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
        # shape.npz and stage-one files belong there and need no finding.
        elif not _BESIDE_CLIPS.match(path.name):
            rest.append(path)
    strangers = [path.name for path in rest if path.suffix.lower() == ".npz" and path.name.endswith(_OF_CLIPS)]
    if strangers:
        findings.append(
            f"{listing.root}: passed over, not named like BMLmovi clips: {count_of(len(strangers), '.npz file')} "
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


def _absences(
    motions: Mapping[ClipId, Path], sessions: Mapping[str, Path], videos: Mapping[tuple[str, str], Path]
) -> list[str]:
    """Return sentences on videos and V3D files that some subjects with motion lack and others have."""
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
