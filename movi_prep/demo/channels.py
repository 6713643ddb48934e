"""Channels: the named curves over time with which an animator moves a figure.

| channel | unit | neutral | meaning |
|---|---|---|---|
| ground_x_m, ground_y_m | m | 0 | pelvis over the floor, AMASS world |
| yaw_deg | deg | 0 | heading; 0 faces the frontal camera (-y of AMASS world), positive turns left |
| drop_m | m | 0 | pelvis below its standing height; negative in a jump |
| pitch_deg, tilt_deg, twist_deg | deg | 0 | pelvis: forwards, to the left, turned left against the heading |
| spine_, neck_ flex, bend, twist | deg | 0 | forwards, to the left, turned left; shared by the three (two) joints |
| SIDE_elevation_deg | deg | 9 | upper arm from hanging (0) to overhead (180) |
| SIDE_plane_deg | deg | 20 | where it is lifted: 0 to the side, 90 forwards |
| SIDE_roll_deg | deg | 0 | upper arm turned inwards about its own axis |
| SIDE_swing_deg | deg | 0 | whole arm swung forwards from there |
| SIDE_elbow_deg | deg | 14 | elbow flexion |
| SIDE_pronation_deg | deg | 10 | forearm turned, palm backwards; negative is supination |
| SIDE_wrist_flex_deg, SIDE_wrist_deviation_deg | deg | 0 | towards the palm, towards the thumb |
| SIDE_curl | 1 | 1 | fingers: 0 flat, 1 the relaxed hand that AMASS stores, 2.6 a fist |
| SIDE_spread_deg | deg | 0 | fingers apart |
| SIDE_foot_x_m, SIDE_foot_y_m, SIDE_foot_yaw_deg | m, deg | | where the flat foot stands, AMASS world |
| SIDE_foot_lift_m | m | 0 | foot above the floor |
| SIDE_foot_pitch_deg | deg | 0 | positive: heel up, turning about the ball; negative: toes up, about the heel |
| SIDE_knee_out_deg | deg | 0 | knee pointing outwards of the toes |
| SIDE_free | 1 | 0 | 1: the ankle goes where the next three say, not to the foot's place |
| SIDE_hip_flex_deg, SIDE_hip_abduct_deg | deg | 0 | direction from hip to ankle against the heading |
| SIDE_reach | 1 | 0.97 | distance from hip to ankle as a part of the leg's length |

`SIDE` is `left` or `right`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

MOCAP_RATE_HZ = 120.0
"""Rate of the motion as BML-MoVi captured it, Hz."""

VIDEO_STEP = 4
"""Mocap samples per video frame."""

SIDES = ("left", "right")

Channels = dict[str, "NDArray[np.float64]"]
"""Curves by name, all (n_samples,) float64."""

_BODY_NEUTRAL = {
    "ground_x_m": 0.0, "ground_y_m": 0.0, "yaw_deg": 0.0, "drop_m": 0.0,
    "pitch_deg": 0.0, "tilt_deg": 0.0, "twist_deg": 0.0,
    "spine_flex_deg": 0.0, "spine_bend_deg": 0.0, "spine_twist_deg": 0.0,
    "neck_flex_deg": 0.0, "neck_bend_deg": 0.0, "neck_twist_deg": 0.0,
}  # fmt: skip

_SIDE_NEUTRAL = {
    "elevation_deg": 9.0, "plane_deg": 20.0, "roll_deg": 0.0, "swing_deg": 0.0, "elbow_deg": 14.0,
    "pronation_deg": 10.0, "wrist_flex_deg": 0.0, "wrist_deviation_deg": 0.0, "curl": 1.0, "spread_deg": 0.0,
    "foot_x_m": 0.0, "foot_y_m": 0.0, "foot_yaw_deg": 0.0, "foot_lift_m": 0.0, "foot_pitch_deg": 0.0,
    "knee_out_deg": 0.0, "free": 0.0, "hip_flex_deg": 0.0, "hip_abduct_deg": 0.0, "reach": 0.97,
}  # fmt: skip

NEUTRAL: Mapping[str, float] = _BODY_NEUTRAL | {
    f"{side}_{name}": value for side in SIDES for name, value in _SIDE_NEUTRAL.items()
}
"""Value of every channel of a person who stands at ease at the origin."""

_SMOOTHING_S = 0.035
"""Width (one sigma) of the smoothing of keyed curves, seconds: keyed curves have corners, motions of people do not."""

_PLACED = tuple(f"{side}_foot_{what}" for side in SIDES for what in ("x_m", "y_m", "yaw_deg", "lift_m", "pitch_deg"))
"""Channels that are smooth by construction and must not be blurred: blurring would slide a planted foot."""


def sample_times(duration_s: float) -> NDArray[np.float64]:
    """Return times (n,) in seconds from 0; n is a whole number of video frames."""
    # Whole video frames, so that motions follow each other without a broken frame.
    n_frames = max(1, round(duration_s * MOCAP_RATE_HZ / VIDEO_STEP))
    return np.arange(n_frames * VIDEO_STEP) / MOCAP_RATE_HZ


def keyed(times_s: NDArray[np.float64], keys: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Return the curve through (time, value) keys at `times_s`, without overshoot, constant before and after them."""
    at, values = (np.array(column, dtype=np.float64) for column in zip(*keys, strict=True))
    # Pchip does not overshoot between keys, as a cubic spline would: a foot keyed to the floor stays on it.
    curve: NDArray[np.float64] = PchipInterpolator(at, values)(np.clip(times_s, at[0], at[-1]))
    return curve


def eased(times_s: NDArray[np.float64], start_s: float, end_s: float) -> NDArray[np.float64]:
    """Return a curve from 0 to 1 between two times, with no speed or acceleration at either end."""
    s = np.clip((times_s - start_s) / (end_s - start_s), 0.0, 1.0)
    # The minimum-jerk curve: speed and acceleration are 0 at both ends.
    curve: NDArray[np.float64] = s**3 * (10.0 - 15.0 * s + 6.0 * s**2)
    return curve


def smoothed(curve: NDArray[np.float64], sigma_s: float) -> NDArray[np.float64]:
    """Return a curve blurred over time by a Gaussian of `sigma_s` seconds."""
    # `nearest` repeats the ends: a motion begins and ends at rest.
    blurred: NDArray[np.float64] = gaussian_filter1d(curve, sigma_s * MOCAP_RATE_HZ, mode="nearest")
    return blurred


def round_off(channels: Mapping[str, NDArray[np.float64]]) -> Channels:
    """Return all channels with the corners of their keys rounded off, except where a foot stands."""
    return {name: curve if name in _PLACED else smoothed(curve, _SMOOTHING_S) for name, curve in channels.items()}


def joined(parts: Sequence[Mapping[str, NDArray[np.float64]]]) -> Channels:
    """Return channels one after the other in time."""
    return {name: np.concatenate([part[name] for part in parts]) for name in NEUTRAL}
