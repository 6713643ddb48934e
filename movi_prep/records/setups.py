"""Set-ups of scaling and inverse kinematics: measurements, weights, tasks and the steps after scaling."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MEASUREMENTS = "measurements"
MANUAL = "manualScale"


@dataclass(frozen=True)
class Measurement:
    """A scale factor from distances between markers.

    Attributes:
        name: its name, for messages and results.
        marker_pairs: the factor is the mean over these of measured / model distance.
        body_axes: (body, axes) pairs, axes a subset of "XYZ", which the factor scales.
    """

    name: str
    marker_pairs: tuple[tuple[str, str], ...]
    body_axes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CoordinateTask:
    """A coordinate that is pulled towards a value while markers are tracked.

    Attributes:
        name: the coordinate.
        weight: weight of the squared difference, beside the markers' weights (m^2 against rad^2 or m^2).
        source: where the value comes from: the model's default, `value`, or a coordinate file.
        value: the value for source "manual", rad or m (OpenSim takes it so too).
    """

    name: str
    weight: float
    source: Literal["default", "manual", "file"]
    value: float = 0.0


@dataclass(frozen=True)
class PostScaling:
    """Changes to the scaled model, in this order.

    Attributes:
        default_values: "static pose" makes the static pose the model's default, "kept" leaves the defaults as they are.
        unlocked_coordinates: coordinates that move from then on.
        locked_coordinates: coordinates that are locked at their default from then on.
        released_constraints: constraints that are switched off.
        markers_moved_to_body: marker -> body that carries it from then on, at the same place in the static pose.
    """

    default_values: Literal["static pose", "kept"] = "kept"
    unlocked_coordinates: tuple[str, ...] = ()
    locked_coordinates: tuple[str, ...] = ()
    released_constraints: tuple[str, ...] = ()
    markers_moved_to_body: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ScaleSetup:
    """The set-up that makes a subject's model from a generic one.

    Attributes:
        name: name of the setup.
        source: the file it came from, for messages.
        measurements: factors from marker distances.
        manual_factors: body -> three factors that are given.
        order: which of MEASUREMENTS and MANUAL is applied, in which order; the later one wins on a body.
        scale_bodies: whether bodies and masses are scaled at all.
        scaling_time_range_s: first and last time over which marker distances are averaged.
        placement_time_range_s: first and last time over which the static pose is averaged.
        preserve_mass_distribution: whether bodies keep their share of the total mass.
        max_marker_movement_m: largest movement of a marker within the static time range, negative for no limit.
        marker_weights: weights of the markers in the static pose.
        coordinate_tasks: coordinates that are pulled towards a value in the static pose.
        accuracy: of OpenSim's solver in the static pose; MarkerPlacer's default is 1e-4, which leaves landmarks some
            millimetres further off than necessary.
        place_markers: whether markers are moved onto the static trial, and those that it lacks are left out.
        post_scaling: steps afterwards.
        mass_kg: mass that the setup states, None where it does not.
        height_m: stature that the setup states, None where it does not.
        model_file: generic model that the setup names.
        marker_set_file: marker set (OpenSim XML) that replaces or joins the model's markers.
        static_file: static trial that the setup names.
        placement_file: static trial that it names for the placement of markers, None where it is the same.
        coordinate_file: coordinates for tasks with source "file".
        scaled_model_file: where OpenSim's tool writes the model before markers are placed.
        placed_model_file: where it writes the model with its markers placed.
        factors_file: where the tool writes the factors of all bodies.
        placed_markers_file: where it writes the markers that it placed, as a marker set.
        pose_file: where it writes the static pose.
    """

    name: str
    source: str
    measurements: tuple[Measurement, ...]
    manual_factors: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    order: tuple[str, ...] = (MEASUREMENTS,)
    scale_bodies: bool = True
    scaling_time_range_s: tuple[float, float] = (float("-inf"), float("inf"))
    placement_time_range_s: tuple[float, float] = (float("-inf"), float("inf"))
    preserve_mass_distribution: bool = True
    max_marker_movement_m: float = -1.0
    marker_weights: Mapping[str, float] = field(default_factory=dict)
    coordinate_tasks: tuple[CoordinateTask, ...] = ()
    accuracy: float = 1e-4
    place_markers: bool = True
    post_scaling: PostScaling = field(default_factory=PostScaling)
    mass_kg: float | None = None
    height_m: float | None = None
    model_file: Path | None = None
    marker_set_file: Path | None = None
    static_file: Path | None = None
    placement_file: Path | None = None
    coordinate_file: Path | None = None
    scaled_model_file: Path | None = None
    placed_model_file: Path | None = None
    factors_file: Path | None = None
    placed_markers_file: Path | None = None
    pose_file: Path | None = None


@dataclass(frozen=True)
class IkSetup:
    """The targets of inverse kinematics, and its settings.

    Attributes:
        name: name of the setup; result files of OpenSim's tool begin with it.
        source: the file it came from, for messages.
        marker_weights: weight of each marker that is tracked; 0 for markers that are only reported.
        coordinate_tasks: coordinates that are pulled towards a value.
        accuracy: accuracy of OpenSim's solver.
        constraint_weight: weight of coupler constraints, infinity to enforce them.
        time_range_s: first and last time to solve.
        model_file: scaled model that the setup names.
        marker_file: marker trajectories that the setup names.
        coordinate_file: coordinates for tasks with source "file".
        output_motion_file: motion file that the setup names.
        results_folder: folder for the reports.
        report_errors: whether marker errors are written.
        report_marker_locations: whether model marker positions are written.
        report_deviations: whether standard deviations of the coordinates are written; OpenSim's tool has none.
    """

    name: str
    source: str
    marker_weights: Mapping[str, float]
    coordinate_tasks: tuple[CoordinateTask, ...] = ()
    accuracy: float = 1e-5
    constraint_weight: float = float("inf")
    time_range_s: tuple[float, float] = (float("-inf"), float("inf"))
    model_file: Path | None = None
    marker_file: Path | None = None
    coordinate_file: Path | None = None
    output_motion_file: Path | None = None
    results_folder: Path | None = None
    report_errors: bool = True
    report_marker_locations: bool = False
    report_deviations: bool = False

    @property
    def held(self) -> frozenset[str]:
        """Coordinates that are pulled towards a value, so that their values are intended."""
        # A weight of 0 switches a task off without removing it.
        return frozenset(task.name for task in self.coordinate_tasks if task.weight > 0)


def without_markers(setup: ScaleSetup, lost: Collection[str]) -> tuple[ScaleSetup, tuple[str, ...]]:
    """Return a set-up whose measurements do without the markers `lost`, and the measurements that have no pair left."""
    if not lost:
        return setup, ()
    left = tuple(
        replace(measurement, marker_pairs=pairs)
        for measurement in setup.measurements
        # A pair needs both of its markers; a measurement is the mean over the pairs that are left.
        if (pairs := tuple(pair for pair in measurement.marker_pairs if not set(pair) & set(lost)))
    )
    names = {measurement.name for measurement in left}
    gone = tuple(measurement.name for measurement in setup.measurements if measurement.name not in names)
    return replace(setup, measurements=left), gone
