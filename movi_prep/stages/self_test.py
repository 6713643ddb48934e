"""A known-answer test of inverse kinematics that ships: no data, only the packaged model.

The packaged model is posed at known coordinates inside their ranges, its markers become the data, and inverse
kinematics must find the coordinates again. What the markers cannot see is not asked for: free coordinates whose
posterior deviation is small are compared, and where the solver does not tell, all free coordinates are.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Literal

import numpy as np

from movi_prep.config.ik import SolveSettings
from movi_prep.config.ik_solver import ConvergedSettings
from movi_prep.errors import InternalError
from movi_prep.formats.opensim_setup import read_ik_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.records.markers import MarkerTrajectories
from movi_prep.stages.ik import PACKAGED_IK_SETUP, read_scaled_model, solve_clip
from movi_prep.stages.scale import PACKAGED_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree

N_FRAMES = 12
RATE_HZ = 30.0
SEED = 20231
SWING = 0.25
"""Share of each coordinate's range that the poses swing over, about the default pose."""
LARGEST_SWING = 0.6
"""Largest swing of a coordinate, rad or m."""

LIMIT_DEG = {"opensim": 3.0, "converged": 0.5}
"""RMS over the compared rotations that passes: OpenSim's solver stops early at D3KE's settings."""


@dataclass(frozen=True)
class SelfTestResult:
    """What came back.

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
    markers = _markers_of(scaled.tree, known)
    if chosen.solver == "converged":
        # The first solve of a process reads the kernels, or compiles them, which says nothing about the solver.
        solve_clip(scaled, markers, setup, chosen)
    started = perf_counter()
    solution, _ = solve_clip(scaled, markers, setup, chosen)
    seconds = perf_counter() - started
    compared = scaled.free_coordinates & scaled.coordinate_is_rotation
    errors_deg = np.degrees(np.abs(_wrapped(solution.coordinates - known)))[:, compared]
    by_coordinate = np.sqrt(np.mean(errors_deg**2, axis=0))
    names = [name for name, wanted in zip(scaled.coordinate_names, compared.tolist(), strict=True) if wanted]
    rms_deg, usable = float(np.sqrt(np.mean(errors_deg**2))), int(solution.usable().sum())
    limit_deg = LIMIT_DEG[chosen.solver]
    return SelfTestResult(
        solver=chosen.solver,
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


def compile_solver(say: Callable[[str], None]) -> None:
    """Have the converged solver compiled on this machine, and say so first; nothing where that was done before."""
    from movi_prep.kinematics.ahead import compile_ahead, is_compiled

    if is_compiled():
        return
    say("compiling the solver, once per installation: about half a minute")
    scaled = read_scaled_model(packaged_path("opensim_models", PACKAGED_MODEL))
    if scaled.tree is None:
        raise InternalError(f"the packaged model has no kinematic tree: {scaled.refusal}")
    markers = _markers_of(scaled.tree, known_poses(scaled.tree))
    compile_ahead(
        scaled.tree, markers.names, markers.positions_m, dict.fromkeys(markers.names, 1.0), ConvergedSettings()
    )


def known_poses(tree: KinematicTree) -> NDArray[np.float64]:
    """Return (n, c) coordinates, rad and m: smooth swings about the default pose, inside every range.

    The root turns freely, as a person does; couplers hold exactly.
    """
    generator = np.random.default_rng(SEED)
    phase = generator.uniform(0.0, 2.0 * np.pi, tree.n_coordinates)
    low, high = tree.coordinate_range.T
    swing = np.minimum(SWING * (high - low), LARGEST_SWING)
    # Ranges are often one-sided (a knee): the middle of the swing is moved inside.
    middle = np.clip(tree.coordinate_default, low + swing, high - swing)
    # Half a swing: neighbours are as near to each other as in fast motion at the video clock.
    turn = np.pi * np.arange(N_FRAMES)[:, None] / N_FRAMES
    known = middle + swing * np.sin(turn + phase)
    return tree.complete_coordinates(np.where(tree.free_coordinates, known, tree.coordinate_default))


def _markers_of(tree: KinematicTree, coordinates: NDArray[np.float64]) -> MarkerTrajectories:
    return MarkerTrajectories(
        names=tree.marker_names,
        positions_m=tree.marker_positions(coordinates),
        times_s=np.arange(len(coordinates)) / RATE_HZ,
        sample_indices=np.arange(len(coordinates), dtype=np.int64),
        rate_hz=RATE_HZ,
        source="self-test",
    )


def _wrapped(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return differences of angles within half a turn."""
    return np.asarray((angles + np.pi) % (2.0 * np.pi) - np.pi)
