"""Scaling a generic model to a subject, in memory, through OpenSim's own classes.

The steps are those of OpenSim's ScaleTool (ModelScaler::processModel and MarkerPlacer::processModel, OpenSim 4.6):
factors from marker distances, `Model.scale`, the static pose by inverse kinematics, markers moved onto the data. The
static pose may be found by another solver than OpenSim's, which stops early.
The tool itself is not used: it wants files, counts paths from the current folder and says "success" when it failed.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import opensim

from movi_prep.errors import InputError, ModelError, list_names, suggest
from movi_prep.geometry.body_orientation import judge_orientation
from movi_prep.geometry.marker_size import check_marker_size
from movi_prep.osim.marker_tracking import TrackingProblem, coordinate_targets, track_markers
from movi_prep.osim.models import (
    array,
    body_names,
    coordinate_names,
    default_state,
    marker_names,
    marker_positions_m,
    middle_angle_rad,
    set_pose,
    vector,
)
from movi_prep.osim.scale_audit import audit_scaling
from movi_prep.osim.scale_files import state_values
from movi_prep.records.ik_solution import USABLE_STATUSES, FrameStatus
from movi_prep.records.scale_result import AuditGrade, MarkerDistance, ScaleResult
from movi_prep.records.setups import MANUAL, MEASUREMENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from movi_prep.config.scaling import ScaleAuditSettings
    from movi_prep.osim.marker_tracking import Curve, TrackedMotion
    from movi_prep.records.markers import MarkerTrajectories, StaticTrial
    from movi_prep.records.setups import Measurement, ScaleSetup

PoseSolver: TypeAlias = "Callable[[opensim.Model, TrackingProblem], TrackedMotion]"
"""What finds the pose of a model from markers, as `track_markers` does."""

POSED = (*USABLE_STATUSES, FrameStatus.SUSPECT)
"""A static pose that misses by much is still audited, so that the audit lists every landmark with its error."""

_ENFORCED = "isEnforced"
_JOINTS = ("Ball", "Custom", "Free", "Gimbal", "Pin", "Planar", "Slider", "Universal", "Weld")
_SETS = ("Body", "Component", "Constraint", "ContactGeometry", "Controller", "Force", "Joint", "Marker", "Probe")
_SHAPES = ("Arrow", "Brick", "Cone", "Cylinder", "Ellipsoid", "FrameGeometry", "Line", "Mesh", "Sphere", "Torus")
_SCALED_IN_ANY_POSE = frozenset(
    {
        *(f"{kind}Joint" for kind in _JOINTS),
        *(f"{kind}Set" for kind in _SETS),
        *_SHAPES,
        *("Body", "Coordinate", "CoordinateCouplerConstraint", "Ground", "Marker", "PhysicalOffsetFrame"),
        *("Station", "WrapObjectSet"),
    }
)
"""Kinds of components whose scaled properties follow from the factors; what has a path also asks for its length."""


@dataclass(frozen=True, eq=False)
class SizedModel:
    """A model after the first of the two steps of scaling: bodies have the subject's size, markers are not placed.

    Attributes:
        model: the model; the second step changes it.
        rows: what each step looks at.
        factors: body -> (3,) scale factors.
        distances: the marker pairs of the measurements.
        findings: on the trial and on names that meet nothing.
        mirrored: sentences on a mirror image.
    """

    model: opensim.Model
    rows: _StepRows
    factors: Mapping[str, NDArray[np.float64]]
    distances: tuple[MarkerDistance, ...]
    findings: tuple[str, ...]
    mirrored: tuple[str, ...]


@dataclass(frozen=True)
class _StaticPose:
    """The model in the static pose: its state, where its markers and the data's are (m, 3), and what was tracked."""

    state: opensim.State
    names: tuple[str, ...]
    weights: NDArray[np.float64]
    model_m: NDArray[np.float64]
    observed_m: NDArray[np.float64]


