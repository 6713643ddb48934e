"""The contact sheet: frames of every clip from both cameras, with the markers of the marker stage drawn on them.

Markers are turned from OpenSim ground to AMASS world and projected through the calibration as the pipeline reads it,
so a fault in axes, clocks, lens or conventions shows as markers beside the body.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.demo.cameras import demo_cameras
from movi_prep.demo.channels import VIDEO_STEP
from movi_prep.errors import MissingError
from movi_prep.formats.atomic import write_bytes
from movi_prep.formats.calibration import read_camera
from movi_prep.formats.marker_file import read_markers
from movi_prep.formats.marker_set import default_marker_set_path, read_marker_set
from movi_prep.geometry.frames import ground_to_amass
from movi_prep.geometry.projection import project_points
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.marker_set import JointCentre, Vertex
from movi_prep.records.work_folder import WorkFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.camera import Camera

_TIMES = (0.22, 0.505, 0.72)
"""Places of the frames in a clip, as parts of its length."""

_TILE_PX = (270, 350)
_MARGIN = 1.28
"""Size of the part of a frame that a tile shows, as a multiple of the body's."""

_VERTEX_COLOUR, _JOINT_COLOUR = (60, 235, 255), (255, 190, 40)
"""Markers on the skin are yellow, joint centres blue (BGR)."""


@dataclass(frozen=True)
class _ClipMarkers:
    """Markers of one clip in AMASS world at the video clock: (f, m, 3) metres, and which of them are joint centres."""

    positions_m: NDArray[np.float64]
    is_joint: NDArray[np.bool_]
    made_by: str


def draw_contact_sheet(folder: Path, work: Path | None, out_png: Path) -> Path:
    """Draw the contact sheet of a data set; return its path.

    Args:
        folder: the data set, as `write_demo` left it.
        work: work folder with the markers of the marker stage; clips without markers there show the truth.
        out_png: the picture to write.
    """
    from movi_prep.video.drawing import stack_tiles, with_key
    from movi_prep.video.pictures import encode_picture

    described = folder / "truth" / "truth.json"
    if not described.is_file():
        raise MissingError(described, expected="a data set of 'movi-prep demo'", got="no file", remedy="write it first")
    subjects = json.loads(described.read_text(encoding="utf-8"))["subjects"]
    rows = [row for subject, told in subjects.items() for row in _subject_rows(folder, work, int(subject), told)]
    key = ((_VERTEX_COLOUR, "markers on the skin"), (_JOINT_COLOUR, "joint centres, inside the body"))
    sheet = with_key(stack_tiles(rows), "One clip a row: three moments, each from both cameras", key)
    write_bytes(out_png, encode_picture(sheet, "png").tobytes())
    return out_png


def _subject_rows(
    folder: Path, work: Path | None, subject: int, told: dict[str, Any]
) -> Iterator[list[NDArray[np.uint8]]]:
    """Yield a row of tiles per clip: three times in PG1, then the same three in PG2."""
    tiles: dict[int, list[NDArray[np.uint8]]] = {}
    clips = {int(number): clip for number, clip in told["clips"].items() if clip["in_amass"]}
    markers = {number: _clip_markers(folder, work, subject, number) for number in clips}
    for name in (camera.name for camera in demo_cameras()):
        calibration = folder / "calibration"
        camera = read_camera(name, calibration / f"cameraParams_{name}.npz", calibration / f"Extrinsics_{name}.npz")
        wanted = {
            first + round(part * (clip["last_frame"] - first)): (number, first)
            for number, clip in clips.items()
            for part in _TIMES
            for first in (clip["first_frame"],)
        }
        for frame, image in _frames(folder / "videos" / f"F_{name}_Subject_{subject}_L.avi", wanted):
            number, first = wanted[frame]
            made_by = "" if markers[number].made_by == "markers" else f", {markers[number].made_by}"
            label = f"S{subject} {clips[number]['motion']}, {name}, frame {frame}{made_by}"
            tiles.setdefault(number, []).append(_tile(image, camera, markers[number], frame - first, label))
    yield from (tiles[number] for number in clips)


def _frames(path: Path, wanted: dict[int, tuple[int, int]]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    from movi_prep.video.reader import VideoReader

    reader = VideoReader(path)
    try:
        yield from reader.frames(wanted)
    finally:
        reader.close()


def _tile(image: NDArray[np.uint8], camera: Camera, markers: _ClipMarkers, row: int, label: str) -> NDArray[np.uint8]:
    from movi_prep.video.drawing import cut_tile, draw_dots, draw_label

    drawn = image.copy()
    pixels = project_points(camera, markers.positions_m[row])
    draw_dots(drawn, pixels[markers.is_joint], _JOINT_COLOUR, radius_px=1.5)
    draw_dots(drawn, pixels[~markers.is_joint], _VERTEX_COLOUR, radius_px=1.7)
    # Cut around the markers, so that a body far away is as large as one nearby.
    low, high = np.nanmin(pixels, axis=0), np.nanmax(pixels, axis=0)
    # The larger of both needs, at the tile's proportions, so that no limb is cut.
    height = round(_MARGIN * max(high[1] - low[1], (high[0] - low[0]) * _TILE_PX[1] / _TILE_PX[0]))
    centre = (float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2 - 0.03 * height)
    tile = cut_tile(drawn, centre, (round(height * _TILE_PX[0] / _TILE_PX[1]), height), _TILE_PX)
    draw_label(tile, label)
    return tile


def _clip_markers(folder: Path, work: Path | None, subject: int, number: int) -> _ClipMarkers:
    """Return the markers of the marker stage where they exist, else the truth."""
    path = None if work is None else WorkFolder(work).markers(movi_clip(subject, number))
    if path is None or not path.is_file():
        return _true_markers(folder, subject, number)
    markers = read_markers(path)
    rules = read_marker_set(default_marker_set_path()).rules
    shown = [name for name in markers.names if isinstance(rules.get(name), Vertex | JointCentre)]
    at_frames = markers.sample_indices % VIDEO_STEP == 0
    positions = ground_to_amass(markers.select(shown).positions_m[at_frames])
    return _ClipMarkers(positions, np.array([isinstance(rules[name], JointCentre) for name in shown]), "markers")


def _true_markers(folder: Path, subject: int, number: int) -> _ClipMarkers:
    with np.load(folder / "truth" / "truth.npz") as truth:
        joints, markers = (truth[f"S{subject}_C{number}_{what}_m"] for what in ("joints", "markers"))
    positions = np.concatenate([joints, markers], axis=1)[::VIDEO_STEP]
    return _ClipMarkers(positions, np.arange(positions.shape[1]) < joints.shape[1], "truth")
