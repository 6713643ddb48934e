"""From coordinates to a whole solution: marker, body and joint positions through the model's forward kinematics.

Coordinates of any solver come in; residuals, body rotations, joint centres and constraint errors go out. The arrays
of the kinematic tree do it for all frames at once; a model that the tree cannot represent is posed in OpenSim.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import opensim

from movi_prep.errors import InternalError, ModelError
from movi_prep.osim.extract_tree import extract_tree
from movi_prep.osim.models import (
    array,
    body_names,
    coordinate_names,
    default_state,
    is_rotation,
    marker_names,
    marker_positions_m,
    root_joint,
    set_pose,
)
from movi_prep.records.ik_solution import USABLE_STATUSES, FrameStatus, IkSolution
from movi_prep.records.vectors import are_finite, squared_lengths

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree
    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.records.pose_deviation import PoseDeviation


@dataclass(frozen=True, eq=False)
class ScaledModel:
    """A model that is ready to be solved.

    Attributes:
        model: OpenSim's model.
        tree: its kinematics as arrays, None where they cannot represent it exactly.
        refusal: why the model has no tree; empty if it has one.
        source: the file it was read from.
        coordinate_names: (c,) in the model's order.
        coordinate_is_rotation: (c,) bool, motion type Rotational: radians (see `IkSolution`).
        free_coordinates: (c,) bool, neither locked nor coupled.
        coordinate_bounds: (c, 2) float64, rad or m: the range where it is clamped, infinite elsewhere.
        marker_bodies: marker -> body that carries it.
        default_markers_m: marker -> (3,) float64, metres, ground: where it is in the default pose.
        coordinate_bodies: (c,) body that each coordinate moves: the child of its joint.
    """

    model: opensim.Model
    tree: KinematicTree | None
    refusal: str
    source: Path
    coordinate_names: tuple[str, ...]
    coordinate_is_rotation: NDArray[np.bool_]
    free_coordinates: NDArray[np.bool_]
    coordinate_bounds: NDArray[np.float64]
    marker_bodies: dict[str, str]
    default_markers_m: dict[str, NDArray[np.float64]]
    coordinate_bodies: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class SolvedFrames:
    """The result of a solver, before forward kinematics.

    Attributes:
        solver: "opensim" or "converged".
        coordinates: (n, c) float64, rad or m, the model's order; NaN where there is no pose.
        statuses: (n,) int8 of FrameStatus.
        iterations: (n,) int32, None where the solver does not report it.
        gradient_norms: (n,) float64, None where the solver does not report it.
        constraint_errors: (n,) float64, None to have them computed.
        posterior_std: (n, c) float64, rad or m, None where not computed.
        ranks: (n,) int32, None where not computed.
        deviations: covariances of the free coordinates of labels, None where not computed.
        label_std: (n, c) float64, rad or m, deviations of labels, None where not computed.
        marker_names: (k,) tracked markers whose places the solver tells; empty where it tells none.
        markers_m: (n, k, 3) float64, metres, ground: where the model has them.
        objectives: (n,) float64, m^2, half the weighted mean squared marker error; None to have them computed.
    """

    solver: str
    coordinates: NDArray[np.float64]
    statuses: NDArray[np.int8]
    iterations: NDArray[np.int32] | None = None
    gradient_norms: NDArray[np.float64] | None = None
    constraint_errors: NDArray[np.float64] | None = None
    posterior_std: NDArray[np.float64] | None = None
    ranks: NDArray[np.int32] | None = None
    deviations: PoseDeviation | None = None
    label_std: NDArray[np.float64] | None = None
    marker_names: tuple[str, ...] = ()
    markers_m: NDArray[np.float64] | None = None
    objectives: NDArray[np.float64] | None = None


_BLOCK_ROWS = 2048
"""Rows that are posed at a time, because the results of a long clip leave little memory for more."""


@dataclass(frozen=True, eq=False)
class _Posed:
    """Forward kinematics of (n, c) coordinates, in ground: bodies and joints in the model's order."""

    markers_m: NDArray[np.float64]
    body_rotations: NDArray[np.float64]
    body_positions_m: NDArray[np.float64]
    joint_centres_m: NDArray[np.float64]
    root_rotations: NDArray[np.float64]
    root_positions_m: NDArray[np.float64]