def scale_model(
    model: opensim.Model,
    static: StaticTrial,
    setup: ScaleSetup,
    settings: ScaleAuditSettings,
    *,
    coordinate_file: Mapping[str, Curve] | None = None,
    solve_pose: PoseSolver = track_markers,
) -> ScaleResult:
    """Scale `model` in place to the subject of the static trial, place its markers, and audit the result.

    Args:
        model: the generic model; it is the subject's afterwards.
        static: markers of the subject standing still (OpenSim ground, metres), mass and height.
        setup: measurements, weights and post-scaling steps.
        settings: bounds of the audit.
        coordinate_file: coordinate -> its values over time (rad or m), for tasks that take them from a file.
        solve_pose: function that finds the static pose; OpenSim's solver by default.

    Returns:
        Factors, residuals and the audit. A failed audit is part of the result and raises no error.

    Raises:
        InputError: a measurement names a marker or body that does not exist, the rows that a step uses are not static,
            or their markers are of another size than the model (a wrong unit).
        ModelError: the static pose cannot be solved, or scaling produced a model that is not physical.
    """
    # The caller may have changed it since it was read; from here on we know when it changes.
    model.initSystem()
    sized = size_model(model, static, setup, settings)
    result = place_markers(sized, static, setup, settings, coordinate_file=coordinate_file, solve_pose=solve_pose)
    model.initSystem()
    return result


def size_model(
    model: opensim.Model,
    static: StaticTrial,
    setup: ScaleSetup,
    settings: ScaleAuditSettings,
    *,
    in_place: bool = True,
) -> SizedModel:
    """Give the bodies of `model` the size of the subject; the first step of `scale_model`, which see.

    Args:
        model: the generic model, its system built since its last change.
        static: as there.
        setup: as there.
        settings: as there.
        in_place: False scales a copy, and leaves the model for the next subject.
    """
    rows = _step_rows(static, setup)
    # In the generic model's own size: `apply_factors` below changes where markers are.
    default_m = _default_markers_m(model)
    for step_rows, names in rows.used():
        _check_static(step_rows, names, setup, settings)
        # Before anything is fitted: factors from millimetres taken for metres are finite, and look like factors.
        check_marker_size(step_rows, _of(default_m, names))
    default_m = _of(default_m, rows.placed_names)
    orientation = judge_orientation(rows.placing, default_m)
    # Now, before markers are removed from the model: the generic model is compared with the trial.
    findings = (*orientation.findings, *name_findings(model, rows.placing.names, setup))
    distances = measurement_distances(model, rows.measuring, setup) if rows.measured_names else ()
    measured = measurement_factors(distances)
    factors = body_factors(model, setup, measured)
    sized = model if in_place else model.clone()
    if setup.scale_bodies:
        # A document that switches scaling off also leaves the masses unchanged.
        apply_factors(sized, factors, mass_kg=static.mass_kg, preserve_mass=setup.preserve_mass_distribution)
    if setup.scale_bodies or not in_place:
        sized.initSystem()
    return SizedModel(sized, rows, factors, distances, findings, orientation.mirrored)


