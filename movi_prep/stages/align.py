"""The alignment stage: which mocap sample each video frame shows, and whether motion and session agree.

| unit | reads | writes |
|---|---|---|
| `align S001` | file of the session, or videos of each clip; markers of every clip | `alignment/S001.json` |

Video frame j of a clip is mocap sample 4 j (30 and 120 Hz). For each clip, the stage compares joints of the motion with
joint centres that the session measured independently (V3D's, for BMLmovi), in AMASS world, metres. It measures the
rigid fit (degrees, metres) and the time lag (seconds, to a fraction of a sample). The lag is measured on the mocap
clock, so the stage also compares the two clocks: the start of a clip in flags30 and in flags120 must differ as in the
other clips. A clip beyond a bound is suspect: it is reported, and left out of shards unless a setting keeps it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.config.shard import ClipFootage
from movi_prep.errors import InputError
from movi_prep.formats.alignment_file import write_alignment
from movi_prep.formats.marker_file import read_markers
from movi_prep.geometry.alignment import Agreement, compare_joints, rows_on_clock
from movi_prep.geometry.frames import ground_to_amass
from movi_prep.recordings.read import read_session
from movi_prep.recordings.wanted import missing_session
from movi_prep.records.alignment import ClipAlignment, SubjectAlignment
from movi_prep.records.identity import ClipId
from movi_prep.records.timeline import mocap_rate_hz, overlap_clocks, samples_per_frame
from movi_prep.records.unit import Stage, StageReport, Unit
from movi_prep.stages.align_footage import align_footage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any, TypeAlias

    from movi_prep.config.root import Config
    from movi_prep.config.shard import AlignmentUnitSettings
    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.records.recordings import ReaderName, Recordings
    from movi_prep.records.session import Session
    from movi_prep.records.work_folder import WorkFolder

    AlignUnit: TypeAlias = Unit["AlignInputs", "AlignOutputs", AlignmentUnitSettings]


@dataclass(frozen=True)
class AlignInputs:
    """Files from which the alignment of a subject is measured; `session` is None if there is no such file.

    `clips` are the subject's clips; `markers` has one entry for each, None if the unit that writes it failed.
    `videos` has one for each footage of the settings.
    """

    subject: str
    reader: ReaderName
    session: Path | None
    clips: tuple[str, ...]
    markers: tuple[Path | None, ...] = field(metadata={"optional": True})
    videos: tuple[Path | None, ...] = field(default=(), metadata={"optional": True})


@dataclass(frozen=True)
class AlignOutputs:
    """The file with the alignment of all clips of a subject."""

    alignment: Path


def plan_align(recordings: Recordings, work: WorkFolder, config: Config) -> tuple[AlignUnit, ...]:
    """Return one unit per subject; of those with a video for each clip, only the ones that were filmed."""
    filmed = {subject for subject, _ in recordings.filmed}
    return tuple(
        _align_unit(recordings, work, config, subject)
        for subject in recordings.subjects
        if recordings.reader == "bmlmovi" or subject in filmed
    )


def _align_unit(recordings: Recordings, work: WorkFolder, config: Config, subject: str) -> AlignUnit:
    clips = recordings.clips_of(subject)
    chosen = set(clips)
    own = [(key, footage) for key, footage in recordings.footage_of(subject) if key[0] in chosen]
    footage = tuple(
        ClipFootage(clip=str(clip), camera=camera, **dict(footage.clock)) for (clip, camera), footage in own
    )
    return Unit(
        stage=ALIGN.name,
        key=subject,
        inputs=AlignInputs(
            subject=subject,
            reader=recordings.reader,
            session=recordings.sessions.get(subject),
            clips=tuple(map(str, clips)),
            markers=tuple(work.markers(clip) for clip in clips),
            videos=tuple(footage.video for _, footage in own),
        ),
        outputs=AlignOutputs(alignment=work.alignment(subject)),
        settings=config.shard.alignment_unit(config.markers.video_rate_hz, footage),
    )


def run_align(inputs: AlignInputs, outputs: AlignOutputs, settings: AlignmentUnitSettings) -> StageReport:
    """Measure the alignment of one subject's clips; clips that cannot be aligned are named and left out."""
    if settings.footage:
        clips, lost = _align_footage(inputs, settings)
        alignment = SubjectAlignment(subject=inputs.subject, clips=tuple(clips), findings=tuple(lost))
        source: dict[str, Any] = {"videos": sorted({path.name for path in inputs.videos if path is not None})}
    else:
        if inputs.session is None:
            raise missing_session(inputs.reader, inputs.subject)
        session = read_session(inputs.reader, inputs.session)
        clips, lost = _align_session(inputs, session, settings)
        found = (*session.findings, *lost)
        alignment = SubjectAlignment(subject=session.subject, clips=tuple(clips), findings=found)
        source = {"session": inputs.session.name}
    write_alignment(outputs.alignment, alignment, provenance=source)
    return _report(alignment, lost)


