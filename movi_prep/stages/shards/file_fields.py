"""Everything in a native shard except the pictures: the fields and attributes of `formats.shard_schema`."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.formats.convention_table import packaged_conventions
from movi_prep.formats.shard_records import camera_datasets, crop_datasets, record_datasets
from movi_prep.formats.shard_schema import STATISTICS
from movi_prep.geometry.label_statistics import masked_statistics
from movi_prep.records.bmlmovi_names import number_of
from movi_prep.records.convention import convention_of, which_hold
from movi_prep.records.crops import CropPlan
from movi_prep.records.frame_labels import FrameLabels, FrameNumbers
from movi_prep.records.marker_noise import effective_frames
from movi_prep.records.timeline import LeftOut
from movi_prep.stages.shards.clip_rows import ClipRows, frame_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from movi_prep.config.shard import ShardUnitSettings
    from movi_prep.osim.solution import ScaledModel
    from movi_prep.records.camera import Camera
    from movi_prep.records.label_tables import LabelTables
    from movi_prep.records.timeline import Refusal
    from movi_prep.stages.shards.picture_check import JudgedVideo
    from movi_prep.stages.shards.subject_clips import ShardSubject
    from movi_prep.video.crop_pass import CropPass


@dataclass(frozen=True)
class FinishedShard:
    """Content of a finished shard, and what it lacks.

    Attributes:
        clips: rows that have a picture.
        refused: frames that cannot have a row.
        lost: frames that the video does not show.
        left_out: clips without rows.
        judged: the verdict on the pictures.
    """

    clips: list[ClipRows]
    refused: list[Refusal]
    lost: list[Refusal]
    left_out: tuple[LeftOut, ...]
    judged: JudgedVideo


def shard_fields(
    shard: FinishedShard, subject: ShardSubject, crops: CropPass, settings: ShardUnitSettings
) -> dict[str, Any]:
    """Return every field of the schema except the pictures."""
    labels = FrameLabels.join([clip.labels for clip in shard.clips])
    numbered = zip(shard.clips, _clip_numbers(shard.clips), strict=True)
    frames = _join_frames([frame_numbers(clip, settings, clip=number) for clip, number in numbered])
    return {
        **record_datasets("labels", labels),
        **record_datasets("frames", frames),
        **_name_fields(subject.tables, labels),
        **camera_datasets(_camera_of_rows(shard.clips)),
        **crop_datasets(CropPlan.join([clip.plan for clip in shard.clips]), subject.camera.intrinsics_px),
        **_clip_fields(shard),
        **_picture_fields(shard, settings),
        **_statistics_fields(labels, crops.statistics.result()),
        **_convention_fields(subject.tables.coordinates, subject.model),
        "subject/audit": [str(subject.scale.audit)],
        "subject/audit_findings": list(subject.scale.findings),
        **_deviation_fields(shard.clips, subject.model, labels, rate_hz=settings.video_rate_hz),
        **_tree_fields(subject.model),
    }


def shard_attributes(shard: FinishedShard, subject: ShardSubject, settings: ShardUnitSettings) -> dict[str, Any]:
    """Return the attributes of the schema."""
    lossy = settings.image_format == "jpeg"
    name = subject.alignment.subject
    return {
        # 0 where the name holds no number; `subject_name` is there for those.
        "subject": number_of(name) or 0,
        "subject_name": name,
        "camera": subject.camera.name,
        "lens_model": subject.camera.lens.model,
        "sex": subject.trial.sex,
        "split": subject.tables.split_of(name),
        "height_m": subject.trial.height_m,
        "mass_kg": subject.trial.mass_kg,
        "image_width_px": subject.camera.size_px[0],
        "image_height_px": subject.camera.size_px[1],
        "frame_rate_hz": settings.video_rate_hz,
        "image_format": settings.image_format,
        "image_quality": settings.jpeg_quality if lossy else None,
        # The surroundings of the body never get a higher quality than the body itself.
        "context_quality": min(settings.context_quality, settings.jpeg_quality) if lossy else None,
        "crop_size_px": settings.crop_size_px,
        "box_margin": settings.box_margin,
        "used_frame_rule": settings.used_frame_rule,
        "used_frame_distance_m": settings.used_frame_distance_m,
        "refused": json.dumps(
            [[item.first_frame, item.last_frame, item.reason] for item in sorted([*shard.refused, *shard.lost])]
        ),
        "left_out": json.dumps([[item.clip.clip, item.reason] for item in shard.left_out]),
    }


def _clip_numbers(clips: Sequence[ClipRows]) -> list[int]:
    """Return a number for each clip: that in its name, or its index if the names do not give distinct numbers."""
    # Names of other data sets need not hold numbers, and two of them may hold the same.
    numbers = [number_of(clip.timeline.clip.clip) or 0 for clip in clips]
    return numbers if len({*numbers} - {0}) == len(clips) else [*range(1, len(clips) + 1)]


def _join_frames(parts: Sequence[FrameNumbers]) -> FrameNumbers:
    """Return the frames of all clips; where those of one lie between samples, all say how far."""
    if any(part.after_sample is not None for part in parts):
        parts = [
            replace(part, after_sample=np.zeros(len(part.clip))) if part.after_sample is None else part
            for part in parts
        ]
    return FrameNumbers.join(parts)


def _camera_of_rows(clips: Sequence[ClipRows]) -> Camera:
    """Return the camera; a moving one has a pose for each row of the file."""
    first = clips[0].camera
    if not first.is_moving:
        return first
    rotations = np.concatenate([clip.camera.world_to_camera_rotation for clip in clips])
    return replace(
        first,
        world_to_camera_rotation=rotations,
        world_to_camera_translation_m=np.concatenate([clip.camera.world_to_camera_translation_m for clip in clips]),
        # Rows of the file, no longer frames of the video: a reader asks by row.
        pose_frames=np.arange(len(rotations)),
    )


def _name_fields(tables: LabelTables, labels: FrameLabels) -> dict[str, Any]:
    names = record_datasets("names", tables)
    return names if labels.surface else {name: value for name, value in names.items() if name != "names/surface"}


def _clip_fields(shard: FinishedShard) -> dict[str, Any]:
    clips = shard.clips
    counts = np.array([clip.timeline.n_frames for clip in clips])
    measured = [clip.alignment for clip in clips]
    return {
        "clips/number": _clip_numbers(clips),
        "clips/name": [clip.timeline.clip.clip for clip in clips],
        "clips/motion": [clip.timeline.motion for clip in clips],
        # Rows of a clip stand together: its first row is the sum of the rows of the clips before.
        "clips/first_row": np.cumsum(counts) - counts,
        "clips/n_rows": counts,
        "clips/first_video_frame": [item.first_video_frame for item in measured],
        "clips/n_video_frames": [item.n_video_frames for item in measured],
        "clips/lag_s": [_or_nan(item.lag_s) for item in measured],
        "clips/rotation_deg": [_or_nan(item.rotation_deg) for item in measured],
        "clips/offset_m": [_or_nan(item.offset_m) for item in measured],
        "clips/suspect": [item.is_suspect or shard.judged.clips[item.timeline.clip].is_suspect for item in measured],
    }


def _picture_fields(shard: FinishedShard, settings: ShardUnitSettings) -> dict[str, Any]:
    judged = [shard.judged.clips[clip.timeline.clip] for clip in shard.clips]
    measured = [item.measured for item in judged]
    others = [item.best_other or ("", np.nan) for item in measured]
    lags_s = [_or_nan(item.lag_frames) / settings.video_rate_hz for item in measured]
    return {
        "clips/doubted": [bool(item.doubts) for item in judged],
        "clips/picture_agreement": [_or_nan(item.agreement) for item in measured],
        "clips/picture_lag_s": lags_s,
        "clips/picture_offset_px": [item.offset_px or (np.nan, np.nan) for item in measured],
        "clips/picture_on_body": [_or_nan(item.on_body) for item in measured],
        "clips/picture_by_chance": [_or_nan(item.by_chance) for item in measured],
        "clips/other_agreement": [agreement for _, agreement in others],
        "clips/other_camera": [name for name, _ in others],
    }


def _convention_fields(coordinates: Sequence[str], model: ScaledModel) -> dict[str, Any]:
    """Return what each coordinate means, as far as the subject's own model moves like that; nothing without a tree."""
    if model.tree is None:
        return {}
    conventions = packaged_conventions()
    known = {name: entry for name in coordinates if (entry := convention_of(conventions, name)) is not None}
    true = dict(zip(known, which_hold(model.tree, list(known.items())), strict=True))
    held = [known[name] if true.get(name) else None for name in coordinates]
    return {
        "conventions/positive": [entry.positive if entry else "" for entry in held],
        "conventions/zero": [entry.zero if entry else "" for entry in held],
        "conventions/isb": [entry.counterpart() if entry else "" for entry in held],
        "conventions/difference": [entry.difference if entry else "" for entry in held],
    }


