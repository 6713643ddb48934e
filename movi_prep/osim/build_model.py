"""Build the packaged full-body model from its tables: `python -m movi_prep.osim.build_model [--out FILE]`.

The model is made of OpenSim's own objects and printed by OpenSim; the same tables give the same bytes.
`opensim_models/README.md` explains the tables.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import opensim

from movi_prep.errors import ModelError, MoviPrepError
from movi_prep.formats.atomic import atomic_path
from movi_prep.formats.packaged import packaged_path
from movi_prep.osim.model_building.default_pose import GROUND, DefaultPose, joint_place, solve_default_pose
from movi_prep.osim.model_building.part_tables import read_tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from movi_prep.osim.model_building.part_tables import (
        BodyRow,
        CoordinateRow,
        CouplerRow,
        JointRow,
        ModelTables,
        Vector,
    )

MODEL_FILE = "movi_full_body.osim"
MODEL_NAME = "movi_full_body"
STANDARD_GRAVITY_M_S2 = 9.80665  # CGPM 1901
SKIN_COLOUR: Vector = (0.85, 0.74, 0.64)
ORIGIN: Vector = (0.0, 0.0, 0.0)
ROTATIONS = ("rotation1", "rotation2", "rotation3")
SLOTS = (*ROTATIONS, "translation1", "translation2", "translation3")
AXIS_DECIMALS = 9


def build_model(tables: ModelTables) -> opensim.Model:
    """Return the model that the tables describe.

    Raises:
        ModelError: a row names a body, joint or coordinate that no other table has.
    """
    # The tables give places in ground, in the default pose; OpenSim wants them in the frames of bodies.
    pose = solve_default_pose(tables)
    model = _empty_model()
    bodies = {row.name: _add_body(model, row, pose) for row in tables.bodies}
    for joint in tables.joints:
        parent = model.getGround() if joint.parent == GROUND else _named(bodies, joint.parent, joint.name)
        child = _named(bodies, joint.child, joint.name)
        _add_joint(model, joint, tables.coordinates_of(joint.name), (parent, child), pose)
    for coupler in tables.couplers:
        model.addConstraint(_coupler(coupler))
    for marker in tables.markers:
        body = _named(bodies, marker.body, marker.name)
        model.addMarker(opensim.Marker(marker.name, body, _vec3(pose.place_in_body(marker.body, marker.place_m))))
    model.finalizeConnections()
    return model


def write_model(model: opensim.Model, path: Path) -> None:
    """Write the model as an .osim file, atomically."""
    with atomic_path(path) as partial:
        model.printToXML(str(partial))


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the model from the packaged tables and write it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m movi_prep.osim.build_model", description=__doc__)
    tables_folder = packaged_path("opensim_models", "full_body_joints.csv").parent
    parser.add_argument("--out", type=Path, default=tables_folder / MODEL_FILE, metavar="FILE")
    out: Path = parser.parse_args(arguments).out
    try:
        write_model(build_model(read_tables(tables_folder)), out)
    except MoviPrepError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _empty_model() -> opensim.Model:
    model = opensim.Model()
    model.setName(MODEL_NAME)
    model.set_credits("movi-prep; built from opensim_models/full_body_*.csv by movi_prep.osim.build_model")
    model.set_publications("Sources of every figure: opensim_models/README.md")
    model.set_length_units("meters")
    model.set_force_units("N")
    model.setGravity(opensim.Vec3(0.0, -STANDARD_GRAVITY_M_S2, 0.0))
    return model


def _add_body(model: opensim.Model, row: BodyRow, pose: DefaultPose) -> opensim.Body:
    centre_m = _vec3(pose.place_in_body(row.name, row.centre_m))
    body = opensim.Body(row.name, row.mass_kg, centre_m, _inertia(row))
    # The ellipsoid has its own frame, because OpenSim draws geometry at a frame's origin.
    frame = opensim.PhysicalOffsetFrame(f"{row.name}_figure", body, opensim.Transform(centre_m))
    ellipsoid = opensim.Ellipsoid(*row.semi_axes_m)
    ellipsoid.setName(f"{row.name}_ellipsoid")
    ellipsoid.setColor(_vec3(SKIN_COLOUR))
    frame.attachGeometry(ellipsoid)
    body.addComponent(frame)
    model.addBody(body)
    return body


def _inertia(row: BodyRow) -> opensim.Inertia:
    """Return the central moments of inertia of an ellipsoid of even density, m/5 (b^2 + c^2) and so on, kg m^2."""
    a2, b2, c2 = (axis**2 for axis in row.semi_axes_m)
    fifth_kg = row.mass_kg / 5
    moments = (fifth_kg * (b2 + c2), fifth_kg * (a2 + c2), fifth_kg * (a2 + b2))
    # Rounded, so that the printed file does not depend on the last bit of the platform's arithmetic.
    return opensim.Inertia(*(round(moment, 9) for moment in moments))


def _add_joint(
    model: opensim.Model,
    row: JointRow,
    coordinates: tuple[CoordinateRow, ...],
    frames: tuple[opensim.PhysicalFrame, opensim.Body],
    pose: DefaultPose,
) -> None:
    parent, child = frames
    place_m = joint_place(row, coordinates, pose)
    ends = (parent, _vec3(place_m), _vec3(row.rotation_rad), child, _vec3(ORIGIN), _vec3(ORIGIN))
    if not coordinates:
        model.addJoint(opensim.WeldJoint(row.name, *ends))
        return
    joint = opensim.CustomJoint(row.name, *ends, _spatial_transform(row, coordinates))
    # Added before its coordinates are set: the joint makes them from the names on its axes.
    model.addJoint(joint)
    for index, coordinate in enumerate(coordinates):
        _set_coordinate(joint.upd_coordinates(index), coordinate)


def _spatial_transform(row: JointRow, coordinates: tuple[CoordinateRow, ...]) -> opensim.SpatialTransform:
    """Return the joint's axes; a slot without a coordinate keeps OpenSim's constant zero."""
    transform = opensim.SpatialTransform()
    for slot, direction in zip(ROTATIONS, _rotation_axes(coordinates), strict=True):
        getattr(transform, f"upd_{slot}")().setAxis(_vec3(direction))
    for coordinate in coordinates:
        if coordinate.slot not in SLOTS:
            raise ModelError(f"joint {row.name}: no such slot as {coordinate.slot!r} for {coordinate.name}")
        axis = getattr(transform, f"upd_{coordinate.slot}")()
        names = opensim.ArrayStr()
        names.append(coordinate.name)
        axis.setCoordinateNames(names)
        axis.setAxis(_vec3(coordinate.axis))
        # set_function copies; setFunction would adopt an object that Python still owns.
        axis.set_function(opensim.LinearFunction(1.0, 0.0))
    return transform


def _rotation_axes(coordinates: tuple[CoordinateRow, ...]) -> list[Vector]:
    """Return three rotation axes: the coordinates' own, then such that no two are parallel, as OpenSim demands."""
    used = [np.array(row.axis) for row in coordinates if row.slot in ROTATIONS]
    # The unused axes have no coordinate: which ones they are changes nothing but whether OpenSim accepts them.
    while len(used) < len(ROTATIONS):
        others = np.eye(3) if len(used) < 2 else [np.cross(used[0], used[1])]
        used.append(min(others, key=lambda axis: max((abs(axis @ other) for other in used), default=0.0)))
    # Adding 0.0 turns -0.0 into 0.0, which would print as "-0".
    axes = [np.round(axis / np.linalg.norm(axis), AXIS_DECIMALS) + 0.0 for axis in used]
    return [(float(x), float(y), float(z)) for x, y, z in axes]