def _align_session(
    inputs: AlignInputs, session: Session, settings: AlignmentUnitSettings
) -> tuple[list[ClipAlignment], list[str]]:
    """Align the clips with the session that films them all; return the clips, and sentences on those lost."""
    clips, lost = [], []
    for key, path in zip(inputs.clips, inputs.markers, strict=True):
        clip = ClipId.parse(key)
        if path is None:
            lost.append(f"{clip} is not aligned: it has no markers, because its unit failed")
            continue
        try:
            clips.append(align_clip(clip, read_markers(path), session, settings))
        except InputError as error:
            # One clip that cannot be aligned must not cost the subject's others.
            lost.append(f"{clip} is not aligned: {error}")
    return clips, lost


def _align_footage(inputs: AlignInputs, settings: AlignmentUnitSettings) -> tuple[list[ClipAlignment], list[str]]:
    """Align each clip with its own videos; return the clips, and sentences on those lost."""
    markers = dict(zip(inputs.clips, inputs.markers, strict=True))
    clips, lost = [], []
    for wanted, video in zip(settings.footage, inputs.videos, strict=True):
        path = markers[wanted.clip]
        if path is None or video is None:
            why = "it has no markers, because its unit failed" if path is None else "the video is gone"
            lost.append(f"{wanted.clip} is not aligned with {wanted.camera}: {why}")
            continue
        try:
            clips.append(align_footage(ClipId.parse(wanted.clip), wanted, read_markers(path), video))
        except InputError as error:
            lost.append(f"{wanted.clip} is not aligned with {wanted.camera}: {error}")
    return clips, lost


ALIGN = Stage(
    name="align",
    version=4,
    summary="clip boundaries, overlap of the clocks, agreement with the session",
    plan=plan_align,
    run=run_align,
    gathers=True,
)


def align_clip(
    clip: ClipId, markers: MarkerTrajectories, session: Session, settings: AlignmentUnitSettings
) -> ClipAlignment:
    """Return the overlap of one clip's clocks and how well it agrees with its session.

    Raises:
        InputError: the session has no frames of the clip, or the mocap rate does not fit the video's.
    """
    row, (first, end) = _row_and_range(clip, session)
    mocap_hz = mocap_rate_hz(markers)
    step = samples_per_frame(mocap_hz, settings.video_rate_hz, source=markers.source)
    # The clocks may disagree in length. Their overlap is computed only here; later stages refuse frames beyond it.
    timeline = overlap_clocks(
        clip,
        session.performed[row],
        video_range=(first, end),
        n_samples=int(markers.sample_indices[-1]) + 1,
        samples_per_frame=step,
    )
    agreement = _agreement(markers, session, row=row, step=step, mocap_hz=mocap_hz)
    return ClipAlignment(
        timeline=timeline,
        first_video_frame=first,
        n_video_frames=end - first,
        lag_s=agreement.lag_s,
        mismatch=None if agreement.lag is None else agreement.lag.mismatch,
        rotation_deg=None if agreement.fit is None else math.degrees(agreement.fit.angle_rad),
        offset_m=None if agreement.fit is None else agreement.fit.offset_m,
        rms_m=None if agreement.fit is None else agreement.fit.rms_m,
        suspicions=(*_clock_suspicions(session, row, settings), *suspicions(agreement, settings)),
        findings=_length_findings(markers, end - first, step, agreement),
    )


def _agreement(markers: MarkerTrajectories, session: Session, *, row: int, step: int, mocap_hz: float) -> Agreement:
    """Compare the clip's joints with the session's independently measured ones, on the video clock."""
    if session.joints_m is None:
        return Agreement(fit=None, lag=None, rate_hz=mocap_hz)
    # Joint centres are not markers of a body, but the marker set has virtual markers at the motion's joints.
    joints = markers.select(list(session.joint_names))
    # Session joints are on the video clock; only every `step`-th sample of the clip has a counterpart.
    rows = rows_on_clock(markers.sample_indices, every_samples=step)
    return compare_joints(
        ground_to_amass(joints.positions_m[rows]),
        markers.sample_indices[rows],
        session.joints_m,
        first_sample=int(session.mocap_ranges[row, 0]),
        rate_hz=mocap_hz,
    )


def _row_and_range(clip: ClipId, session: Session) -> tuple[int, tuple[int, int]]:
    """Return a clip's row in its session, its first video frame, and the frame after its last.

    Raises:
        InputError: the session has no such clip.
    """
    row = session.row_of(clip.clip)
    # A session may have rows for motions of the protocol that were not recorded.
    if row is None:
        raise InputError(
            session.source,
            expected=f"first and last video frame of clip {clip.clip} (flags30)",
            got="impossible flags" if clip.clip in session.clips else f"{len(session.clips)} clips",
            remedy="leave the clip out: without flags its place in the video is unknown",
        )
    first, end = session.video_ranges[row].tolist()
    return row, (first, end)


