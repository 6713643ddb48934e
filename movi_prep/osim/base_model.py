"""The unscaled model's parts, read for D3KE's network layer.

That layer (Bittner et al. 2023, OpenSimTreeLayer) knows welded joints and joints with up to three rotations, one
coordinate to an axis, slope 1 or -1, and straight couplers; translations are known at the root only. A model that
needs more cannot be written for it, and is refused by name.
"""

from __future__ import annotations

from pathlib import Path

import opensim

from movi_prep.errors import ModelError
from movi_prep.osim.models import is_rotation, read_model
from movi_prep.records.base_model import (
    BaseAxis,
    BaseBody,
    BaseCoordinate,
    BaseCoupler,
    BaseJoint,
    BaseMarker,
    BaseModel,
    Triple,
)

_AXES = ("rotation1", "rotation2", "rotation3", "translation1", "translation2", "translation3")
_SLOPE_TOLERANCE = 1e-9


def read_base_model(path: Path) -> BaseModel:
    """Read an unscaled .osim; raise ModelError where D3KE's layer cannot carry it."""
    model = read_model(path)
    bodies, joints, markers = model.getBodySet(), model.getJointSet(), model.getMarkerSet()
    constraints = model.getConstraintSet()
    couplers = [
        opensim.CoordinateCouplerConstraint.safeDownCast(constraints.get(index))
        # safeDownCast returns None for other kinds of constraints, which are left out below.
        for index in range(constraints.getSize())
    ]
    return BaseModel(
        bodies=tuple(_body(bodies.get(index)) for index in range(bodies.getSize())),
        joints=tuple(_joint(joints.get(index)) for index in range(joints.getSize())),
        markers=tuple(_marker(markers.get(index)) for index in range(markers.getSize())),
        couplers=tuple(_coupler(coupler) for coupler in couplers if coupler is not None),
    )


def _triple(vector: opensim.Vec3) -> Triple:
    return (vector.get(0), vector.get(1), vector.get(2))


def _body(body: opensim.Body) -> BaseBody:
    geometries = [
        body.get_attached_geometry(index) for index in range(body.getPropertyByName("attached_geometry").size())
    ]
    meshes = [mesh for geometry in geometries if (mesh := opensim.Mesh.safeDownCast(geometry)) is not None]
    inertia = body.get_inertia()
    return BaseBody(
        name=body.getName(),
        meshes=tuple(mesh.get_mesh_file() for mesh in meshes),
        mass_kg=body.get_mass(),
        mass_centre_m=_triple(body.get_mass_center()),
        inertia_kg_m2=tuple(inertia.get(index) for index in range(6)),
        # D3KE states a body's size by its first mesh; a body without one counts as unscaled.
        mesh_scale=_triple(meshes[0].get_scale_factors()) if meshes else (1.0, 1.0, 1.0),
    )


def _frame(frame: opensim.PhysicalFrame) -> tuple[str, Triple, Triple]:
    """Return the body that carries a joint's frame, and the frame's place and orientation in it."""
    transform = frame.findTransformInBaseFrame()
    # The convention in which an .osim writes orientations.
    orientation = transform.R().convertRotationToBodyFixedXYZ()
    return frame.findBaseFrame().getName(), _triple(transform.p()), _triple(orientation)


def _joint(joint: opensim.Joint) -> BaseJoint:
    parent, parent_location, parent_orientation = _frame(joint.getParentFrame())
    child, child_location, child_orientation = _frame(joint.getChildFrame())
    return BaseJoint(
        name=joint.getName(),
        welded=joint.getConcreteClassName() == "WeldJoint",
        parent_body=parent,
        parent_location_m=parent_location,
        parent_orientation_rad=parent_orientation,
        child_body=child,
        child_location_m=child_location,
        child_orientation_rad=child_orientation,
        coordinates=tuple(_coordinate(joint.get_coordinates(index)) for index in range(joint.numCoordinates())),
        axes=_axes(joint, is_root=parent == "ground"),
    )