def prepare_model(model: opensim.Model, source: Path) -> ScaledModel:
    """Return the model with its tree (or the reason why there is none) and the names that labels need.

    Its system must be built (`Model.initSystem`) since its last change.
    """
    tree, refusal = None, ""
    state = default_state(model)
    try:
        tree = extract_tree(model, state)
    except ModelError as error:
        refusal = str(error)
    coordinates = [model.getCoordinateSet().get(index) for index in range(model.getCoordinateSet().getSize())]
    markers = [model.getMarkerSet().get(index) for index in range(model.getMarkerSet().getSize())]
    names = marker_names(model)
    return ScaledModel(
        model=model,
        tree=tree,
        refusal=refusal,
        source=source,
        coordinate_names=coordinate_names(model),
        coordinate_is_rotation=np.array([is_rotation(coordinate) for coordinate in coordinates], dtype=bool),
        # A constrained coordinate is a coupled or prescribed one (Coordinate::isConstrained covers locks too).
        free_coordinates=np.array([not coordinate.isConstrained(state) for coordinate in coordinates]),
        coordinate_bounds=np.array([_bounds(coordinate, state) for coordinate in coordinates]).reshape(-1, 2),
        marker_bodies={marker.getName(): marker.getParentFrame().findBaseFrame().getName() for marker in markers},
        default_markers_m=dict(zip(names, marker_positions_m(model, state, names), strict=True)),
        coordinate_bodies=tuple(
            coordinate.getJoint().getChildFrame().findBaseFrame().getName() for coordinate in coordinates
        ),
    )


def complete_solution(
    scaled: ScaledModel,
    frames: SolvedFrames,
    markers: MarkerTrajectories,
    weights: dict[str, float],
    *,
    suspect_rms_m: float = np.inf,
) -> IkSolution:
    """Return the whole solution; `coordinate_valid` is still true in all usable frames (see `geometry.landmark_rule`).

    Args:
        scaled: the model that was solved.
        frames: result of the solver.
        markers: the clip's trajectories, one row per solved frame, OpenSim ground, metres.
        weights: weight per marker name; markers of the model without one are carried along with weight 0.
        suspect_rms_m: a solved frame whose weighted RMS is above this is marked SUSPECT.
    """
    there = set(markers.names)
    names = tuple(name for name in scaled.marker_bodies if name in there)
    posed = pose_rows(scaled, frames.coordinates, names)
    return _put_together(scaled, frames, markers.select(names), posed, weights, suspect_rms_m=suspect_rms_m)


def complete_angles(
    scaled: ScaledModel, frames: SolvedFrames, markers: MarkerTrajectories, weights: dict[str, float]
) -> IkSolution:
    """Return the solution with just the markers that the solver tracked, whose places it told, and without bodies.

    Args:
        scaled, frames, weights: as of `complete_solution`; the model has a tree.
        markers: the clip's trajectories, as of `complete_solution`.
    """
    tree, n = scaled.tree, len(frames.coordinates)
    if tree is None or frames.markers_m is None:
        raise InternalError("angles without bodies: expected a tree and the solver's markers, but got none")
    root_rotations, root_positions_m = tree.joint_frame(root_joint(scaled.model).getName(), frames.coordinates)
    posed = _Posed(
        markers_m=frames.markers_m,
        body_rotations=np.empty((n, 0, 3, 3)),
        body_positions_m=np.empty((n, 0, 3)),
        joint_centres_m=np.empty((n, 0, 3)),
        root_rotations=root_rotations,
        root_positions_m=root_positions_m,
    )
    return _put_together(scaled, frames, markers.select(frames.marker_names), posed, weights)


def restore_bodies(
    scaled: ScaledModel, angles: IkSolution, markers: MarkerTrajectories, weights: dict[str, float]
) -> IkSolution:
    """Return a solution of angles with the markers, bodies and joints that it was stored without.

    Args:
        scaled: the model it was solved with.
        angles: the solution.
        markers: the trajectories that it was solved from.
        weights: as of `complete_solution`.
    """
    whole = complete_solution(
        scaled, SolvedFrames(angles.solver, angles.coordinates, angles.statuses), markers, weights
    )
    kept = {name: getattr(angles, name) for name in ("coordinate_valid", *_EVIDENCE)}
    return replace(whole, **kept)


_EVIDENCE = ("statuses", "objectives", "iterations", "gradient_norms", "constraint_errors", "label_std")
"""What a solution of angles knows better than its coordinates tell."""


