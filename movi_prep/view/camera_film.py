"""Crops of a clip's shards as a page carries them: small, with the pixels at which the model's points are seen."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.formats.hdf5_trial import check_hdf5
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import read_clip_ids, read_shard_camera
from movi_prep.geometry.frames import ground_to_amass
from movi_prep.geometry.projection import project_points
from movi_prep.pages.packing import pack_series

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.identity import ClipId
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.view.skeleton import Skeleton

SIDES_PX = (320, 240, 180)
"""Sides of pictures that are tried, the largest first."""

_MOST_STEP = 15
"""Of 30 pictures a second at least 2 are shown, or none."""

_QUALITY = 55
_N_TRIED = 6
_PIXEL_STEP = 0.05


@dataclass(frozen=True, eq=False)
class CameraRows:
    """Rows of a shard that show a clip.

    Attributes:
        path: the shard.
        camera: name of the camera.
        shard_rows: (p,) rows of the shard.
        rows: (p,) rows of the solution that they show.
    """

    path: Path
    camera: str
    shard_rows: NDArray[np.int64]
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class FilmPlan:
    """How pictures are made small: every `step`-th, with this longest side."""

    step: int
    side_px: int


def find_camera_rows(path: Path, clip: ClipId, solution: IkSolution) -> CameraRows | None:
    """Return which rows of a shard show which rows of a solution; None where it has none of the clip.

    Raises:
        InputError: the file is no shard.
    """
    check_hdf5(path)
    with ShardFile(path) as shard:
        numbers = [number for number, name in read_clip_ids(shard).items() if name == clip]
        if not numbers:
            return None
        shard_rows = np.flatnonzero(shard.read("frames/clip") == numbers[0])
        samples = shard.read("frames/mocap_sample", slice(None))[shard_rows]
        # Solutions may have every sample, shards have those that a video frame shows.
        # searchsorted gives n_rows for samples beyond the last one; the two lines below refuse those and inexact
        # matches.
        rows = np.searchsorted(solution.sample_indices, samples)
        known = rows < solution.n_rows
        known[known] = solution.sample_indices[rows[known]] == samples[known]
        return CameraRows(path, str(shard.attribute("camera")), shard_rows[known], rows[known])


def plan_film(found: CameraRows, *, at_most_bytes: int) -> FilmPlan | None:
    """Return how the pictures fit into so many bytes; None where they do not."""
    n_pictures = len(found.shard_rows)
    if not n_pictures:
        return None
    # A few pictures tell the size of all: encoding all of them at three sizes would take minutes.
    tried = found.shard_rows[np.linspace(0, n_pictures - 1, min(_N_TRIED, n_pictures)).astype(int)]
    with ShardFile(found.path) as shard:
        for side_px in SIDES_PX:
            mean = float(np.mean([_small_picture(shard, int(row), side_px).size for row in tried]))
            # A tenth more: the pictures that were tried are not the largest.
            step = int(np.ceil(1.1 * mean * n_pictures / max(at_most_bytes, 1)))
            if step <= (1 if side_px != SIDES_PX[-1] else _MOST_STEP):
                return FilmPlan(step=step, side_px=side_px)
    return None


def film_for_page(
    found: CameraRows, plan: FilmPlan, solution: IkSolution, skeleton: Skeleton, *, stride: int
) -> dict[str, Any]:
    """Return the pictures of one camera as a page holds them.

    Args:
        found: the rows.
        plan: which of them, and how small.
        solution: the clip.
        skeleton: its points.
        stride: the page shows every so many-th row of the solution.
    """
    shown = CameraRows(found.path, found.camera, found.shard_rows[:: plan.step], found.rows[:: plan.step])
    with ShardFile(found.path) as shard:
        small = [_small_picture(shard, int(row), plan.side_px) for row in shown.shard_rows]
        video_frames = shard.read("frames/video_frame")[shown.shard_rows]
    return {
        "name": found.camera,
        "size": [plan.side_px, plan.side_px],
        "frames": (shown.rows // stride).tolist(),
        "videoFrames": video_frames.tolist(),
        "ends": np.cumsum([picture.size for picture in small]).tolist(),
        "bytes": base64.b64encode(b"".join(picture.tobytes() for picture in small)).decode("ascii"),
        "points": pack_series(seen_in_squares(shown, skeleton.points_m[shown.rows], plan.side_px), step=_PIXEL_STEP),
        "markers": pack_series(
            seen_in_squares(shown, solution.observed_markers_m[shown.rows], plan.side_px), step=_PIXEL_STEP
        ),
    }


def seen_in_squares(found: CameraRows, points_m: NDArray[np.float64], side_px: int) -> NDArray[np.float64]:
    """Return where points are seen in the crops of a shard that `fit_square` made of one size.

    Args:
        found: the rows.
        points_m: (p, k, 3) metres, OpenSim ground, one row of points for each of them.
        side_px: the side of the squares.

    Returns:
        (p, k, 2) float64, pixels; NaN where the camera cannot see.
    """
    with ShardFile(found.path) as shard:
        camera = read_shard_camera(shard).at(found.shard_rows)
        crops = shard.read("crops/intrinsics_px")[found.shard_rows]
        scales = side_px / shard.read("crops/size_px")[found.shard_rows].max(axis=1)
    pixels = project_points(camera, ground_to_amass(points_m))
    # Crop and scale are an affine change of pixels, K_picture K_image^-1, lens or not.
    change = crops @ np.linalg.inv(camera.intrinsics_px)
    pixels = np.einsum("pij,pkj->pki", change[:, :2, :2], pixels) + change[:, None, :2, 2]
    # Scaling is about the corner of the picture, and pixel centres are whole numbers: hence the halves.
    return np.asarray((pixels + 0.5) * scales[:, None, None] - 0.5)


def _small_picture(shard: ShardFile, row: int, side_px: int) -> NDArray[np.uint8]:
    from movi_prep.video.pictures import decode_picture, encode_small, fit_square

    picture = decode_picture(shard.picture(row), where=f"{shard.path}, row {row}")
    return encode_small(fit_square(picture, side_px)[0], quality=_QUALITY)
