"""The D3KE stage: writes the files that the released training code of Bittner et al. 2023 opens.

| unit | reads | writes |
|---|---|---|
| `shard_d3ke S001` | as `shard`, for all cameras, and the unscaled model | the subject's labels, pictures, boxes |
| `d3ke_corpus all` | boxes of all subjects, V3D files, the unscaled model | the files that all subjects share |

Rows are those rows of native shards that have a pose (the released code has no mask for joint centres and the root),
sorted by camera, clip and frame. Pixels outside the box are black. Positions are metres in AMASS world, angles radians.
Body scales are relative to the unscaled model's mesh scales, by which the network's layer divides them; a body without
a mesh gets D3KE's mean scale, because the network could not express its label otherwise. The stage runs that layer on
the written labels and reports how far its joint centres are from the written ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from movi_prep.config.root import Config
from movi_prep.config.shard import D3keCorpusSettings, D3keSettings, ShardUnitSettings
from movi_prep.errors import InputError, InternalError
from movi_prep.formats import d3ke
from movi_prep.formats.label_tables import (
    default_label_tables_path,
    read_body_scale_means,
    read_body_scale_reach,
)
from movi_prep.formats.marker_file import read_markers
from movi_prep.formats.scale_file import read_scale_result
from movi_prep.names import natural_order
from movi_prep.recordings.read import read_session
from movi_prep.records.advance import Advance, advancing, between
from movi_prep.records.recordings import ReaderName, Recordings
from movi_prep.records.timeline import Refusal, group_refusals
from movi_prep.records.unit import InSteps, Stage, StageReport, Unit
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.d3ke.label_rows import subject_number, subject_rows, used_flags
from movi_prep.stages.d3ke.network_limits import (
    body_scales,
    held_off_zero,
    layer_error_m,
    network_findings,
    scales_beyond_reach,
    unscaled_sites,
    with_body_scales,
    with_marker_sites,
)
from movi_prep.stages.scale import model_and_setup
from movi_prep.stages.shards.clip_rows import ClipRows
from movi_prep.stages.shards.picture_check import judge_pictures, watch_clips
from movi_prep.stages.shards.subject_clips import (
    PlannedClips,
    ShardInputs,
    ShardSubject,
    SubjectInputs,
    check_rows,
    missing_video,
    not_shown,
    plan_clips,
    read_shard_subject,
    subject_inputs,
    with_pictures,
)
from movi_prep.stages.solve_clip import read_scaled_model

T = TypeVar("T")

FIRST_FRAME = 0
"""Frame of the video whose picture D3KE's T-pose data set reads, whether a row names it or not."""

ALL = "all"
"""Key of the unit that writes the files that all subjects share."""


@dataclass(frozen=True)
class D3keInputs(SubjectInputs):
    """Files from which one subject's files are made; videos and calibration have one entry per camera."""

    videos: tuple[Path, ...]
    intrinsics: tuple[Path, ...]
    extrinsics: tuple[Path, ...]
    session: Path
    base_model: Path


@dataclass(frozen=True)
class D3keOutputs:
    """One subject's files; the last two fields have one entry per camera."""

    labels: Path
    opensim_labels: Path
    images: tuple[Path, ...]
    boxes: tuple[Path, ...]


@dataclass(frozen=True)
class CorpusInputs:
    """Files from which the shared files are made."""

    base_model: Path
    labels: Path
    reader: ReaderName
    sessions: tuple[Path | None, ...] = field(metadata={"optional": True})
    scaled_models: tuple[Path | None, ...] = field(metadata={"optional": True})
    scales: tuple[Path | None, ...] = field(metadata={"optional": True})
    boxes: tuple[Path | None, ...] = field(metadata={"optional": True})


@dataclass(frozen=True)
class CorpusOutputs:
    """The files that all subjects share."""

    boxes: Path
    clip_frames: Path
    base_model: Path


SubjectUnit: TypeAlias = Unit[D3keInputs, D3keOutputs, D3keSettings]
CorpusUnit: TypeAlias = Unit[CorpusInputs, CorpusOutputs, D3keCorpusSettings]


def plan_shard_d3ke(recordings: Recordings, work: WorkFolder, config: Config) -> tuple[SubjectUnit, ...]:
    """Return one unit per subject with videos."""
    asked = recordings.cameras_wanted(config.shard.cameras)
    cameras = [name for name in asked if name in recordings.whole_cameras]
    return tuple(
        _subject_unit(recordings, work, config, subject=subject, cameras=seen)
        for subject in recordings.subjects
        if subject in recordings.sessions
        and (seen := tuple(name for name in cameras if (subject, name) in recordings.videos))
    )


