"""The page of one clip: the moving model, pictures of each camera, curves of angles, residuals, flagged frames.

The page holds everything it shows and opens from the file system. It stays below 5 MB: a long clip is shown at every
second sample, or fewer; pictures get smaller, then fewer, then none. The page says which.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import InputError, InternalError
from movi_prep.pages.assets import read_asset, script, whole_page
from movi_prep.pages.curves import coordinate_curves
from movi_prep.pages.html import Html, element, markup
from movi_prep.pages.packing import json_for_page, pack_series
from movi_prep.records.ik_solution import FrameStatus
from movi_prep.report.verdicts import judge_max, judge_rms, judge_valid
from movi_prep.view.flags import find_flags
from movi_prep.view.skeleton import make_skeleton

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.formats.model_outline import ModelOutline
    from movi_prep.records.identity import ClipId
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.report.measures import ClipMeasures
    from movi_prep.view.camera_film import CameraRows
    from movi_prep.view.flags import Flag
    from movi_prep.view.skeleton import Skeleton

MOST_BYTES = 5_000_000
"""No page is larger."""

_MOST_MOTION_BYTES = 2_600_000
"""What everything but pictures may take before samples are left out."""

_SPARE_BYTES = 60_000
_MOST_FLAGS = 400
_POSITION_STEP_M = 2.5e-4
_MISS_STEP_M = 1e-4
_ROTATION_STEP = 1e-3
_FLOOR_M = 0.15


@dataclass(frozen=True, eq=False)
class ClipView:
    """Data of the page of one clip.

    Attributes:
        title: the clip, or the name of a trial.
        subtitle: what else identifies it.
        solution: coordinates, markers and their proof.
        outline: names and ranges of the model.
        measures: the clip in numbers.
        shards: files that may hold pictures of it.
        clip: which clip of them; None for trials without pictures.
        videos: camera -> the video that shows it; those of cameras without a shard are named, with what shows them.
        to_shard: the command that makes its shards.
        findings: sentences of the stages that made it.
        landmark_weight: a marker of at least this weight is a landmark.
        held: coordinates that a set-up holds.
    """

    title: str
    subtitle: str
    solution: IkSolution
    outline: ModelOutline
    measures: ClipMeasures
    shards: tuple[Path, ...] = ()
    clip: ClipId | None = None
    videos: Mapping[str, Path] = field(default_factory=dict)
    to_shard: str = "movi-prep shard"
    findings: tuple[str, ...] = ()
    landmark_weight: float = 20.0
    held: frozenset[str] = frozenset()


def write_clip_page(view: ClipView, *, index: str | None = None) -> str:
    """Return the page of a clip; `index` is the address of the page that lists all clips, where there is one."""
    data = clip_data(view)
    back = element("a", "all clips", href=index) if index else ""
    body = Template(read_asset("viewer.html")).substitute(
        title=markup(view.title), subtitle=markup(view.subtitle), back=markup(back)
    )
    content = element("script", Html(json_for_page(data)), type="application/json", id="clip")
    page = whole_page(view.title, "viewer.css", Html(body), content, script("viewer.js"), class_="viewer")
    # The plan above is an estimate; a page that is too large must not go out unnoticed.
    if len(page.encode()) > MOST_BYTES:
        raise InternalError(f"{view.title}: a page of {len(page) / 1e6:.1f} MB, expected at most 5 MB")
    return page


def clip_data(view: ClipView) -> dict[str, Any]:
    """Return what the page's script shows (see web/src/clip.js)."""
    skeleton = make_skeleton(view.solution, view.outline)
    stride = 1
    while (size := len(json_for_page(data := _motion_data(view, skeleton, stride)))) > _MOST_MOTION_BYTES:
        # Most of the way at once, then by steps of one: size falls more slowly than the number of frames.
        stride += max(1, round(stride * (size / _MOST_MOTION_BYTES - 1.0) * 0.9))
    fixed = sum(len(read_asset(name).encode()) for name in ("viewer.js", "viewer.css", "viewer.html"))
    notes = [*view.findings]
    if stride > 1:
        notes.append(f"The clip is long: every {_ordinal(stride)} sample is shown ({len(data['times'])} frames).")
    cameras, said = _camera_data(view, skeleton, stride, MOST_BYTES - _SPARE_BYTES - fixed - size)
    return {**data, "cameras": cameras, "notShown": said, "notes": notes}


