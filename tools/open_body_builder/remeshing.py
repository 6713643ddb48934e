"""A vertex at each landmark, then fewer vertices: from MakeHuman's skin to a mesh of SMPL's counts.

Landmarks are inserted by splitting the triangle or the edge they lie on. Then edges collapse onto one of their ends,
cheapest first by the quadric error (Garland and Heckbert, SIGGRAPH 1997), until the wanted number of vertices is left.
Every vertex that remains is a vertex of MakeHuman, or a fixed mixture of few of them, so it follows every target.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from movi_prep.errors import InternalError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A landmark with less than this share of a corner lies on the opposite edge; with one share left, on the vertex.
_LEAST_SHARE = 0.08
# A collapse may not turn any triangle by more than about 70 degrees.
_LEAST_COSINE = 0.3


@dataclass(frozen=True)
class Mesh:
    """A closed triangle mesh whose vertices are mixtures of the vertices of a source mesh.

    Attributes:
        vertices_m: (n, 3) float64.
        faces: (n_faces, 3) int64, outward.
        mixtures: (n, n_source) sparse, rows sum to one.
    """

    vertices_m: NDArray[np.float64]
    faces: NDArray[np.int64]
    mixtures: sparse.csr_matrix


def whole_mesh(vertices_m: NDArray[np.float64], faces: NDArray[np.int64]) -> Mesh:
    """Return the source mesh itself, each vertex a mixture of only itself."""
    return Mesh(vertices_m, faces, sparse.identity(len(vertices_m), format="csr"))


def insert_landmarks(mesh: Mesh, points_m: dict[str, NDArray[np.float64]]) -> tuple[Mesh, dict[str, int]]:
    """Return a mesh with a vertex of its own at each point of the skin, and which vertex that is."""
    held: dict[str, int] = {}
    for name, point_m in points_m.items():
        face, shares = _closest_face(mesh, point_m)
        corners = mesh.faces[face]
        nearest = int(corners[shares.argmax()])
        rounded = np.where(shares < _LEAST_SHARE, 0.0, shares)
        if np.count_nonzero(rounded) == 1 and nearest not in held.values():
            held[name] = nearest
            continue
        # Two landmarks must not share a vertex: the second one splits the triangle where it lies.
        shares = rounded if np.count_nonzero(rounded) > 1 else shares + 1e-3
        held[name] = len(mesh.vertices_m)
        mesh = _split(mesh, corners, shares / shares.sum())
    return mesh, held


def _closest_face(mesh: Mesh, point_m: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
    """Return the triangle nearest to a point close to the mesh, and the point's barycentric shares in it."""
    corner, edge1, edge2 = _corner_and_edges(mesh.vertices_m, mesh.faces)
    normal = np.cross(edge1, edge2)
    offset = point_m - corner
    area = np.einsum("fi,fi->f", normal, normal)
    share1 = np.einsum("fi,fi->f", np.cross(offset, edge2), normal) / area
    share2 = np.einsum("fi,fi->f", np.cross(edge1, offset), normal) / area
    shares = np.clip(np.stack([1 - share1 - share2, share1, share2], axis=1), 0, 1)
    shares /= shares.sum(axis=1, keepdims=True)
    nearest_m = np.einsum("fc,fci->fi", shares, mesh.vertices_m[mesh.faces])
    face = int(np.linalg.norm(nearest_m - point_m, axis=1).argmin())
    return face, shares[face]


def _split(mesh: Mesh, corners: NDArray[np.int64], shares: NDArray[np.float64]) -> Mesh:
    """Return the mesh with one more vertex: within the triangle `corners`, or on its edge where a share is 0."""
    added = len(mesh.vertices_m)
    used = corners[shares > 0]
    touched = np.isin(mesh.faces, used).sum(axis=1) == len(used)
    fans = [np.where(mesh.faces[touched] == vertex, added, mesh.faces[touched]) for vertex in used]
    mixture = sparse.csr_matrix(shares[shares > 0]) @ mesh.mixtures[used]
    return Mesh(
        vertices_m=np.vstack([mesh.vertices_m, shares @ mesh.vertices_m[corners]]),
        faces=np.concatenate([mesh.faces[~touched], *fans]),
        mixtures=sparse.vstack([mesh.mixtures, mixture], format="csr"),
    )


def decimate(mesh: Mesh, n_vertices: int, protected: set[int]) -> tuple[Mesh, NDArray[np.int64]]:
    """Return the mesh with `n_vertices` left, and which vertices of `mesh` they are.

    Vertices in `protected` stay. The mesh stays closed, of one component and without folds.

    Raises:
        InternalError: no further edge can collapse.
    """
    collapse = _Collapse(mesh, protected)
    collapse.run(n_vertices)
    kept = np.flatnonzero(collapse.alive)
    renumbered = np.full(len(mesh.vertices_m), -1)
    renumbered[kept] = np.arange(n_vertices)
    faces = np.array([face for face in collapse.faces if face is not None])
    return Mesh(mesh.vertices_m[kept], renumbered[faces], mesh.mixtures[kept]), kept


