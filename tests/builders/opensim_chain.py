"""An OpenSim model with every joint type, function and offset frame that the kinematic tree knows."""

from __future__ import annotations

import numpy as np
import opensim

from movi_prep.osim.models import quiet_opensim

JOINTS = ("Free", "Ball", "Slider", "Gimbal", "Planar", "Universal", "Weld", "Pin", "Custom", "Pin")


def chain(seed: int = 0) -> opensim.Model:
    """A chain of every joint type in random offset frames on both sides; the last pin follows the first."""
    quiet_opensim()
    rng = np.random.default_rng(seed)
    model = opensim.Model()
    parent: opensim.PhysicalFrame = model.getGround()
    for index, kind in enumerate(JOINTS):
        body = opensim.Body(f"b{index}", 1.0, opensim.Vec3(0), opensim.Inertia(1))
        model.addBody(body)
        frames = [(opensim.Vec3(*rng.normal(0, 0.3, 3)), opensim.Vec3(*rng.normal(0, 1, 3))) for _ in range(2)]
        ends = (parent, *frames[0], body, *frames[1])
        joint = custom_joint(ends, rng) if kind == "Custom" else getattr(opensim, f"{kind}Joint")(f"j{index}", *ends)
        for own in range(joint.numCoordinates()):
            joint.upd_coordinates(own).setName(f"q{index}_{own}")
        model.addJoint(joint)
        for letter in "ab":
            model.addMarker(opensim.Marker(f"m{index}{letter}", body, opensim.Vec3(*rng.normal(0, 0.3, 3))))
        parent = body
    model.addConstraint(coupler("q7_0", "q9_0", opensim.PolynomialFunction(opensim.Vector(np.array([0.3, -0.5, 0.1])))))
    model.finalizeConnections()
    return model


def custom_joint(ends: tuple[object, ...], rng: np.random.Generator) -> opensim.CustomJoint:
    """A knee: one coordinate turns about an oblique axis and slides along splines, another turns too."""
    transform = opensim.SpatialTransform()
    bend, twist = opensim.ArrayStr(), opensim.ArrayStr()
    bend.append("q8_0")
    twist.append("q8_1")
    spline = opensim.SimmSpline()
    for x, y in zip(np.linspace(-2, 2, 6), rng.normal(0, 0.2, 6), strict=True):
        spline.addPoint(float(x), float(y))
    owned = spline.clone()
    owned.thisown = False  # MultiplierFunction takes its function over and frees it
    scaled = opensim.MultiplierFunction(owned, 0.7)
    piecewise = opensim.PiecewiseLinearFunction()
    for x, y in zip((-1.0, 0.0, 1.5), rng.normal(0, 0.2, 3), strict=True):
        piecewise.addPoint(x, float(y))
    functions = {
        "rotation1": (bend, opensim.LinearFunction(1.0, 0.0)),
        "rotation2": (twist, opensim.LinearFunction(-1.0, 0.2)),
        "rotation3": (bend, scaled),
        "translation1": (bend, spline),
        "translation2": (twist, piecewise),
        "translation3": (opensim.ArrayStr(), opensim.Constant(0.1)),
    }
    for name, (coordinates, function) in functions.items():
        axis = getattr(transform, f"upd_{name}")()
        axis.setCoordinateNames(coordinates)
        axis.set_function(function)
        oblique = rng.normal(0, 1, 3)
        axis.setAxis(opensim.Vec3(*(oblique / np.linalg.norm(oblique))))
    return opensim.CustomJoint("j8", *ends, transform)


def coupler(leader: str, follower: str, function: opensim.Function) -> opensim.CoordinateCouplerConstraint:
    constraint = opensim.CoordinateCouplerConstraint()
    constraint.setName(f"{follower}_con")
    names = opensim.ArrayStr()
    for name in leader.split():
        names.append(name)
    constraint.setIndependentCoordinateNames(names)
    constraint.setDependentCoordinateName(follower)
    constraint.setFunction(function)
    return constraint
