"""Settings of inverse kinematics: how frames are solved, which is what a unit receives, and what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from movi_prep.config.base import Settings, narrow
from movi_prep.config.ik_solver import ConvergedSettings


class SolveSettings(Settings):
    """How coordinates are found from markers, and which of them may be trained on."""

    solver: Literal["converged", "opensim"] = "converged"
    """Our converged solver, or OpenSim's own."""

    accuracy: float | None = Field(default=None, gt=0, lt=1)
    """Accuracy of OpenSim's solver; none means the set-up's (D3KE: 1e-5)."""

    constraint_weight: float | None = Field(default=None, gt=0)
    """Weight of coupler constraints in OpenSim's solver, `inf` to enforce them; none means the set-up's."""

    landmark_weight: float = Field(default=20.0, ge=0)
    """A marker whose weight is at least this is a landmark."""

    landmark_limit_m: float = Field(default=0.02, gt=0)
    """A coordinate is invalid where a landmark of its body misses by more than this, metres."""

    suspect_rms_m: float = Field(default=0.05, gt=0)
    """A frame of OpenSim's solver with a weighted marker RMS above this, metres, is suspect: no motion gives it."""

    converged: ConvergedSettings = ConvergedSettings()
    """Settings of the converged solver."""

    @property
    def minimised(self) -> str:
        """What a solution is the minimum of, in words for files and reports."""
        if self.solver == "opensim" or self.converged.pulls == "unseen":
            return "marker error"
        return "marker error, prior and temporal term"

    @property
    def needs_compiler(self) -> bool:
        """Whether solving runs kernels that are compiled once per installation."""
        return self.solver == "converged"


class IkUnitSettings(SolveSettings):
    """What one clip depends on, beside its files."""

    keep_failed_audit: bool = False
    """Whether a subject whose scaling failed the audit is solved all the same."""


class IkSettings(SolveSettings):
    """Inverse kinematics as the user sets it."""

    setup: Path | None = None
    """Marker weights and tasks: a YAML file, or OpenSim's own InverseKinematicsTool document (.xml); none means the
    file packaged for the packaged model."""

    marker_noise: Path | None = None
    """How far markers are from where they sit on the bone, which makes the deviations of labels: a YAML file; none
    means the packaged `marker_noise.yaml`, fitted to skin markers whose bones were tracked."""

    write_mot: bool = True
    """Whether a .mot file (degrees) is written beside the solution."""

    write_trc: bool = False
    """Whether the model's markers are written as .trc."""

    marker_file_up: Literal["y", "z"] = "y"
    """Axis of marker files (`--marker-file`, `--static-file`) that points up. OpenSim's ground, where everything is
    solved and written, has y up; of a laboratory that has z up, (x, y, z) is taken as (x, z, -y)."""

    def for_marker_files(self) -> IkSettings:
        """Return the settings for files that are solved as OpenSim's tool would: no pulls where markers decide.

        A pull that is set is kept.
        """
        if self.converged.model_fields_set & {"pulls", "prior_strength", "temporal_weight"}:
            return self
        return self.model_copy(update={"converged": self.converged.model_copy(update={"pulls": "unseen"})})

    def for_unit(self, *, keep_failed_audit: bool) -> IkUnitSettings:
        """Return the part that one clip depends on: settings of the solver that is not used stay at their defaults."""
        fields = IkUnitSettings.model_fields
        idle = ("accuracy", "constraint_weight", "suspect_rms_m") if self.solver == "converged" else ("converged",)
        unused = {name: fields[name].default for name in idle}
        return narrow(self, IkUnitSettings, keep_failed_audit=keep_failed_audit, **unused)
