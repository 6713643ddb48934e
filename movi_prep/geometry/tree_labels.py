"""Joint centres from a shard's tree, angles and root pose; tests and `verify` compare the labels with them.

The pose of the root joint's moving frame is a label, so the coordinates of that joint are not labels. A coordinate
takes its label; one that has none follows its coupler, or rests where the model locks it. A joint behind a coordinate
without a value has no answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from movi_prep.records.frame_labels import RootPoses
    from movi_prep.records.kinematic_tree import KinematicTree

PELVIS = "pelvis"
"""Body whose joint is the root."""


@dataclass(frozen=True, eq=False)
class TreeAnswer:
    """Places of joints and pelvis by a tree.

    Attributes:
        centres_m: (n, j, 3) float64, metres, AMASS world; NaN for joints without an answer.
        pelvis_rotation_world: (n, 3, 3) float64, pelvis body to AMASS world.
        pelvis_position_world_m: (n, 3) float64, metres.
    """

    centres_m: NDArray[np.float64]
    pelvis_rotation_world: NDArray[np.float64]
    pelvis_position_world_m: NDArray[np.float64]


def place_tree(
    tree: KinematicTree,
    *,
    coordinate_names: Sequence[str],
    angles_rad: NDArray[np.floating],
    joint_names: Sequence[str],
    root: RootPoses,
) -> TreeAnswer | None:
    """Return where the tree has the joints and the pelvis; None for a tree without a pelvis on the ground.

    Args:
        tree: the scaled model.
        coordinate_names: (c,) names of the angles.
        angles_rad: (n, c) radians.
        joint_names: (j,) joints to place.
        root: pose of the root joint's moving frame.
    """
    if PELVIS not in tree.body_names:
        return None
    pelvis = tree.body_names.index(PELVIS)
    if tree.body_parent[pelvis] >= 0:
        return None
    values, said = _coordinate_values(tree, coordinate_names, np.asarray(angles_rad, dtype=np.float64))
    rotations, centres = tree.joint_frames(values)
    # The tree is posed with its own root in ground, then moved as a whole to the label's root pose.
    rotation = np.asarray(root.rotation_world, dtype=np.float64)
    turn = rotation @ np.swapaxes(rotations[:, pelvis], -1, -2)  # (n, 3, 3)
    moved = (turn[:, None] @ (centres - centres[:, pelvis, None])[..., None])[..., 0]
    placed = moved + np.asarray(root.position_world_m, dtype=np.float64)[:, None]
    placed[:, ~_answered(tree, pelvis, said)] = np.nan
    index = {name: number for number, name in enumerate(tree.joint_names)}
    picked = placed[:, [index.get(name, pelvis) for name in joint_names]]
    picked[:, [name not in index for name in joint_names]] = np.nan
    return TreeAnswer(
        centres_m=picked,
        pelvis_rotation_world=rotation @ tree.child_rotation[pelvis],
        pelvis_position_world_m=placed[:, pelvis] + rotation @ tree.child_position_m[pelvis],
    )


def _coordinate_values(
    tree: KinematicTree, names: Sequence[str], angles_rad: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return (n, c) values of all coordinates of the tree, and (c,) bool: which of them have a value."""
    column = {name: number for number, name in enumerate(names)}
    labelled = np.array([name in column for name in tree.coordinate_names])
    own = [column[name] for name in tree.coordinate_names if name in column]
    values = np.repeat(tree.coordinate_default[None], len(angles_rad), axis=0)
    values[:, labelled] = angles_rad[:, own]
    # A coupled coordinate that is a label keeps its value: OpenSim's solver enforces couplers only by a weight.
    followed = tree.complete_coordinates(values)
    values = np.where(labelled, values, followed)
    said = labelled | tree.coordinate_locked
    # Couplers form chains: as many rounds as there are coordinates reach the end of any.
    for _ in range(tree.n_coordinates):
        said = said | ((tree.coupled_to >= 0) & said[tree.coupled_to])
    return values, said


def _answered(tree: KinematicTree, pelvis: int, said: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (b,) bool: joints between which and the pelvis every coordinate has a value."""
    placed = np.zeros(tree.n_bodies, dtype=np.bool_)
    turned = placed.copy()
    placed[pelvis] = turned[pelvis] = True
    # Bodies are in the order of the tree: a parent comes before its children.
    for body in range(tree.n_bodies):
        if body == pelvis or tree.body_parent[body] < 0:
            continue
        axes = slice(tree.first_axis[body], tree.first_axis[body + 1])
        moving, rotates = tree.axis_coordinate[axes], tree.axis_is_rotation[axes]
        known = (moving < 0) | said[moving]
        # A rotation leaves the centre of its own joint where it is, and moves those behind it.
        placed[body] = turned[tree.body_parent[body]] and bool(known[~rotates].all())
        turned[body] = placed[body] and bool(known.all())
    return placed
