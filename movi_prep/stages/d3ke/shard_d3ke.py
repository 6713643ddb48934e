"""The D3KE stage: the files that the released training code of Bittner et al. 2023 opens.

| unit | reads | writes |
|---|---|---|
| `shard_d3ke S001` | as `shard`, for all cameras, and the unscaled model | the subject's labels, pictures, boxes |
| `d3ke_corpus all` | boxes of all subjects, V3D files, the unscaled model | what all subjects share |

Rows are those of native shards that have a pose (the released code has no mask for joint centres and the root), sorted
by camera, clip and frame. Pixels outside the box are black. Positions are
metres in AMASS world, angles radians. Body scales are relative to the unscaled model's mesh scales, as the network's
layer divides them (a body without a mesh takes D3KE's mean scale, or the network could not say the label); that layer
is run on the written labels, and how far its joint centres lie from the written ones is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from movi_prep.config.base import NoSettings
from movi_prep.config.root import Config
from movi_prep.config.shard import D3keSettings, ShardUnitSettings
from movi_prep.errors import InputError, InternalError, ModelError, list_names
from movi_prep.formats import d3ke
from movi_prep.formats.label_tables import (
    default_label_tables_path,
    read_body_scale_means,
    read_body_scale_reach,
)
from movi_prep.formats.marker_file import read_markers
from movi_prep.geometry.frame_labels import moved_since_used
from movi_prep.names import natural_order
from movi_prep.recordings.read import read_session
from movi_prep.records.base_model import BaseModel, Triple
from movi_prep.records.bmlmovi_names import require_number
from movi_prep.records.frame_labels import FrameLabels, FrameNumbers, RootPoses
from movi_prep.records.identity import ClipId
from movi_prep.records.label_tables import LabelTables
from movi_prep.records.markers import MarkerTrajectories
from movi_prep.records.recordings import ReaderName, Recordings
from movi_prep.records.scale_result import ScaleResult
from movi_prep.records.timeline import Refusal, group_refusals
from movi_prep.records.unit import Stage, StageReport, Unit
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.d3ke.network_layer import layer_joint_centres
from movi_prep.stages.scale import model_and_setup
from movi_prep.stages.shards.clip_rows import ClipRows, frame_numbers
from movi_prep.stages.shards.picture_check import judge_pictures, watch_clips
from movi_prep.stages.shards.subject_clips import (
    PlannedClips,
    ShardInputs,
    ShardSubject,
    SubjectInputs,
    check_rows,
    not_shown,
    open_video,
    plan_clips,
    read_shard_subject,
    subject_inputs,
    with_pictures,
)

T = TypeVar("T")

ALL = "all"
"""Key of the unit that writes what all subjects share."""

LAYER_TOLERANCE_M = 1e-4
"""Beyond this the network's layer cannot carry the labels, and a finding says so, metres."""


@dataclass(frozen=True)
class D3keInputs(SubjectInputs):
    """What one subject's files are made from; one entry per camera in videos and calibration."""

    videos: tuple[Path, ...]
    intrinsics: tuple[Path, ...]
    extrinsics: tuple[Path, ...]
    session: Path
    base_model: Path


@dataclass(frozen=True)
class D3keOutputs:
    """One subject's files; one entry per camera in the last two."""

    labels: Path
    opensim_labels: Path
    images: tuple[Path, ...]
    boxes: tuple[Path, ...]


@dataclass(frozen=True)
class CorpusInputs:
    """What the files of all subjects are made from."""

    base_model: Path
    labels: Path
    reader: ReaderName
    sessions: tuple[Path | None, ...] = field(metadata={"optional": True})
    boxes: tuple[Path | None, ...] = field(metadata={"optional": True})


@dataclass(frozen=True)
class CorpusOutputs:
    """What all subjects share."""

    boxes: Path
    clip_frames: Path
    base_model: Path


SubjectUnit: TypeAlias = Unit[D3keInputs, D3keOutputs, D3keSettings]
CorpusUnit: TypeAlias = Unit[CorpusInputs, CorpusOutputs, NoSettings]


def plan_shard_d3ke(recordings: Recordings, work: WorkFolder, config: Config) -> tuple[SubjectUnit, ...]:
    """Return one unit per subject with videos."""
    cameras = [name for name in config.shard.cameras if name in recordings.whole_cameras]
    return tuple(
        _subject_unit(recordings, work, config, subject=subject, cameras=seen)
        for subject in recordings.subjects
        if subject in recordings.sessions
        and (seen := tuple(name for name in cameras if (subject, name) in recordings.videos))
    )


