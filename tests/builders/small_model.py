"""A model whose answers can be said aloud: a pelvis that moves freely, a thigh on a hinge, a shank that follows.

Every segment is 0.4 m long and points down at rest; `knee` is coupled to `hip` (half of it) where asked for.
Markers stand on all segments, three per segment, so that every pose is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import opensim

from movi_prep.osim.models import marker_positions_m, set_pose
from movi_prep.records.markers import MarkerTrajectories, StaticTrial

if TYPE_CHECKING:
    from numpy.typing import NDArray

LENGTH_M = 0.4
SEGMENTS = ("pelvis", "thigh_r", "shank_r")
OFFSETS_M = {"a": (0.1, 0.0, 0.0), "b": (0.0, -0.2, 0.1), "c": (0.0, -0.3, -0.1)}
MARKERS = tuple(f"{segment}_{letter}" for segment in SEGMENTS for letter in OFFSETS_M)


def build_model(*, coupled: bool = False) -> opensim.Model:
    """Return the model, built in memory."""
    opensim.Logger.setLevelString("Off")
    opensim.Logger.removeFileSink()
    model = opensim.Model()
    model.setName("small")
    parents: list[opensim.PhysicalFrame] = [model.getGround()]
    for name in SEGMENTS:
        body = opensim.Body(name, 2.0, opensim.Vec3(0), opensim.Inertia(0.1, 0.1, 0.1))
        model.addBody(body)
        model.addJoint(_joint(name, parents[-1], body))
        for letter, offset in OFFSETS_M.items():
            model.addMarker(opensim.Marker(f"{name}_{letter}", body, opensim.Vec3(*offset)))
        parents.append(body)
    if coupled:
        model.addConstraint(_coupler())
    model.finalizeConnections()
    model.initSystem()
    return model


def _joint(name: str, parent: opensim.PhysicalFrame, body: opensim.Body) -> opensim.Joint:
    zero = opensim.Vec3(0)
    if name == "pelvis":
        joint = opensim.FreeJoint("ground_pelvis", parent, zero, zero, body, zero, zero)
        joint.upd_coordinates(4).setDefaultValue(1.0)
        return joint
    at = zero if name == "thigh_r" else opensim.Vec3(0, -LENGTH_M, 0)
    joint = opensim.PinJoint({"thigh_r": "hip_r", "shank_r": "knee_r"}[name], parent, at, zero, body, zero, zero)
    coordinate = joint.upd_coordinates(0)
    coordinate.setName({"thigh_r": "hip", "shank_r": "knee"}[name])
    coordinate.setRangeMin(-2.0)
    coordinate.setRangeMax(2.0)
    coordinate.set_clamped(True)
    return joint


def _coupler() -> opensim.CoordinateCouplerConstraint:
    constraint = opensim.CoordinateCouplerConstraint()
    constraint.setName("knee_con")
    names = opensim.ArrayStr()
    names.append("hip")
    constraint.setIndependentCoordinateNames(names)
    constraint.setDependentCoordinateName("knee")
    constraint.setFunction(opensim.LinearFunction(0.5, 0.0))
    return constraint


def swinging(n_rows: int) -> NDArray[np.float64]:
    """Return (n, 8) coordinates: the pelvis turns and moves, the hip swings, the knee follows at half the angle."""
    turn = np.linspace(0.0, 1.0, n_rows)
    hip = 0.8 * np.sin(2.0 * np.pi * turn)
    root = np.stack([0.2 * turn, 0.3 * turn, -0.1 * turn, turn, 1.0 + 0.0 * turn, 0.1 * turn], axis=1)
    return np.column_stack([root, hip, 0.5 * hip])


def markers_at(model: opensim.Model, coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, m, 3) metres: OpenSim's own marker positions at (n, c) coordinates."""
    state = model.initSystem()
    positions = []
    for row in coordinates:
        set_pose(model, state, row)
        positions.append(marker_positions_m(model, state, MARKERS))
    return np.array(positions)


def trajectories(
    positions_m: NDArray[np.float64], names: tuple[str, ...] = MARKERS, *, rate_hz: float = 30.0
) -> MarkerTrajectories:
    """Return (n, m, 3) positions as trajectories at a steady rate."""
    n_rows = len(positions_m)
    return MarkerTrajectories(
        names=names,
        positions_m=np.asarray(positions_m, dtype=np.float64),
        times_s=np.arange(n_rows) / rate_hz,
        sample_indices=np.arange(n_rows, dtype=np.int64),
        rate_hz=rate_hz,
        source="small world",
    )


def static_trial(positions_m: NDArray[np.float64], *, mass_kg: float = 60.0) -> StaticTrial:
    """Return (m, 3) positions held for ten rows as a static trial."""
    markers = trajectories(np.repeat(positions_m[None], 10, axis=0))
    return StaticTrial(markers=markers, height_m=1.7, mass_kg=mass_kg, sex=None, mass_source="given")
