"""Inputs of shards in both layouts: the files of one subject and camera, and the rows of its clips.

A clip with missing inputs is left out; other clips are unaffected.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from movi_prep.config.footage import NO_CHOICE
from movi_prep.errors import InputError, MissingError
from movi_prep.formats.alignment_file import read_alignment
from movi_prep.formats.file_stamp import FileStamp, file_stamp
from movi_prep.formats.hdf5_trial import try_together
from movi_prep.formats.ik_file import read_ik_solution
from movi_prep.formats.label_tables import default_label_tables_path, read_label_tables
from movi_prep.formats.marker_file import read_markers, read_static_trial
from movi_prep.formats.motion_files import open_motion
from movi_prep.formats.scale_file import read_scale_result
from movi_prep.geometry.frame_labels import SolvedClip
from movi_prep.geometry.surface_samples import spread_vertices
from movi_prep.plain_text import count_of
from movi_prep.recordings.read import read_camera
from movi_prep.recordings.wanted import WANTED
from movi_prep.records.advance import advancing, unheard
from movi_prep.records.identity import ClipId
from movi_prep.records.ik_solution import FrameStatus
from movi_prep.records.recordings import CameraFiles
from movi_prep.records.timeline import LeftOut
from movi_prep.stages.markers import model_for
from movi_prep.stages.shards.clip_rows import ClipRows, outside, plan_clip
from movi_prep.stages.shards.clip_sources import ClipSources
from movi_prep.stages.solve_clip import read_scaled_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.body.skinning import BodyPart
    from movi_prep.config.footage import MotionChoice
    from movi_prep.config.shard import ShardUnitSettings
    from movi_prep.osim.solution import ScaledModel
    from movi_prep.records.advance import Advance
    from movi_prep.records.alignment import ClipAlignment, SubjectAlignment
    from movi_prep.records.camera import Camera
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.label_tables import LabelTables
    from movi_prep.records.markers import StaticTrial
    from movi_prep.records.motion import Sex, UpAxis
    from movi_prep.records.recordings import ReaderName, Recordings
    from movi_prep.records.scale_result import ScaleResult
    from movi_prep.records.timeline import Refusal
    from movi_prep.records.work_folder import WorkFolder
    from movi_prep.video.footage import FrameReader

N_VERTICES = 400
"""Number of the mesh's 6890 vertices that sample the body. Boxes around them miss the whole mesh's by a few pixels; the
margin is ten times that."""

SAME_PLACE_M = 1e-3
"""Least distance between two cameras, metres; closer ones count as the same."""

_POSED_AT_ONCE = 512
"""Samples posed in one batch; this bounds the memory and changes no result."""


_ANY_RATE_HZ = 30.0
"""Stands for the rate of motion that does not say it: the mesh is posed sample by sample, whatever their times."""


_NEAREST_M, _FARTHEST_M = 0.3, 100.0
"""Distances at which a camera films a person; others come of a wrong unit."""

_CORRECT = " (see metres_per_unit and world_up of its calibration, and whether its origin is that of the motion)"


class MotionOf(NamedTuple):
    """The motion of a clip: a file, a person in it, and the axis that is up (None where it must be found out)."""

    path: Path
    choice: MotionChoice
    up: UpAxis | None


@dataclass(frozen=True)
class SubjectInputs:
    """Files from which all shards of a subject are made, in either layout; None for a file that does not exist.

    `clips` are the keys of the subject's clips; `motions`, `markers` and `solutions` have one entry for each,
    None if the unit that writes it failed. `choices` says whose motion of its file each clip is, `motion_up` which
    axis is up in it, where that is known.
    """

    subject: str
    reader: ReaderName
    clips: tuple[str, ...]
    alignment: Path
    static_trial: Path
    scale: Path
    scaled_model: Path
    body_model: Path | None
    labels: Path
    motions: tuple[Path, ...]
    choices: tuple[MotionChoice, ...]
    motion_up: UpAxis | None
    markers: tuple[Path | None, ...] = field(metadata={"optional": True})
    solutions: tuple[Path | None, ...] = field(metadata={"optional": True})


@dataclass(frozen=True)
class ShardInputs(SubjectInputs):
    """Files from which one native shard is made; None for a file that does not exist.

    `videos`, `intrinsics` and `extrinsics` have one entry for each clip, which may all be one file.
    """

    camera: str
    videos: tuple[Path | None, ...]
    intrinsics: tuple[Path | None, ...]
    extrinsics: tuple[Path | None, ...]
    other_intrinsics: tuple[Path | None, ...] = field(default=(), metadata={"optional": True})
    other_extrinsics: tuple[Path | None, ...] = field(default=(), metadata={"optional": True})

    @property
    def video(self) -> Path | None:
        """The first video, for messages."""
        return next(filter(None, self.videos), None)


@dataclass(frozen=True)
class ShardSubject:
    """The data that all clips of a shard share.

    `camera` is that of the first clip; others differ in the pose only. `without_camera` says why a clip has none.
    """

    alignment: SubjectAlignment
    camera: Camera
    cameras: Mapping[ClipId, Camera]
    without_camera: Mapping[ClipId, str]
    tables: LabelTables
    trial: StaticTrial
    scale: ScaleResult
    model: ScaledModel
    body: BodyPart
    others: tuple[Camera, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedClips:
    """The rows for which pictures are read.

    Attributes:
        clips: rows of every clip that can have some.
        left_out: the other clips, and why.
        findings: other findings.
        warnings: what must not be overlooked.
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

    def with_video(self, *, findings: Sequence[str], warnings: Sequence[str]) -> PlannedClips:
        """Return the plan with the warnings about the video file."""
        return replace(self, findings=(*self.findings, *findings), warnings=(*self.warnings, *warnings))


