"""Settings of alignment, boxes, crops and shards.

Each unit of work receives only its own settings, so that a change of one kind does not repeat the other's units.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from movi_prep.config.base import Settings, narrow
from movi_prep.config.fields import NAMES_FOLDER, After, Limits, setting
from movi_prep.config.footage import CameraOptions, VideoClock
from movi_prep.names import check_name

CameraName = Annotated[str, After(check_name)]


class AlignmentBounds(Settings):
    """Largest errors of a clip's alignment with V3D; above one of them, the alignment is suspect."""

    max_lag_s: float = setting(default=0.5 / 30.0, gt=0, le=10)
    """Largest time lag between AMASS joints and V3D's virtual markers, seconds (half a video frame)."""

    max_rotation_deg: float = setting(default=3.0, gt=0, le=180)
    """Largest rotation of the rigid fit between them, degrees."""

    max_offset_m: float = setting(default=0.08, gt=0, le=10)
    """Largest offset of the rigid fit between them, metres."""

    max_mismatch: float = setting(default=0.5, gt=0)
    """Largest share of the motion's squared velocity that may differ at the best lag; above it, the two recordings
    do not show the same motion."""


class AlignmentSettings(AlignmentBounds):
    """When the alignment of a clip with V3D is trusted, and whether other clips are used."""

    keep_suspects: bool = False
    """Whether clips with a suspect alignment go into shards (they are reported in any case)."""


class ClipFootage(VideoClock):
    """One video of one clip: whose, and which part of it."""

    clip: str
    """Key of the clip."""

    camera: str
    """Name of the camera."""


class AlignmentUnitSettings(AlignmentBounds):
    """Settings of one unit of alignment."""

    video_rate_hz: float = setting(default=30.0, gt=0, le=1000)
    """Frame rate of the videos, Hz."""

    footage: tuple[ClipFootage, ...] = ()
    """Videos that are a clip's own; none where the subject's session says which frames show which clip."""


class PictureCheckSettings(Settings):
    """When the pictures of a clip are trusted to show the projected body.

    movi-prep compares where the picture changes with where the projected body moves. A clip beyond a bound is doubted,
    which is weak evidence. A clip beyond twice the bound (below half of it for the agreement, at every lag) is suspect.
    """

    keep: Literal["trusted", "doubted", "suspect"] = "doubted"
    """Which clips go into shards: only `trusted` ones, also `doubted` ones, or also `suspect` ones (doubts are reported
    in any case)."""

    least_agreement: float = setting(default=0.35, ge=0, le=1)
    """Smallest correlation between changes of the picture and motion of the body (0 by chance, 1 at best)."""

    exchange_margin: float = setting(default=0.075, gt=0, le=2)
    """Largest difference by which another camera's calibration may correlate better with the picture."""

    max_lag_frames: float = setting(default=1.0, gt=0, le=100)
    """Largest time lag between picture and body, video frames."""

    max_offset_px: float = setting(default=16.0, gt=0, le=10000)
    """Largest distance in the video image between picture and projected body, pixels."""


class PictureSettings(Settings):
    """Which part of the video a crop shows, and how it is stored."""

    image_format: Literal["jpeg", "png", "webp"] = "jpeg"
    """How crops are stored; png and webp are lossless."""

    jpeg_quality: int = setting(default=95, ge=1, le=100)
    """Quality of JPEG crops."""

    context_quality: int = setting(default=50, ge=1, le=100)
    """Quality of JPEG crops away from the body, where most bytes would store noise of the background. At `jpeg_quality`
    or above, the whole crop has one quality."""

    crop_size_px: int | None = setting(default=None, ge=16, le=4096)
    """Side of the stored crops, pixels; none keeps the video's own resolution."""

    box_margin: float = setting(default=0.1, ge=0, le=2)
    """Margin on each side of the body's box, as a fraction of its longer side."""

    box_smoothing_s: float = setting(default=0.4, ge=0, le=10)
    """Width of the window that smooths boxes over time, seconds."""

    used_frame_distance_m: float = setting(default=0.02, ge=0, le=10)
    """Distance that a marker must have moved since the last used frame, metres."""

    used_frame_rule: Literal["any", "sum"] = "any"
    """Whether `any` one marker must have moved that far, or the `sum` of all label markers' displacements. D3KE's code
    is described as a sum, but counts the markers that moved far enough, which is `any`."""


