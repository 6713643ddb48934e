"""Manifests: `recordings.yaml`, or the same as a table, `recordings.csv`.

| .csv column | content | in .yaml |
|---|---|---|
| `subject`, `clip`, `motion`, `person`, `body`, `sex`, `motion_rate_hz` | as in `ClipEntry` | `recordings[]` |
| `camera` | name of the camera; empty for a clip without video | `recordings[].cameras` |
| `video`, `poses`, `first_frame`, `n_frames`, `offset_s`, `rate_hz`, `per_frame` | as in `VideoEntry` | the same |
| `calibration`, `calibration_name`, `metres_per_unit`, `world_up`, `distortion`, `size_px`, `first_picture` | as in
  `CameraEntry`, the same in every row of a camera (`size_px` as 1920x1080) | `cameras` |

One row for each clip and camera. An empty cell stands for the default. Relative paths count from the manifest's folder.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from movi_prep.config.footage import MotionChoice
from movi_prep.config.load import describe_problems
from movi_prep.config.manifest import CameraEntry, Manifest, VideoEntry
from movi_prep.errors import InputError, list_names, suggest
from movi_prep.formats.reading import reading
from movi_prep.formats.yaml_file import read_yaml_file

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXPECTED, _REMEDY = "a manifest of recordings (YAML or CSV)", "correct the manifest; 'movi-prep init' writes one"
# A hundred thousand rows and more; a file that is no manifest is not read to its end.
_LARGEST_BYTES = 64 * 2**20
_NEEDED = ("subject", "clip", "motion")
_OF_MOTION = tuple(MotionChoice.model_fields)
_OF_VIDEO = tuple(name for name in VideoEntry.model_fields if name != "calibration")
_OF_CAMERA = tuple(CameraEntry.model_fields)
COLUMNS = (*_NEEDED, *_OF_MOTION, "camera", *_OF_VIDEO, *_OF_CAMERA)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest; its paths come out absolute.

    Raises:
        MissingError: there is no such file.
        InputError: it is neither YAML nor CSV, or an entry is not what it must be.
    """
    content = _from_table(path) if path.suffix.lower() == ".csv" else read_yaml_file(path, expected=_EXPECTED)
    if not isinstance(content, dict):
        raise InputError(path, expected="entries by name", got=type(content).__name__, remedy=_REMEDY)
    if "manifest" in content and "recordings" not in content:
        remedy = f"name it with --config, or the manifest that it names: {content['manifest']}"
        raise InputError(path, expected=_EXPECTED, got="settings", remedy=remedy)
    try:
        return _absolute(Manifest.model_validate(content), path.absolute().parent)
    except ValidationError as error:
        raise InputError(path, expected=_EXPECTED, got=describe_problems(error), remedy=_REMEDY) from error


def _absolute(manifest: Manifest, base: Path) -> Manifest:
    def at(path: Path | None) -> Path | None:
        # normpath, not resolve: links stay links, so that moving their target does not change the
        # manifest's paths.
        return None if path is None else Path(os.path.normpath(base / path.expanduser()))

    cameras = {
        name: item.model_copy(update={"calibration": at(item.calibration)}) for name, item in manifest.cameras.items()
    }
    clips = tuple(
        clip.model_copy(
            update={
                "motion": at(clip.motion),
                "cameras": {
                    name: item.model_copy(
                        update={part: at(getattr(item, part)) for part in ("video", "poses", "calibration")}
                    )
                    for name, item in clip.cameras.items()
                },
            }
        )
        for clip in manifest.recordings
    )
    body_models = at(manifest.body_models)
    return manifest.model_copy(update={"body_models": body_models, "cameras": cameras, "recordings": clips})


def _from_table(path: Path) -> dict[str, Any]:
    """Return the rows of a table as a .yaml has them."""
    with reading(path, expected=_EXPECTED, remedy=_REMEDY):
        if path.stat().st_size > _LARGEST_BYTES:
            size = f"{path.stat().st_size / 1e6:.0f} MB"
            raise InputError(path, expected=f"at most {_LARGEST_BYTES / 1e6:.0f} MB", got=size, remedy=_REMEDY)
        with path.open("rb") as file:
            text = _text_of(file.read(_LARGEST_BYTES), path)
        # Spreadsheets of half of Europe separate by semicolons, those that write UTF-16 by tabs.
        separator = max(",", ";", "\t", key=text.partition("\n")[0].count)
        rows = list(csv.DictReader(io.StringIO(text), delimiter=separator, strict=True))
    unknown = [name for name in (rows[0] if rows else {}) if name not in COLUMNS]
    if unknown or not rows:
        hint = suggest(str(unknown[0]), COLUMNS) if unknown else ""
        raise InputError(
            path,
            expected=f"a table with the columns {', '.join(COLUMNS)} (those that are needed)",
            got=f"{list_names(map(str, unknown))}{hint}" if unknown else "no rows",
            remedy=_REMEDY,
        )
    cameras: dict[str, dict[str, Any]] = {}
    clips: dict[tuple[str, ...], dict[str, Any]] = {}
    # Line 1 is the header.
    for number, row in enumerate(rows, 2):
        cells = {name: value.strip() for name, value in row.items() if isinstance(value, str) and value.strip()}
        if None in row or not set(_NEEDED) <= cells.keys():
            raise InputError(
                f"{path}: line {number}", expected="one cell for each column", got="others", remedy=_REMEDY
            )
        _add_row(cells, cameras, clips, where=f"{path}: line {number}")
    return {"cameras": cameras, "recordings": list(clips.values())}


def _text_of(content: bytes, path: Path) -> str:
    """Return the text of a table; raise InputError where it is in an encoding that its bytes do not tell."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        # Spreadsheets write a byte order mark, which would become part of the first column's name.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}: line {line}",
            expected="text in UTF-8",
            got=f"another encoding (byte {content[error.start]:#04x})",
            remedy="save the table as 'CSV UTF-8' in the spreadsheet",
        ) from error


def _add_row(
    cells: Mapping[str, str],
    cameras: dict[str, dict[str, Any]],
    clips: dict[tuple[str, ...], dict[str, Any]],
    *,
    where: str,
) -> None:
    clip = {name: cells[name] for name in _NEEDED}
    # Rows of one clip need not follow each other: a table may be sorted by camera.
    entry = clips.setdefault(tuple(clip.values()), {**clip, "cameras": {}})
    # A row may leave out what another row of its clip says.
    for said in sorted(cells.keys() & set(_OF_MOTION)):
        if entry.setdefault(said, cells[said]) != cells[said]:
            told = f"{cells[said]}, but {entry[said]} in another row"
            raise InputError(where, expected=f"one {said} of clip {clip['clip']!r}", got=told, remedy=_REMEDY)
    name = cells.get("camera")
    if name is None:
        return
    camera: dict[str, Any] = {key: cells[key] for key in _OF_CAMERA if key in cells}
    if "size_px" in camera:
        camera["size_px"] = camera["size_px"].lower().split("x")
    # A row may leave the calibration out; where it states one, it must be that of the other rows.
    if camera and cameras.setdefault(name, camera) != camera:
        told = f"{camera}, but {cameras[name]} before"
        raise InputError(
            where, expected=f"one calibration of camera {name!r}", got=told, remedy="name the cameras apart"
        )
    if name in entry["cameras"]:
        got = f"camera {name!r} twice for clip {cells.get('clip')!r}"
        raise InputError(where, expected="one row for each clip and camera", got=got, remedy="remove one of the rows")
    entry["cameras"][name] = {key: cells[key] for key in _OF_VIDEO if key in cells}