def plan_d3ke_corpus(recordings: Recordings, work: WorkFolder, config: Config) -> tuple[CorpusUnit, ...]:
    """Return the unit that collects all subjects, where there are any."""
    units = plan_shard_d3ke(recordings, work, config)
    return (_corpus_unit(recordings, work, config, units),) if units else ()


def run_shard_d3ke(inputs: D3keInputs, outputs: D3keOutputs, settings: D3keSettings) -> StageReport:
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
        kept, told = _write_pictures(planned, subject, one, outputs, index=index, settings=shard_settings)
        findings += [f"{camera}: {finding}" for finding in planned.findings]
        posed, unsolved = _with_pose(kept, one)
        said = (*planned.warnings, *map(str, planned.left_out), *told, *map(str, unsolved))
        warnings += [f"{camera}: {warning}" for warning in said]
        used = {clip.timeline.clip: _read_used_flags(clip, subject, one, settings) for clip in posed}
        parts.append(subject_rows(posed, subject, settings, used=used, first_frame=int(session.video_ranges[0, 0])))
    rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    scales = body_scales(base, subject.scale, subject.tables.bodies)
    d3ke.write_labels(outputs.labels, {name: rows[name] for name in d3ke.LABEL_DTYPES})
    d3ke.write_opensim_labels(
        outputs.opensim_labels,
        {name: rows[name] for name in d3ke.OPENSIM_DTYPES},
        subject=_number(subject.alignment.subject),
        bone_scale=scales,
    )
    error_m = layer_error_m(base, subject.tables, rows, scales)
    beyond = scales_beyond_reach(scales, subject.tables.bodies, means, read_body_scale_reach(inputs.labels))
    return StageReport(
        numbers={"rows": len(rows["frame"]), "cameras": len(parts), "layer_error_mm": error_m * 1e3},
        findings=(*findings, *_network_findings(error_m, beyond, held_off_zero(subject), n_scales=scales.size)),
        warnings=tuple(warnings),
    )


SHARD_D3KE = Stage(
    name="shard_d3ke",
    version=3,
    summary="files of D3KE's training code, of each subject",
    plan=plan_shard_d3ke,
    run=run_shard_d3ke,
    gathers=True,
)


def run_d3ke_corpus(inputs: CorpusInputs, outputs: CorpusOutputs, settings: NoSettings) -> StageReport:  # noqa: ARG001 - a stage has settings
    """Write what all subjects share."""
    from movi_prep.osim.base_model import read_base_model

    boxes: dict[int, dict[str, NDArray[np.float64]]] = {}
    # Subjects that failed have none; the others' files must not wait for them.
    for path in filter(None, inputs.boxes):
        subject, camera, _ = path.stem.split("_")
        boxes.setdefault(int(subject), {})[camera] = np.load(path, allow_pickle=False)
    if not boxes:
        raise InputError(
            outputs.boxes.parent,
            expected="boxes of at least one subject",
            got="none",
            remedy="see what failed before: movi-prep status",
        )
    clip_frames = {}
    for path in filter(None, inputs.sessions):
        session = read_session(inputs.reader, path)
        number = _number(session.subject)
        if number in boxes:
            # flags30 as the file has them: from 1, inclusive
            clip_frames[number] = (session.video_ranges + np.array([1, 0])).T.astype(np.int32)
    d3ke.write_dictionary(outputs.boxes, boxes)
    d3ke.write_dictionary(outputs.clip_frames, clip_frames)
    base = with_body_scales(read_base_model(inputs.base_model), read_body_scale_means(inputs.labels))
    d3ke.write_base_model(outputs.base_model, base)
    return StageReport(numbers={"subjects": len(boxes)})


D3KE_CORPUS = Stage(
    name="d3ke_corpus",
    version=1,
    summary="files of D3KE's training code that all subjects share",
    plan=plan_d3ke_corpus,
    run=run_d3ke_corpus,
    gathers=True,
)


def used_flags(
    clip: ClipRows, markers: MarkerTrajectories, names: Sequence[str], settings: D3keSettings
) -> NDArray[np.bool_]:
    """Return (n,) bool, the "moved since" flag of a clip's rows, decided on the clock of the trajectories.

    The released code decides it sample by sample at the mocap clock and reads it at the frames; trajectories at the
    mocap clock (`markers.rate: mocap`) give its flags. Its rule, read closely, is "any": the sum in its source
    counts the markers that moved far enough.
    """
    moved = moved_since_used(
        markers.select(names).positions_m,
        distance_m=settings.shard.used_frame_distance_m,
        rule=settings.shard.used_frame_rule,
    )
    return moved[np.searchsorted(markers.sample_indices, clip.timeline.mocap_samples)]