def _set_coordinate(coordinate: opensim.Coordinate, row: CoordinateRow) -> None:
    coordinate.setDefaultValue(row.default)
    coordinate.setRangeMin(row.minimum)
    coordinate.setRangeMax(row.maximum)
    coordinate.setDefaultClamped(row.is_clamped)
    coordinate.setDefaultLocked(row.is_locked)


def _coupler(row: CouplerRow) -> opensim.CoordinateCouplerConstraint:
    constraint = opensim.CoordinateCouplerConstraint()
    constraint.setName(row.name)
    constraint.setDependentCoordinateName(row.dependent)
    names = opensim.ArrayStr()
    names.append(row.independent)
    constraint.setIndependentCoordinateNames(names)
    # A line as two points: the one form of coupler that D3KE's network layer reads.
    line = opensim.SimmSpline()
    line.addPoint(0.0, 0.0)
    line.addPoint(1.0, row.slope)
    constraint.setFunction(line)
    constraint.set_isEnforced(row.is_enforced)
    return constraint


def _named(bodies: dict[str, opensim.Body], name: str, user: str) -> opensim.Body:
    if name not in bodies:
        raise ModelError(f"{user}: no body {name!r} in the table of bodies")
    return bodies[name]


def _vec3(vector: Vector) -> opensim.Vec3:
    return opensim.Vec3(*vector)


if __name__ == "__main__":
    sys.exit(main())