def plan_d3ke_corpus(recordings: Recordings, work: WorkFolder, config: Config) -> tuple[CorpusUnit, ...]:
    """Return the unit that collects all subjects, if there are any."""
    units = plan_shard_d3ke(recordings, work, config)
    return (_corpus_unit(recordings, work, config, units),) if units else ()


def run_shard_d3ke(inputs: D3keInputs, outputs: D3keOutputs, settings: D3keSettings, advance: Advance) -> StageReport:
    """Write one subject's files."""
    from movi_prep.osim.base_model import read_base_model

    means = read_body_scale_means(inputs.labels)
    base = with_body_scales(read_base_model(inputs.base_model), means)
    session = read_session(inputs.reader, inputs.session)
    parts, findings, warnings = [], [], []
    for index, camera in enumerate(settings.cameras):
        one, shard_settings = _one_camera(inputs, camera, index), _settings_of_camera(settings, index)
        subject = read_shard_subject(one, shard_settings)
        planned = plan_clips(subject, one, shard_settings)
        # Planning takes a small part of the time that packing whole pictures takes.
        of_camera = between(advance, index / len(settings.cameras), (index + 1) / len(settings.cameras))
        kept, lost = _write_pictures(
            planned, subject, one, outputs, index=index, settings=shard_settings, advance=of_camera
        )
        findings += [f"{camera}: {finding}" for finding in planned.findings]
        posed, unsolved = _with_pose(kept, one)
        said = (*planned.warnings, *map(str, planned.left_out), *lost, *map(str, unsolved))
        warnings += [f"{camera}: {warning}" for warning in said]
        used = {clip.timeline.clip: _read_used_flags(clip, subject, one, settings) for clip in posed}
        parts.append(subject_rows(posed, subject, settings, used=used, first_frame=int(session.video_ranges[0, 0])))
    # One camera after the other: clips and frames are sorted within each, as the training code expects.
    rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    scales = body_scales(base, subject.scale, subject.tables.bodies)
    d3ke.write_labels(outputs.labels, {name: rows[name] for name in d3ke.LABEL_DTYPES})
    d3ke.write_opensim_labels(
        outputs.opensim_labels,
        {name: rows[name] for name in d3ke.OPENSIM_DTYPES},
        subject=subject_number(subject.alignment.subject),
        bone_scale=scales,
    )
    error_m = layer_error_m(base, subject.tables, rows, scales)
    beyond = scales_beyond_reach(scales, subject.tables.bodies, means, read_body_scale_reach(inputs.labels))
    return StageReport(
        numbers={"rows": len(rows["frame"]), "cameras": len(parts), "layer_error_mm": error_m * 1e3},
        findings=(*findings, *network_findings(error_m, beyond, held_off_zero(subject), n_scales=scales.size)),
        warnings=tuple(warnings),
    )


SHARD_D3KE = Stage(
    name="shard_d3ke",
    version=6,
    summary="files of D3KE's training code, of each subject",
    plan=plan_shard_d3ke,
    run=InSteps(run_shard_d3ke),
    gathers=True,
)


def run_d3ke_corpus(inputs: CorpusInputs, outputs: CorpusOutputs, settings: D3keCorpusSettings) -> StageReport:
    """Write the files that all subjects share."""
    from movi_prep.osim.base_model import read_base_model

    boxes: dict[int, dict[str, NDArray[np.float64]]] = {}
    # A subject that failed has no boxes; the other subjects' files must not wait for it.
    for path in filter(None, inputs.boxes):
        subject, camera, _ = path.stem.split("_")
        boxes.setdefault(int(subject), {})[camera] = np.load(path, allow_pickle=False)
    if not boxes:
        raise InputError(
            outputs.boxes.parent,
            expected="boxes of at least one subject",
            got="none",
            remedy="see which units failed before: movi-prep status",
        )
    clip_frames = {}
    for path in filter(None, inputs.sessions):
        session = read_session(inputs.reader, path)
        number = subject_number(session.subject)
        if number in boxes:
            # as in the V3D file: flags30 count from 1 and include the last frame
            clip_frames[number] = (session.video_ranges + np.array([1, 0])).T.astype(np.int32)
    d3ke.write_dictionary(outputs.boxes, boxes)
    d3ke.write_dictionary(outputs.clip_frames, clip_frames)
    base = with_body_scales(read_base_model(inputs.base_model), read_body_scale_means(inputs.labels))
    sites = _placed_sites(inputs)
    d3ke.write_base_model(outputs.base_model, with_marker_sites(base, sites))
    return StageReport(
        numbers={"subjects": len(boxes), "subjects_of_marker_sites": len(sites)},
        findings=() if settings.with_occluders else (NO_OCCLUDERS,),
    )