def _put_together(
    scaled: ScaledModel,
    frames: SolvedFrames,
    markers: MarkerTrajectories,
    posed: _Posed,
    weights: dict[str, float],
    *,
    suspect_rms_m: float = np.inf,
) -> IkSolution:
    """Return the solution of the markers at hand, which are those of `posed`."""
    # A marker with an infinite component counts as missing, because its residual would be NaN.
    observed_m = finite_or_nan(markers.positions_m)
    marker_weights = np.array([weights.get(name, 0.0) for name in markers.names])
    objectives = frames.objectives
    if objectives is None:
        objectives = marker_objectives(posed.markers_m, observed_m, marker_weights)
    n_rows = len(frames.coordinates)
    statuses = _with_suspects(frames.statuses, np.sqrt(2.0 * objectives), suspect_rms_m)
    usable = np.isin(statuses, [int(status) for status in USABLE_STATUSES])
    errors = frames.constraint_errors
    return IkSolution(
        solver=frames.solver,
        times_s=markers.times_s,
        sample_indices=markers.sample_indices,
        rate_hz=markers.rate_hz,
        coordinate_names=scaled.coordinate_names,
        coordinate_is_rotation=scaled.coordinate_is_rotation,
        coordinates=frames.coordinates,
        coordinate_valid=np.repeat(usable[:, None], len(scaled.coordinate_names), axis=1),
        marker_names=markers.names,
        marker_weights=marker_weights,
        model_markers_m=posed.markers_m,
        observed_markers_m=observed_m,
        body_names=body_names(scaled.model) if posed.body_rotations.shape[1] else (),
        body_rotations=posed.body_rotations,
        body_positions_m=posed.body_positions_m,
        joint_names=joint_names(scaled.model) if posed.joint_centres_m.shape[1] else (),
        joint_centres_m=posed.joint_centres_m,
        root_frame_rotations=posed.root_rotations,
        root_frame_positions_m=posed.root_positions_m,
        statuses=statuses,
        objectives=objectives,
        iterations=np.full(n_rows, -1, dtype=np.int32) if frames.iterations is None else frames.iterations,
        gradient_norms=np.full(n_rows, np.nan) if frames.gradient_norms is None else frames.gradient_norms,
        constraint_errors=errors if errors is not None else _coupler_errors(scaled, frames.coordinates),
        posterior_std=frames.posterior_std,
        ranks=frames.ranks,
        label_std=frames.label_std,
        deviation_factor=None if frames.deviations is None else frames.deviations.factor,
        deviation_correlation_s=None if frames.deviations is None else frames.deviations.correlation_s,
        free_coordinates=scaled.free_coordinates,
    )


