"""The measured agreement of a clip with its session and the video's clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from movi_prep.records.timeline import ClipTimeline


@dataclass(frozen=True)
class ClipAlignment:
    """The measured alignment of one clip.

    Attributes:
        timeline: the mocap sample of each video frame.
        first_video_frame: first video frame of the clip by its flags, 0-based.
        n_video_frames: video frames of the clip by its flags.
        lag_s: delay of the session's motion, seconds; None if it cannot be measured.
        mismatch: share of the squared velocity that differs at that lag; None where not measured.
        rotation_deg: angle of the rigid fit of the motion's joints onto the session's, degrees; or None.
        offset_m: distance of the two centroids, metres; None where not measured.
        rms_m: what remains after the fit, metres; None where not measured.
        suspicions: bounds that are exceeded, as parts of a sentence with numbers; empty when all is well.
        findings: other findings.
        camera: the camera whose own video this is; "" where it holds for all cameras.
        video_rate_hz: frames per second of that video; None where it holds for all cameras.
    """

    timeline: ClipTimeline
    first_video_frame: int
    n_video_frames: int
    lag_s: float | None
    mismatch: float | None
    rotation_deg: float | None
    offset_m: float | None
    rms_m: float | None
    suspicions: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    camera: str = ""
    video_rate_hz: float | None = None

    @property
    def is_suspect(self) -> bool:
        """Whether a bound is exceeded."""
        return bool(self.suspicions)


@dataclass(frozen=True)
class SubjectAlignment:
    """The alignment of all clips of one subject.

    Attributes:
        subject: which subject.
        clips: in the order of their numbers.
        findings: findings on the subject's files as a whole.
    """

    subject: str
    clips: tuple[ClipAlignment, ...]
    findings: tuple[str, ...] = ()
