"""Other poses that a model can take: its limbs, the ranges of its joints, and its joints of three angles.

A *limb* is everything behind one joint, and the joint. Three rotations in a row reach every orientation twice; where
a bound cuts the way from one triple of angles to the other, a solver that walks ends at the bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from movi_prep.kinematics.folded_model import ALONG, slope_of_axis
from movi_prep.kinematics.tracks import is_root
from movi_prep.records.kinematic_tree import rotation_about

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.kinematics.folded_model import FoldedModel

# Fewer unknowns make no limb: a hinge has few minima.
_SMALLEST_LIMB = 3
# Axes that are as parallel as this (sine) leave the middle angle without a second solution.
_PARALLEL = 1e-6
# First and last axis as parallel as this (sine) are next to gimbal lock: where axes are not quite at right angles, the
# exact second solution is there no other pose.
_LOCKED = 1e-3
# Axes that are remembered on the way: three own ones and what couplers turn between them.
_LONGEST_CHAIN = 6


class Triple(NamedTuple):
    """Three angles in a row.

    Attributes:
        unknowns: (3,) the unknowns that the angles belong to.
        axes: (3, 3) unit vectors (rows), with all three angles at zero.
        mixing: (3, 3) the angles are mixing @ unknowns: the identity, but for slopes and couplers.
    """

    unknowns: NDArray[np.int64]
    axes: NDArray[np.float64]
    mixing: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Limbs:
    """The limbs of a folded model, by the node at which they begin.

    Attributes:
        levels: for each node, where limbs around it may begin, the smallest limb first: on the way to ground, each
            time that three unknowns, or twice as many as at the last one, have been passed; at last the whole way.
            Without the root's joint, so empty for what it moves itself.
        own: (nodes, x) bool, what moves the joint at which the limb begins, root left out.
        unknowns: (nodes, x) bool, what moves within the limb, root left out.
        parent: (nodes,) the next node on the way to ground, -1 for none.
        markers: (nodes, m) bool, markers on the limb.
        node: (m,) node of each marker.
        low, high: (x,) where an unknown is looked for: its bounds, else its range, no angle over more than a turn.
        triples: joints of three angles, the root's left out.
    """

    levels: tuple[tuple[int, ...], ...]
    own: NDArray[np.bool_]
    unknowns: NDArray[np.bool_]
    parent: NDArray[np.int64]
    markers: NDArray[np.bool_]
    node: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    triples: tuple[Triple, ...]


@lru_cache(maxsize=8)
def find_limbs(folded: FoldedModel) -> Limbs:
    """Return the limbs of a model; the clips of one subject share them."""
    parent, first = folded.arrays.motion.parent, folded.arrays.markers.first
    own = _own_unknowns(folded)
    node = np.repeat(np.arange(len(parent)), np.diff(first))
    unknowns, markers = own.copy(), node[None, :] == np.arange(len(parent))[:, None]
    joints: list[tuple[int, ...]] = []
    for k, above in enumerate(parent.tolist()):
        outer = joints[above] if above >= 0 else ()
        joints.append((k, *outer) if own[k].any() else outer)
    levels = tuple(_levels(way, own.sum(axis=1)) for way in joints)
    # Leaf to root: parents have lower numbers, so a node is complete before it is added to its parent.
    for k in range(len(parent) - 1, -1, -1):
        if parent[k] >= 0:
            unknowns[parent[k]] |= unknowns[k]
            markers[parent[k]] |= markers[k]
    return Limbs(levels, own, unknowns, parent, markers, node, *_search_ranges(folded), _find_triples(folded))


def _levels(way: tuple[int, ...], n_own: NDArray[np.int64]) -> tuple[int, ...]:
    """Pick the nodes of a way from a leaf to ground at which limbs begin, by how many unknowns lie below them."""
    levels, passed, enough = [], 0, _SMALLEST_LIMB
    for node in way:
        passed += int(n_own[node])
        if passed >= enough or node == way[-1]:
            levels.append(node)
            enough = 2 * passed
    return tuple(levels)


def _own_unknowns(folded: FoldedModel) -> NDArray[np.bool_]:
    """(nodes, x) unknowns that move each node's own joint; none of the root."""
    pattern, root = folded.arrays.pattern, is_root(folded)
    own = np.zeros((len(pattern.parent), folded.arrays.n_unknowns), dtype=bool)
    for k in range(len(own)):
        own[k, pattern.unknown[pattern.first_mobility[k] : pattern.first_mobility[k + 1]]] = True
    return own & ~root


