"""Settings of alignment, boxes, crops and shards."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from movi_prep.config.base import Settings


class AlignmentSettings(Settings):
    """When the alignment of a clip with V3D and the video is trusted."""

    max_lag_s: float = Field(default=0.5 / 30.0, gt=0)
    """Largest time lag between AMASS joints and V3D's virtual markers, seconds (half a video frame)."""

    max_rotation_deg: float = Field(default=3.0, gt=0)
    """Largest rotation of the rigid fit between them, degrees."""

    max_offset_m: float = Field(default=0.08, gt=0)
    """Largest offset of the rigid fit between them, metres."""

    keep_suspects: bool = False
    """Whether clips beyond these bounds go into shards all the same (they are named either way)."""


class ShardSettings(Settings):
    """What goes into shards, and how."""

    cameras: tuple[str, ...] = ("PG1", "PG2")
    """Cameras to write."""

    layout: Literal["native", "d3ke", "both"] = "native"
    """Native shards, the files that D3KE's training code opens, or both."""

    image_format: Literal["jpeg", "png", "webp"] = "jpeg"
    """How crops are stored; png and webp are lossless."""

    jpeg_quality: int = Field(default=95, ge=1, le=100)
    """Quality of JPEG crops."""

    crop_size_px: int | None = Field(default=None, ge=16, le=4096)
    """Fixed side of the stored crops, pixels; none keeps the video's own resolution."""

    box_margin: float = Field(default=0.15, ge=0, le=2)
    """Margin on each side of the body's box, as a part of its longer side."""

    box_smoothing_s: float = Field(default=0.4, ge=0, le=10)
    """Width of the window that smooths boxes over time, seconds."""

    used_frame_distance_m: float = Field(default=0.02, ge=0)
    """How far a marker must have moved since the last used frame, metres."""

    used_frame_rule: Literal["any", "sum"] = "any"
    """Any one marker must have moved that far, or (as the superseded code does) the sum over all label markers."""

    split: Path | None = None
    """Split file (YAML: train, validation, test -> subjects); none means D3KE's."""

    seed: int = Field(default=0, ge=0)
    """Seed of the random columns that D3KE's layout carries (hflipUsage, seed)."""

    alignment: AlignmentSettings = AlignmentSettings()
    """When a clip's alignment is trusted."""
