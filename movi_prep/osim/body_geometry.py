"""Simple geometry for bodies that have none, so that OpenSim's own viewer shows a person.

A body gets an ellipsoid from its joint to each joint that it carries, or to the middle of its markers; one with neither
gets a small ball at its centre of mass. Bodies that have geometry keep it. Only the drawing changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import opensim
from scipy.spatial.transform import Rotation

from movi_prep.osim.models import array

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_COLOUR = (0.85, 0.74, 0.64)
_BALL_M = 0.015
_SHORTEST_M = 0.02
_THICKNESS = 0.2
"""Half width of an ellipsoid, as a part of its length."""

_THICKEST_M = 0.09


def add_simple_geometry(model: opensim.Model) -> tuple[str, ...]:
    """Give every body of a model that has no geometry some; return the names of these bodies."""
    bodies = [model.getBodySet().get(index) for index in range(model.getBodySet().getSize())]
    # Listed before anything is added: shapes become components of bodies, and would count as geometry.
    bare = [body.getName() for body in bodies if not _has_geometry(body)]
    shapes = {name: list(_shapes(model, name)) for name in bare}
    for name, parts in shapes.items():
        body = model.updBodySet().get(name)
        for number, (centre_m, orientation_rad, radii_m) in enumerate(parts):
            frame = opensim.PhysicalOffsetFrame(
                f"{name}_drawn_{number}", body, opensim.Transform(opensim.Vec3(*centre_m))
            )
            frame.set_orientation(opensim.Vec3(*orientation_rad))
            ellipsoid = opensim.Ellipsoid(*radii_m)
            ellipsoid.setName(f"{name}_shape_{number}")
            ellipsoid.setColor(opensim.Vec3(*_COLOUR))
            frame.attachGeometry(ellipsoid)
            body.addComponent(frame)
    # OpenSim connects added frames only here; printing or posing the model without it fails.
    model.finalizeConnections()
    return tuple(bare)


def _has_geometry(body: opensim.Body) -> bool:
    # The axes of a frame are geometry as well, but show no body.
    kinds = {component.getConcreteClassName() for component in body.getComponentsList()}
    return bool(kinds & {"Mesh", "Ellipsoid", "Sphere", "Cylinder", "Cone", "Brick", "Torus"})


def _shapes(model: opensim.Model, name: str) -> Iterator[tuple[list[float], list[float], tuple[float, float, float]]]:
    """Yield centre (metres), orientation (rad, body-fixed x-y-z) and radii (metres) of each ellipsoid of a body."""
    start_m, ends_m = _joints_of(model, name)
    ends_m = ends_m or _markers_middle(model, name)
    long = [end_m - start_m for end_m in ends_m if np.linalg.norm(end_m - start_m) > _SHORTEST_M]
    for along_m in long:
        length_m = float(np.linalg.norm(along_m))
        # An ellipsoid is long along its own y. The turn about that axis is free: it is round there.
        turn, _ = Rotation.align_vectors([along_m / length_m], [[0.0, 1.0, 0.0]])
        half_width_m = min(_THICKNESS * length_m, _THICKEST_M)
        radii_m = (half_width_m, length_m / 2.0, half_width_m)
        yield (start_m + along_m / 2.0).tolist(), turn.as_euler("XYZ").tolist(), radii_m
    if not long:
        centre_m = array(model.getBodySet().get(name).get_mass_center())
        yield centre_m.tolist(), [0.0, 0.0, 0.0], (_BALL_M, _BALL_M, _BALL_M)


def _joints_of(model: opensim.Model, name: str) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """Return where a body's own joint is, and where those are that it carries, metres, in the body."""
    start_m, ends_m = np.zeros(3), []
    for index in range(model.getJointSet().getSize()):
        joint = model.getJointSet().get(index)
        for frame, is_own in ((joint.getChildFrame(), True), (joint.getParentFrame(), False)):
            if frame.findBaseFrame().getName() == name:
                place_m = array(frame.findTransformInBaseFrame().p())
                if is_own:
                    start_m = place_m
                else:
                    ends_m.append(place_m)
    return start_m, ends_m


def _markers_middle(model: opensim.Model, name: str) -> list[NDArray[np.float64]]:
    markers = [model.getMarkerSet().get(index) for index in range(model.getMarkerSet().getSize())]
    places = [array(marker.get_location()) for marker in markers if marker.getParentFrame().getName() == name]
    return [np.mean(places, axis=0)] if places else []
