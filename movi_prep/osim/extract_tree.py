"""An OpenSim model's kinematics as a `KinematicTree`: exact, or refused by name.

| what                        | represented                                                                  |
|-----------------------------|------------------------------------------------------------------------------|
| joints                      | Weld, Pin, Slider, Universal, Ball, Gimbal, Planar, Free, Custom             |
| functions                   | Constant, Linear, Polynomial, SimmSpline, PiecewiseLinear, Multiplier of any |
| couplers                    | CoordinateCouplerConstraint with one leader; chains of them                  |
| coordinates                 | clamped, locked, prescribed by a constant                                    |
| frames                      | offset frames on either side of a joint and under a marker, nested           |

Everything else (point, weld, distance and rolling constraints, couplers with several leaders, axes that depend on
several coordinates, loops, other joints and functions) raises ModelError that names each of them: OpenSim's own
solver can take such a model. A spline is sampled inside each interval, where it is a cubic, and every function
is compared with OpenSim's own values before it is accepted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import opensim

from movi_prep.errors import ModelError
from movi_prep.osim.models import is_rotation
from movi_prep.records.kinematic_tree import KinematicTree

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# A piece: the argument from which it holds, its origin, and its coefficients in ascending order.
Piece = tuple[float, float, "NDArray[np.float64]"]
# An axis: rotation or translation, unit vector, function, index of its coordinate or -1.
Axis = tuple[bool, "NDArray[np.float64]", list[Piece], int]

_ROTATION, _TRANSLATION = True, False
_LINE: list[Piece] = [(-np.inf, 0.0, np.array([0.0, 1.0]))]
# Axes of OpenSim's built-in joints in the order they act, as (rotation?, direction, coordinate of the joint):
# SimTK::MobilizedBody of the same name; translations are along axes of the parent's joint frame.
_BUILT_IN: dict[str, list[tuple[bool, int, int]]] = {
    "WeldJoint": [],
    "PinJoint": [(_ROTATION, 2, 0)],
    "SliderJoint": [(_TRANSLATION, 0, 0)],
    "UniversalJoint": [(_ROTATION, 0, 0), (_ROTATION, 1, 1)],
    "BallJoint": [(_ROTATION, k, k) for k in range(3)],
    "GimbalJoint": [(_ROTATION, k, k) for k in range(3)],
    "PlanarJoint": [(_TRANSLATION, 0, 1), (_TRANSLATION, 1, 2), (_ROTATION, 2, 0)],
    "FreeJoint": [(_TRANSLATION, k, 3 + k) for k in range(3)] + [(_ROTATION, k, k) for k in range(3)],
}


class _UnsupportedError(Exception):
    """One feature that the tree cannot represent; the text names it."""


@dataclass
class _FunctionTable:
    """Collects functions into the tree's piece arrays."""

    first_piece: list[int] = field(default_factory=lambda: [0])
    pieces: list[Piece] = field(default_factory=list)

    def add(self, pieces: list[Piece]) -> int:
        self.pieces += pieces
        self.first_piece.append(len(self.pieces))
        return len(self.first_piece) - 2

    def arrays(self) -> dict[str, Any]:
        width = max([4] + [len(coefficients) for _, _, coefficients in self.pieces])
        padded = np.zeros((len(self.pieces), width))
        for row, (_, _, values) in zip(padded, self.pieces, strict=True):
            row[: len(values)] = values
        return {
            "first_piece": self.first_piece,
            "piece_start": [start for start, _, _ in self.pieces],
            "piece_origin": [origin for _, origin, _ in self.pieces],
            "piece_coefficients": padded,
        }


