"""The shard stage: writes what one camera saw of one subject, with labels, into one file.

| unit | reads | writes |
|---|---|---|
| `shard S001/PG1` | alignment, video, all calibration, motion, markers, IK, body model, scaling | `S001_PG1.h5` |

Rows are video frames that have a mocap sample, an IK row, a body in the image and an intact picture. Every other
frame within the flags is refused by number, in the report and in the file. Positions are metres in AMASS world and
in the camera frame, angles radians, pixels those of the video image. `formats.shard_schema` is the layout.

The one pass over the video also measures how well its pictures agree with the projected body (`picture_check`). If
the pictures of a clip are suspect, the pass is repeated without that clip.

A clip with missing inputs is left out; other clips are unaffected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.formats.shard import open_shard_writer
from movi_prep.records.advance import between, counted
from movi_prep.records.timeline import LeftOut
from movi_prep.records.unit import InSteps, Stage, StageReport, Unit
from movi_prep.stages.order import idle_cameras
from movi_prep.stages.shards.clip_rows import ClipRows
from movi_prep.stages.shards.file_fields import FinishedShard, shard_attributes, shard_fields
from movi_prep.stages.shards.subject_clips import (
    PlannedClips,
    ShardInputs,
    ShardSubject,
    check_rows,
    not_shown,
    plan_clips,
    read_shard_subject,
    subject_inputs,
    video_rate_hz,
    with_pictures,
)
from movi_prep.stages.shards.video_passes import by_video, cannot_open, join_passes, judge_videos, pass_over

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import TypeAlias

    from movi_prep.config.root import Config
    from movi_prep.config.shard import ShardUnitSettings
    from movi_prep.records.advance import Advance
    from movi_prep.records.camera import Camera
    from movi_prep.records.recordings import Recordings
    from movi_prep.records.work_folder import WorkFolder
    from movi_prep.stages.shards.picture_check import JudgedVideo
    from movi_prep.video.crop_pass import CropPass

    ShardUnit: TypeAlias = Unit[ShardInputs, "ShardOutputs", ShardUnitSettings]

_PLANNING = 0.2
"""About which part of the work is done when the rows are planned and the pass over the video begins."""

LEAST_POSES = 0.5
"""Least share of rows with a pose; below it, a warning names the clip."""


@dataclass(frozen=True)
class ShardOutputs:
    """The shard's file."""

    shard: Path


def plan_shard(recordings: Recordings, work: WorkFolder, config: Config) -> tuple[ShardUnit, ...]:
    """Return one unit per subject and camera, for subjects with a video and cameras that can have shards."""
    # A subject without any video was not filmed. If only one camera's video is missing, its unit fails and says so.
    with_video = {subject for subject, _ in recordings.filmed}
    cameras = recordings.cameras_wanted(config.shard.cameras)
    idle = idle_cameras(recordings, cameras)
    return tuple(
        _shard_unit(recordings, work, config, subject=subject, camera=camera)
        for subject in recordings.subjects
        if subject in with_video
        for camera in cameras
        if camera not in idle and (recordings.reader == "bmlmovi" or (subject, camera) in recordings.filmed)
    )


def run_shard(inputs: ShardInputs, outputs: ShardOutputs, settings: ShardUnitSettings, advance: Advance) -> StageReport:
    """Write one subject's shard for one camera."""
    subject = read_shard_subject(inputs, settings)
    # Videos of clips have measured rates; everything after this line must use those.
    settings = settings.model_copy(update={"video_rate_hz": video_rate_hz(subject, settings)})
    planned = plan_clips(subject, inputs, settings, between(advance, 0.0, _PLANNING))
    planned = _with_videos(planned, inputs, settings)
    advance = between(advance, _PLANNING, 1.0)
    try:
        return _write_shard(planned, subject, inputs, outputs, settings, advance=advance)
    # Only the pass over the video shows which clips are suspect, so it is repeated without them.
    except _SuspectPictures as found:
        rest = planned.without(found.left_out)
        if not rest.clips:
            raise found.judged.refusal(inputs.video, subject.camera.name) from None
        return _write_shard(rest, subject, inputs, outputs, settings, advance=advance, judged=found.judged)


def _with_videos(planned: PlannedClips, inputs: ShardInputs, settings: ShardUnitSettings) -> PlannedClips:
    """Return the clips whose own video can be opened and is of the calibrated size; the others are left out."""
    videos = by_video(planned.clips, inputs)
    # One video for all clips fails the unit by itself; it is opened once.
    if len(videos) == 1:
        return planned
    errors = {video.video: error for video in videos if (error := cannot_open(video, inputs, settings)) is not None}
    if len(errors) == len(videos):
        raise next(iter(errors.values()))
    lost = [
        LeftOut(clip.timeline.clip, str(errors[video.video]))
        for video in videos
        if video.video in errors
        for clip in video.clips
    ]
    return planned.without(lost)


class _SuspectPictures(Exception):  # noqa: N818 - not an error: it discards what was written so far
    """Some clips in the shard being written must be left out."""

    def __init__(self, left_out: tuple[LeftOut, ...], judged: JudgedVideo) -> None:
        super().__init__("; ".join(map(str, left_out)))
        self.left_out, self.judged = left_out, judged