def place_markers(
    sized: SizedModel,
    static: StaticTrial,
    setup: ScaleSetup,
    settings: ScaleAuditSettings,
    *,
    coordinate_file: Mapping[str, Curve] | None = None,
    solve_pose: PoseSolver = track_markers,
) -> ScaleResult:
    """Pose the sized model as the subject stands, place its markers, and audit it; the second step of `scale_model`.

    The model has no system afterwards: whoever poses it builds one (`Model.initSystem`).
    """
    model, rows, measured = sized.model, sized.rows, measurement_factors(sized.distances)
    for name in setup.post_scaling.markers_moved_to_body:
        _check_name(name, marker_names(model), "marker", setup.source)
    if setup.place_markers:
        delete_markers_without_data(model, rows.placing.names)
    pose = static_pose(model, rows.placing, setup, coordinate_file or {}, solve_pose)
    # Now: moving the markers ends the system that the state belongs to.
    middle_angle, states = middle_angle_rad(model, pose.state), state_values(model, pose.state)
    mass_kg = model_mass_kg(model)
    finish_scaling(model, pose.state, setup, dict(zip(pose.names, pose.observed_m, strict=True)))
    result = ScaleResult(
        body_names=tuple(sized.factors),
        body_factors=np.array(list(sized.factors.values())),
        measurement_names=tuple(measured),
        measurement_factors=np.array(list(measured.values())),
        marker_names=pose.names,
        marker_weights=pose.weights,
        marker_errors_m=np.linalg.norm(pose.model_m - pose.observed_m, axis=-1),
        landmark_rms_m=float("nan"),
        landmark_max_m=float("nan"),
        mass_kg=mass_kg,
        height_m=static.height_m,
        pelvis_middle_angle_rad=middle_angle,
        findings=sized.findings,
        audit=AuditGrade.SOUND,
        pose=states,
        distances=sized.distances,
    )
    return audit_scaling(result, settings, wrong=sized.mirrored)


@dataclass(frozen=True)
class _StepRows:
    """The rows of the static trial that each step of scaling looks at, and the markers that it uses of them.

    Attributes:
        measuring: rows of the measurements.
        measured_names: markers of the measurements; none where nothing is measured.
        placing: rows of the static pose.
        placed_names: markers that the static pose is found from.
    """

    measuring: MarkerTrajectories
    measured_names: tuple[str, ...]
    placing: MarkerTrajectories
    placed_names: tuple[str, ...]

    def used(self) -> list[tuple[MarkerTrajectories, tuple[str, ...]]]:
        """Return rows and markers of the steps that use any."""
        steps = [(self.measuring, self.measured_names), (self.placing, self.placed_names)]
        return [(rows, names) for rows, names in steps if names]


def _step_rows(static: StaticTrial, setup: ScaleSetup) -> _StepRows:
    """Return which rows are judged and used: a step that is switched off, or measures nothing, looks at none."""
    pairs = [pair for item in setup.measurements for pair in item.marker_pairs] if MEASUREMENTS in setup.order else []
    measured_names = tuple(dict.fromkeys(name for pair in pairs for name in pair))
    measuring, placing = static.markers, static.placement or static.markers
    # Where no marker is placed the pose only serves the audit, of the rows that the bodies are measured in.
    placing_range_s = setup.placement_time_range_s if setup.place_markers else setup.scaling_time_range_s
    return _StepRows(
        measuring=_within(measuring, setup.scaling_time_range_s) if measured_names else measuring,
        measured_names=measured_names,
        placing=_within(placing if setup.place_markers else measuring, placing_range_s),
        placed_names=tuple(setup.marker_weights),
    )


def delete_markers_without_data(model: opensim.Model, data_names: tuple[str, ...]) -> None:
    """Delete the model's markers that the static trial lacks, weighted or not (MarkerPlacer::processModel)."""
    if set(marker_names(model)) <= set(data_names):
        return
    kept = opensim.ArrayStr()
    for name in data_names:
        kept.append(name)
    model.deleteUnusedMarkers(kept)
    # A changed model has no system, and the solvers need one.
    model.initSystem()


def measurement_distances(
    model: opensim.Model, static: MarkerTrajectories, setup: ScaleSetup
) -> tuple[MarkerDistance, ...]:
    """Return the marker pairs of the measurements, on the subject and on the model.

    The model's distances are those of its default pose; measured ones are averaged over the rows of `static`
    (ModelScaler::computeMeasurementScaleFactor).
    """
    if MEASUREMENTS not in setup.order:
        return ()
    existing = marker_names(model)
    state = default_state(model)
    distances = []
    for measurement in setup.measurements:
        if not measurement.marker_pairs:
            raise InputError(
                setup.source,
                expected=f"a marker pair in measurement {measurement.name!r}",
                got="none",
                remedy="add one, or set the measurement's <apply> to false",
            )
        for name in dict.fromkeys(name for pair in measurement.marker_pairs for name in pair):
            _check_marker(name, measurement, existing, setup.source, "the model")
            _check_marker(name, measurement, static.names, setup.source, f"the static trial {static.source}")
        distances += [
            MarkerDistance(
                measurement.name, *pair, _measured_distance_m(static, pair), _model_distance_m(model, state, pair)
            )
            for pair in measurement.marker_pairs
        ]
    return tuple(distances)


