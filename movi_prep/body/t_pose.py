"""The static trial: a subject's T-pose as markers, with height and mass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import trimesh

from movi_prep.body.marker_points import place_markers
from movi_prep.body.skinning import PosedPoints
from movi_prep.errors import InputError
from movi_prep.geometry.frames import rest_pose_to_ground
from movi_prep.records.markers import MarkerTrajectories

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.body_model import BodyModel
    from movi_prep.records.marker_set import MarkerSet


@dataclass(frozen=True)
class TPose:
    """A subject in T-pose, in OpenSim ground, facing +x, the lowest vertex on y = 0.

    Attributes:
        vertices_m: (v, 3) float64, metres, the whole mesh.
        joints_m: (52, 3) float64, metres.
        height_m: vertical extent of the mesh, metres.
    """

    vertices_m: NDArray[np.float64]
    joints_m: NDArray[np.float64]
    height_m: float


def stand_in_t_pose(model: BodyModel, betas: NDArray[np.float64]) -> TPose:
    """Return a subject's T-pose; (16,) betas. Pose correctives are zero there by definition."""
    shaped = model.template_m + model.shape_directions_m @ betas
    joints = model.joint_regressor @ shaped
    lowest, highest = float(shaped[:, 1].min()), float(shaped[:, 1].max())
    # The model's origin is near the pelvis; OpenSim's floor is at 0.
    lift = np.array([0.0, -lowest, 0.0])
    return TPose(
        vertices_m=rest_pose_to_ground(shaped) + lift,
        joints_m=rest_pose_to_ground(joints) + lift,
        height_m=highest - lowest,
    )


def enclosed_volume_m3(vertices_m: NDArray[np.float64], faces: NDArray[np.int64], *, source: str) -> float:
    """Return the volume in cubic metres of a mesh of (v, 3) vertices and (f, 3) faces; raise InputError for holes."""
    # Unprocessed: merging vertices would close holes that the volume must not ignore.
    mesh = trimesh.Trimesh(vertices=vertices_m, faces=faces, process=False)
    if not mesh.is_watertight:
        raise InputError(
            source,
            expected="a closed mesh, because the mass comes from its volume",
            got="a mesh with holes",
            remedy="fetch the body model again, or set markers.mass to v3d",
        )
    return float(mesh.volume)


def static_markers(pose: TPose, markers: MarkerSet, *, rate_hz: float, duration_s: float) -> MarkerTrajectories:
    """Return the T-pose's markers, repeated for `duration_s` at `rate_hz`: OpenSim wants a range of time."""
    chosen = pose.vertices_m[list(markers.vertices)]
    (positions,) = place_markers(markers, PosedPoints(vertices_m=chosen[None], joints_m=pose.joints_m[None]))
    n_rows = max(1, round(duration_s * rate_hz))
    return MarkerTrajectories(
        names=markers.names,
        positions_m=np.repeat(positions[None], n_rows, axis=0),
        times_s=np.arange(n_rows) / rate_hz,
        sample_indices=np.arange(n_rows),
        rate_hz=rate_hz,
        source="T-pose of the body model",
    )
