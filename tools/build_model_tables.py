"""Build the tables of our model on real surfaces: `python -m tools.build_model_tables [--body-models DIR]`.

    tools/model_tables/surface_markers.csv    the surface markers of the mean woman and the mean man
    tools/model_tables/template_*.csv         the model on a body that was fitted to distances between markers
    opensim_models/full_body_*.csv            the result: markers, joints, bodies, coordinates of the T-pose

Surface markers lie where they are on the mean of both. What lies below the skin (joint centres, centres of mass) moves
as the markers around it do. Angles of the T-pose follow from the joints. The same inputs give the same tables.

With `--body-models` (`female/model.npz` and `male/model.npz` in SMPL+H's layout) the first file is measured anew.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from movi_prep.body.t_pose import stand_in_t_pose, static_markers
from movi_prep.formats.atomic import write_text
from movi_prep.formats.body_models import read_body_model
from movi_prep.formats.marker_set import read_marker_set
from movi_prep.formats.packaged import packaged_path
from movi_prep.records.marker_set import FloorPoint, Midpoint, Vertex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from movi_prep.records.marker_set import MarkerSet

Row = dict[str, str]
Places = dict[str, "NDArray[np.float64]"]

INPUTS = Path(__file__).parent / "model_tables"
TABLES = ("markers", "joints", "bodies", "coordinates")
MIRROR = np.array([1.0, 1.0, -1.0])

REACH_M = 0.04
"""How far a surface marker carries what lies below the skin along with it: standard deviation of a bell curve."""

FINGERTIPS = ("thumb", "index", "middle", "ring", "pinky")
"""They carry nothing along: the fingers of two bodies are bent differently."""


@dataclass(frozen=True)
class Table:
    """A table as text: the lines before it, its columns, its rows."""

    comments: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def main(arguments: list[str] | None = None) -> int:
    """Build the tables and return 0."""
    parser = argparse.ArgumentParser(prog="python -m tools.build_model_tables")
    parser.add_argument("--body-models", type=Path, metavar="DIR", help="measure the surface markers anew")
    parser.add_argument("--out", type=Path, default=packaged_path("opensim_models", "full_body_markers.csv").parent)
    options = parser.parse_args(arguments)
    if options.body_models is not None:
        write_text(INPUTS / "surface_markers.csv", _as_text(measure_surfaces(options.body_models)))
    tables = build_tables(
        {name: read_table(INPUTS / f"template_{name}.csv") for name in TABLES},
        read_surfaces(INPUTS / "surface_markers.csv"),
    )
    for name, table in tables.items():
        write_text(options.out / f"full_body_{name}.csv", _as_text(table))
    return 0


def build_tables(templates: Mapping[str, Table], surfaces: tuple[Places, Places]) -> dict[str, Table]:
    """Return the four tables of a body whose surface markers lie where they do on the mean of two surfaces."""
    markers = read_marker_set(packaged_path("opensim_models", "marker_set_d3ke.yaml"))
    template = _both_sides(templates["markers"].rows)
    woman, man = surfaces
    surface = {name: (woman[name] + man[name]) / 2.0 for name in woman}
    carriers = [name for name in surface if name[1:] not in FINGERTIPS]
    warp = _Warp(np.array([template[name] for name in carriers]), np.array([surface[name] for name in carriers]))
    places = _derived({name: surface.get(name, warp(place)) for name, place in template.items()}, markers)
    # The figure stands over the origin of ground, as every model of the project does.
    shift = np.array([-places["ROOT"][0], 0.0, 0.0])
    places = {name: place + shift for name, place in places.items()}
    joints = {row["joint"]: _joint_place(row, template, places, warp, shift) for row in templates["joints"].rows}
    turns, angles = _angles(joints, places, templates["coordinates"].rows)
    joints_table = _with_places(templates["joints"], "joint", joints, decimals=5)
    explained = tuple(MARKER_SOURCE if line.startswith("# Source:") else line for line in templates["markers"].comments)
    return {
        "markers": replace(_with_places(templates["markers"], "marker", places, decimals=4), comments=explained),
        "joints": _with(joints_table, "joint", {name: {"rx_deg": f"{deg:.2f}"} for name, deg in turns.items()}),
        "bodies": _with_places(
            templates["bodies"],
            "body",
            {row["body"]: warp(_place(row)) + shift for row in templates["bodies"].rows},
            decimals=3,
        ),
        "coordinates": _with(
            templates["coordinates"],
            "coordinate",
            {name: {"default": f"{value:.6g}"} for name, value in angles.items()},
        ),
    }


@dataclass(frozen=True)
class _Warp:
    """Moves a place as the markers around it moved: a mean of their moves, weighted by a bell curve of the distance."""

    before_m: NDArray[np.float64]
    after_m: NDArray[np.float64]

    def __call__(self, place_m: NDArray[np.float64]) -> NDArray[np.float64]:
        squared = ((self.before_m - place_m) ** 2).sum(axis=1)
        # Shifted so that the nearest marker weighs one: far from all of them the weights do not vanish together.
        weights = np.exp(-(squared - squared.min()) / (2.0 * REACH_M**2))
        return np.asarray(place_m + weights @ (self.after_m - self.before_m) / weights.sum())


def _derived(places: Places, markers: MarkerSet) -> Places:
    """Return the places with midpoints and floor points where the marker set says."""
    found = dict(places)
    for name in markers.build_order:
        rule = markers.rules[name]
        if isinstance(rule, Midpoint):
            found[name] = np.mean([found[parent] for parent in rule.of], axis=0)
        elif isinstance(rule, FloorPoint):
            found[name] = found[rule.of] * np.array([1.0, 0.0, 1.0])
    return found


def _joint_place(
    row: Row, template: Places, places: Places, warp: _Warp, shift: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a joint's centre: that of the marker which lies there, else where the markers around it carry it."""
    centre = _place(row)
    at = [name for name, place in template.items() if np.allclose(place, centre, atol=1e-6)]
    return places[at[0]] if at else warp(centre) + shift