def marker_objectives(
    model_m: NDArray[np.float64], observed_m: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (n,) float64, m^2: half the weighted mean squared distance over the markers that are seen.

    Args:
        model_m: (n, m, 3) metres.
        observed_m: (n, m, 3) metres, NaN where not seen.
        weights: (m,); they are normalised over the visible markers of each frame.
    """
    squared = np.empty_like(model_m[..., 0])
    for first in range(0, len(squared), _BLOCK_ROWS):
        rows = slice(first, first + _BLOCK_ROWS)
        missed_m = model_m[rows] - observed_m[rows]
        squared[rows] = squared_lengths(missed_m)
    seen = are_finite(observed_m) * weights
    total = seen.sum(axis=1)
    # In place: of a long clip each copy counts.
    squared[~(seen > 0)] = 0.0
    squared *= seen
    weighted = squared.sum(axis=1)
    return np.asarray(0.5 * np.divide(weighted, total, out=np.full(len(total), np.nan), where=total > 0))


def finite_or_nan(positions_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., 3) positions with every marker that has an infinite or missing component as NaN."""
    # Trajectories take most of a long clip's memory, so do not copy them if no marker is missing.
    seen = are_finite(positions_m)
    return positions_m if seen.all() else np.where(seen[..., None], positions_m, np.nan)


def joint_names(model: opensim.Model) -> tuple[str, ...]:
    """Return the names of all joints, in the model's order."""
    joints = model.getJointSet()
    return tuple(joints.get(index).getName() for index in range(joints.getSize()))


def _with_suspects(statuses: NDArray[np.int8], rms_m: NDArray[np.float64], suspect_rms_m: float) -> NDArray[np.int8]:
    solved = np.isin(statuses, [int(status) for status in USABLE_STATUSES])
    # `not <=`, because a frame whose RMS is NaN is suspect too.
    suspect = solved & ~(rms_m <= suspect_rms_m)
    return np.where(suspect, int(FrameStatus.SUSPECT), statuses).astype(np.int8)


def pose_rows(scaled: ScaledModel, coordinates: NDArray[np.float64], names: tuple[str, ...]) -> _Posed:
    """Return forward kinematics; frames without a pose are NaN throughout."""
    tree = scaled.tree
    if tree is None:
        return _pose_in_opensim(scaled, coordinates, names)
    # The tree has parents before children; labels have the model's order.
    bodies = [tree.body_names.index(name) for name in body_names(scaled.model)]
    joints = [tree.joint_names.index(name) for name in joint_names(scaled.model)]
    markers = [tree.marker(name) for name in names]
    root = tree.joint_names.index(root_joint(scaled.model).getName())
    n_rows = len(coordinates)
    posed = _Posed(
        markers_m=np.empty((n_rows, len(markers), 3)),
        body_rotations=np.empty((n_rows, len(bodies), 3, 3)),
        body_positions_m=np.empty((n_rows, len(bodies), 3)),
        joint_centres_m=np.empty((n_rows, len(joints), 3)),
        root_rotations=np.empty((n_rows, 3, 3)),
        root_positions_m=np.empty((n_rows, 3)),
    )
    for first in range(0, len(coordinates), _BLOCK_ROWS):
        rows = slice(first, first + _BLOCK_ROWS)
        frame_rotations, centres = tree.joint_frames(coordinates[rows])
        rotations, positions = tree.bodies_at(frame_rotations, centres)
        posed.markers_m[rows] = tree.markers_at(rotations, positions)[:, markers]
        posed.body_rotations[rows] = rotations[:, bodies]
        posed.body_positions_m[rows] = positions[:, bodies]
        posed.joint_centres_m[rows] = centres[:, joints]
        posed.root_rotations[rows] = frame_rotations[:, root]
        posed.root_positions_m[rows] = centres[:, root]
    return posed


def _pose_in_opensim(scaled: ScaledModel, coordinates: NDArray[np.float64], names: tuple[str, ...]) -> _Posed:
    model = scaled.model
    state = default_state(model)
    bodies = [model.getBodySet().get(name) for name in body_names(model)]
    joints = [model.getJointSet().get(name).getChildFrame() for name in joint_names(model)]
    markers = [model.getMarkerSet().get(name) for name in names]
    root = root_joint(model).getChildFrame()
    n_rows = len(coordinates)
    posed = _Posed(
        markers_m=np.full((n_rows, len(markers), 3), np.nan),
        body_rotations=np.full((n_rows, len(bodies), 3, 3), np.nan),
        body_positions_m=np.full((n_rows, len(bodies), 3), np.nan),
        joint_centres_m=np.full((n_rows, len(joints), 3), np.nan),
        root_rotations=np.full((n_rows, 3, 3), np.nan),
        root_positions_m=np.full((n_rows, 3), np.nan),
    )
    # Row by row: an OpenSim state holds one pose.
    for row in np.flatnonzero(np.isfinite(coordinates).all(axis=1)):
        set_pose(model, state, coordinates[row])
        posed.markers_m[row] = [array(marker.getLocationInGround(state)) for marker in markers]
        posed.body_rotations[row] = [_rotation(body, state) for body in bodies]
        posed.body_positions_m[row] = [array(body.getPositionInGround(state)) for body in bodies]
        posed.joint_centres_m[row] = [array(frame.getPositionInGround(state)) for frame in joints]
        posed.root_rotations[row] = _rotation(root, state)
        posed.root_positions_m[row] = array(root.getPositionInGround(state))
    return posed


def _bounds(coordinate: opensim.Coordinate, state: opensim.State) -> tuple[float, float]:
    if not coordinate.getClamped(state):
        return -np.inf, np.inf
    return coordinate.getRangeMin(), coordinate.getRangeMax()


def _rotation(frame: opensim.PhysicalFrame, state: opensim.State) -> NDArray[np.float64]:
    rotation = frame.getRotationInGround(state)
    return np.array([[rotation.get(row, column) for column in range(3)] for row in range(3)])


def _coupler_errors(scaled: ScaledModel, coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n,) largest difference between coupled coordinates and what their couplers ask, rad or m."""
    tree = scaled.tree
    if tree is None or not bool(np.any(tree.coupled_to >= 0)):
        return np.where(np.isfinite(coordinates).all(axis=1), 0.0, np.nan)
    # How far followers are from where their leaders put them, before they are put there.
    coupled = tree.coupled_to >= 0
    wanted = tree.complete_coordinates(coordinates)
    return np.asarray(np.abs(wanted - coordinates)[:, coupled].max(axis=1))
