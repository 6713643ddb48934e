"""The tables of the packaged full-body model, read and mirrored.

    file                         one row per        columns
    full_body_bodies.csv         body               mass (kg), centre (m, ground), semi-axes (m, body axes)
    full_body_joints.csv         joint              parent, child, centre (m, ground), frame rotation (deg, x-y-z)
    full_body_coordinates.csv    coordinate         joint, slot, axis, default, min, max (deg or m), clamped, locked
    full_body_markers.csv        marker             body, place (m, ground)
    full_body_couplers.csv       coupler            dependent, independent, slope, enforced

Lines that begin with `#` explain and are skipped. Places are in the T-pose: OpenSim ground, x forward, y up, z right.
The tables hold the middle and the right side; the left is made here, so it cannot differ from a mirror image.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from movi_prep.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Vector = tuple[float, float, float]
Slot = Literal["rotation1", "rotation2", "rotation3", "translation1", "translation2", "translation3"]
Row = dict[str, str]
T = TypeVar("T")

AXIS_DECIMALS = 12
MIRROR: Vector = (1.0, 1.0, -1.0)
# A turn by the same angle about this image of an axis is the mirror image of the turn about the axis itself.
MIRROR_OF_AXIS: Vector = (-1.0, -1.0, 1.0)


@dataclass(frozen=True)
class BodyRow:
    """A body: `mass_kg`, centre of mass `centre_m` in ground, and semi-axes of its ellipsoid in body axes."""

    name: str
    mass_kg: float
    centre_m: Vector
    semi_axes_m: Vector


@dataclass(frozen=True)
class JointRow:
    """A joint: its bodies, its centre in ground, and the rotation of its frame in the parent (x-y-z, rad)."""

    name: str
    parent: str
    child: str
    centre_m: Vector
    rotation_rad: Vector


@dataclass(frozen=True)
class CoordinateRow:
    """A coordinate: the axis it turns about or moves along; values in radians or metres."""

    name: str
    joint: str
    slot: Slot
    axis: Vector
    default: float
    minimum: float
    maximum: float
    is_clamped: bool
    is_locked: bool


@dataclass(frozen=True)
class MarkerRow:
    """A marker, the body that carries it and its place in ground."""

    name: str
    body: str
    place_m: Vector


@dataclass(frozen=True)
class CouplerRow:
    """dependent = slope * independent, and whether that is enforced."""

    name: str
    dependent: str
    independent: str
    slope: float
    is_enforced: bool


@dataclass(frozen=True)
class ModelTables:
    """All tables of the model, both sides."""

    bodies: tuple[BodyRow, ...]
    joints: tuple[JointRow, ...]
    coordinates: tuple[CoordinateRow, ...]
    markers: tuple[MarkerRow, ...]
    couplers: tuple[CouplerRow, ...]

    def coordinates_of(self, joint: str) -> tuple[CoordinateRow, ...]:
        """Return the coordinates of a joint in the order of their slots."""
        # OpenSim numbers a joint's coordinates by the slots of its axes, not by rows of a table.
        return tuple(sorted((row for row in self.coordinates if row.joint == joint), key=lambda row: row.slot))


def read_tables(folder: Path) -> ModelTables:
    """Read the five tables in `folder` and add the left side.

    Raises:
        InputError: a table has no rows, or a value in it is not what its column holds.
    """
    bodies = [(row["side"], _body(row)) for row in _rows(folder / "full_body_bodies.csv")]
    joints = [(row["side"], _joint(row)) for row in _rows(folder / "full_body_joints.csv")]
    side_of = {joint.name: side for side, joint in joints}
    coordinates = [_coordinate(row) for row in _rows(folder / "full_body_coordinates.csv")]
    markers = [(row["side"], _marker(row)) for row in _rows(folder / "full_body_markers.csv")]
    couplers = [(row["side"], _coupler(row)) for row in _rows(folder / "full_body_couplers.csv")]
    right_bodies = frozenset(body.name for side, body in bodies if side == "right")
    return ModelTables(
        bodies=_both((body, _left_body(body) if side == "right" else None) for side, body in bodies),
        joints=_both((joint, _left_joint(joint, right_bodies) if side == "right" else None) for side, joint in joints),
        coordinates=_both(
            (row, _left_coordinate(row) if side_of[row.joint] == "right" else None) for row in coordinates
        ),
        markers=_both(
            (marker, _left_marker(marker, right_bodies) if side == "right" else None) for side, marker in markers
        ),
        couplers=_both((row, _left_coupler(row) if side == "right" else None) for side, row in couplers),
    )


def _both(pairs: Iterable[tuple[T, T | None]]) -> tuple[T, ...]:
    """Return the right and middle rows, then the left ones: a body's parent always comes before it."""
    listed = list(pairs)
    return tuple(row for row, _ in listed) + tuple(left for _, left in listed if left is not None)


def left_name(name: str) -> str:
    """Return the name that a body, joint or coordinate of the right side has on the left."""
    return f"{name[:-2]}_l" if name.endswith("_r") else f"{name}_l"


