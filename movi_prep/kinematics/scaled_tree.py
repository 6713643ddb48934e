"""A tree whose bodies are scaled: which factors move what, forward kinematics of many poses, and its derivatives.

Scaling a body by (x, y, z) stretches, in its own axes, where its markers are, where the frames of its joints are, and
how far the joints that it carries translate. That is all that `OpenSim::Model::scale` does to kinematics
(PhysicalOffsetFrame, Marker and CustomJoint `extendScale`), so markers are linear in the factors of any fixed pose:

    marker m on body b:  p_m = o_b + R_b (f_b * t_m + d_m)
    origin of body b:    o_b = sum over joints between ground and b of the rotated, scaled offsets

with t_m the marker's place in the table and d_m how far its site is from there. Bodies share factors in *groups* (the
measurements of a set-up); the unknown of a group is the logarithm of its factor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.kinematics.folded_model import fold_model
from movi_prep.records.kinematic_tree import rotation_about

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.kinematics.folded_model import FoldedModel
    from movi_prep.records.kinematic_tree import KinematicTree


@dataclass(frozen=True, eq=False)
class ScaleGroups:
    """Assigns a factor to each body and axis.

    Attributes:
        names: (g,) names of the groups.
        of_body: (b, 3) int64, group of each body and axis, -1 where nothing scales it.
        fixed: (b, 3) float64, the factor where no group scales it.
    """

    names: tuple[str, ...]
    of_body: NDArray[np.int64]
    fixed: NDArray[np.float64]

    def factors(self, log_factors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (b, 3) factors of every body for the logarithms of the groups' factors, (g,)."""
        # The appended 0 is what index -1 reads: a body that no group scales.
        grouped = np.exp(np.append(log_factors, 0.0))[self.of_body]
        return np.asarray(np.where(self.of_body >= 0, grouped, self.fixed))