def suspicions(agreement: Agreement, settings: AlignmentUnitSettings) -> tuple[str, ...]:
    """Return a sentence for each bound that the agreement exceeds, with the numbers."""
    found = []
    lag, fit = agreement.lag, agreement.fit
    # If the motions differ, the lag at which they differ least means nothing.
    if lag is not None and lag.mismatch > settings.max_mismatch:
        found.append(f"{lag.mismatch:.0%} of the motion differs at the best lag (bound {settings.max_mismatch:.0%})")
    elif lag is not None and agreement.lag_s is not None and abs(agreement.lag_s) > settings.max_lag_s:
        at_least = "at least " if lag.at_edge else ""
        found.append(f"lag {at_least}{agreement.lag_s * 1e3:+.1f} ms (bound {settings.max_lag_s * 1e3:.1f} ms)")
    if fit is not None and math.degrees(fit.angle_rad) > settings.max_rotation_deg:
        found.append(f"rotation {math.degrees(fit.angle_rad):.2f} deg (bound {settings.max_rotation_deg:g} deg)")
    if fit is not None and fit.offset_m > settings.max_offset_m:
        found.append(f"offset {fit.offset_m * 1e3:.0f} mm (bound {settings.max_offset_m * 1e3:.0f} mm)")
    return tuple(found)


def _clock_suspicions(session: Session, row: int, settings: AlignmentUnitSettings) -> tuple[str, ...]:
    """Return whether flags120 start a clip at another time than flags30, compared with the session's other clips."""
    filled = session.video_ranges[:, 0] < session.video_ranges[:, 1]
    starts_s = session.video_ranges[:, 0] / settings.video_rate_hz
    # Both starts in seconds, each by its own clock.
    apart_s = session.mocap_ranges[:, 0] / (session.samples_per_frame * settings.video_rate_hz) - starts_s
    # Video and mocap need not start together: a difference that all clips share is not a fault.
    apart_s -= np.median(apart_s[filled])
    if abs(apart_s[row]) <= settings.max_lag_s:
        return ()
    bound_ms = settings.max_lag_s * 1e3
    return (f"flags120 start it {apart_s[row] * 1e3:+.0f} ms from where flags30 do (bound {bound_ms:.1f} ms)",)


def _length_findings(
    markers: MarkerTrajectories, n_video_frames: int, step: int, agreement: Agreement
) -> tuple[str, ...]:
    found = []
    # Rows are those of the video clock or of all samples, so the last sample tells the length and not the number of
    # rows.
    n_frames = int(markers.sample_indices[-1]) // step + 1
    if n_frames != n_video_frames:
        found.append(f"AMASS has motion for {n_frames} video frames, flags30 say {n_video_frames}")
    if agreement.fit is None:
        found.append("agreement with the session not measured: the session holds no joint centres")
    elif agreement.lag is None:
        found.append("lag not measured: nothing moves, or the clip is at the edge of the recording")
    return tuple(found)


def _n_between(alignment: SubjectAlignment) -> int:
    """Return how many frames lie between samples: their labels are interpolated."""
    after = [clip.timeline.after_sample for clip in alignment.clips]
    return sum(int(np.count_nonzero(part)) for part in after if part is not None)


def _report(alignment: SubjectAlignment, lost: Sequence[str]) -> StageReport:
    # `lost` is among the alignment's findings as well: it is a warning here, and must not be said twice.
    warnings, findings = list(lost), [text for text in alignment.findings if text not in lost]
    for clip in alignment.clips:
        name = f"{clip.timeline.clip}{' before ' if clip.camera else ''}{clip.camera}"
        warnings += [f"{name} is suspect: {suspicion}" for suspicion in clip.suspicions]
        findings += [f"{name}: {finding}" for finding in clip.findings]
        findings += [f"{name}: {refusal}" for refusal in clip.timeline.refused]
    measured = {
        "worst_lag_ms": [abs(clip.lag_s) * 1e3 for clip in alignment.clips if clip.lag_s is not None],
        "worst_rotation_deg": [clip.rotation_deg for clip in alignment.clips if clip.rotation_deg is not None],
        "worst_offset_mm": [clip.offset_m * 1e3 for clip in alignment.clips if clip.offset_m is not None],
    }
    numbers: dict[str, float | int] = {name: max(values) for name, values in measured.items() if values}
    return StageReport(
        numbers={
            "clips": len(alignment.clips),
            "suspect_clips": sum(clip.is_suspect for clip in alignment.clips),
            "video_frames": sum(clip.timeline.n_frames for clip in alignment.clips),
            **({"frames_between_samples": n_between} if (n_between := _n_between(alignment)) else {}),
            **numbers,
        },
        findings=tuple(findings),
        warnings=tuple(warnings),
    )