class _Collapse:
    """The state of a decimation: which vertices and faces are left, and the queue of possible collapses."""

    def __init__(self, mesh: Mesh, protected: set[int]) -> None:
        self.vertices_m = mesh.vertices_m
        self.faces: list[list[int] | None] = mesh.faces.tolist()
        self.protected = protected
        self.alive = np.ones(len(mesh.vertices_m), bool)
        self.faces_of: list[set[int]] = [set() for _ in mesh.vertices_m]
        for index, corners in enumerate(mesh.faces):
            for vertex in corners:
                self.faces_of[vertex].add(index)
        self.quadrics = _quadrics(mesh)
        self.version = np.zeros(len(mesh.vertices_m), int)
        self.queue: list[tuple[float, int, int, int, int]] = []
        for vertex in range(len(mesh.vertices_m)):
            # Sorted: the order of a set may change from run to run, and equal errors would then collapse in another
            # order.
            for other in sorted(self._neighbours(vertex)):
                self._offer(vertex, other)

    def run(self, n_vertices: int) -> None:
        left = int(self.alive.sum())
        while left > n_vertices:
            if not self.queue:
                raise InternalError(f"decimation stopped at {left} vertices; {n_vertices} were wanted")
            _, gone, kept, *versions = heapq.heappop(self.queue)
            # An entry from before a neighbour collapsed has the wrong error; a new one has been offered since.
            stale = versions != [self.version[gone], self.version[kept]]
            if self.alive[gone] and self.alive[kept] and not stale and self._may_collapse(gone, kept):
                self._collapse(gone, kept)
                left -= 1

    def _offer(self, gone: int, kept: int) -> None:
        if gone in self.protected:
            return
        place = np.append(self.vertices_m[kept], 1.0)
        error = place @ (self.quadrics[gone] + self.quadrics[kept]) @ place
        # A little of the edge's length, so that flat parts lose short edges first.
        error += 1e-7 * np.sum((self.vertices_m[gone] - self.vertices_m[kept]) ** 2)
        entry = (float(error), gone, kept, int(self.version[gone]), int(self.version[kept]))
        heapq.heappush(self.queue, entry)

    def _neighbours(self, vertex: int) -> set[int]:
        return {corner for face in self.faces_of[vertex] for corner in self.faces[face] or ()} - {vertex}

    def _may_collapse(self, gone: int, kept: int) -> bool:
        """Return whether the mesh stays a manifold (the link condition) and no triangle folds over."""
        # An inner edge has two faces, and their two far corners are all that its ends may have in common.
        shared = self.faces_of[gone] & self.faces_of[kept]
        common = self._neighbours(gone) & self._neighbours(kept)
        if len(shared) != 2 or len(common) != 2 or any(len(self.faces_of[vertex]) <= 3 for vertex in common):
            return False
        return all(self._keeps_facing(face, gone, kept) for face in self.faces_of[gone] - shared)

    def _keeps_facing(self, face: int, gone: int, kept: int) -> bool:
        corners = self.faces[face] or []
        before = _normal(self.vertices_m[corners])
        after = _normal(self.vertices_m[[kept if corner == gone else corner for corner in corners]])
        return bool(before @ after > _LEAST_COSINE * np.linalg.norm(before) * np.linalg.norm(after))

    def _collapse(self, gone: int, kept: int) -> None:
        for face in self.faces_of[gone] & self.faces_of[kept]:
            for corner in self.faces[face] or ():
                self.faces_of[corner].discard(face)
            self.faces[face] = None
        for face in self.faces_of[gone]:
            self.faces[face] = [kept if corner == gone else corner for corner in self.faces[face] or ()]
            self.faces_of[kept].add(face)
        self.faces_of[gone] = set()
        self.alive[gone] = False
        # The planes of both vertices count from now on, so that errors add up along a chain of collapses.
        self.quadrics[kept] += self.quadrics[gone]
        self.version[kept] += 1
        for other in sorted(self._neighbours(kept)):
            self._offer(kept, other)
            self._offer(other, kept)


def _quadrics(mesh: Mesh) -> NDArray[np.float64]:
    """Return (n, 4, 4): the sum of squared distances to the planes of the faces around each vertex, by area."""
    corner, edge1, edge2 = _corner_and_edges(mesh.vertices_m, mesh.faces)
    normal = np.cross(edge1, edge2)
    # Faces without area must not divide by zero; their weight is as small.
    area = np.linalg.norm(normal, axis=1) + 1e-18
    normal /= area[:, None]
    plane = np.column_stack([normal, -np.einsum("fi,fi->f", normal, corner)])
    per_face = np.einsum("f,fi,fj->fij", area, plane, plane)
    quadrics = np.zeros((len(mesh.vertices_m), 4, 4))
    for column in range(3):
        np.add.at(quadrics, mesh.faces[:, column], per_face)
    return quadrics


def _corner_and_edges(
    vertices_m: NDArray[np.float64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    corner = vertices_m[faces[:, 0]]
    return corner, vertices_m[faces[:, 1]] - corner, vertices_m[faces[:, 2]] - corner


def _normal(triangle_m: NDArray[np.float64]) -> NDArray[np.float64]:
    (ax, ay, az), (bx, by, bz) = triangle_m[1] - triangle_m[0], triangle_m[2] - triangle_m[0]
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])
