"""Settings of alignment, boxes, crops and shards.

A unit of work receives only its own part, so that a change of one does not redo the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from movi_prep.config.base import Settings, narrow
from movi_prep.names import check_name


class AlignmentBounds(Settings):
    """What the alignment of a clip with V3D may be off by; beyond, it is suspect."""

    max_lag_s: float = Field(default=0.5 / 30.0, gt=0, le=10)
    """Largest time lag between AMASS joints and V3D's virtual markers, seconds (half a video frame)."""

    max_rotation_deg: float = Field(default=3.0, gt=0, le=180)
    """Largest rotation of the rigid fit between them, degrees."""

    max_offset_m: float = Field(default=0.08, gt=0, le=10)
    """Largest offset of the rigid fit between them, metres."""

    max_mismatch: float = Field(default=0.5, gt=0)
    """Largest share of the motion's squared velocity that may differ at the best lag; above it, the two recordings
    do not show one motion."""


class AlignmentSettings(AlignmentBounds):
    """When the alignment of a clip with V3D is trusted, and what becomes of the others."""

    keep_suspects: bool = False
    """Whether clips beyond these bounds go into shards all the same (they are named either way)."""


class AlignmentUnitSettings(AlignmentBounds):
    """Settings of one unit of alignment."""

    video_rate_hz: float = Field(default=30.0, gt=0, le=1000)
    """Frame rate of the videos, Hz."""


class PictureCheckSettings(Settings):
    """When the pictures of a clip are trusted to show the projected body.

    Where the picture changes is compared with where the body moves. A clip beyond a bound is doubted, which is weak
    evidence; beyond twice the bound (below half of it for the agreement, at every lag) it is suspect.
    """

    keep: Literal["trusted", "doubted", "suspect"] = "doubted"
    """Which clips go into shards: only trusted ones, doubted ones, too, or suspect ones, too (doubts are named
    whatever this is)."""

    least_agreement: float = Field(default=0.35, ge=0, le=1)
    """Smallest correlation of where the picture changes with where the body moves (0 by chance, 1 at best)."""

    exchange_margin: float = Field(default=0.075, gt=0, le=2)
    """Largest correlation by which another camera's calibration may agree better with the picture."""

    max_lag_frames: float = Field(default=1.0, gt=0, le=100)
    """Largest time lag between picture and body, video frames."""

    max_offset_px: float = Field(default=16.0, gt=0, le=10000)
    """Largest distance in the video image between picture and projected body, pixels."""


class PictureSettings(Settings):
    """What is cut out of the video, and how it is stored."""

    image_format: Literal["jpeg", "png", "webp"] = "jpeg"
    """How crops are stored; png and webp are lossless."""

    jpeg_quality: int = Field(default=95, ge=1, le=100)
    """Quality of JPEG crops."""

    context_quality: int = Field(default=50, ge=1, le=100)
    """Quality of JPEG crops away from the body, where most of the bytes would go into noise of the background. At
    `jpeg_quality` or above, the whole crop has one quality."""

    crop_size_px: int | None = Field(default=None, ge=16, le=4096)
    """Fixed side of the stored crops, pixels; none keeps the video's own resolution."""

    box_margin: float = Field(default=0.1, ge=0, le=2)
    """Margin on each side of the body's box, as a part of its longer side."""

    box_smoothing_s: float = Field(default=0.4, ge=0, le=10)
    """Width of the window that smooths boxes over time, seconds."""

    used_frame_distance_m: float = Field(default=0.02, ge=0, le=10)
    """How far a marker must have moved since the last used frame, metres."""

    used_frame_rule: Literal["any", "sum"] = "any"
    """Any one marker must have moved that far, or the displacements of all label markers together. D3KE's code is said
    to sum; read closely it counts the markers that moved far enough, which is `any`."""


class ShardUnitSettings(PictureSettings):
    """Settings of one native shard."""

    keep_suspects: bool = False
    """Whether clips with a suspect alignment go in."""

    picture_check: PictureCheckSettings = PictureCheckSettings()
    """When the pictures of a clip are trusted."""

    other_cameras: tuple[str, ...] = ()
    """Cameras whose calibration the pictures are compared with, too."""

    video_rate_hz: float = Field(default=30.0, gt=0, le=1000)
    """Frame rate of the videos, Hz."""

    landmark_limit_m: float = Field(default=0.02, gt=0)
    """A marker or joint that the fitted model misses by more than this is not valid, metres."""

    split: Path | None = None
    """Split file; none means D3KE's."""


class D3keSettings(Settings):
    """Settings of one subject's files in D3KE's layout."""

    cameras: tuple[str, ...]
    """Cameras that the subject has videos of."""

    seed: int = Field(default=0, ge=0)
    """Seed of the random columns."""

    shard: ShardUnitSettings = ShardUnitSettings()
    """Which rows there are, and their boxes."""


class ShardSettings(PictureSettings):
    """What goes into shards, and how."""

    cameras: tuple[Annotated[str, AfterValidator(check_name)], ...] = Field(default=("PG1", "PG2"), min_length=1)
    """Cameras to write."""

    layout: Literal["native", "d3ke", "both"] = "native"
    """Native shards, the files that D3KE's training code opens, or both."""

    split: Path | None = None
    """Split file (YAML: train, validation, test -> subjects); none means D3KE's."""

    seed: int = Field(default=0, ge=0)
    """Seed of the random columns that D3KE's layout carries (hflipUsage, seed)."""

    alignment: AlignmentSettings = AlignmentSettings()
    """When a clip's alignment is trusted."""

    picture_check: PictureCheckSettings = PictureCheckSettings()
    """When the pictures of a clip are trusted to show the projected body."""

    def alignment_unit(self, video_rate_hz: float) -> AlignmentUnitSettings:
        """Return the part that alignment depends on."""
        return narrow(self.alignment, AlignmentUnitSettings, video_rate_hz=video_rate_hz)

    def shard_unit(
        self, *, video_rate_hz: float, landmark_limit_m: float, other_cameras: tuple[str, ...] = ()
    ) -> ShardUnitSettings:
        """Return the part that a native shard depends on."""
        return narrow(
            self,
            ShardUnitSettings,
            keep_suspects=self.alignment.keep_suspects,
            other_cameras=other_cameras,
            video_rate_hz=video_rate_hz,
            landmark_limit_m=landmark_limit_m,
        )

    def d3ke_unit(self, *, cameras: tuple[str, ...], video_rate_hz: float, landmark_limit_m: float) -> D3keSettings:
        """Return the part that one subject's files in D3KE's layout depend on."""
        shard = self.shard_unit(video_rate_hz=video_rate_hz, landmark_limit_m=landmark_limit_m)
        return narrow(self, D3keSettings, cameras=cameras, shard=shard)
