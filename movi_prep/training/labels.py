"""Labels of one row in a virtual camera, and their mirror image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from movi_prep.formats.label_tables import read_mirror_signs
from movi_prep.formats.shard import ShardFile
from movi_prep.geometry.mirror import (
    CAMERA_REFLECTION,
    mirror_coordinates,
    mirror_order,
    mirror_positions,
    mirror_rotations,
)
from movi_prep.geometry.virtual_camera import VirtualCamera

STD = "labels/coordinates_std_rad"
"""Not in every shard: OpenSim's solver gives no posterior deviations."""


@dataclass(frozen=True)
class Labels:
    """What a network learns of one frame, in a virtual camera's frame (x right, y down, z forward).

    Attributes:
        points_m: (p, 3) float32, metres: the model's joint centres, SMPL joints, markers, in this order.
        points_px: (p, 2) float32, pixels of the virtual picture.
        points_valid: (p,) bool.
        coordinates_rad: (c,) float32.
        coordinates_valid: (c,) bool.
        coordinates_std_rad: (c,) float32, posterior standard deviations; None where they are not asked for.
        body_scales: (b, 3) float32.
        root_pose: (3, 4) float32, rotation and position (m) of the moving frame of the ground-to-pelvis joint.
    """

    points_m: NDArray[np.float32]
    points_px: NDArray[np.float32]
    points_valid: NDArray[np.bool_]
    coordinates_rad: NDArray[np.float32]
    coordinates_valid: NDArray[np.bool_]
    coordinates_std_rad: NDArray[np.float32] | None
    body_scales: NDArray[np.float32]
    root_pose: NDArray[np.float32]


@dataclass(frozen=True)
class MirrorTables:
    """Which entry becomes which in a flipped picture.

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
    groups = [
        shard.names("names/opensim_joints"),
        shard.names("names/joints"),
        shard.names("names/markers")[:n_markers],
    ]
    starts = np.cumsum([0] + [len(group) for group in groups[:-1]])
    coordinates = shard.names("names/coordinates")
    signs = read_mirror_signs()
    return MirrorTables(
        points=np.concatenate([start + mirror_order(group) for start, group in zip(starts, groups, strict=True)]),
        coordinates=mirror_order(coordinates),
        signs=np.array([signs[name] for name in coordinates], dtype=np.float64),
        bodies=mirror_order(shard.names("names/bodies")),
    )


@dataclass(frozen=True)
class LabelContext:
    """What the labels of all rows of a shard share; small enough to stay in memory.

    Attributes:
        joints_valid: (n, 22) bool.
        markers_valid: (n, m) bool, markers of the network.
        coordinates_valid: (n, c) bool; false in rows that were not solved.
        pose_valid: (n,) bool.
        body_scales: (b, 3) float32.
        with_std: whether posterior standard deviations are read, too.
    """

    joints_valid: NDArray[np.bool_]
    markers_valid: NDArray[np.bool_]
    coordinates_valid: NDArray[np.bool_]
    pose_valid: NDArray[np.bool_]
    body_scales: NDArray[np.float32]
    with_std: bool


def read_label_context(shard: ShardFile, *, n_markers: int, with_std: bool) -> LabelContext:
    """Read what all rows share, for the first `n_markers` markers."""
    solved = shard.read("labels/pose_valid")
    return LabelContext(
        joints_valid=shard.read("labels/joints_valid"),
        markers_valid=shard.read("labels/markers_valid")[:, :n_markers],
        coordinates_valid=shard.read("labels/coordinates_valid") & solved[:, None],
        pose_valid=solved,
        body_scales=shard.read("subject/body_scales").astype(np.float32),
        with_std=with_std,
    )


def read_labels(
    shard: ShardFile, row: int, *, context: LabelContext, virtual: VirtualCamera, simulated: bool
) -> Labels:
    """Read one row's labels and turn them into a virtual camera's frame.

    Args:
        shard: the shard.
        row: the row.
        context: what all rows share.
        virtual: the camera.
        simulated: whether SMPL joints and markers are the fitted model's instead of the body's own.
    """
    kind = "model_" if simulated else ""
    own_valid = np.concatenate([context.joints_valid[row], context.markers_valid[row]])
    # From the world, not from the stored camera: the virtual camera is turned away from that.
    opensim = shard.read("labels/opensim_joints_world_m", row)
    joints = shard.read(f"labels/{kind}joints_world_m", row)
    markers = shard.read(f"labels/{kind}markers_world_m", row)[: context.markers_valid.shape[1]]
    points = virtual.to_camera(np.concatenate([opensim, joints, markers]).astype(np.float64))
    pixels = virtual.to_pixels(points)
    with np.errstate(invalid="ignore"):
        in_view = ((pixels >= -0.5) & (pixels < virtual.size_px - 0.5)).all(axis=-1)
    valid = np.concatenate([np.full(len(opensim), context.pose_valid[row]), own_valid])
    return Labels(
        points_m=points.astype(np.float32),
        points_px=np.nan_to_num(pixels).astype(np.float32),
        points_valid=valid & in_view,
        coordinates_rad=shard.read("labels/coordinates_rad", row),
        coordinates_valid=context.coordinates_valid[row],
        coordinates_std_rad=shard.read(STD, row) if context.with_std else None,
        body_scales=context.body_scales,
        root_pose=_root_pose(shard, row, virtual),
    )


def _root_pose(shard: ShardFile, row: int, virtual: VirtualCamera) -> NDArray[np.float32]:
    rotation = virtual.world_to_camera_rotation @ shard.read("labels/root_rotation_world", row)
    position = virtual.to_camera(shard.read("labels/root_position_world_m", row).astype(np.float64))
    return np.concatenate([rotation, position[:, None]], axis=1).astype(np.float32)


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
        root_pose=np.concatenate([rotation, position[:, None]], axis=1).astype(np.float32),
    )