def _write_shard(  # noqa: PLR0913 - a shard, spelt out
    planned: PlannedClips,
    subject: ShardSubject,
    inputs: ShardInputs,
    outputs: ShardOutputs,
    settings: ShardUnitSettings,
    *,
    advance: Advance,
    judged: JudgedVideo | None = None,
) -> StageReport:
    """Write a shard of these clips; raise _SuspectPictures if pictures that are not yet `judged` must be left out."""
    with open_shard_writer(outputs.shard) as writer:
        n_rows = sum(clip.timeline.n_frames for clip in planned.clips)
        take = counted(writer.append_picture, advance, total=n_rows)
        # The second pass does not watch, because the pictures have been judged.
        passes = [
            pass_over(video, inputs, settings, take=take, watching=judged is None)
            for video in by_video(planned.clips, inputs)
        ]
        planned = planned.with_video(
            findings=[text for one in passes for text in one.notes],
            warnings=[text for one in passes for text in one.damage],
        )
        if judged is None:
            judged = judge_videos(passes, subject.camera.name, settings.picture_check)
            left_out = judged.left_out(settings.picture_check)
            if left_out:
                raise _SuspectPictures(left_out, judged)
        crops = join_passes(passes)
        shard = _finished(planned, crops, judged)
        check_rows(shard.clips, shard.lost, inputs)
        writer.finish(
            picture_of_row=crops.picture_of_row[crops.picture_of_row >= 0],
            fields=shard_fields(shard, subject, crops, settings),
            attributes=shard_attributes(shard, subject, settings),
            provenance=_provenance(inputs),
        )
    return _report(shard, planned, subject.camera, settings)


def _finished(planned: PlannedClips, crops: CropPass, judged: JudgedVideo) -> FinishedShard:
    """Return the content of the shard after the video has been read."""
    kept = with_pictures(planned.clips, crops.picture_of_row >= 0)
    refused = {item for clip in planned.clips for item in clip.timeline.refused}
    return FinishedShard(
        clips=kept,
        # Frames that the video lost are listed as lost; do not list them again as refused.
        refused=sorted(refused - {*crops.faults}),
        lost=list(crops.faults),
        left_out=(*planned.left_out, *not_shown(planned.clips, kept)),
        judged=judged,
    )


SHARD = Stage(
    name="shard",
    version=11,
    summary="crops and labels of each subject and camera",
    plan=plan_shard,
    run=InSteps(run_shard),
    gathers=True,
)


def _shard_unit(recordings: Recordings, work: WorkFolder, config: Config, *, subject: str, camera: str) -> ShardUnit:
    # Try every calibration: if files were exchanged, another camera's calibration fits better.
    others = tuple(sorted((frozenset(recordings.intrinsics) & frozenset(recordings.extrinsics)) - {camera}))
    clips = recordings.clips_of(subject)
    # Where clips have videos of their own, those that this camera did not film are no matter of this shard.
    clips = tuple(clip for clip in clips if (clip, camera) in recordings.footage) or clips
    files = [recordings.camera_files(clip, camera) for clip in clips]
    return Unit(
        stage=SHARD.name,
        key=f"{subject}/{camera}",
        inputs=ShardInputs(
            camera=camera,
            videos=tuple(recordings.video_of(clip, camera) for clip in clips),
            intrinsics=tuple(None if item is None else item.intrinsics for item in files),
            extrinsics=tuple(None if item is None else item.extrinsics for item in files),
            other_intrinsics=tuple(recordings.intrinsics[name] for name in others),
            other_extrinsics=tuple(recordings.extrinsics[name] for name in others),
            **subject_inputs(recordings, work, subject, clips),
        ),
        outputs=ShardOutputs(shard=work.shard(subject, camera)),
        settings=config.shard.shard_unit(
            video_rate_hz=config.markers.video_rate_hz,
            landmark_limit_m=config.ik.landmark_limit_m,
            other_cameras=others,
            camera_options=tuple(item.options for item in files if item is not None and item.options is not None),
        ),
    )


def _provenance(inputs: ShardInputs) -> dict[str, Any]:
    """Return file names without folders, so that equal inputs give equal bytes wherever they lie."""
    files = {"video": inputs.videos, "intrinsics": inputs.intrinsics, "extrinsics": inputs.extrinsics}
    names = {role: list(dict.fromkeys(path.name for path in paths if path)) for role, paths in files.items()}
    return {
        **{role: found[0] if len(found) == 1 else found for role, found in names.items() if found},
        "motions": [path.name for path in inputs.motions],
    }


def _report(shard: FinishedShard, planned: PlannedClips, camera: Camera, settings: ShardUnitSettings) -> StageReport:
    not_judged = (f"pictures are not compared with the body: {camera.name} moves",) if camera.is_moving else ()
    masked = 1.0 - np.mean(np.concatenate([clip.labels.coordinates.valid for clip in shard.clips]))
    return StageReport(
        numbers={
            "rows": sum(clip.timeline.n_frames for clip in shard.clips),
            "clips": len(shard.clips),
            "clips_left_out": len(shard.left_out),
            "refused_frames": sum(item.n_frames for item in (*shard.refused, *shard.lost)),
            "coordinates_masked": float(masked),
            **shard.judged.numbers(),
        },
        findings=(*planned.findings, *not_judged, *shard.judged.not_judged(), *map(str, shard.refused)),
        warnings=(
            *planned.warnings,
            *map(str, shard.left_out),
            *shard.judged.kept(settings.picture_check),
            *_poor_poses(shard.clips),
            *map(str, shard.lost),
        ),
    )


def _poor_poses(clips: Sequence[ClipRows]) -> tuple[str, ...]:
    """Return a sentence on each clip in which fewer than half of the rows have a usable pose."""
    poses = [(clip.timeline, clip.labels.root.valid) for clip in clips]
    return tuple(
        f"{timeline.clip}: only {valid.sum()} of {len(valid)} rows have a usable pose from inverse kinematics"
        for timeline, valid in poses
        if valid.mean() < LEAST_POSES
    )