def _deviation_fields(
    clips: Sequence[ClipRows], model: ScaledModel, labels: FrameLabels, *, rate_hz: float
) -> dict[str, Any]:
    """Return what the factors of deviations are about; nothing where a clip has none."""
    times_s = clips[0].correlation_s
    if labels.coordinates.deviation_factor is None or times_s is None:
        return {}
    names = [name for name, free in zip(model.coordinate_names, model.free_coordinates.tolist(), strict=True) if free]
    # Of finite times only: what lasts through a clip (infinite) makes no frame independent.
    skin_s = float(np.max(times_s[np.isfinite(times_s)], initial=0.0))
    counts = [int(clip.labels.root.valid.sum()) for clip in clips]
    return {
        "subject/free_coordinates": names,
        "subject/deviation_correlation_s": times_s,
        "clips/independent_frames": [effective_frames(count, rate_hz, skin_s) if count else 0.0 for count in counts],
    }


def _tree_fields(model: ScaledModel) -> dict[str, Any]:
    # A model without a tree cannot be written as arrays, so these fields are optional.
    arrays = {} if model.tree is None else model.tree.to_arrays()
    return {f"tree/{name}": values for name, values in arrays.items()}


def _statistics_fields(labels: FrameLabels, pixels: NDArray[np.float64]) -> dict[str, Any]:
    angles, joints = labels.coordinates, labels.joints
    # Valid for a whole joint, so x, y and z share a mask.
    everywhere = np.broadcast_to(joints.valid[..., None], joints.camera_m.shape)
    return {
        "statistics/coordinates_rad": masked_statistics(angles.angles_rad, angles.valid),
        "statistics/coordinates_n": angles.valid.sum(axis=0),
        "statistics/joints_camera_m": masked_statistics(joints.camera_m, everywhere),
        "statistics/image_bgr": pixels,
        "names/statistics": STATISTICS,
    }


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value
