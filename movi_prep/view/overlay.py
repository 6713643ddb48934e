"""A film with the model on it: skeleton, markers, axes of the pelvis, numbers of frame and sample, what is flagged.

| drawn | what |
|---|---|
| white lines, blue dots | bones and joints of the solved model |
| yellow dots on red ones | markers of the data on the model's: where it misses, red shows |
| red, green, blue lines | X, Y, Z axes of the pelvis, 20 cm |

The film has the frames of the video that are rows of the clip's shard; without the video, the shard's crops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import MissingError
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import read_shard_camera
from movi_prep.geometry.frames import ground_to_amass
from movi_prep.geometry.projection import project_points
from movi_prep.view.camera_film import find_camera_rows, seen_in_squares
from movi_prep.view.clip_page import root_poses

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.identity import ClipId
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.view.camera_film import CameraRows
    from movi_prep.view.flags import Flag
    from movi_prep.view.skeleton import Skeleton

_AXIS_M = 0.2
_BONE, _HALO, _JOINT = (255, 255, 255), (60, 45, 30), (255, 160, 40)
_DATA, _MODEL = (60, 235, 255), (50, 50, 255)
_AXES = ((40, 40, 230), (60, 200, 60), (230, 90, 40))
_KEY = ((_JOINT, "joints"), (_DATA, "markers of the data"), (_MODEL, "of the model"))
_PROBLEM, _CHECK = (120, 120, 255), (120, 210, 255)
"""Colours are BGR."""

_CROP_SIDE_PX = 512
"""Crops have many sizes, a film has one."""

_N_FLAGS = 2
"""Flags that fit on a line."""


@dataclass(frozen=True, eq=False)
class Overlay:
    """Data that are drawn on the pictures of a clip.

    Attributes:
        clip: which clip.
        solution: its solution.
        skeleton: points and bones of its model.
        flags: what is flagged.
    """

    clip: ClipId
    solution: IkSolution
    skeleton: Skeleton
    flags: Sequence[Flag]


def overlay_frames(overlay: Overlay, shard: Path, video: Path | None) -> Iterator[NDArray[np.uint8]]:
    """Yield (height, width, 3) uint8 BGR frames of the film.

    Args:
        overlay: what is drawn.
        shard: which frames show the clip, and through which camera.
        video: the video; None draws on the shard's crops.

    Raises:
        MissingError: the shard has no row of the clip.
    """
    found = find_camera_rows(shard, overlay.clip, overlay.solution)
    if found is None or not found.rows.size:
        raise MissingError(
            shard,
            expected=f"rows of {overlay.clip}",
            got="none",
            remedy="movi-prep report says why; movi-prep shard makes them",
        )
    pictures = _crops(found) if video is None else _video_frames(found, video)
    seen = _Seen.of(overlay, found, in_crops=video is None)
    for index, (video_frame, picture) in pictures:
        yield _drawn(picture, overlay, found, seen, index, video_frame)


@dataclass(frozen=True, eq=False)
class _Seen:
    """Pixels of the film, row by row of the shard: points (p, k, 2), markers (p, m, 2), pelvis axes (p, 3, 2, 2)."""

    points: NDArray[np.float64]
    model: NDArray[np.float64]
    data: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def of(cls, overlay: Overlay, found: CameraRows, *, in_crops: bool) -> _Seen:
        """Project what is drawn through the camera of a shard."""
        solution, rows = overlay.solution, found.rows
        with ShardFile(found.path) as shard:
            camera = read_shard_camera(shard).at(found.shard_rows)

        def seen(points_m: NDArray[np.float64]) -> NDArray[np.float64]:
            if in_crops:
                return seen_in_squares(found, points_m, _CROP_SIDE_PX)
            return project_points(camera, ground_to_amass(points_m))

        poses = root_poses(solution)[rows]
        origins, rotations = poses[:, None, 9:], poses[:, :9].reshape(-1, 3, 3)
        # Rows of the transposed rotation are the body's axes in ground.
        tips = seen(origins + _AXIS_M * rotations.transpose(0, 2, 1))
        return cls(
            points=seen(overlay.skeleton.points_m[rows]),
            model=seen(solution.model_markers_m[rows]),
            data=seen(solution.observed_markers_m[rows]),
            axes=np.stack([np.broadcast_to(seen(origins), tips.shape), tips], axis=2),
        )


def _video_frames(found: CameraRows, video: Path) -> Iterator[tuple[int, tuple[int, NDArray[np.uint8]]]]:
    from movi_prep.video.reader import VideoReader

    with ShardFile(found.path) as shard:
        numbers = shard.read("frames/video_frame")[found.shard_rows].tolist()
    index = {number: place for place, number in enumerate(numbers)}
    reader = VideoReader(video)
    try:
        for number, image in reader.frames(set(numbers)):
            # A copy, because the reader may hand out its own buffer, and this one is drawn on.
            yield index[number], (number, image.copy())
    finally:
        reader.close()


def _crops(found: CameraRows) -> Iterator[tuple[int, tuple[int, NDArray[np.uint8]]]]:
    from movi_prep.video.pictures import decode_picture, fit_square

    with ShardFile(found.path) as shard:
        numbers = shard.read("frames/video_frame")[found.shard_rows].tolist()
        for index, row in enumerate(found.shard_rows.tolist()):
            picture = decode_picture(shard.picture(row), where=f"{shard.path}, row {row}")
            yield index, (numbers[index], fit_square(picture, _CROP_SIDE_PX)[0])


def _drawn(
    picture: NDArray[np.uint8], overlay: Overlay, found: CameraRows, seen: _Seen, index: int, video_frame: int
) -> NDArray[np.uint8]:
    from movi_prep.video.drawing import draw_dots, draw_key, draw_label, draw_lines

    solution, row = overlay.solution, int(found.rows[index])
    points = seen.points[index]
    draw_lines(picture, points[overlay.skeleton.bones], _BONE, width_px=1, halo=_HALO)
    # The data's markers are drawn on the model's and are smaller: red shows around or beside them where the model
    # misses.
    draw_dots(picture, seen.model[index], _MODEL, radius_px=2.8)
    draw_dots(picture, seen.data[index], _DATA, radius_px=2.0)
    draw_dots(picture, points, _JOINT, radius_px=2.2)
    for ends, colour in zip(seen.axes[index], _AXES, strict=True):
        draw_lines(picture, ends[None], colour, width_px=2)
    draw_label(
        picture,
        f"{overlay.clip}  {found.camera}  video frame {video_frame}  sample {solution.sample_indices[row]}  "
        f"{solution.times_s[row]:.2f} s",
    )
    draw_key(picture, _KEY)
    flagged = [flag for flag in overlay.flags if flag.first <= row <= flag.last]
    if flagged:
        rest = f" (+{len(flagged) - _N_FLAGS})" if len(flagged) > _N_FLAGS else ""
        text = "; ".join(flag.text for flag in flagged[:_N_FLAGS]) + rest
        draw_label(picture, text, below=True, colour=_PROBLEM if flagged[0].is_bad else _CHECK)
    return picture
