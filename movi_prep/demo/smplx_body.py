"""The open body in the layout of SMPL-X: 10475 vertices and 55 joints, for the demo, the tests and the benchmarks.

| part | what it is |
|---|---|
| surface | the open body's, with the longest edges halved: the same surface, other vertices |
| numbers | the vertices of markers have the numbers that they have in SMPL-X, all others are numbered freely |
| template | the neutral open body, bent so that those vertices have their places in SMPL-X's neutral template |
| shape directions | 16 of the open body; `BACK_TO_OPEN_BODY` reverses the bending; all others, and expression, are 0 |
| joints | the open body's; jaw and eyes lie in the face and move nothing |

With `open_body_betas` a person of the open body has the same surface on both meshes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from movi_prep.demo.open_body import OpenBody, read_open_body
from movi_prep.formats.atomic import atomic_path
from movi_prep.formats.smplx_vertices import SmplxVertices, read_smplx_vertices
from movi_prep.records.body_layout import SMPLH, SMPLX

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

BACK_TO_OPEN_BODY = 16
"""The shape direction from the bent template to the neutral open body, with a beta of 1."""

_N_DIRECTIONS = 400
_HEAD = 15
_JAW_AND_EYES = np.array([22, 23, 24])


def open_body_betas(betas: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (17,) betas of the body here that make the person of (16,) betas of the open body."""
    return np.append(betas, 1.0)


