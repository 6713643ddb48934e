"""Settings of scaling: model and set-up files, and the bounds of the audit and the solver, which each unit receives."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from movi_prep.config.base import Settings, narrow
from movi_prep.config.fields import setting


class ScaleAuditSettings(Settings):
    """When a static trial counts as static, and when a scaled model may be used."""

    landmark_weight: float = setting(default=20.0, ge=0)
    """A marker whose weight in the static pose is at least this is a landmark of the audit."""

    static_movement_limit_m: float = setting(default=0.02, gt=0, le=1)
    """Largest distance of a marker from its mean in the static time range, metres, if the set-up states none."""

    landmark_rms_limit_m: float = setting(default=0.01, gt=0, le=1)
    """Largest landmark RMS in the static pose, metres (OpenSim's guideline: 1 cm)."""

    landmark_rms_refused_m: float = setting(default=0.03, gt=0, le=1)
    """Landmark RMS in the static pose above which a subject is refused, metres: what fits so badly is another person,
    or has markers exchanged. Between the limit and this it is doubtful."""

    landmark_max_limit_m: float = setting(default=0.02, gt=0, le=1)
    """Largest landmark error in the static pose, metres (OpenSim's guideline: 2 cm)."""

    factor_min: float = setting(default=0.6, gt=0, lt=1)
    """Smallest scale factor of a body that is not doubtful."""

    factor_max: float = setting(default=1.6, gt=1, le=10)
    """Largest scale factor of a body that is not doubtful."""

    asymmetry_limit: float = setting(default=0.15, gt=0, le=10)
    """Largest relative difference between the factors of a left and a right body that is not doubtful."""


class MotionScalingSettings(Settings):
    """How a person is found from motion (`scaling.method: motion`)."""

    n_frames: int = setting(default=50, ge=2, le=1000)
    """How many frames of all trials of a subject are used: those whose poses differ most."""

    n_refining_frames: int = setting(default=500, ge=0, le=100_000)
    """How many frames more the person is refined on, spread evenly over all trials; they average the noise of markers.
    0 for none."""

    site_std_m: float = setting(default=0.01, gt=0, le=0.1)
    """How far a marker may sit from where the model has it, standard deviation per axis, metres."""

    sides: Literal["as set up", "shared", "own"] = "as set up"
    """Whether left and right bodies share their factors: as the set-up's measurements have it, always, or never."""

    prior: Path | None = None
    """Spread and correlations of body sizes (YAML); none means the packaged table."""

    prior_widening: float = setting(default=1.5, ge=0.01, le=100)
    """How many times wider than the published table people may vary."""

    trial_size_limit: float = setting(default=0.03, gt=0, le=1)
    """A trial whose bodies differ by more than this share (RMS of the factors that it sees) from the other trials' is
    left out as another person's."""

    site_apart_limit_m: float = setting(default=0.015, gt=0, le=1)
    """A marker that sits this far from where it sits in the other trials does not count in that trial, metres."""


PoseSolverName = Literal["converged", "opensim"]
ScaleMethod = Literal["static", "motion"]
AskedMethod = Literal["auto", "static", "motion"]


class ScaleUnitSettings(ScaleAuditSettings):
    """The settings that a scaled model depends on."""

    placement_solver: PoseSolverName = "converged"
    """Which solver finds the static pose."""

    method: ScaleMethod = "static"
    """What the person is measured by: distances in the static trial, or all motion."""

    motion: MotionScalingSettings = MotionScalingSettings()
    """How a person is found from motion."""


class ScalingSettings(ScaleAuditSettings):
    """How the generic model is scaled to a subject, and when the result may be used."""

    model: Path | None = None
    """Generic model (.osim); none means the packaged full-body model."""

    setup: Path | None = None
    """Measurements, static weights and post-scaling steps: a YAML file, or OpenSim's own ScaleTool document (.xml);
    none means the file packaged with the packaged model."""

    method: AskedMethod = "auto"
    """What a person is measured by. `motion`: factors, marker sites and poses that explain the frames of all trials
    best; no static trial is needed. `static`: distances between markers of the static trial, as OpenSim's ScaleTool.
    `auto`: motion, which is nearer the truth wherever that is known; static where there is no moving trial, where the
    scaling set-up is your own and there is a static trial, with OpenSim's solver, and for subsets of AMASS."""

    motion: MotionScalingSettings = MotionScalingSettings()
    """How a person is found from motion; for scaling by motion."""

    placement_solver: PoseSolverName | None = None
    """Which solver finds the static pose, in which scaling moves the markers onto the data; none means the solver of
    inverse kinematics (`ik.solver`). OpenSim's takes any model but stops early; the remaining error of the static pose
    becomes a constant error of all the subject's angles."""

    keep_failed_audit: bool = False
    """Whether to use a subject that the audit refuses (it is reported in any case). Doubtful ones are always used."""

    def for_unit(self, ik_solver: PoseSolverName, method: ScaleMethod) -> ScaleUnitSettings:
        """Return the settings that a scaled model depends on, for this solver of inverse kinematics and this method."""
        unused = {} if method == "motion" else {"motion": MotionScalingSettings()}
        solver = self.placement_solver or ik_solver
        return narrow(self, ScaleUnitSettings, placement_solver=solver, method=method, **unused)
