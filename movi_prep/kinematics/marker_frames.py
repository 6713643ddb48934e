"""The markers of one clip in the solver's order, and which frames can be solved at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.records.ik_solution import FrameStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from movi_prep.kinematics.folded_model import FoldedModel

# A person's markers are metres from the origin; a coordinate beyond this is a sentinel or a fault.
_FARTHEST_M = 1e3
# Second singular value of the markers seen, relative to the first: below it, they lie on a line.
_LINE_RATIO = 1e-3


@dataclass(frozen=True, eq=False)
class MarkerFrames:
    """The markers and tasks of a clip as the kernels read them.

    Attributes:
        positions_m: (n, m, 3) float64, metres, markers in the solver's order; NaN where not seen.
        weights: (m,) float64, positive.
        solvable: (n,) bool, frames with a pose to find.
        statuses: (n,) int8 of FrameStatus, why a frame is not solvable.
        reasons: (n,) text, empty where a frame is solvable.
        task_q: (k,) int64, moving coordinate of each coordinate task.
        task_weight: (k,) float64, m^2/rad^2.
        task_target: (n, k) float64, rad or m.
        unseen_targets: for tree coordinates that have a task but no marker that sees them, (n,) targets.
    """

    positions_m: NDArray[np.float64]
    weights: NDArray[np.float64]
    solvable: NDArray[np.bool_]
    statuses: NDArray[np.int8]
    reasons: tuple[str, ...]
    task_q: NDArray[np.int64]
    task_weight: NDArray[np.float64]
    task_target: NDArray[np.float64]
    unseen_targets: dict[int, NDArray[np.float64]]

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.positions_m)

    def frames(self, chosen: Sequence[int]) -> MarkerFrames:
        """Return the clip of just these frames, all taken as solvable."""
        rows = np.asarray(chosen, dtype=np.int64)
        return MarkerFrames(
            positions_m=np.ascontiguousarray(self.positions_m[rows]),
            weights=self.weights,
            solvable=np.ones(len(rows), dtype=bool),
            statuses=np.zeros(len(rows), dtype=np.int8),
            reasons=("",) * len(rows),
            task_q=self.task_q,
            task_weight=self.task_weight,
            task_target=np.ascontiguousarray(self.task_target[rows]),
            unseen_targets={},
        )


def judge_frames(folded: FoldedModel, positions_m: NDArray[np.float64]) -> tuple[NDArray[np.int8], list[str]]:
    """Return (n,) statuses and reasons of frames that cannot be solved; SOLVED and "" for the others.

    Args:
        folded: the folded model.
        positions_m: (n, m, 3) metres, markers in the solver's order.
    """
    names = [folded.tree.marker_names[marker] for marker in folded.markers]
    missing = np.isnan(positions_m)
    # Quicker than a reduction over an axis of three.
    seen: NDArray[np.bool_] = np.asarray(~(missing[..., 0] | missing[..., 1] | missing[..., 2]))
    far = np.abs(positions_m) > _FARTHEST_M
    wild = seen & far.any(axis=2) if far.any() else np.zeros_like(seen)
    # A marker gives three equations; with fewer equations than unknowns only the prior would decide some coordinates.
    needed = max(3, min(-(-folded.arrays.n_unknowns // 3), len(names) // 2))
    statuses = np.zeros(len(positions_m), dtype=np.int8)
    reasons = [""] * len(positions_m)
    count = seen.sum(axis=1)
    for frame in np.flatnonzero(wild.any(axis=1)).tolist():
        found = names[int(wild[frame].argmax())]
        statuses[frame] = FrameStatus.FAILED
        reasons[frame] = f"marker {found} is infinite or more than {_FARTHEST_M:g} m away"
    for frame in np.flatnonzero((count < needed) & (statuses == 0)).tolist():
        statuses[frame] = FrameStatus.TOO_FEW_MARKERS
        reasons[frame] = f"{count[frame]} of {len(names)} tracked markers seen, at least {needed} needed"
    # Full frames are not tested: the model's own markers do not lie on a line, and a decomposition per frame costs
    # time.
    for frame in np.flatnonzero((count < len(names)) & (statuses == 0)).tolist():
        if _on_a_line(positions_m[frame][seen[frame]]):
            statuses[frame] = FrameStatus.TOO_FEW_MARKERS
            reasons[frame] = f"the {count[frame]} markers seen lie on a line, which determines no rigid pose"
    return statuses, reasons


def _on_a_line(points_m: NDArray[np.float64]) -> bool:
    spread = np.linalg.svd(points_m - points_m.mean(axis=0), compute_uv=False)
    return bool(spread[1] <= _LINE_RATIO * spread[0])