def measurement_factors(distances: Sequence[MarkerDistance]) -> dict[str, float]:
    """Return the factor of each measurement: the mean over its marker pairs of measured / model distance."""
    ratios: dict[str, list[float]] = {}
    for distance in distances:
        ratios.setdefault(distance.measurement, []).append(distance.ratio)
    # A mean of ratios, not a ratio of means: OpenSim weighs a short pair as much as a long one.
    return {name: float(np.mean(values)) for name, values in ratios.items()}


def body_factors(
    model: opensim.Model, setup: ScaleSetup, measured: Mapping[str, float]
) -> dict[str, NDArray[np.float64]]:
    """Return (3,) factors of every body, one where nothing scales it; later steps of the order win."""
    factors = {name: np.ones(3) for name in body_names(model)}
    for step in setup.order:
        if step == MEASUREMENTS:
            for measurement in setup.measurements:
                for body, axes in measurement.body_axes:
                    if body not in factors:
                        continue  # named by `name_findings`; OpenSim's own example lists such bodies
                    factors[body][["XYZ".index(axis) for axis in axes]] = measured[measurement.name]
        elif step == MANUAL:
            known = {body: np.array(values) for body, values in setup.manual_factors.items() if body in factors}
            # A later step of the order replaces factors, it does not multiply them (ModelScaler).
            factors.update(known)
    return factors


def finish_scaling(
    model: opensim.Model, state: opensim.State, setup: ScaleSetup, observed_m: Mapping[str, NDArray[np.float64]]
) -> None:
    """Place markers on the data, then do the post-scaling steps in their order.

    The model's connections are up to date afterwards, and it has no system.

    Args:
        model: the scaled model.
        state: the static pose.
        setup: which steps.
        observed_m: (3,) metres, ground: where the data have each marker.
    """
    places = _marker_places(model, state, setup, observed_m)
    # Everything is read before anything is set: a changed model makes its states worthless.
    coordinates = model.getCoordinateSet()
    values = [coordinates.get(index).getValue(state) for index in range(coordinates.getSize())]
    for name, (body, location) in places.items():
        marker = model.getMarkerSet().get(name)
        if body is not None:
            # Before the place is set, which is in the new body's frame.
            marker.setParentFrame(model.getBodySet().get(body))
        marker.set_location(vector(location))
    post = setup.post_scaling
    if post.default_values == "static pose":
        for index, value in enumerate(values):
            model.getCoordinateSet().get(index).setDefaultValue(value)
    # Unlocked first, as the set-up lists them: a name in both lists ends locked.
    for names, locked in ((post.unlocked_coordinates, False), (post.locked_coordinates, True)):
        for name in names:
            _check_name(name, coordinate_names(model), "coordinate", setup.source)
            model.getCoordinateSet().get(name).set_locked(locked)
    for name in post.released_constraints:
        _check_name(name, _constraint_names(model), "constraint", setup.source)
        model.getConstraintSet().get(name).set_isEnforced(False)
    model.finalizeConnections()


