"""Native shards altered (see `alterations`): the same files, with the alteration in their provenance."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movi_prep.errors import AuditError, InputError
from movi_prep.export.alterations import Alteration
from movi_prep.formats.described_hdf5 import STRING
from movi_prep.formats.label_tables import read_mirror_signs
from movi_prep.formats.shard import PICTURES, ShardFile, open_shard_writer
from movi_prep.formats.shard_records import (
    crop_datasets,
    read_frame_labels,
    read_label_names,
    read_shard_camera,
    record_datasets,
)
from movi_prep.formats.shard_schema import SHARD_SCHEMA
from movi_prep.geometry.boxes import plan_crops
from movi_prep.geometry.label_statistics import PixelStatistics, masked_statistics
from movi_prep.geometry.mirror_world import Mirror, mirror_frame_labels, mirror_of, mirror_tree
from movi_prep.geometry.tree_labels import place_tree
from movi_prep.records.crops import CropPlan
from movi_prep.records.frame_labels import FrameLabels
from movi_prep.records.kinematic_tree import KinematicTree
from movi_prep.records.label_tables import LabelNames

MIRROR_TOLERANCE_M = 1e-3
"""Largest miss of mirrored joint centres by mirrored angles in a model that is its own mirror image, metres."""

_STATISTICS_EVERY = 10
"""Every tenth picture counts for the statistics of pixels, as when shards are made."""

Pictures = Callable[[int], NDArray[np.uint8]]
"""Row -> its picture, (h, w, 3) uint8 BGR."""


def augment_shard(source: Path, out: Path, alteration: Alteration, *, allow_asymmetric: bool = False) -> float:
    """Write one shard altered; return the distance between a flip's joint centres and the mirrored ones, metres.

    Raises:
        InputError: the shard is of an older version.
        AuditError: the model is not its own mirror image, and `allow_asymmetric` is not set.
    """
    with ShardFile(source) as shard:
        # Older layouts lack masks; writing them as new ones would invent labels.
        if shard.version < SHARD_SCHEMA.version:
            raise InputError(
                source,
                expected=f"a shard of version {SHARD_SCHEMA.version}",
                got=f"version {shard.version}",
                remedy="run 'movi-prep shard' again",
            )
        fields, error_m = _fields(shard), 0.0
        pictures: Pictures = _Altered(shard, alteration)
        if alteration.kind == "flip":
            pictures, fields, error_m = _flip(shard, fields, allow_asymmetric=allow_asymmetric)
        _write(shard, out, alteration, fields=fields, pictures=pictures, error_m=error_m)
    return error_m


def _fields(shard: ShardFile) -> dict[str, Any]:
    """Return every field of a shard except those that follow from its pictures."""
    # Offsets and lengths follow from the new pictures' encoding.
    ours = {PICTURES, "crops/offset", "crops/length"}
    return {
        item.name: shard.names(item.name) if item.dtype == STRING else shard.read(item.name)
        for item in SHARD_SCHEMA.fields
        if item.name in shard and item.name not in ours
    }


class _Altered:
    """Pictures with only their values altered."""

    def __init__(self, shard: ShardFile, alteration: Alteration) -> None:
        self._shard, self._alteration = shard, alteration
        self._valid = shard.read("crops/valid_px")
        self._box, self._cut = shard.read("crops/box_px"), shard.read("crops/intrinsics_px")
        self._whole = read_shard_camera(shard).intrinsics_px

    def __call__(self, row: int) -> NDArray[np.uint8]:
        from movi_prep.video.altered_pictures import brighten, coarsen, keep_middle, stretch_contrast
        from movi_prep.video.pictures import decode_picture

        picture = decode_picture(self._shard.picture(row), where=f"{self._shard.path}, row {row}")
        amount = self._alteration.amount
        left, top, width, height = self._valid[row].tolist()
        # The part that the video does not fill is black, and stays black.
        seen = picture[top : top + height, left : left + width]
        if self._alteration.kind == "crop":
            return keep_middle(picture, *self._middle(row, amount))
        change = {"brightness": brighten, "contrast": stretch_contrast, "resize": coarsen}[self._alteration.kind]
        altered = picture.copy()
        altered[top : top + height, left : left + width] = change(seen, amount)
        return altered

    def _middle(self, row: int, part: float) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the middle of the box in the picture, and the sides of the part that is kept."""
        scale = float(self._cut[row, 0, 0] / self._whole[0, 0])
        box = self._box[row].astype(np.float64)
        corner = self._whole[:2, 2] + 0.5 - (self._cut[row, :2, 2] + 0.5) / scale
        at = (box[:2] + box[2:] / 2.0 - corner) * scale
        return (float(at[0]), float(at[1])), (part * float(box[2]) * scale, part * float(box[3]) * scale)