def smplx_poses(poses_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 55, 3) axis-angle of poses (n, 52, 3) of SMPL+H; jaw and eyes rest."""
    poses = np.zeros((len(poses_rad), SMPLX.n_joints, 3))
    poses[:, _joints_of_smplh()] = poses_rad
    return poses


def write_smplx_body(path: Path) -> None:
    """Write the neutral body as `SMPLX_NEUTRAL.npz` is laid out."""
    with atomic_path(path) as partial:
        np.savez_compressed(partial, **smplx_arrays(read_open_body("neutral"), read_smplx_vertices()))


def smplx_arrays(body: OpenBody, table: SmplxVertices) -> dict[str, Any]:
    """Return the arrays of an SMPL-X file whose template has the vertices of a table at the table's places."""
    pairs, faces = _halve_longest_edges(body.v_template_m, body.faces, n_vertices=SMPLX.n_vertices)

    def resampled(values: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([values, 0.5 * (values[pairs[:, 0]] + values[pairs[:, 1]])])

    # Every array is resampled by the same edges: a new vertex is the mean of two in all of them.
    surface = resampled(body.v_template_m)
    corners = _corners(surface, table)
    template = _bend(surface, corners, table.positions_m)
    order = _numbered(corners, table, n_vertices=len(surface))
    directions = np.zeros((len(surface), 3, _N_DIRECTIONS), dtype=np.float32)
    directions[..., :BACK_TO_OPEN_BODY] = resampled(body.shape_directions_m)
    directions[..., BACK_TO_OPEN_BODY] = surface - template
    joints = _joints_of_smplh()
    return {
        "v_template": template[order],
        "f": np.argsort(order)[faces].astype(np.uint32),
        "shapedirs": directions[order],
        "posedirs": _pose_directions(resampled(body.pose_directions_m.astype(np.float32)), joints)[order],
        "J_regressor": _regressor(body, template, joints)[:, order],
        "weights": _widened(resampled(body.skinning_weights), joints)[order],
        "kintree_table": np.stack([_parents(body, joints), np.arange(SMPLX.n_joints)]).astype(np.uint32),
        "hands_meanl": np.zeros(45),
        "hands_meanr": np.zeros(45),
    }


def _joints_of_smplh() -> NDArray[np.int64]:
    """Return (52,) numbers in SMPL-X of SMPL+H's joints."""
    return np.array([joint for joint in map(SMPLX.joint_of_smplh, range(SMPLH.n_joints)) if joint is not None])


def _halve_longest_edges(
    vertices_m: NDArray[np.float64], faces: NDArray[np.int64], *, n_vertices: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (k, 2) ends of the halved edges, and all faces; vertex v + i is the middle of edge i.

    At most one edge of each face is halved.
    """
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 3, 2), axis=2)
    _, first, edge_of = np.unique(edges.reshape(-1, 2), axis=0, return_index=True, return_inverse=True)
    ends = edges.reshape(-1, 2)[first]
    edge_of = edge_of.reshape(-1, 3)
    sides: list[list[int]] = [[] for _ in ends]
    for face, row in enumerate(edge_of.tolist()):
        for edge in row:
            sides[edge].append(face)
    halved: dict[int, int] = {}
    chosen: list[int] = []
    # The longest first, so that the mesh becomes more even.
    for edge in np.argsort(-np.linalg.norm(vertices_m[ends[:, 0]] - vertices_m[ends[:, 1]], axis=1)).tolist():
        if len(chosen) == n_vertices - len(vertices_m):
            break
        if not any(face in halved for face in sides[edge]):
            halved.update({face: len(vertices_m) + len(chosen) for face in sides[edge]})
            chosen.append(edge)
    whole = np.setdiff1d(np.arange(len(faces)), list(halved))
    split = [part for face, middle in halved.items() for part in _halves(faces[face].tolist(), ends, chosen, middle)]
    return ends[chosen], np.concatenate([faces[whole], np.array(split)])


def _halves(face: list[int], ends: NDArray[np.int64], chosen: list[int], middle: int) -> list[list[int]]:
    """Return the two faces that a face becomes with a vertex in the middle of one of its edges."""
    edge = set(ends[chosen[middle - int(ends.max()) - 1]].tolist())
    tip = next(at for at in range(3) if face[at] not in edge)
    a, b, c = face[tip], face[(tip + 1) % 3], face[(tip + 2) % 3]
    return [[a, b, middle], [a, middle, c]]


def _corners(surface_m: NDArray[np.float64], table: SmplxVertices) -> NDArray[np.int64]:
    """Return (r,) vertices for the rows of a table: the marker's, or one near a corner of its point."""
    corners = np.where(table.weights == 1.0, table.smpl, -1)
    points = np.unique(table.smpl)
    targets = np.stack([table.weights[table.smpl == p] @ table.positions_m[table.smpl == p] for p in points])
    bent = _bend(surface_m, points, targets)
    free = np.setdiff1d(np.arange(len(surface_m)), points)
    for row in np.flatnonzero(corners < 0):
        (nearest,) = cKDTree(bent[free]).query(table.positions_m[[row]])[1]
        corners[row] = free[nearest]
        # A vertex serves one row only: two rows on one vertex would be one number twice.
        free = np.delete(free, nearest)
    return corners


def _bend(
    surface_m: NDArray[np.float64], vertices: NDArray[np.int64], places_m: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the surface, moved smoothly so that some vertices reach given places."""
    # A linear kernel has no scale to choose, and bends little between the given places.
    moved = RBFInterpolator(surface_m[vertices], places_m - surface_m[vertices], kernel="linear")(surface_m)
    bent = surface_m + moved
    # Exactly there: the interpolation leaves rounding, and vertices are found by their places.
    bent[vertices] = places_m
    return np.asarray(bent)


def _numbered(corners: NDArray[np.int64], table: SmplxVertices, *, n_vertices: int) -> NDArray[np.int64]:
    """Return (n,) the vertex of each number: those of the table keep theirs, the others take the remaining ones."""
    order = np.full(n_vertices, -1)
    order[table.smplx] = corners
    order[order < 0] = np.setdiff1d(np.arange(n_vertices), corners)
    return order


def _widened(columns: NDArray[np.float64], joints: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (n, 55) of (n, 52): the columns of SMPL-X's joints, those of jaw and eyes 0."""
    wide = np.zeros((len(columns), SMPLX.n_joints))
    wide[:, joints] = columns
    return wide


def _pose_directions(directions: NDArray[np.float32], joints: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return (n, 3, 486) of (n, 3, 459), those of jaw and eyes 0."""
    n = len(directions)
    wide = np.zeros((n, 3, SMPLX.n_joints - 1, 9), dtype=np.float32)
    wide[:, :, joints[1:] - 1] = directions.reshape(n, 3, SMPLH.n_joints - 1, 9)
    return wide.reshape(n, 3, -1)


def _regressor(body: OpenBody, template_m: NDArray[np.float64], joints: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (55, n): the open body's joints from its own vertices; jaw and eyes from the front of the head."""
    regressor = np.zeros((SMPLX.n_joints, len(template_m)))
    regressor[joints, : len(body.v_template_m)] = body.joint_regressor
    head = np.flatnonzero(body.skinning_weights.argmax(axis=1) == _HEAD)
    front = head[np.argsort(-body.v_template_m[head, 2])[:50]]
    regressor[np.ix_(_JAW_AND_EYES, front)] = 1 / len(front)
    return regressor


def _parents(body: OpenBody, joints: NDArray[np.int64]) -> NDArray[np.int64]:
    parents = np.full(SMPLX.n_joints, _HEAD)
    parents[joints] = np.append(-1, joints[body.parents[1:]])
    return parents