def _motion_data(view: ClipView, skeleton: Skeleton, stride: int) -> dict[str, Any]:
    solution, rows = view.solution, slice(None, None, stride)
    flags = find_flags(solution, view.outline.ranges, landmark_weight=view.landmark_weight, held=view.held)
    centre, floor = _centre(solution)
    return {
        "facts": _facts(view.measures),
        "stride": stride,
        "times": [round(time, 4) for time in solution.times_s[rows].tolist()],
        "samples": solution.sample_indices[rows].tolist(),
        "statuses": solution.statuses[rows].tolist(),
        "statusWords": [status.name.lower().replace("_", " ") for status in FrameStatus],
        "usable": solution.usable()[rows].tolist(),
        "centre": centre,
        "floor": floor,
        "look": _look(solution),
        "skeleton": {
            "names": skeleton.names,
            "bones": skeleton.bones.tolist(),
            "points": pack_series(skeleton.points_m[rows], step=_POSITION_STEP_M),
        },
        "markers": {
            "names": solution.marker_names,
            "weights": solution.marker_weights.tolist(),
            "model": pack_series(solution.model_markers_m[rows], step=_POSITION_STEP_M),
            "miss": pack_series(solution.observed_markers_m[rows] - solution.model_markers_m[rows], step=_MISS_STEP_M),
        },
        "pelvis": pack_series(root_poses(solution)[rows], step=_ROTATION_STEP),
        "coordinates": coordinate_curves(
            solution, view.outline.ranges, turning=view.outline.turning, rows=rows, held=view.held
        ),
        "flags": [_flag_data(flag, stride) for flag in flags[:_MOST_FLAGS]],
        "nFlags": len(flags),
    }


