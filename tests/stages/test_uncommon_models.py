"""Models that OpenSim runs and that are unlike a person: bases that do not move, coupled units, names that come twice.

Each is solved as OpenSim's tool solves it: markers of known coordinates in, the coordinates out, in the tool's units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import opensim
import pytest

from movi_prep.config.ik import IkSettings
from movi_prep.config.root import Config
from movi_prep.config.scaling import ScalingSettings
from movi_prep.errors import ModelError
from movi_prep.formats.ik_file import read_ik_solution
from movi_prep.formats.storage import read_storage
from movi_prep.formats.trc import write_trc
from movi_prep.osim.models import marker_names, marker_positions_m, root_joint, set_pose, write_model
from movi_prep.trials.marker_files import solve_marker_files
from movi_prep.trials.tool_documents import solve_setup_document
from tests.builders.small_model import trajectories

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

OFFSETS_M = ((0.1, 0.0, 0.0), (0.0, 0.12, 0.0), (0.0, 0.0, 0.14), (-0.1, 0.05, 0.02))
SOLVERS = ("converged", "opensim")
N_ROWS = 5

Links = "list[tuple[str, str, str, Callable[..., opensim.Joint]]]"

DOCUMENT = """<?xml version="1.0"?>
<OpenSimDocument Version="40000"><InverseKinematicsTool name="trial">
  <model_file>model.osim</model_file><accuracy>1e-8</accuracy>
  <IKTaskSet><objects>{tasks}</objects></IKTaskSet>
  <marker_file>trial.trc</marker_file><coordinate_file>{coordinates}</coordinate_file>
  <output_motion_file>trial.mot</output_motion_file>
</InverseKinematicsTool></OpenSimDocument>
"""


def _model(links: Links) -> opensim.Model:
    """Return bodies at the end of (parent, joint, body, kind of joint) links, with four markers on each."""
    opensim.Logger.setLevelString("Off")
    model = opensim.Model()
    model.setName("uncommon")
    frames: dict[str, opensim.PhysicalFrame] = {"ground": model.getGround()}
    for parent, name, body_name, kind in links:
        body = opensim.Body(body_name, 1.0, opensim.Vec3(0), opensim.Inertia(0.1, 0.1, 0.1))
        model.addBody(body)
        zero, beside = opensim.Vec3(0), opensim.Vec3(0.0, 0.0, 0.2)
        model.addJoint(kind(name, frames[parent], beside, zero, body, zero, zero))
        for index, offset in enumerate(OFFSETS_M):
            model.addMarker(opensim.Marker(f"{body_name}_{index}", body, opensim.Vec3(*offset)))
        frames[body_name] = body
    model.finalizeConnections()
    model.initSystem()
    return model


def _pin(coordinate: str) -> Callable[..., opensim.Joint]:
    def joint(*ends: Any) -> opensim.Joint:
        made = opensim.PinJoint(*ends)
        made.upd_coordinates(0).setName(coordinate)
        return made

    return joint


def _moved_by(function: Callable[[], opensim.Function], axes: tuple[int, ...]) -> Callable[..., opensim.Joint]:
    """Return a joint with one coordinate to each axis (0 to 2 turn, 3 to 5 slide), by any function of it."""

    def joint(name: str, *ends: Any) -> opensim.Joint:
        transform = opensim.SpatialTransform()
        for which in axes:
            names = opensim.ArrayStr()
            names.append(f"{name}_{which}")
            transform.updTransformAxis(which).setCoordinateNames(names)
            transform.updTransformAxis(which).set_function(function())
        return opensim.CustomJoint(name, *ends, transform)

    return joint


def _spline() -> opensim.SimmSpline:
    spline = opensim.SimmSpline()
    for x, y in ((-2.0, -1.5), (-1.0, -0.6), (0.0, 0.0), (1.0, 0.7), (2.0, 1.6)):
        spline.addPoint(x, y)
    return spline


def _wrapped() -> opensim.MultiplierFunction:
    """Return what scaling by older releases leaves of a translation."""
    inner = opensim.LinearFunction(1.0, 0.0)
    inner.thisown = False  # MultiplierFunction takes its function over and frees it
    return opensim.MultiplierFunction(inner, 1.0)


def _write(folder: Path, model: opensim.Model, coordinates: NDArray[np.float64], *, tasks: str = "") -> Path:
    """Write model, markers of the (n, c) coordinates and a set-up that tracks all of them; return the set-up."""
    state, names = model.initSystem(), marker_names(model)
    positions = []
    for row in coordinates:
        set_pose(model, state, row)
        positions.append(marker_positions_m(model, state, names))
    write_trc(folder / "trial.trc", trajectories(np.array(positions), names, rate_hz=100.0))
    write_model(folder / "model.osim", model)
    weights = "".join(f'<IKMarkerTask name="{n}"><apply>true</apply><weight>1</weight></IKMarkerTask>' for n in names)
    source = "coordinates.mot" if tasks else ""
    (folder / "ik.xml").write_text(DOCUMENT.format(tasks=weights + tasks, coordinates=source))
    return folder / "ik.xml"


def _solved(folder: Path, solver: str) -> NDArray[np.float64]:
    solve_setup_document(folder / "ik.xml", IkSettings(solver=solver, accuracy=1e-8))  # type: ignore[arg-type]
    return read_storage(folder / "trial.mot").values


def _swing(*amplitudes: float) -> NDArray[np.float64]:
    return np.linspace(0.4, 1.0, N_ROWS)[:, None] * np.array(amplitudes)


def _tool(folder: Path) -> NDArray[np.float64]:
    """Return what OpenSim's own tool writes for the markers."""
    model = opensim.Model(str(folder / "model.osim"))
    tool = opensim.InverseKinematicsTool()
    tool.setModel(model)
    tool.setMarkerDataFileName(str(folder / "trial.trc"))
    tool.setStartTime(0.0)
    tool.setEndTime(1.0)
    tool.setOutputMotionFileName(str(folder / "tool.mot"))
    tool.setResultsDir(str(folder))
    tool.set_report_errors(False)
    for name in marker_names(model):
        task = opensim.IKMarkerTask()
        task.setName(name)
        task.setApply(True)
        task.setWeight(1.0)
        tool.upd_IKTaskSet().cloneAndAppend(task)
    tool.run()
    return read_storage(folder / "tool.mot").values