def subject_inputs(recordings: Recordings, work: WorkFolder, subject: str, clips: tuple[ClipId, ...]) -> dict[str, Any]:
    """Return the fields of SubjectInputs for some clips of one subject."""
    motions = tuple(recordings.motions[clip] for clip in clips)
    choices = tuple(recordings.choices.get(clip, NO_CHOICE) for clip in clips)
    return {
        "subject": subject,
        "clips": tuple(map(str, clips)),
        "alignment": work.alignment(subject),
        "static_trial": work.static_trial(subject),
        "scale": work.scale_result(subject),
        "scaled_model": work.scaled_model(subject),
        "reader": recordings.reader,
        "body_model": model_for(motions, recordings.body_models, choices),
        "labels": default_label_tables_path(),
        "motions": motions,
        "choices": choices,
        "motion_up": recordings.motion_up,
        "markers": tuple(work.markers(clip) for clip in clips),
        "solutions": tuple(work.ik_solution(clip) for clip in clips),
    }


def read_shard_subject(inputs: ShardInputs, settings: ShardUnitSettings) -> ShardSubject:
    """Read the data that all clips of one subject and camera share."""
    trial = read_static_trial(inputs.static_trial)
    # Raised when the unit runs, not while planning, so that other subjects are unaffected.
    if inputs.body_model is None or trial.sex is None:
        raise _missing(f"body model of {inputs.subject}", f"smplh/{trial.sex}/model.npz", "--body-models")
    cameras, without = _read_cameras(inputs, settings)
    calibrated = next(iter(cameras.values()))
    others, warnings = _read_others(calibrated, inputs, settings)
    return ShardSubject(
        alignment=read_alignment(inputs.alignment),
        camera=calibrated,
        cameras=cameras,
        without_camera=without,
        tables=read_label_tables(inputs.labels, split=settings.split),
        trial=trial,
        scale=read_scale_result(inputs.scale),
        model=read_scaled_model(inputs.scaled_model),
        body=_body_sample(inputs.body_model, trial.sex),
        others=others,
        warnings=warnings,
    )


def _read_cameras(inputs: ShardInputs, settings: ShardUnitSettings) -> tuple[dict[ClipId, Camera], dict[ClipId, str]]:
    """Return the camera of each clip, and why others have none; raise InputError where no clip has one."""
    name, options = inputs.camera, settings.camera_options or [None] * len(inputs.clips)
    read: dict[tuple[Any, ...], Camera | InputError] = {}
    cameras, errors = {}, {}
    for key, *files, video, how in zip(
        inputs.clips, inputs.intrinsics, inputs.extrinsics, inputs.videos, options, strict=True
    ):
        intrinsics, extrinsics = files
        if intrinsics is None or extrinsics is None:
            raise _missing(
                f"calibration of {name}", WANTED[inputs.reader].calibration.format(camera=name), "--calibration"
            )
        pictures = video if video is not None and video.is_dir() else None
        # Clips of a session share their calibration: each is read once.
        place = (intrinsics, extrinsics, pictures, how)
        if place not in read:
            try:
                read[place] = read_camera(inputs.reader, name, CameraFiles(intrinsics, extrinsics, how), pictures)
            except InputError as error:
                read[place] = error
        found, clip = read[place], ClipId.parse(key)
        if isinstance(found, InputError):
            errors[clip] = found
        else:
            cameras[clip] = found
    if not cameras:
        raise next(iter(errors.values()))
    cameras, others = _of_one_lens(cameras)
    return cameras, {clip: str(error) for clip, error in (errors | others).items()}