def extract_tree(model: opensim.Model, state: opensim.State | None = None) -> KinematicTree:
    """Return the model's kinematics as arrays.

    Args:
        model: an OpenSim model; locks and clamps are read from its defaults.
        state: the model's default state, of its present system; with None the system is initialised here.

    Returns:
        The whole tree: every body, joint, coordinate and marker.

    Raises:
        ModelError: where the model has parts that the arrays cannot represent exactly; names all of them.
    """
    # All problems are collected, so that a user who replaces one part of a model learns of the others at once.
    # Locks and clamps are asked of a state: a model's default is what a new state has.
    state = model.initSystem() if state is None else state
    problems: list[str] = []
    table = _FunctionTable()
    coordinates = _coordinate_arrays(model, state, problems)
    couplers = _coupler_arrays(model, state, table, problems)
    joints = _ordered_joints(model, problems)
    bodies = _joint_arrays(joints, _coordinate_index(model), table, problems)
    markers = _marker_arrays(model, joints, problems)
    _check_locked_followers(coordinates, couplers, problems)
    if problems:
        raise ModelError(
            f"model {model.getName()}: {'; '.join(problems)} cannot be represented exactly by the kinematic "
            "tree; solve this model with --solver opensim, or replace these parts"
        )
    named = {f"coordinate_{key}": value for key, value in coordinates.items()}
    return KinematicTree(**named, **couplers, **bodies, **markers, **table.arrays())


def _coordinate_arrays(model: opensim.Model, state: opensim.State, problems: list[str]) -> dict[str, Any]:
    """Names, kinds, defaults, ranges and locks of all coordinates, in the model's order."""
    found = [model.getCoordinateSet().get(k) for k in range(model.getCoordinateSet().getSize())]
    default = np.array([coordinate.getDefaultValue() for coordinate in found])
    locked = np.array([coordinate.getLocked(state) for coordinate in found], dtype=bool)
    for index, coordinate in enumerate(found):
        if not coordinate.isPrescribed(state):
            continue
        function = coordinate.getPrescribedFunction()
        if function.getConcreteClassName() != "Constant":
            problems.append(f"prescribed coordinate {coordinate.getName()} (its function changes with time)")
            continue
        # A constant prescription is a lock at that value, whatever the default says.
        default[index], locked[index] = _value(function)(0.0), True
    return {
        "names": [coordinate.getName() for coordinate in found],
        "is_rotation": [is_rotation(coordinate) for coordinate in found],
        "default": default,
        "range": np.array([[c.getRangeMin(), c.getRangeMax()] for c in found]).reshape(-1, 2),
        "clamped": [coordinate.getClamped(state) for coordinate in found],
        "locked": locked,
    }


def _coordinate_index(model: opensim.Model) -> dict[str, int]:
    """Return absolute path -> place in the model's order; names are unique only within their joint."""
    found = model.getCoordinateSet()
    return {found.get(k).getAbsolutePathString(): k for k in range(found.getSize())}


def _own_coordinates(joint: opensim.Joint, coordinate_index: dict[str, int]) -> dict[str, int]:
    """Return name -> place in the model's order of the coordinates of one joint, in the joint's order."""
    own = [joint.get_coordinates(k) for k in range(joint.numCoordinates())]
    return {coordinate.getName(): coordinate_index[coordinate.getAbsolutePathString()] for coordinate in own}


def _coupler_arrays(
    model: opensim.Model, state: opensim.State, table: _FunctionTable, problems: list[str]
) -> dict[str, Any]:
    """Return the leader of each coupled coordinate, and its function."""
    names = [model.getCoordinateSet().get(k).getName() for k in range(model.getCoordinateSet().getSize())]
    # A name that several joints have means the first of them, as in CoordinateSet::get.
    index = {name: names.index(name) for name in names}
    coupled_to, function = np.full(len(names), -1), np.full(len(names), -1)
    constraints = model.getConstraintSet()
    for constraint in (constraints.get(k) for k in range(constraints.getSize())):
        # Models carry constraints that are switched off, D3KE's among them.
        if not constraint.isEnforced(state):
            continue
        name = f"{constraint.getConcreteClassName()} {constraint.getName()}"
        coupler = opensim.CoordinateCouplerConstraint.safeDownCast(constraint)
        if coupler is None:
            problems.append(name)
            continue
        leaders, follower = coupler.getIndependentCoordinateNames(), index[coupler.getDependentCoordinateName()]
        if leaders.getSize() != 1 or coupled_to[follower] >= 0:
            problems.append(f"{name} (one leader per coordinate is possible)")
            continue
        try:
            pieces = _scaled(_pieces(coupler.getFunction()), _coupler_scale(constraint))
        except _UnsupportedError as error:
            problems.append(f"{name} ({error})")
            continue
        coupled_to[follower], function[follower] = index[leaders.get(0)], table.add(pieces)
    _refuse_rings(coupled_to, names, problems)
    return {"coupled_to": coupled_to, "coupling_function": function}


