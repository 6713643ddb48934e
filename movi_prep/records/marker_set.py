"""A marker set: named points on a body, and how each is found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from movi_prep.errors import InputError, list_names, suggest
from movi_prep.records.body_layout import LAYOUTS, BodyName

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

    from movi_prep.records.body_model import BodyModel

FLOOR_PREFIX = "Virtual_Ground_"
"""Prefix of markers that are others of the feet, dropped onto the floor; where the floor is depends on the data."""


@dataclass(frozen=True)
class Vertex:
    """A vertex of the posed mesh, by its number."""

    index: int


@dataclass(frozen=True)
class SurfacePoint:
    """A point of the posed mesh between vertices: their mean by `weights`, which sum to 1."""

    indices: tuple[int, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class JointCentre:
    """A posed joint centre, by its number; in SMPL+H 0 to 51."""

    index: int


@dataclass(frozen=True)
class Midpoint:
    """The mean of other markers."""

    of: tuple[str, ...]


@dataclass(frozen=True)
class FloorPoint:
    """Another marker, projected vertically onto the floor: OpenSim ground's y = 0."""

    of: str


@dataclass(frozen=True)
class Extreme:
    """The vertex that lies farthest forward or up in the template, among those that one joint moves most.

    A vertex number is another place on every mesh; this rule finds its place on each (`on_body` makes it a vertex).
    """

    joint: int
    towards: Literal["forward", "up"]


MarkerRule = Vertex | SurfacePoint | JointCentre | Midpoint | FloorPoint | Extreme


@dataclass(frozen=True)
class MarkerSet:
    """Markers in the order of their columns.

    Attributes:
        name: name of the set, for provenance.
        rules: how each marker is found, by marker name.
        source: file, for messages.
        body: the body whose vertices and joints the rules number; files number those of SMPL+H.
    """

    name: str
    rules: Mapping[str, MarkerRule]
    source: str
    body: BodyName = "SMPL+H"

    def __post_init__(self) -> None:
        """Check joint numbers and that markers build on markers that exist, without circles."""
        n_joints = LAYOUTS[self.body].n_joints
        for name, rule in self.rules.items():
            if min(vertices_of(rule), default=0) < 0:
                self._refuse(name, expected="a vertex number from 0", got=str(min(vertices_of(rule))))
            joint = rule.index if isinstance(rule, JointCentre) else rule.joint if isinstance(rule, Extreme) else 0
            if not 0 <= joint < n_joints:
                self._refuse(name, expected=f"a joint number from 0 to {n_joints - 1}", got=str(joint))
            if isinstance(rule, Midpoint) and not rule.of:
                self._refuse(name, expected="the markers to average", got="none")
            for parent in built_on(rule):
                if parent not in self.rules:
                    close = suggest(parent, self.rules)
                    self._refuse(name, expected="markers of this set to build on", got=f"{parent!r}{close}")
        # Asked for once here, so that a circle is reported when the set is read.
        _ = self.build_order

    @property
    def names(self) -> tuple[str, ...]:
        """Marker names, in the order of their columns."""
        return tuple(self.rules)

    @cached_property
    def vertices(self) -> tuple[int, ...]:
        """Vertices that any marker needs, each once, in the order of their first use."""
        # dict.fromkeys, because the order of columns must not change from run to run, as a set's does.
        return tuple(dict.fromkeys(vertex for rule in self.rules.values() for vertex in vertices_of(rule)))

    @cached_property
    def build_order(self) -> tuple[str, ...]:
        """Marker names such that every marker comes after those it is built on."""
        ordered: dict[str, None] = {}
        waiting = dict(self.rules)
        while waiting:
            ready = [name for name, rule in waiting.items() if all(parent in ordered for parent in built_on(rule))]
            if not ready:
                self._refuse(list_names(waiting), expected="markers that end in vertices or joints", got="a circle")
            ordered.update(dict.fromkeys(ready))
            waiting = {name: rule for name, rule in waiting.items() if name not in ordered}
        return tuple(ordered)

    def on_body(self, model: BodyModel) -> MarkerSet:
        """Return the set with every rule that searches the mesh replaced by the vertex that it finds on this body.

        Raises:
            InputError: the body model has no such vertex.
        """
        self._check_vertices(model.n_vertices, body_model=model.source)
        found = {
            name: Vertex(self._extreme(name, rule, model)) if isinstance(rule, Extreme) else rule
            for name, rule in self.rules.items()
        }
        return replace(self, rules=found)

    def _extreme(self, name: str, rule: Extreme, model: BodyModel) -> int:
        # The joint with the largest weight: a vertex of the neck belongs to the head or to the spine, not to both.
        moved = np.flatnonzero(model.skinning_weights.argmax(axis=1) == rule.joint)
        if not len(moved):
            self._refuse(
                name, expected=f"vertices that joint {rule.joint} moves most (as in {model.source})", got="none"
            )
        # The rest pose faces z, with y up.
        axis = 2 if rule.towards == "forward" else 1
        return int(moved[model.template_m[moved, axis].argmax()])

    def _check_vertices(self, n_vertices: int, *, body_model: str) -> None:
        """Raise InputError where a marker names a vertex that the body model does not have."""
        missing = {
            name: max(vertices_of(rule))
            for name, rule in self.rules.items()
            if max(vertices_of(rule), default=0) >= n_vertices
        }
        if missing:
            self._refuse(
                list_names(missing),
                expected=f"vertices 0 to {n_vertices - 1} (as in {body_model})",
                got=list_names(str(index) for index in missing.values()),
            )

    def _refuse(self, marker: str, *, expected: str, got: str) -> NoReturn:
        raise InputError(f"{self.source}: {marker}", expected=expected, got=got, remedy="correct the marker set")


def vertices_of(rule: MarkerRule) -> tuple[int, ...]:
    """Return the vertices that a rule uses directly."""
    if isinstance(rule, Vertex):
        return (rule.index,)
    return rule.indices if isinstance(rule, SurfacePoint) else ()


def built_on(rule: MarkerRule) -> tuple[str, ...]:
    """Return the markers that a rule builds on."""
    if isinstance(rule, Midpoint):
        return rule.of
    return (rule.of,) if isinstance(rule, FloorPoint) else ()
