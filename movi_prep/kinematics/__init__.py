"""The kinematic tree as arrays and the solver on it (no OpenSim import)."""

from movi_prep.kinematics.solve import ConvergedSolution, CoordinateTarget, solve_inverse_kinematics

__all__ = ["ConvergedSolution", "CoordinateTarget", "solve_inverse_kinematics"]