def _refuse_rings(coupled_to: NDArray[np.int64], names: list[str], problems: list[str]) -> None:
    for start in range(len(names)):
        reached = start
        # A chain is shorter than the number of coordinates, or it goes round.
        for _ in names:
            reached = int(coupled_to[reached]) if reached >= 0 else -1
        if reached >= 0:
            problems.append(f"couplers in a ring around {names[start]}")


def _coupler_scale(constraint: opensim.Constraint) -> float:
    return float(opensim.PropertyHelper.getValueDouble(constraint.getPropertyByName("scale_factor")))


def _check_locked_followers(coordinates: dict[str, Any], couplers: dict[str, Any], problems: list[str]) -> None:
    """A coordinate that is locked and follows another one has two masters."""
    for index in np.flatnonzero(coordinates["locked"] & (couplers["coupled_to"] >= 0)):
        problems.append(f"coordinate {coordinates['names'][index]} (both locked and coupled)")


def _ordered_joints(model: opensim.Model, problems: list[str]) -> list[tuple[opensim.Joint, str, str]]:
    """Joints with the paths of their two base frames, parents first."""
    joints = [model.getJointSet().get(k) for k in range(model.getJointSet().getSize())]
    ends = [(joint, _base_path(joint.getParentFrame()), _base_path(joint.getChildFrame())) for joint in joints]
    reached = {_base_path(model.getGround())}
    ordered: list[tuple[opensim.Joint, str, str]] = []
    waiting = ends
    # JointSet has the order of the file, where a child may come before its parent.
    while waiting:
        ready = [end for end in waiting if end[1] in reached]
        if not ready:
            problems += [f"joint {end[0].getName()} (not reachable from ground)" for end in waiting]
            break
        for joint, parent, child in ready:
            if child in reached:
                # A second way to a body is a loop: a tree has one path from ground to each.
                problems.append(f"joint {joint.getName()} (closes a loop)")
                continue
            reached.add(child)
            ordered.append((joint, parent, child))
        waiting = [end for end in waiting if end not in ready]
    return ordered


def _joint_arrays(
    joints: list[tuple[opensim.Joint, str, str]],
    coordinate_index: dict[str, int],
    table: _FunctionTable,
    problems: list[str],
) -> dict[str, Any]:
    """Frames and axes of every joint; joint i carries body i."""
    body_index = {child: k for k, (_, _, child) in enumerate(joints)}
    in_parent = [_transform(joint.getParentFrame()) for joint, _, _ in joints]
    in_child = [_transform(joint.getChildFrame()) for joint, _, _ in joints]
    axes: list[Axis] = []
    first_axis = [0]
    for joint, _, _ in joints:
        try:
            axes += _axes(joint, coordinate_index)
        except _UnsupportedError as error:
            problems.append(f"{joint.getConcreteClassName()} {joint.getName()} ({error})")
        first_axis.append(len(axes))
    return {
        "body_names": [joint.getChildFrame().findBaseFrame().getName() for joint, _, _ in joints],
        "joint_names": [joint.getName() for joint, _, _ in joints],
        "body_parent": [body_index.get(parent, -1) for _, parent, _ in joints],
        "parent_rotation": np.array([rotation for rotation, _ in in_parent]).reshape(-1, 3, 3),
        "parent_position_m": np.array([position for _, position in in_parent]).reshape(-1, 3),
        # OpenSim gives the joint frame in the body; the tree needs the body in the joint frame.
        "child_rotation": np.array([rotation.T for rotation, _ in in_child]).reshape(-1, 3, 3),
        "child_position_m": np.array([-rotation.T @ position for rotation, position in in_child]).reshape(-1, 3),
        "first_axis": first_axis,
        "axis_is_rotation": [turns for turns, _, _, _ in axes],
        "axis_direction": np.array([direction for _, direction, _, _ in axes]).reshape(-1, 3),
        "axis_coordinate": [coordinate for _, _, _, coordinate in axes],
        "axis_function": [table.add(pieces) for _, _, pieces, _ in axes],
    }