def name_findings(
    model: opensim.Model, data_names: tuple[str, ...], setup: ScaleSetup, *, data: str = "the static trial"
) -> tuple[str, ...]:
    """Return sentences on names that meet nothing: weights without a marker, markers without data, bodies unscaled."""
    existing, bodies = marker_names(model), body_names(model)
    weighted = [name for name, weight in setup.marker_weights.items() if weight > 0]
    not_in_model = [name for name in weighted if name not in existing]
    not_in_data = [name for name in existing if name not in data_names]
    scaled = {body for item in setup.measurements for body, _ in item.body_axes} | set(setup.manual_factors)
    unscaled = [name for name in bodies if name not in scaled]
    no_bodies = [name for name in scaled if name not in bodies]
    findings = []
    if not_in_model:
        spare = set(existing) - set(weighted)
        unknown = list_names(f"{name}{suggest(name, spare)}" for name in not_in_model)
        findings.append(
            f"weighted markers that are not in the model: {unknown}; add them to its marker set or remove their weights"
        )
    if not_in_data:
        kept = "the scaled model leaves them out, as OpenSim's tool does" if setup.place_markers else "they keep theirs"
        findings.append(f"markers of the model that are not in {data}: {list_names(not_in_data)}; {kept}")
    if unscaled:
        findings.append(
            f"bodies without a measurement, which keep their size: {list_names(unscaled)}; "
            "add measurements if they should scale"
        )
    if no_bodies:
        findings.append(
            f"bodies that the set-up scales and the model lacks: {list_names(no_bodies)}; "
            "check that model and set-up belong together"
        )
    return tuple(findings)


def _within(markers: MarkerTrajectories, time_range_s: tuple[float, float]) -> MarkerTrajectories:
    """Return the rows from the last one at or before the range to the first one at or after it.

    The rule is OpenSim's own (MarkerData::findFrameRange).
    """
    first, last = time_range_s
    begin, end = float(markers.times_s[0]), float(markers.times_s[-1])
    if last < begin or first > end:
        raise InputError(
            markers.source,
            expected=f"samples between {first:g} and {last:g} s",
            got=f"samples from {begin:g} to {end:g} s",
            remedy="correct the time range of the set-up",
        )
    start = max(int(np.searchsorted(markers.times_s, first, side="right")) - 1, 0)
    stop = min(int(np.searchsorted(markers.times_s, last, side="left")) + 1, markers.n_rows)
    return markers.rows(slice(start, max(stop, start + 1)))


def _check_static(
    static: MarkerTrajectories, used: tuple[str, ...], setup: ScaleSetup, settings: ScaleAuditSettings
) -> None:
    """Raise InputError where a marker that a step uses moves within the step's rows."""
    columns = [index for index, name in enumerate(static.names) if name in used]
    if not columns:
        raise InputError(
            static.source,
            expected=f"markers that {setup.source} names",
            got=list_names(static.names),
            remedy="check that marker file and set-up belong together",
        )
    # OpenSim's documents have a limit of their own, negative where it is not used.
    limit_m = setup.max_marker_movement_m if setup.max_marker_movement_m > 0 else settings.static_movement_limit_m
    movement = static.movements_m()[columns]
    worst = int(np.argmax(movement))
    if movement[worst] > limit_m:
        raise InputError(
            static.source,
            expected=f"a static trial: markers within {limit_m * 1000:.0f} mm of their mean",
            got=f"{movement[worst] * 1000:.0f} mm at {static.names[columns[worst]]!r}",
            remedy="choose a time range in which the subject stands still, or raise scaling.static_movement_limit_m",
        )


def _default_markers_m(model: opensim.Model) -> dict[str, NDArray[np.float64]]:
    """Return marker -> (3,) metres in the model's default pose."""
    names = marker_names(model)
    return dict(zip(names, marker_positions_m(model, default_state(model), names), strict=True))


