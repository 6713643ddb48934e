"""The shard stage: what one camera saw of one subject, with labels, in one file.

| unit | reads | writes |
|---|---|---|
| `shard S001/PG1` | alignment, video, all calibration, motion, markers, IK, body model, scaling | `S001_PG1.h5` |

Rows are video frames that have a mocap sample, an IK row, a body in the image and an intact picture; every other
frame within the flags is refused by number, in the report and in the file. Positions are metres in AMASS world and
in the camera frame, angles radians, pixels those of the video image. The layout is `formats.shard_schema`.

The one pass over the video also measures how well its pictures agree with the projected body (`stages.picture_check`);
a clip whose pictures are suspect is left out, for which the pass is made once more.

Whatever is missing for one clip costs that clip alone.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.alignment_file import read_alignment
from movi_prep.formats.amass import open_motion
from movi_prep.formats.calibration import read_camera
from movi_prep.formats.ik_file import read_ik_solution
from movi_prep.formats.label_tables import default_label_tables_path, read_label_tables
from movi_prep.formats.marker_file import read_markers, read_static_trial
from movi_prep.formats.scale_file import read_scale_result
from movi_prep.formats.shard import open_shard_writer
from movi_prep.formats.shard_schema import STATISTICS
from movi_prep.geometry.label_statistics import masked_statistics
from movi_prep.geometry.projection import crop_intrinsics
from movi_prep.geometry.surface_samples import spread_vertices
from movi_prep.records.crops import CropPlan
from movi_prep.records.identity import ClipId, subject_key
from movi_prep.records.ik_solution import FrameStatus
from movi_prep.records.timeline import LeftOut
from movi_prep.records.unit import Stage, StageReport, Unit
from movi_prep.stages.ik import read_scaled_model
from movi_prep.stages.markers import model_for
from movi_prep.stages.order import idle_cameras
from movi_prep.stages.picture_check import judge_pictures, watch_clips
from movi_prep.stages.shard_rows import ClipRows, ClipSources, frame_fields, plan_clip

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.body.skinning import BodyPart
    from movi_prep.config.root import Config
    from movi_prep.config.shard import ShardUnitSettings
    from movi_prep.osim.solution import ScaledModel
    from movi_prep.records.alignment import SubjectAlignment
    from movi_prep.records.camera import Camera
    from movi_prep.records.download import Download
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.labels import LabelTables
    from movi_prep.records.markers import StaticTrial
    from movi_prep.records.motion import Sex
    from movi_prep.records.scaling import ScaleResult
    from movi_prep.records.timeline import Refusal
    from movi_prep.records.work_folder import WorkFolder
    from movi_prep.stages.picture_check import JudgedVideo
    from movi_prep.video.crop_pass import CropPass
    from movi_prep.video.reader import VideoReader

N_VERTICES = 400
"""Vertices of 6890 that stand for the mesh; their boxes miss those of the whole mesh by a few pixels, the margin is
ten times that."""

SAME_PLACE_M = 1e-3
"""Two cameras closer than this are one."""

LEAST_POSES = 0.5
"""A clip with a smaller share of rows that have a pose is named among the warnings."""

_POSED_AT_ONCE = 512
"""Samples posed in one batch; bounds the memory, changes nothing else."""


@dataclass(frozen=True)
class SubjectInputs:
    """What all shards of a subject are made from, of either layout; None for what the download does not have."""

    alignment: Path
    static_trial: Path
    scale: Path
    scaled_model: Path
    body_model: Path | None
    labels: Path
    motions: tuple[Path, ...]
    markers: tuple[Path, ...] = field(metadata={"optional": True})
    solutions: tuple[Path, ...] = field(metadata={"optional": True})


@dataclass(frozen=True)
class ShardInputs(SubjectInputs):
    """What one native shard is made from; None for what the download does not have."""

    video: Path | None
    intrinsics: Path | None
    extrinsics: Path | None
    other_intrinsics: tuple[Path, ...] = field(default=(), metadata={"optional": True})
    other_extrinsics: tuple[Path, ...] = field(default=(), metadata={"optional": True})


@dataclass(frozen=True)
class ShardOutputs:
    """The shard."""

    shard: Path


def plan_shard(download: Download, work: WorkFolder, config: Config) -> tuple[Unit, ...]:
    """Return one unit per subject and camera, where the subject has a video at all and the camera can have a shard."""
    with_video = {subject for subject, _ in download.videos}
    idle = idle_cameras(download, config.shard.cameras)
    return tuple(
        _shard_unit(download, work, config, subject=subject, camera=camera)
        for subject in download.subjects
        if subject in with_video
        for camera in config.shard.cameras
        if camera not in idle
    )


def run_shard(unit: Unit) -> StageReport:
    """Write one subject's shard for one camera."""
    inputs, settings = cast("ShardInputs", unit.inputs), cast("ShardUnitSettings", unit.settings)
    outputs = cast("ShardOutputs", unit.outputs)
    subject = read_shard_subject(unit.key, inputs, settings)
    planned = plan_clips(subject, inputs, settings)
    try:
        return _write_shard(planned, subject, inputs, outputs, settings)
    except _SuspectPictures as found:
        rest = planned.without(found.left_out)
        if not rest.clips:
            raise found.judged.refusal(inputs.video, subject.camera.name) from None
        return _write_shard(rest, subject, inputs, outputs, settings, found.judged)