def _axes(joint: opensim.Joint, coordinate_index: dict[str, int]) -> list[Axis]:
    """Axes of one joint in the order they act, outermost first."""
    kind = joint.getConcreteClassName()
    if kind == "CustomJoint":
        return _custom_axes(joint, coordinate_index)
    if kind not in _BUILT_IN:
        raise _UnsupportedError("a joint type without a kinematic-tree form")
    own = list(_own_coordinates(joint, coordinate_index).values())
    return [(turns, np.eye(3)[direction], _LINE, own[which]) for turns, direction, which in _BUILT_IN[kind]]


def _custom_axes(joint: opensim.Joint, coordinate_index: dict[str, int]) -> list[Axis]:
    spatial = opensim.CustomJoint.safeDownCast(joint).getSpatialTransform()
    own = _own_coordinates(joint, coordinate_index)
    axes: list[Axis] = []
    # SpatialTransform lists rotations first (0 to 2), but the translations (3 to 5) act first.
    for k in (3, 4, 5, 0, 1, 2):
        axis = spatial.getTransformAxis(k)
        names = axis.getCoordinateNamesInArray()
        if names.getSize() > 1:
            raise _UnsupportedError("an axis that depends on several coordinates")
        pieces = _pieces(axis.getFunction())
        # OpenSim gives every joint six axes; most of them are constant zeros.
        if len(pieces) == 1 and not np.any(pieces[0][2]):
            continue  # an axis that never moves
        direction = _vector(axis.getAxis())
        coordinate = own[names.get(0)] if names.getSize() else -1
        axes.append((k < 3, direction / np.linalg.norm(direction), pieces, coordinate))
    return axes


def _marker_arrays(
    model: opensim.Model, joints: list[tuple[opensim.Joint, str, str]], problems: list[str]
) -> dict[str, Any]:
    """Names, carrying bodies and places of all markers."""
    body_index = {child: k for k, (_, _, child) in enumerate(joints)}
    body_index[_base_path(model.getGround())] = -1
    markers = [model.getMarkerSet().get(k) for k in range(model.getMarkerSet().getSize())]
    bodies, positions = [], []
    in_base: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for marker in markers:
        frame = marker.getParentFrame()
        path = _base_path(frame)
        if path not in body_index:
            problems.append(f"marker {marker.getName()} (its body {path} is not in the tree)")
            continue
        # Many markers share a frame.
        name = frame.getAbsolutePathString()
        if name not in in_base:
            in_base[name] = _transform(frame)
        rotation, position = in_base[name]
        bodies.append(body_index[path])
        # A marker may hang on an offset frame; its place is wanted in the base frame, the body.
        positions.append(rotation @ _vector(marker.get_location()) + position)
    return {
        "marker_names": [marker.getName() for marker in markers],
        "marker_body": bodies,
        "marker_position_m": np.array(positions).reshape(-1, 3),
    }


def _pieces(function: opensim.Function) -> list[Piece]:
    """One function as polynomial pieces, compared with OpenSim's own values."""
    kind = function.getConcreteClassName()
    if kind == "MultiplierFunction":
        multiplier = opensim.MultiplierFunction.safeDownCast(function)
        return _scaled(_pieces(multiplier.getFunction()), multiplier.getScale())
    value = _value(function)
    if kind == "Constant":
        return [(-np.inf, 0.0, np.array([value(0.0)]))]
    if kind == "LinearFunction":
        numbers = (value(0.0), opensim.LinearFunction.safeDownCast(function).getSlope())
    elif kind == "PolynomialFunction":
        found = opensim.PolynomialFunction.safeDownCast(function).getCoefficients()
        numbers = tuple(found.get(k) for k in reversed(range(found.size())))
    elif kind in ("SimmSpline", "PiecewiseLinearFunction"):
        spline = getattr(opensim, kind).safeDownCast(function)
        numbers = tuple(get(k) for k in range(spline.getSize()) for get in (spline.getX, spline.getY))
    else:
        raise _UnsupportedError(f"function {kind}")
    return list(_checked_pieces(_Function(kind, numbers, value)))