def left_marker_name(name: str) -> str:
    """Return the name that a marker of the right side has on the left.

    >>> left_marker_name("Virtual_Ground_RMT1"), left_marker_name("right_index1"), left_marker_name("rthumb")
    ('Virtual_Ground_LMT1', 'left_index1', 'lthumb')
    """
    if name.startswith("right_"):
        return f"left_{name.removeprefix('right_')}"
    # The longest prefix that fits: "" fits every name.
    stem = max((prefix for prefix in ("Virtual_Ground_", "Virtual_", "") if name.startswith(prefix)), key=len)
    return stem + {"R": "L", "r": "l"}[name[len(stem)]] + name[len(stem) + 1 :]


def _rows(path: Path) -> list[Row]:
    text = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(text))
    if not rows:
        raise InputError(path, expected="rows", got="none", remedy="restore the table")
    return rows


def _vector(row: Row, *columns: str) -> Vector:
    x, y, z = (float(row[column]) for column in columns)
    return x, y, z


def _flag(row: Row, column: str) -> bool:
    if row[column] not in {"yes", "no"}:
        raise InputError(column, expected="yes or no", got=repr(row[column]), remedy="correct the table")
    return row[column] == "yes"


def _body(row: Row) -> BodyRow:
    return BodyRow(
        name=row["body"],
        mass_kg=float(row["mass_kg"]),
        centre_m=_vector(row, "x_m", "y_m", "z_m"),
        semi_axes_m=_vector(row, "semi_axis_x_m", "semi_axis_y_m", "semi_axis_z_m"),
    )


def _joint(row: Row) -> JointRow:
    x, y, z = np.deg2rad(_vector(row, "rx_deg", "ry_deg", "rz_deg"))
    return JointRow(
        name=row["joint"],
        parent=row["parent"],
        child=row["child"],
        centre_m=_vector(row, "x_m", "y_m", "z_m"),
        rotation_rad=(float(x), float(y), float(z)),
    )


def _coordinate(row: Row) -> CoordinateRow:
    slot = row["slot"]
    unit = np.pi / 180 if slot.startswith("rotation") else 1.0
    axis = np.array(_vector(row, "axis_x", "axis_y", "axis_z"))
    # Rounded, so that the printed model does not depend on the last bits of a processor.
    x, y, z = np.round(axis / np.linalg.norm(axis), AXIS_DECIMALS) + 0.0
    return CoordinateRow(
        name=row["coordinate"],
        joint=row["joint"],
        slot=slot,  # type: ignore[arg-type]  # a wrong slot is refused where the joint is made
        axis=(float(x), float(y), float(z)),
        default=float(row["default"]) * unit,
        minimum=float(row["min"]) * unit,
        maximum=float(row["max"]) * unit,
        is_clamped=_flag(row, "clamped"),
        is_locked=_flag(row, "locked"),
    )


def _marker(row: Row) -> MarkerRow:
    return MarkerRow(name=row["marker"], body=row["body"], place_m=_vector(row, "x_m", "y_m", "z_m"))


def _coupler(row: Row) -> CouplerRow:
    return CouplerRow(
        name=f"{row['dependent']}_con",
        dependent=row["dependent"],
        independent=row["independent"],
        slope=float(row["slope"]),
        is_enforced=_flag(row, "enforced"),
    )


def _mirrored(vector: Vector, signs: Vector) -> Vector:
    # Adding 0.0 turns -0.0 into 0.0, which would otherwise be printed with its sign.
    x, y, z = (value * sign + 0.0 for value, sign in zip(vector, signs, strict=True))
    return x, y, z


def _left_of(name: str, right_names: frozenset[str]) -> str:
    return left_name(name) if name in right_names else name


def _left_body(body: BodyRow) -> BodyRow:
    return replace(body, name=left_name(body.name), centre_m=_mirrored(body.centre_m, MIRROR))


def _left_joint(joint: JointRow, right_bodies: frozenset[str]) -> JointRow:
    return JointRow(
        name=left_name(joint.name),
        parent=_left_of(joint.parent, right_bodies),
        child=_left_of(joint.child, right_bodies),
        centre_m=_mirrored(joint.centre_m, MIRROR),
        rotation_rad=_mirrored(joint.rotation_rad, MIRROR_OF_AXIS),
    )


def _left_coordinate(row: CoordinateRow) -> CoordinateRow:
    return replace(
        row,
        name=left_name(row.name),
        joint=left_name(row.joint),
        axis=_mirrored(row.axis, MIRROR_OF_AXIS),
    )


def _left_marker(marker: MarkerRow, right_bodies: frozenset[str]) -> MarkerRow:
    return MarkerRow(
        name=left_marker_name(marker.name),
        body=_left_of(marker.body, right_bodies),
        place_m=_mirrored(marker.place_m, MIRROR),
    )


def _left_coupler(row: CouplerRow) -> CouplerRow:
    return replace(
        row,
        name=f"{row.dependent}_con_l",
        dependent=left_name(row.dependent),
        independent=left_name(row.independent),
    )
