"""The meaning of a coordinate: which way it grows, where it is zero, and its name in the literature.

The sense of a coordinate is checked on the model: a marker, the witness, must move to the side that the
table names, from a pose with all coordinates at 0 except those that the check needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.records.marker_noise import without_side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree

DIRECTIONS = {
    "forward": (1.0, 0.0, 0.0),
    "back": (-1.0, 0.0, 0.0),
    "up": (0.0, 1.0, 0.0),
    "down": (0.0, -1.0, 0.0),
    "right": (0.0, 0.0, 1.0),
    "left": (0.0, 0.0, -1.0),
}
"""Ground of OpenSim: x forward, y up, z right."""

SIDED = {"lateral": 1.0, "medial": -1.0}
"""Sign along z for the right side."""

# Small enough that the marker's arc is straight, large enough that rounding does not count.
_STEP_RAD = 0.05
# Most of a witness' way must be that way, and the way more than rounding (m per rad).
_MAIN_PART, _LEAST_LEVER_M = 0.6, 5e-3


@dataclass(frozen=True)
class Convention:
    """One coordinate of the right side, or of none; names carry no ending for the side.

    Attributes:
        pattern: name of the coordinate, or a pattern.
        moves: the body that moves, and against which one.
        positive: the motion of a growing value.
        witness: markers whose mean shows the motion.
        towards: direction in which they move: a key of DIRECTIONS or SIDED.
        pose_deg: coordinate -> degrees, where the check needs another pose than all zero.
        zero: the pose in which it is zero.
        isb: counterpart in the recommendations of the ISB, empty for none.
        isb_sign: factor from the model's coordinate to it, None for none.
        difference: other differences.
    """

    pattern: str
    moves: str
    positive: str
    witness: tuple[str, ...]
    towards: str
    pose_deg: Mapping[str, float]
    zero: str
    isb: str
    isb_sign: int | None
    difference: str

    def counterpart(self) -> str:
        """Return the counterpart, with a note where its sense is opposite; empty for none."""
        if not self.isb:
            return ""
        return self.isb if self.isb_sign != -1 else f"{self.isb}, opposite sign"


def convention_of(conventions: Sequence[Convention], coordinate: str) -> Convention | None:
    """Return the convention of a coordinate; None for one that the table does not name."""
    stem = without_side(coordinate)
    # The first that fits: the order of the table decides where a name and a pattern both match.
    return next((entry for entry in conventions if fnmatchcase(stem, entry.pattern)), None)


def holds(tree: KinematicTree, coordinate: str, convention: Convention) -> bool:
    """Return whether a model moves as the convention says; false, too, where it lacks a marker or coordinate."""
    return which_hold(tree, [(coordinate, convention)])[0]


def which_hold(tree: KinematicTree, said: Sequence[tuple[str, Convention]]) -> list[bool]:
    """Return for each coordinate and its convention what `holds` does; all poses are worked out at once."""
    poses = [_poses(tree, coordinate, convention) for coordinate, convention in said]
    known = [pose for pose in poses if pose is not None]
    # (known, 2, m, 3): moved, and as it stands.
    places = iter(tree.marker_positions(np.array(known).reshape(-1, 2, tree.n_coordinates)))
    return [
        pose is not None and _moves_as_said(tree, coordinate, convention, next(places))
        for pose, (coordinate, convention) in zip(poses, said, strict=True)
    ]


def _poses(tree: KinematicTree, coordinate: str, convention: Convention) -> NDArray[np.float64] | None:
    """Return (2, c) coordinates, moved and not, in which to look; None where the model lacks a part."""
    is_left = coordinate.endswith("_l")
    known = {coordinate, *(_coordinate_on_side(tree, name, is_left=is_left) for name in convention.pose_deg)}
    # A model without the marker or coordinate cannot be checked, and must not pass.
    if not known <= set(tree.coordinate_names) or not set(_witnesses(coordinate, convention)) <= set(tree.marker_names):
        return None
    pose = np.zeros(tree.n_coordinates)
    for name, degrees in convention.pose_deg.items():
        pose[tree.coordinate(_coordinate_on_side(tree, name, is_left=is_left))] = np.radians(degrees)
    moved = pose.copy()
    moved[tree.coordinate(coordinate)] += _STEP_RAD
    # Coordinates as they are: a follower is asked about itself, not about its leader.
    return np.stack([moved, pose])


def _moves_as_said(tree: KinematicTree, coordinate: str, convention: Convention, places_m: NDArray[np.float64]) -> bool:
    witnesses = [tree.marker(name) for name in _witnesses(coordinate, convention)]
    ways = places_m[:, witnesses].mean(axis=1)
    way = (ways[0] - ways[1]) / _STEP_RAD
    length = float(np.linalg.norm(way))
    direction = _direction(convention.towards, is_left=coordinate.endswith("_l"))
    return length > _LEAST_LEVER_M and float(way @ direction) > _MAIN_PART * length


def _witnesses(coordinate: str, convention: Convention) -> list[str]:
    return [_on_side(name, is_left=coordinate.endswith("_l")) for name in convention.witness]


def _direction(towards: str, *, is_left: bool) -> NDArray[np.float64]:
    if towards in DIRECTIONS:
        return np.array(DIRECTIONS[towards])
    return np.array([0.0, 0.0, SIDED[towards] * (-1.0 if is_left else 1.0)])


def _on_side(marker: str, *, is_left: bool) -> str:
    if not is_left:
        return marker
    # Markers are `RANK` and `LANK`, joints `right_knee` and `left_knee`.
    return f"left_{marker.removeprefix('right_')}" if marker.startswith("right_") else f"L{marker[1:]}"


def _coordinate_on_side(tree: KinematicTree, name: str, *, is_left: bool) -> str:
    # The right side of the packaged model ends in `_r` in the leg and in nothing in the arm.
    endings = ("_l",) if is_left else ("_r", "")
    return next((name + ending for ending in endings if name + ending in tree.coordinate_names), name)
