"""Put a solution back into OpenSim: its own forward kinematics and constraints must agree with ours.

Coordinates are set without assembly, because OpenSim would otherwise silently repair a pose that violates a constraint.
Locks are left in force: a locked coordinate keeps OpenSim's value, and a difference to ours counts as a violation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import opensim

from movi_prep.errors import AuditError, InternalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Verification:
    """How far OpenSim and our solution differ in a sample of frames.

    Attributes:
        frames: which frames were put back.
        marker_error_m: largest distance between OpenSim's markers and ours, metres.
        constraint_error: largest violation of OpenSim's constraints and locks, rad or m.
    """

    frames: tuple[int, ...]
    marker_error_m: float
    constraint_error: float


def check_solution(
    model: opensim.Model,
    coordinates: NDArray[np.float64],
    marker_names: Sequence[str],
    markers_m: NDArray[np.float64],
    *,
    n_frames: int,
    tolerance: float,
) -> Verification:
    """Compare evenly spread frames with OpenSim; raise AuditError where it disagrees.

    Args:
        model: the model that was solved; its system must be built (`Model.initSystem`) since its last change.
        coordinates: (n, c) float64, the model's order, rad and m; frames that are not finite are passed over.
        marker_names: (m,) markers of the model.
        markers_m: (n, m, 3) float64, metres, ground: our forward kinematics.
        n_frames: how many frames to put back, first and last solved ones included; all where there are fewer.
        tolerance: largest difference allowed, m for markers, m or rad for constraints.

    Returns:
        The largest differences found.
    """
    solved = np.flatnonzero(np.isfinite(coordinates).all(axis=1))
    if not len(solved) or n_frames == 0:
        return Verification((), 0.0, 0.0)
    # Rounding may pick a frame twice in a short clip.
    chosen = solved[sorted({round(row) for row in np.linspace(0, len(solved) - 1, n_frames).tolist()})]
    found = compare_with_opensim(model, coordinates[chosen], marker_names, markers_m[chosen])
    result = Verification(tuple(chosen.tolist()), *found)
    # Not `>`: NaN must fail the comparison.
    if not (result.marker_error_m <= tolerance and result.constraint_error <= tolerance):
        raise AuditError(
            f"model {model.getName()}: expected OpenSim's forward kinematics to agree with the solution within "
            f"{tolerance:.1e}, but over {len(chosen)} frames markers differ by {result.marker_error_m:.3e} m and "
            f"constraints by {result.constraint_error:.3e}; solve this clip with --solver opensim and report the model"
        )
    return result


def compare_with_opensim(
    model: opensim.Model,
    coordinates: NDArray[np.float64],
    marker_names: Sequence[str],
    markers_m: NDArray[np.float64],
) -> tuple[float, float]:
    """Return the largest marker distance (m) and the largest constraint violation (rad or m) over all frames."""
    # A copy of the state that the model's system was built with: building another takes longer than all comparisons.
    state = opensim.State(model.getWorkingState())
    coordinate_set = model.getCoordinateSet()
    owners = [coordinate_set.get(index) for index in range(coordinate_set.getSize())]
    if len(owners) != coordinates.shape[1]:
        raise InternalError(f"expected {len(owners)} coordinates per frame, but got {coordinates.shape[1]}")
    markers = [model.getMarkerSet().get(name) for name in marker_names]
    farthest_m, violation = 0.0, 0.0
    for pose, ours_m in zip(coordinates, markers_m, strict=True):
        for owner, value in zip(owners, pose, strict=True):
            if not owner.getLocked(state):
                owner.setValue(state, float(value), False)
        model.realizePosition(state)
        # Read back: a locked coordinate still has OpenSim's value, and that difference must count.
        held = np.array([owner.getValue(state) for owner in owners])
        errors = state.getQErr().to_numpy()
        violation = max(violation, float(np.abs(held - pose).max()), float(np.abs(errors).max(initial=0.0)))
        theirs_m = np.array([marker.getLocationInGround(state).to_numpy() for marker in markers])
        farthest_m = max(farthest_m, float(np.linalg.norm(theirs_m - ours_m, axis=1).max(initial=0.0)))
    return farthest_m, violation