class _SuspectPictures(Exception):  # noqa: N818 - no error: it takes back what was written so far
    """Some clips must not be in the shard that is being written."""

    def __init__(self, left_out: tuple[LeftOut, ...], judged: JudgedVideo) -> None:
        super().__init__("; ".join(map(str, left_out)))
        self.left_out, self.judged = left_out, judged


def _write_shard(
    planned: PlannedClips,
    subject: ShardSubject,
    inputs: ShardInputs,
    outputs: ShardOutputs,
    settings: ShardUnitSettings,
    judged: JudgedVideo | None = None,
) -> StageReport:
    """Write a shard of these clips; raise _SuspectPictures unless their pictures are `judged`, or may all go in."""
    from movi_prep.video.crop_pass import WantedCrops, crop_video

    clips = planned.clips
    reader = open_video(inputs, subject.camera, settings)
    watch = watch_clips(clips if judged is None else (), subject.camera)
    with open_shard_writer(outputs.shard) as writer:
        crops = crop_video(
            reader,
            WantedCrops(
                frame_of_row=np.concatenate([clip.timeline.video_frames for clip in clips]),
                plan=CropPlan.join([clip.plan for clip in clips]),
                body_px=np.concatenate([clip.body_px for clip in clips]),
            ),
            settings=settings,
            take=writer.append_picture,
            watch=watch,
        )
        reader.close()
        if judged is None:
            judged = judge_pictures(watch.results(), subject.camera.name, settings.picture_check)
            left_out = judged.left_out(settings.picture_check)
            if left_out:
                raise _SuspectPictures(left_out, judged)
        kept = with_pictures(clips, crops.picture_of_row >= 0)
        shard = _FinishedShard(
            clips=kept,
            refused=sorted({item for clip in clips for item in clip.timeline.refused} - {*crops.faults}),
            lost=list(crops.faults),
            left_out=(*planned.left_out, *not_shown(clips, kept)),
            judged=judged,
        )
        check_rows(shard.clips, shard.lost, inputs)
        writer.finish(
            picture_of_row=crops.picture_of_row[crops.picture_of_row >= 0],
            fields=shard_fields(shard, subject, crops, settings),
            attributes=shard_attributes(shard, subject, settings),
            provenance=_provenance(inputs),
        )
    return _report(shard, planned, settings)


SHARD = Stage(
    name="shard", version=2, summary="crops and labels of each subject and camera", plan=plan_shard, run=run_shard
)


