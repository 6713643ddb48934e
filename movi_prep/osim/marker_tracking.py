"""OpenSim's inverse kinematics solver, fed from memory: references, and the loop over frames.

What OpenSim's tool does is done here step by step (InverseKinematicsTool::run, OpenSim 4.6): a system in its default
pose, markers in the order of the data, `assemble` on the first frame, then `track` on every frame, the first one
included. With equal numbers in, the same coordinates come out, bit for bit.

Couplers are the difference to the tool, which enforces them whatever weight its document gives. With a finite
`constraint_weight` the first pose, and every tenth after it, is found with couplers enforced, and the frames between
are tracked with the couplers as a penalty: twice as fast on a model with 21 couplers, and 4 to 5 % lower in the
weighted squared marker error, because OpenSim's unconstrained optimiser stops less early. A weight of 20 from the start
ends in a worse pose altogether.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import opensim

from movi_prep.errors import InputError, list_names, suggest
from movi_prep.osim.models import coordinate_names
from movi_prep.records.ik_solution import FrameStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.records.setups import CoordinateTask

Curve: TypeAlias = "Callable[[NDArray[np.float64]], NDArray[np.float64]]"
"""A coordinate over time: (n,) seconds to (n,) rad or m."""

LEAST_MARKERS = 3
"""Visible weighted markers that a rigid pose needs."""

_ENFORCED = float("inf")

ENFORCED_EVERY = 10
"""Frames that are tracked with couplers as a penalty before they are enforced once more."""

RELAXED_ACCURACY = 10.0
"""A frame that fails twice is tried once more with the accuracy loosened by this factor."""


@dataclass(frozen=True)
class TrackingProblem:
    """Markers, weights and settings of one tracking problem.

    Attributes:
        markers: trajectories of just the tracked markers, OpenSim ground, metres, in the order of the data.
        weights: (m,) float64, one weight per column of `markers`.
        coordinate_targets: (task, (n,) float64 target in rad or m) per coordinate that is pulled to a value.
        accuracy: of OpenSim's solver.
        constraint_weight: of couplers while tracking; infinity enforces them.
    """

    markers: MarkerTrajectories
    weights: NDArray[np.float64]
    coordinate_targets: tuple[tuple[CoordinateTask, NDArray[np.float64]], ...]
    accuracy: float
    constraint_weight: float


@dataclass(frozen=True)
class TrackedMotion:
    """Coordinates frame by frame.

    Attributes:
        coordinates: (n, c) float64, rad or m, in the model's order; NaN where there is no pose.
        statuses: (n,) int8 of FrameStatus.
        constraint_errors: (n,) float64, largest position constraint error, rad or m; NaN where there is no pose.
    """

    coordinates: NDArray[np.float64]
    statuses: NDArray[np.int8]
    constraint_errors: NDArray[np.float64]


def track_markers(model: opensim.Model, problem: TrackingProblem) -> TrackedMotion:
    """Solve frame after frame, each from the one before.

    A frame that fails is tried again from the last good pose with a new solver, then with loosened accuracy; it is
    flagged where that fails too, and the next frame starts from the last good pose. Markers that are NaN are left
    out of their frame; frames with fewer than three weighted markers are not solved. The model's system must be built
    (`Model.initSystem`) since its last change.
    """
    n_rows = problem.markers.n_rows
    coordinates = np.full((n_rows, len(coordinate_names(model))), np.nan)
    # Every frame counts as that until it is tried: those that are skipped below keep it.
    statuses = np.full(n_rows, int(FrameStatus.TOO_FEW_MARKERS), dtype=np.int8)
    errors = np.full(n_rows, np.nan)
    rows = np.flatnonzero(enough_markers(problem.markers.positions_m, problem.weights)).tolist()
    if not rows:
        return TrackedMotion(coordinates=coordinates, statuses=statuses, constraint_errors=errors)
    # The system was built when the model was read; building it again takes as long as solving a frame.
    state = model.initializeState()
    read = _coordinate_reader(model, state)
    tracker = _Tracker(model, problem, state)
    for row in rows:
        statuses[row] = int(tracker.solve(row))
        if statuses[row] != FrameStatus.FAILED:
            coordinates[row] = read()
            errors[row] = _constraint_error(model, state)
    return TrackedMotion(coordinates=coordinates, statuses=statuses, constraint_errors=errors)


def enough_markers(positions_m: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (n,) bool: frames that show at least three weighted markers."""
    seen = np.isfinite(positions_m).all(axis=-1) & (weights > 0)
    return np.asarray(np.count_nonzero(seen, axis=1) >= LEAST_MARKERS)


def coordinate_targets(
    model: opensim.Model,
    tasks: Sequence[CoordinateTask],
    times_s: NDArray[np.float64],
    from_file: Mapping[str, Curve],
    source: str,
) -> tuple[tuple[CoordinateTask, NDArray[np.float64]], ...]:
    """Return every task with its target values at (n,) times.

    Raises:
        InputError: the model or the coordinate file lacks a coordinate that a task names.
    """
    existing = coordinate_names(model)
    targets = []
    for task in tasks:
        if task.name not in existing:
            raise InputError(
                source,
                expected="tasks for coordinates of the model",
                got=f"{task.name!r}{suggest(task.name, existing)}",
                remedy="correct the task's name or take it out",
            )
        if task.source == "file":
            if task.name not in from_file:
                raise InputError(
                    source,
                    expected=f"coordinate {task.name!r} in the coordinate file",
                    got=list_names(from_file),
                    remedy="name a coordinate file that holds it, or change the task's value_type",
                )
            values = from_file[task.name](times_s)
        elif task.source == "manual":
            values = np.full(len(times_s), task.value)
        else:
            values = np.full(len(times_s), model.getCoordinateSet().get(task.name).getDefaultValue())
        targets.append((task, values))
    return tuple(targets)