class _Mirrored:
    """Pictures of the mirror image, cut from the stored ones."""

    def __init__(self, shard: ShardFile, mirror: Mirror, before: NDArray[np.float64], plan: CropPlan) -> None:
        self._shard, self._mirror, self._plan = shard, mirror, plan
        self._corners, self._scales = before[:, :2], before[:, 2]

    def __call__(self, row: int) -> NDArray[np.uint8]:
        from movi_prep.video.altered_pictures import turn_picture
        from movi_prep.video.pictures import decode_picture

        picture = decode_picture(self._shard.picture(row), where=f"{self._shard.path}, row {row}")
        width, height = (int(side) for side in self._plan.picture_size_px[row])
        # Pixel -> video -> mirror -> video -> stored pixel; each map is a line for each axis.
        to_video = _line(1.0 / self._plan.scale[row], self._plan.corner_px[row].astype(np.float64))
        mirror, scale = self._mirror, self._scales[row]
        turned = np.eye(3)
        turned[:2, :2] = mirror.picture
        turned[:2, 2] = mirror.principal_px - mirror.picture @ mirror.principal_px
        to_stored = np.linalg.inv(_line(1.0 / scale, self._corners[row]))
        mirrored = turn_picture(picture, (to_stored @ turned @ to_video)[:2], (width, height))
        # Interpolation reaches half a pixel beyond the video's edge: outside `valid_px` pictures are black.
        left, top, wide, high = self._plan.valid_px[row].tolist()
        blank = np.zeros_like(mirrored)
        blank[top : top + high, left : left + wide] = mirrored[top : top + high, left : left + wide]
        return blank


