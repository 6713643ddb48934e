"""What a manifest says: who was recorded, in which files, by which cameras. Paths count from the manifest's folder."""

from __future__ import annotations

from pathlib import Path

from movi_prep.config.base import Settings
from movi_prep.config.fields import setting
from movi_prep.config.footage import CameraOptions, MotionChoice, VideoClock


class CameraEntry(CameraOptions):
    """One camera."""

    calibration: Path
    """File of OpenCV (.yaml, .yml, .xml, .json), of Pose2Sim (.toml), or a folder with COLMAP's cameras.txt and
    images.txt; for 3DPW and EMDB the sequence's own .pkl."""


class VideoEntry(VideoClock):
    """What one camera filmed of one clip."""

    video: Path
    """Video (.mp4, .mov, .mkv, .avi), or folder of pictures."""

    poses: Path | None = None
    """Poses of a camera that moves, one for each frame (.npz: world_to_camera, frames); none: the calibration's."""

    calibration: Path | None = None
    """Calibration of this clip; none means the camera's."""


class ClipEntry(MotionChoice):
    """One clip."""

    subject: str = setting(min_length=1, max_length=500)
    """Who moves: clips of one subject share a body and a scaled model."""

    clip: str = setting(min_length=1, max_length=500)
    """Name of the clip among those of the subject."""

    motion: Path
    """File with the motion of the body: AMASS's, 3DPW's, EMDB's, or results of a network."""

    cameras: dict[str, VideoEntry] = setting(default_factory=dict)
    """Videos by camera; none for joint angles only."""


class Manifest(Settings):
    """A whole manifest."""

    body_models: Path | None = None
    """Folder with the body models; `--body-models` overrides it."""

    cameras: dict[str, CameraEntry] = setting(default_factory=dict)
    """Cameras by name."""

    recordings: tuple[ClipEntry, ...] = setting(min_length=1)
    """Clips."""