def _of_one_lens(cameras: Mapping[ClipId, Camera]) -> tuple[dict[ClipId, Camera], dict[ClipId, InputError]]:
    """Return the clips whose cameras differ in the pose only, as a shard has one camera matrix; and the other clips."""
    kinds: dict[ClipId, tuple[Any, ...]] = {
        clip: (
            camera.intrinsics_px.tobytes(),
            camera.size_px,
            camera.lens.model,
            camera.lens.coefficients.tobytes(),
            camera.is_moving,
        )
        for clip, camera in cameras.items()
    }
    # Of most clips: one clip with another calibration must not cost all others.
    ((usual, _),) = Counter(kinds.values()).most_common(1)
    kept = {clip: camera for clip, camera in cameras.items() if kinds[clip] == usual}
    first = next(iter(kept.values()))
    others = {
        clip: InputError(
            camera.source,
            expected=f"the camera matrix, lens and picture size that {first.name} has in {first.source}",
            got="others, or a camera that moves in some clips only",
            remedy="give cameras that differ names of their own",
        )
        for clip, camera in cameras.items()
        if clip not in kept
    }
    return kept, others


def video_rate_hz(subject: ShardSubject, settings: ShardUnitSettings) -> float:
    """Return the frame rate of the videos: what was measured where clips have videos of their own."""
    own = [item.video_rate_hz for item in subject.alignment.clips if item.camera == subject.camera.name]
    # The median, because one clip with a damaged clock must not set the rate of all.
    return float(np.median([rate for rate in own if rate])) if any(own) else settings.video_rate_hz


def _read_others(
    camera: Camera, inputs: ShardInputs, settings: ShardUnitSettings
) -> tuple[tuple[Camera, ...], tuple[str, ...]]:
    """Read the other cameras' calibration; a faulty file fails that camera's own shard, and is only a warning here."""
    cameras, warnings = [], []
    files = zip(settings.other_cameras, inputs.other_intrinsics, inputs.other_extrinsics, strict=True)
    for name, intrinsics, extrinsics in files:
        if intrinsics is None or extrinsics is None:
            warnings.append(f"pictures are not compared with the calibration of {name}: its files have gone")
            continue
        try:
            other = read_camera(inputs.reader, name, CameraFiles(intrinsics, extrinsics))
        except InputError as error:
            warnings.append(f"pictures are not compared with the calibration of {name}: {error}")
            continue
        if other.is_moving:
            # A moving camera's poses belong to the frames of its own video.
            continue
        cameras.append(other)
        if camera.is_moving:
            continue
        apart_m = other.world_to_camera_translation_m - camera.world_to_camera_translation_m
        if np.linalg.norm(apart_m) < SAME_PLACE_M:
            names = f"{_name(next(iter(inputs.extrinsics)))} and {extrinsics.name}"
            warnings.append(f"{camera.name} and {name} have the same position in {names}: is one a copy of the other?")
    return tuple(cameras), tuple(warnings)


def _name(path: Path | None) -> str:
    return path.name if path is not None else "none"


def plan_clips(
    subject: ShardSubject, inputs: ShardInputs, settings: ShardUnitSettings, advance: Advance = unheard
) -> PlannedClips:
    """Return the rows of every clip that can have some, and why the other clips have none."""
    files = {
        ClipId.parse(key): (MotionOf(motion, choice, inputs.motion_up), markers, solution)
        for key, motion, choice, markers, solution in zip(
            inputs.clips, inputs.motions, inputs.choices, inputs.markers, inputs.solutions, strict=True
        )
    }
    try_together(path for path in (*inputs.markers, *inputs.solutions) if path is not None)
    aligned = [item for item in subject.alignment.clips if item.camera in ("", inputs.camera)]
    # An earlier alignment may hold more clips than are asked for now.
    asked = [item for item in aligned if item.timeline.clip in files]
    planned = [_rows_of(item, files, subject, settings) for item in advancing(asked, advance, total=len(asked))]
    clips = [item for item in planned if isinstance(item, ClipRows)]
    left_out = [
        *_not_aligned(files, aligned, subject.alignment.findings),
        *(item for item in planned if isinstance(item, LeftOut)),
    ]
    if not clips:
        raise InputError(
            inputs.alignment,
            expected="at least one clip with markers, inverse kinematics and a trusted alignment",
            got="none; " + ("; ".join(map(str, left_out)) or "the alignment has no clips"),
            remedy="see which units failed before: movi-prep status",
        )
    return PlannedClips(
        tuple(clips), tuple(left_out), _label_findings(subject.model, clips), (*subject.warnings, *_far_cameras(clips))
    )


