"""Labels of rows in virtual cameras, and their mirror image; the first axis is the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
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
    """Labels of n frames for a network, each in its virtual camera's frame (x right, y down, z forward).

    Attributes:
        points_m: (n, p, 3) float32, metres: the model's joint centres, SMPL joints, markers, in this order.
        points_px: (n, p, 2) float32, pixels of the virtual picture.
        points_valid: (n, p) bool.
        coordinates_rad: (n, c) float32.
        coordinates_valid: (n, c) bool.
        coordinates_std_rad: (n, c) float32, standard deviations; None where they are not requested.
        body_scales: (n, b, 3) float32, zero where the model has no such body.
        body_scales_valid: (n, b) bool.
        root_pose: (n, 3, 4) float32, rotation and position (m) of the moving frame of the ground-to-pelvis joint.
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
        with_std: whether standard deviations are read, too.
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


def read_labels(
    shard: ShardFile, rows: NDArray[np.int64], *, context: LabelContext, virtual: VirtualCamera, simulated: bool
) -> Labels:
    """Read the labels of rows and turn each into its virtual camera's frame.

    Args:
        shard: the shard.
        rows: (n,) the rows, in any order.
        context: the shared data of all rows.
        virtual: the n cameras.
        simulated: whether SMPL joints and markers are the fitted model's instead of the body's own.
    """
    # From the world, not from the stored camera: the virtual camera is turned away from that.
    point, read = "model_world_m" if simulated else "world_m", _row_reader(shard, rows)
    centres, joints, markers = (read(name) for name in ("joint_centres.world_m", f"joints.{point}", f"markers.{point}"))
    # In float64, so that the change of frame adds no rounding of its own.
    points = virtual.to_camera(
        np.concatenate([centres, joints, markers[:, : context.n_markers]], axis=1, dtype=np.float64)
    )
    pixels = virtual.to_pixels(points)
    with np.errstate(invalid="ignore"):
        in_view = ((pixels >= -0.5) & (pixels < virtual.size_px - 0.5)).all(axis=-1)
    return Labels(
        points_m=points.astype(np.float32),
        points_px=np.nan_to_num(pixels).astype(np.float32),
        points_valid=context.points_valid[rows] & in_view,
        coordinates_rad=read("coordinates.angles_rad"),
        coordinates_valid=context.coordinates_valid[rows],
        coordinates_std_rad=read("coordinates.std_rad") if context.with_std else None,
        body_scales=context.scales.factors[None].repeat(len(rows), axis=0),
        body_scales_valid=context.scales.valid[None].repeat(len(rows), axis=0),
        root_pose=_root_pose(read, virtual),
    )


def _root_pose(read: Callable[[str], NDArray[np.float32]], virtual: VirtualCamera) -> NDArray[np.float32]:
    rotation = virtual.world_to_camera_rotation @ read("root.rotation_world")
    position = virtual.to_camera(read("root.position_world_m")[:, None].astype(np.float64))
    return np.concatenate([rotation, np.swapaxes(position, 1, 2)], axis=2).astype(np.float32)


def _row_reader(shard: ShardFile, rows: NDArray[np.int64]) -> Callable[[str], NDArray[np.float32]]:
    """Return a function that reads (n, ...) rows of a field: neighbours in one read, others one by one."""
    first, last, singly = int(rows.min()), int(rows.max()), rows.tolist()
    # A read costs as much as the values of dozens of rows: what lies between two wanted rows is read along.
    along = last - first < _READ_ALONG * len(singly)

    def read(attribute: str) -> NDArray[np.float32]:
        field = DATASETS[f"labels.{attribute}"]
        if along:
            return np.asarray(shard.read(field, slice(first, last + 1))[rows - first])
        return np.stack([shard.read(field, row) for row in singly])

    return read


_READ_ALONG = 8
"""Rows per wanted one up to which a stretch of rows is read as a whole."""


def mirror_labels(labels: Labels, tables: MirrorTables, *, size_px: int) -> Labels:
    """Return the labels of the flipped picture."""
    pixels = labels.points_px[:, tables.points]
    # Pixel centres are at integers: the last column, size - 1, becomes column 0.
    pixels = np.stack([size_px - 1 - pixels[..., 0], pixels[..., 1]], axis=-1)
    rotation = mirror_rotations(labels.root_pose[..., :3].astype(np.float64))
    position = labels.root_pose[..., 3] * CAMERA_REFLECTION
    coordinates = mirror_coordinates(labels.coordinates_rad.astype(np.float64), tables.coordinates, tables.signs)
    std = labels.coordinates_std_rad
    return Labels(
        points_m=mirror_positions(labels.points_m.astype(np.float64), tables.points).astype(np.float32),
        points_px=pixels.astype(np.float32),
        points_valid=labels.points_valid[:, tables.points],
        coordinates_rad=coordinates.astype(np.float32),
        coordinates_valid=labels.coordinates_valid[:, tables.coordinates],
        coordinates_std_rad=None if std is None else std[:, tables.coordinates],
        body_scales=labels.body_scales[:, tables.bodies],
        body_scales_valid=labels.body_scales_valid[:, tables.bodies],
        root_pose=np.concatenate([rotation, position[..., None]], axis=-1).astype(np.float32),
    )


def mirror_some(labels: Labels, flipped: NDArray[np.bool_], tables: MirrorTables, *, size_px: int) -> Labels:
    """Return the labels of n pictures of which some are flipped, (n,) bool."""
    if not flipped.any():
        return labels
    mirrored = mirror_labels(labels, tables, size_px=size_px)

    def chosen(name: str) -> Any:
        here, there = getattr(labels, name), getattr(mirrored, name)
        return None if here is None else np.where(flipped.reshape(-1, *[1] * (here.ndim - 1)), there, here)

    return Labels(**{item.name: chosen(item.name) for item in fields(Labels)})
