"""Conversion between datasets of a shard and records, by the one table `shard_schema.DATASETS`.

Shards before version 3 have no masks for joint centres and body scales: a centre that the model lacks was zero in
every row, a scale NaN, and the masks are made from that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import InputError
from movi_prep.formats.described_hdf5 import STRING
from movi_prep.formats.shard_schema import DATASETS, MOVING_POSE, SHARD_SCHEMA
from movi_prep.geometry.projection import crop_intrinsics
from movi_prep.records.bmlmovi_names import movi_clip, movi_subject
from movi_prep.records.camera import Camera
from movi_prep.records.frame_labels import (
    BodyPoints,
    BodyScales,
    FrameLabels,
    FrameNumbers,
    JointAngles,
    JointCentres,
    RootPoses,
    SurfacePoints,
)
from movi_prep.records.identity import ClipId
from movi_prep.records.label_tables import LabelNames
from movi_prep.records.lens import radial_lens, read_lens
from movi_prep.records.pose_deviation import PoseDeviation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.formats.shard import ShardFile
    from movi_prep.records.crops import CropPlan
    from movi_prep.records.lens import Lens

_FIELDS = {item.name: item for item in SHARD_SCHEMA.fields}

ALL_ROWS = slice(None)

UNKNOWN_AUDIT = "unknown"
"""The audit of a shard that does not state one."""


def record_datasets(prefix: str, record: object) -> dict[str, Any]:
    """Return dataset -> value of one record; values of None are left out.

    Args:
        prefix: "frames", "labels", "names" or "camera".
        record: FrameNumbers, FrameLabels, LabelNames or Camera.
    """
    values = {
        dataset: _value(record, attribute.removeprefix(f"{prefix}."))
        for attribute, dataset in DATASETS.items()
        if attribute.startswith(f"{prefix}.")
    }
    return {dataset: value for dataset, value in values.items() if value is not None}


def _value(record: object, attribute: str) -> Any:
    """Return the value of a record at a path such as `joints.world_m`; None where a part of the path is None."""
    for name in attribute.split("."):
        record = None if record is None else getattr(record, name)
    return record


def read_attribute(shard: ShardFile, attribute: str, rows: Any = ALL_ROWS) -> Any:
    """Return the value of an attribute such as `labels.joints.world_m` from a shard, of some rows; names as a tuple.

    In files older than a mask, the mask follows from the values; None for optional data that a shard lacks.
    """
    dataset = DATASETS[attribute]
    item = _FIELDS[dataset]
    if dataset not in shard and (item.optional or item.since > shard.version):
        return _before_version_3(shard, attribute, rows)
    if item.dtype == STRING:
        return shard.names(dataset)
    # Data without rows belong to the subject, and are the same for all rows.
    return shard.read(dataset, rows if item.dims[0] == "row" else ())


def _before_version_3(shard: ShardFile, attribute: str, rows: Any) -> NDArray[np.bool_] | None:
    if attribute == "labels.joint_centres.valid":
        # No centre of a solved frame lies at the very origin of the world in all rows.
        there = shard.read(DATASETS["labels.joint_centres.world_m"]).any(axis=(0, 2))
        solved = shard.read(DATASETS["labels.root.valid"], rows)
        return np.asarray(solved[..., None] & there, dtype=np.bool_)
    if attribute == "labels.scales.valid":
        return np.asarray(np.isfinite(shard.read(DATASETS["labels.scales.factors"])).all(axis=1))
    return None


def read_audit(shard: ShardFile) -> str:
    """Return the subject's grade in the audit of scaling: sound, doubtful or refused; unknown before version 4."""
    name = "subject/audit"
    return shard.names(name)[0] if name in shard else UNKNOWN_AUDIT


def read_deviation(
    shard: ShardFile, rows: slice | NDArray[Any] = ALL_ROWS
) -> tuple[PoseDeviation, NDArray[np.float64]] | None:
    """Return how far the coordinates of rows may be off, and (n, c) all coordinates of the tree there, rad and m.

    With both, `records.pose_deviation.rotation_covariance` says it of any bone or joint. None where the shard has no
    deviations or no tree. Rows without a pose count as not off at all: look at `labels/pose_valid`.
    """
    factor, free = (read_attribute(shard, f"labels.coordinates.{name}", rows) for name in ("deviation_factor", "free"))
    tree = shard.tree()
    if factor is None or tree is None:
        return None
    # Locked and coupled coordinates are not stored: they follow from the defaults and from their leaders.
    values = np.tile(tree.coordinate_default, (len(free), 1))
    column = {name: number for number, name in enumerate(shard.names("subject/free_coordinates"))}
    # The shard's order of free coordinates is that of the solver, which need not be the tree's.
    order = [column[tree.coordinate_names[index]] for index in np.flatnonzero(tree.free_coordinates).tolist()]
    values[:, tree.free_coordinates] = free[:, order]
    deviation = PoseDeviation(factor[:, order], shard.read("subject/deviation_correlation_s"))
    return deviation, tree.complete_coordinates(values)


def read_frame_numbers(shard: ShardFile) -> FrameNumbers:
    """Return the frame numbers of a shard's rows."""
    return FrameNumbers(**_parts(shard, "frames"))


def read_moments(shard: ShardFile) -> NDArray[np.float64]:
    """Return (n,) float64: the time of the clip that each row shows, in mocap samples.

    Frames of one clip count from where each camera's video begins; only moments can be compared between cameras.
    """
    after = read_attribute(shard, "frames.after_sample")
    # 0.0: also where frames fall on samples, moments are floating-point numbers.
    return np.asarray(read_attribute(shard, "frames.mocap_sample") + (0.0 if after is None else after))