NO_OCCLUDERS = (
    "no file of occluders, which D3KE's code opens by default: set DATASET.OCCLUSION.PROB to 0.0 in its "
    "configuration, or name Pascal VOC's folder with --pascal"
)


def _placed_sites(inputs: CorpusInputs) -> list[dict[str, NDArray[np.float64]]]:
    """Return marker -> place on its unscaled body, metres, of each subject whose model can be read as a tree."""
    found = []
    for model, scale in zip(inputs.scaled_models, inputs.scales, strict=True):
        if model is None or scale is None:
            continue
        tree = read_scaled_model(model).tree
        if tree is not None:
            found.append(unscaled_sites(tree, read_scale_result(scale)))
    return found


D3KE_CORPUS = Stage(
    name="d3ke_corpus",
    version=2,
    summary="files of D3KE's training code that all subjects share",
    plan=plan_d3ke_corpus,
    run=run_d3ke_corpus,
    gathers=True,
)


def _subject_unit(
    recordings: Recordings, work: WorkFolder, config: Config, *, subject: str, cameras: tuple[str, ...]
) -> SubjectUnit:
    folder, number = work.d3ke_shards(), subject_number(subject)
    return Unit(
        stage=SHARD_D3KE.name,
        key=subject,
        inputs=D3keInputs(
            videos=tuple(recordings.videos[subject, camera] for camera in cameras),
            intrinsics=tuple(recordings.intrinsics[camera] for camera in cameras),
            extrinsics=tuple(recordings.extrinsics[camera] for camera in cameras),
            session=recordings.sessions[subject],
            base_model=model_and_setup(config)[0],
            **subject_inputs(recordings, work, subject, recordings.clips_of(subject)),
        ),
        outputs=D3keOutputs(
            labels=folder / f"subject_{number}.hdf5",
            opensim_labels=folder / f"subject_{number}_opensim.hdf5",
            images=tuple(folder / f"{number}_{camera}_img.hdf5" for camera in cameras),
            boxes=tuple(folder / f"{number}_{camera}_bbox.npy" for camera in cameras),
        ),
        settings=config.shard.d3ke_unit(
            cameras=cameras, video_rate_hz=config.markers.video_rate_hz, landmark_limit_m=config.ik.landmark_limit_m
        ),
    )


def _corpus_unit(recordings: Recordings, work: WorkFolder, config: Config, units: Sequence[SubjectUnit]) -> CorpusUnit:
    folder = work.d3ke_shards()
    boxes = {unit.key: unit.outputs.boxes for unit in units}
    # A run of some subjects keeps what an earlier run wrote for the others, because training reads all of them.
    for key in sorted(recordings.sessions, key=natural_order):
        left = sorted(folder.glob(f"{subject_number(key)}_*_bbox.npy"))
        if key not in boxes and key not in config.exclude and left:
            boxes[key] = tuple(left)
    subjects = [subject for subject in sorted(recordings.sessions, key=natural_order) if subject in boxes]
    return Unit(
        stage=D3KE_CORPUS.name,
        key=ALL,
        inputs=CorpusInputs(
            base_model=model_and_setup(config)[0],
            labels=default_label_tables_path(),
            reader=recordings.reader,
            sessions=tuple(recordings.sessions[subject] for subject in subjects),
            scaled_models=tuple(work.scaled_model(subject) for subject in subjects),
            scales=tuple(work.scale_result(subject) for subject in subjects),
            boxes=tuple(path for subject in subjects for path in boxes[subject]),
        ),
        outputs=CorpusOutputs(
            boxes=folder / "all_bbox.npy",
            clip_frames=folder / "videoIdx.npy",
            base_model=folder / "pyBaseModel.pkl",
        ),
        settings=D3keCorpusSettings(with_occluders=config.shard.pascal is not None),
    )


def _with_pose(clips: Sequence[ClipRows], inputs: ShardInputs) -> tuple[list[ClipRows], list[Refusal]]:
    """Return the rows with a pose, and the frames without; raise InputError if no row has a pose."""
    solved = [clip.labels.root.valid for clip in clips]
    refused = [
        refusal
        for clip, posed in zip(clips, solved, strict=True)
        for refusal in group_refusals(clip.timeline.video_frames[~posed], f"no pose in {clip.timeline.clip}")
    ]
    kept = with_pictures(clips, np.concatenate(solved))
    check_rows(kept, refused, inputs)
    return kept, refused


def _read_used_flags(
    clip: ClipRows, subject: ShardSubject, inputs: ShardInputs, settings: D3keSettings
) -> NDArray[np.bool_]:
    path = inputs.markers[inputs.clips.index(str(clip.timeline.clip))]
    if path is None:
        raise InternalError(f"{clip.timeline.clip} has rows but no markers")
    return used_flags(clip, read_markers(path), subject.tables.markers, settings)


