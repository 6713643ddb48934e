"""Settings of inverse kinematics."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from movi_prep.config.base import Settings
from movi_prep.config.ik_solver import ConvergedSettings


class IkSettings(Settings):
    """How coordinates are found from markers, and which of them may be trained on."""

    solver: Literal["converged", "opensim"] = "converged"
    """Our converged solver, or OpenSim's own."""

    setup: Path | None = None
    """Marker weights and tasks: a YAML file, or OpenSim's own InverseKinematicsTool document (.xml); none means the
    file packaged for the packaged model."""

    accuracy: float = Field(default=1e-5, gt=0, lt=1)
    """Accuracy of OpenSim's solver (D3KE: 1e-5)."""

    constraint_weight: float = Field(default=20.0, gt=0)
    """Weight of coupler constraints in OpenSim's solver; `inf` enforces them (D3KE: 20)."""

    landmark_weight: float = Field(default=20.0, ge=0)
    """A marker whose weight is at least this is a landmark."""

    landmark_limit_m: float = Field(default=0.02, gt=0)
    """A coordinate is invalid where a landmark of its body misses by more than this, metres."""

    write_mot: bool = True
    """Whether a .mot file (degrees) is written beside the solution."""

    write_trc: bool = False
    """Whether the model's markers are written as .trc."""

    converged: ConvergedSettings = ConvergedSettings()
    """Settings of the converged solver."""