def _rows_of(
    alignment: ClipAlignment,
    files: Mapping[ClipId, tuple[MotionOf, Path | None, Path | None]],
    subject: ShardSubject,
    settings: ShardUnitSettings,
) -> ClipRows | LeftOut:
    """Return the rows of one clip, or why it has none; `files` are each clip's motion, markers and solution."""
    clip = alignment.timeline.clip
    if alignment.is_suspect and not settings.keep_suspects:
        return LeftOut(clip, f"suspect alignment ({'; '.join(alignment.suspicions)})")
    motion, markers, solution = files[clip]
    if clip in subject.without_camera:
        return LeftOut(clip, subject.without_camera[clip])
    if markers is None or solution is None:
        return LeftOut(clip, f"it has no {'inverse kinematics' if markers else 'markers'}, because that unit failed")
    try:
        sources = ClipSources(
            alignment=alignment,
            solved=SolvedClip(read_markers(markers), read_ik_solution(solution), subject.scale),
            **pose_vertices(subject.body, motion, step=_mocap_step(alignment.timeline.mocap_samples)),
        )
        rows = plan_clip(
            sources, subject.tables, subject.cameras[clip], settings, model=subject.model, others=subject.others
        )
    except InputError as error:
        # Markers and solutions are optional inputs, so that a failed clip does not stop the others.
        return LeftOut(clip, str(error))
    if not rows.labels.root.valid.any():
        why = _why_empty(rows, sources.solved.solution)
        # A unit or an axis that is wrong moves the camera: its distance shows it.
        away = _distance_m(subject.cameras[clip], sources.vertices_m)
        is_outside = any(item.reason == outside(subject.camera) for item in rows.timeline.refused)
        said = f"; {subject.camera.name} stands {away:.3g} m from the body" if is_outside else ""
        return LeftOut(clip, why + said + (_CORRECT if said and settings.camera_options else ""))
    return rows


def _label_findings(model: ScaledModel, clips: Sequence[ClipRows]) -> tuple[str, ...]:
    """Return findings on labels that the model has in no row."""
    findings = [] if model.tree is not None else [f"no kinematic tree in the shard: {model.refusal}"]
    lacking = sorted({name for clip in clips for name in clip.absent})
    if lacking:
        findings.append(
            f"{count_of(len(lacking), 'label')} without values, in neither model nor markers: {', '.join(lacking)}"
        )
    return tuple(findings)


def _not_aligned(
    clips: Iterable[ClipId], alignments: Iterable[ClipAlignment], findings: Sequence[str]
) -> list[LeftOut]:
    """Return the clips that are not in the alignment, with its reasons."""
    aligned = {item.timeline.clip for item in alignments}
    said = {clip: f"{clip} is not aligned" for clip in clips if clip not in aligned}
    return [
        LeftOut(
            clip,
            next((text for text in findings if text.startswith(words)), words).removeprefix(f"{clip} is "),
        )
        for clip, words in said.items()
    ]


def _distance_m(camera: Camera, points_m: NDArray[Any]) -> float:
    """Return how far a camera is from points (..., 3) in AMASS world; a camera that moves, at its first pose."""
    still = camera if camera.pose_frames is None else camera.at(int(camera.pose_frames[0]))
    place = -still.world_to_camera_rotation.T @ still.world_to_camera_translation_m
    return float(np.linalg.norm(place - points_m.reshape(-1, 3).mean(axis=0)))


def _far_cameras(clips: Sequence[ClipRows]) -> tuple[str, ...]:
    """Return a warning on each clip whose camera stands where none can film a person."""
    apart = {clip.timeline.clip: _distance_m(clip.camera, clip.labels.joints.world_m) for clip in clips}
    return tuple(
        f"{clip}: the camera stands {away:.3g} m from the body{_CORRECT}"
        for clip, away in apart.items()
        if not _NEAREST_M <= away <= _FARTHEST_M
    )


