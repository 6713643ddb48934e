"""A solution at the times of video frames: angles and root between samples, the rest from the model in that pose.

Joint angles are interpolated as angles, the root as a rotation and a point; markers, joint centres and bodies follow
by forward kinematics, so that a frame between two samples is as consistent as a sample.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.osim.solution import pose_rows
from movi_prep.records.ik_solution import FrameStatus

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.geometry.between_samples import Stencil
    from movi_prep.osim.solution import ScaledModel
    from movi_prep.records.ik_solution import IkSolution

LARGEST_STEP_RAD = 0.5
"""An angle that changes by more from sample to sample changed its branch: there is nothing in between."""


def resample_solution(solution: IkSolution, scaled: ScaledModel, stencil: Stencil) -> IkSolution:
    """Return one row for each time of a stencil; rows are numbered from 0.

    A row whose four samples are not all usable has the status of the first that is not; an angle is valid where it is
    in all four and does not jump. Deviations are the largest of the four.
    """
    near = solution.rows(stencil.nearest)
    coordinates = _coordinates(solution, stencil)
    posed = pose_rows(scaled, coordinates, solution.marker_names)
    # The root's own angles may be near their lock: where it is, is taken from its frame.
    rotation = stencil.rotations(solution.root_frame_rotations)
    position = stencil.values(solution.root_frame_positions_m)
    # What takes the root as posed from interpolated angles to the interpolated frame; everything on the body turns with
    # it.
    turn = rotation @ np.swapaxes(posed.root_rotations, -1, -2)

    def moved(points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        from_root = points_m - posed.root_positions_m[:, None]
        return np.asarray((turn[:, None] @ from_root[..., None])[..., 0] + position[:, None])

    std = solution.posterior_std
    return replace(
        near,
        times_s=stencil.values(solution.times_s),
        sample_indices=np.arange(len(stencil.nearest)),
        coordinates=coordinates,
        coordinate_valid=stencil.everywhere(solution.coordinate_valid) & ~_jumps(solution, stencil),
        model_markers_m=moved(posed.markers_m),
        observed_markers_m=stencil.values(solution.observed_markers_m),
        body_rotations=turn[:, None] @ posed.body_rotations,
        body_positions_m=moved(posed.body_positions_m),
        joint_centres_m=moved(posed.joint_centres_m),
        root_frame_rotations=rotation,
        root_frame_positions_m=position,
        statuses=_statuses(solution, stencil),
        posterior_std=None if std is None else std[stencil.rows].max(axis=1),
    )


def _coordinates(solution: IkSolution, stencil: Stencil) -> NDArray[np.float64]:
    values, rotates = stencil.values(solution.coordinates), solution.coordinate_is_rotation
    values[:, rotates] = stencil.angles(solution.coordinates[:, rotates])
    return values


def _jumps(solution: IkSolution, stencil: Stencil) -> NDArray[np.bool_]:
    steps = np.diff(solution.coordinates[stencil.rows], axis=1)
    # Whole turns are the same angle, not a jump.
    steps -= 2.0 * np.pi * np.round(steps / (2.0 * np.pi))
    # Rows without a pose are NaN: they are invalid already, and compare as no jump.
    with np.errstate(invalid="ignore"):
        far = (np.abs(steps) > LARGEST_STEP_RAD).any(axis=1)
    return np.asarray(far & solution.coordinate_is_rotation)


def _statuses(solution: IkSolution, stencil: Stencil) -> NDArray[np.int8]:
    around = solution.statuses[stencil.rows]
    bad = ~solution.usable()[stencil.rows]
    first_bad = np.take_along_axis(around, bad.argmax(axis=1)[:, None], axis=1)[:, 0]
    status = np.where(bad.any(axis=1), first_bad, solution.statuses[stencil.nearest])
    return np.where(stencil.covers, status, int(FrameStatus.FAILED)).astype(np.int8)
