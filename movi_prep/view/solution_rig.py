"""A solved model as a rig: its bodies are bones, each with a surface of simple shapes along it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError
from movi_prep.records.rig import Rig
from movi_prep.view.skeleton import make_skeleton

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.formats.model_outline import ModelOutline
    from movi_prep.records.ik_solution import IkSolution

_PROFILE = ((0.0, 0.0), (0.8, 0.04), (1.0, 0.14), (0.55, 0.4), (0.5, 0.7), (0.8, 0.92), (0.0, 1.0))
"""Radius, as a part of the bone's own, and height along it: thick near its ends."""

_N_SIDES = 8
_THICKEST_M = 0.026


def make_rig(solution: IkSolution, outline: ModelOutline) -> tuple[Rig, int]:
    """Return the rig of a solution, and how many of its frames have no pose and repeat the one before.

    Raises:
        InputError: the model's bodies are not known, or no frame has a pose.
    """
    skeleton = make_skeleton(solution, outline)
    body_joint = {child: joint for joint, (_, child) in outline.joints.items() if joint in skeleton.names}
    if not body_joint:
        raise InputError(
            outline.name, expected="bodies that carry markers", got="none", remedy="name the model that was solved"
        )
    joint_parent = {child: parent for parent, child in outline.joints.values()}
    bodies = _parents_first(body_joint, joint_parent)
    place = {body: index for index, body in enumerate(bodies)}
    parents = np.array([place.get(joint_parent[body], -1) for body in bodies], dtype=np.int64)
    columns = [solution.body_names.index(body) for body in bodies]
    is_posed = np.asarray(np.isfinite(solution.body_rotations[:, columns]).all(axis=(1, 2, 3)))
    held = _held_rows(is_posed, solution, outline)
    rotations = solution.body_rotations[held][:, columns]
    centres = [skeleton.names.index(body_joint[body]) for body in bodies]
    # Bones begin at joints: there animation programs turn them.
    points_m = skeleton.points_m[held]
    origins_m = points_m[:, centres]
    vertices: list[NDArray[np.float64]] = []
    vertex_bones: list[NDArray[np.int64]] = []
    faces: list[NDArray[np.int64]] = []
    ends: dict[str, NDArray[np.float64]] = {}
    for (start, end), body in zip(skeleton.bones.tolist(), skeleton.bone_bodies, strict=True):
        # The surface is shaped in the first frame and turned with the bone: a rig has one shape for all frames.
        along = _in_bone(rotations[0, place[body]], points_m[0, end] - points_m[0, start])
        shape, triangles = bone_shape(along)
        faces.append(triangles + sum(len(part) for part in vertices))
        vertices.append(shape)
        vertex_bones.append(np.full(len(shape), place[body]))
        if skeleton.names[end] == f"{body} end":
            ends[body] = along
    local_rotations, local_m = _in_parents(rotations, origins_m, parents)
    rig = Rig(
        names=tuple(bodies),
        parents=parents,
        times_s=solution.times_s,
        rotations=local_rotations,
        positions_m=local_m,
        ends_m=ends,
        vertices_m=np.concatenate(vertices) if vertices else np.zeros((0, 3)),
        vertex_bones=np.concatenate(vertex_bones) if vertices else np.zeros(0, np.int64),
        faces=np.concatenate(faces) if vertices else np.zeros((0, 3), np.int64),
    )
    return rig, int((held != np.arange(len(held))).sum())


def bone_shape(along_m: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return (v, 3) vertices and (f, 3) faces of a bone from the origin along a vector, metres."""
    length = float(np.linalg.norm(along_m))
    axis = along_m / max(length, 1e-9)
    # With the axis of ground that is least along the bone: their cross product is far from zero.
    side = np.cross(axis, np.eye(3)[int(np.argmin(np.abs(axis)))])
    side /= np.linalg.norm(side)
    angles = 2.0 * np.pi * np.arange(_N_SIDES) / _N_SIDES
    ring = np.cos(angles)[:, None] * side + np.sin(angles)[:, None] * np.cross(axis, side)
    radius_m = min(_THICKEST_M, 0.01 + 0.09 * length)
    rings = [height * along_m + radius_m * radius * ring for radius, height in _PROFILE]
    lower = np.arange(_N_SIDES)
    upper = (lower + 1) % _N_SIDES
    faces = []
    for level in range(len(_PROFILE) - 1):
        here, there = level * _N_SIDES, (level + 1) * _N_SIDES
        faces += [
            np.stack([here + lower, here + upper, there + upper], axis=1),
            np.stack([here + lower, there + upper, there + lower], axis=1),
        ]
    return np.concatenate(rings), np.concatenate(faces)


def _parents_first(bodies: dict[str, str], parent_of: dict[str, str]) -> list[str]:
    ordered: list[str] = []

    def take(body: str) -> None:
        if body in bodies and body not in ordered:
            take(parent_of[body])
            ordered.append(body)

    for body in bodies:
        take(body)
    return ordered


def _held_rows(is_posed: NDArray[np.bool_], solution: IkSolution, outline: ModelOutline) -> NDArray[np.int64]:
    """Return (n,) the row whose pose each frame shows: its own, or the last before it that has one."""
    if not is_posed.any():
        raise InputError(
            outline.name, expected="a frame with a pose", got=f"none of {solution.n_rows}", remedy="see movi-prep view"
        )
    rows = np.where(is_posed, np.arange(len(is_posed)), -1)
    # The largest row so far that has a pose; rows before the first one take that of the first.
    rows = np.maximum.accumulate(rows)
    return np.where(rows < 0, int(np.argmax(is_posed)), rows)


def _in_parents(
    rotations: NDArray[np.float64], origins_m: NDArray[np.float64], parents: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    local_rotations, local_m = rotations.copy(), origins_m.copy()
    # Each bone in its parent's frame, from poses in ground: the order of bones does not matter.
    for bone in np.flatnonzero(parents >= 0).tolist():
        to_parent = rotations[:, parents[bone]].transpose(0, 2, 1)
        local_rotations[:, bone] = to_parent @ rotations[:, bone]
        offset = origins_m[:, bone] - origins_m[:, parents[bone]]
        local_m[:, bone] = (to_parent @ offset[:, :, None])[..., 0]
    return local_rotations, local_m


def _in_bone(rotation: NDArray[np.float64], vector_m: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rotation.T @ vector_m)
