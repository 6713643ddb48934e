"""What a manifest says of a motion, a video and a calibration: part of the identity of the units that read them."""

from __future__ import annotations

from typing import Literal

from movi_prep.config.base import Settings
from movi_prep.config.fields import setting


class MotionChoice(Settings):
    """Whose motion of a file a clip is, and of which body: what many files leave open."""

    person: int = setting(default=0, ge=0, le=1000)
    """Which person of the motion file, counted from 0, where it holds several."""

    body: Literal["SMPL", "SMPL+H", "SMPL-X"] | None = None
    """Body of the motion; none means what the file shows. Poses of 22 joints are taken as SMPL-X's otherwise."""

    sex: Literal["female", "male", "neutral"] | None = None
    """Sex of the body model that the motion was fitted to; none means what the file says, neutral where it does not."""

    motion_rate_hz: float | None = setting(default=None, ge=1, le=10_000)
    """Frames per second of a motion file that does not say it, as those of networks; none: `markers.motion_rate_hz`."""


NO_CHOICE = MotionChoice()
"""The first person of a file, taken for what the file says."""


class CameraOptions(Settings):
    """How the calibration of a camera is to be read."""

    calibration_name: str | None = None
    """Name of the camera in its calibration file, where the file holds several; none means the camera's own name."""

    metres_per_unit: float | None = setting(default=None, gt=0, le=1000)
    """Unit of the calibration's translations, metres: 0.001 for millimetres; none means metres (COLMAP must say)."""

    world_up: Literal["z", "y", "-y"] = "z"
    """Axis of the calibration's world that points up. The origin must be that of the motion."""

    distortion: Literal["file", "none"] = "file"
    """`none` says that the pictures have no lens distortion, which a file without coefficients leaves open."""

    size_px: tuple[int, int] | None = None
    """Width and height of the pictures, where the calibration file does not say."""

    first_picture: int | None = setting(default=None, ge=0, le=10**9)
    """Number, in the names of the pictures of a moving camera, that frame 0 of the video has; none where the video is
    the folder of these pictures."""


class VideoClock(Settings):
    """Which part of a video shows a clip, and when."""

    first_frame: int = setting(default=0, ge=0, le=10**9)
    """First frame of the video that belongs to the clip, counted from 0 as it is shown."""

    n_frames: int | None = setting(default=None, ge=1, le=10**9)
    """How many frames belong to the clip; none means as many as there are, of video and motion."""

    offset_s: float = setting(default=0.0, ge=-1e5, le=1e5)
    """Time of the motion that the first frame shows, seconds; below 0 where the video begins before the motion."""

    rate_hz: float | None = setting(default=None, gt=0, le=1000)
    """Frames per second of an even clock; none means the times in the file."""

    per_frame: bool = False
    """Whether the motion has one sample for each frame, as networks write it; times say nothing then."""