def _coordinate(coordinate: opensim.Coordinate) -> BaseCoordinate:
    return BaseCoordinate(
        name=coordinate.getName(),
        rotates=is_rotation(coordinate),
        default=coordinate.getDefaultValue(),
        minimum=coordinate.getRangeMin(),
        maximum=coordinate.getRangeMax(),
        locked=coordinate.getDefaultLocked(),
    )


def _axes(joint: opensim.Joint, *, is_root: bool) -> tuple[BaseAxis, ...]:
    if joint.getConcreteClassName() == "WeldJoint":
        return ()
    custom = opensim.CustomJoint.safeDownCast(joint)
    if custom is None:
        raise ModelError(
            f"joint {joint.getName()!r}: expected a CustomJoint or a WeldJoint, but got "
            f"{joint.getConcreteClassName()}; D3KE's layer knows no other, write native shards instead"
        )
    transform = custom.getSpatialTransform()
    axes = tuple(_axis(transform.getTransformAxis(index), _AXES[index], joint) for index in range(6))
    moving = [axis.name for axis in axes[3:] if axis.coordinate]
    if moving and not is_root:
        raise ModelError(
            f"joint {joint.getName()!r}: expected rotations only, but {moving[0]} moves with a coordinate; "
            "D3KE's layer translates at the root only, write native shards instead"
        )
    return axes


def _axis(axis: opensim.TransformAxis, name: str, joint: opensim.Joint) -> BaseAxis:
    names = axis.getCoordinateNamesInArray()
    direction = _triple(axis.getAxis())
    function = axis.getFunction()
    if names.getSize() == 0:
        _check_still(function, name, joint)
        return BaseAxis(name=name, axis=direction, coordinate="", slope=0)
    # OpenSim's functions have no common slope in Python; two values of a line give it.
    at_zero, at_one = (function.calcValue(opensim.Vector(1, value)) for value in (0.0, 1.0))
    slope = at_one - at_zero
    linear = function.getConcreteClassName() == "LinearFunction" and abs(at_zero) < _SLOPE_TOLERANCE
    if not linear or abs(abs(slope) - 1.0) > _SLOPE_TOLERANCE:
        raise ModelError(
            f"joint {joint.getName()!r}, {name}: expected a linear function of slope 1 or -1, but got "
            f"{function.getConcreteClassName()} with slope {slope:.4g} and offset {at_zero:.4g}; "
            "D3KE's layer knows no other, write native shards instead"
        )
    # A slope of -1 is a turn about the opposite axis: the layer is given the axis.
    sign = round(slope)
    x, y, z = direction
    return BaseAxis(name=name, axis=(sign * x, sign * y, sign * z), coordinate=names.get(0), slope=sign)


def _check_still(function: opensim.Function, name: str, joint: opensim.Joint) -> None:
    value = function.calcValue(opensim.Vector(1, 0.0))
    if abs(value) > _SLOPE_TOLERANCE:
        raise ModelError(
            f"joint {joint.getName()!r}, {name}: expected 0 on an axis without a coordinate, but got {value:.4g}; "
            "D3KE's layer has no constant offsets, write native shards instead"
        )


def _marker(marker: opensim.Marker) -> BaseMarker:
    return BaseMarker(
        name=marker.getName(),
        body=marker.getParentFrame().findBaseFrame().getName(),
        location_m=_triple(marker.get_location()),
        fixed=marker.get_fixed(),
    )


def _coupler(coupler: opensim.CoordinateCouplerConstraint) -> BaseCoupler:
    function = coupler.getFunction()
    # Two points give the line; a third between them shows whether the function is linear.
    first, second, third = ((x, function.calcValue(opensim.Vector(1, x))) for x in (0.0, 1.0, 0.5))
    name = coupler.getName()
    if abs(third[1] - 0.5 * (first[1] + second[1])) > _SLOPE_TOLERANCE:
        raise ModelError(
            f"coupler {name!r}: expected a straight line, but got {function.getConcreteClassName()} that bends; "
            "D3KE's layer knows no other, write native shards instead"
        )
    return BaseCoupler(
        name=name,
        enforced=coupler.get_isEnforced(),
        independent=coupler.getIndependentCoordinateNames().get(0),
        dependent=coupler.getDependentCoordinateName(),
        first_point=first,
        second_point=second,
    )