def _why_empty(rows: ClipRows, solution: IkSolution) -> str:
    """Return why a clip has no row with a pose."""
    n_rows = rows.timeline.n_frames
    if n_rows == 0:
        return "no frame can have a row: " + ("; ".join(map(str, rows.timeline.refused)) or "the clip has none")
    counts = Counter(FrameStatus(status).name.lower().replace("_", " ") for status in solution.statuses.tolist())
    statuses = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    return f"inverse kinematics has a usable pose in none of {n_rows} frames ({statuses})"


def _body_sample(path: Path, sex: Sex) -> BodyPart:
    """Return a sample of the mesh that is ready to be posed; subjects of one sex share it."""
    return _cached_body_sample(path, file_stamp(path), sex)


@lru_cache(maxsize=2)
def _cached_body_sample(path: Path, stamp: FileStamp, sex: Sex) -> BodyPart:  # noqa: ARG001 - part of the key
    from movi_prep.body.skinning import select_vertices
    from movi_prep.formats.body_models import read_body_model

    model = read_body_model(path, sex=sex)
    return select_vertices(model, spread_vertices(model.template_m, N_VERTICES).tolist())


def pose_vertices(body: BodyPart, motion: MotionOf, *, step: int) -> dict[str, NDArray[Any]]:
    """Return `vertices_m` and `vertex_samples` of ClipSources: a sample of the mesh at every `step`-th sample."""
    from movi_prep.body.device import torch_threads
    from movi_prep.body.skinning import pose_body, shape_body

    vertices, samples = [], []
    # One thread, because there are as many workers as cores.
    file_of = open_motion(motion.path, motion.choice, rate_hz=_ANY_RATE_HZ, up=motion.up)
    with torch_threads(1), file_of as file:
        shaped = shape_body(body, file.shape.betas)
        for numbers, block in file.blocks(_POSED_AT_ONCE, every=step):
            vertices.append(pose_body(shaped, block).vertices_m)
            samples.append(numbers)
    return {"vertices_m": np.concatenate(vertices), "vertex_samples": np.concatenate(samples)}


def _mocap_step(samples: NDArray[np.int64]) -> int:
    """Return the spacing of the samples that a clip's frames show; they start at 0."""
    # Zero for a clip of which only the first sample is used: every step will do.
    return int(np.gcd.reduce(samples)) or 1


def open_video(video: Path, inputs: SubjectInputs, camera: Camera, settings: ShardUnitSettings) -> FrameReader:
    """Open a video of one camera; raise InputError unless image size and frame rate fit the calibration."""
    from movi_prep.video.footage import check_size, open_footage
    from movi_prep.video.reader import VideoReader

    if inputs.reader == "bmlmovi":
        session_video = VideoReader(video)
        session_video.check(size_px=camera.size_px, rate_hz=settings.video_rate_hz)
        return session_video
    reader = open_footage(video)
    check_size(reader, camera.size_px)
    return reader


def missing_video(inputs: SubjectInputs, camera: str) -> MissingError:
    """Return the error of a camera without a video."""
    return _missing(f"video of {camera}", WANTED[inputs.reader].videos.format(camera=camera), "--videos")


def with_pictures(clips: Sequence[ClipRows], came: NDArray[np.bool_]) -> list[ClipRows]:
    """Return the rows that got a picture, without clips that got none; (n,) bool `came` covers the rows of all
    clips."""
    # The video was read for the rows of all clips in order.
    ends = np.cumsum([clip.timeline.n_frames for clip in clips])[:-1]
    parts = np.split(came, ends)
    return [clip.keep(part) for clip, part in zip(clips, parts, strict=True) if part.any()]


def not_shown(planned: Sequence[ClipRows], kept: Sequence[ClipRows]) -> tuple[LeftOut, ...]:
    """Return the clips that the video does not show at all."""
    there = {clip.timeline.clip for clip in kept}
    return tuple(
        LeftOut(clip.timeline.clip, "the video shows none of its frames")
        for clip in planned
        if clip.timeline.clip not in there
    )


def check_rows(clips: Sequence[ClipRows], refused: Sequence[Refusal], inputs: ShardInputs) -> None:
    """Raise InputError if no row of any clip got a picture."""
    if not clips:
        raise InputError(
            inputs.video or "video",
            expected="at least one intact frame within the flags",
            got="; ".join(map(str, refused)) or "none",
            remedy="check that the video is whole and belongs to this subject",
        )


def _missing(what: str, expected: str, flag: str) -> MissingError:
    return MissingError(what, expected=expected, got="none", remedy=f"put it into the folder of {flag}")
