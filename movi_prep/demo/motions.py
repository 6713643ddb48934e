"""The motions of the demo: the effect of each on the channels of a person at ease.

Every motion begins and ends at ease, so that motions join without a break. `Motion.play` returns channels at 120 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.demo.channels import NEUTRAL, SIDES, eased, keyed, sample_times, smoothed
from movi_prep.demo.footsteps import Spot, Step, plan_walk, standing, stepping

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from movi_prep.demo.channels import Channels


@dataclass(frozen=True)
class Motion:
    """A motion: its name in MoVi's lists, its length, and its channels.

    Attributes:
        name: as V3D's `motions_list` has it.
        duration_s: length in seconds.
        play: (times (n,), first spot) -> channels and last spot.
    """

    name: str
    duration_s: float
    play: Callable[[NDArray[np.float64], Spot], tuple[Channels, Spot]]


def _score(
    times_s: NDArray[np.float64], channels: Channels, keys: Mapping[str, Sequence[tuple[float, float]]]
) -> Channels:
    """Return channels with keyed curves added to their neutral values; a curve starts and ends at neutral.

    Keys give the value itself; `both_` in place of a side keys the two sides alike.
    """
    played = dict(channels)
    for name, curve in keys.items():
        sides = [name.replace("both_", f"{side}_") for side in SIDES] if name.startswith("both_") else [name]
        for channel in sides:
            rest = NEUTRAL[channel]
            ends = [(0.0, rest), *curve, (float(times_s[-1]), rest)]
            played[channel] = channels[channel] + keyed(times_s, ends) - rest
    return played


def _shifted(times_s: NDArray[np.float64], channels: Channels, spot: Spot, left: Sequence[tuple[float, float]],
             ahead: Sequence[tuple[float, float]] = ()) -> Channels:  # fmt: skip
    """Return channels with the pelvis moved to its left and ahead by keyed curves, metres."""
    yaw = np.deg2rad(spot.yaw_deg)
    end = (float(times_s[-1]), 0.0)
    to_left = smoothed(keyed(times_s, [(0.0, 0.0), *left, end]), 0.05) if left else np.zeros(len(times_s))
    to_front = smoothed(keyed(times_s, [(0.0, 0.0), *ahead, end]), 0.05) if ahead else np.zeros(len(times_s))
    return channels | {
        "ground_x_m": channels["ground_x_m"] + to_left * np.cos(yaw) + to_front * np.sin(yaw),
        "ground_y_m": channels["ground_y_m"] + to_left * np.sin(yaw) - to_front * np.cos(yaw),
    }


def _wave(times_s: NDArray[np.float64], start_s: float, end_s: float, rate_hz: float) -> NDArray[np.float64]:
    """Return a sine that fades in after `start_s` and out before `end_s`."""
    fade = eased(times_s, start_s, start_s + 0.35) * (1.0 - eased(times_s, end_s - 0.35, end_s))
    wave: NDArray[np.float64] = fade * np.sin(2.0 * np.pi * rate_hz * (times_s - start_s))
    return wave


def _up_and_back(
    envelope: Sequence[tuple[float, float]], to: float, *, start: float = 0.0, late_s: float = 0.0
) -> list[tuple[float, float]]:
    """Return keys that go from `start` to `to` as an envelope goes from 0 to 1."""
    return [(at + late_s, start + (to - start) * value) for at, value in envelope]


def _walking(times_s: NDArray[np.float64], spot: Spot) -> tuple[Channels, Spot]:
    path = [spot.ahead(0.3), spot.ahead(0.85), spot.ahead(1.4), spot.ahead(1.95), spot.ahead(2.25)]
    steps = plan_walk(spot, path, first_s=0.22, step_s=0.52, first="right")
    channels = stepping(times_s, spot, steps)
    return _score(times_s, channels, {"neck_flex_deg": [(0.5, 6.0), (2.5, 4.0)]}), path[-1]


def _turning(times_s: NDArray[np.float64], spot: Spot) -> tuple[Channels, Spot]:
    end = spot.ahead(0.0, 180.0)
    path = [spot.ahead(0.0, 45.0), spot.ahead(0.0, 100.0), spot.ahead(0.0, 150.0), end]
    steps = plan_walk(spot, path, first_s=0.3, step_s=0.5, first="left")
    channels = stepping(times_s, spot, steps)
    # The head leads the turn, the trunk follows, the hips come last.
    keys = {
        "neck_twist_deg": [(0.35, 32.0), (1.6, 26.0), (2.5, 4.0)],
        "spine_twist_deg": [(0.5, 16.0), (1.6, 12.0), (2.5, 2.0)],
        "both_elevation_deg": [(0.7, 22.0), (2.0, 20.0)],
        "both_elbow_deg": [(0.7, 38.0), (2.0, 32.0)],
    }  # fmt: skip,
    return _score(times_s, channels, keys), end


def _kicking(times_s: NDArray[np.float64], spot: Spot) -> tuple[Channels, Spot]:
    channels = _shifted(
        times_s, standing(times_s, spot), spot, [(0.55, 0.075), (2.15, 0.075)], [(0.8, 0.03), (1.35, -0.04), (2.0, 0.0)]
    )
    channels = _score(times_s, channels, {
        "right_foot_lift_m": [(0.45, 0.0), (0.66, 0.06), (2.0, 0.06), (2.28, 0.0)],
        "right_free": [(0.56, 0.0), (0.82, 1.0), (1.68, 1.0), (2.04, 0.0)],
        "right_hip_flex_deg": [(0.5, 0.0), (0.95, -22.0), (1.32, 72.0), (1.7, 22.0), (2.1, 2.0)],
        "right_hip_abduct_deg": [(0.5, 4.0), (2.2, 4.0)],
        "right_reach": [(0.5, 0.985), (0.95, 0.80), (1.13, 0.83), (1.32, 0.985), (1.7, 0.86), (2.1, 0.97)],
        "right_foot_pitch_deg": [(0.5, 0.0), (0.95, 42.0), (1.14, 5.0), (1.32, -50.0), (1.7, -8.0), (2.1, 0.0)],
        "pitch_deg": [(0.6, 4.0), (0.95, 10.0), (1.32, -12.0), (1.75, 0.0)],
        "twist_deg": [(0.6, 0.0), (0.95, -10.0), (1.32, 14.0), (1.8, 0.0)],
        "tilt_deg": [(0.7, 4.0), (1.9, 4.0)],
        "spine_flex_deg": [(0.6, 2.0), (0.95, -4.0), (1.32, 24.0), (1.8, 4.0)],
        "spine_twist_deg": [(0.95, 14.0), (1.32, -20.0), (1.8, -2.0)],
        "spine_bend_deg": [(0.7, -3.0), (1.9, -3.0)],
        "neck_flex_deg": [(0.9, 12.0), (1.32, 14.0), (1.9, 4.0)],
        "left_elevation_deg": [(0.6, 22.0), (0.95, 48.0), (1.35, 58.0), (1.9, 22.0)],
        "left_plane_deg": [(0.6, 30.0), (0.95, 15.0), (1.35, 62.0), (1.9, 35.0)],
        "right_elevation_deg": [(0.6, 20.0), (0.95, 40.0), (1.35, 46.0), (1.9, 22.0)],
        "right_plane_deg": [(0.95, 60.0), (1.35, -15.0), (1.9, 10.0)],
        "both_elbow_deg": [(0.6, 30.0), (1.3, 36.0), (1.9, 28.0)],
        "both_curl": [(0.7, 1.5), (1.5, 1.7), (2.0, 1.2)],
        "drop_m": [(0.6, 0.02), (1.0, 0.03), (1.35, 0.015), (2.0, 0.015)],
    })  # fmt: skip
    channels["right_foot_pitch_deg"] = smoothed(channels["right_foot_pitch_deg"], 0.04)
    return channels, spot


def _jumping_jacks(times_s: NDArray[np.float64], spot: Spot) -> tuple[Channels, Spot]:
    channels = standing(times_s, spot)
    period, first = 0.86, 0.35
    n_jumps = int((times_s[-1] - first - 0.3) // (period / 2))
    # Apart and together again: the last jump must close the feet.
    n_jumps -= n_jumps % 2
    steps, drop, arms, elbows, heel = [], [], [], [], []
    for jump in range(n_jumps):
        leave, land = first + jump * period / 2, first + jump * period / 2 + 0.27
        out = 0.17 if jump % 2 == 0 else 0.0
        steps += [Step(side, leave, land, spot.foot(side, out_m=out), 0.055, 0.0) for side in SIDES]
        drop += [(leave - 0.07, 0.055), (leave + 0.02, -0.005), (0.5 * (leave + land), -0.055), (land, 0.005)]
        heel += [
            (leave - 0.06, 0.0),
            (leave + 0.03, 22.0),
            (0.5 * (leave + land), 26.0),
            (land - 0.02, 12.0),
            (land + 0.05, 0.0),
        ]
        arms += [(land + 0.02, 158.0 if out else 14.0)]
        elbows += [(land + 0.02, 14.0 if out else 12.0), (0.5 * (leave + land), 26.0)]
    channels |= {name: curve for name, curve in stepping(times_s, spot, steps).items() if "_foot_" in name}
    last = first + n_jumps * period / 2
    channels = _score(times_s, channels, {
        "drop_m": [*drop, (last, 0.045), (last + 0.22, 0.0)],
        "both_elevation_deg": [(first - 0.05, 14.0), *arms],
        "both_plane_deg": [(first, 14.0), (last, 14.0)],
        "both_roll_deg": [(first, -4.0), *[(at, -38.0 if value > 90 else -4.0) for at, value in arms]],
        "both_elbow_deg": sorted(elbows),
        "both_curl": [(first, 0.5), (last, 0.5)],
        "both_foot_pitch_deg": heel,
        "both_wrist_flex_deg": [(first, -4.0), (last, -4.0)],
        "neck_flex_deg": [(first, -5.0), (last, -4.0)],
        "spine_flex_deg": [(at, 6.0 if value > 0.04 else 1.0) for at, value in drop],
        "pitch_deg": [(at, 5.0 if value > 0.04 else 0.0) for at, value in drop],
        "both_knee_out_deg": [(first, 4.0), (last, 4.0)],
    })  # fmt: skip
    channels["drop_m"] = smoothed(channels["drop_m"], 0.02)
    for side in SIDES:
        channels[f"{side}_foot_pitch_deg"] = smoothed(channels[f"{side}_foot_pitch_deg"], 0.015)
    return channels, spot


def _squatting(times_s: NDArray[np.float64], spot: Spot) -> tuple[Channels, Spot]:
    down = [(0.3, 0.0), (1.05, 1.0), (1.3, 1.0), (2.0, 0.0), (2.15, 0.0), (2.85, 0.82), (3.05, 0.82), (3.7, 0.0)]
    channels = _shifted(times_s, standing(times_s, spot), spot, [], [(at, -0.085 * value) for at, value in down])
    return _score(times_s, channels, {
        "drop_m": _up_and_back(down, 0.34),
        "pitch_deg": _up_and_back(down, 34.0),
        "spine_flex_deg": _up_and_back(down, 14.0),
        "neck_flex_deg": _up_and_back(down, -24.0),
        "both_elevation_deg": _up_and_back(down, 122.0, start=9.0),
        "both_plane_deg": _up_and_back(down, 84.0, start=20.0),
        "both_elbow_deg": _up_and_back(down, 10.0, start=14.0),
        "both_knee_out_deg": _up_and_back(down, 9.0),
        "both_pronation_deg": _up_and_back(down, 35.0, start=10.0),
        "both_curl": _up_and_back(down, 0.35, start=1.0),
        "both_wrist_flex_deg": _up_and_back(down, -8.0),
        "spine_twist_deg": [(1.2, 3.0), (2.1, -2.0), (2.95, -3.0)],
    }), spot  # fmt: skip


def _hand_waving(times_s: NDArray[np.float64], spot: Spot) -> tuple[Channels, Spot]:
    end = float(times_s[-1])
    channels = _shifted(times_s, standing(times_s, spot), spot, [(0.6, -0.035), (end - 0.6, -0.03)])
    channels = _score(times_s, channels, {
        "right_elevation_deg": [(0.25, 9.0), (0.85, 84.0), (end - 0.85, 80.0), (end - 0.2, 9.0)],
        "right_plane_deg": [(0.25, 20.0), (0.85, 16.0), (end - 0.85, 20.0)],
        "right_roll_deg": [(0.25, 0.0), (0.85, -78.0), (end - 0.85, -74.0), (end - 0.25, 0.0)],
        "right_elbow_deg": [(0.25, 14.0), (0.7, 95.0), (0.95, 82.0), (end - 0.85, 86.0), (end - 0.2, 14.0)],
        "right_pronation_deg": [(0.3, 10.0), (0.9, 24.0), (end - 0.8, 22.0)],
        "right_curl": [(0.3, 1.0), (0.9, 0.12), (end - 0.9, 0.12), (end - 0.3, 1.0)],
        "right_spread_deg": [(0.4, 0.0), (0.9, 13.0), (end - 0.9, 12.0), (end - 0.4, 0.0)],
        "left_elevation_deg": [(0.8, 13.0), (end - 0.6, 12.0)],
        "left_elbow_deg": [(0.8, 24.0), (end - 0.6, 22.0)],
        "spine_bend_deg": [(0.8, 5.0), (end - 0.8, 4.0)],
        "tilt_deg": [(0.7, -3.0), (end - 0.6, -2.5)],
        "neck_bend_deg": [(0.8, 7.0), (1.6, -3.0), (end - 0.8, 6.0)],
        "neck_twist_deg": [(0.7, -10.0), (1.7, 6.0), (end - 0.6, -6.0)],
        "left_knee_out_deg": [(0.8, 4.0), (end - 0.6, 4.0)],
    })  # fmt: skip
    wave = _wave(times_s, 0.8, end - 0.75, 1.7)
    for name, amount in (("elbow", 15.0), ("roll", 13.0), ("wrist_deviation", 16.0), ("pronation", 8.0)):
        channels[f"right_{name}_deg"] = channels[f"right_{name}_deg"] + amount * wave
    return channels, spot


def _cross_arms(times_s: NDArray[np.float64], spot: Spot) -> tuple[Channels, Spot]:
    end = float(times_s[-1])
    channels = _shifted(times_s, standing(times_s, spot), spot, [(0.9, 0.03), (1.9, -0.025), (end - 0.4, 0.0)])
    fold = [(0.3, 0.0), (1.0, 1.0), (end - 1.0, 1.0), (end - 0.25, 0.0)]
    channels = _score(times_s, channels, {
        "left_elevation_deg": _up_and_back(fold, 38.0, start=9.0),
        "right_elevation_deg": _up_and_back(fold, 28.0, start=9.0, late_s=0.06),
        "left_plane_deg": _up_and_back(fold, 64.0, start=20.0),
        "right_plane_deg": _up_and_back(fold, 62.0, start=20.0, late_s=0.06),
        "left_roll_deg": _up_and_back(fold, 66.0),
        "right_roll_deg": _up_and_back(fold, 60.0, late_s=0.06),
        "left_elbow_deg": _up_and_back(fold, 108.0, start=14.0),
        "right_elbow_deg": _up_and_back(fold, 104.0, start=14.0, late_s=0.06),
        "left_pronation_deg": _up_and_back(fold, 42.0, start=10.0),
        "right_pronation_deg": _up_and_back(fold, 36.0, start=10.0, late_s=0.06),
        "both_wrist_flex_deg": _up_and_back(fold, 10.0),
        "both_curl": _up_and_back(fold, 1.35, start=1.0),
        "spine_flex_deg": _up_and_back(fold, 5.0),
        "neck_twist_deg": [(1.0, 0.0), (1.5, 28.0), (2.1, -16.0), (end - 0.5, 0.0)],
        "neck_flex_deg": [(1.1, 8.0), (end - 0.6, 4.0)],
        "tilt_deg": [(0.9, 2.5), (1.9, -2.5)],
        "spine_bend_deg": [(0.9, -3.5), (1.9, 3.5)],
    })  # fmt: skip
    return channels, spot


def _throwing(times_s: NDArray[np.float64], spot: Spot) -> tuple[Channels, Spot]:
    out, back = spot.foot("left", ahead_m=0.30, out_m=0.03), spot.foot("left")
    steps = [Step("left", 0.62, 1.05, out, 0.06, 0.5), Step("left", 2.0, 2.5, back, 0.05, 0.4)]
    channels = standing(times_s, spot)
    channels |= {name: curve for name, curve in stepping(times_s, spot, steps).items() if "_foot_" in name}
    to_left = [(0.5, -0.05), (1.0, -0.02), (1.3, 0.03), (1.85, -0.045), (2.5, -0.02)]
    ahead = [(0.5, -0.03), (1.0, 0.08), (1.35, 0.19), (1.85, 0.03), (2.5, 0.0)]
    channels = _shifted(times_s, channels, spot, to_left, ahead)
    channels = _score(times_s, channels, {
        "right_elevation_deg": [(0.55, 50.0), (0.95, 92.0), (1.2, 104.0), (1.42, 70.0), (1.75, 34.0), (2.3, 12.0)],
        "right_plane_deg": [(0.55, 40.0), (0.95, 2.0), (1.2, 38.0), (1.42, 88.0), (1.75, 96.0), (2.3, 30.0)],
        "right_roll_deg": [(0.55, -10.0), (0.95, -70.0), (1.2, -50.0), (1.42, 8.0), (1.75, 20.0), (2.3, 4.0)],
        "right_elbow_deg": [(0.55, 84.0), (0.95, 98.0), (1.2, 70.0), (1.42, 16.0), (1.75, 34.0), (2.3, 18.0)],
        "right_wrist_flex_deg": [(0.95, -32.0), (1.2, -30.0), (1.42, 34.0), (1.8, 8.0), (2.3, 0.0)],
        "right_pronation_deg": [(0.95, 8.0), (1.42, 40.0), (1.8, 24.0), (2.3, 10.0)],
        "right_curl": [(0.3, 1.0), (0.55, 1.9), (1.22, 1.9), (1.42, 0.15), (1.8, 0.5), (2.3, 1.0)],
        "left_elevation_deg": [(0.3, 9.0), (0.95, 74.0), (1.2, 62.0), (1.45, 30.0), (2.2, 12.0)],
        "left_plane_deg": [(0.3, 30.0), (0.95, 68.0), (1.45, 20.0), (2.2, 20.0)],
        "left_elbow_deg": [(0.3, 30.0), (0.95, 26.0), (1.45, 62.0), (2.2, 20.0)],
        "twist_deg": [(0.5, -10.0), (0.95, -24.0), (1.4, 16.0), (1.85, 6.0), (2.4, 0.0)],
        "spine_twist_deg": [(0.5, -12.0), (0.95, -30.0), (1.18, -8.0), (1.45, 30.0), (1.9, 10.0), (2.4, 0.0)],
        "spine_flex_deg": [(0.95, -9.0), (1.45, 24.0), (1.9, 8.0), (2.4, 0.0)],
        "spine_bend_deg": [(0.95, -5.0), (1.2, 9.0), (1.9, 0.0)],
        "neck_twist_deg": [(0.5, 18.0), (0.95, 44.0), (1.45, -30.0), (1.9, -12.0)],
        "neck_flex_deg": [(0.95, 4.0), (1.45, -12.0), (1.9, -4.0)],
        "pitch_deg": [(0.95, -4.0), (1.45, 14.0), (1.9, 4.0), (2.4, 0.0)],
        "right_foot_pitch_deg": [(0.95, 0.0), (1.4, 30.0), (1.75, 10.0), (2.0, 0.0)],
        "drop_m": [(0.55, 0.02), (1.05, 0.05), (1.45, 0.06), (1.9, 0.03), (2.5, 0.0)],
    })  # fmt: skip
    channels["right_foot_pitch_deg"] = smoothed(channels["right_foot_pitch_deg"], 0.04)
    return channels, spot


def _checking_watch(times_s: NDArray[np.float64], spot: Spot) -> tuple[Channels, Spot]:
    end = float(times_s[-1])
    look = [(0.2, 0.0), (0.75, 1.0), (end - 0.75, 1.0), (end - 0.15, 0.0)]
    return _score(times_s, standing(times_s, spot), {
        "left_elevation_deg": _up_and_back(look, 38.0, start=9.0),
        "left_plane_deg": _up_and_back(look, 62.0, start=20.0),
        "left_roll_deg": _up_and_back(look, 34.0),
        "left_elbow_deg": _up_and_back(look, 92.0, start=14.0),
        "left_pronation_deg": _up_and_back(look, 60.0, start=10.0),
        "neck_flex_deg": _up_and_back(look, 26.0),
        "neck_twist_deg": _up_and_back(look, 10.0),
        "spine_flex_deg": _up_and_back(look, 4.0),
    }), spot  # fmt: skip


MOTIONS: dict[str, Motion] = {
    motion.name: motion
    for motion in (
        Motion("walking", 3.6, _walking),
        Motion("kicking", 2.6, _kicking),
        Motion("hand_waving", 2.8, _hand_waving),
        Motion("squatting_rm", 4.0, _squatting),
        Motion("jumping_jacks", 3.3, _jumping_jacks),
        Motion("throw/catch", 3.0, _throwing),
        Motion("cross_arms", 3.0, _cross_arms),
        Motion("turning_rm", 3.1, _turning),
        Motion("checking_watch", 1.6, _checking_watch),
    )
}
"""All motions by name."""


def play(motion: Motion, spot: Spot) -> tuple[Channels, Spot]:
    """Return the channels of a motion that starts on a spot, and the last spot."""
    return motion.play(sample_times(motion.duration_s), spot)


def go_to(start: Spot, end: Spot) -> Channels:
    """Return the channels of walking or turning from one spot to another, or of standing where they are one."""
    distance = float(np.hypot(end.x_m - start.x_m, end.y_m - start.y_m))
    # The shorter way round.
    turned = (end.yaw_deg - start.yaw_deg + 180.0) % 360.0 - 180.0
    if distance < 0.02 and abs(turned) < 2.0:
        return standing(sample_times(0.4), start)
    # A step is at most 0.45 m and 60 degrees.
    n_steps = max(1, int(np.ceil(distance / 0.45)), int(np.ceil(abs(turned) / 60.0)))
    path = []
    for number in range(1, n_steps + 1):
        part = number / n_steps
        path.append(Spot(start.x_m + part * (end.x_m - start.x_m), start.y_m + part * (end.y_m - start.y_m),
                         start.yaw_deg + part * turned))  # fmt: skip
    steps = plan_walk(start, path, first_s=0.10, step_s=0.42, first="left" if turned > 0 else "right")
    return stepping(sample_times(steps[-1].land_s + 0.25), start, steps)