class _Tracker:
    """OpenSim's solver and the state it moves; a new solver is made after a failure."""

    def __init__(self, model: opensim.Model, problem: TrackingProblem, state: opensim.State) -> None:
        self._model = model
        self._state = state
        self._accuracy = problem.accuracy
        self._constraint_weight = problem.constraint_weight
        self._times_s = problem.markers.times_s
        # The solver keeps pointers to these: they must live as long as it does.
        self._markers = _markers_reference(problem)
        self._coordinates = _coordinate_references(problem)
        self._solver: opensim.InverseKinematicsSolver | None = None
        # A pose that is found with couplers enforced decides in which basin the frames after it end.
        self._rows_since_enforced = ENFORCED_EVERY
        # A copy: getQ returns a view of the state that the next solve overwrites.
        self._good_pose = opensim.Vector(state.getQ())

    def solve(self, row: int) -> FrameStatus:
        self._state.setTime(float(self._times_s[row]))
        attempts = ((FrameStatus.SOLVED, self._track), (FrameStatus.RETRIED, self._restart))
        for status, attempt in (*attempts, (FrameStatus.RETRIED, self._relax)):
            try:
                attempt()
            # What OpenSim throws has no type of its own in Python; after it, the solver and its state are not to be
            # trusted.
            except RuntimeError:
                self._solver = None
                self._state.setQ(self._good_pose)
                continue
            self._good_pose = opensim.Vector(self._state.getQ())
            return status
        return FrameStatus.FAILED

    def _track(self) -> None:
        self._rows_since_enforced += 1
        if self._rows_since_enforced >= ENFORCED_EVERY and self._constraint_weight != _ENFORCED:
            self._solver = None
        solver = self._solver or self._assemble(self._accuracy)
        solver.track(self._state)

    def _restart(self) -> None:
        self._assemble(self._accuracy).track(self._state)

    def _relax(self) -> None:
        self._assemble(self._accuracy * RELAXED_ACCURACY)
        # The next frame is to be solved at full accuracy again.
        self._solver = None

    def _assemble(self, accuracy: float) -> opensim.InverseKinematicsSolver:
        due = self._rows_since_enforced >= ENFORCED_EVERY
        # Enforced first, then the penalty from that pose; `dict.fromkeys` drops the second where both are the same.
        weights = (_ENFORCED, self._constraint_weight) if due else (self._constraint_weight,)
        for weight in dict.fromkeys(weights):
            solver = opensim.InverseKinematicsSolver(self._model, self._markers, self._coordinates, weight)
            solver.setAccuracy(accuracy)
            solver.assemble(self._state)
            self._solver = solver
        self._rows_since_enforced = 0 if due else self._rows_since_enforced
        return self._solver


def _markers_reference(problem: TrackingProblem) -> opensim.MarkersReference:
    markers = problem.markers
    # One matrix, packed in C++; filling rows of Vec3 from Python takes a percent of the solver's time.
    axes = [f"{name}{suffix}" for name in markers.names for suffix in ("_1", "_2", "_3")]
    table = opensim.TimeSeriesTable(
        opensim.StdVectorDouble(markers.times_s),
        opensim.Matrix.createFromMat(np.ascontiguousarray(markers.positions_m).reshape(markers.n_rows, -1)),
        opensim.StdVectorString(axes),
    ).packVec3()
    weights = opensim.SetMarkerWeights()
    for name, weight in zip(markers.names, problem.weights.tolist(), strict=True):
        weights.cloneAndAppend(opensim.MarkerWeight(name, weight))
    return opensim.MarkersReference(table, weights)


def _coordinate_references(problem: TrackingProblem) -> opensim.SimTKArrayCoordinateReference:
    references = opensim.SimTKArrayCoordinateReference()
    for task, values in problem.coordinate_targets:
        reference = opensim.CoordinateReference(task.name, _target_function(problem.markers.times_s, values))
        reference.setWeight(task.weight)
        references.push_back(reference)
    return references


def _target_function(times_s: NDArray[np.float64], values: NDArray[np.float64]) -> opensim.Function:
    # A constant is free; OpenSim searches a table in every evaluation.
    if np.ptp(values) == 0.0:
        return opensim.Constant(float(values[0]))
    function = opensim.PiecewiseLinearFunction()
    for time_s, value in zip(times_s.tolist(), values.tolist(), strict=True):
        function.addPoint(time_s, value)
    return function


def _coordinate_reader(model: opensim.Model, state: opensim.State) -> Callable[[], NDArray[np.float64]]:
    """Return what reads (c,) coordinates in the model's order from the state's own q, which has another order."""
    numbered = opensim.State(state)
    # Set every q to its own index; then each coordinate's value is the index of its q.
    numbered.setQ(opensim.Vector.createFromMat(np.arange(float(state.getNQ()))))
    found = model.getCoordinateSet()
    places = np.array([round(found.get(index).getValue(numbered)) for index in range(found.getSize())], dtype=np.int64)
    return lambda: np.asarray(state.getQ().to_numpy()[places])


def _constraint_error(model: opensim.Model, state: opensim.State) -> float:
    model.realizePosition(state)
    return float(np.abs(state.getQErr().to_numpy()).max(initial=0.0))
