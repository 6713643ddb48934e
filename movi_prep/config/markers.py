"""Settings of the marker stage: what the static trial uses, what trajectories use, and both together.

A unit of work receives only its own part, so that a change of one does not redo the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from movi_prep.config.base import CHANGES_NO_RESULT, Settings, narrow


class StaticTrialSettings(Settings):
    """How a subject's static trial is made."""

    mass: Literal["volume", "v3d"] = "volume"
    """Mass of the subject: from the volume of the mesh by `mass_kg_per_m3`, or as stated in the V3D file."""

    mass_kg_per_m3: float = Field(default=78.11652702058652 / 0.07745817923272397, gt=500, lt=2000)
    """Mass per volume of the T-pose mesh, kg/m3; D3KE's figure, from one subject weighed and measured."""

    static_rate_hz: float = Field(default=120.0, gt=0, le=10_000)
    """Rate of the static trial, Hz."""

    static_duration_s: float = Field(default=0.55, gt=0, le=60)
    """Length of the static trial, seconds; the pose is constant, OpenSim only needs a range of time."""


class TrajectorySettings(Settings):
    """How the marker trajectories of a clip are made."""

    rate: Literal["video", "mocap"] = "video"
    """Clock of the trajectories: every sample that a video frame sees (30 Hz), or every mocap sample (120 Hz)."""

    video_rate_hz: float = Field(default=30.0, gt=0, le=1000)
    """Frame rate of PG1 and PG2, Hz; the mocap rate must be a whole multiple of it."""

    soft_tissue: bool = False
    """Whether DMPL soft tissue moves the surface; off, as in D3KE."""

    device: str = "cpu"
    """Torch device of the body model: `cpu`, or `cuda` where asked for; never chosen silently."""

    batch_samples: Annotated[int, CHANGES_NO_RESULT] = Field(default=512, ge=1, le=100_000)
    """Rows read at once; bounds the memory. Rows are posed 512 at a time whatever it is: no bit depends on it."""


class MarkerSettings(StaticTrialSettings, TrajectorySettings):
    """How virtual markers are made from SMPL+H motion."""

    marker_set: Path | None = None
    """Marker set file (YAML); none means the packaged set: 142 markers of D3KE, nose and head top."""

    write_trc: bool = False
    """Whether .trc files of the trajectories are written too, for OpenSim's own tools."""

    @property
    def static_trial(self) -> StaticTrialSettings:
        """The part that static trials depend on."""
        return narrow(self, StaticTrialSettings)

    @property
    def trajectories(self) -> TrajectorySettings:
        """The part that trajectories depend on."""
        return narrow(self, TrajectorySettings)
