"""The unscaled model as a list of parts: what D3KE's network layer is built from."""

from __future__ import annotations

from dataclasses import dataclass

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class BaseBody:
    """A body: metres, kilograms, kg m^2; `mesh_scale` is the scale its display meshes carry in the model file."""

    name: str
    meshes: tuple[str, ...]
    mass_kg: float
    mass_centre_m: Triple
    inertia_kg_m2: tuple[float, ...]
    mesh_scale: Triple


@dataclass(frozen=True)
class BaseCoordinate:
    """A coordinate of a joint: radians where it rotates, metres where it translates."""

    name: str
    rotates: bool
    default: float
    minimum: float
    maximum: float
    locked: bool


@dataclass(frozen=True)
class BaseAxis:
    """One axis of a joint's spatial transform.

    Attributes:
        name: "rotation1" to "rotation3", "translation1" to "translation3".
        axis: unit vector, already multiplied by the slope.
        coordinate: name of the coordinate, "" where the axis does not move.
        slope: 1 or -1; 0 where the axis does not move.
    """

    name: str
    axis: Triple
    coordinate: str
    slope: int


@dataclass(frozen=True)
class BaseJoint:
    """A joint between two bodies; locations in metres, orientations as body-fixed x-y-z angles, radians."""

    name: str
    welded: bool
    parent_body: str
    parent_location_m: Triple
    parent_orientation_rad: Triple
    child_body: str
    child_location_m: Triple
    child_orientation_rad: Triple
    coordinates: tuple[BaseCoordinate, ...]
    axes: tuple[BaseAxis, ...]


@dataclass(frozen=True)
class BaseMarker:
    """A marker on a body, metres in that body."""

    name: str
    body: str
    location_m: Triple
    fixed: bool


@dataclass(frozen=True)
class BaseCoupler:
    """A coordinate that follows another on a straight line, given by two of its points, rad."""

    name: str
    enforced: bool
    independent: str
    dependent: str
    first_point: tuple[float, float]
    second_point: tuple[float, float]


@dataclass(frozen=True)
class BaseModel:
    """Bodies, joints, markers and couplers of an unscaled model, in the model's own order."""

    bodies: tuple[BaseBody, ...]
    joints: tuple[BaseJoint, ...]
    markers: tuple[BaseMarker, ...]
    couplers: tuple[BaseCoupler, ...]
