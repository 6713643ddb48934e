"""A moving skeleton in the form of animation programs: bones, their local poses over time, and a surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InternalError
from movi_prep.records.checks import check_shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Rig:
    """Bones over time, metres, y up.

    Attributes:
        names: (b,) bones, parents before children.
        parents: (b,) int64, the parent of each bone; -1 for one that moves in the world.
        times_s: (n,) float64, seconds.
        rotations: (n, b, 3, 3) float64, bone to parent.
        positions_m: (n, b, 3) float64, origin of the bone in its parent.
        ends_m: bone -> (3,) where a bone without children ends, in its own frame.
        vertices_m: (v, 3) float64, the surface, each vertex in the frame of its bone.
        vertex_bones: (v,) int64, the bone that carries each vertex.
        faces: (f, 3) int64, vertices of triangles, counter-clockwise from outside.
    """

    names: tuple[str, ...]
    parents: NDArray[np.int64]
    times_s: NDArray[np.float64]
    rotations: NDArray[np.float64]
    positions_m: NDArray[np.float64]
    ends_m: Mapping[str, NDArray[np.float64]]
    vertices_m: NDArray[np.float64]
    vertex_bones: NDArray[np.int64]
    faces: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check that all arrays agree, and that parents stand before children."""
        n, b, v = len(self.times_s), len(self.names), len(self.vertices_m)
        for name, shape in {
            "parents": (b,),
            "rotations": (n, b, 3, 3),
            "positions_m": (n, b, 3),
            "vertices_m": (v, 3),
            "vertex_bones": (v,),
            "faces": (len(self.faces), 3),
        }.items():
            check_shape(getattr(self, name), shape, what=name, where="rig")
        if bool(np.any(self.parents >= np.arange(b))):
            raise InternalError("rig: expected parents before children")

    def world_poses(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (n, b, 3, 3) rotations bone to world and (n, b, 3) origins in the world, metres."""
        rotations, positions_m = self.rotations.copy(), self.positions_m.copy()
        # Parents stand before children, so that a parent's pose is in the world already when a child uses it.
        for bone, parent in enumerate(self.parents.tolist()):
            if parent >= 0:
                positions_m[:, bone] = (
                    positions_m[:, parent] + (rotations[:, parent] @ positions_m[:, bone, :, None])[..., 0]
                )
                rotations[:, bone] = rotations[:, parent] @ rotations[:, bone]
        return rotations, positions_m
