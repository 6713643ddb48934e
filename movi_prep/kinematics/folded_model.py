"""A tree and its tracked markers, reduced to the unknowns and arrays over which the solver iterates.

Everything that cannot move is folded into constants beforehand: locked coordinates, welds, offset frames and
constant axes. Branches that carry no tracked marker are left out. What remains is a tree of *nodes*, each with at
least one moving axis. Coordinates reduce to *unknowns* x; coupled coordinates follow them, leaders first.

A *mobility* is one coordinate of one node: the twist by which it moves everything below the node. An unknown
that leads couplers owns several mobilities.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from movi_prep.errors import ModelError
from movi_prep.kinematics.bounds import unknown_bounds
from movi_prep.kinematics.elimination import Elimination, order_elimination
from movi_prep.records.kinematic_tree import rotation_about

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree

# How an axis moves: about x, y or z of the frame reached so far (the cheap cases), about any direction, or along.
ABOUT_X, ABOUT_Y, ABOUT_Z, ABOUT_ANY, ALONG = range(5)
# A function is one straight line (the usual case) or a list of polynomial pieces.
LINE, PIECES = range(2)
# Pieces of a function whose slopes differ by less, and bend by less, are one line.
_STRAIGHT = 1e-9


class Functions(NamedTuple):
    """The tree's function table, with straight lines marked; see `KinematicTree` for the pieces."""

    kind: NDArray[np.int64]
    first_piece: NDArray[np.int64]
    start: NDArray[np.float64]
    origin: NDArray[np.float64]
    coefficients: NDArray[np.float64]


class MovingNodes(NamedTuple):
    """The moving parts: coordinates, and nodes with their axes, parents before children.

    Entries 0 to x - 1 of the moving coordinates q are the unknowns, followers come after them in order.
    Every `first_*` array is an offset table with one entry more than owners. Where the root turns freely about three
    orthogonal axes, they are a node of their own (`free_node`, else -1): the solver counts their angles from a base
    that moves along, so that it never meets gimbal lock.
    """

    n_unknowns: int
    leader: NDArray[np.int64]
    following: NDArray[np.int64]
    parent: NDArray[np.int64]
    rotation: NDArray[np.float64]
    position: NDArray[np.float64]
    first_axis: NDArray[np.int64]
    axis_kind: NDArray[np.int64]
    axis_direction: NDArray[np.float64]
    axis_function: NDArray[np.int64]
    axis_q: NDArray[np.int64]
    axis_mobility: NDArray[np.int64]
    free_node: int
    free_unknown: NDArray[np.int64]
    free_slope: NDArray[np.float64]
    is_root: NDArray[np.int64]


class Markers(NamedTuple):
    """Tracked markers in the moving frame of their node, node by node."""

    first: NDArray[np.int64]
    position: NDArray[np.float64]


class Pattern(NamedTuple):
    """Where mobilities meet in gradient and matrices (stored by column, in elimination order).

    Each mobility meets every unknown above it once: where one unknown leads several joints on the way to ground (a
    spine), their twists are added first. Row m + r of the twists, behind those of the m mobilities, is the sum of the
    two rows sum_rows[r]. What indexes in the innermost loop is unsigned: it cannot count from the end.
    """

    parent: NDArray[np.int64]
    first_mobility: NDArray[np.int64]
    unknown: NDArray[np.int64]
    sum_rows: NDArray[np.int64]
    first_pair: NDArray[np.int64]
    pair_row: NDArray[np.uint32]
    pair_entry: NDArray[np.uint32]
    diagonal: NDArray[np.int64]
    q_unknown: NDArray[np.int64]


class FoldedArrays(NamedTuple):
    """Flat arrays for the kernels, grouped by the kernels that read them."""

    functions: Functions
    motion: MovingNodes
    markers: Markers
    pattern: Pattern
    elimination: Elimination
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    @property
    def n_unknowns(self) -> int:
        """Number of unknowns."""
        return len(self.lower)