@dataclass(frozen=True, eq=False)
class PosedMarkers:
    """Markers of many poses, and how they move with what is unknown. (n poses, k markers, x unknowns, g groups.)

    Attributes:
        positions_m: (n, k, 3) metres, ground.
        rotations: (n, k, 3, 3), carrying body to ground: how a marker moves with its own site.
        by_unknown: (n, k, 3, x) m/rad, or m/m.
        by_group: (n, k, 3, g) metres, by the logarithm of the group's factor.
    """

    positions_m: NDArray[np.float64]
    rotations: NDArray[np.float64]
    by_unknown: NDArray[np.float64]
    by_group: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScaledMarkers:
    """The tracked markers of a tree as functions of pose, factors and sites.

    Attributes:
        tree: the tree with every factor at one.
        groups: which factors there are.
        markers: (k,) int64, tracked markers of the tree; none of them on ground.
    """

    tree: KinematicTree
    groups: ScaleGroups
    markers: NDArray[np.int64]

    @cached_property
    def folded(self) -> FoldedModel:
        """The unscaled model as the solver has it: which coordinates are unknown, their bounds, the root."""
        return fold_model(self.tree, tuple(self.markers.tolist()))

    @property
    def n_groups(self) -> int:
        """Number of factors."""
        return len(self.groups.names)

    @property
    def sites_m(self) -> NDArray[np.float64]:
        """(k, 3) metres, places of the markers in their bodies by the table, unscaled."""
        return self.tree.marker_position_m[self.markers]

    @property
    def bodies(self) -> NDArray[np.int64]:
        """(k,) bodies that carry the markers."""
        return self.tree.marker_body[self.markers]

    def coordinates(self, unknowns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n, c) coordinates for (n, x) unknowns."""
        values = np.tile(self.tree.coordinate_default, (len(unknowns), 1))
        values[:, self.folded.unknowns] = unknowns
        return self.tree.complete_coordinates(values)

    def pose(
        self,
        unknowns: NDArray[np.float64],
        log_factors: NDArray[np.float64],
        offsets_m: NDArray[np.float64],
        *,
        derivatives: bool = True,
    ) -> PosedMarkers:
        """Return the markers of (n, x) unknowns, with factors (g,) and sites (k, 3) metres away from the table."""
        return _Walk(self, unknowns, log_factors, derivatives=derivatives).markers(offsets_m)

    @cached_property
    def carried(self) -> list[NDArray[np.int64]]:
        """For each body, the tracked markers on it and on all that it carries."""
        return _carried(self.tree, self.bodies)


def scale_tree(
    tree: KinematicTree, factors: NDArray[np.float64], sites_m: NDArray[np.float64] | None = None
) -> KinematicTree:
    """Return the tree with its bodies scaled, as OpenSim scales them.

    Args:
        tree: the unscaled tree.
        factors: (b, 3) factor of every body along its axes.
        sites_m: (m, 3) metres, places of all markers in their scaled bodies; where the table has them if None.
    """
    # Ground has no factors: index -1 reads another body's, which `where` replaces by 1.
    of_parent = np.where((tree.body_parent >= 0)[:, None], factors[tree.body_parent], 1.0)
    # The tree has the body's place in the joint frame; OpenSim scales the joint's place in the body. So it is turned
    # into body axes, scaled there, and turned back.
    in_body = (np.swapaxes(tree.child_rotation, 1, 2) @ tree.child_position_m[:, :, None])[:, :, 0]
    scaled_sites = np.where((tree.marker_body >= 0)[:, None], factors[tree.marker_body], 1.0) * tree.marker_position_m
    return replace(
        _with_scaled_translations(tree, of_parent),
        parent_position_m=of_parent * tree.parent_position_m,
        child_position_m=(tree.child_rotation @ (factors * in_body)[:, :, None])[:, :, 0],
        marker_position_m=scaled_sites if sites_m is None else sites_m,
    )


def _with_scaled_translations(tree: KinematicTree, of_parent: NDArray[np.float64]) -> KinematicTree:
    """Give every translation that its parent's factors change a function of its own.

    SpatialTransform::scale takes the axis as if it stood in the parent's own axes: factor = axis . factors.
    """
    carrier = np.repeat(np.arange(tree.n_bodies), np.diff(tree.first_axis))
    stretch = np.where(tree.axis_is_rotation, 1.0, np.einsum("ak,ak->a", tree.axis_direction, of_parent[carrier]))
    stretch = np.where(tree.body_parent[carrier] >= 0, stretch, 1.0)
    function, first = tree.axis_function.copy(), tree.first_piece.tolist()
    rows, coefficients = [np.arange(len(tree.piece_start))], [tree.piece_coefficients]
    # Functions are shared between axes: a stretched one gets its own copy at the end of the table.
    for axis in np.flatnonzero(stretch != 1.0):
        pieces = np.arange(tree.first_piece[function[axis]], tree.first_piece[function[axis] + 1])
        rows.append(pieces)
        coefficients.append(stretch[axis] * tree.piece_coefficients[pieces])
        function[axis] = len(first) - 1
        first.append(first[-1] + len(pieces))
    taken = np.concatenate(rows)
    return replace(
        tree,
        axis_function=function,
        first_piece=np.array(first),
        piece_start=tree.piece_start[taken],
        piece_origin=tree.piece_origin[taken],
        piece_coefficients=np.concatenate(coefficients),
    )


class _Walk:
    """One walk from ground to the markers for all poses together; used once."""

    def __init__(
        self,
        scaled: ScaledMarkers,
        unknowns: NDArray[np.float64],
        log_factors: NDArray[np.float64],
        *,
        derivatives: bool,
    ) -> None:
        tree, n_poses = scaled.tree, len(unknowns)
        self.scaled, self.tree, self.derivatives = scaled, tree, derivatives
        self.factors = scaled.groups.factors(log_factors)
        self.coordinates = scaled.coordinates(unknowns)
        self.rates, self.leaders = _rates(tree, self.coordinates)
        self.place = {int(coordinate): u for u, coordinate in enumerate(scaled.folded.unknowns)}
        n_groups = len(scaled.groups.names)
        self.rotation = np.empty((n_poses, tree.n_bodies, 3, 3))
        self.origin = np.empty((n_poses, tree.n_bodies, 3))
        self.by_group = np.zeros((tree.n_bodies, n_poses, 3, n_groups)) if derivatives else None
        self.turns: list[tuple[int, int, NDArray[np.float64], NDArray[np.float64] | None]] = []
        for body in range(tree.n_bodies):
            # Branches without a tracked marker are left unplaced: nothing reads them.
            if len(scaled.carried[body]):
                self._place_body(body)

    def _place_body(self, body: int) -> None:
        tree, parent = self.tree, int(self.tree.body_parent[body])
        if parent < 0:
            outer, origin = np.broadcast_to(np.eye(3), (len(self.coordinates), 3, 3)), np.zeros(3)
        else:
            outer, origin = self.rotation[:, parent], self.origin[:, parent]
            if self.by_group is not None:
                self.by_group[body] = self.by_group[parent]
        origin = origin + self._offset(body, parent, outer, tree.parent_position_m[body])
        rotation = outer @ tree.parent_rotation[body]
        for axis in range(tree.first_axis[body], tree.first_axis[body + 1]):
            rotation, origin = self._move(body, axis, rotation, origin)
        rotation = rotation @ tree.child_rotation[body]
        in_body = tree.child_rotation[body].T @ tree.child_position_m[body]
        self.rotation[:, body] = rotation
        self.origin[:, body] = origin + self._offset(body, body, rotation, in_body)

    def _offset(
        self, body: int, scaling: int, rotation: NDArray[np.float64], unscaled_m: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return (n, 3) what an offset in a body's axes adds; note how `body` moves with the factors of `scaling`."""
        offset_m = unscaled_m if scaling < 0 else self.factors[scaling] * unscaled_m
        if self.by_group is not None and scaling >= 0:
            self._note(self.by_group[body], scaling, rotation, offset_m)
        return np.asarray(rotation @ offset_m)

    def _note(
        self,
        noted: NDArray[np.float64],
        scaling: int,
        rotation: NDArray[np.float64],
        offset_m: NDArray[np.float64],
    ) -> None:
        """Add to (n, 3, g) `noted` how an offset moves with the factors: each axis by its own component."""
        for k in range(3):
            group = self.scaled.groups.of_body[scaling, k]
            if group >= 0:
                # By the logarithm of the factor, so that the derivative of f t is f t itself: the scaled offset.
                noted[:, :, group] += offset_m[k] * rotation[:, :, k]

    def _move(
        self, body: int, axis: int, rotation: NDArray[np.float64], origin: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return rotation and origin after one more axis; note how it moves what `body` carries."""
        tree, coordinate = self.tree, int(self.tree.axis_coordinate[axis])
        argument = self.coordinates[:, coordinate] if coordinate >= 0 else np.zeros(len(self.coordinates))
        function, direction = int(tree.axis_function[axis]), tree.axis_direction[axis]
        amount = tree.evaluate_function(function, argument)
        along = rotation @ direction
        # A follower moves with the unknown at the head of its chain; `rates` holds the product of slopes in between.
        unknown = self.place.get(int(self.leaders[coordinate]), -1) if coordinate >= 0 else -1
        slope = None
        if self.derivatives and unknown >= 0:
            slope = (function_slope(tree, function, argument) * self.rates[:, coordinate])[:, None] * along
        if tree.axis_is_rotation[axis]:
            if slope is not None:
                self.turns.append((body, unknown, slope, origin))
            return rotation @ rotation_about(direction, amount), origin
        parent = int(tree.body_parent[body])
        parts = direction if parent < 0 else direction * self.factors[parent]
        stretch = float(direction @ parts)
        if slope is not None:
            # No origin marks a translation: it moves all that it carries alike.
            self.turns.append((body, unknown, stretch * slope, None))
        if self.by_group is not None and parent >= 0:
            for k in range(3):
                group = self.scaled.groups.of_body[parent, k]
                if group >= 0:
                    # d(stretch)/d(log f_k) is direction_k^2 f_k, because stretch = sum of direction_k^2 f_k.
                    self.by_group[body][:, :, group] += (direction[k] * parts[k] * amount)[:, None] * along
        return rotation, origin + (stretch * amount)[:, None] * along

    def markers(self, offsets_m: NDArray[np.float64]) -> PosedMarkers:
        """Return the markers that the walk reached."""
        scaled, bodies = self.scaled, self.scaled.bodies
        rotations = self.rotation[:, bodies]
        table_m = self.factors[bodies] * scaled.sites_m
        positions = self.origin[:, bodies] + (rotations @ (table_m + offsets_m)[:, :, None])[..., 0]
        nothing = np.zeros((*positions.shape, 0))
        if self.by_group is None:
            return PosedMarkers(positions, rotations, nothing, nothing)
        by_group = np.ascontiguousarray(self.by_group[bodies].swapaxes(0, 1))
        for k in range(3):
            group = scaled.groups.of_body[bodies, k]
            own = np.flatnonzero(group >= 0)
            # NumPy puts the axes of two separate index arrays first: hence the swap.
            by_group[:, own, :, group[own]] += (table_m[own, k, None] * rotations[:, own][..., k]).swapaxes(0, 1)
        return PosedMarkers(positions, rotations, self._by_unknown(positions), by_group)

    def _by_unknown(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.zeros((*positions.shape, len(self.place)))
        for body, unknown, slope, origin in self.turns:
            moved = self.scaled.carried[body]
            if origin is None:
                out[..., unknown][:, moved] += slope[:, None]
            else:
                # A turn about an axis through `origin` moves a point by omega x (p - origin).
                out[..., unknown][:, moved] += np.cross(slope[:, None], positions[:, moved] - origin[:, None])
        return out


def function_slope(tree: KinematicTree, function: int, argument: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (...) derivatives of one function of the tree at (...) arguments."""
    first, end = tree.first_piece[function], tree.first_piece[function + 1]
    piece = first + np.searchsorted(tree.piece_start[first + 1 : end], argument, side="right")
    offset = argument - tree.piece_origin[piece]
    slope = np.zeros_like(offset)
    for power in range(tree.piece_coefficients.shape[1] - 1, 0, -1):
        slope = slope * offset + power * tree.piece_coefficients[piece, power]
    return np.asarray(slope)


def _rates(tree: KinematicTree, coordinates: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return (n, c) how fast every coordinate goes with the one that leads it in the end, and (c,) which that is."""
    rates, leaders = np.ones_like(coordinates), np.arange(tree.n_coordinates)
    for follower in np.flatnonzero(tree.coupled_to >= 0):
        reached = int(follower)
        while tree.coupled_to[reached] >= 0:
            leader = int(tree.coupled_to[reached])
            rates[:, follower] *= function_slope(tree, int(tree.coupling_function[reached]), coordinates[:, leader])
            reached = leader
        leaders[follower] = reached
    return rates, leaders


def _carried(tree: KinematicTree, bodies: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    carried: list[list[int]] = [[] for _ in range(tree.n_bodies)]
    for marker, body in enumerate(bodies.tolist()):
        reached = body
        while reached >= 0:
            carried[reached].append(marker)
            reached = int(tree.body_parent[reached])
    return [np.array(found, dtype=np.int64) for found in carried]
