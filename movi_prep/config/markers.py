"""Settings of the marker stage: those of static trials, those of trajectories, and both together.

Each unit of work receives only its own settings, so that a change of one kind does not repeat the other's units.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from movi_prep.config.base import Settings, narrow
from movi_prep.config.fields import CHANGES_NO_RESULT, setting
from movi_prep.config.footage import MotionChoice


class StaticTrialSettings(Settings):
    """How movi-prep makes a subject's static trial."""

    mass: Literal["volume", "v3d"] = "volume"
    """Source of the subject's mass: the volume of the mesh times `mass_kg_per_m3`, or the V3D file."""

    mass_kg_per_m3: float = setting(default=78.11652702058652 / 0.07745817923272397, gt=500, lt=2000)
    """Mass per volume of the T-pose mesh, kg/m3; D3KE's figure, from one subject weighed and measured."""

    static_rate_hz: float = setting(default=120.0, gt=0, le=10_000)
    """Rate of the static trial, Hz."""

    static_duration_s: float = setting(default=0.55, gt=0, le=60)
    """Length of the static trial, seconds; the pose is constant, but OpenSim needs a time range."""


class TrajectorySettings(Settings):
    """How movi-prep makes the marker trajectories of a clip."""

    rate: Literal["video", "mocap"] = "video"
    """Clock of the trajectories: the samples that a video frame shows (30 Hz), or every mocap sample (120 Hz)."""

    video_rate_hz: float = setting(default=30.0, gt=0, le=1000)
    """Frame rate of PG1 and PG2, Hz; the mocap rate must be a whole multiple of it."""

    motion_rate_hz: float | None = setting(default=None, ge=1, le=10_000)
    """Frames per second of results of networks, which do not hold it; other files do."""

    motion_up: Literal["x", "y", "z", "-x", "-y", "-z"] | None = None
    """Axis that is up in motion that is not AMASS's; none means that it is found from the trunk, and said."""

    resample_hz: float | None = setting(default=None, ge=1, le=1000)
    """Rate of the rows where there is no video, Hz, whatever that of the clip is: samples where they fall on it,
    between them rotations on the shortest way. None means each clip's own rate."""

    soft_tissue: bool = False
    """Whether DMPL soft tissue deforms the surface; off, as in D3KE."""

    device: str = "cpu"
    """Torch device of the body model: `cpu` or `cuda`; movi-prep never chooses a GPU by itself."""

    batch_samples: Annotated[int, CHANGES_NO_RESULT] = setting(default=2048, ge=1, le=100_000)
    """Rows read at once, which bounds the memory. The body model always poses 2048 rows at a time, so no bit of the
    results depends on this."""


class StaticUnitSettings(StaticTrialSettings):
    """What one subject's static trial depends on."""

    choices: tuple[MotionChoice, ...] = ()
    """Whose motion of its file each clip is, () where no file leaves it open."""


class TrajectoryUnitSettings(TrajectorySettings):
    """What one clip's trajectories depend on."""

    choice: MotionChoice = MotionChoice()
    """Whose motion of its file the clip is."""


class MarkerSettings(StaticTrialSettings, TrajectorySettings):
    """How movi-prep makes virtual markers from SMPL+H motion."""

    marker_set: Path | None = None
    """Marker set file (YAML); none means the packaged set: 142 markers of D3KE, nose and head top."""

    write_trc: bool = False
    """Whether the trajectories are also written as .trc files, for OpenSim's own tools."""

    def static_unit(self, choices: tuple[MotionChoice, ...]) -> StaticUnitSettings:
        """Return the settings that a static trial depends on."""
        return narrow(self, StaticUnitSettings, choices=choices)

    def trajectory_unit(self, choice: MotionChoice) -> TrajectoryUnitSettings:
        """Return the settings that a clip's trajectories depend on."""
        return narrow(self, TrajectoryUnitSettings, choice=choice)
