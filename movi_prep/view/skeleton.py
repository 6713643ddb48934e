"""Points of a moving model and the bones between them, from a solution and the outline of its model.

A bone runs from the joint of a body to each joint that the body carries; a body that carries none has an end, the
middle of its markers (head, hands, toes). Bodies that neither carry markers nor lead to any are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from movi_prep.formats.model_outline import ModelOutline
    from movi_prep.records.ik_solution import IkSolution

_SHORTEST_M = 0.004
"""Joints that stand in one place (a shoulder of three) have no bone between them."""


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Points and bones of a model.

    Attributes:
        names: (k,) of the points: joints, then ends of bodies.
        bodies: (k,) the body that each point begins (a joint) or ends.
        points_m: (n, k, 3) float64, metres, OpenSim ground; NaN in frames without a pose.
        bones: (e, 2) int64, points at both ends.
        bone_bodies: (e,) the body that each bone is of.
    """

    names: tuple[str, ...]
    bodies: tuple[str, ...]
    points_m: NDArray[np.float64]
    bones: NDArray[np.int64]
    bone_bodies: tuple[str, ...]


def make_skeleton(solution: IkSolution, outline: ModelOutline) -> Skeleton:
    """Return the points and bones of a solved model."""
    joints = _kept_joints(solution, outline)
    body_joint = {child: joint for joint, (_, child) in joints.items()}
    parents = {parent for parent, _ in joints.values()}
    ends = {body: end for body in body_joint if body not in parents and (end := _end(solution, outline, body)).size}
    names = (*joints, *(f"{body} end" for body in ends))
    place = {name: index for index, name in enumerate(names)}
    centres = [solution.joint_centres_m[:, solution.joint_names.index(joint)] for joint in joints]
    points_m = np.stack([*centres, *ends.values()], axis=1) if names else np.zeros((solution.n_rows, 0, 3))
    pairs = [
        (place[body_joint[parent]], place[joint], parent)
        for joint, (parent, _) in joints.items()
        if parent in body_joint
    ]
    pairs += [(place[body_joint[body]], place[f"{body} end"], body) for body in ends]
    pairs = [pair for pair in pairs if _length(points_m, pair[:2]) > _SHORTEST_M]
    return Skeleton(
        names=names,
        bodies=(*(child for _, child in joints.values()), *ends),
        points_m=points_m,
        bones=np.array([pair[:2] for pair in pairs], dtype=np.int64).reshape(-1, 2),
        bone_bodies=tuple(body for *_, body in pairs),
    )


def _kept_joints(solution: IkSolution, outline: ModelOutline) -> Mapping[str, tuple[str, str]]:
    """Return the solution's joints on the way to a body that carries a marker."""
    known = {joint: bodies for joint, bodies in outline.joints.items() if joint in solution.joint_names}
    parent_of = {child: parent for parent, child in known.values()}
    kept: set[str] = set()
    for marker in solution.marker_names:
        body = outline.marker_bodies.get(marker, "")
        while body in parent_of and body not in kept:
            kept.add(body)
            body = parent_of[body]
    return {joint: bodies for joint, bodies in known.items() if bodies[1] in kept}


def _end(solution: IkSolution, outline: ModelOutline, body: str) -> NDArray[np.float64]:
    """Return (n, 3) metres, the middle of a body's markers; empty where it has none."""
    columns = [k for k, name in enumerate(solution.marker_names) if outline.marker_bodies.get(name) == body]
    return np.asarray(solution.model_markers_m[:, columns].mean(axis=1) if columns else np.zeros((0, 3)))


def _length(points_m: NDArray[np.float64], ends: tuple[int, ...]) -> float:
    lengths = np.linalg.norm(points_m[:, ends[0]] - points_m[:, ends[1]], axis=-1)
    finite = lengths[np.isfinite(lengths)]
    # The median over frames: bones of models with sliding joints change their length.
    return float(np.median(finite)) if finite.size else 0.0
