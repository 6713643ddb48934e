"""The clocks of a clip and of the video that is its own: which frames show which moment of the motion.

Frame `first_frame + j` shows the motion at `offset_s` plus the time from the first frame to it. A frame within a
fiftieth of a sample of one falls on it; others lie between two samples, and their labels do, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError
from movi_prep.records.alignment import ClipAlignment
from movi_prep.records.timeline import ClipTimeline, mocap_rate_hz

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.config.footage import VideoClock
    from movi_prep.config.shard import ClipFootage
    from movi_prep.records.identity import ClipId
    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.video.footage import FrameClock, FrameReader

ON_SAMPLE = 0.02
"""Samples: 0.2 ms at 120 Hz, in which the fastest hand moves 2 mm; clocks of containers are as coarse."""

_LONGER_S = 0.05
"""A motion that goes on for longer than this after the video is reported."""


def align_footage(clip: ClipId, wanted: ClipFootage, markers: MarkerTrajectories, video: Path) -> ClipAlignment:
    """Return the overlap of a clip with its own video.

    Raises:
        MissingError, InputError: the video cannot be read, has no clock, or ends before its first frame of the clip.
    """
    # Imported here, so that planning does not load the video library.
    from movi_prep.video.footage import open_footage

    reader = open_footage(video)
    clock = clock_of_clip(reader, wanted)
    reader.close()
    n_there = len(clock.times_s) - wanted.first_frame
    frames = wanted.first_frame + np.arange(min(n_there, wanted.n_frames or n_there))
    rate_hz, last = mocap_rate_hz(markers), int(markers.sample_indices[-1])
    timeline = footage_timeline(clip, frames, _samples(frames, clock, wanted, rate_hz), last_sample=last)
    return ClipAlignment(
        timeline=timeline,
        first_video_frame=wanted.first_frame,
        n_video_frames=len(frames),
        lag_s=None,
        mismatch=None,
        rotation_deg=None,
        offset_m=None,
        rms_m=None,
        findings=_findings(wanted, n_there, clock, motion_s=(last - _end(timeline)) / rate_hz),
        camera=wanted.camera,
        video_rate_hz=clock.rate_hz,
    )


def clock_of_clip(reader: FrameReader, wanted: VideoClock) -> FrameClock:
    """Return the clock of a video.

    Raises:
        InputError: it has none, or ends before its first frame of the clip.
    """
    from movi_prep.video.footage import frame_clock

    clock = frame_clock(reader, wanted.rate_hz)
    if wanted.first_frame >= len(clock.times_s):
        raise InputError(
            reader.path,
            expected=f"more than {wanted.first_frame} frames, because first_frame is {wanted.first_frame}",
            got=f"{len(clock.times_s)}",
            remedy="correct first_frame in the manifest, or name another video",
        )
    return clock


def footage_timeline(
    clip: ClipId, frames: NDArray[np.int64], at: NDArray[np.float64], *, last_sample: int
) -> ClipTimeline:
    """Return the frames that the motion reaches.

    Args:
        clip: which clip.
        frames: (n,) video frames.
        at: (n,) time of the motion that each of them shows, in samples.
        last_sample: last sample of the motion.
    """
    nearest = np.round(at)
    # Snapped, so that frames on samples take labels as they are solved, without interpolation.
    at = np.where(np.abs(at - nearest) <= ON_SAMPLE, nearest, at)
    floor = np.floor(at)
    after = at - floor
    whole = ClipTimeline(
        clip=clip,
        motion="",
        video_frames=frames,
        mocap_samples=floor.astype(np.int64),
        after_sample=after if after.any() else None,
    )
    begun = at >= 0
    return whole.keep(begun, "the motion begins later").keep(
        at[begun] <= last_sample, f"the clip ends with mocap sample {last_sample}"
    )


def _samples(frames: NDArray[np.int64], clock: FrameClock, wanted: ClipFootage, rate_hz: float) -> NDArray[np.float64]:
    if wanted.per_frame:
        # The motion was made from the frames: its rate is theirs, whatever it says.
        return np.asarray(np.arange(len(frames)) + round(wanted.offset_s * rate_hz), dtype=np.float64)
    times_s = clock.times_s[frames] - clock.times_s[frames[0]]
    return np.asarray((times_s + wanted.offset_s) * rate_hz)


def _end(timeline: ClipTimeline) -> float:
    # Infinity makes the motion's remainder -infinity: without frames nothing is said of its length.
    return float(timeline.mocap_samples[-1]) if timeline.n_frames else np.inf


def _findings(wanted: ClipFootage, n_there: int, clock: FrameClock, *, motion_s: float) -> tuple[str, ...]:
    camera, found = wanted.camera, []
    if wanted.n_frames is not None and n_there < wanted.n_frames:
        found.append(
            f"the video of {camera} has {n_there} frames from its first on, the manifest says {wanted.n_frames}"
        )
    elif wanted.n_frames is None and motion_s > _LONGER_S and np.isfinite(motion_s):
        found.append(f"the video of {camera} ends {motion_s:.2f} s before the motion: those samples have no picture")
    if not clock.is_even:
        found.append(f"the rate of the video of {camera} varies ({clock.rate_hz:.2f} Hz on average): labels follow it")
    return tuple(found)
