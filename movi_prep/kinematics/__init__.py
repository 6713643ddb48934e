"""The kinematic tree as arrays and the solver on it (no OpenSim import)."""
