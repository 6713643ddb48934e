"""The static trial: a subject's T-pose as markers, with height and mass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import trimesh
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from movi_prep.body.betas import all_betas
from movi_prep.body.marker_points import place_markers
from movi_prep.body.skinning import PosedPoints
from movi_prep.errors import InputError
from movi_prep.geometry.frames import rest_pose_to_ground
from movi_prep.records.body_layout import SMPLX
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
        joints_m: (j, 3) float64, metres.
        height_m: vertical extent of the mesh, metres.
    """

    vertices_m: NDArray[np.float64]
    joints_m: NDArray[np.float64]
    height_m: float


def stand_in_t_pose(model: BodyModel, betas: NDArray[np.float64]) -> TPose:
    """Return a subject's T-pose from its betas, as `shape_body` takes them. Pose correctives are zero there."""
    shaped = model.template_m + model.shape_directions_m @ all_betas(
        betas, model.shape_directions_m.shape[-1], model=model.source
    )
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
    """Return the volume in cubic metres of a mesh of (v, 3) vertices and (f, 3) faces; raise InputError for holes.

    SMPL-X's skin has one: the mouth. It is closed, and the two eyeballs (16 ml, other parts of the mesh) do not count.
    """
    if len(vertices_m) == SMPLX.n_vertices:
        vertices_m, faces = _skin_with_closed_mouth(vertices_m, faces)
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


def _skin_with_closed_mouth(
    vertices_m: NDArray[np.float64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the largest connected part of a mesh; a hole with a single rim is closed by a fan about its middle."""
    n = len(vertices_m)
    part = _parts(_edges(faces), n)
    # The eyeballs are parts of their own; the skin is the largest.
    skin = faces[part[faces[:, 0]] == np.bincount(part).argmax()]
    edges = _edges(skin)
    # In a closed mesh every edge occurs once in each direction; on the rim of a hole its opposite is missing.
    rim = edges[~np.isin(edges @ [n, 1], edges[:, ::-1] @ [n, 1])]
    # Several rims are several holes, and damage: the caller then refuses the mesh.
    if len(rim) == 0 or len(np.unique(_parts(rim, n)[rim[:, 0]])) > 1:
        return vertices_m, skin
    middle = vertices_m[np.unique(rim)].mean(axis=0)
    # The other way round than the skin's own edges, so that the fan faces outward.
    fan = np.column_stack([rim[:, ::-1], np.full(len(rim), n)])
    return np.vstack([vertices_m, middle]), np.vstack([skin, fan])


def _edges(faces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (3 f, 2) the edges of (f, 3) faces, each in the direction of its face."""
    return faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)


def _parts(edges: NDArray[np.int64], n_vertices: int) -> NDArray[np.int64]:
    """Return (n_vertices,) the connected part that each vertex is in, by (e, 2) edges."""
    graph = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n_vertices, n_vertices))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def static_markers(pose: TPose, markers: MarkerSet, *, rate_hz: float, duration_s: float) -> MarkerTrajectories:
    """Return the T-pose's markers, repeated for `duration_s` at `rate_hz`: OpenSim needs a range of time."""
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
