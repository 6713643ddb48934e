"""A native shard of a made-up subject: points in front of a distorting camera, each drawn as a disc of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from movi_prep.formats.described_hdf5 import STRING
from movi_prep.formats.label_tables import read_label_tables
from movi_prep.formats.shard import PICTURES, open_shard_writer
from movi_prep.formats.shard_records import camera_datasets
from movi_prep.formats.shard_schema import SHARD_SCHEMA, STATISTICS
from movi_prep.geometry.frames import AMASS_TO_GROUND, ground_to_amass
from movi_prep.geometry.projection import crop_intrinsics, project_points, rotation_to_camera, world_to_camera
from movi_prep.records.bmlmovi_names import movi_subject
from movi_prep.records.camera import Camera
from movi_prep.records.kinematic_tree import KinematicTree
from movi_prep.records.lens import radial_lens
from tests.builders.kinematic_tree import random_rotation, random_tree, smooth_motion

SIZE_PX = (400, 300)
BOX_SIDE_PX = 160
CLIPS = ((1, 6), (3, 4))
"""Number and rows of each clip."""

DISC_JOINT = 0
"""The SMPL joint that is drawn, a red disc on grey."""


UNSEEN = 4
"""Coordinate that no marker sees, where a shard has deviations."""


def small_camera(name: str = "PG1") -> Camera:
    """Return a camera three metres from the origin, looking along the world's x axis from one metre up."""
    rotation = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    return Camera(
        name=name,
        intrinsics_px=np.array([[420.0, 0.0, 201.0], [0.0, 418.0, 148.0], [0.0, 0.0, 1.0]]),
        lens=radial_lens(-0.25, 0.1),
        world_to_camera_rotation=rotation,
        world_to_camera_translation_m=-rotation @ np.array([-3.0, 0.0, 1.0]),
        size_px=SIZE_PX,
        source="test",
    )


def moving_camera(frames: np.ndarray) -> Camera:
    """Return that camera carried along the world's y axis, 2 cm a frame, turning by half a degree a frame."""
    camera, steps = small_camera(), frames - frames[0]
    turns = Rotation.from_euler("y", 0.5 * steps[:, None], degrees=True).as_matrix()
    rotations = turns @ camera.world_to_camera_rotation
    centres = np.array([-3.0, 0.0, 1.0]) + 0.02 * steps[:, None] * np.array([0.0, 1.0, 0.0])
    return replace(
        camera,
        world_to_camera_rotation=rotations,
        world_to_camera_translation_m=-np.einsum("nij,nj->ni", rotations, centres),
        pose_frames=frames,
    )


