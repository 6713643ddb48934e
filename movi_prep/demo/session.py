"""A subject's recording session: T-pose, motions and the transitions between them, on one clock.

The session is one unbroken motion. Clips are cut out of it, as BML-MoVi's were: video frame f (0-based) is mocap
sample 4 f of the session, and a clip of n frames is 4 (n - 1) + 1 samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.demo.channels import NEUTRAL, SIDES, VIDEO_STEP, eased, joined, round_off, sample_times, smoothed
from movi_prep.demo.figure import pose_figure
from movi_prep.demo.footsteps import Spot, standing
from movi_prep.demo.motions import MOTIONS, go_to, play

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from movi_prep.demo.channels import Channels
    from movi_prep.demo.posed_body import DemoBody

_T_POSE_S = 0.6
_LOWERING_S = 0.8
_TAIL_S = 0.4

_T_POSE = {
    "elevation_deg": 89.0, "plane_deg": 0.0, "roll_deg": 0.0, "elbow_deg": 2.0, "pronation_deg": 0.0, "curl": 0.25,
}  # fmt: skip


@dataclass(frozen=True)
class Cue:
    """A motion of the session and its first spot; `in_amass` is False for one that AMASS lacks."""

    motion: str
    spot: Spot
    in_amass: bool = True


@dataclass(frozen=True)
class Clip:
    """A clip of the session: its number (from 1), name, and first and last video frame (0-based, inclusive)."""

    number: int
    name: str
    first_frame: int
    last_frame: int
    in_amass: bool

    @property
    def samples(self) -> slice:
        """The clip's mocap samples within the session."""
        return slice(VIDEO_STEP * self.first_frame, VIDEO_STEP * self.last_frame + 1)


@dataclass(frozen=True)
class Session:
    """A posed session at 120 Hz.

    Attributes:
        poses_rad: (n, 52, 3) float64, axis-angle, radians; n is 4 times the number of video frames.
        translation_m: (n, 3) float64, metres, AMASS world.
        clips: the clips, in the order of V3D's list.
    """

    poses_rad: NDArray[np.float64]
    translation_m: NDArray[np.float64]
    clips: tuple[Clip, ...]

    @property
    def n_frames(self) -> int:
        """Number of video frames."""
        return len(self.poses_rad) // VIDEO_STEP

    @property
    def at_video_clock(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Poses and translation at the video frames."""
        return self.poses_rad[::VIDEO_STEP], self.translation_m[::VIDEO_STEP]


def act(body: DemoBody, cues: Sequence[Cue], rng: np.random.Generator) -> Session:
    """Return the session of a person who plays the cues in their order."""
    parts, clips = [_t_pose(cues[0].spot)], []
    frame, spot = len(parts[0]["yaw_deg"]) // VIDEO_STEP, cues[0].spot
    for number, cue in enumerate(cues, start=1):
        gap = go_to(spot, cue.spot)
        motion, spot = play(MOTIONS[cue.motion], cue.spot)
        first = frame + len(gap["yaw_deg"]) // VIDEO_STEP
        frame = first + len(motion["yaw_deg"]) // VIDEO_STEP
        parts.append(_same_turn(parts[-1], gap))
        parts.append(_same_turn(parts[-1], motion))
        clips.append(Clip(number, cue.motion, first, frame - 1, cue.in_amass))
    parts.append(_same_turn(parts[-1], standing(sample_times(_TAIL_S), spot)))
    channels = round_off(joined(parts))
    poses, translation = pose_figure(body, _alive(channels, rng))
    return Session(poses, translation, tuple(clips))


def _t_pose(spot: Spot) -> Channels:
    """Return standing in a T-pose, then lowering the arms."""
    times_s = sample_times(_T_POSE_S + _LOWERING_S)
    raised = 1.0 - eased(times_s, _T_POSE_S, _T_POSE_S + 0.85 * _LOWERING_S)
    channels = standing(times_s, spot)
    for side in SIDES:
        for name, value in _T_POSE.items():
            rest = NEUTRAL[f"{side}_{name}"]
            channels[f"{side}_{name}"] = rest + raised * (value - rest)
    return channels


def _same_turn(before: Channels, after: Channels) -> Channels:
    """Return `after` with its headings moved by whole turns, so that the join does not spin."""
    changed = dict(after)
    for name in ("yaw_deg", *(f"{side}_foot_yaw_deg" for side in SIDES)):
        changed[name] = after[name] + 360.0 * np.round((before[name][-1] - after[name][0]) / 360.0)
    return changed


def _alive(channels: Channels, rng: np.random.Generator) -> Channels:
    """Return channels with the small drift of any living body: slow, about a degree, seeded."""
    amount = {
        "neck": 1.6,
        "spine": 0.8,
        "wrist": 1.8,
        "elbow": 1.2,
        "elevation": 0.8,
        "swing": 1.0,
        "pitch_deg": 0.4,
        "tilt": 0.4,
    }
    moved = dict(channels)
    n = len(channels["yaw_deg"])
    for name in NEUTRAL:  # the order of the table is the order of the draws
        size = next((size for word, size in amount.items() if word in name and "foot" not in name), 0.0)
        # Drawn for every channel, also for those that do not drift: a change of `amount` moves no other draw.
        drift = smoothed(rng.standard_normal(n), 0.30)
        if size:
            moved[name] = channels[name] + size * drift / (drift.std() + 1e-12)
    return moved
