"""Settings of the converged inverse kinematics solver."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from movi_prep.config.base import CHANGES_NO_RESULT, Settings

UNSEEN_STRENGTH = 1e-4
"""Strength of a prior that decides only what no marker decides: it adds less than 1e-6 to the markers' error."""


class ConvergedSettings(Settings):
    """How the converged solver iterates, what it adds to the markers, and what it reports.

    Defaults are measured: `python -m benchmarks.converged_ik` shows what they give.
    """

    step_tolerance: float = Field(default=1e-6, gt=0, le=1e-2)
    """A frame has converged when no unknown moves by more than this any further, rad or m."""

    iteration_limit: int = Field(default=60, ge=1, le=1000)
    """Newton iterations per frame; a frame that needs more is tried again from its neighbours."""

    marker_noise_m: float = Field(default=0.005, gt=0, le=0.1)
    """Standard deviation of a marker of average weight, metres: the noise that posterior deviations refer to, and from
    which on prior and temporal term act in full; below, in proportion to the variance that the residuals show."""

    pulls: Literal["always", "unseen"] = "always"
    """Where prior and temporal term act: always, which gives the most likely pose, or only where no marker decides, for
    the minimum of the markers' error, as OpenSim's tool looks for: `prior_strength`, `temporal_weight` and
    `switching_weight` do not count then. `--setup` and `--marker-file` solve so, unless one of them is set."""

    prior_strength: float = Field(default=0.75, ge=0, le=10)
    """Pull towards the model's default pose: 1 is a prior whose standard deviation is a quarter of each range at
    `marker_noise_m`, 0.75 one as wide as an even spread over the range, 0 switches it off. The root has none. It acts
    on what markers leave open."""

    temporal_weight: float = Field(default=3e-4, ge=0, le=1e-2)
    """Weight of the squared departure from how the frames solved before would go on, m^2/rad^2; 0 switches it off. It
    keeps directions that no marker sees still, and has a joint glide where it would jump; it is no smoother."""

    tracks: Literal["both", "forward"] = "both"
    """Follow each clip forward only, or also backward from an independent start at its end, and join the two."""

    switching_weight: float = Field(default=3e-4, ge=0, le=1)
    """What the joined path pays for the squared change between two frames, m^2/rad^2."""

    scout_interval: int = Field(default=120, ge=2)
    """Every so many frames an independent start looks for a lower minimum than the joined path is in, and is followed
    where it finds one, samples. Where markers see every joint, all starts end in the same, and none is sent."""

    restart_gap: int = Field(default=24, ge=1)
    """After this many frames without a pose the next one starts anew instead of from the last pose, samples."""

    observability: bool = True
    """Whether posterior deviations and ranks are computed for every frame."""

    unseen_std_rad: float = Field(default=0.5, gt=0)
    """A coordinate whose median posterior deviation is above this (rad or m) is named as not seen."""

    mask_unseen: bool = False
    """Whether labels are masked, frame by frame, where the posterior deviation is above `unseen_std_rad`."""

    suspect_rms_m: float = Field(default=0.05, gt=0)
    """A frame with a weighted marker RMS above this is suspect: no human motion gives it, metres."""

    suspect_residual_m: float = Field(default=0.25, gt=0)
    """A frame in which one tracked marker misses by more than this is suspect, metres."""

    suspect_outlier_m: float = Field(default=0.04, gt=0)
    """A frame in which one tracked marker misses by more than this, and by more than six times its own median in the
    clip, is suspect, metres."""

    swap_residual_m: float = Field(default=0.05, gt=0)
    """A left and right pair that misses by more than this, and by less than 0.7 of it when exchanged, is reported as
    swapped, metres."""

    verify_frames: Annotated[int, CHANGES_NO_RESULT] = Field(default=8, ge=0)
    """How many frames of every clip are put back into OpenSim; 0 switches the check off."""

    verify_tolerance_m: float = Field(default=1e-8, gt=0)
    """How far OpenSim's markers and constraints may be from ours, m (or rad)."""

    def acting(self) -> ConvergedSettings:
        """Return the settings with the pulls as they act."""
        if self.pulls == "always":
            return self
        without = {"temporal_weight": 0.0, "switching_weight": 0.0}
        return self.model_copy(update={"prior_strength": min(self.prior_strength, UNSEEN_STRENGTH), **without})