@dataclass(frozen=True)
class _Function:
    """A function of OpenSim, known by its kind and all of its numbers."""

    kind: str
    numbers: tuple[float, ...]
    value: Callable[[float], float] = field(compare=False)


@lru_cache(maxsize=1024)
def _checked_pieces(function: _Function) -> tuple[Piece, ...]:
    """Return the pieces of a function, compared with OpenSim's own values once: the models of all subjects share it."""
    kind, numbers = function.kind, function.numbers
    if kind in ("LinearFunction", "PolynomialFunction"):
        pieces: list[Piece] = [(-np.inf, 0.0, np.array(numbers))]
    else:
        pieces = _spline_pieces(function.value, np.array(sorted(set(numbers[::2]))))
    _check_pieces(pieces, function.value, kind)
    return tuple(pieces)


def _spline_pieces(value: Callable[[float], float], knots: NDArray[np.float64]) -> list[Piece]:
    """Cubic of every interval through four interior samples, and the straight lines beyond the ends."""
    at = np.array([0.02, 0.34, 0.66, 0.98])  # inside, where no neighbouring interval can answer
    inverse = np.linalg.inv(np.vander(at, 4, increasing=True))
    # A cubic has four coefficients: four samples are the function itself, without its derivatives.
    inner: list[Piece] = []
    for low, high in pairwise(knots):
        width = high - low
        # Divided by powers of the width below: the coefficients are then of the argument itself, not of the fraction.
        samples = np.array([value(low + fraction * width) for fraction in at])
        inner.append((low, low, inverse @ samples / width ** np.arange(4)))
    return [_line_beyond(value, knots[0], -1.0), *inner, _line_beyond(value, knots[-1], 1.0)]


def _line_beyond(value: Callable[[float], float], knot: float, sign: float) -> Piece:
    """SimmSpline::calcValue continues with the end's slope."""
    # Two points well outside: the end's own value belongs to the cubic as well.
    near, far = value(knot + sign), value(knot + 2.0 * sign)
    slope = (far - near) * sign
    start = -np.inf if sign < 0 else knot
    return (start, knot, np.array([near - sign * slope, slope]))


def _check_pieces(pieces: list[Piece], value: Callable[[float], float], kind: str) -> None:
    """Raise where the pieces and OpenSim's function differ by more than rounding."""
    starts = np.array([start for start, _, _ in pieces[1:]])
    # Compared at the knots too, and 1.5 beyond them, where extrapolation must agree.
    ends = starts if starts.size else np.array([-1.0, 1.0])
    arguments = np.concatenate([np.linspace(ends[0] - 1.5, ends[-1] + 1.5, 41), ends])
    for argument in arguments:
        _, origin, coefficients = pieces[int(np.searchsorted(starts, argument, side="right"))]
        ours = float(np.polyval(coefficients[::-1], argument - origin))
        theirs = value(float(argument))
        if abs(ours - theirs) > 1e-10 * max(1.0, abs(theirs)):
            raise _UnsupportedError(f"function {kind}: {ours:.12g} at {argument:.6g}, OpenSim has {theirs:.12g}")


def _scaled(pieces: list[Piece], factor: float) -> list[Piece]:
    return [(start, origin, coefficients * factor) for start, origin, coefficients in pieces]


def _value(function: opensim.Function) -> Callable[[float], float]:
    return lambda argument: float(function.calcValue(opensim.Vector(1, float(argument))))


def _base_path(frame: opensim.PhysicalFrame) -> str:
    return str(frame.findBaseFrame().getAbsolutePathString())


def _transform(frame: opensim.PhysicalFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotation and position of a frame in its base frame."""
    transform = frame.findTransformInBaseFrame()
    matrix = transform.R().asMat33()
    rotation = np.array([[matrix.get(row, column) for column in range(3)] for row in range(3)])
    return rotation, _vector(transform.T())


def _vector(vector: opensim.Vec3) -> NDArray[np.float64]:
    return np.asarray(vector.to_numpy(), dtype=np.float64)