def _of(places_m: Mapping[str, NDArray[np.float64]], names: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
    return {name: places_m[name] for name in names if name in places_m}


def apply_factors(
    model: opensim.Model, factors: Mapping[str, NDArray[np.float64]], *, mass_kg: float, preserve_mass: bool
) -> None:
    """Scale the model in place by (3,) factors of its bodies; a mass that is not finite follows from the factors.

    Whoever poses it afterwards builds its system anew (`Model.initSystem`).
    """
    scales = opensim.ScaleSet()
    for body, values in factors.items():
        # Refused here, where the name of the body is known.
        if not np.all(np.isfinite(values)) or np.any(values <= 0):
            raise ModelError(f"body {body}: expected positive scale factors, but got {values}; check the static trial")
        scale = opensim.Scale()
        scale.setSegmentName(body)
        scale.setScaleFactors(vector(values))
        scale.setApply(True)
        scales.cloneAndAppend(scale)
    with _loosened(model) as state:
        # A negative mass makes OpenSim keep the mass that follows from the factors.
        model.scale(state, scales, preserve_mass, -1.0)
    scaled_kg = model_mass_kg(model)
    # As `Model::scale` does it, which would build one more system for it.
    if np.isfinite(mass_kg) and mass_kg > 0.0 and scaled_kg > 0.0:
        for name in body_names(model):
            model.getBodySet().get(name).scaleMass(float(mass_kg) / scaled_kg)


@contextmanager
def _loosened(model: opensim.Model) -> Iterator[opensim.State]:
    """Leave out the model's constraints inside, unless what is scaled depends on the pose; yield a default state.

    `Model::scale` builds the system three times, and each time OpenSim looks for a default pose that keeps the
    constraints: with 42 couplers that is four fifths of the time. Without a path nothing is read from that pose.
    """
    kinds = {component.getConcreteClassName() for component in model.getComponentsList()}
    constraints = [model.getConstraintSet().get(index) for index in range(model.getConstraintSet().getSize())]
    enforced = [each for each in constraints if each.get_isEnforced()] if kinds <= _SCALED_IN_ANY_POSE else []
    # Files leave out what has never been set: this must not be set by us.
    unset = [each for each in enforced if each.getPropertyByName(_ENFORCED).getValueIsDefault()]
    for constraint in enforced:
        constraint.set_isEnforced(False)
    try:
        if enforced or not model.hasSystem():
            model.initSystem()
        yield default_state(model)
    finally:
        for constraint in enforced:
            constraint.set_isEnforced(True)
        for constraint in unset:
            constraint.updPropertyByName(_ENFORCED).setValueIsDefault(True)


def _static_problem(
    model: opensim.Model, mean: MarkerTrajectories, setup: ScaleSetup, coordinate_file: Mapping[str, Curve]
) -> TrackingProblem:
    """Return the problem of fitting the model to the mean of the static trial (MarkerPlacer: one assembly, constraints
    enforced)."""
    existing = marker_names(model)
    tracked = tuple(name for name in mean.names if name in existing and setup.marker_weights.get(name, 0.0) > 0)
    return TrackingProblem(
        markers=mean.select(tracked),
        weights=np.array([setup.marker_weights[name] for name in tracked]),
        coordinate_targets=coordinate_targets(
            model, setup.coordinate_tasks, mean.times_s, coordinate_file, setup.source
        ),
        accuracy=setup.accuracy,
        constraint_weight=float("inf"),
    )


def static_pose(
    model: opensim.Model,
    placing: MarkerTrajectories,
    setup: ScaleSetup,
    coordinate_file: Mapping[str, Curve],
    solve_pose: PoseSolver,
) -> _StaticPose:
    """Return the model in the pose that the mean of the static trial shows."""
    mean = _mean_frame(placing)
    existing = marker_names(model)
    names = tuple(name for name in mean.names if name in existing)
    weights = np.array([setup.marker_weights.get(name, 0.0) for name in names])
    # A document that neither places markers nor weighs one asks for no pose: nothing is compared with the data.
    posed = setup.place_markers or bool((weights > 0).any())
    track = solve_pose(model, _static_problem(model, mean, setup, coordinate_file)) if posed else None
    if track is not None and track.statuses[0] not in [int(status) for status in POSED]:
        raise ModelError(
            f"model {model.getName()}: no static pose was found; check {setup.source} and the markers of {mean.source}"
        )
    state = default_state(model)
    if track is not None:
        set_pose(model, state, track.coordinates[0])
    model_m = marker_positions_m(model, state, names)
    return _StaticPose(
        state=state,
        names=names,
        weights=weights,
        # NaN rather than distances: without a pose the default pose would be compared with the data.
        model_m=model_m if posed else np.full_like(model_m, np.nan),
        observed_m=mean.select(names).positions_m[0],
    )


def _mean_frame(static: MarkerTrajectories) -> MarkerTrajectories:
    seen = np.isfinite(static.positions_m).all(axis=-1, keepdims=True)
    count = seen.sum(axis=0)
    total = np.where(seen, static.positions_m, 0.0).sum(axis=0)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return replace(static.rows(slice(0, 1)), positions_m=mean[None])


def _marker_places(
    model: opensim.Model, state: opensim.State, setup: ScaleSetup, observed_m: Mapping[str, NDArray[np.float64]]
) -> dict[str, tuple[str | None, NDArray[np.float64]]]:
    """Return marker -> (new body or None, place in its frame) for every marker that moves or changes its body."""
    ground = model.getGround()
    places: dict[str, tuple[str | None, NDArray[np.float64]]] = {}
    for name in marker_names(model):
        marker = model.getMarkerSet().get(name)
        body = setup.post_scaling.markers_moved_to_body.get(name)
        seen = observed_m.get(name)
        placed = setup.place_markers and seen is not None and np.isfinite(seen).all() and not marker.get_fixed()
        if not placed and body is None:
            continue
        if body is not None:
            _check_name(body, body_names(model), "body", setup.source)
        frame = marker.getParentFrame() if body is None else model.getBodySet().get(body)
        # A marker that changes its body without data stays where the static pose has it.
        position = vector(seen) if placed and seen is not None else marker.getLocationInGround(state)
        places[name] = (body, array(ground.findStationLocationInAnotherFrame(state, position, frame)))
    return places


def _measured_distance_m(static: MarkerTrajectories, pair: tuple[str, str]) -> float:
    first, second = (static.positions_m[:, static.column(name)] for name in pair)
    distances = np.linalg.norm(first - second, axis=-1)
    if not np.isfinite(distances).any():
        raise InputError(
            static.source,
            expected=f"markers {pair[0]!r} and {pair[1]!r} in the same samples",
            got="none in which both are seen",
            remedy="choose another time range, or take the pair out of the measurement",
        )
    # The mean of distances, not the distance of mean markers: the subject may sway.
    return float(np.nanmean(distances))


def _model_distance_m(model: opensim.Model, state: opensim.State, pair: tuple[str, str]) -> float:
    first, second = marker_positions_m(model, state, pair)
    distance = float(np.linalg.norm(first - second))
    if distance == 0.0:
        raise ModelError(f"model {model.getName()}: markers {pair[0]} and {pair[1]} coincide; they measure nothing")
    return distance


def model_mass_kg(model: opensim.Model) -> float:
    """Return the mass of all bodies."""
    return float(model.getTotalMass(default_state(model)))


def _constraint_names(model: opensim.Model) -> tuple[str, ...]:
    constraints = model.getConstraintSet()
    return tuple(constraints.get(index).getName() for index in range(constraints.getSize()))


def _check_marker(name: str, measurement: Measurement, existing: tuple[str, ...], source: str, where: str) -> None:
    if name not in existing:
        raise InputError(
            source,
            expected=f"markers of {where} in measurement {measurement.name!r}",
            got=f"{name!r}{suggest(name, existing)}; it has {list_names(existing)}",
            remedy=f"add the marker to {where}, or take the pair out of the measurement",
        )


def _check_name(name: str, existing: tuple[str, ...], what: str, source: str) -> None:
    if name not in existing:
        raise InputError(
            source,
            expected=f"a {what} of the model",
            got=f"{name!r}{suggest(name, existing)}",
            remedy=f"correct the name; there are {list_names(existing)}",
        )