def _settings_of_camera(settings: D3keSettings, index: int) -> ShardUnitSettings:
    return settings.shard.model_copy(update={"other_cameras": _without(settings.cameras, index)})


def _without(items: tuple[T, ...], index: int) -> tuple[T, ...]:
    return items[:index] + items[index + 1 :]


def _one_camera(inputs: D3keInputs, camera: str, index: int) -> ShardInputs:
    return ShardInputs(
        camera=camera,
        videos=(inputs.videos[index],) * len(inputs.clips),
        intrinsics=(inputs.intrinsics[index],) * len(inputs.clips),
        extrinsics=(inputs.extrinsics[index],) * len(inputs.clips),
        other_intrinsics=_without(inputs.intrinsics, index),
        other_extrinsics=_without(inputs.extrinsics, index),
        **{item.name: getattr(inputs, item.name) for item in fields(SubjectInputs)},
    )


def _write_pictures(  # noqa: PLR0913 - pictures, spelt out
    planned: PlannedClips,
    subject: ShardSubject,
    inputs: ShardInputs,
    outputs: D3keOutputs,
    *,
    index: int,
    settings: ShardUnitSettings,
    advance: Advance,
) -> tuple[list[ClipRows], list[str]]:
    """Write one camera's pictures and boxes; return the rows to keep, and warnings about the others.

    If a clip turns out to be suspect, its pictures stay in the file, but no row refers to them.
    """
    from movi_prep.video.reader import VideoReader

    clips = planned.clips
    frames = np.concatenate([clip.timeline.video_frames for clip in clips])
    sources = np.concatenate([clip.plan.source_px for clip in clips])
    if inputs.video is None:
        raise missing_video(inputs, inputs.camera)
    reader = VideoReader(inputs.video)
    reader.check(size_px=subject.camera.size_px, rate_hz=settings.video_rate_hz)
    watch = watch_clips(clips, subject.camera)
    # The number of frames in the header may be too small; the flags say which frames are needed.
    n_frames = max(reader.header.n_frames, int(frames.max()) + 1)
    came = np.zeros(len(frames), dtype=bool)
    asked = set(frames.tolist())

    def pictures() -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for number, image in reader.frames(asked | {FIRST_FRAME}):
            rows = np.flatnonzero(frames == number)
            if not len(rows):
                # D3KE's T-pose data set reads this frame; where the body is in it is unknown.
                yield number, image
                continue
            came[rows] = True
            watch(number, image)
            yield number, _blacken(image, sources[rows])

    width, height = subject.camera.size_px
    name = inputs.video.stem
    written = advancing(pictures(), advance, total=len(asked))
    d3ke.write_images(outputs.images[index], written, name=name, shape=(n_frames, height, width))
    faults = reader.faults(asked)
    reader.close()
    shown = with_pictures(clips, came)
    check_rows(shown, faults, inputs)
    # Of all clips, suspect ones too: the table of boxes has one for every frame of the video.
    boxes = np.concatenate([clip.plan.box_px for clip in clips])
    d3ke.write_boxes(outputs.boxes[index], _boxes_of_video(frames, boxes, n_frames))
    judged = judge_pictures(watch.results(), subject.camera.name, settings.picture_check)
    suspects = judged.left_out(settings.picture_check)
    gone = {item.clip for item in suspects}
    kept = [clip for clip in shown if clip.timeline.clip not in gone]
    if not kept:
        raise judged.refusal(inputs.video, subject.camera.name)
    warnings = (*reader.damage(), *suspects, *not_shown(clips, shown), *judged.kept(settings.picture_check), *faults)
    return kept, [str(item) for item in warnings]


def _blacken(image: NDArray[np.uint8], boxes_px: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the image with everything outside the boxes black."""
    # Copy boxes onto black instead of masking: most of a frame is black, and gzip takes most of the time anyway.
    black = np.zeros_like(image)
    for left, top, width, height in boxes_px.tolist():
        black[top : top + height, left : left + width] = image[top : top + height, left : left + width]
    return black


def _boxes_of_video(frames: NDArray[np.int64], boxes_px: NDArray[np.int64], n_frames: int) -> NDArray[np.float64]:
    """Return a box for every frame of the video; a frame without one gets that of the frame before, as in D3KE."""
    # Frames before the first box get the first one.
    order = np.argsort(frames, kind="stable")
    last = np.searchsorted(frames[order], np.arange(n_frames), side="right") - 1
    return boxes_px[order][np.maximum(last, 0)].astype(np.float64)
