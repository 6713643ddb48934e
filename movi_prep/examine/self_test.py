"""A known-answer test of inverse kinematics that ships: no data, only the packaged model.

The packaged model is posed at known coordinates inside their ranges, its markers become the data, and inverse
kinematics must find the coordinates again: all free rotations are compared, for its markers see every one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Literal

import numpy as np

from movi_prep.config.ik import SolveSettings
from movi_prep.errors import InternalError
from movi_prep.formats.opensim_setup import read_ik_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.kinematics.known_motion import N_FRAMES, known_markers, known_poses
from movi_prep.stages.packaged_model import PACKAGED_IK_SETUP, PACKAGED_MODEL
from movi_prep.stages.solve_clip import read_scaled_model, solve_clip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.osim.solution import ScaledModel
    from movi_prep.records.ik_solution import IkSolution

LIMIT_DEG = {"opensim": 3.0, "converged": 0.5}
"""RMS over the compared rotations that passes: OpenSim's solver stops early at D3KE's settings."""


@dataclass(frozen=True)
class SelfTestResult:
    """Result of the self-test.

    Attributes:
        solver: which solver was tested.
        rms_deg: root mean square error over all compared rotations and frames, degrees.
        worst_deg: the largest RMS of one coordinate, degrees.
        worst_coordinate: its name.
        n_coordinates: how many free rotations were compared.
        marker_rms_mm: how far the markers miss, millimetres.
        usable_frames: frames with a usable status.
        n_frames: frames in all.
        seconds: wall time of solving, without compiling the solver and reading the model.
        limit_deg: largest `rms_deg` that passes.
        passed: whether every frame is usable and `rms_deg` is within the limit.
    """

    solver: str
    rms_deg: float
    worst_deg: float
    worst_coordinate: str
    n_coordinates: int
    marker_rms_mm: float
    usable_frames: int
    n_frames: int
    seconds: float
    limit_deg: float
    passed: bool


def run_self_test(
    solver: Literal["opensim", "converged"] = "converged", *, settings: SolveSettings | None = None
) -> SelfTestResult:
    """Pose the packaged model, take its markers, solve them, and compare."""
    chosen = settings or SolveSettings(solver=solver)
    scaled = read_scaled_model(packaged_path("opensim_models", PACKAGED_MODEL))
    setup = read_ik_setup(packaged_path("opensim_models", PACKAGED_IK_SETUP))
    if scaled.tree is None:
        raise InternalError(f"the packaged model has no kinematic tree: {scaled.refusal}")
    known = known_poses(scaled.tree)
    markers = known_markers(scaled.tree, known)
    if chosen.solver == "converged":
        # Not timed: the first solve of a process loads or compiles the kernels.
        solve_clip(scaled, markers, setup, chosen)
    started = perf_counter()
    solution, _ = solve_clip(scaled, markers, setup, chosen)
    return _compare(solution, known, scaled, solver=chosen.solver, seconds=perf_counter() - started)


def _compare(
    solution: IkSolution, known: NDArray[np.float64], scaled: ScaledModel, *, solver: str, seconds: float
) -> SelfTestResult:
    """Compare a solution with (n, c) known coordinates, rad and m."""
    compared = scaled.free_coordinates & scaled.coordinate_is_rotation
    errors_deg = np.degrees(np.abs(_wrapped(solution.coordinates - known)))[:, compared]
    # Whole turns are taken off above: solvers may count an angle differently.
    by_coordinate = np.sqrt(np.mean(errors_deg**2, axis=0))
    names = [name for name, wanted in zip(scaled.coordinate_names, compared.tolist(), strict=True) if wanted]
    rms_deg, usable = float(np.sqrt(np.mean(errors_deg**2))), int(solution.usable().sum())
    limit_deg = LIMIT_DEG[solver]
    return SelfTestResult(
        solver=solver,
        rms_deg=rms_deg,
        worst_deg=float(by_coordinate.max()),
        worst_coordinate=names[int(np.argmax(by_coordinate))],
        n_coordinates=len(names),
        marker_rms_mm=float(np.sqrt(np.nanmean(solution.residuals_m() ** 2))) * 1000.0,
        usable_frames=usable,
        n_frames=N_FRAMES,
        seconds=seconds,
        limit_deg=limit_deg,
        passed=bool(rms_deg <= limit_deg and usable == N_FRAMES),
    )


def _wrapped(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return differences of angles within half a turn."""
    return np.asarray((angles + np.pi) % (2.0 * np.pi) - np.pi)