def _angles(joints: Places, places: Places, rows: tuple[Row, ...]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the turns of joint frames and the defaults of coordinates (deg, m) that put every bone along its joints.

    The rotations are those of full_body_coordinates.csv: the hip about z then x, the knee and the elbow about x (their
    frames) then z, the shoulder about y, -x and y.
    """
    defaults = {row["coordinate"]: float(row["default"]) for row in rows}
    thigh, shank = joints["hip_r"] - joints["knee_r"], joints["knee_r"] - joints["ankle_r"]
    flexion, adduction = _lean(thigh)
    femur = Rotation.from_euler("ZX", (flexion, adduction), degrees=True)
    knee_frame, knee = _frame_and_bend(femur.inv().apply(shank))
    tibia = femur * Rotation.from_euler("XZ", (knee_frame, knee), degrees=True)
    arm, forearm = joints["shoulder0"] - joints["elbow"], joints["elbow"] - joints["radiocarpal"]
    plane = float(np.degrees(np.arctan2(-arm[0], -arm[2])))
    raised = float(np.degrees(np.arctan2(np.hypot(arm[0], arm[2]), arm[1])))
    upper = Rotation.from_euler("Y", plane, degrees=True) * Rotation.from_euler("X", -raised, degrees=True)
    # Turned back behind the elevation, as the model's third shoulder axis does: elevation then has no axial rotation.
    upper *= Rotation.from_euler("Y", -plane, degrees=True)
    # About the humerus the elbow's axis follows the epicondyles, about the forearm the palm follows the wrist.
    roll = _roll(upper, places["RELB"] - places["RELBIN"], axis=2)
    humerus = upper * Rotation.from_euler("Y", roll, degrees=True)
    elbow_frame, elbow = _frame_and_bend(humerus.inv().apply(forearm))
    ulna = humerus * Rotation.from_euler("XZ", (elbow_frame, elbow), degrees=True)
    angles = {
        "pelvis_tx": float(joints["ground_pelvis"][0]),
        "pelvis_ty": float(joints["ground_pelvis"][1]),
        "hip_flexion_r": flexion,
        "hip_adduction_r": adduction,
        "knee_angle_r": knee,
        "ankle_angle_r": _levelled(tibia, _axis(rows, "ankle_angle_r")),
        "elv_angle": plane,
        "shoulder_elv": raised,
        "shoulder1_r2": -plane,
        "shoulder_rot": roll,
        "elbow_flexion": elbow,
        "pro_sup": _roll(ulna, places["RIWR"] - places["ROWR"], axis=0),
    }
    # The girdle follows arm elevation in the proportions that it has in the template.
    girdle = ("sternoclavicular", "unrotscap", "acromioclavicular", "unrothum")
    share = raised / defaults["shoulder_elv"]
    angles.update({name: value * share for name, value in defaults.items() if name.startswith(girdle)})
    return {"knee_r": knee_frame, "elbow": elbow_frame}, angles


def _lean(up: NDArray[np.float64]) -> tuple[float, float]:
    """Return turns about z, then x (deg), that put y along a vector."""
    x, y, z = up / np.linalg.norm(up)
    return float(np.degrees(np.arctan2(-x, y))), float(np.degrees(np.arcsin(z)))


def _frame_and_bend(up: NDArray[np.float64]) -> tuple[float, float]:
    """Return the turns of a joint's frame about x and of its coordinate about z (deg) that put y along a vector."""
    x, y, z = up / np.linalg.norm(up)
    return float(np.degrees(np.arctan2(z, y))), float(np.degrees(np.arcsin(-x)))


def _roll(bone: Rotation, across: NDArray[np.float64], *, axis: int) -> float:
    """Return the turn about y (deg) that puts an axis of a bone into the plane of y and a vector."""
    x, _, z = bone.inv().apply(across)
    return float(np.degrees(np.arctan2(x, z) if axis == 2 else np.arctan2(-z, x)))


def _levelled(shank: Rotation, axis: NDArray[np.float64]) -> float:
    """Return the turn about an axis (deg) after which the foot is level: its y has no lean along x."""
    # Searched in steps of a hundredth of a degree, because the axis of the ankle is oblique: there is no closed form.
    turns = np.linspace(-20.0, 20.0, 4001)
    ups = (shank * Rotation.from_rotvec(np.radians(turns)[:, None] * axis)).apply([0.0, 1.0, 0.0])
    return float(turns[np.argmin(np.abs(ups[:, 0]))])


def _axis(rows: tuple[Row, ...], name: str) -> NDArray[np.float64]:
    row = next(row for row in rows if row["coordinate"] == name)
    axis = np.array([float(row[f"axis_{letter}"]) for letter in "xyz"])
    return np.asarray(axis / np.linalg.norm(axis))


def measure_surfaces(folder: Path) -> Table:
    """Return the surface markers of the mean woman and man as a table: means of left and right, floor at y = 0."""
    markers = read_marker_set(packaged_path("opensim_models", "marker_set_d3ke.yaml"))
    names = [name for name, rule in markers.rules.items() if isinstance(rule, Vertex) and name[0] not in "Ll"]
    rows: dict[str, Row] = {name: {"marker": name} for name in names}
    for person in ("female", "male"):
        body = read_body_model(folder / person / "model.npz", sex=person)
        trial = static_markers(stand_in_t_pose(body, np.zeros(16)), markers.on_body(body), rate_hz=1.0, duration_s=1.0)
        place = dict(zip(trial.names, trial.positions_m[0], strict=True))
        for name in names:
            twin = place[_left(name)] if _has_left(name) else place[name]
            # Left and right averaged: the tables are of the right side, and bodies are never quite symmetric.
            both = (place[name] + twin * MIRROR) / 2.0
            rows[name] |= {f"{person}_{axis}_m": f"{value:.4f}" for axis, value in zip("xyz", both + 0.0, strict=True)}
    return Table(SURFACE_COMMENTS, tuple(rows[names[0]]), tuple(rows.values()))


MARKER_SOURCE = (
    "# Source: surface markers lie where they do on the mean of SMPL's mean woman and man (NOTICE; README.md, 'Where "
    "the numbers come from')."
)
SURFACE_COMMENTS = (
    "# Surface markers (marker_set_d3ke.yaml) of SMPL's mean woman and mean man in T-pose: middle and right side.",
    "# Metres, OpenSim ground (x forward, y up from the floor, z to the right); means of left and right.",
    "# From human_woman.obj and human_man.obj of odedstein/meshes, 'Max Planck Society e.V via SMPL', CC BY 4.0.",
)


def read_surfaces(path: Path) -> tuple[Places, Places]:
    """Return the surface markers of the woman and of the man, both sides."""
    woman: Places = {}
    man: Places = {}
    for row in read_table(path).rows:
        for person, found in (("female", woman), ("male", man)):
            place = np.array([float(row[f"{person}_{axis}_m"]) for axis in "xyz"])
            # What lies in the middle lies exactly there.
            found[row["marker"]] = place if _has_left(row["marker"]) else place * np.array([1.0, 1.0, 0.0])
            if _has_left(row["marker"]):
                found[_left(row["marker"])] = place * MIRROR
    return woman, man


def read_table(path: Path) -> Table:
    """Return a table of comments and rows."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = tuple(line for line in lines if line.startswith("#"))
    reader = csv.DictReader(line for line in lines if not line.startswith("#"))
    rows = tuple(dict(row) for row in reader)
    return Table(comments, tuple(reader.fieldnames or ()), rows)


def _both_sides(rows: tuple[Row, ...]) -> Places:
    places = {row["marker"]: _place(row) for row in rows}
    lefts = {_left(row["marker"]): _place(row) * MIRROR for row in rows if row["side"] == "right"}
    return places | lefts


def _has_left(name: str) -> bool:
    return name.startswith(("R", "r")) and name != "ROOT"


def _left(name: str) -> str:
    from movi_prep.osim.model_building.part_tables import left_marker_name

    return left_marker_name(name)


def _place(row: Row) -> NDArray[np.float64]:
    return np.array([float(row[f"{axis}_m"]) for axis in "xyz"])


def _with_places(table: Table, key: str, places: Places, *, decimals: int) -> Table:
    values = {
        name: {
            f"{axis}_m": f"{round(float(value), decimals) + 0.0:g}" for axis, value in zip("xyz", place, strict=True)
        }
        for name, place in places.items()
    }
    return _with(table, key, values)


def _with(table: Table, key: str, values: Mapping[str, Row]) -> Table:
    rows = tuple(row | values.get(row[key], {}) for row in table.rows)
    return Table(table.comments, table.columns, rows)


def _as_text(table: Table) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, table.columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table.rows)
    return "\n".join([*table.comments, out.getvalue()])


if __name__ == "__main__":
    sys.exit(main())
