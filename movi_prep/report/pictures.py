"""Pictures of the report: crops of a shard with labels drawn on them, as they are in the file and seen by the lens.

| drawn | from |
|---|---|
| blue dots | SMPL joints (`labels/joints_px`) |
| yellow dots on red ones | markers (`labels/markers_px`) on the fitted model's: where it misses, red shows |
| red, green, blue lines | X, Y, Z axes of the pelvis body, 15 cm |
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import MoviPrepError
from movi_prep.formats.hdf5_trial import check_hdf5
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import read_attribute, read_clip_ids, read_frame_labels, read_shard_camera
from movi_prep.geometry.projection import project_camera_points, project_points
from movi_prep.pages.html import Html, element

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.frame_labels import BodyPoints, FrameLabels

N_PICTURES = 6
AXIS_M = 0.15
_QUALITY = 85
_JOINT, _MARKER, _MODEL = (255, 160, 40), (60, 235, 255), (50, 50, 255)
_AXES = ((40, 40, 230), (60, 200, 60), (230, 90, 40))
"""Colours are BGR."""

_DOTS_PER_AXIS = 40
_MASKED_M = 1e-9
"""A fitted marker at the world's origin is one that the model does not have."""


def draw_strip(path: Path, *, n_pictures: int = N_PICTURES) -> Html:
    """Return some pictures of a shard, evenly spread over its rows; or a sentence if they cannot be read."""
    try:
        check_hdf5(path)
        with ShardFile(path) as shard:
            # The middle row of each of so many equal parts.
            rows = np.unique(((np.arange(n_pictures) + 0.5) / n_pictures * shard.n_rows).astype(int)).tolist()
            return element("div", *(_figure(shard, row) for row in rows), class_="strip")
    except MoviPrepError as error:
        return element("p", f"No pictures: {error}", class_="missing")


def draw_row(shard: ShardFile, row: int) -> NDArray[np.uint8]:
    """Return the picture of a row with its labels, (height, width, 3) uint8 BGR."""
    from movi_prep.video.drawing import draw_dots
    from movi_prep.video.pictures import decode_picture

    picture = decode_picture(shard.picture(row), where=f"{shard.path}, row {row}").copy()
    labels = _labels(shard, row)
    radius = max(1.2, picture.shape[0] / 260.0)
    # Drawn first: red that shows beside the data's markers is the error of the fitted model.
    draw_dots(picture, to_picture(shard, row, _fitted_markers_px(shard, row, labels)), _MODEL, radius_px=1.3 * radius)
    draw_dots(picture, to_picture(shard, row, _seen_px(labels.markers)), _MARKER, radius_px=radius)
    draw_dots(picture, to_picture(shard, row, _seen_px(labels.joints)), _JOINT, radius_px=1.2 * radius)
    for axis_px, colour in zip(pelvis_axes_px(shard, row), _AXES, strict=True):
        draw_dots(picture, to_picture(shard, row, axis_px), colour, radius_px=0.7 * radius)
    return picture


def to_picture(shard: ShardFile, row: int, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (n, 2) pixels of the video image as pixels of a row's stored picture.

    Crop and scale are an affine change of pixels, K_picture K_image^-1, lens or not.
    """
    change = shard.read("crops/intrinsics_px", row) @ np.linalg.inv(read_shard_camera(shard).intrinsics_px)
    return np.asarray(pixels.astype(np.float64) @ change[:2, :2].T + change[:2, 2])


def pelvis_axes_px(shard: ShardFile, row: int) -> NDArray[np.float64]:
    """Return (3, k, 2) float64, pixels of the video image: dots along the pelvis' axes; none without a pose."""
    root = _labels(shard, row).root
    if not root.valid[0]:
        return np.zeros((3, 0, 2))
    steps = np.linspace(0.0, AXIS_M, _DOTS_PER_AXIS)
    rotation = root.pelvis_rotation_camera[0].astype(np.float64)
    origin = root.pelvis_position_camera_m[0].astype(np.float64)
    # Rows of R' are the columns of R: the body's axes in the camera.
    points = origin + steps[None, :, None] * rotation.T[:, None, :]  # (3, k, 3)
    return _project(shard, points)


def _labels(shard: ShardFile, row: int) -> FrameLabels:
    return read_frame_labels(shard, slice(row, row + 1))


def _seen_px(points: BodyPoints) -> NDArray[np.float64]:
    return np.asarray(points.seen_px[points.in_image], dtype=np.float64)


def _fitted_markers_px(shard: ShardFile, row: int, labels: FrameLabels) -> NDArray[np.float64]:
    if not labels.root.valid[0]:
        return np.zeros((0, 2))
    world = labels.markers.model_world_m[0].astype(np.float64)
    world = world[np.linalg.norm(world, axis=1) > _MASKED_M]
    return project_points(read_shard_camera(shard).at(row), world)


def _project(shard: ShardFile, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    camera = read_shard_camera(shard)
    return project_camera_points(points_m, camera.intrinsics_px, camera.lens)


def _figure(shard: ShardFile, row: int) -> Html:
    from movi_prep.video.pictures import encode_picture

    encoded = encode_picture(draw_row(shard, row), "jpeg", quality=_QUALITY)
    clip = read_clip_ids(shard)[int(read_attribute(shard, "frames.clip", row))]
    says = f"{clip}, video frame {int(read_attribute(shard, 'frames.video_frame', row))}"
    says += "" if read_attribute(shard, "labels.root.valid", row) else " (no pose)"
    source = f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode('ascii')}"
    return element("figure", element("img", src=source, alt=says), element("figcaption", says))