def subject_rows(
    clips: Sequence[ClipRows],
    subject: ShardSubject,
    settings: D3keSettings,
    *,
    used: Mapping[ClipId, NDArray[np.bool_]],
    first_frame: int,
) -> dict[str, NDArray[Any]]:
    """Return D3KE's datasets, of both label files, for what one camera sees of one subject.

    Args:
        clips: rows that have a picture.
        subject: the subject.
        settings: what the files are told.
        used: the "moved since" flag of each clip's rows.
        first_frame: first video frame of the subject's first clip, 0-based.
    """
    number, camera = _number(subject.alignment.subject), subject.camera.name
    frames = FrameNumbers.join(
        [frame_numbers(clip, settings.shard, clip=_number(clip.timeline.clip.clip)) for clip in clips]
    )
    labels = FrameLabels.join([clip.labels for clip in clips])
    n = labels.n_frames
    runs = np.concatenate([unbroken_runs(clip.timeline.video_frames) for clip in clips])
    names = zip(frames.clip.tolist(), frames.clip_frame.tolist(), strict=True)
    return {
        "pos3d": labels.joints.world_m,
        "sim_pos3d": labels.joints.model_world_m,
        "pos3d_mask": labels.joints.valid,
        "marker_pos3d": labels.markers.world_m,
        "sim_marker_pos3d": labels.markers.model_world_m,
        "marker_pos3d_mask": labels.markers.valid,
        "openSimJointPos": labels.joint_centres.world_m,
        "coordinateAngle": labels.coordinates.angles_rad,
        "coordinateMask": labels.coordinates.valid,
        **_random_columns(number, camera, n, seed=settings.seed),
        "ImgList": np.array([d3ke.image_name(number, camera, clip, frame).encode() for clip, frame in names]),
        "subjectID": np.full(n, number),
        "cameraType": np.full(n, camera.encode()),
        "videoID": frames.clip,
        "frame": frames.clip_frame,
        "globalFrame": frames.video_frame,
        "startFrame": runs[:, 0],
        "globalEndFrame": runs[:, 1],
        "globalStartFrame": np.full(n, first_frame),
        "usedFrame": np.concatenate([used[clip.timeline.clip] for clip in clips]),
        "bbox": np.concatenate([clip.plan.box_px for clip in clips]),
        "rootRot": _root_poses(labels.root),
    }


