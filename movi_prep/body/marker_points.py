"""Marker positions from posed points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InternalError, list_names
from movi_prep.records.marker_set import Extreme, FloorPoint, JointCentre, Midpoint, SurfacePoint, Vertex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.body.skinning import PosedPoints
    from movi_prep.records.marker_set import MarkerSet

_UP = 1
"""The vertical axis of OpenSim ground, which is 0 on the floor."""


def place_markers(markers: MarkerSet, points: PosedPoints) -> NDArray[np.float64]:
    """Return (n, m, 3) float64, metres: every marker of the set.

    Args:
        markers: the set.
        points: posed in OpenSim ground; its vertices are `markers.vertices`, in that order.

    Raises:
        InternalError: the set was not made for a body (`MarkerSet.on_body`).
    """
    unknown = [name for name, rule in markers.rules.items() if isinstance(rule, Extreme)]
    if unknown:
        raise InternalError(f"markers {list_names(unknown)} have no vertex yet")
    columns = {name: column for column, name in enumerate(markers.names)}
    # Samples last, as in the memory of the posed points, so that every assignment below is one contiguous copy.
    positions = np.empty((len(columns), 3, points.vertices_m.shape[0]))
    _place_points(positions, markers, points)
    # Midpoints and floor points come after the markers that they are built on.
    for name in markers.build_order:
        rule = markers.rules[name]
        if isinstance(rule, Midpoint):
            positions[columns[name]] = sum(positions[columns[parent]] for parent in rule.of) / len(rule.of)
        elif isinstance(rule, FloorPoint):
            positions[columns[name]] = positions[columns[rule.of]]
            positions[columns[name], _UP] = 0.0
    return np.ascontiguousarray(np.moveaxis(positions, -1, 0))


def _place_points(positions: NDArray[np.float64], markers: MarkerSet, points: PosedPoints) -> None:
    """Copy vertices and joint centres into their columns, all at once; weigh the points between vertices."""
    rows = {vertex: row for row, vertex in enumerate(markers.vertices)}
    vertices = [(c, rows[rule.index]) for c, rule in enumerate(markers.rules.values()) if isinstance(rule, Vertex)]
    joints = [(c, rule.index) for c, rule in enumerate(markers.rules.values()) if isinstance(rule, JointCentre)]
    for pairs, source in ((vertices, points.vertices_m), (joints, points.joints_m)):
        if pairs:
            to, of = zip(*pairs, strict=True)
            positions[list(to)] = np.moveaxis(source, 0, -1)[list(of)]
    for column, rule in enumerate(markers.rules.values()):
        if isinstance(rule, SurfacePoint):
            corners = points.vertices_m[:, [rows[vertex] for vertex in rule.indices]]
            positions[column] = np.einsum("nvk,v->kn", corners, rule.weights)
