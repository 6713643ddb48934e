"""Videos and calibration of BML-MoVi, in any folders.

| what | name of the file |
|---|---|
| video | `F_PG1_Subject_N_L.avi` |
| calibration | `cameraParams_PG1`, `Extrinsics_PG1` (.npz, .pkl, .mat): of several forms the first that can be read |
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from movi_prep.names import natural_order
from movi_prep.plain_text import count_of
from movi_prep.recordings.folders import nearly_right, one_each, packed
from movi_prep.records.bmlmovi_names import movi_subject

if TYPE_CHECKING:
    from pathlib import Path

    from movi_prep.recordings.folders import Listing

_CALIBRATION = re.compile(r"^(cameraParams|Extrinsics)_(PG\d+)\.(npz|pkl|mat)$", re.IGNORECASE)
_CALIBRATION_ORDER = (".npz", ".pkl", ".mat")
_LIKE_CALIBRATION = re.compile(r"(camera_?Params|Extrinsics).*(PG\d+)", re.IGNORECASE)
_VIDEO = re.compile(r"^F_(PG\d+)_Subject_(\d+)_L\.avi$", re.IGNORECASE)
_TRIMMED_VIDEO = re.compile(r"^F_(PG\d+)_Subject_(\d+)_L_?\d+\.avi$", re.IGNORECASE)
_LIKE_VIDEO = re.compile(r"(PG\d+).*Subject_?(\d+)(?!.*_L_?\d+\.)", re.IGNORECASE)


def find_bmlmovi_videos(listing: Listing, findings: list[str]) -> dict[tuple[str, str], Path]:
    """Return the whole videos by subject and camera."""
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
        findings.append(
            f"passed over, because whole videos are needed: {count_of(trimmed, 'video')} cut into single motions"
        )

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
class BmlmoviCalibration:
    """Files of calibration by camera, and the cameras whose files contradict each other."""

    intrinsics: dict[str, Path]
    extrinsics: dict[str, Path]
    disputed: dict[str, str]


def find_bmlmovi_cameras(listing: Listing, findings: list[str]) -> BmlmoviCalibration:
    """Return the files of each camera; of two that differ neither is taken, because either may be right."""
    found: dict[tuple[str, str], Path] = {}
    disputed: dict[str, str] = {}
    rest: list[Path] = []
    kinds = {suffix: rank for rank, suffix in enumerate(_CALIBRATION_ORDER)}
    # The first form of a calibration that can be read as it is goes before the others.
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
    return BmlmoviCalibration(inner, outer, disputed)


def _same_bytes(first: Path, other: Path) -> bool:
    try:
        return first == other or first.read_bytes() == other.read_bytes()
    except OSError:
        # The unit that reads the file reports that it is unreadable.
        return True