def _search_ranges(folded: FoldedModel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(x,) and (x,): the bounds, else the range that the model's author gave; of angles one turn at most."""
    tree, arrays, unknowns = folded.tree, folded.arrays, folded.unknowns
    low, high = tree.coordinate_range[unknowns].T
    low = np.where(np.isfinite(arrays.lower), arrays.lower, low)
    high = np.where(np.isfinite(arrays.upper), arrays.upper, high)
    whole = tree.coordinate_is_rotation[unknowns] & (high - low > 2.0 * np.pi)
    return np.where(whole, -np.pi, low), np.where(whole, np.pi, high)


class _Axis(NamedTuple):
    """A turning axis: its unknown, direction, angle for each unit of the unknown, and whether a coupler drives it."""

    unknown: int
    direction: NDArray[np.float64]
    slope: float
    coupled: bool


def _find_triples(folded: FoldedModel) -> tuple[Triple, ...]:
    """Every three angles that follow one another, in one joint or over several, each an unknown of its own."""
    motion, found = folded.arrays.motion, []
    # The last axes on the way to each node, in the node's frame with all angles at zero.
    ends: list[list[_Axis]] = []
    for node, parent in enumerate(motion.parent.tolist()):
        turn = motion.rotation[node].reshape(3, 3).T
        chain = [axis._replace(direction=turn @ axis.direction) for axis in (ends[parent] if parent >= 0 else [])]
        for number in range(motion.first_axis[node], motion.first_axis[node + 1]):
            axis = _turning_axis(folded, number)
            if axis is not None:
                chain = [*chain, axis][-_LONGEST_CHAIN:]
                found.append(_triple(chain))
        ends.append(chain)
    return tuple(triple for triple in found if triple is not None)


def _triple(chain: list[_Axis]) -> Triple | None:
    """Return the last three own angles of a chain that ends with one; None where there are no three.

    What couplers turn about the axis of an own angle next to it belongs to that angle: so has a shoulder whose plane of
    elevation is turned back behind the elevation. Other coupled turns are left out: the second solution is then near.
    """
    own = [k for k, axis in enumerate(chain) if not axis.coupled][-3:]
    if chain[-1].coupled or len(own) < 3 or len({chain[k].unknown for k in own}) < 3:
        return None
    unknowns, axes = [chain[k].unknown for k in own], np.array([chain[k].direction for k in own])
    mixing = np.diag([chain[k].slope for k in own])
    for k in range(own[0] + 1, own[2]):
        part = next((row for row in range(3) if abs(own[row] - k) == 1 and _parallel(axes[row], chain[k])), None)
        if chain[k].coupled and part is not None and chain[k].unknown in unknowns:
            sign = np.sign(axes[part] @ chain[k].direction)
            mixing[part, unknowns.index(chain[k].unknown)] += sign * chain[k].slope
    return Triple(np.array(unknowns), axes, mixing)


def _parallel(direction: NDArray[np.float64], axis: _Axis) -> bool:
    return bool(np.linalg.norm(np.cross(direction, axis.direction)) < _PARALLEL)


def _turning_axis(folded: FoldedModel, number: int) -> _Axis | None:
    """Return an axis that turns in proportion to one unknown of a joint; None for others."""
    arrays, motion = folded.arrays, folded.arrays.motion
    q, slope = int(motion.axis_q[number]), slope_of_axis(folded, number)
    unknown = int(arrays.pattern.q_unknown[q])
    if motion.axis_kind[number] == ALONG or motion.is_root[unknown] or slope == 0.0:
        return None
    return _Axis(unknown, motion.axis_direction[number], slope, q >= arrays.n_unknowns)


def other_solution(triple: Triple, angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the other (3,) values of a triple's unknowns that give the same orientation."""
    return np.asarray(np.linalg.solve(triple.mixing, other_angles(triple.axes, triple.mixing @ angles_rad)))


def other_angles(axes: NDArray[np.float64], angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the other (3,) angles about three axes (rows, one after another) that give the same rotation.

    After a turn t about the middle axis, the last axis has the component a + b cos t + c sin t along the first one:
    it is the same at 2 atan2(c, b) - t. The outer angles make up for the rest. Axes that allow no second solution
    (first or last parallel to the middle one) return the angles unchanged. At gimbal lock any turn of the first axis is
    made up for by the last one: next to it half a turn is returned (exact only at the lock itself), from which the
    middle angle leads on to the other side.
    """
    first, middle, last = axes
    along = (first @ middle) * (middle @ last)
    cosine, sine = first @ last - along, first @ np.cross(middle, last)
    if np.hypot(cosine, sine) < _PARALLEL:
        return angles_rad
    other = 2.0 * np.arctan2(sine, cosine) - angles_rad[1]
    old, new = (rotation_about(middle, angle) for angle in (angles_rad[1], other))
    if np.linalg.norm(np.cross(first, old @ last)) < _LOCKED:
        return np.asarray(angles_rad + np.array([np.pi, 0.0, np.pi]))
    outer = _turn_between(first, new @ last, old @ last)
    inner = _turn_between(last, old.T @ first, new.T @ first)
    return np.array([angles_rad[0] + outer, other, angles_rad[2] + inner])


def _turn_between(axis: NDArray[np.float64], source: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """Angle about an axis that takes one vector to another of the same length and slope."""
    across = source - axis * (axis @ source)
    return float(np.arctan2(axis @ np.cross(across, target), across @ target))