class ShardUnitSettings(PictureSettings):
    """Settings of one native shard."""

    keep_suspects: bool = False
    """Whether clips with a suspect alignment go into the shard."""

    picture_check: PictureCheckSettings = PictureCheckSettings()
    """When the pictures of a clip are trusted."""

    camera_options: tuple[CameraOptions, ...] = ()
    """How the calibration of each clip is to be read; none for files that leave nothing open."""

    other_cameras: tuple[str, ...] = ()
    """Other cameras with whose calibration the pictures are compared."""

    video_rate_hz: float = setting(default=30.0, gt=0, le=1000)
    """Frame rate of the videos, Hz."""

    landmark_limit_m: float = setting(default=0.02, gt=0)
    """A marker or joint that the fitted model misses by more than this is invalid, metres."""

    split: Path | None = None
    """Split file; none means D3KE's."""


class D3keSettings(Settings):
    """Settings of one subject's files in D3KE's layout."""

    cameras: tuple[str, ...]
    """Cameras that filmed the subject."""

    seed: int = setting(default=0, ge=0)
    """Seed of the random columns."""

    shard: ShardUnitSettings = ShardUnitSettings()
    """Settings that determine the rows and their boxes."""


class D3keCorpusSettings(Settings):
    """Settings of what all subjects share in D3KE's layout."""

    with_occluders: bool = False
    """Whether a file of occluders is written beside it."""


class OccluderSettings(Settings):
    """Settings of the file of occluders."""

    people: bool
    """Whether people are among them."""


class ShardSettings(PictureSettings):
    """Settings of alignment, crops and shards in the configuration file."""

    cameras: Annotated[tuple[CameraName, ...], Limits(min_length=1)] | None = None
    """Cameras to write; none means all of a manifest, and BMLmovi's PG1 and PG2."""

    layout: Literal["native", "d3ke", "both"] = "native"
    """Layout of the shards: `native`, the files that D3KE's training code opens (`d3ke`), or `both`."""

    split: Path | None = None
    """Split file (YAML: train, validation, test -> subjects); none means D3KE's."""

    seed: int = setting(default=0, ge=0)
    """Seed of the random columns that D3KE's layout carries (hflipUsage, seed)."""

    pascal: Annotated[Path | None, NAMES_FOLDER] = None
    """Folder VOC2012 of Pascal VOC: D3KE's layout then has a file of objects to paste over pictures."""

    pascal_people: bool = True
    """Whether people are among these objects. The released script of D3KE leaves them out."""

    alignment: AlignmentSettings = AlignmentSettings()
    """When a clip's alignment is trusted."""

    picture_check: PictureCheckSettings = PictureCheckSettings()
    """When the pictures of a clip are trusted to show the projected body."""

    def alignment_unit(self, video_rate_hz: float, footage: tuple[ClipFootage, ...] = ()) -> AlignmentUnitSettings:
        """Return the settings that alignment depends on."""
        return narrow(self.alignment, AlignmentUnitSettings, video_rate_hz=video_rate_hz, footage=footage)

    def shard_unit(
        self,
        *,
        video_rate_hz: float,
        landmark_limit_m: float,
        other_cameras: tuple[str, ...] = (),
        camera_options: tuple[CameraOptions, ...] = (),
    ) -> ShardUnitSettings:
        """Return the settings that a native shard depends on."""
        return narrow(
            self,
            ShardUnitSettings,
            keep_suspects=self.alignment.keep_suspects,
            other_cameras=other_cameras,
            camera_options=camera_options,
            video_rate_hz=video_rate_hz,
            landmark_limit_m=landmark_limit_m,
        )

    def d3ke_unit(self, *, cameras: tuple[str, ...], video_rate_hz: float, landmark_limit_m: float) -> D3keSettings:
        """Return the settings that one subject's files in D3KE's layout depend on."""
        shard = self.shard_unit(video_rate_hz=video_rate_hz, landmark_limit_m=landmark_limit_m)
        return narrow(self, D3keSettings, cameras=cameras, shard=shard)