TURNING, SLIDING = opensim.PinJoint, opensim.SliderJoint
BASES = {
    "welded": ([("ground", "weld", "base", opensim.WeldJoint), ("base", "turn", "arm", TURNING)], (0.5,)),
    "welded in a row": (
        [
            ("ground", "weld", "floor", opensim.WeldJoint),
            ("floor", "weld_too", "plate", opensim.WeldJoint),
            ("plate", "turn", "arm", TURNING),
        ],
        (0.5,),
    ),
    "welded below a free body": (
        [("ground", "weld", "floor", opensim.WeldJoint), ("floor", "free", "pelvis", opensim.FreeJoint)],
        (0.1, 0.2, -0.1, 0.3, 0.9, -0.2),
    ),
    "on a hinge": ([("ground", "hinge", "base", TURNING), ("base", "turn", "arm", TURNING)], (-0.8, 0.5)),
    "on a rail": ([("ground", "rail", "base", SLIDING), ("base", "turn", "arm", TURNING)], (0.6, 0.5)),
    "two bodies at ground": (
        [("ground", "turn", "left", TURNING), ("ground", "turn_too", "right", TURNING)],
        (0.5, -0.4),
    ),
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("base", BASES)
def test_bases_that_are_not_free_are_solved(tmp_path: Path, base: str, solver: str) -> None:
    links, amplitudes = BASES[base]
    coordinates = _swing(*amplitudes)
    model = _model(links)
    _write(tmp_path, model, coordinates)
    found = [model.getCoordinateSet().get(k) for k in range(coordinates.shape[1])]
    turns = np.array([coordinate.getMotionType() == opensim.Coordinate.Rotational for coordinate in found])
    expected = np.where(turns, np.degrees(coordinates), coordinates)
    np.testing.assert_allclose(_solved(tmp_path, solver), expected, atol=0.02)


def test_marker_files_of_a_welded_base_hold_the_root_that_moves(tmp_path: Path) -> None:
    links, amplitudes = BASES["welded in a row"]
    coordinates = _swing(*amplitudes)
    setup = _write(tmp_path, _model(links), coordinates)
    config = Config(
        work=tmp_path / "work",
        scaling=ScalingSettings(model=tmp_path / "model.osim"),
        ik=IkSettings(setup=setup),
    )
    (result,) = solve_marker_files([tmp_path / "trial.trc"], config).files
    solution = read_ik_solution(result.outputs[0])
    # The pin turns about z, 0.2 m beside a plate that lies 0.4 m beside ground.
    np.testing.assert_allclose(solution.root_frame_rotations[:, 1, 0], np.sin(coordinates[:, 0]), atol=1e-4)
    np.testing.assert_allclose(solution.root_frame_positions_m, [[0.0, 0.0, 0.6]] * N_ROWS, atol=1e-9)


def test_of_several_bodies_at_ground_the_one_that_moves_most_is_the_root() -> None:
    links = [("ground", "belt", "treadmill", SLIDING), ("ground", "free", "pelvis", opensim.FreeJoint)]
    assert root_joint(_model(links)).getName() == "free"
    with pytest.raises(ModelError):
        root_joint(_model([("ground", "weld", "base", opensim.WeldJoint)]))


COUPLED = {
    "wrapped translation": (_wrapped, 4),
    "wrapped rotation": (_wrapped, 1),
    "steep line of a translation": (lambda: opensim.LinearFunction(2.0, 0.0), 3),
    "steep line of a rotation": (lambda: opensim.LinearFunction(0.5, 0.0), 2),
    "spline of a rotation": (_spline, 0),
    "spline of a translation": (_spline, 5),
}


def _coupled_model(case: str) -> opensim.Model:
    function, axis = COUPLED[case]
    return _model([("ground", "root", "base", _moved_by(function, (axis,))), ("base", "turn", "arm", TURNING)])


@pytest.mark.parametrize("case", COUPLED)
def test_coupled_coordinates_are_written_as_opensims_tool_writes_them(tmp_path: Path, case: str) -> None:
    coordinates = _swing(0.8, 0.5)
    _write(tmp_path, _coupled_model(case), coordinates)
    ours = _solved(tmp_path, "converged")
    np.testing.assert_allclose(ours, np.column_stack([coordinates[:, 0], np.degrees(coordinates[:, 1])]), atol=1e-4)
    np.testing.assert_allclose(ours, _tool(tmp_path), atol=0.02)


@pytest.mark.parametrize("case", COUPLED)
def test_coupled_coordinates_are_read_as_opensims_tool_reads_them(tmp_path: Path, case: str) -> None:
    """A pull that outweighs the markers: a value in the wrong unit would carry the base away."""
    coordinates = _swing(0.8, 0.5)
    task = """<IKCoordinateTask name="root_{axis}"><apply>true</apply><weight>1000</weight>
        <value_type>from_file</value_type></IKCoordinateTask>"""
    _write(tmp_path, _coupled_model(case), coordinates, tasks=task.format(axis=COUPLED[case][1]))
    table = np.column_stack([np.arange(N_ROWS) / 100.0, coordinates[:, 0], np.degrees(coordinates[:, 1])])
    rows = "\n".join(" ".join(f"{value:.8f}" for value in row) for row in table)
    (tmp_path / "coordinates.mot").write_text(
        f"c\nversion=1\nnRows={N_ROWS}\nnColumns=3\ninDegrees=yes\nendheader\n"
        f"time root_{COUPLED[case][1]} {TURNING.__name__.lower()}\n{rows}\n"
    )
    np.testing.assert_allclose(_solved(tmp_path, "converged")[:, 0], coordinates[:, 0], atol=1e-4)


@pytest.mark.parametrize("solver", SOLVERS)
def test_coordinates_of_one_name_in_two_joints_are_both_solved(tmp_path: Path, solver: str) -> None:
    links = [
        ("ground", "root", "base", opensim.FreeJoint),
        ("base", "first", "upper", _pin("rz")),
        ("upper", "second", "lower", _pin("rz")),
    ]
    coordinates = _swing(0.1, 0.2, -0.1, 0.3, 0.9, -0.2, 0.5, -0.7)
    _write(tmp_path, _model(links), coordinates)
    values = _solved(tmp_path, solver)
    np.testing.assert_allclose(values[:, 6:], np.degrees(coordinates[:, 6:]), atol=0.02)
    assert read_storage(tmp_path / "trial.mot").labels[6:] == ("rz", "rz")