def showing_frames(frames: Sequence[int], *, counted_from: int = 0) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Return the `changes` of a shard whose ten rows show these frames of their clips, four mocap samples apart.

    A camera that counts its frames from another one shows the same moments under other numbers.
    """
    shown = np.array(frames)
    return {
        "frames/clip_frame": lambda _: shown - counted_from,
        "frames/mocap_sample": lambda _: 4 * shown,
    }


def write_small_shard(
    path: Path,
    *,
    subject: int = 1,
    camera: Camera | None = None,
    split: str = "train",
    scale: float = 1.0,
    left_out: tuple[tuple[int, str], ...] = (),
    std_rad: float | None = None,
    tree: bool = False,
    audit: str = "sound",
    subject_name: str | None = None,
    changes: Mapping[str, Callable[[np.ndarray], np.ndarray]] | None = None,
) -> dict[str, np.ndarray]:
    """Write a shard of ten rows in two clips; return its fields.

    Args:
        path: the file.
        subject: number of the subject.
        camera: the camera, `small_camera()` if none is given.
        split: part of the data.
        scale: picture pixels per video pixel.
        left_out: clips without rows, and why.
        std_rad: posterior deviation of every coordinate but UNSEEN; None for a shard without any.
        audit: what the audit of scaling says.
        tree: whether the file has a kinematic tree, whose joint centres it then holds.
        subject_name: name of a subject that has no number.
        changes: field -> what a wrong writer makes of its values.
    """
    camera = camera or small_camera()
    rng = np.random.default_rng(subject)
    fields = _zeros(sum(n for _, n in CLIPS))
    _fill_frames(fields)
    _fill_labels(fields, camera, rng)
    if std_rad is not None:
        fields["labels/coordinates_std_rad"] = np.full_like(fields["labels/coordinates_rad"], std_rad)
        fields["labels/coordinates_std_rad"][:, UNSEEN] = np.inf
        if tree:
            _fill_deviations(fields, std_rad)
    if tree:
        _fill_tree(fields, camera)
    corner = _fill_crops(fields, camera, scale)
    fields["subject/audit"], fields["subject/audit_findings"] = [audit], []
    for name, change in (changes or {}).items():
        # An optional field that the builder leaves out is 0 before the change.
        fields[name] = change(np.asarray(fields.get(name, 0)))
    with open_shard_writer(path) as writer:
        for row in range(len(corner)):
            writer.append_picture(_picture(fields, camera, corner[row], scale, row))
        writer.finish(
            picture_of_row=np.arange(len(corner)),
            fields=fields,
            attributes={
                **_attributes(subject, camera, split),
                **({} if subject_name is None else {"subject": 0, "subject_name": subject_name}),
                "left_out": json.dumps(left_out),
            },
            provenance={"made": "for a test"},
        )
    return fields


def _zeros(n_rows: int) -> dict[str, Any]:
    tables = read_label_tables()
    axes = {"row": n_rows, "clip": len(CLIPS), "statistic": len(STATISTICS)}
    names = {
        "names/joints": tables.joints,
        "names/markers": tables.markers,
        "names/opensim_joints": tables.opensim_joints,
        "names/coordinates": tables.coordinates,
        "names/bodies": tables.bodies,
        "names/statistics": STATISTICS,
        "clips/name": [f"C{number:02d}" for number, _ in CLIPS],
        "clips/motion": [f"motion {number}" for number, _ in CLIPS],
        "clips/other_camera": ["PG2" for _ in CLIPS],
    }
    axes |= {"joint": len(tables.joints), "marker": len(tables.markers), "coordinate": len(tables.coordinates)}
    axes |= {"opensim_joint": len(tables.opensim_joints), "body": len(tables.bodies), "lens_coefficient": 14}
    ours = {PICTURES, "crops/offset", "crops/length"}
    wanted = [item for item in SHARD_SCHEMA.fields if not item.optional and item.name not in ours]
    surface = [item for item in SHARD_SCHEMA.fields if item.name.startswith("labels/surface")]
    axes["surface_point"], wanted = len(tables.surface), [*wanted, *surface]
    return {
        "names/surface": tables.surface,
    } | {
        item.name: names[item.name]
        if item.dtype == STRING
        else np.zeros([dim if isinstance(dim, int) else axes[dim] for dim in item.dims], dtype=item.dtype)
        for item in wanted
    }


def _fill_frames(fields: dict[str, Any]) -> None:
    counts = [n for _, n in CLIPS]
    fields["frames/clip"] = np.repeat([number for number, _ in CLIPS], counts)
    fields["frames/clip_frame"] = np.concatenate([np.arange(n) for n in counts])
    fields["frames/video_frame"] = np.arange(sum(counts)) + 7
    fields["frames/mocap_sample"] = 4 * fields["frames/clip_frame"]
    fields["frames/used"] = fields["frames/clip_frame"] % 2 == 0
    fields["clips/number"] = [number for number, _ in CLIPS]
    fields["clips/n_rows"] = counts
    fields["clips/first_row"] = np.cumsum(counts) - counts


def _fill_labels(fields: dict[str, Any], camera: Camera, rng: np.random.Generator) -> None:
    for kind, draws in (("joints", rng), ("markers", rng), ("surface", rng.spawn(1)[0]), ("opensim_joints", rng)):
        shape = fields[f"labels/{kind}_world_m"].shape
        world = draws.uniform([-0.2, -0.25, 0.75], [0.2, 0.25, 1.25], shape)
        fields[f"labels/{kind}_world_m"] = world
        fields[f"labels/{kind}_camera_m"] = world_to_camera(camera, world)
        if kind != "opensim_joints":
            fields[f"labels/{kind}_px"] = project_points(camera, world)
            fields[f"labels/{kind}_in_image"][:] = True
        if kind in ("joints", "markers"):
            fields[f"labels/model_{kind}_world_m"] = world + 0.001
            fields[f"labels/{kind}_valid"][:] = True
    n = len(fields["labels/pose_valid"])
    rotations = Rotation.random(n, random_state=1).as_matrix()
    for name in ("pelvis", "root"):
        fields[f"labels/{name}_rotation_world"] = rotations
    fields["labels/pelvis_rotation_camera"] = rotation_to_camera(camera, rotations)
    fields["labels/root_position_world_m"] = fields["labels/joints_world_m"][:, 0]
    fields["labels/pelvis_position_world_m"] = fields["labels/joints_world_m"][:, 1]
    fields["labels/pelvis_position_camera_m"] = fields["labels/joints_camera_m"][:, 1]
    fields["labels/coordinates_rad"] = rng.uniform(-0.5, 0.5, fields["labels/coordinates_rad"].shape)
    fields["labels/coordinates_valid"][:] = True
    fields["labels/pose_valid"][:] = True
    fields["labels/pose_valid"][-1] = False
    fields["labels/opensim_joints_valid"] = np.repeat(fields["labels/pose_valid"][:, None], 50, axis=1)
    fields["subject/body_scales_valid"][:] = True
    fields["subject/body_scales"] = rng.uniform(0.9, 1.1, fields["subject/body_scales"].shape)
    fields |= camera_datasets(camera)


def _fill_deviations(fields: dict[str, Any], std_rad: float) -> None:
    """Every free coordinate is as far off as said, in three modes of its own signs."""
    tree, rng = labelled_tree(), np.random.default_rng(4)
    free = np.flatnonzero(tree.free_coordinates)
    n = len(fields["labels/pose_valid"])
    fields["subject/free_coordinates"] = [tree.coordinate_names[index] for index in free]
    fields["subject/deviation_correlation_s"] = [0.2, 0.2, np.inf]
    fields["labels/free_coordinates"] = rng.normal(0, 0.2, (n, len(free)))
    signs = rng.choice([-1.0, 1.0], (len(free), 3))
    fields["labels/deviation_factor"] = np.tile(std_rad / np.sqrt(3.0) * signs, (n, 1, 1))


def labelled_tree() -> KinematicTree:
    """Return a random tree that hangs from a pelvis turned in its joint, named as labels are."""
    tables, tree, rng = read_label_tables(), random_tree(3), np.random.default_rng(3)
    turned = np.array([random_rotation(rng), *tree.child_rotation[1:]])
    moved = np.array([rng.normal(0, 0.1, 3), *tree.child_position_m[1:]])
    return replace(
        tree,
        body_names=("pelvis", *tree.body_names[1:]),
        joint_names=tables.opensim_joints[: tree.n_bodies],
        coordinate_names=(*tree.coordinate_names[:6], *tables.coordinates[: tree.n_coordinates - 6]),
        child_rotation=turned,
        child_position_m=moved,
    )


def _fill_tree(fields: dict[str, Any], camera: Camera) -> None:
    """Pose the tree in ground by all its coordinates; its labels are what it says, seen from the world."""
    tree = labelled_tree()
    n = len(fields["labels/pose_valid"])
    coordinates = smooth_motion(tree, 1, n_frames=n, size=0.3)
    coordinates[:, 1] += 1.0  # ground's y is up: the camera looks from one metre up
    rotations, centres = tree.joint_frames(coordinates)
    body_rotations, body_positions = tree.bodies_at(rotations, centres)
    fields |= {f"tree/{name}": values for name, values in tree.to_arrays().items()}
    there = np.arange(50) < tree.n_bodies
    world = np.zeros((n, 50, 3))
    world[:, there] = ground_to_amass(centres)
    fields["labels/opensim_joints_world_m"] = world
    fields["labels/opensim_joints_camera_m"] = np.where(there[:, None], world_to_camera(camera, world), 0.0)
    fields["labels/opensim_joints_valid"] = fields["labels/pose_valid"][:, None] & there
    fields["labels/coordinates_rad"][:, : tree.n_coordinates - 6] = coordinates[:, 6:]
    to_world = AMASS_TO_GROUND.T
    fields["labels/root_rotation_world"] = to_world @ rotations[:, 0]
    fields["labels/root_position_world_m"] = world[:, 0]
    fields["labels/pelvis_rotation_world"] = to_world @ body_rotations[:, 0]
    fields["labels/pelvis_rotation_camera"] = rotation_to_camera(camera, to_world @ body_rotations[:, 0])
    fields["labels/pelvis_position_world_m"] = ground_to_amass(body_positions[:, 0])
    fields["labels/pelvis_position_camera_m"] = world_to_camera(camera, fields["labels/pelvis_position_world_m"])


def _fill_crops(fields: dict[str, Any], camera: Camera, scale: float) -> np.ndarray:
    """Centre a box on the drawn joint of each row; return the boxes' corners."""
    centres = project_points(camera, np.asarray(fields["labels/joints_world_m"])[:, DISC_JOINT])
    corner = np.round(centres).astype(np.int64) - BOX_SIDE_PX // 2 + np.array([9, -6])
    n = len(corner)
    boxes = np.concatenate([corner, np.full((n, 2), BOX_SIDE_PX)], axis=1)
    fields["crops/box_px"] = fields["crops/source_px"] = boxes
    fields["crops/size_px"] = np.full((n, 2), round(BOX_SIDE_PX * scale))
    fields["crops/valid_px"] = np.concatenate([np.zeros((n, 2)), fields["crops/size_px"]], axis=1)
    fields["crops/intrinsics_px"] = crop_intrinsics(camera.intrinsics_px, corner.astype(float), np.full(n, scale))
    return corner


def _picture(fields: dict[str, Any], camera: Camera, corner: np.ndarray, scale: float, row: int) -> np.ndarray:
    centre = project_points(camera.at(row), np.asarray(fields["labels/joints_world_m"])[row, DISC_JOINT])
    side = round(BOX_SIDE_PX * scale)
    steps = (np.arange(side) + 0.5) / scale - 0.5
    columns, rows = np.meshgrid(steps + corner[0], steps + corner[1])
    inside = np.hypot(columns - centre[0], rows - centre[1]) < 5.0
    image = np.full((side, side, 3), 120, dtype=np.uint8)
    image[inside] = (0, 0, 255)
    return np.asarray(cv2.imencode(".png", image)[1]).ravel()


def _attributes(subject: int, camera: Camera, split: str) -> dict[str, Any]:
    known = {
        "subject": subject,
        "subject_name": movi_subject(subject),
        "camera": camera.name,
        "lens_model": camera.lens.model,
        "split": split,
        "image_width_px": camera.size_px[0],
        "image_height_px": camera.size_px[1],
        "frame_rate_hz": 30.0,
        "image_format": "png",
    }
    return {name: known.get(name) for name in SHARD_SCHEMA.attributes}
