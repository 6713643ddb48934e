"""The mocap sample of each video frame of a clip: the overlap of the clocks, computed once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError
from movi_prep.records.checks import check_shape, frozen_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.identity import ClipId
    from movi_prep.records.markers import MarkerTrajectories


_RATE_TOLERANCE = 0.01
"""Relative deviation: 120.00004578 Hz counts as four times 30 Hz, so does 119 Hz, 110 Hz does not."""


@dataclass(frozen=True, order=True)
class Refusal:
    """Video frames that do not become rows, by number, and why.

    Attributes:
        first_frame: first refused video frame, 0-based, in the whole video.
        last_frame: last refused video frame, inclusive.
        reason: why, as a part of a sentence.
    """

    first_frame: int
    last_frame: int
    reason: str

    @property
    def n_frames(self) -> int:
        """Number of refused frames."""
        return self.last_frame - self.first_frame + 1

    def __str__(self) -> str:
        """Return one line for a report."""
        many = self.n_frames > 1
        frames = f"frames {self.first_frame} to {self.last_frame}" if many else f"frame {self.first_frame}"
        return f"{frames} refused: {self.reason}"


@dataclass(frozen=True)
class LeftOut:
    """A clip that has no rows at all, and why.

    Attributes:
        clip: which clip.
        reason: why, as a sentence or a part of one.
    """

    clip: ClipId
    reason: str

    def __str__(self) -> str:
        """Return one line for a report."""
        return f"{self.clip} left out: {self.reason}"


@dataclass(frozen=True)
class ClipTimeline:
    """One clip on both clocks.

    Attributes:
        clip: which clip.
        motion: the motion performed, "" if unknown.
        video_frames: (n,) int64, 0-based frames of the whole video, increasing.
        mocap_samples: (n,) int64, the mocap sample of the clip that each of them shows.
        refused: frames within the flags that have no row, and why.
        after_sample: (n,) float64 from 0 to 1, how far after that sample each frame is, in samples; None where all
            frames fall on samples.
    """

    clip: ClipId
    motion: str
    video_frames: NDArray[np.int64]
    mocap_samples: NDArray[np.int64]
    refused: tuple[Refusal, ...] = ()
    after_sample: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Check that both clocks have one length."""
        check_shape(self.mocap_samples, (self.n_frames,), what="mocap samples", where=f"timeline of {self.clip}")
        if self.after_sample is not None:
            check_shape(self.after_sample, (self.n_frames,), what="after sample", where=f"timeline of {self.clip}")

    @property
    def n_frames(self) -> int:
        """Number of video frames with a mocap sample."""
        return len(self.video_frames)

    def keep(self, wanted: NDArray[np.bool_], reason: str) -> ClipTimeline:
        """Return the timeline without the frames where (n,) bool `wanted` is false; they are refused for `reason`."""
        refused = group_refusals(self.video_frames[~wanted], reason)
        return replace(self.select(wanted), refused=self.refused + refused)

    def select(self, wanted: NDArray[np.bool_]) -> ClipTimeline:
        """Return the timeline of the frames where (n,) bool `wanted` holds; others are recorded elsewhere."""
        after = self.after_sample
        return replace(
            self,
            video_frames=frozen_array(self.video_frames[wanted], np.int64),
            mocap_samples=frozen_array(self.mocap_samples[wanted], np.int64),
            after_sample=None if after is None else frozen_array(after[wanted]),
        )


def mocap_rate_hz(markers: MarkerTrajectories) -> float:
    """Return the mocap rate that follows from the rows and their sample numbers."""
    # The file has the rate of its rows; the sample numbers say how many mocap samples apart they are.
    spacing = int(markers.sample_indices[1] - markers.sample_indices[0]) if markers.n_rows > 1 else 1
    return markers.rate_hz * spacing


def samples_per_frame(mocap_hz: float, video_rate_hz: float, *, source: str, or_else: str = "") -> int:
    """Return how many mocap samples one video frame spans.

    Args:
        mocap_hz: samples per second, as stored.
        video_rate_hz: frames per second.
        source: the file with the mocap rate, for the message.
        or_else: a second remedy, with its comma.

    Raises:
        InputError: the mocap rate is not a whole multiple of the video's (within 1 %).
    """
    ratio = mocap_hz / video_rate_hz
    # Rates are not exact (120.00004578 Hz), ratios of clocks are.
    step = max(1, round(ratio))
    if abs(ratio / step - 1.0) > _RATE_TOLERANCE:
        raise InputError(
            source,
            expected=f"a mocap rate that is a whole multiple of the video's {video_rate_hz:g} Hz",
            got=f"{mocap_hz:g} Hz",
            remedy=f"set markers.video_rate_hz to the video's rate{or_else}",
        )
    return step


def overlap_clocks(
    clip: ClipId, motion: str, *, video_range: tuple[int, int], n_samples: int, samples_per_frame: int
) -> ClipTimeline:
    """Return the overlap of a clip's video frames with its mocap samples.

    Frame j of the clip is mocap sample `samples_per_frame * j`; a frame whose sample is beyond the clip is refused.

    Args:
        clip: which clip.
        motion: its name.
        video_range: first video frame and one past the last, 0-based (from flags30).
        n_samples: mocap samples that the clip has.
        samples_per_frame: mocap samples per video frame (4 for 120 Hz and 30 Hz).
    """
    frames = np.arange(*video_range, dtype=np.int64)
    samples = (frames - video_range[0]) * samples_per_frame
    whole = ClipTimeline(clip=clip, motion=motion, video_frames=frames, mocap_samples=samples)
    return whole.keep(samples < n_samples, f"the clip ends with mocap sample {n_samples - 1}")


def group_refusals(frames: NDArray[np.int64], reason: str) -> tuple[Refusal, ...]:
    """Return one refusal per run of successive ones of (n,) int64 increasing video frames."""
    if frames.size == 0:
        return ()
    ends = np.flatnonzero(np.diff(frames) != 1)
    firsts, lasts = frames[np.r_[0, ends + 1]], frames[np.r_[ends, frames.size - 1]]
    return tuple(Refusal(int(first), int(last), reason) for first, last in zip(firsts, lasts, strict=True))
