"""Settings of the converged inverse kinematics solver."""

from __future__ import annotations

from typing import Annotated, Literal

from movi_prep.config.base import Settings
from movi_prep.config.fields import CHANGES_NO_RESULT, setting

UNSEEN_STRENGTH = 1e-4
"""Strength of a prior that determines only what no marker determines: it adds less than 1e-6 to the marker error."""


OBSERVE_SOME, VERIFY_FEW = 24, 2
"""Of many clips: frames from one whose observability is computed to the next (0.2 s of AMASS), and how many frames of
each are put back into OpenSim."""


class ConvergedSettings(Settings):
    """How the converged solver iterates, what it adds to the marker error, and what it reports.

    `python -m benchmarks.converged_ik` measures the effect of the defaults.
    """

    step_tolerance: float = setting(default=1e-6, gt=0, le=1e-2)
    """A frame has converged when a step moves no unknown by more than this, rad or m."""

    iteration_limit: int = setting(default=60, ge=1, le=1000)
    """Most Newton iterations per frame; a frame that needs more is tried again from its neighbours' poses."""

    marker_noise_m: float = setting(default=0.005, gt=0, le=0.1)
    """Assumed standard deviation of a marker of average weight, metres. Posterior deviations refer to it. Prior and
    temporal term act in full at this noise, and below it in proportion to the variance that the residuals show."""

    pulls: Literal["always", "unseen"] = "always"
    """Where prior and temporal term act. `always` gives the most likely pose. `unseen` gives the minimum of the marker
    error, as OpenSim's tool does: they act only where no marker determines the pose, and `prior_strength`,
    `temporal_weight` and `switching_weight` have no effect. `--setup` and `--marker-file` use `unseen`, unless one of
    these is set."""

    prior_strength: float = setting(default=0.75, ge=0, le=10)
    """Prior, a pull towards the model's default pose in what markers leave open. 1 is a prior whose standard deviation
    is a quarter of each coordinate's range at `marker_noise_m`; 0.75 one as wide as an even spread over the range; 0
    switches it off. The root has no prior."""

    temporal_weight: float = setting(default=3e-4, ge=0, le=1e-2)
    """Temporal term: weight of the squared distance from the continuation of the previous frames, m^2/rad^2; 0 switches
    it off. It holds directions still that no marker determines, and makes a joint glide where it would jump. It does
    not smooth."""

    tracks: Literal["both", "forward"] = "both"
    """Whether each clip is solved only forward, or also backward from an independent start at its end, to join both."""

    switching_weight: float = setting(default=3e-4, ge=0, le=1)
    """Cost of the squared change between two frames where the joined path changes tracks, m^2/rad^2."""

    scout_interval: int = setting(default=120, ge=2)
    """Distance between independent starts that look for a lower minimum than the joined path's, samples; the solver
    follows each one found. If markers determine every joint, all starts would end in the same minimum, and it makes
    none."""

    restart_gap: int = setting(default=24, ge=1)
    """After this many frames without a pose, the next frame starts anew and not from the last pose, samples."""

    observability: bool = True
    """Whether posterior deviations and ranks are computed."""

    observe_every: int | None = setting(default=None, ge=1, le=1_000_000)
    """Frames from one whose posterior deviations and ranks are computed to the next; frames in between take those of
    the one before. Wherever a marker comes or goes they are computed, too. None means 1, and 24 where nothing but
    angles is written (`ik.content`) and `mask_unseen` is false."""

    unseen_std_rad: float = setting(default=0.5, gt=0)
    """A coordinate with a median posterior deviation above this is reported as not determined by the markers, rad or
    m."""

    mask_unseen: bool = False
    """Whether labels are masked, frame by frame, where the posterior deviation is above `unseen_std_rad`."""

    suspect_rms_m: float = setting(default=0.05, gt=0)
    """A frame with a weighted marker RMS above this is suspect, because no human motion gives it, metres."""

    suspect_residual_m: float = setting(default=0.25, gt=0)
    """A frame with a residual of a tracked marker above this is suspect, metres."""

    suspect_outlier_m: float = setting(default=0.04, gt=0)
    """A frame is suspect if the residual of a tracked marker is above this and above six times the marker's own median
    in the clip, metres."""

    swap_residual_m: float = setting(default=0.05, gt=0)
    """A left and right pair is reported as swapped if its residuals are above this, and exchanging the two reduces them
    to less than 0.7 times, metres."""

    verify_frames: Annotated[int, CHANGES_NO_RESULT] = setting(default=8, ge=0, le=1_000_000)
    """Number of frames of each clip that are put back into OpenSim for comparison; 0 switches the check off."""

    verify_tolerance_m: float = setting(default=1e-8, gt=0)
    """Largest difference between OpenSim's markers and constraints and ours, m (or rad)."""

    def sparing(self) -> ConvergedSettings:
        """Return the settings for clips by the thousand: observability in some frames, unless labels need it in each or
        the user says how often, and fewer frames put back into OpenSim, unless the user says how many."""
        every = OBSERVE_SOME if self.observe_every is None and not self.mask_unseen else self.observe_every
        few = self.verify_frames if "verify_frames" in self.model_fields_set else VERIFY_FEW
        return self.model_copy(update={"observe_every": every, "verify_frames": few})

    def acting(self) -> ConvergedSettings:
        """Return the settings with the pulls that `pulls` lets act."""
        if self.pulls == "always":
            return self
        without = {"temporal_weight": 0.0, "switching_weight": 0.0}
        return self.model_copy(update={"prior_strength": min(self.prior_strength, UNSEEN_STRENGTH), **without})
