"""From channels to SMPL+H poses: an animator's curves become 52 joint rotations and a translation.

Arms, spine and head are forward kinematics. Legs are solved: the ankle goes to its place on the floor (or where a
free leg points), the knee bends as far as that needs, and the foot keeps the attitude of its channels. A
planted foot therefore stays in place, whatever the pelvis does.

Body axes: x to the person's left, y up, z forward. AMASS world: z up; heading 0 faces -y.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.demo.channels import smoothed
from movi_prep.demo.rotations import apply, basis, mirrored, to_axis_angle, transpose, turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.demo.channels import Channels
    from movi_prep.demo.posed_body import DemoBody

_HIP, _KNEE, _ANKLE, _BALL = ({"left": left, "right": left + 1} for left in (1, 4, 7, 10))
_COLLAR, _SHOULDER, _ELBOW, _WRIST = ({"left": left, "right": left + 1} for left in (13, 16, 18, 20))
_SPINE, _NECK, _HEAD = (3, 6, 9), 12, 15
_FIRST_FINGER = {"left": 22, "right": 37}

_EASY_REACH, _MAX_REACH = 0.991, 0.997
"""Distance from hip to ankle, as a part of the leg, that a standing leg keeps, and that it never exceeds: beyond
it a knee would snap straight."""

_REACH_SOFTNESS = 0.7
"""Softness with which the pelvis comes down where a foot would lose the floor, as a part of the remaining length."""

_WEIGHT_SHIFT_S = 0.04
"""Width (one sigma) of the smoothing of the pelvis' height, seconds."""

_PIVOT_SOFTNESS_DEG = 2.0
"""Range of pitch over which a foot's pivot moves from heel to ball, degrees."""

_CURL_DEG = {
    "index": ((8.0, 4.0, -22.0), (2.0, -3.0, -34.0), (1.0, 1.0, -16.0)),
    "middle": ((2.0, 1.0, -26.0), (0.0, -2.0, -37.0), (0.0, 1.0, -18.0)),
    "pinky": ((-14.0, -8.0, -30.0), (-4.0, 3.0, -30.0), (-2.0, 1.0, -18.0)),
    "ring": ((-6.0, -4.0, -29.0), (-2.0, 1.0, -35.0), (-1.0, 1.0, -19.0)),
    "thumb": ((18.0, 12.0, -6.0), (4.0, 14.0, -2.0), (2.0, 16.0, 0.0)),
}
"""The relaxed left hand, axis-angle in degrees per joint: this project's own figures, in the spirit of MANO's mean."""

_SPREAD = {"index": 1.0, "middle": 0.15, "pinky": -1.0, "ring": -0.5, "thumb": 0.0}
"""Share of each finger in spreading; towards the thumb is positive."""