def unbroken_runs(frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (n, 2) int64: first and last of the successive frames around each of (n,) increasing ones.

    The released code takes a window of frames as so many rows up and down, between these two.
    """
    breaks = np.diff(frames) != 1
    run = np.concatenate([[0], np.cumsum(breaks)])
    return np.stack([frames[np.append(True, breaks)][run], frames[np.append(breaks, True)][run]], axis=1)


def with_body_scales(base: BaseModel, means: Mapping[str, Triple]) -> BaseModel:
    """Return the model with a scale for every label body that has no mesh to state one.

    D3KE's network predicts each body scale within fixed bounds about its mean over D3KE's subjects, which holds the
    mesh scales of D3KE's model. A model without meshes whose scale were 1 would put a third of the labels out of reach.

    Args:
        base: the unscaled model.
        means: body -> scale along x, y, z.
    """
    return replace(
        base,
        bodies=tuple(
            body if body.meshes or body.name not in means else replace(body, mesh_scale=means[body.name])
            for body in base.bodies
        ),
    )


def body_scales(base: BaseModel, scale: ScaleResult, bodies: Sequence[str]) -> NDArray[np.float64]:
    """Return (b, 3): scale factor times the mesh scale that the unscaled model states, as D3KE stores it."""
    meshes = {body.name: np.array(body.mesh_scale) for body in base.bodies}
    factors = dict(zip(scale.body_names, scale.body_factors, strict=True))
    lacking = sorted(set(bodies) - set(meshes))
    if lacking:
        raise ModelError(
            f"expected every label body in the model, but it lacks {', '.join(lacking)}; "
            "D3KE's layout needs a model with D3KE's bodies, write native shards instead"
        )
    return np.stack([meshes[name] * factors[name] for name in bodies])


def scales_beyond_reach(
    scales: NDArray[np.float64], bodies: Sequence[str], means: Mapping[str, Triple], reach: Mapping[str, Triple]
) -> tuple[str, ...]:
    """Return the body scales, as `skull_z`, that D3KE's network cannot predict as it is configured.

    Args:
        scales: (b, 3) as `body_scales` returns them.
        bodies: (b,) their bodies.
        means: body -> middle of what it predicts.
        reach: body -> how far from there.
    """
    beyond = np.abs(scales - [means[name] for name in bodies]) > [reach[name] for name in bodies]
    return tuple(f"{bodies[body]}_{'xyz'[axis]}" for body, axis in np.argwhere(beyond).tolist())


def layer_error_m(
    base: BaseModel, tables: LabelTables, rows: dict[str, NDArray[Any]], scales: NDArray[np.float64]
) -> float:
    """Return the largest distance between written joint centres and those of the network's layer, metres.

    Args:
        base: the unscaled model.
        tables: names of the labels; the last two OpenSim joints are leaves.
        rows: the written datasets.
        scales: (b, 3) as `body_scales` returns them.
    """
    meshes = {body.name: np.array(body.mesh_scale) for body in base.bodies}
    centres = layer_joint_centres(
        base,
        coordinate_names=tables.coordinates,
        angles_rad=rows["coordinateAngle"],
        root_poses=rows["rootRot"],
        scale_ratios={name: scales[index] / meshes[name] for index, name in enumerate(tables.bodies)},
        leaf_joints=tables.opensim_joints[-2:],
    )
    computed = np.stack([centres[name] for name in tables.opensim_joints], axis=1)
    misses = np.linalg.norm(computed - rows["openSimJointPos"], axis=-1)
    solved = np.any(rows["openSimJointPos"] != 0.0, axis=(1, 2))
    return float(misses[solved].max(initial=0.0))


def _subject_unit(
    recordings: Recordings, work: WorkFolder, config: Config, *, subject: str, cameras: tuple[str, ...]
) -> SubjectUnit:
    folder, number = work.d3ke_shards(), _number(subject)
    return Unit(
        stage=SHARD_D3KE.name,
        key=subject,
        inputs=D3keInputs(
            videos=tuple(recordings.videos[subject, camera] for camera in cameras),
            intrinsics=tuple(recordings.intrinsics[camera] for camera in cameras),
            extrinsics=tuple(recordings.extrinsics[camera] for camera in cameras),
            session=recordings.sessions[subject],
            base_model=model_and_setup(config)[0],
            **subject_inputs(recordings, work, subject),
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
    # A run of some subjects adds to what an earlier one wrote of the others: training opens the files of all.
    for key in sorted(recordings.sessions, key=natural_order):
        left = sorted(folder.glob(f"{_number(key)}_*_bbox.npy"))
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
            boxes=tuple(path for subject in subjects for path in boxes[subject]),
        ),
        outputs=CorpusOutputs(
            boxes=folder / "all_bbox.npy",
            clip_frames=folder / "videoIdx.npy",
            base_model=folder / "pyBaseModel.pkl",
        ),
        settings=NoSettings(),
    )


def _number(name: str) -> int:
    return require_number(name, wanted_by="D3KE's layout")


def held_off_zero(subject: ShardSubject) -> tuple[str, ...]:
    """Return the coordinates that the scaled model locks elsewhere than at zero, and that are no labels.

    The network's layer takes all of them as zero. D3KE's own model without hands has two, `elbow_y` of both sides.
    """
    tree = subject.model.tree
    if tree is None:
        return ()
    held = tree.coordinate_locked & (np.abs(tree.coordinate_default) > 1e-6)
    return tuple(
        name
        for name, is_held in zip(tree.coordinate_names, held, strict=True)
        if is_held and name not in subject.tables.coordinates
    )


def _network_findings(error_m: float, beyond: Sequence[str], held: Sequence[str], *, n_scales: int) -> list[str]:
    """Return sentences on what D3KE's network could not learn of these labels."""
    findings = []
    if beyond:
        findings.append(
            f"{len(beyond)} of {n_scales} body scales lie beyond what D3KE's network predicts as it is configured: "
            f"{list_names(beyond)}; widen its BODY_AMPITUDE_VALUE to train on them"
        )
    if error_m > LAYER_TOLERANCE_M:
        reason = (
            f"it takes {list_names(held)} as zero, which the scaled model locks elsewhere"
            if held
            else "a coordinate that is no label is not zero, or the model has parts that the layer does not know"
        )
        findings.append(
            f"D3KE's layer gives joint centres up to {error_m * 1e3:.2f} mm from the written ones: {reason}"
        )
    return findings


def _with_pose(clips: Sequence[ClipRows], inputs: ShardInputs) -> tuple[list[ClipRows], list[Refusal]]:
    """Return the rows that have a pose, and the frames that have none; raise InputError where none has one."""
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
        raise InternalError(f"{clip.timeline.clip} has rows, but no markers")
    return used_flags(clip, read_markers(path), subject.tables.markers, settings)


def _settings_of_camera(settings: D3keSettings, index: int) -> ShardUnitSettings:
    return settings.shard.model_copy(update={"other_cameras": _without(settings.cameras, index)})


def _without(items: tuple[T, ...], index: int) -> tuple[T, ...]:
    return items[:index] + items[index + 1 :]


def _one_camera(inputs: D3keInputs, camera: str, index: int) -> ShardInputs:
    return ShardInputs(
        camera=camera,
        video=inputs.videos[index],
        intrinsics=inputs.intrinsics[index],
        extrinsics=inputs.extrinsics[index],
        other_intrinsics=_without(inputs.intrinsics, index),
        other_extrinsics=_without(inputs.extrinsics, index),
        **{item.name: getattr(inputs, item.name) for item in fields(SubjectInputs)},
    )


def _write_pictures(
    planned: PlannedClips,
    subject: ShardSubject,
    inputs: ShardInputs,
    outputs: D3keOutputs,
    *,
    index: int,
    settings: ShardUnitSettings,
) -> tuple[list[ClipRows], list[str]]:
    """Write one camera's pictures and boxes; return the rows to keep, and what is to be told of the others.

    Pictures of a clip that turns out suspect stay in the file; no row names them.
    """
    clips = planned.clips
    frames = np.concatenate([clip.timeline.video_frames for clip in clips])
    sources = np.concatenate([clip.plan.source_px for clip in clips])
    reader = open_video(inputs, subject.camera, settings)
    watch = watch_clips(clips, subject.camera)
    # A header may promise fewer frames than come; the flags tell which ones are asked for.
    n_frames = max(reader.header.n_frames, int(frames.max()) + 1)
    came = np.zeros(len(frames), dtype=bool)

    def pictures() -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for number, image in reader.frames(set(frames.tolist())):
            rows = np.flatnonzero(frames == number)
            came[rows] = True
            watch(number, image)
            yield number, _blacken(image, sources[rows])

    width, height = subject.camera.size_px
    name = inputs.video.stem if inputs.video is not None else subject.camera.name
    d3ke.write_images(outputs.images[index], pictures(), name=name, shape=(n_frames, height, width))
    faults = reader.faults(set(frames.tolist()))
    reader.close()
    shown = with_pictures(clips, came)
    check_rows(shown, faults, inputs)
    boxes = np.concatenate([clip.plan.box_px for clip in clips])
    d3ke.write_boxes(outputs.boxes[index], _boxes_of_video(frames, boxes, n_frames))
    judged = judge_pictures(watch.results(), subject.camera.name, settings.picture_check)
    suspects = judged.left_out(settings.picture_check)
    gone = {item.clip for item in suspects}
    kept = [clip for clip in shown if clip.timeline.clip not in gone]
    if not kept:
        raise judged.refusal(inputs.video, subject.camera.name)
    told = (*reader.damage(), *suspects, *not_shown(clips, shown), *judged.kept(settings.picture_check), *faults)
    return kept, [str(item) for item in told]


def _blacken(image: NDArray[np.uint8], boxes_px: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the image with everything outside the boxes black."""
    # Boxes are copied, not masked: a frame is mostly black, and gzip is what takes the time.
    black = np.zeros_like(image)
    for left, top, width, height in boxes_px.tolist():
        black[top : top + height, left : left + width] = image[top : top + height, left : left + width]
    return black


def _boxes_of_video(frames: NDArray[np.int64], boxes_px: NDArray[np.int64], n_frames: int) -> NDArray[np.float64]:
    """Return a box for every frame of the video: where there is none, that of the frame before, as D3KE does."""
    # Frames before the first box have the first one: there is none before it.
    order = np.argsort(frames, kind="stable")
    last = np.searchsorted(frames[order], np.arange(n_frames), side="right") - 1
    return boxes_px[order][np.maximum(last, 0)].astype(np.float64)


def _root_poses(root: RootPoses) -> NDArray[np.float64]:
    poses = np.zeros((len(root.valid), 4, 4))
    poses[:, :3, :3] = root.rotation_world
    poses[:, :3, 3] = root.position_world_m
    poses[:, 3, 3] = 1.0
    return poses


def _random_columns(subject: int, camera: str, n: int, *, seed: int) -> dict[str, NDArray[np.int64]]:
    """Return `hflipUsage` and `seed`, one draw per subject and camera, as the released code has them."""
    # By subject and camera, so that the draws of one do not depend on which others are written.
    rng = np.random.default_rng([seed, subject, *camera.encode()])
    return {"hflipUsage": np.full(n, int(rng.uniform() >= 0.5)), "seed": np.full(n, int(rng.integers(0, 2**10)))}
