"""Settings of inverse kinematics: how frames are solved (these go to each unit), and which files are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from movi_prep.config.base import Settings, narrow
from movi_prep.config.fields import setting
from movi_prep.config.ik_solver import ConvergedSettings

Content = Literal["everything", "angles"]


class SolveSettings(Settings):
    """How coordinates are solved from markers, and which of them are valid labels."""

    solver: Literal["converged", "opensim"] = "converged"
    """Our converged solver, or OpenSim's own."""

    accuracy: float | None = setting(default=None, gt=0, lt=1)
    """Accuracy of OpenSim's solver; none means the set-up's (D3KE: 1e-5)."""

    constraint_weight: float | None = setting(default=None, gt=0)
    """Weight of coupler constraints in OpenSim's solver, `inf` to enforce them; none means the set-up's."""

    landmark_weight: float = setting(default=20.0, ge=0)
    """A marker whose weight is at least this is a landmark."""

    landmark_limit_m: float = setting(default=0.02, gt=0)
    """Largest residual of a landmark, metres; above it, the coordinates that the landmark determines are invalid."""

    suspect_rms_m: float = setting(default=0.05, gt=0)
    """Largest weighted marker RMS of a frame of OpenSim's solver, metres; above it, the frame is suspect."""

    converged: ConvergedSettings = ConvergedSettings()
    """Settings of the converged solver."""

    @property
    def minimised(self) -> str:
        """The objective that a solution minimises, in words for files and reports."""
        if self.solver == "opensim" or self.converged.pulls == "unseen":
            return "marker error"
        return "marker error, prior and temporal term"

    @property
    def needs_compiler(self) -> bool:
        """Whether the solver uses kernels that are compiled once per installation."""
        return self.solver == "converged"


class IkUnitSettings(SolveSettings):
    """The settings that the solution of one clip depends on."""

    content: Content = "everything"
    """What the solution's file holds."""

    keep_failed_audit: bool = False
    """Whether clips are solved even if the audit of the subject's scaling refuses it."""


class IkSettings(SolveSettings):
    """Settings of inverse kinematics in the configuration file."""

    setup: Path | None = None
    """Marker weights and tasks: a YAML file, or OpenSim's own InverseKinematicsTool document (.xml); none means the
    file packaged with the packaged model."""

    marker_noise: Path | None = None
    """How far markers are from where they sit on the bone, which makes the deviations of labels: a YAML file; none
    means the packaged `marker_noise.yaml`, fitted to skin markers whose bones were tracked."""

    content: Content | None = None
    """What the file of a solution holds. `angles`: coordinates, which of them are valid, their standard deviations, the
    root's frame, and how each frame ended: a tenth of the space, a third of the time. `everything`: markers, bodies
    and joints, too, and covariances. None means `angles` for clips of AMASS by subset, which come without video, and
    `everything` else."""

    write_mot: bool | None = None
    """Whether a .mot file (degrees) is written beside the solution; none means where the solution holds everything."""

    write_trc: bool = False
    """Whether the model's markers are written as .trc."""

    write_deviations: bool = False
    """Whether a table of the standard deviations of the coordinates (.sto) is written for marker files and set-up
    documents; the solutions of clips hold them."""

    marker_file_up: Literal["y", "z"] = "y"
    """Axis that points up in marker files (`--marker-file`, `--static-file`). Solutions are in OpenSim's ground, which
    has y up: with z, (x, y, z) of the file is read as (x, z, -y)."""

    def for_marker_files(self) -> IkSettings:
        """Return the settings for marker files, which are solved as OpenSim's tool does: pulls act only in directions
        that no marker determines. A pull that the user has set stays.
        """
        if self.converged.model_fields_set & {"pulls", "prior_strength", "temporal_weight"}:
            return self
        return self.model_copy(update={"converged": self.converged.model_copy(update={"pulls": "unseen"})})

    def for_unit(self, *, keep_failed_audit: bool, content: Content = "everything") -> IkUnitSettings:
        """Return the settings that one clip depends on; those of the solver that is not used stay at their defaults."""
        fields = IkUnitSettings.model_fields
        idle = ("accuracy", "constraint_weight", "suspect_rms_m") if self.solver == "converged" else ("converged",)
        changed: dict[str, Any] = {name: fields[name].default for name in idle}
        if self.solver == "converged" and content == "angles":
            changed["converged"] = self.converged.sparing()
        return narrow(self, IkUnitSettings, keep_failed_audit=keep_failed_audit, content=content, **changed)
