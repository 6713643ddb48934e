"""Poses of independent frames: each is found from its own markers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.config.ik_solver import ConvergedSettings
from movi_prep.kinematics.angle_branches import model_angles
from movi_prep.kinematics.first_pose import find_start
from movi_prep.kinematics.folded_model import fold_model
from movi_prep.kinematics.global_search import lowest_minimum
from movi_prep.kinematics.machine_code import engine
from movi_prep.kinematics.marker_frames import MarkerFrames, judge_frames
from movi_prep.kinematics.solve import unit_prior
from movi_prep.kinematics.tracks import Tracker
from movi_prep.records.ik_solution import FrameStatus

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree

# The pull towards the default pose is a faint one.
_SOLVER = ConvergedSettings(tracks="forward", observability=False, prior_strength=0.01)
# Frames whose objective is this many times the median are searched for a lower minimum.
_POOR = 4.0


@dataclass(frozen=True, eq=False)
class SinglePoses:
    """Poses and how they fit.

    Attributes:
        unknowns: (n, x) rad and m, inside the bounds; NaN where a frame cannot be solved.
        values: (n,) half the weighted mean squared error with the pull, m^2; infinite where a frame cannot be solved.
    """

    unknowns: NDArray[np.float64]
    values: NDArray[np.float64]

    @property
    def solved(self) -> NDArray[np.bool_]:
        """(n,) bool: frames with a pose."""
        return np.asarray(np.isfinite(self.values))


def single_poses(
    tree: KinematicTree,
    markers: NDArray[np.int64],
    positions_m: NDArray[np.float64],
    weights: NDArray[np.float64],
    *,
    rounds: int,
) -> SinglePoses:
    """Return the pose of every frame.

    Args:
        tree: the model.
        markers: (k,) tracked markers in the solver's order.
        positions_m: (n, k, 3) metres, ground; NaN where not seen.
        weights: (k,) weights.
        rounds: how long frames that fit badly are searched for a lower minimum.
    """
    folded = fold_model(tree, tuple(markers.tolist()))
    statuses, reasons = judge_frames(folded, positions_m)
    nothing = np.zeros(0)
    clip = MarkerFrames(
        positions_m=np.ascontiguousarray(positions_m),
        weights=np.asarray(weights, dtype=np.float64),
        solvable=statuses == FrameStatus.SOLVED,
        statuses=statuses,
        reasons=tuple(reasons),
        task_q=nothing.astype(np.int64),
        task_weight=nothing,
        task_target=np.zeros((len(positions_m), 0)),
        unseen_targets={},
    )
    tracker = Tracker.prepare(engine(), folded, clip)
    unit = replace(unit_prior(folded, _SOLVER), noise_m=_SOLVER.marker_noise_m)
    faint = unit.scaled(_SOLVER.prior_strength)
    frames = np.flatnonzero(clip.solvable).tolist()
    found = {frame: find_start(tracker, frame, unit, faint) for frame in frames}
    poor = _POOR * float(np.median([one.values[0] for one in found.values()])) if found else 0.0
    unknowns = np.full((len(positions_m), folded.arrays.n_unknowns), np.nan)
    values = np.full(len(positions_m), np.inf)
    for frame, start in found.items():
        best = lowest_minimum(tracker, frame, start, faint, rounds=rounds) if start.values[0] > poor else start
        unknowns[frame] = np.clip(
            model_angles(folded, best.unknowns, best.bases)[0], folded.arrays.lower, folded.arrays.upper
        )
        values[frame] = best.values[0]
    return SinglePoses(unknowns, values)
