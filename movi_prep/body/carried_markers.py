"""A marker set carried from the body that it is defined on to another body.

A set is defined once, on the mesh and the joints of SMPL+H. SMPL has the same mesh and no finger joints: markers on
these are left out and reported. SMPL-X has another mesh: a table gives each vertex's place in its neutral template.
In that template the vertices are found by position. In another one (male, female, another release) they
are taken by their numbers, but only where the faces around them are SMPL-X's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError, list_names
from movi_prep.formats.smplx_vertices import SmplxVertices, read_smplx_vertices
from movi_prep.records.body_layout import BodyLayout
from movi_prep.records.marker_set import Extreme, JointCentre, SurfacePoint, Vertex, built_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from movi_prep.records.body_model import BodyModel
    from movi_prep.records.marker_set import MarkerRule, MarkerSet

_SAME_PLACE_M = 1e-4
"""Largest distance between a vertex of the template and its known position; the next vertex is 2.6 mm away."""


@dataclass(frozen=True)
class CarriedMarkers:
    """A marker set with the vertex and joint numbers of a body model.

    Attributes:
        markers: the set.
        lost: markers that the body cannot have.
        findings: findings on the marker set.
    """

    markers: MarkerSet
    lost: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


def carry_markers(markers: MarkerSet, model: BodyModel) -> CarriedMarkers:
    """Return the markers of a set on a body model; the set numbers the vertices and joints of SMPL+H.

    Raises:
        InputError: a vertex has no counterpart in the body, or the mesh is not the body's.
    """
    layout = model.layout
    if layout.name == markers.body:
        return CarriedMarkers(markers.on_body(model))
    places, findings = _places_on_smplx(markers, model) if layout.name == "SMPL-X" else ({}, ())
    rules = {name: _carried(rule, layout, places) for name, rule in markers.rules.items()}
    there, lost = _without_lost(rules)
    if lost:
        named = list_names(lost, at_most=40)
        findings = (*findings, f"{layout.name} has no finger joints, so the motion has no markers {named}")
    return CarriedMarkers(replace(markers, rules=there, body=layout.name).on_body(model), lost, findings)


def _carried(rule: MarkerRule, layout: BodyLayout, places: Mapping[int, SurfacePoint]) -> MarkerRule | None:
    """Return a rule in the numbers of another body, None where the body has no such joint."""
    if isinstance(rule, JointCentre):
        joint = layout.joint_of_smplh(rule.index)
        return None if joint is None else JointCentre(joint)
    if isinstance(rule, Extreme):
        joint = layout.joint_of_smplh(rule.joint)
        return None if joint is None else replace(rule, joint=joint)
    if isinstance(rule, Vertex) and places:
        point = places[rule.index]
        return Vertex(point.indices[0]) if len(point.indices) == 1 else point
    return rule


def _without_lost(rules: Mapping[str, MarkerRule | None]) -> tuple[dict[str, MarkerRule], tuple[str, ...]]:
    """Return the rules that are left, and the markers that are lost: those without a point, and those built on them."""
    left = {name: rule for name, rule in rules.items() if rule is not None}
    # Until nothing goes: a midpoint may be built on a midpoint that is lost only now.
    while gone := [name for name, rule in left.items() if not set(built_on(rule)) <= set(left)]:
        for name in gone:
            del left[name]
    return left, tuple(name for name in rules if name not in left)


def _places_on_smplx(markers: MarkerSet, model: BodyModel) -> tuple[dict[int, SurfacePoint], tuple[str, ...]]:
    """Return the point on SMPL-X for each vertex in a set, and a finding on how the vertices were found."""
    table = read_smplx_vertices()
    unknown = {
        name: rule.index
        for name, rule in markers.rules.items()
        if isinstance(rule, Vertex) and rule.index not in set(table.smpl.tolist())
    }
    if unknown:
        raise InputError(
            f"{markers.source}: {list_names(unknown)}",
            expected=f"vertices whose place on SMPL-X is known, {len(set(table.smpl.tolist()))} of the packaged set",
            got=f"vertices {list_names(map(str, unknown.values()))}",
            remedy="leave these markers out, or use motion of SMPL+H",
        )
    found, findings = _find_vertices(table, model)
    places = {}
    for vertex in dict.fromkeys(table.smpl.tolist()):
        rows = np.flatnonzero(table.smpl == vertex)
        places[vertex] = SurfacePoint(tuple(found[rows].tolist()), tuple(table.weights[rows].tolist()))
    return places, findings


def _find_vertices(table: SmplxVertices, model: BodyModel) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return (r,) vertices of the model for the rows of the table, by position or, checked, by number."""
    away = np.linalg.norm(model.template_m[None] - table.positions_m[:, None], axis=2)
    nearest = away.argmin(axis=1)
    off = away[np.arange(len(nearest)), nearest]
    # All or none: a template in which some vertices stand elsewhere is another template.
    if np.all(off <= _SAME_PLACE_M):
        return nearest, ()
    # A sex or a release moves vertices, but keeps the faces: their neighbours prove that the numbering is SMPL-X's.
    around: dict[int, set[int]] = {int(vertex): set() for vertex in table.smplx}
    for face in model.faces[np.isin(model.faces, table.smplx).any(axis=1)].tolist():
        for vertex in face:
            around.get(vertex, set()).update(set(face) - {vertex})
    pairs = zip(table.smplx.tolist(), table.neighbours, strict=True)
    wrong = [vertex for vertex, neighbours in pairs if around[vertex] != neighbours]
    n_off = int((off > _SAME_PLACE_M).sum())
    moved = f"{n_off} of {len(off)} vertices up to {1e3 * off.max():.1f} mm elsewhere"
    if wrong:
        raise InputError(
            model.source,
            expected="SMPL-X's template: vertices at their known places, or SMPL-X's faces around them",
            got=f"{moved}, and other faces around {len(wrong)}",
            remedy="fetch SMPLX_{NEUTRAL,MALE,FEMALE}.npz from smpl-x.is.tue.mpg.de",
        )
    return table.smplx, (
        f"{model.source} is another template than SMPL-X's neutral one, whose vertices are known by their places "
        f"({moved}); all are taken by their numbers, and the faces around them are SMPL-X's",
    )
