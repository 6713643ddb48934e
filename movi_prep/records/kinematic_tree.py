"""A musculoskeletal model's kinematics as plain arrays: forward kinematics without OpenSim.

A shard stores the tree, and training code builds its forward-kinematics layer from it. Nothing but
these arrays is needed; `to_arrays` and `from_arrays` name them. With c coordinates, b moving bodies, a axes,
f functions, p polynomial pieces and m markers:

| array                | shape      | meaning                                                                     |
|----------------------|------------|-----------------------------------------------------------------------------|
| body_names           | (b,) str   | moving bodies, parents before children; ground is not among them            |
| joint_names          | (b,) str   | joint i carries body i                                                      |
| body_parent          | (b,)       | index of the parent body, -1 for ground                                     |
| parent_rotation      | (b, 3, 3)  | joint frame F to parent body                                                |
| parent_position_m    | (b, 3)     | origin of F in the parent body                                              |
| child_rotation       | (b, 3, 3)  | body to the joint's moving frame M                                          |
| child_position_m     | (b, 3)     | origin of the body in M                                                     |
| first_axis           | (b + 1,)   | axes first_axis[i] to first_axis[i + 1] - 1 belong to joint i, outermost first |
| axis_is_rotation     | (a,) bool  | rotation about, or translation along, the axis                              |
| axis_direction       | (a, 3)     | unit vector in the frame reached so far                                     |
| axis_coordinate      | (a,)       | coordinate that moves the axis, -1 for none (the function is then constant) |
| axis_function        | (a,)       | function from the coordinate to the angle (rad) or displacement (m)         |
| first_piece          | (f + 1,)   | pieces first_piece[k] to first_piece[k + 1] - 1 belong to function k        |
| piece_start          | (p,)       | argument from which the piece holds, -inf for the first of a function       |
| piece_origin         | (p,)       | the piece is a polynomial in (argument - origin)                            |
| piece_coefficients   | (p, k)     | ascending                                                                   |
| coordinate_names     | (c,) str   | every coordinate of the model in its own order                              |
| coordinate_is_rotation | (c,) bool | radians, else metres or, of a coupled motion type, its functions' argument |
| coordinate_default   | (c,)       | rad or m                                                                    |
| coordinate_range     | (c, 2)     | rad or m                                                                    |
| coordinate_clamped   | (c,) bool  | whether the range is a bound                                                |
| coordinate_locked    | (c,) bool  | held at its default                                                         |
| coupled_to           | (c,)       | coordinate that this one follows, -1 for none                               |
| coupling_function    | (c,)       | function by which it follows, -1 for none                                   |
| marker_names         | (m,) str   |                                                                             |
| marker_body          | (m,)       | body that carries the marker, -1 for ground                                 |
| marker_position_m    | (m, 3)     | in that body                                                                |

Pose of a body: its parent's pose, then F, then every axis in order, then the body in M. OpenSim's spatial
transform puts the three translations, along axes of F, before the three rotations
(Seth et al. 2010, Minimal formulation of joint motion, Multibody System Dynamics 22).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import InternalError, list_names
from movi_prep.records.checks import check_shape, frozen_array

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

_NAMES = ("body_names", "joint_names", "coordinate_names", "marker_names")
_FLAGS = ("axis_is_rotation", "coordinate_is_rotation", "coordinate_clamped", "coordinate_locked")
_INDICES = (
    *("body_parent", "first_axis", "axis_coordinate", "axis_function", "first_piece"),
    *("coupled_to", "coupling_function", "marker_body"),
)


@dataclass(frozen=True, eq=False)
class KinematicTree:
    """The arrays of the module's table; indices are int64, numbers float64, metres and radians."""

    body_names: tuple[str, ...]
    joint_names: tuple[str, ...]
    body_parent: NDArray[np.int64]
    parent_rotation: NDArray[np.float64]
    parent_position_m: NDArray[np.float64]
    child_rotation: NDArray[np.float64]
    child_position_m: NDArray[np.float64]
    first_axis: NDArray[np.int64]
    axis_is_rotation: NDArray[np.bool_]
    axis_direction: NDArray[np.float64]
    axis_coordinate: NDArray[np.int64]
    axis_function: NDArray[np.int64]
    first_piece: NDArray[np.int64]
    piece_start: NDArray[np.float64]
    piece_origin: NDArray[np.float64]
    piece_coefficients: NDArray[np.float64]
    coordinate_names: tuple[str, ...]
    coordinate_is_rotation: NDArray[np.bool_]
    coordinate_default: NDArray[np.float64]
    coordinate_range: NDArray[np.float64]
    coordinate_clamped: NDArray[np.bool_]
    coordinate_locked: NDArray[np.bool_]
    coupled_to: NDArray[np.int64]
    coupling_function: NDArray[np.int64]
    marker_names: tuple[str, ...]
    marker_body: NDArray[np.int64]
    marker_position_m: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Freeze every array and check that lengths, indices and order agree."""
        for field in fields(self):
            # Frozen dataclasses set their own fields this way.
            object.__setattr__(self, field.name, _frozen(field.name, getattr(self, field.name)))
        for name, shape in self._shapes().items():
            check_shape(getattr(self, name), shape, what=name, where="kinematic tree")
        # Every loop over bodies relies on this order: a body's parent is posed before it.
        if bool(np.any(self.body_parent >= np.arange(self.n_bodies))):
            raise InternalError("kinematic tree: expected parents before children in body_parent")
        # Only to refuse a ring of couplers now, not in the middle of a solution.
        self._coupling_order()

    def _shapes(self) -> dict[str, tuple[int | None, ...]]:
        b, c, m = self.n_bodies, self.n_coordinates, len(self.marker_names)
        a, p = len(self.axis_is_rotation), len(self.piece_start)
        return {
            "body_parent": (b,),
            "parent_rotation": (b, 3, 3),
            "parent_position_m": (b, 3),
            "child_rotation": (b, 3, 3),
            "child_position_m": (b, 3),
            "first_axis": (b + 1,),
            "axis_direction": (a, 3),
            "axis_coordinate": (a,),
            "axis_function": (a,),
            "piece_origin": (p,),
            "piece_coefficients": (p, None),
            "coordinate_is_rotation": (c,),
            "coordinate_default": (c,),
            "coordinate_range": (c, 2),
            "coordinate_clamped": (c,),
            "coordinate_locked": (c,),
            "coupled_to": (c,),
            "coupling_function": (c,),
            "marker_body": (m,),
            "marker_position_m": (m, 3),
        }

    @property
    def n_bodies(self) -> int:
        """Number of moving bodies."""
        return len(self.body_names)

    @property
    def n_coordinates(self) -> int:
        """Number of coordinates, locked and coupled ones included."""
        return len(self.coordinate_names)

    @property
    def free_coordinates(self) -> NDArray[np.bool_]:
        """(c,) bool: neither locked nor coupled."""
        return np.asarray(~self.coordinate_locked & (self.coupled_to < 0))

    @cached_property
    def _lines(self) -> tuple[tuple[float, float, float] | None, ...]:
        """Constant, slope and origin of the functions that are one straight line, as most are; None for others."""
        single = np.diff(self.first_piece) == 1
        first = self.first_piece[:-1]
        coefficients, origins = self.piece_coefficients[first], self.piece_origin[first]
        straight = single & (coefficients[:, 2:] == 0.0).all(axis=1)
        two = np.pad(coefficients, ((0, 0), (0, 2)))[:, :2]
        return tuple(
            (float(line[0]), float(line[1]), float(origin)) if is_straight else None
            for line, origin, is_straight in zip(two, origins, straight, strict=True)
        )

    def coordinate(self, name: str) -> int:
        """Return the index of a coordinate; raise KeyError that lists what exists."""
        return _index(name, self.coordinate_names, "coordinate")

    def marker(self, name: str) -> int:
        """Return the index of a marker; raise KeyError that lists what exists."""
        return _index(name, self.marker_names, "marker")

    def decided_by(self, markers: Iterable[int]) -> NDArray[np.bool_]:
        """Return (c,) bool: coordinates that these markers (indices) move with, directly or through a coupler.

        Locked coordinates, and those that follow them, count as decided.
        """
        carries = np.zeros(self.n_bodies, dtype=bool)
        for marker in markers:
            body = int(self.marker_body[marker])
            # Stops at a body that is already marked: everything above it is marked too.
            while body >= 0 and not carries[body]:
                carries[body] = True
                body = int(self.body_parent[body])
        moved = self.axis_coordinate[np.repeat(carries, np.diff(self.first_axis))]
        seen = np.zeros(self.n_coordinates, dtype=bool)
        seen[moved[moved >= 0]] = True
        # Markers that decide a follower decide its leader, and with it all its followers.
        order = self._coupling_order()
        # Followers before leaders, so that chains are followed to their free end.
        for index in reversed(order):
            seen[self.coupled_to[index]] |= seen[index]
        decided = seen | self.coordinate_locked
        for index in order:
            decided[index] = decided[self.coupled_to[index]]
        return decided

    def evaluate_function(self, function: int, argument: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (...) values of one function at (...) arguments."""
        if (line := self._lines[function]) is not None:
            constant, slope, origin = line
            return np.asarray(slope * (argument - origin) + constant)
        first, end = self.first_piece[function], self.first_piece[function + 1]
        # The first piece has no start of its own: it reaches down to minus infinity.
        piece = first + np.searchsorted(self.piece_start[first + 1 : end], argument, side="right")
        offset = argument - self.piece_origin[piece]
        value = np.zeros_like(offset)
        # Horner's scheme.
        for power in range(self.piece_coefficients.shape[1] - 1, -1, -1):
            value = value * offset + self.piece_coefficients[piece, power]
        return np.asarray(value)

    def function_slope(self, function: int, argument: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (...) derivatives of one function at (...) arguments."""
        if (line := self._lines[function]) is not None:
            return np.full(np.shape(argument), line[1])
        first, end = self.first_piece[function], self.first_piece[function + 1]
        piece = first + np.searchsorted(self.piece_start[first + 1 : end], argument, side="right")
        offset = argument - self.piece_origin[piece]
        slope = np.zeros_like(offset)
        for power in range(self.piece_coefficients.shape[1] - 1, 0, -1):
            slope = slope * offset + power * self.piece_coefficients[piece, power]
        return np.asarray(slope)

    def chain_slopes(self, coordinates: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return (c,) the free coordinate that moves each one, -1 for none, and (..., c) by how much.

        A free coordinate moves itself by 1; a follower's slope is the product of those of its chain.
        """
        leaders = np.where(self.free_coordinates, np.arange(self.n_coordinates), -1)
        slopes = np.ones(np.shape(coordinates)) * (leaders >= 0)
        for index in self._coupling_order():
            before = int(self.coupled_to[index])
            leaders[index] = leaders[before]
            slope = self.function_slope(int(self.coupling_function[index]), coordinates[..., before])
            slopes[..., index] = slopes[..., before] * slope
        return leaders, slopes

    def frames_and_twists(
        self, coordinates: NDArray[np.float64], bodies: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the frames of all joints as `joint_frames` does, and how free coordinates move bodies behind them.

        Args:
            coordinates: (n, c) float64, rad and m, complete; few poses, for their axes are all moved at once.
            bodies: (d,) the bodies, None for all.

        Returns:
            (n, b, 3, 3) rotations M to ground, (n, b, 3) joint centres in metres, and (n, d, 6, f) float64 twists:
            angular velocity of the body, and velocity of its point at the origin of ground, both in ground, per unit
            of each of the f free coordinates, with all that follows it.
        """
        rotations, positions, axes = self.frames_and_axes(coordinates)
        wanted = range(self.n_bodies) if bodies is None else bodies.tolist()
        twists = np.zeros((len(axes), len(wanted), 6, int(self.free_coordinates.sum())))
        for place, body in enumerate(wanted):
            columns, twist = self.body_twist(axes, body)
            twists[:, place, :, columns] = np.moveaxis(twist, 2, 0)
        return rotations, positions, twists

    def frames_and_axes(
        self, coordinates: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the frames of all joints, and (n, 6, a) twists of all axes: what `frames_and_twists` makes twists of.

        A twist of an axis is what it moves behind it, per unit of the free coordinate that leads it.
        """
        amounts, rates = self._axis_motions(coordinates)
        turns = rotations_about(self._crosses, amounts)
        n_poses, n_axes = amounts.shape
        rotations, positions = np.empty((n_poses, self.n_bodies, 3, 3)), np.empty((n_poses, self.n_bodies, 3))
        # Where each axis is before it moves.
        directions, origins = np.empty((n_poses, n_axes, 3)), np.empty((n_poses, n_axes, 3))
        for body in range(self.n_bodies):
            rotation, position = self._parent_frame(body, rotations, positions)
            for axis in range(self.first_axis[body], self.first_axis[body + 1]):
                directions[:, axis], origins[:, axis] = rotation @ self.axis_direction[axis], position
                if self.axis_is_rotation[axis]:
                    rotation = rotation @ turns[:, axis]
                else:
                    position = position + amounts[:, axis, None] * directions[:, axis]
            rotations[:, body], positions[:, body] = rotation, position
        along = directions * rates[..., None]
        # A rotation about a point p moves the body's point at ground's origin by p x w.
        turning = self.axis_is_rotation[:, None]
        unit = np.concatenate([along * turning, np.where(turning, cross_product(origins, along), along)], axis=2)
        return rotations, positions, np.swapaxes(unit, 1, 2)

    def body_twist(self, axes: NDArray[np.float64], body: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return (d,) the free coordinates that move a body, counted among the free, and (n, 6, d) its twists.

        `axes` are the twists of `frames_and_axes`: those between the body and ground are summed.
        """
        between, columns, sums = self._ways_to_ground[body]
        return columns, (axes[:, :, between].reshape(-1, len(between)) @ sums).reshape(len(axes), 6, -1)

    def _axis_motions(self, coordinates: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (n, a) by how much each axis moves, and per unit of the free coordinate that leads it, 0 for none."""
        _, slopes = self.chain_slopes(coordinates)
        # An axis that no coordinate moves has a constant function: any argument will do.
        arguments = coordinates[:, self.axis_coordinate]
        lines = [self._lines[function] for function in self.axis_function.tolist()]
        constant, slope, origin = np.array([line or (0.0, 0.0, 0.0) for line in lines]).reshape(-1, 3).T
        amounts, rates = slope * (arguments - origin) + constant, np.tile(slope, (len(coordinates), 1))
        for axis in [axis for axis, line in enumerate(lines) if line is None]:
            function = int(self.axis_function[axis])
            amounts[:, axis] = self.evaluate_function(function, arguments[:, axis])
            rates[:, axis] = self.function_slope(function, arguments[:, axis])
        return amounts, rates * np.where(self.axis_coordinate >= 0, slopes[:, self.axis_coordinate], 0.0)

    @cached_property
    def _ways_to_ground(self) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]], ...]:
        """For each body: the (a,) moving axes between it and ground, the (d,) free coordinates (counted among the free)
        that lead them, and (a, d) 1 where one leads the other."""
        leaders, _ = self.chain_slopes(self.coordinate_default)
        leader = np.where(self.axis_coordinate >= 0, leaders[self.axis_coordinate], -1)
        column = np.where(leader >= 0, (np.cumsum(self.free_coordinates) - 1)[leader], -1)
        above: list[NDArray[np.int64]] = []
        ways = []
        for body, parent in enumerate(self.body_parent.tolist()):
            own = np.arange(self.first_axis[body], self.first_axis[body + 1])
            above.append(np.concatenate([above[parent], own]) if parent >= 0 else own)
            axes = above[body][column[above[body]] >= 0]
            columns = np.array(sorted(set(column[axes].tolist())), dtype=np.int64)
            ways.append((axes, columns, (column[axes][:, None] == columns).astype(np.float64)))
        return tuple(ways)

    @cached_property
    def _crosses(self) -> NDArray[np.float64]:
        """(a, 3, 3) the cross products with the axes as matrices."""
        return np.array([cross_matrix(direction) for direction in self.axis_direction]).reshape(-1, 3, 3)

    def complete_coordinates(self, coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (..., c) coordinates with locked ones at their default and coupled ones following exactly."""
        complete = np.array(coordinates, dtype=np.float64)
        complete[..., self.coordinate_locked] = self.coordinate_default[self.coordinate_locked]
        # In this order a leader that itself follows has its value already.
        for index in self._coupling_order():
            leader = complete[..., self.coupled_to[index]]
            complete[..., index] = self.evaluate_function(int(self.coupling_function[index]), leader)
        return complete

    def body_poses(self, coordinates: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the pose of every body in ground.

        Args:
            coordinates: (..., c) float64, rad and m, taken as they are (see `complete_coordinates`).

        Returns:
            (..., b, 3, 3) rotations body to ground, and (..., b, 3) positions of body origins, metres.
        """
        return self.bodies_at(*self.joint_frames(coordinates))

    def joint_frames(self, coordinates: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the pose in ground of every joint's moving frame M; its origin is the joint centre.

        Returns:
            (..., b, 3, 3) rotations M to ground, and (..., b, 3) joint centres, metres.
        """
        coordinates = np.asarray(coordinates, dtype=np.float64)
        batch = coordinates.shape[:-1]
        rotations = np.empty((*batch, self.n_bodies, 3, 3))
        positions = np.empty((*batch, self.n_bodies, 3))
        # A loop over bodies, each for all poses at once: a body needs its parent first.
        for body in range(self.n_bodies):
            rotation, position = self._parent_frame(body, rotations, positions)
            for axis in range(self.first_axis[body], self.first_axis[body + 1]):
                rotation, position = self._move(axis, coordinates, rotation, position)
            rotations[..., body, :, :], positions[..., body, :] = rotation, position
        return rotations, positions

    def joint_frame(
        self, joint: str, coordinates: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the pose in ground of the moving frame of one joint on ground, (..., 3, 3) and (..., 3) metres."""
        body = self.joint_names.index(joint)
        if self.body_parent[body] >= 0:
            raise InternalError(f"kinematic tree: expected a joint on ground, but {joint} has a parent")
        batch = np.shape(coordinates)[:-1]
        rotation = np.broadcast_to(self.parent_rotation[body], (*batch, 3, 3))
        position = np.broadcast_to(self.parent_position_m[body], (*batch, 3))
        for axis in range(self.first_axis[body], self.first_axis[body + 1]):
            rotation, position = self._move(axis, coordinates, rotation, position)
        return rotation, position

    def bodies_at(
        self, frame_rotations: NDArray[np.float64], centres_m: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the pose of every body, as `body_poses` does, from what `joint_frames` returns."""
        offset = (frame_rotations @ self.child_position_m[:, :, None])[..., 0]
        return frame_rotations @ self.child_rotation, centres_m + offset

    def marker_positions(self, coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (..., m, 3) marker positions in ground, metres, for (..., c) coordinates."""
        return self.markers_at(*self.body_poses(coordinates))

    def markers_at(self, rotations: NDArray[np.float64], positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (..., m, 3) marker positions in ground, metres, from what `body_poses` returns."""
        on_ground = self.marker_body < 0
        # Markers on ground index body 0, but do not use its values.
        carrier = np.where(on_ground, 0, self.marker_body)
        turned = (rotations[..., carrier, :, :] @ self.marker_position_m[:, :, None])[..., 0]
        moved = turned + positions[..., carrier, :]
        return np.asarray(np.where(on_ground[:, None], self.marker_position_m, moved))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return every array of the module's table by name; names as arrays of str."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> KinematicTree:
        """Return the tree that `to_arrays` took apart; raise InternalError where an array is missing."""
        wanted = [field.name for field in fields(cls)]
        missing = [name for name in wanted if name not in arrays]
        if missing:
            raise InternalError(f"kinematic tree: expected arrays {list_names(missing)}, which are missing")
        values: dict[str, Any] = {name: arrays[name] for name in wanted}
        return cls(**values)

    def _parent_frame(
        self, body: int, rotations: NDArray[np.float64], positions: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pose in ground of the frame F of one joint, from the M frames of the bodies before it."""
        batch = rotations.shape[:-3]
        rotation, position = self.parent_rotation[body], self.parent_position_m[body]
        parent = self.body_parent[body]
        if parent < 0:
            return np.broadcast_to(rotation, (*batch, 3, 3)), np.broadcast_to(position, (*batch, 3))
        to_ground = rotations[..., parent, :, :]
        # The joint is given in the parent's body frame; the tree keeps poses of the frame M.
        inner_position = self.child_rotation[parent] @ position + self.child_position_m[parent]
        inner_rotation = self.child_rotation[parent] @ rotation
        return to_ground @ inner_rotation, positions[..., parent, :] + to_ground @ inner_position

    def _move(
        self,
        axis: int,
        coordinates: NDArray[np.float64],
        rotation: NDArray[np.float64],
        position: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pose after one more axis."""
        index = self.axis_coordinate[axis]
        # An axis that no coordinate moves has a constant function: any argument will do.
        argument = coordinates[..., index] if index >= 0 else np.zeros(coordinates.shape[:-1])
        amount = self.evaluate_function(int(self.axis_function[axis]), argument)
        direction = self.axis_direction[axis]
        if self.axis_is_rotation[axis]:
            # A rotation axis leaves the origin; a translation leaves the orientation.
            return rotation @ rotation_about(direction, amount), position
        return rotation, position + amount[..., None] * (rotation @ direction)

    def _coupling_order(self) -> list[int]:
        """Coupled coordinates, leaders first (couplers may form chains, never rings)."""
        order: list[int] = []
        waiting = [int(index) for index in np.flatnonzero(self.coupled_to >= 0)]
        while waiting:
            # Those whose leader waits no longer; a round without any is a ring.
            ready = [index for index in waiting if int(self.coupled_to[index]) not in waiting]
            if not ready:
                names = list_names(self.coordinate_names[index] for index in waiting)
                raise InternalError(f"kinematic tree: couplers of {names} form a ring")
            order += ready
            waiting = [index for index in waiting if index not in ready]
        return order


def cross_product(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 3) cross products, several times as fast as NumPy's for a few vectors."""
    x, y, z = one[..., 0], one[..., 1], one[..., 2]
    u, v, w = other[..., 0], other[..., 1], other[..., 2]
    return np.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=-1)


def rotation_about(direction: NDArray[np.float64], angle_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 3, 3) rotations by (...) angles about a unit vector."""
    return rotations_about(cross_matrix(direction), angle_rad)


def cross_matrix(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (3, 3), whose product with a vector is the cross product of a direction with it."""
    x, y, z = direction
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def rotations_about(crosses: NDArray[np.float64], angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 3, 3) rotations by (...) angles about the unit vectors of (..., 3, 3) cross matrices (Rodrigues)."""
    sine, versine = np.sin(angles_rad)[..., None, None], (1.0 - np.cos(angles_rad))[..., None, None]
    return np.asarray(np.eye(3) + sine * crosses + versine * (crosses @ crosses))


def _frozen(name: str, value: Any) -> Any:
    if name in _NAMES:
        return tuple(str(item) for item in value)
    dtype = np.bool_ if name in _FLAGS else np.int64 if name in _INDICES else np.float64
    return frozen_array(value, dtype)


def _index(name: str, names: tuple[str, ...], what: str) -> int:
    try:
        return names.index(name)
    except ValueError:
        raise KeyError(f"no {what} {name!r}; there are {list_names(names)}") from None
