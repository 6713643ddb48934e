"""Labels of one row in a virtual camera, and their mirror image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movi_prep.formats.label_tables import read_mirror_signs
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import read_attribute, read_body_scales, read_label_names
from movi_prep.formats.shard_schema import DATASETS
from movi_prep.geometry.mirror import (
    CAMERA_REFLECTION,
    mirror_coordinates,
    mirror_order,
    mirror_positions,
    mirror_rotations,
)
from movi_prep.geometry.virtual_camera import VirtualCamera
from movi_prep.records.frame_labels import BodyScales


@dataclass(frozen=True)
class Labels:
    """Labels of one frame for a network, in a virtual camera's frame (x right, y down, z forward).

    Attributes:
        points_m: (p, 3) float32, metres: the model's joint centres, SMPL joints, markers, in this order.
        points_px: (p, 2) float32, pixels of the virtual picture.
        points_valid: (p,) bool.
        coordinates_rad: (c,) float32.
        coordinates_valid: (c,) bool.
        coordinates_std_rad: (c,) float32, posterior standard deviations; None where they are not requested.
        body_scales: (b, 3) float32, zero where the model has no such body.
        body_scales_valid: (b,) bool.
        root_pose: (3, 4) float32, rotation and position (m) of the moving frame of the ground-to-pelvis joint.
    """

    points_m: NDArray[np.float32]
    points_px: NDArray[np.float32]
    points_valid: NDArray[np.bool_]
    coordinates_rad: NDArray[np.float32]
    coordinates_valid: NDArray[np.bool_]
    coordinates_std_rad: NDArray[np.float32] | None
    body_scales: NDArray[np.float32]
    body_scales_valid: NDArray[np.bool_]
    root_pose: NDArray[np.float32]


@dataclass(frozen=True)
class MirrorTables:
    """The partner of each entry in a flipped picture.

    Attributes:
        points: (p,) int64, order of the mirrored points.
        coordinates: (c,) int64.
        signs: (c,) float64 of 1 and -1.
        bodies: (b,) int64.
    """

    points: NDArray[np.int64]
    coordinates: NDArray[np.int64]
    signs: NDArray[np.float64]
    bodies: NDArray[np.int64]


def read_mirror_tables(shard: ShardFile, *, n_markers: int) -> MirrorTables:
    """Return the mirror tables for the names that a shard carries, the first `n_markers` markers."""
    names = read_label_names(shard)
    groups = [names.opensim_joints, names.joints, names.markers[:n_markers]]
    starts = np.cumsum([0] + [len(group) for group in groups[:-1]])
    signs = read_mirror_signs()
    return MirrorTables(
        points=np.concatenate([start + mirror_order(group) for start, group in zip(starts, groups, strict=True)]),
        coordinates=mirror_order(names.coordinates),
        signs=np.array([signs[name] for name in names.coordinates], dtype=np.float64),
        bodies=mirror_order(names.bodies),
    )


@dataclass(frozen=True)
class LabelContext:
    """Data that the labels of all rows of a shard share; small enough to stay in memory.

    Attributes:
        points_valid: (n, p) bool: joint centres, SMPL joints, markers of the network.
        coordinates_valid: (n, c) bool; false in rows that were not solved.
        n_markers: markers of the network; the others come after them.
        scales: scales of the subject's bodies, float32.
        with_std: whether posterior standard deviations are read, too.
    """

    points_valid: NDArray[np.bool_]
    coordinates_valid: NDArray[np.bool_]
    n_markers: int
    scales: BodyScales
    with_std: bool


def read_label_context(shard: ShardFile, *, n_markers: int, with_std: bool) -> LabelContext:
    """Read the shared data of all rows, for the first `n_markers` markers."""
    solved, centres, joints, markers, coordinates = (
        read_attribute(shard, f"labels.{name}.valid")
        for name in ("root", "joint_centres", "joints", "markers", "coordinates")
    )
    scales = read_body_scales(shard)
    return LabelContext(
        points_valid=np.concatenate([centres, joints, markers[:, :n_markers]], axis=1),
        # A row that was not solved has no valid coordinate, whatever its landmarks say.
        coordinates_valid=coordinates & solved[:, None],
        n_markers=n_markers,
        scales=BodyScales(scales.factors.astype(np.float32), scales.valid),
        with_std=with_std,
    )


class RowBlock:
    """Labels of neighbouring rows of a shard, each field read once for all of them at its first use."""

    def __init__(self, shard: ShardFile, first: int, end: int) -> None:
        """Read nothing yet; rows from `first` to before `end`."""
        self._shard, self._rows = shard, slice(first, end)
        self._fields: dict[str, NDArray[Any]] = {}

    def read(self, field: str, row: int) -> NDArray[Any]:
        """Return one row of a field."""
        if field not in self._fields:
            self._fields[field] = self._shard.read(field, self._rows)
        return np.asarray(self._fields[field][row - self._rows.start])


def read_labels(
    shard: ShardFile | RowBlock, row: int, *, context: LabelContext, virtual: VirtualCamera, simulated: bool
) -> Labels:
    """Read one row's labels and turn them into a virtual camera's frame.

    Args:
        shard: the shard.
        row: the row.
        context: the shared data of all rows.
        virtual: the camera.
        simulated: whether SMPL joints and markers are the fitted model's instead of the body's own.
    """
    # From the world, not from the stored camera: the virtual camera is turned away from that.
    point = "model_world_m" if simulated else "world_m"
    centres, joints, markers = (
        _read_row(shard, name, row) for name in ("joint_centres.world_m", f"joints.{point}", f"markers.{point}")
    )
    # In float64, so that the change of frame adds no rounding of its own.
    points = virtual.to_camera(np.concatenate([centres, joints, markers[: context.n_markers]]).astype(np.float64))
    pixels = virtual.to_pixels(points)
    with np.errstate(invalid="ignore"):
        in_view = ((pixels >= -0.5) & (pixels < virtual.size_px - 0.5)).all(axis=-1)
    return Labels(
        points_m=points.astype(np.float32),
        points_px=np.nan_to_num(pixels).astype(np.float32),
        points_valid=context.points_valid[row] & in_view,
        coordinates_rad=_read_row(shard, "coordinates.angles_rad", row),
        coordinates_valid=context.coordinates_valid[row],
        coordinates_std_rad=_read_row(shard, "coordinates.std_rad", row) if context.with_std else None,
        body_scales=context.scales.factors,
        body_scales_valid=context.scales.valid,
        root_pose=_root_pose(shard, row, virtual),
    )


def _root_pose(shard: ShardFile | RowBlock, row: int, virtual: VirtualCamera) -> NDArray[np.float32]:
    rotation = virtual.world_to_camera_rotation @ _read_row(shard, "root.rotation_world", row)
    position = virtual.to_camera(_read_row(shard, "root.position_world_m", row).astype(np.float64))
    return np.concatenate([rotation, position[:, None]], axis=1).astype(np.float32)


def _read_row(shard: ShardFile | RowBlock, attribute: str, row: int) -> NDArray[np.float32]:
    # Read straight: this is the inner loop of training.
    return shard.read(DATASETS[f"labels.{attribute}"], row)


def mirror_labels(labels: Labels, tables: MirrorTables, *, size_px: int) -> Labels:
    """Return the labels of the flipped picture."""
    pixels = labels.points_px[tables.points]
    # Pixel centres are at integers: the last column, size - 1, becomes column 0.
    pixels = np.stack([size_px - 1 - pixels[:, 0], pixels[:, 1]], axis=-1)
    rotation = mirror_rotations(labels.root_pose[:, :3].astype(np.float64))
    position = labels.root_pose[:, 3] * CAMERA_REFLECTION
    coordinates = mirror_coordinates(labels.coordinates_rad.astype(np.float64), tables.coordinates, tables.signs)
    return replace(
        labels,
        points_m=mirror_positions(labels.points_m.astype(np.float64), tables.points).astype(np.float32),
        points_px=pixels.astype(np.float32),
        points_valid=labels.points_valid[tables.points],
        coordinates_rad=coordinates.astype(np.float32),
        coordinates_valid=labels.coordinates_valid[tables.coordinates],
        coordinates_std_rad=None
        if labels.coordinates_std_rad is None
        else labels.coordinates_std_rad[tables.coordinates],
        body_scales=labels.body_scales[tables.bodies],
        body_scales_valid=labels.body_scales_valid[tables.bodies],
        root_pose=np.concatenate([rotation, position[:, None]], axis=1).astype(np.float32),
    )