@dataclass(frozen=True, eq=False)
class FoldedModel:
    """Arrays for the kernels, and what their indices mean in the tree.

    Attributes:
        tree: the tree it was made from.
        arrays: arrays for the kernels.
        markers: (k,) tree marker at each place of the arrays.
        moving: (q,) tree coordinate of each moving coordinate; the first x are the unknowns.
        start: (x,) defaults of the unknowns, moved into their bounds.
        figure_m: (k, 3) metres, tracked markers of the neutral figure: every unknown at its start.
        outside: names of unknowns whose default lies outside their bounds.
        unseen: free coordinates that no tracked marker sees.
    """

    tree: KinematicTree
    arrays: FoldedArrays
    markers: NDArray[np.int64]
    moving: NDArray[np.int64]
    start: NDArray[np.float64]
    figure_m: NDArray[np.float64]
    outside: tuple[str, ...]
    unseen: tuple[str, ...]

    @property
    def unknowns(self) -> NDArray[np.int64]:
        """(x,) tree coordinate of each unknown."""
        return self.moving[: self.arrays.n_unknowns]


def slope_of_axis(folded: FoldedModel, axis: int) -> float:
    """Return how far an axis turns or slides for each unit of its unknown, couplers on the way included.

    0 where it does not do so in proportion.
    """
    arrays, motion = folded.arrays, folded.arrays.motion
    q, slope = int(motion.axis_q[axis]), _slope(folded, int(motion.axis_function[axis]))
    while q >= arrays.n_unknowns:
        slope *= _slope(folded, int(motion.following[q - arrays.n_unknowns]))
        q = int(motion.leader[q - arrays.n_unknowns])
    return slope


def _slope(folded: FoldedModel, function: int) -> float:
    """Slope of a function that is straight, in however many pieces; 0 for other functions."""
    functions = folded.arrays.functions
    pieces = functions.coefficients[functions.first_piece[function] : functions.first_piece[function + 1]]
    straight = np.ptp(pieces[:, 1]) < _STRAIGHT and np.abs(pieces[:, 2:]).max(initial=0.0) < _STRAIGHT
    return float(pieces[0, 1]) if straight else 0.0