def read_frame_labels(shard: ShardFile, rows: slice | NDArray[Any] = ALL_ROWS) -> FrameLabels:
    """Return the labels of a shard, or of some of its rows."""
    surface = _parts(shard, "labels.surface", rows)
    return FrameLabels(
        joints=BodyPoints(**_parts(shard, "labels.joints", rows)),
        markers=BodyPoints(**_parts(shard, "labels.markers", rows)),
        surface=None if surface["world_m"] is None else SurfacePoints(**surface),
        joint_centres=JointCentres(**_parts(shard, "labels.joint_centres", rows)),
        coordinates=JointAngles(**_parts(shard, "labels.coordinates", rows)),
        root=RootPoses(**_parts(shard, "labels.root", rows)),
        scales=read_body_scales(shard),
        ik_status=read_attribute(shard, "labels.ik_status", rows),
    )


def read_body_scales(shard: ShardFile) -> BodyScales:
    """Return the subject's scales; zero where the model has no such body."""
    scales = BodyScales(**_parts(shard, "labels.scales"))
    # Shards before version 3 hold NaN there, later ones zero.
    return BodyScales(np.where(scales.valid[:, None], scales.factors, 0.0), scales.valid)


def read_label_names(shard: ShardFile) -> LabelNames:
    """Return the names of a shard's labels."""
    names = _parts(shard, "names")
    # Shards before version 4 have no surface points.
    return LabelNames(**{**names, "surface": names["surface"] or ()})


def read_subject_name(shard: ShardFile) -> str:
    """Return the name of a shard's subject; before version 3 subjects were numbers."""
    name = shard.attribute("subject_name")
    return movi_subject(int(shard.attribute("subject"))) if name is None else str(name)


def read_clip_ids(shard: ShardFile) -> dict[int, ClipId]:
    """Return the clips of a shard by their numbers in `frames/clip`."""
    numbers, subject = shard.read("clips/number").tolist(), read_subject_name(shard)
    if "clips/name" not in shard:
        return {number: movi_clip(int(shard.attribute("subject")), number) for number in numbers}
    try:
        return {number: ClipId(subject, name) for number, name in zip(numbers, shard.names("clips/name"), strict=True)}
    except ValueError as error:
        raise InputError(
            shard.path, expected="names of clips", got=f"others ({error})", remedy="make the shard again"
        ) from error


def read_left_out(shard: ShardFile) -> tuple[tuple[ClipId, str], ...]:
    """Return the clips of the subject that have no rows, and why."""
    subject = read_subject_name(shard)
    return tuple(
        (
            ClipId(subject, clip) if isinstance(clip, str) else movi_clip(int(shard.attribute("subject")), clip),
            str(reason),
        )
        for clip, reason in shard.attribute("left_out")
    )


def camera_datasets(camera: Camera) -> dict[str, Any]:
    """Return dataset -> value of the camera of a shard; one that moves has a pose for each row."""
    moved = {DATASETS[name]: dataset for name, dataset in MOVING_POSE.items()} if camera.is_moving else {}
    return {moved.get(dataset, dataset): value for dataset, value in record_datasets("camera", camera).items()}


def read_shard_camera(shard: ShardFile) -> Camera:
    """Return the camera of a shard, for the whole video image; the poses of one that moves are those of the rows.

    Raises:
        InputError: the shard does not say where the camera is.
    """
    is_moving = all(dataset in shard for dataset in MOVING_POSE.values())
    poses = [*MOVING_POSE.values()] if is_moving else [DATASETS[name] for name in MOVING_POSE]
    if not all(dataset in shard for dataset in poses):
        raise InputError(
            shard.path,
            expected=f"the pose of the camera, in {' and '.join(poses)}",
            got="none",
            remedy="run 'movi-prep shard' again",
        )
    return Camera(
        name=str(shard.attribute("camera")),
        intrinsics_px=shard.read(DATASETS["camera.intrinsics_px"]),
        lens=_read_lens(shard),
        world_to_camera_rotation=shard.read(poses[0]),
        world_to_camera_translation_m=shard.read(poses[1]),
        size_px=(int(shard.attribute("image_width_px")), int(shard.attribute("image_height_px"))),
        source=str(shard.path),
        pose_frames=np.arange(shard.n_rows) if is_moving else None,
    )


def _read_lens(shard: ShardFile) -> Lens:
    """Return the lens; before version 4 it had two radial terms."""
    dataset = DATASETS["camera.lens.coefficients"]
    if dataset not in shard:
        return radial_lens(*shard.read("camera/radial_distortion"))
    return read_lens(str(shard.attribute("lens_model")), shard.read(dataset), source=str(shard.path))


def _parts(shard: ShardFile, prefix: str, rows: Any = ALL_ROWS) -> dict[str, Any]:
    """Return the attributes directly below a prefix, by their last name."""
    named = {attribute.rpartition("."): attribute for attribute in DATASETS}
    return {last: read_attribute(shard, name, rows) for (head, _, last), name in named.items() if head == prefix}


def crop_datasets(plan: CropPlan, intrinsics_px: NDArray[np.float64]) -> dict[str, Any]:
    """Return data set -> values of the crops, and of the camera matrix that each stored picture has.

    Args:
        plan: the crops, one for each row.
        intrinsics_px: (3, 3) float64, pixels: camera matrix of the whole video image.
    """
    return {
        "crops/size_px": plan.picture_size_px,
        "crops/box_px": plan.box_px,
        "crops/source_px": plan.source_px,
        "crops/padding_px": plan.padding_px,
        "crops/valid_px": plan.valid_px,
        "crops/body_px": plan.body_px,
        "crops/intrinsics_px": crop_intrinsics(intrinsics_px, plan.corner_px.astype(np.float64), plan.scale),
    }
