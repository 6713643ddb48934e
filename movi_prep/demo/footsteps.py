"""Footsteps: places and times of the feet; pelvis, arms and twist of a walking person follow from them.

A foot stands still between its steps. During a step it travels from place to place with no jerk at either end, its
heel leaves first and comes down first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.demo.channels import NEUTRAL, SIDES, eased, keyed, smoothed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from movi_prep.demo.channels import Channels

_STANCE_HALF_WIDTH_M = 0.095
"""Half the distance between the ankles of a person standing at ease, metres."""

_TOE_OUT_DEG = 7.0
"""Angle by which toes point outwards."""

_FOOT_AHEAD_M = 0.02
"""Distance of the pelvis behind the middle of the ankles, metres: the weight is over the middle of the foot."""


@dataclass(frozen=True)
class Spot:
    """A place to stand: AMASS world, metres, and the heading in degrees (0 faces the frontal camera)."""

    x_m: float
    y_m: float
    yaw_deg: float

    def foot(self, side: str, *, ahead_m: float = 0.0, out_m: float = 0.0) -> tuple[float, float, float]:
        """Return x, y (metres) and yaw (degrees) of a foot at ease here, moved ahead and outwards."""
        sign = 1.0 if side == "left" else -1.0
        yaw = np.deg2rad(self.yaw_deg)
        left = sign * (_STANCE_HALF_WIDTH_M + out_m)
        forward = ahead_m - _FOOT_AHEAD_M
        x = self.x_m + left * np.cos(yaw) + forward * np.sin(yaw)
        y = self.y_m + left * np.sin(yaw) - forward * np.cos(yaw)
        return float(x), float(y), self.yaw_deg + sign * _TOE_OUT_DEG

    def ahead(self, distance_m: float, turned_deg: float = 0.0) -> Spot:
        """Return the spot this far ahead, facing `turned_deg` further to the left."""
        yaw = np.deg2rad(self.yaw_deg)
        return Spot(
            self.x_m + distance_m * float(np.sin(yaw)),
            self.y_m - distance_m * float(np.cos(yaw)),
            self.yaw_deg + turned_deg,
        )


@dataclass(frozen=True)
class Step:
    """One step: the foot, when it leaves and lands (seconds), and its place (x, y metres; yaw degrees)."""

    side: str
    leave_s: float
    land_s: float
    place: tuple[float, float, float]
    lift_m: float = 0.07
    roll: float = 1.0
    """Roll of the foot over heel and ball: 1 in a long stride, 0 in a flat shuffle."""


def standing(times_s: NDArray[np.float64], spot: Spot) -> Channels:
    """Return all channels of a person standing at ease."""
    channels = {name: np.full(len(times_s), value) for name, value in NEUTRAL.items()}
    for side in SIDES:
        for name, value in zip(("x_m", "y_m", "yaw_deg"), spot.foot(side), strict=True):
            channels[f"{side}_foot_{name}"] = np.full(len(times_s), value)
    channels["ground_x_m"] += spot.x_m
    channels["ground_y_m"] += spot.y_m
    channels["yaw_deg"] += spot.yaw_deg
    return channels


def stepping(times_s: NDArray[np.float64], start: Spot, steps: Sequence[Step]) -> Channels:
    """Return all channels of someone who takes `steps` from standing at `start`."""
    channels = standing(times_s, start)
    for side in SIDES:
        channels |= _foot_path(times_s, side, start.foot(side), [step for step in steps if step.side == side])
    return channels | _carried(times_s, channels, steps)


def plan_walk(start: Spot, path: Sequence[Spot], *, first_s: float, step_s: float, first: str) -> list[Step]:
    """Return alternating steps through the spots of a path; the last spot is reached with both feet.

    Args:
        start: where the person stands.
        path: a spot per step: place of the pelvis when that foot lands.
        first_s: time at which the first foot leaves, seconds.
        step_s: time from one landing to the next, seconds; both feet are down for a fifth of it.
        first: the side that steps first.
    """
    sides = SIDES if first == "left" else SIDES[::-1]
    steps = []
    # One step more than spots: the second foot joins the first.
    places = [*path, path[-1]]
    previous = start
    for number, spot in enumerate(places):
        leave = first_s + number * step_s
        stride = np.hypot(spot.x_m - previous.x_m, spot.y_m - previous.y_m)
        # The longer the stride, the more the foot rolls: turning on the spot is a shuffle.
        roll = float(np.clip(stride / 0.45, 0.15, 1.0))
        steps.append(
            Step(
                sides[number % 2], leave, leave + 0.82 * step_s, spot.foot(sides[number % 2]), 0.045 + 0.03 * roll, roll
            )
        )
        previous = spot
    return steps


def _foot_path(
    times_s: NDArray[np.float64], side: str, place: tuple[float, float, float], steps: Sequence[Step]
) -> Channels:
    x, y, yaw = (np.full(len(times_s), value) for value in place)
    lift, pitch = np.zeros(len(times_s)), np.zeros(len(times_s))
    for step in steps:
        s = np.clip((times_s - step.leave_s) / (step.land_s - step.leave_s), 0.0, 1.0)
        travelled = eased(s, 0.03, 0.88)  # up before it travels and down after: nothing drags
        x += travelled * (step.place[0] - x[-1])
        y += travelled * (step.place[1] - y[-1])
        yaw += travelled * (step.place[2] - yaw[-1])
        # 64 u^3 (1 - u)^3 is 1 at u = 0.5 and meets the floor without speed or acceleration.
        # Up faster than down, as people lift their feet.
        u = s**0.75
        lift += step.lift_m * 64.0 * (u * (1.0 - u)) ** 3
        pitch += step.roll * _rolling(times_s, step)
    names = ("x_m", "y_m", "yaw_deg", "lift_m", "pitch_deg")
    return {f"{side}_foot_{name}": curve for name, curve in zip(names, (x, y, yaw, lift, pitch), strict=True)}


def _rolling(times_s: NDArray[np.float64], step: Step) -> NDArray[np.float64]:
    """Return the pitch of the foot over a step, degrees: heel up before it leaves, toes up when it lands."""
    swing = step.land_s - step.leave_s
    return smoothed(
        keyed(
            times_s,
            [
                (step.leave_s - 0.42 * swing, 0.0),
                (step.leave_s, 27.0),
                (step.leave_s + 0.25 * swing, 36.0),
                (step.leave_s + 0.75 * swing, -8.0),
                (step.land_s, -13.0),
                (step.land_s + 0.28 * swing, 0.0),
            ],
        ),
        0.022,
    )


def _carried(times_s: NDArray[np.float64], channels: Channels, steps: Sequence[Step]) -> Channels:
    """Return the channels that follow the feet: pelvis, heading, sway to the standing foot, twist and arms."""
    foot = {(side, what): channels[f"{side}_foot_{what}"] for side in SIDES for what in ("x_m", "y_m", "yaw_deg")}
    # The trunk follows the feet more smoothly than they move.
    sigma_s = 0.15
    x, y, yaw = (
        smoothed(0.5 * (foot["left", what] + foot["right", what]), sigma_s) for what in ("x_m", "y_m", "yaw_deg")
    )
    heading = np.deg2rad(yaw)
    left_way, ahead_way = (np.cos(heading), np.sin(heading)), (np.sin(heading), -np.cos(heading))
    apart = {what: foot["left", what] - foot["right", what] for what in ("x_m", "y_m")}
    stride = smoothed(apart["x_m"] * ahead_way[0] + apart["y_m"] * ahead_way[1], 0.06)
    sway = 0.028 * smoothed(_standing_side(times_s, steps), 0.10)
    moving = _FOOT_AHEAD_M
    swing = 58.0 * stride
    return {
        "ground_x_m": x + sway * left_way[0] + moving * ahead_way[0],
        "ground_y_m": y + sway * left_way[1] + moving * ahead_way[1],
        "yaw_deg": yaw,
        "twist_deg": -16.0 * stride,
        "spine_twist_deg": 30.0 * stride,
        "neck_twist_deg": -13.0 * stride,
        "tilt_deg": 60.0 * sway,
        "spine_bend_deg": -75.0 * sway,
        "pitch_deg": np.full(len(times_s), 0.0)
        + 3.0 * eased(times_s, 0.0, 0.5) * (1.0 - eased(times_s, times_s[-1] - 0.5, times_s[-1])),
        "left_swing_deg": -swing,
        "right_swing_deg": swing,
        "left_elbow_deg": NEUTRAL["left_elbow_deg"]
        + smoothed(np.abs(swing) * 0.25 + np.maximum(-swing, 0.0) * 0.45, 0.05),
        "right_elbow_deg": NEUTRAL["right_elbow_deg"]
        + smoothed(np.abs(swing) * 0.25 + np.maximum(swing, 0.0) * 0.45, 0.05),
    }


def _standing_side(times_s: NDArray[np.float64], steps: Sequence[Step]) -> NDArray[np.float64]:
    """Return +1 where only the left foot stands, -1 where only the right one does, 0 for both."""
    side = np.zeros(len(times_s))
    for step in steps:
        airborne = (times_s >= step.leave_s) & (times_s < step.land_s)
        side += airborne * (1.0 if step.side == "right" else -1.0)
    return side