@dataclass
class _Nodes:
    """The folded tree while it grows."""

    parent: list[int] = field(default_factory=list)
    rotation: list[NDArray[np.float64]] = field(default_factory=list)
    position: list[NDArray[np.float64]] = field(default_factory=list)
    # Axes of each node: (rotation?, direction, tree function, tree coordinate)
    axes: list[list[tuple[bool, NDArray[np.float64], int, int]]] = field(default_factory=list)
    # For each tree body: its node (-1 ground) and the body's constant pose in the node's moving frame.
    anchor: list[tuple[int, NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=list)


@lru_cache(maxsize=8)
def fold_model(tree: KinematicTree, markers: tuple[int, ...]) -> FoldedModel:
    """Return the model folded for the given tracked markers (indices into the tree's markers).

    The clips of one subject share it.

    Raises:
        ModelError: where no tracked marker moves, or a coupled range leaves no interval.
    """
    values, leader = _constant_coordinates(tree)
    nodes = _fold(tree, values, _carriers(tree, markers))
    seen = {axis[3] for axes in nodes.axes for axis in axes}
    moving = _moving_coordinates(tree, leader, seen)
    ordered = _markers_by_node(tree, nodes, markers)
    if not moving or not len(ordered):
        raise ModelError("none of the tracked markers moves with any free coordinate; check weights and locks")
    n_unknowns = sum(1 for index in moving if tree.coupled_to[index] < 0)
    unknowns = np.array(moving[:n_unknowns])
    lower, upper = unknown_bounds(tree, moving, n_unknowns)
    default = tree.coordinate_default[unknowns]
    start = np.clip(default, lower, upper)
    free = np.flatnonzero(tree.free_coordinates)
    return FoldedModel(
        tree=tree,
        arrays=_flat_plan(tree, nodes, moving, ordered, (lower, upper)),
        markers=np.array(ordered, dtype=np.int64),
        moving=np.array(moving, dtype=np.int64),
        start=start,
        figure_m=_figure(tree, unknowns, start)[ordered],
        outside=tuple(tree.coordinate_names[k] for k in unknowns[np.abs(start - default) > 1e-9]),
        unseen=tuple(tree.coordinate_names[k] for k in free if k not in set(unknowns.tolist())),
    )


def marker_order(tree: KinematicTree, names: Sequence[str]) -> tuple[str, ...]:
    """Return markers of the tree in the order in which the model folded for them has them; those on ground are last."""
    tracked = tuple(sorted(tree.marker(name) for name in names))
    folded = fold_model(tree, tracked).markers.tolist()
    return tuple(tree.marker_names[marker] for marker in (*folded, *(one for one in tracked if one not in set(folded))))


def _figure(tree: KinematicTree, unknowns: NDArray[np.int64], start: NDArray[np.float64]) -> NDArray[np.float64]:
    """(m, 3) all markers of the tree, unknowns at their start."""
    coordinates = tree.coordinate_default.copy()
    coordinates[unknowns] = start
    return tree.marker_positions(tree.complete_coordinates(coordinates))


def _constant_coordinates(tree: KinematicTree) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return (c,) values, NaN where a coordinate moves, and (c,) the free coordinate that leads it, -1 if none."""
    leader = np.arange(tree.n_coordinates)
    # A chain of couplers is at most that long; the ends of chains map to themselves, so further passes do nothing.
    for _ in range(tree.n_coordinates):
        leader = np.where(tree.coupled_to[leader] >= 0, tree.coupled_to[leader], leader)
    # A follower of a locked leader cannot move either: it takes its value from the complete default pose.
    held = tree.coordinate_locked[leader]
    complete = tree.complete_coordinates(tree.coordinate_default)
    return np.where(held, complete, np.nan), np.where(held, -1, leader)


def _carriers(tree: KinematicTree, markers: Sequence[int]) -> NDArray[np.bool_]:
    """(b,) bodies on the way from ground to a tracked marker."""
    used = np.zeros(tree.n_bodies, dtype=bool)
    for marker in markers:
        body = int(tree.marker_body[marker])
        while body >= 0 and not used[body]:
            used[body] = True
            body = int(tree.body_parent[body])
    return used


def _fold(tree: KinematicTree, values: NDArray[np.float64], used: NDArray[np.bool_]) -> _Nodes:
    """Walk the tree once; joints that cannot move extend the pose of their parent's node."""
    nodes = _Nodes()
    for body in range(tree.n_bodies):
        parent = int(tree.body_parent[body])
        node, rotation, position = nodes.anchor[parent] if parent >= 0 else (-1, np.eye(3), np.zeros(3))
        position = position + rotation @ tree.parent_position_m[body]
        rotation = rotation @ tree.parent_rotation[body]
        # Bodies without a marker below get a place, but no node: numbering of `anchor` must stay that of the tree's
        # bodies.
        if not used[body]:
            nodes.anchor.append((node, rotation, position))
            continue
        axes, shift, turn = _fold_axes(tree, body, values)
        position = position + rotation @ shift
        if axes:
            # The first part takes the constant pose before it; the second begins in the frame that the first one moves.
            for part in _split_root(tree, axes) if node < 0 else [axes]:
                nodes.parent.append(node)
                nodes.rotation.append(rotation)
                nodes.position.append(position)
                nodes.axes.append(part)
                node, rotation, position = len(nodes.parent) - 1, np.eye(3), np.zeros(3)
            # The constant turn stands behind the moving axes, in the frame that they have moved.
            rotation = turn
        else:
            rotation = rotation @ turn
        position = position + rotation @ tree.child_position_m[body]
        nodes.anchor.append((node, rotation @ tree.child_rotation[body], position))
    return nodes


_Axes = list[tuple[bool, "NDArray[np.float64]", int, int]]


def _split_root(tree: KinematicTree, axes: _Axes) -> list[_Axes]:
    """Translations and free rotations of a root joint as two nodes; other joints stay whole."""
    moves, turns = axes[:-3], axes[-3:]
    if any(is_rotation for is_rotation, *_ in moves) or not _turns_freely(tree, turns):
        return [axes]
    return [moves, turns] if moves else [turns]


def _turns_freely(tree: KinematicTree, axes: _Axes) -> bool:
    """Three unbounded angles, each its own coordinate, about orthogonal axes."""
    if len(axes) != 3 or not all(is_rotation for is_rotation, *_ in axes):
        return False
    directions = np.array([direction for _, direction, _, _ in axes])
    coordinates = [coordinate for *_, coordinate in axes]
    # A coordinate that also drives another axis or leads a coupler must keep the model's own angle: no base for it.
    uses = [np.count_nonzero(tree.axis_coordinate == k) + np.count_nonzero(tree.coupled_to == k) for k in coordinates]
    lines = [tree.piece_coefficients[tree.first_piece[function]] for _, _, function, _ in axes]
    return (
        np.allclose(directions @ directions.T, np.eye(3), atol=1e-12)
        and uses == [1, 1, 1]
        and all(_any_turn(tree, coordinate) for coordinate in coordinates)
        and all(line[0] == 0.0 and abs(line[1]) == 1.0 and not np.any(line[2:]) for line in lines)
    )


def _any_turn(tree: KinematicTree, coordinate: int) -> bool:
    """Whether no bound can hold an angle: not clamped, or by two whole turns and more (D3KE's root: ten)."""
    low, high = tree.coordinate_range[coordinate]
    wide = low <= -2.0 * np.pi and high >= 2.0 * np.pi
    return bool(tree.coupled_to[coordinate] < 0 and (wide or not tree.coordinate_clamped[coordinate]))


def _free_root(
    tree: KinematicTree, nodes: _Nodes, place: dict[int, int]
) -> tuple[int, NDArray[np.int64], NDArray[np.float64]]:
    """The first node that turns freely (-1 for none), its unknowns and the signs of their angles."""
    found = [k for k, axes in enumerate(nodes.axes) if _is_root(nodes, k) and _turns_freely(tree, axes)]
    axes = nodes.axes[found[0]] if found else []
    slopes = [tree.piece_coefficients[tree.first_piece[function], 1] for _, _, function, _ in axes]
    unknowns = _ints([place[coordinate] for *_, coordinate in axes])
    return found[0] if found else -1, unknowns, np.array(slopes, dtype=np.float64)


def _root_flags(nodes: _Nodes, place: dict[int, int], n_unknowns: int) -> NDArray[np.int64]:
    """(x,) 1 for unknowns that move a joint on ground."""
    moved = {place[axis[3]] for node, axes in enumerate(nodes.axes) if _is_root(nodes, node) for axis in axes}
    return np.isin(np.arange(n_unknowns), sorted(moved)).astype(np.int64)


def _is_root(nodes: _Nodes, node: int) -> bool:
    """Whether nothing but ground or a translation carries the node, and its own frame is the parent's."""
    parent = nodes.parent[node]
    return parent < 0 or (nodes.parent[parent] < 0 and not any(is_rotation for is_rotation, *_ in nodes.axes[parent]))


def _fold_axes(
    tree: KinematicTree, body: int, values: NDArray[np.float64]
) -> tuple[_Axes, NDArray[np.float64], NDArray[np.float64]]:
    """Split one joint's axes into moving ones, a constant shift before them and a constant turn after them.

    A constant turn C between two axes is carried behind the later one: C R(v) = R(C v) C.
    """
    moving: _Axes = []
    shift, turn = np.zeros(3), np.eye(3)
    for axis in range(tree.first_axis[body], tree.first_axis[body + 1]):
        coordinate, function = int(tree.axis_coordinate[axis]), int(tree.axis_function[axis])
        direction = turn @ tree.axis_direction[axis]
        argument = values[coordinate] if coordinate >= 0 else 0.0
        is_rotation = bool(tree.axis_is_rotation[axis])
        if np.isnan(argument):
            moving.append((is_rotation, direction, function, coordinate))
            continue
        amount = tree.evaluate_function(function, np.asarray(argument))
        if is_rotation:
            turn = rotation_about(direction, amount) @ turn
        # A constant shift can be moved in front of translations, but not of a rotation, which would turn it.
        elif any(rotates for rotates, *_ in moving):
            raise ModelError(f"joint {tree.joint_names[body]}: a constant translation after a moving rotation")
        else:
            shift = shift + float(amount) * direction
    return moving, shift, turn


def _moving_coordinates(tree: KinematicTree, leader: NDArray[np.int64], seen: set[int]) -> list[int]:
    """Free coordinates that lead something seen, then the couplers between, leaders before followers."""
    needed = set()
    for coordinate in seen:
        reached = coordinate
        needed.add(reached)
        while tree.coupled_to[reached] >= 0:
            reached = int(tree.coupled_to[reached])
            needed.add(reached)
    # Sorted, so that the numbering of unknowns does not depend on the order of a set.
    unknowns = sorted({int(leader[coordinate]) for coordinate in seen})
    followers: list[int] = []
    waiting = sorted(needed - set(unknowns))
    # Terminates: couplers form no cycle, so in every pass one of those waiting has its leader in place.
    while waiting:
        ready = [k for k in waiting if int(tree.coupled_to[k]) not in waiting]
        followers += ready
        waiting = [k for k in waiting if k not in ready]
    return unknowns + followers


def _markers_by_node(tree: KinematicTree, nodes: _Nodes, markers: Sequence[int]) -> list[int]:
    """Tracked markers ordered by node; those fixed in ground are left out, no coordinate can move them."""
    node_of = {marker: nodes.anchor[tree.marker_body[marker]][0] for marker in markers}
    return sorted((m for m in markers if tree.marker_body[m] >= 0 and node_of[m] >= 0), key=lambda m: node_of[m])


def _flat_plan(
    tree: KinematicTree,
    nodes: _Nodes,
    moving: list[int],
    markers: list[int],
    bounds: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> FoldedArrays:
    """Lay everything out as arrays."""
    n_unknowns = len(bounds[0])
    place = {coordinate: k for k, coordinate in enumerate(moving)}
    q_unknown = _unknown_of_each(tree, moving, n_unknowns)
    axis_mobility, first_mobility, mobility_q = _mobilities(nodes, place)
    pattern, elimination = _pattern(nodes, first_mobility, q_unknown[mobility_q], q_unknown)
    axes = [axis for group in nodes.axes for axis in group]
    free_node, free_unknown, free_slope = _free_root(tree, nodes, place)
    lower, upper = bounds
    # Counted from a moving base, these angles stay near zero: wide ranges such as D3KE's mean nothing for them.
    lower[free_unknown], upper[free_unknown] = -np.inf, np.inf
    motion = MovingNodes(
        n_unknowns=n_unknowns,
        leader=_ints([place[int(tree.coupled_to[k])] for k in moving[n_unknowns:]]),
        following=_ints([int(tree.coupling_function[k]) for k in moving[n_unknowns:]]),
        parent=_ints(nodes.parent),
        rotation=np.ascontiguousarray(np.array(nodes.rotation).reshape(-1, 9)),
        position=np.ascontiguousarray(np.array(nodes.position).reshape(-1, 3)),
        first_axis=_offsets([len(group) for group in nodes.axes]),
        axis_kind=_ints([_axis_kind(is_rotation, direction) for is_rotation, direction, _, _ in axes]),
        axis_direction=np.array([direction for _, direction, _, _ in axes]).reshape(-1, 3),
        axis_function=_ints([function for _, _, function, _ in axes]),
        axis_q=_ints([place[coordinate] for *_, coordinate in axes]),
        axis_mobility=axis_mobility,
        free_node=free_node,
        free_unknown=free_unknown,
        free_slope=free_slope,
        is_root=_root_flags(nodes, place, n_unknowns),
    )
    return FoldedArrays(
        functions=_functions(tree),
        motion=motion,
        markers=_place_markers(tree, nodes, markers),
        pattern=pattern,
        elimination=elimination,
        lower=lower,
        upper=upper,
    )


def _unknown_of_each(tree: KinematicTree, moving: list[int], n_unknowns: int) -> NDArray[np.int64]:
    place = {coordinate: k for k, coordinate in enumerate(moving)}
    unknown = list(range(n_unknowns))
    for coordinate in moving[n_unknowns:]:
        unknown.append(unknown[place[int(tree.coupled_to[coordinate])]])
    return _ints(unknown)


def _mobilities(nodes: _Nodes, place: dict[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the mobility of each axis, the offsets by node, and the moving coordinate of each mobility."""
    axis_mobility: list[int] = []
    mobility_q: list[int] = []
    per_node: list[int] = []
    for axes in nodes.axes:
        own: dict[int, int] = {}
        for *_, coordinate in axes:
            if coordinate not in own:
                own[coordinate] = len(mobility_q)
                mobility_q.append(place[coordinate])
            axis_mobility.append(own[coordinate])
        per_node.append(len(own))
    return _ints(axis_mobility), _offsets(per_node), _ints(mobility_q)


def _pattern(
    nodes: _Nodes,
    first_mobility: NDArray[np.int64],
    unknown: NDArray[np.int64],
    q_unknown: NDArray[np.int64],
) -> tuple[Pattern, Elimination]:
    """Return the pattern of the matrix: each mobility meets itself and those between it and ground."""
    n_unknowns = int(q_unknown.max()) + 1
    meetings: list[list[tuple[int, int]]] = []
    depth = [0] * n_unknowns
    neighbours: list[set[int]] = [set() for _ in range(n_unknowns)]
    sums: dict[tuple[int, int], int] = {}
    for node in range(len(nodes.parent)):
        outer = _mobilities_above(nodes, first_mobility, node)
        for mobility in range(first_mobility[node], first_mobility[node + 1]):
            # Numbers rise from the root, so that sorting puts the root's mobilities first: equal sums get equal rows.
            above = sorted([*outer, *range(first_mobility[node], mobility)])
            rows, own = _rows_of_unknowns(above, unknown, sums), int(unknown[mobility])
            if own in rows:
                # Two mobilities of one unknown meet twice on the diagonal: as (j, k) and as (k, j).
                rows[own] = _sum_row(sums, rows[own], rows[own], len(unknown))
            meetings.append([(own, mobility), *rows.items()])
            depth[own] = max(depth[own], node)
            for other in rows:
                if other != own:
                    neighbours[own].add(other)
                    neighbours[other].add(own)
    elimination = order_elimination(neighbours, depth)
    position = np.empty(n_unknowns, dtype=np.int64)
    position[elimination.order] = np.arange(n_unknowns)
    entries = []
    for mobility, meets in enumerate(meetings):
        for other, _ in meets:
            # Only the lower triangle is stored: the entry goes to the column that is eliminated first.
            low, high = sorted((position[unknown[mobility]], position[other]))
            entries.append(low * n_unknowns + high)
    pattern = Pattern(
        parent=_ints(nodes.parent),
        first_mobility=first_mobility,
        unknown=unknown,
        sum_rows=np.array(list(sums), dtype=np.int64).reshape(-1, 2),
        first_pair=_offsets([len(meets) for meets in meetings]),
        pair_row=np.array([row for meets in meetings for _, row in meets], dtype=np.uint32),
        pair_entry=np.array(entries, dtype=np.uint32),
        diagonal=position * (n_unknowns + 1),
        q_unknown=q_unknown,
    )
    return pattern, elimination


def _rows_of_unknowns(above: list[int], unknown: NDArray[np.int64], sums: dict[tuple[int, int], int]) -> dict[int, int]:
    """Return the row of twists for each unknown that some mobilities, root first, belong to; add sums as needed."""
    rows: dict[int, int] = {}
    for mobility in above:
        own = int(unknown[mobility])
        rows[own] = _sum_row(sums, rows[own], mobility, len(unknown)) if own in rows else mobility
    return rows


def _sum_row(sums: dict[tuple[int, int], int], one: int, two: int, n_mobilities: int) -> int:
    """Row of twists that is the sum of two others; added if it does not exist yet."""
    return sums.setdefault((one, two), n_mobilities + len(sums))


def _mobilities_above(nodes: _Nodes, first_mobility: NDArray[np.int64], node: int) -> list[int]:
    outer: list[int] = []
    parent = nodes.parent[node]
    while parent >= 0:
        outer += range(first_mobility[parent], first_mobility[parent + 1])
        parent = nodes.parent[parent]
    return outer


def _functions(tree: KinematicTree) -> Functions:
    single = np.diff(tree.first_piece) == 1
    straight = ~np.any(tree.piece_coefficients[tree.first_piece[:-1], 2:], axis=1)
    # The kernel's fast case evaluates a + b x: a line whose origin is not zero goes the general way.
    unshifted = tree.piece_origin[tree.first_piece[:-1]] == 0.0
    return Functions(
        kind=np.where(single & straight & unshifted, LINE, PIECES).astype(np.int64),
        first_piece=np.array(tree.first_piece),
        start=np.array(tree.piece_start),
        origin=np.array(tree.piece_origin),
        coefficients=np.array(tree.piece_coefficients),
    )


def _place_markers(tree: KinematicTree, nodes: _Nodes, markers: list[int]) -> Markers:
    node_of, positions = [], []
    for marker in markers:
        node, rotation, position = nodes.anchor[tree.marker_body[marker]]
        node_of.append(node)
        positions.append(rotation @ tree.marker_position_m[marker] + position)
    count = np.bincount(np.array(node_of, dtype=np.int64), minlength=len(nodes.parent))
    return Markers(first=_offsets(count.tolist()), position=np.array(positions).reshape(-1, 3))


def _axis_kind(is_rotation: bool, direction: NDArray[np.float64]) -> int:
    if not is_rotation:
        return ALONG
    for kind in (ABOUT_X, ABOUT_Y, ABOUT_Z):
        # Exact to rounding: a direction that is only nearly an axis must keep its small components.
        if abs(abs(direction[kind]) - 1.0) < 1e-15 and np.count_nonzero(np.abs(direction) > 1e-15) == 1:
            return kind
    return ABOUT_ANY


def _ints(values: Sequence[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def _offsets(counts: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