@dataclass(frozen=True)
class ShardSubject:
    """What all clips of a shard share."""

    alignment: SubjectAlignment
    camera: Camera
    tables: LabelTables
    trial: StaticTrial
    scale: ScaleResult
    model: ScaledModel
    body: BodyPart
    others: tuple[Camera, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedClips:
    """The rows that are asked of a video.

    Attributes:
        clips: rows of every clip that can have some.
        left_out: the other clips, and why.
        findings: what else a person should read.
        warnings: what a person must read.
    """

    clips: tuple[ClipRows, ...]
    left_out: tuple[LeftOut, ...]
    findings: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def without(self, suspects: Sequence[LeftOut]) -> PlannedClips:
        """Return the plan without some clips."""
        gone = {item.clip for item in suspects}
        return PlannedClips(
            clips=tuple(clip for clip in self.clips if clip.timeline.clip not in gone),
            left_out=(*self.left_out, *suspects),
            findings=self.findings,
            warnings=self.warnings,
        )


@dataclass(frozen=True)
class _FinishedShard:
    """What a shard holds, and what it lacks.

    Attributes:
        clips: rows that have a picture.
        refused: frames that can have no row.
        lost: frames that the video does not show.
        left_out: clips without any row.
        judged: the verdict on the pictures.
    """

    clips: list[ClipRows]
    refused: list[Refusal]
    lost: list[Refusal]
    left_out: tuple[LeftOut, ...]
    judged: JudgedVideo


def shard_fields(
    shard: _FinishedShard, subject: ShardSubject, crops: CropPass, settings: ShardUnitSettings
) -> dict[str, Any]:
    """Return every field of the schema but the pictures themselves."""
    clips = shard.clips
    common = [name for name in clips[0].labels if all(name in clip.labels for clip in clips)]
    labels = {name: np.concatenate([clip.labels[name] for clip in clips]) for name in common}
    frames = [frame_fields(clip, settings) for clip in clips]
    return {
        **labels,
        **{name: np.concatenate([clip[name] for clip in frames]) for name in frames[0]},
        **_crop_fields(CropPlan.join([clip.plan for clip in clips]), subject.camera),
        **_clip_fields(shard),
        **_picture_fields(shard, settings),
        **_subject_fields(subject),
        **_statistics_fields(labels, crops.statistics),
        **_tree_fields(subject.model),
    }


def shard_attributes(shard: _FinishedShard, subject: ShardSubject, settings: ShardUnitSettings) -> dict[str, Any]:
    """Return the scalars of the schema."""
    lossy = settings.image_format == "jpeg"
    number = subject.alignment.subject
    return {
        "subject": number,
        "camera": subject.camera.name,
        "sex": subject.trial.sex,
        "split": subject.tables.split_of(number),
        "height_m": subject.trial.height_m,
        "mass_kg": subject.trial.mass_kg,
        "image_width_px": subject.camera.size_px[0],
        "image_height_px": subject.camera.size_px[1],
        "frame_rate_hz": settings.video_rate_hz,
        "image_format": settings.image_format,
        "image_quality": settings.jpeg_quality if lossy else None,
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


def subject_inputs(download: Download, work: WorkFolder, subject: int) -> dict[str, Any]:
    """Return the fields of SubjectInputs for one subject."""
    clips = download.clips_of(subject)
    motions = tuple(download.motions[clip] for clip in clips)
    return {
        "alignment": work.alignment(subject),
        "static_trial": work.static_trial(subject),
        "scale": work.scale_result(subject),
        "scaled_model": work.scaled_model(subject),
        "body_model": model_for(motions, download.body_models),
        "labels": default_label_tables_path(),
        "motions": motions,
        "markers": tuple(work.markers(clip) for clip in clips),
        "solutions": tuple(work.ik_solution(clip) for clip in clips),
    }


def _shard_unit(download: Download, work: WorkFolder, config: Config, *, subject: int, camera: str) -> Unit:
    others = tuple(sorted(set(download.intrinsics) & set(download.extrinsics) - {camera}))
    return Unit(
        stage=SHARD.name,
        key=f"{subject_key(subject)}/{camera}",
        inputs=ShardInputs(
            video=download.videos.get((subject, camera)),
            intrinsics=download.intrinsics.get(camera),
            extrinsics=download.extrinsics.get(camera),
            other_intrinsics=tuple(download.intrinsics[name] for name in others),
            other_extrinsics=tuple(download.extrinsics[name] for name in others),
            **subject_inputs(download, work, subject),
        ),
        outputs=ShardOutputs(shard=work.shard(subject, camera)),
        settings=config.shard.shard_unit(
            video_rate_hz=config.markers.video_rate_hz,
            miss_limit_m=config.ik.landmark_limit_m,
            other_cameras=others,
        ),
    )


def read_shard_subject(key: str, inputs: ShardInputs, settings: ShardUnitSettings) -> ShardSubject:
    """Read what all clips of one subject and camera share; `key` is `S001/PG1`."""
    camera = key.split("/")[1]
    trial = read_static_trial(inputs.static_trial)
    if inputs.body_model is None or trial.sex is None:
        raise _missing(f"body model of {key}", f"smplh/{trial.sex}/model.npz", "--body-models")
    if inputs.intrinsics is None or inputs.extrinsics is None:
        raise _missing(f"calibration of {camera}", f"cameraParams_{camera} and Extrinsics_{camera}", "--calibration")
    calibrated = read_camera(camera, inputs.intrinsics, inputs.extrinsics)
    others, warnings = _read_others(calibrated, inputs, settings)
    return ShardSubject(
        alignment=read_alignment(inputs.alignment),
        camera=calibrated,
        tables=read_label_tables(inputs.labels, split=settings.split),
        trial=trial,
        scale=read_scale_result(inputs.scale),
        model=read_scaled_model(inputs.scaled_model),
        body=_body_sample(inputs.body_model, trial.sex),
        others=others,
        warnings=warnings,
    )


def _read_others(
    camera: Camera, inputs: ShardInputs, settings: ShardUnitSettings
) -> tuple[tuple[Camera, ...], tuple[str, ...]]:
    """Read the other cameras' calibration; what is wrong with it fails their own shards, here it is only told."""
    cameras, warnings = [], []
    files = zip(settings.other_cameras, inputs.other_intrinsics, inputs.other_extrinsics, strict=True)
    for name, intrinsics, extrinsics in files:
        try:
            other = read_camera(name, intrinsics, extrinsics)
        except InputError as error:
            warnings.append(f"pictures are not compared with the calibration of {name}: {error}")
            continue
        cameras.append(other)
        apart_m = other.world_to_camera_translation_m - camera.world_to_camera_translation_m
        if np.linalg.norm(apart_m) < SAME_PLACE_M:
            names = f"{_name(inputs.extrinsics)} and {extrinsics.name}"
            warnings.append(f"{camera.name} and {name} stand in one place by {names}: is one a copy of the other?")
    return tuple(cameras), tuple(warnings)


def _name(path: Path | None) -> str:
    return path.name if path is not None else "none"


def plan_clips(subject: ShardSubject, inputs: ShardInputs, settings: ShardUnitSettings) -> PlannedClips:
    """Return the rows of every clip that can have some, and why the others have none."""
    files = {
        ClipId.parse(f"{markers.parent.name}/{markers.stem}"): (motion, markers, solution)
        for motion, markers, solution in zip(inputs.motions, inputs.markers, inputs.solutions, strict=True)
    }
    clips, left_out, findings = [], _not_aligned(files, subject.alignment), []
    for alignment in subject.alignment.clips:
        clip = alignment.timeline.clip
        if alignment.is_suspect and not settings.keep_suspects:
            left_out.append(LeftOut(clip, f"suspect alignment ({'; '.join(alignment.suspicions)})"))
            continue
        try:
            motion, markers, solution = files[clip]
            sources = ClipSources(
                alignment=alignment,
                markers=read_markers(markers),
                solution=read_ik_solution(solution),
                **pose_vertices(subject.body, motion, step=_mocap_step(alignment.timeline.mocap_samples)),
            )
            rows = plan_clip(sources, subject.tables, subject.camera, settings, others=subject.others)
        except InputError as error:
            left_out.append(LeftOut(clip, str(error)))
            continue
        if rows.labels["labels/pose_valid"].any():
            clips.append(rows)
        else:
            left_out.append(LeftOut(clip, _why_empty(rows, sources.solution)))
    lacking = sorted({name for clip in clips for name in clip.absent})
    if subject.model.tree is None:
        findings.append(f"no kinematic tree in the shard: {subject.model.refusal}")
    if lacking:
        findings.append(f"{len(lacking)} labels are not in the model, their masks are false: {', '.join(lacking)}")
    if not clips:
        raise InputError(
            inputs.alignment,
            expected="at least one clip with markers, inverse kinematics and a trusted alignment",
            got="none; " + ("; ".join(map(str, left_out)) or "the alignment has no clips"),
            remedy="see what failed before: movi-prep status",
        )
    return PlannedClips(tuple(clips), tuple(left_out), tuple(findings), subject.warnings)


def _not_aligned(clips: Iterable[ClipId], alignment: SubjectAlignment) -> list[LeftOut]:
    """Return the clips that the alignment does not have, in its words."""
    aligned = {item.timeline.clip for item in alignment.clips}
    said = {clip: f"{clip} is not aligned" for clip in clips if clip not in aligned}
    return [
        LeftOut(
            clip,
            next((text for text in alignment.findings if text.startswith(words)), words).removeprefix(f"{clip} is "),
        )
        for clip, words in said.items()
    ]


def _why_empty(rows: ClipRows, solution: IkSolution) -> str:
    """Return why a clip has no row with a pose."""
    n_rows = rows.timeline.n_frames
    if n_rows == 0:
        return "no frame can have a row: " + ("; ".join(map(str, rows.timeline.refused)) or "the clip has none")
    counts = Counter(FrameStatus(status).name.lower().replace("_", " ") for status in solution.statuses.tolist())
    told = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    return f"inverse kinematics has a pose to train on in none of {n_rows} frames ({told})"


def _body_sample(path: Path, sex: Sex) -> BodyPart:
    """Return a sample of the mesh, ready to be posed; subjects of one sex share it."""
    status = path.stat()
    return _cached_body_sample(path, (status.st_mtime_ns, status.st_size), sex)


@lru_cache(maxsize=2)
def _cached_body_sample(path: Path, stamp: tuple[int, int], sex: Sex) -> BodyPart:  # noqa: ARG001 - part of the key
    from movi_prep.body.skinning import select_vertices
    from movi_prep.formats.smplh import read_body_model

    model = read_body_model(path, sex=sex)
    return select_vertices(model, spread_vertices(model.template_m, N_VERTICES).tolist())


def pose_vertices(body: BodyPart, motion: Path, *, step: int) -> dict[str, NDArray[Any]]:
    """Return `vertices_m` and `vertex_samples` of ClipSources: a sample of the mesh at every `step`-th sample."""
    from movi_prep.body.device import torch_threads
    from movi_prep.body.skinning import pose_body, shape_body

    vertices, samples = [], []
    with torch_threads(1), open_motion(motion) as file:
        shaped = shape_body(body, file.shape.betas)
        for numbers, block in file.blocks(_POSED_AT_ONCE, every=step):
            vertices.append(pose_body(shaped, block).vertices_m)
            samples.append(numbers)
    return {"vertices_m": np.concatenate(vertices), "vertex_samples": np.concatenate(samples)}


def _mocap_step(samples: NDArray[np.int64]) -> int:
    """Return the spacing of the samples that a clip's frames show; they start at 0."""
    return int(np.gcd.reduce(samples)) or 1


def open_video(inputs: ShardInputs, camera: Camera, settings: ShardUnitSettings) -> VideoReader:
    """Open the video of one camera; raise InputError unless size and frame rate fit the calibration."""
    from movi_prep.video.reader import VideoReader

    if inputs.video is None:
        raise _missing(f"video of {camera.name}", f"F_{camera.name}_Subject_N_L.avi", "--videos")
    reader = VideoReader(inputs.video)
    reader.check(size_px=camera.size_px, rate_hz=settings.video_rate_hz)
    return reader


def with_pictures(clips: Sequence[ClipRows], came: NDArray[np.bool_]) -> list[ClipRows]:
    """Return the rows that got a picture, `came` counting the rows of all clips; clips without any go."""
    ends = np.cumsum([clip.timeline.n_frames for clip in clips])[:-1]
    parts = np.split(came, ends)
    return [clip.keep(part) for clip, part in zip(clips, parts, strict=True) if part.any()]


def not_shown(planned: Sequence[ClipRows], kept: Sequence[ClipRows]) -> tuple[LeftOut, ...]:
    """Return the clips of which no frame came."""
    there = {clip.timeline.clip for clip in kept}
    return tuple(
        LeftOut(clip.timeline.clip, "the video shows none of its frames")
        for clip in planned
        if clip.timeline.clip not in there
    )


def check_rows(clips: Sequence[ClipRows], refused: Sequence[Refusal], inputs: ShardInputs) -> None:
    """Raise InputError where no row of any clip got a picture."""
    if not clips:
        raise InputError(
            inputs.video or "video",
            expected="at least one intact frame within the flags",
            got="; ".join(map(str, refused)) or "none",
            remedy="check that the video belongs to this subject",
        )


def _crop_fields(plan: CropPlan, camera: Camera) -> dict[str, Any]:
    return {
        "crops/size_px": plan.picture_size_px,
        "crops/box_px": plan.box_px,
        "crops/source_px": plan.source_px,
        "crops/padding_px": plan.padding_px,
        "crops/valid_px": plan.valid_px,
        "crops/body_px": plan.body_px,
        "crops/intrinsics_px": crop_intrinsics(camera.intrinsics_px, plan.corner_px.astype(np.float64), plan.scale),
    }


def _clip_fields(shard: _FinishedShard) -> dict[str, Any]:
    clips = shard.clips
    counts = np.array([clip.timeline.n_frames for clip in clips])
    measured = [clip.alignment for clip in clips]
    return {
        "clips/number": [clip.timeline.clip.clip for clip in clips],
        "clips/motion": [clip.timeline.motion for clip in clips],
        "clips/first_row": np.cumsum(counts) - counts,
        "clips/n_rows": counts,
        "clips/first_video_frame": [item.first_video_frame for item in measured],
        "clips/n_video_frames": [item.n_video_frames for item in measured],
        "clips/lag_s": [_or_nan(item.lag_s) for item in measured],
        "clips/rotation_deg": [_or_nan(item.rotation_deg) for item in measured],
        "clips/offset_m": [_or_nan(item.offset_m) for item in measured],
        "clips/suspect": [item.is_suspect or shard.judged.clips[item.timeline.clip].is_suspect for item in measured],
    }


def _picture_fields(shard: _FinishedShard, settings: ShardUnitSettings) -> dict[str, Any]:
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


def _subject_fields(subject: ShardSubject) -> dict[str, Any]:
    tables, camera = subject.tables, subject.camera
    factors = dict(zip(subject.scale.body_names, subject.scale.body_factors, strict=True))
    return {
        "names/joints": tables.joints,
        "names/markers": tables.markers,
        "names/opensim_joints": tables.opensim_joints,
        "names/coordinates": tables.coordinates,
        "names/bodies": tables.bodies,
        "subject/body_scales": [factors.get(name, np.full(3, np.nan)) for name in tables.bodies],
        "camera/intrinsics_px": camera.intrinsics_px,
        "camera/radial_distortion": camera.radial_distortion,
        "camera/world_to_camera_rotation": camera.world_to_camera_rotation,
        "camera/world_to_camera_translation_m": camera.world_to_camera_translation_m,
    }


def _tree_fields(model: ScaledModel) -> dict[str, Any]:
    arrays = {} if model.tree is None else model.tree.to_arrays()
    return {f"tree/{name}": values for name, values in arrays.items()}


def _statistics_fields(labels: dict[str, NDArray[Any]], pixels: NDArray[np.float64]) -> dict[str, Any]:
    valid = labels["labels/coordinates_valid"]
    joints = labels["labels/joints_camera_m"]
    everywhere = np.broadcast_to(labels["labels/joints_valid"][..., None], joints.shape)
    return {
        "statistics/coordinates_rad": masked_statistics(labels["labels/coordinates_rad"], valid),
        "statistics/coordinates_n": valid.sum(axis=0),
        "statistics/joints_camera_m": masked_statistics(joints, everywhere),
        "statistics/image_bgr": pixels,
        "names/statistics": STATISTICS,
    }


def _provenance(inputs: ShardInputs) -> dict[str, Any]:
    """Return names, not paths: equal inputs give equal bytes wherever they lie."""
    single = {"video": inputs.video, "intrinsics": inputs.intrinsics, "extrinsics": inputs.extrinsics}
    return {
        **{role: path.name for role, path in single.items() if path is not None},
        "motions": [path.name for path in inputs.motions],
    }


def _report(shard: _FinishedShard, planned: PlannedClips, settings: ShardUnitSettings) -> StageReport:
    labels = [clip.labels for clip in shard.clips]
    masked = 1.0 - np.mean(np.concatenate([rows["labels/coordinates_valid"] for rows in labels]))
    return StageReport(
        numbers={
            "rows": sum(clip.timeline.n_frames for clip in shard.clips),
            "clips": len(shard.clips),
            "clips_left_out": len(shard.left_out),
            "refused_frames": sum(item.n_frames for item in (*shard.refused, *shard.lost)),
            "coordinates_masked": float(masked),
            **shard.judged.numbers(),
        },
        findings=(*planned.findings, *shard.judged.not_judged(), *map(str, shard.refused)),
        warnings=(
            *planned.warnings,
            *map(str, shard.left_out),
            *shard.judged.kept(settings.picture_check),
            *_poor_poses(shard.clips),
            *map(str, shard.lost),
        ),
    )


def _poor_poses(clips: Sequence[ClipRows]) -> tuple[str, ...]:
    """Return a sentence on each clip of whose rows less than half have a pose to train on."""
    poses = [(clip.timeline, clip.labels["labels/pose_valid"]) for clip in clips]
    return tuple(
        f"{timeline.clip}: inverse kinematics has a pose to train on in {valid.sum()} of {len(valid)} rows alone"
        for timeline, valid in poses
        if valid.mean() < LEAST_POSES
    )


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _missing(what: str, expected: str, flag: str) -> MissingError:
    return MissingError(what, expected=expected, got="none", remedy=f"put it below the folder of {flag}")