def _camera_data(
    view: ClipView, skeleton: Skeleton, stride: int, at_most_bytes: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the pictures of all cameras, and sentences on those that are not shown."""
    if view.clip is None:
        return [], []
    # Trials have no shards: a page of theirs needs no reader of HDF5.
    from movi_prep.view.camera_film import film_for_page, plan_film

    found, notes = _camera_rows(view, view.clip)
    notes += _without_shard(view, view.clip)
    cameras = []
    for index, rows in enumerate(found):
        # What is left is shared by the cameras that are left; base64 makes four letters of three bytes.
        share = at_most_bytes * 3 // 4 // (len(found) - index)
        plan = plan_film(rows, at_most_bytes=share - _pixels_bytes(view, skeleton, rows))
        if plan is None:
            notes.append(f"No pictures of {rows.camera}: those of so long a clip do not fit into a page.")
            continue
        cameras.append(film_for_page(rows, plan, view.solution, skeleton, stride=stride))
        at_most_bytes -= len(json_for_page(cameras[-1]))
        if plan.step > 1:
            notes.append(
                f"Every {_ordinal(plan.step)} picture of {rows.camera} is shown: the page has room for no more."
            )
    return cameras, notes


def _camera_rows(view: ClipView, clip: ClipId) -> tuple[list[CameraRows], list[str]]:
    from movi_prep.view.camera_film import find_camera_rows

    found, notes = [], []
    for path in view.shards:
        try:
            rows = find_camera_rows(path, clip, view.solution)
        except InputError as error:
            notes.append(f"No pictures of {path.name}: {error}")
            continue
        if rows is None or not rows.rows.size:
            notes.append(f"No pictures: {path.name} has no row of this clip; the report says why.")
        else:
            found.append(rows)
    return found, notes


def _without_shard(view: ClipView, clip: ClipId) -> list[str]:
    """Return a sentence on the videos that no shard goes with: only a shard says which frame shows which sample."""
    with_shard = {path.stem.removeprefix(f"{clip.subject}_") for path in view.shards}
    videos = {camera: path.name for camera, path in view.videos.items() if camera not in with_shard}
    if not videos:
        return []
    named = " and ".join(f"{camera} ({name})" for camera, name in videos.items())
    them = "it" if len(videos) == 1 else "them"
    return [
        f"No pictures of {named}: there is no shard, which says which frame of the video shows which sample. "
        f"This makes {them}, then movi-prep view again: {view.to_shard}"
    ]


def _pixels_bytes(view: ClipView, skeleton: Skeleton, rows: CameraRows) -> int:
    """Return about how many bytes the pixels of points and markers take: differences of one byte and a half."""
    return 3 * len(rows.rows) * (len(skeleton.names) + len(view.solution.marker_names))


def _facts(measures: ClipMeasures) -> list[tuple[str, str, str]]:
    """Return name, value and verdict of what stands at the top of the page."""
    at = f" ({measures.max_marker}, {measures.max_time_s:.2f} s)" if measures.max_marker else ""
    facts = [
        ("frames", f"{measures.n_usable} of {measures.n_rows} usable", _verdict(measures.n_usable < measures.n_rows)),
        ("marker RMS", _mm(measures.marker_rms_mm), judge_rms(measures.marker_rms_mm)),
        ("landmarks", _mm(measures.landmark_rms_mm), judge_rms(measures.landmark_rms_mm)),
        ("largest", _mm(measures.max_mm) + at, judge_max(measures.max_mm)),
        ("valid angles", f"{measures.valid_percent:.1f} %", judge_valid(measures.valid_percent)),
        ("solver", measures.solver, ""),
    ]
    return [fact for fact in facts if fact[1] != "-"]


def _verdict(is_marked: bool) -> str:
    return "check" if is_marked else ""


def _mm(value: float) -> str:
    return f"{value:.1f} mm" if isfinite(value) else "-"


def _flag_data(flag: Flag, stride: int) -> dict[str, Any]:
    # Frames of the page, which may show only every so many-th sample.
    rows = {name: getattr(flag, name) // stride for name in ("first", "last", "worst")}
    return {**rows, "text": flag.text, "bad": flag.is_bad}


def root_poses(solution: IkSolution) -> NDArray[np.float64]:
    """Return (n, 12): the rotation of the pelvis body to ground, row by row, and its origin, metres."""
    if "pelvis" in solution.body_names:
        body = solution.body_names.index("pelvis")
        rotations, positions_m = solution.body_rotations[:, body], solution.body_positions_m[:, body]
    else:
        rotations, positions_m = solution.root_frame_rotations, solution.root_frame_positions_m
    return np.concatenate([rotations.reshape(-1, 9), positions_m], axis=1)


def _centre(solution: IkSolution) -> tuple[list[float], float]:
    """Return the middle of what moves and the height of its lowest point, metres, OpenSim ground."""
    points_m = solution.model_markers_m.reshape(-1, 3)
    points_m = points_m[np.isfinite(points_m).all(axis=1)]
    if not len(points_m):
        return [0.0, 1.0, 0.0], 0.0
    low = float(points_m[:, 1].min())
    # The floor of a laboratory is at 0; that of others is where the lowest marker is.
    return points_m.mean(axis=0).round(3).tolist(), 0.0 if abs(low) < _FLOOR_M else round(low, 3)


def _look(solution: IkSolution) -> list[float]:
    """Return from where the model is looked at first, metres from the pelvis: half from its front, from its right."""
    poses = root_poses(solution)
    known = np.flatnonzero(np.isfinite(poses).all(axis=1))
    rotation = poses[known[0], :9].reshape(3, 3) if known.size else np.eye(3)
    # OpenSim's pelvis has X forward and Z to the right.
    sight = rotation[:, 0] + 0.7 * rotation[:, 2]
    # Level, whatever the pelvis does: a lying person is looked at from the side, not from below.
    sight[1] = 0.0
    sight /= max(float(np.linalg.norm(sight)), 1e-6)
    return [round(float(value), 3) for value in 3.1 * sight + np.array([0.0, 0.55, 0.0])]


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")
