"""Settings of the converged inverse kinematics solver."""

from __future__ import annotations

from movi_prep.config.base import Settings


class ConvergedSettings(Settings):
    """How the converged solver iterates."""
