"""`shards/index.json`: what a folder of native shards holds, and the statistics that normalise its values.

| key | content |
|---|---|
| `format`, `version`, `movi_prep` | `movi-prep shard index`, 1, the release that wrote it |
| `shards` | list of {file, subject, camera, sex, audit, split, rows, rows_with_pose, clips, ...}, by name |
| `splits` | part of the data -> {subjects, rows} |
| `statistics` | part -> {coordinates_rad, joints_camera_m, image_rgb}: {mean, std, n}, of valid labels |
| `names` | coordinates and joints, in the order of these lists |
| `licences` | what each source asks of people who use or pass on data made from it |

Pixels are 0 to 1. Coordinates and joints of a part without any have mean 0 and deviation 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from movi_prep._version import __version__
from movi_prep.errors import InputError, MissingError
from movi_prep.formats.reading import reading
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import read_audit, read_label_names, read_left_out, read_subject_name
from movi_prep.geometry.label_statistics import joined_statistics

FORMAT, VERSION = "movi-prep shard index", 1

LICENCES = {
    "AMASS (motion)": "amass.is.tue.mpg.de: research without commercial use; no passing on",
    "SMPL+H, DMPL (body)": "mano.is.tue.mpg.de and smpl.is.tue.mpg.de: research without commercial use; no passing on",
    "BML-MoVi (videos, calibration, V3D)": "biomotionlab.ca/movi: research without commercial use; no passing on",
    "the embedded data set (`movi-prep demo`)": "CC0: everything in it is the project's own",
    "movi-prep": "Apache-2.0; it claims nothing in what it makes",
}
"""Source -> what its owners ask. Shards are made from these sources, so the terms hold for shards too."""


def describe_folder(shards: Sequence[Path]) -> dict[str, Any]:
    """Return the index of shards."""
    entries, parts = [], []
    for path in shards:
        with ShardFile(path) as shard:
            entries.append(_entry(shard))
            parts.append((str(shard.attribute("split")), dict(_statistics(shard))))
            names = read_label_names(shard)
    # dict.fromkeys keeps the order of the shards; a set would not.
    splits = list(dict.fromkeys(entry["split"] for entry in entries))
    return {
        "format": FORMAT,
        "version": VERSION,
        "movi_prep": __version__,
        "shards": entries,
        "splits": {
            split: {
                "subjects": list(dict.fromkeys(entry["subject"] for entry in entries if entry["split"] == split)),
                "rows": sum(entry["rows"] for entry in entries if entry["split"] == split),
            }
            for split in splits
        },
        "statistics": {split: _join([values for part, values in parts if part == split]) for split in splits},
        "names": {"coordinates": list(names.coordinates), "joints": list(names.joints)},
        "licences": LICENCES,
    }


def read_index(folder: Path) -> dict[str, Any]:
    """Return the index of a folder of shards.

    Raises:
        MissingError: it has none.
        InputError: the file is something else.
    """
    path = folder / "index.json"
    remedy = "run 'movi-prep shard' again, which writes it"
    if not path.is_file():
        raise MissingError(path, expected="the index of the folder's shards", got="no file", remedy=remedy)
    with reading(path, expected="the index of the folder's shards", remedy=remedy):
        content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != VERSION:
        raise InputError(path, expected=f"{FORMAT}, version {VERSION}", got="something else", remedy=remedy)
    return content


def _entry(shard: ShardFile) -> dict[str, Any]:
    refused = shard.attribute("refused")
    return {
        "file": shard.path.name,
        "subject": read_subject_name(shard),
        "camera": str(shard.attribute("camera")),
        "sex": shard.attribute("sex"),
        "height_m": shard.attribute("height_m"),
        "mass_kg": shard.attribute("mass_kg"),
        "audit": read_audit(shard),
        "audit_findings": list(_names(shard, "subject/audit_findings")),
        "split": str(shard.attribute("split")),
        "rows": shard.n_rows,
        "rows_with_pose": int(shard.read("labels/pose_valid").sum()),
        "clips": len(shard.read("clips/number")),
        "clips_left_out": {str(clip): reason for clip, reason in read_left_out(shard)},
        "refused_frames": sum(last - first + 1 for first, last, _ in refused),
        "valid_coordinates": round(float(shard.read("labels/coordinates_valid").mean()), 4),
        "bytes": shard.path.stat().st_size,
        "image_format": shard.attribute("image_format"),
        "image_quality": shard.attribute("image_quality"),
        "format_version": shard.version,
    }


def _names(shard: ShardFile, name: str) -> tuple[str, ...]:
    return shard.names(name) if name in shard else ()


def _statistics(shard: ShardFile) -> Iterator[tuple[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]]:
    """Yield name -> (4, ...) statistics and the (...) number of values that they are of."""
    yield "coordinates_rad", (shard.read("statistics/coordinates_rad"), shard.read("statistics/coordinates_n"))
    joints = shard.read("labels/joints_valid").sum(axis=0)
    # A joint is valid with all three of its coordinates.
    yield "joints_camera_m", (shard.read("statistics/joints_camera_m"), np.repeat(joints[:, None], 3, axis=1))
    # Shards hold pictures as OpenCV has them, BGR from 0 to 255; networks normalise RGB from 0 to 1.
    pictures = shard.read("statistics/image_bgr")[:, ::-1] / 255.0
    yield "image_rgb", (pictures, np.full(3, shard.n_rows))


def _join(parts: Sequence[Mapping[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]]) -> dict[str, Any]:
    found = {}
    for name in parts[0]:
        joined = joined_statistics([part[name][0] for part in parts], [part[name][1] for part in parts])
        n = np.sum([part[name][1] for part in parts], axis=0)
        found[name] = {"mean": joined[0].tolist(), "std": joined[1].tolist(), "n": n.tolist()}
    return found


def data_card(index: Mapping[str, Any]) -> str:
    """Return the index as Markdown."""
    parts = "\n".join(
        f"| {split} | {', '.join(part['subjects'])} | {part['rows']} |" for split, part in index["splits"].items()
    )
    shards = "\n".join(
        f"| `{entry['file']}` | {entry['sex'] or ''} | {_or_blank(entry['height_m'], '.2f')} | {entry['audit']} "
        f"| {entry['split']} | {entry['rows']} | {entry['rows_with_pose']} | {entry['valid_coordinates']:.0%} "
        f"| {entry['refused_frames']} | {entry['bytes'] / 1e6:.1f} |"
        for entry in index["shards"]
    )
    left_out = [
        f"- {clip}, {entry['camera']}: {reason}"
        for entry in index["shards"]
        for clip, reason in entry["clips_left_out"].items()
    ]
    doubts = {entry["subject"]: entry["audit_findings"] for entry in index["shards"] if entry["audit"] != "sound"}
    doubted = [f"- {subject}: {finding}" for subject, findings in doubts.items() for finding in findings]
    licences = "\n".join(f"- {source}: {asks}" for source, asks in index["licences"].items())
    return f"""# Data card

Native shards of movi-prep {index["movi_prep"]}: {len(index["shards"])} files, \
{sum(entry["rows"] for entry in index["shards"])} video frames, \
{sum(entry["bytes"] for entry in index["shards"]) / 1e6:.1f} MB. `index.json` holds the same, and means and deviations \
of each part.

| part | subjects | rows |
|---|---|---|
{parts}

| file | sex | height, m | audit | part | rows | with a pose | valid angles | refused frames | MB |
|---|---|---|---|---|---|---|---|---|---|
{shards}

## Clips without rows

{chr(10).join(left_out) or "None."}

## What the audit of scaling doubts

{chr(10).join(doubted) or "Nothing."}

## Licences of the sources

What was made from a source is bound by what its owners ask:

{licences}
"""


def _or_blank(value: float | None, how: str) -> str:
    return "" if value is None else format(value, how)