def _line(scale: float, corner_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (3, 3): from pixels of a picture to those of the video, u = (v + 0.5) scale - 0.5 + corner."""
    line = np.diag([scale, scale, 1.0])
    line[:2, 2] = 0.5 * scale - 0.5 + corner_px
    return line


def _flip(
    shard: ShardFile, fields: Mapping[str, Any], *, allow_asymmetric: bool
) -> tuple[_Mirrored, dict[str, Any], float]:
    camera, names, labels = read_shard_camera(shard), read_label_names(shard), read_frame_labels(shard)
    mirror = mirror_of(camera)
    signs = read_mirror_signs()
    mirrored = mirror_frame_labels(
        labels, names, mirror, signs=np.array([signs[name] for name in names.coordinates], dtype=np.float64)
    )
    tree = shard.tree()
    turned = None if tree is None else mirror_tree(tree, labels.scales, names.bodies)
    error_m = np.nan if turned is None else mirror_error_m(turned, mirrored, names)
    # Written so that NaN, an unknown distance, is refused too.
    if not error_m <= MIRROR_TOLERANCE_M and not allow_asymmetric:
        told = "an unknown distance (the shard has no tree)" if turned is None else f"{1e3 * error_m:.1f} mm"
        raise AuditError(
            f"{shard.path}: flip: expected a model that is a mirror image of itself, but its mirrored angles miss the "
            f"mirrored joint centres by up to {told}; leave 'flip' out, or write it all the same: --allow-asymmetric"
        )
    scales = fields["crops/intrinsics_px"][:, 0, 0] / camera.intrinsics_px[0, 0]
    corners = camera.intrinsics_px[:2, 2] + 0.5 - (fields["crops/intrinsics_px"][:, :2, 2] + 0.5) / scales[:, None]
    plan = plan_crops(
        _mirror_extent(fields["crops/body_px"].astype(np.float64), mirror),
        mirror.boxes(fields["crops/box_px"].astype(np.int64)),
        image_size_px=camera.size_px,
        picture_side_px=shard.attribute("crop_size_px"),
    )
    changed = {
        **{name: value for name, value in fields.items() if not _is_deviation(name)},
        **record_datasets("labels", replace(mirrored, coordinates=_plain(mirrored))),
        **crop_datasets(plan, camera.intrinsics_px),
        **({} if turned is None else {f"tree/{name}": values for name, values in turned.to_arrays().items()}),
        **_statistics(mirrored),
    }
    return _Mirrored(shard, mirror, np.column_stack([corners, scales]), plan), changed, float(error_m)


def mirror_error_m(tree: KinematicTree, mirrored: FrameLabels, names: LabelNames) -> float:
    """Return how far the mirrored model's joint centres lie from the mirrored ones, metres; NaN if unknown."""
    # Frames without a pose have zeros, which no tree gives.
    solved = mirrored.select(mirrored.root.valid)
    if not solved.n_frames:
        return 0.0
    answer = place_tree(
        tree,
        coordinate_names=names.coordinates,
        angles_rad=solved.coordinates.angles_rad,
        joint_names=names.opensim_joints,
        root=solved.root,
    )
    if answer is None:
        return float("nan")
    off = np.linalg.norm(answer.centres_m - solved.joint_centres.world_m, axis=-1)[solved.joint_centres.valid]
    return float(np.nanmax(off, initial=0.0))


_DEVIATIONS = (
    *("labels/free_coordinates", "labels/deviation_factor"),
    *("subject/free_coordinates", "subject/deviation_correlation_s"),
)


def _is_deviation(name: str) -> bool:
    """Whether a field holds deviations of free coordinates, which do not apply to a mirrored model."""
    return name in _DEVIATIONS


def _plain(labels: FrameLabels) -> Any:
    return replace(labels.coordinates, free=None, deviation_factor=None)


def _mirror_extent(extent_px: NDArray[np.float64], mirror: Mirror) -> NDArray[np.float64]:
    """Return (n, 4) left, top, right, bottom around the mirrored corners of extents."""
    left, top, right, bottom = extent_px.T
    corners = np.stack(
        [np.stack(corner, axis=-1) for corner in ((left, top), (right, top), (left, bottom), (right, bottom))], axis=1
    )
    # A camera that rolls turns the box: the extent is that of its four turned corners.
    moved = mirror.pixels(corners)
    return np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1)


def _statistics(labels: FrameLabels) -> dict[str, Any]:
    angles, joints = labels.coordinates, labels.joints
    everywhere = np.broadcast_to(joints.valid[..., None], joints.camera_m.shape)
    return {
        "statistics/coordinates_rad": masked_statistics(angles.angles_rad, angles.valid),
        "statistics/coordinates_n": angles.valid.sum(axis=0),
        "statistics/joints_camera_m": masked_statistics(joints.camera_m, everywhere),
    }


def _write(
    shard: ShardFile,
    out: Path,
    alteration: Alteration,
    *,
    fields: dict[str, Any],
    pictures: Pictures,
    error_m: float,
) -> None:
    from movi_prep.video.pictures import encode_picture

    attributes = {name: shard.attribute(name) for name in SHARD_SCHEMA.attributes}
    attributes |= {name: json.dumps(attributes[name]) for name in ("refused", "left_out")}
    image_format, quality = attributes["image_format"], attributes["image_quality"]
    done: dict[str, Any] = {"kind": alteration.kind, "amount": alteration.amount, "of": shard.path.name}
    if alteration.kind == "flip":
        done["joint_centres_off_mm"] = round(1e3 * error_m, 6)
    with open_shard_writer(out) as writer:
        pixels = PixelStatistics()
        for row in range(shard.n_rows):
            picture = pictures(row)
            if row % _STATISTICS_EVERY == 0:
                pixels.add(picture)
            # Lossless formats have no quality in their attributes, and ignore this one.
            writer.append_picture(encode_picture(picture, image_format, quality=int(quality or 95)))
        writer.finish(
            picture_of_row=np.arange(shard.n_rows),
            fields={**fields, "statistics/image_bgr": pixels.result()},
            attributes=attributes,
            provenance={**shard.provenance, "altered": done},
        )