def pose_figure(body: DemoBody, channels: Channels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return poses (n, 52, 3) axis-angle radians and translation (n, 3) metres, AMASS world.

    Args:
        body: the person, for the lengths of the legs.
        channels: all channels, (n,) each.
    """
    n = len(channels["yaw_deg"])
    local = np.tile(np.eye(3), (n, 52, 1, 1))
    local[:, 0] = _pelvis_rotation(channels)
    _set_spine(local, channels)
    for side in ("left", "right"):
        _set_arm(local, channels, side)
        _set_fingers(local, channels, side)
    # After the arms, before the legs: where the pelvis can be depends on where the feet stand.
    pelvis_m = _pelvis_position(body, channels, local[:, 0])
    for side in ("left", "right"):
        _set_leg(local, body, channels, side, pelvis_m)
    poses = to_axis_angle(local)
    # Only the root turns by more than 180 degrees.
    poses[:, 0] = _unwrapped(poses[:, 0])
    return poses, pelvis_m - body.joints_m[0]


def _unwrapped(vectors_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rotation vectors (n, 3) that do not jump where a turn passes 180 degrees: v and v - 2 pi v/|v| are one."""
    angle = np.linalg.norm(vectors_rad, axis=-1)
    axis = vectors_rad / np.maximum(angle, 1e-12)[:, None]
    # v and -v turn about one line: the sign is chosen so that the axis goes on in its own direction.
    flips = np.where((axis[1:] * axis[:-1]).sum(-1) < 0, -1.0, 1.0)
    sign = np.concatenate([[1.0], np.cumprod(flips)])
    steady: NDArray[np.float64] = axis * (sign * np.unwrap(sign * angle))[:, None]
    return steady


def heading_rotation(yaw_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return body axes to AMASS world of someone upright with this heading, (n, 3, 3)."""
    return turn("z", yaw_deg) @ turn("x", 90.0)


def _pelvis_rotation(channels: Channels) -> NDArray[np.float64]:
    heading = heading_rotation(channels["yaw_deg"])
    lean = turn("x", channels["pitch_deg"]) @ turn("z", -channels["tilt_deg"])
    pelvis: NDArray[np.float64] = heading @ turn("y", channels["twist_deg"]) @ lean
    return pelvis


def _bent(channels: Channels, part: str, share: float) -> NDArray[np.float64]:
    flex, bend, twist = (share * channels[f"{part}_{way}_deg"] for way in ("flex", "bend", "twist"))
    return turn("y", twist) @ turn("z", -bend) @ turn("x", flex)


def _set_spine(local: NDArray[np.float64], channels: Channels) -> None:
    for joint in _SPINE:
        local[:, joint] = _bent(channels, "spine", 1.0 / 3.0)
    local[:, _NECK] = _bent(channels, "neck", 0.45)
    local[:, _HEAD] = _bent(channels, "neck", 0.55)


def _set_arm(local: NDArray[np.float64], channels: Channels, side: str) -> None:
    elevation, plane, roll, swing, elbow, pronation, flex, deviation = (
        channels[f"{side}_{name}_deg"]
        for name in (
            "elevation", "plane", "roll", "swing", "elbow", "pronation", "wrist_flex", "wrist_deviation",
        )
    )  # fmt: skip
    lifted = turn("y", -plane) @ turn("z", elevation) @ turn("y", plane)
    upper = turn("x", -swing) @ lifted @ turn("z", -90.0) @ turn("x", roll)
    # The shoulder girdle sinks with a hanging arm and rises with a lifted one, as clavicle and scapula do in people.
    shrug = 0.13 * (elevation - 90.0) + 0.05 * _softplus(elevation - 90.0, 12.0)
    girdle = turn("y", -0.10 * (plane - 20.0) * np.clip(elevation, 0.0, 90.0) / 90.0) @ turn("z", shrug)
    # Half of the pronation in the forearm and half in the wrist, as the skin twists.
    lower = turn("y", -elbow) @ turn("x", 0.5 * pronation)
    hand = turn("x", 0.5 * pronation) @ turn("y", -deviation) @ turn("z", -flex)
    chain = {_COLLAR[side]: girdle, _SHOULDER[side]: transpose(girdle) @ upper, _ELBOW[side]: lower, _WRIST[side]: hand}
    for joint, rotation in chain.items():
        # All of the chain is written for the left arm.
        local[:, joint] = rotation if side == "left" else mirrored(rotation)


def _softplus(x: NDArray[np.float64], softness: float) -> NDArray[np.float64]:
    value: NDArray[np.float64] = softness * np.logaddexp(0.0, x / softness)
    return value


def _set_fingers(local: NDArray[np.float64], channels: Channels, side: str) -> None:
    curl, spread = channels[f"{side}_curl"], channels[f"{side}_spread_deg"]
    joint = _FIRST_FINGER[side]
    for finger, bends in _CURL_DEG.items():
        for knuckle, bend in enumerate(bends):
            x, y, z = (curl * angle for angle in bend)
            # Only the first knuckle of a finger moves sideways.
            apart = -spread * _SPREAD[finger] * (knuckle == 0)
            rotation = turn("x", x) @ turn("y", y + apart) @ turn("z", z)
            local[:, joint] = rotation if side == "left" else mirrored(rotation)
            joint += 1


def _pelvis_position(body: DemoBody, channels: Channels, rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where the pelvis is: as high as its channels say, but low enough for planted feet."""
    standing = body.joints_m[0, 1] - body.floor_m - _standing_drop_m(body)
    height = standing - channels["drop_m"]
    position = np.stack([channels["ground_x_m"], channels["ground_y_m"], height], axis=-1)
    _lower_to_the_feet(position, body, channels, rotation, _EASY_REACH)
    # The weight goes from leg to leg without a jolt, and once more no further than legs reach.
    position[:, 2] = smoothed(position[:, 2], _WEIGHT_SHIFT_S)
    _lower_to_the_feet(position, body, channels, rotation, _MAX_REACH)
    return position


def _lower_to_the_feet(
    position: NDArray[np.float64], body: DemoBody, channels: Channels, rotation: NDArray[np.float64], reach: float
) -> None:
    """Lower the pelvis (n, 3) where a planted foot would be further away than `reach` times the leg's length."""
    for side in ("left", "right"):
        hip = position + apply(rotation, body.joints_m[_HIP[side]] - body.joints_m[0])
        ankle = _planted_ankle(body, channels, side)
        level = np.linalg.norm((ankle - hip)[:, :2], axis=-1)
        length = reach * _leg_length_m(body, side)
        # Never below zero: a foot farther away than the leg is long pulls the pelvis down, not to NaN.
        above = hip[:, 2] - ankle[:, 2] - np.sqrt(np.maximum(length**2 - level**2, 1e-4))
        softness = _REACH_SOFTNESS * (1.0 - reach) * _leg_length_m(body, side)
        position[:, 2] -= _softplus(above, softness) * (1.0 - channels[f"{side}_free"])


def _standing_drop_m(body: DemoBody) -> float:
    """Return how much lower than the T-pose someone at ease stands: knees are never locked."""
    return 0.004 * _leg_length_m(body, "left")


def _leg_length_m(body: DemoBody, side: str) -> float:
    hip, knee, ankle = (body.joints_m[joint[side]] for joint in (_HIP, _KNEE, _ANKLE))
    return float(np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee))


def _foot_rotation(channels: Channels, side: str) -> NDArray[np.float64]:
    heading = heading_rotation(channels[f"{side}_foot_yaw_deg"])
    return heading @ turn("x", channels[f"{side}_foot_pitch_deg"])


def _planted_ankle(body: DemoBody, channels: Channels, side: str) -> NDArray[np.float64]:
    """Return the ankle (n, 3) of a foot in place; a lifted heel turns about the ball, lifted toes about the heel."""
    ankle = body.joints_m[_ANKLE[side]]
    ball = body.joints_m[_BALL[side]] - ankle
    heel = np.array([0.0, body.floor_m - ankle[1], -0.35 * ball[2]])
    pitch = channels[f"{side}_foot_pitch_deg"][:, None]
    pivot = heel + (ball - heel) / (1.0 + np.exp(-pitch / _PIVOT_SOFTNESS_DEG))
    flat = heading_rotation(channels[f"{side}_foot_yaw_deg"])
    ground = np.stack([channels[f"{side}_foot_x_m"], channels[f"{side}_foot_y_m"]], axis=-1)
    up = channels[f"{side}_foot_lift_m"] + ankle[1] - body.floor_m
    place = np.concatenate([ground, up[:, None]], axis=-1)
    return place + apply(flat, pivot) - apply(_foot_rotation(channels, side), pivot)


def _free_ankle(body: DemoBody, channels: Channels, side: str, hip_m: NDArray[np.float64]) -> NDArray[np.float64]:
    flex, out = (np.deg2rad(channels[f"{side}_hip_{way}_deg"]) for way in ("flex", "abduct"))
    sign = 1.0 if side == "left" else -1.0
    pointing = np.stack([sign * np.sin(out), -np.cos(out) * np.cos(flex), np.cos(out) * np.sin(flex)], axis=-1)
    length = channels[f"{side}_reach"][:, None] * _leg_length_m(body, side)
    return hip_m + length * apply(heading_rotation(channels["yaw_deg"]), pointing)


def _set_leg(
    local: NDArray[np.float64], body: DemoBody, channels: Channels, side: str, pelvis_m: NDArray[np.float64]
) -> None:
    joints = body.joints_m
    hip_m = pelvis_m + apply(local[:, 0], joints[_HIP[side]] - joints[0])
    free = channels[f"{side}_free"][:, None]
    planted = _planted_ankle(body, channels, side)
    ankle_m = (1.0 - free) * planted + free * _free_ankle(body, channels, side, hip_m)
    thigh, shin = joints[_KNEE[side]] - joints[_HIP[side]], joints[_ANKLE[side]] - joints[_KNEE[side]]
    knee = turn("x", np.rad2deg(_knee_angle(thigh, shin, np.linalg.norm(ankle_m - hip_m, axis=-1))))
    foot = _foot_rotation(channels, side)
    outwards = turn("z", (1.0 if side == "left" else -1.0) * channels[f"{side}_knee_out_deg"])
    # The knee's axis points sideways of where the foot and the pelvis point, more of the foot.
    sideways = apply(outwards, 0.65 * foot[..., 0] + 0.35 * local[:, 0, :, 0])
    leg = thigh + apply(knee, np.broadcast_to(shin, (len(knee), 3)))
    rest_side = np.broadcast_to([1.0, 0.0, 0.0], leg.shape)
    hip = basis(ankle_m - hip_m, sideways) @ transpose(basis(leg, rest_side))
    # Rotations of SMPL are relative to the parent.
    local[:, _HIP[side]] = transpose(local[:, 0]) @ hip
    local[:, _KNEE[side]] = knee
    local[:, _ANKLE[side]] = transpose(hip @ knee) @ foot
    # Toes stay flat on the floor under a lifted heel; in the air they follow the foot.
    on_floor = (1.0 - free[:, 0]) * np.exp(-((channels[f"{side}_foot_lift_m"] / 0.03) ** 2))
    local[:, _BALL[side]] = turn("x", -on_floor * np.maximum(channels[f"{side}_foot_pitch_deg"], 0.0))


def _knee_angle(
    thigh: NDArray[np.float64], shin: NDArray[np.float64], distance_m: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the knee flexion (n,), radians, that puts hip and ankle `distance_m` (n,) apart.

    |thigh + Rx(a) shin|^2 = distance^2 is c + r cos(a - a0) = d: one cosine, solved for the bent side.
    """
    fixed = thigh @ thigh + shin @ shin + 2.0 * thigh[0] * shin[0]
    along = 2.0 * (thigh[1] * shin[1] + thigh[2] * shin[2])
    across = 2.0 * (thigh[2] * shin[1] - thigh[1] * shin[2])
    cosine = (distance_m**2 - fixed) / np.hypot(along, across)
    # Rounding may pass 1 where the leg is straight.
    angle: NDArray[np.float64] = np.arctan2(across, along) + np.arccos(np.clip(cosine, -1.0, 1.0))
    return angle
