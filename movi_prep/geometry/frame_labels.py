"""Labels of one clip as one camera sees it: from OpenSim ground to AMASS world, camera frame and pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import InternalError
from movi_prep.geometry.frames import AMASS_TO_GROUND, ground_to_amass
from movi_prep.geometry.projection import inside_image, project_points, rotation_to_camera, world_to_camera

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from movi_prep.records.camera import Camera
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.labels import LabelTables
    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.records.timeline import ClipTimeline

PELVIS = "pelvis"
"""Body whose rotation and position are labels."""


@dataclass(frozen=True)
class ClipLabels:
    """Label arrays of one clip, by their names in the shard's schema, and what the model does not have.

    Attributes:
        rows: field -> array, first axis the frames of the timeline.
        absent: label names that the model or the data lack; their masks are false in every row.
    """

    rows: dict[str, NDArray[Any]]
    absent: tuple[str, ...]


def label_clip(
    timeline: ClipTimeline,
    markers: MarkerTrajectories,
    solution: IkSolution,
    tables: LabelTables,
    *,
    camera: Camera,
    miss_limit_m: float,
) -> ClipLabels:
    """Return the labels of every frame of a timeline.

    Args:
        timeline: frames whose mocap sample has a row in `markers` and in `solution`.
        markers: marker trajectories of the clip, OpenSim ground.
        solution: inverse kinematics of the clip, OpenSim ground.
        tables: which labels, in which order.
        camera: the camera.
        miss_limit_m: a marker or joint that the model misses by more is not valid.
    """
    # Markers and solution may have been cut differently: rows are found by sample, never counted.
    marker_rows = rows_of_samples(timeline.mocap_samples, markers.sample_indices)
    solution_rows = rows_of_samples(timeline.mocap_samples, solution.sample_indices)
    solved = solution.usable()[solution_rows]
    found: dict[str, NDArray[Any]] = {}
    absent: list[str] = []
    for kind, names in (("joints", tables.joints), ("markers", tables.markers)):
        seen_ground = markers.select(names).positions_m[marker_rows]
        fitted = _columns(solution.model_markers_m[solution_rows], solution.marker_names, names)
        absent += list(fitted.absent)
        found |= _points(kind, ground_to_amass(seen_ground), camera)
        found |= _fit_of_points(kind, seen_ground, fitted, solved=solved, miss_limit_m=miss_limit_m)
    joints = _columns(solution.joint_centres_m[solution_rows], solution.joint_names, tables.opensim_joints)
    coordinates = _columns(solution.coordinates[solution_rows], solution.coordinate_names, tables.coordinates)
    absent += [*joints.absent, *coordinates.absent]
    found |= _opensim_joints(joints.values, solved, camera)
    found |= _coordinates(coordinates, solution, solution_rows, tables.coordinates, solved)
    found |= _poses(solution, solution_rows, solved, camera)
    found["labels/pose_valid"] = solved
    found["frames/ik_status"] = solution.statuses[solution_rows]
    return ClipLabels(rows=found, absent=tuple(absent))


def rows_of_samples(samples: NDArray[np.int64], available: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (n,) int64: the row of each sample in increasing `available` ones; raise InternalError for one without."""
    rows = np.searchsorted(available, samples)
    missing = ~has_samples(samples, available)
    if missing.any():
        raise InternalError(f"samples {samples[missing].tolist()[:5]} have no row; they should have been refused")
    return rows


def has_samples(samples: NDArray[np.int64], available: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (n,) bool: which samples are among the available ones."""
    return np.isin(samples, available)


@dataclass(frozen=True)
class _Columns:
    """Columns picked by name; NaN for names that are not there."""

    values: NDArray[np.float64]
    there: NDArray[np.bool_]
    absent: tuple[str, ...]


def _columns(values: NDArray[np.float64], names: Sequence[str], wanted: Sequence[str]) -> _Columns:
    position = {name: index for index, name in enumerate(names)}
    there = np.array([name in position for name in wanted])
    # Column 0 stands in for names that are absent, and is overwritten at once.
    picked = values[:, [position.get(name, 0) for name in wanted]].copy()
    picked[:, ~there] = np.nan
    absent = tuple(name for name in wanted if name not in position)
    return _Columns(values=picked, there=there, absent=absent)


def _points(kind: str, world_m: NDArray[np.float64], camera: Camera) -> dict[str, NDArray[Any]]:
    pixels = project_points(camera, world_m)
    return {
        f"labels/{kind}_world_m": np.nan_to_num(world_m),
        f"labels/{kind}_camera_m": np.nan_to_num(world_to_camera(camera, world_m)),
        f"labels/{kind}_px": np.nan_to_num(pixels),
        f"labels/{kind}_in_image": inside_image(pixels, camera.size_px),
    }


def _fit_of_points(
    kind: str,
    seen_ground: NDArray[np.float64],
    fitted: _Columns,
    *,
    solved: NDArray[np.bool_],
    miss_limit_m: float,
) -> dict[str, NDArray[Any]]:
    """The fitted model's points, and which observed ones it reaches; not seen, not fitted and not solved are false."""
    with np.errstate(invalid="ignore"):
        # NaN on either side compares as false, as it should.
        reached = np.linalg.norm(fitted.values - seen_ground, axis=2) <= miss_limit_m
    return {
        f"labels/model_{kind}_world_m": _blank(ground_to_amass(fitted.values), solved),
        f"labels/{kind}_valid": reached & solved[:, None],
    }


def _opensim_joints(
    centres_ground: NDArray[np.float64], solved: NDArray[np.bool_], camera: Camera
) -> dict[str, NDArray[Any]]:
    world_m = ground_to_amass(centres_ground)
    return {
        "labels/opensim_joints_world_m": _blank(world_m, solved),
        "labels/opensim_joints_camera_m": _blank(world_to_camera(camera, world_m), solved),
    }


def _coordinates(
    coordinates: _Columns,
    solution: IkSolution,
    rows: NDArray[np.int64],
    names: Sequence[str],
    solved: NDArray[np.bool_],
) -> dict[str, NDArray[Any]]:
    # As numbers, so that an absent name is NaN, which is not 1.
    valid = _columns(solution.coordinate_valid[rows].astype(np.float64), solution.coordinate_names, names)
    mask = (valid.values == 1.0) & coordinates.there & solved[:, None]
    found: dict[str, NDArray[Any]] = {
        "labels/coordinates_rad": _blank(coordinates.values, solved),
        "labels/coordinates_valid": mask,
    }
    if solution.posterior_std is not None:
        spread = _columns(solution.posterior_std[rows], solution.coordinate_names, names)
        # infinite where the markers see nothing: a value, unlike in all other labels
        found["labels/coordinates_std_rad"] = np.nan_to_num(
            np.where(solved[:, None], spread.values, 0.0), posinf=np.inf
        )
    return found


def _poses(
    solution: IkSolution, rows: NDArray[np.int64], solved: NDArray[np.bool_], camera: Camera
) -> dict[str, NDArray[Any]]:
    """Pelvis and root frame; a rotation is changed from ground to world by the same turn as a point."""
    if PELVIS not in solution.body_names:
        raise InternalError(f"the model has no body {PELVIS!r}")
    pelvis = solution.body_names.index(PELVIS)
    # A rotation's inverse is its transpose.
    to_world = AMASS_TO_GROUND.T
    rotation = _upright(to_world @ solution.body_rotations[rows, pelvis], solved)
    position = ground_to_amass(solution.body_positions_m[rows, pelvis])
    return {
        "labels/pelvis_rotation_world": rotation,
        "labels/pelvis_rotation_camera": rotation_to_camera(camera, rotation),
        "labels/pelvis_position_world_m": _blank(position, solved),
        "labels/pelvis_position_camera_m": _blank(world_to_camera(camera, position), solved),
        "labels/root_rotation_world": _upright(to_world @ solution.root_frame_rotations[rows], solved),
        "labels/root_position_world_m": _blank(ground_to_amass(solution.root_frame_positions_m[rows]), solved),
    }


def _blank(values: NDArray[np.float64], solved: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the values with zeros where there is no label: NaN would spread through a masked loss."""
    shape = (len(solved), *[1] * (values.ndim - 1))
    return np.nan_to_num(np.where(solved.reshape(shape), values, 0.0))


def _upright(rotations: NDArray[np.float64], solved: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the rotations with the identity where there is no label."""
    return np.where(solved[:, None, None], rotations, np.eye(3))


def moved_since_used(positions_m: NDArray[np.float64], *, distance_m: float, rule: str) -> NDArray[np.bool_]:
    """Return (n,) bool: the first frame, and every one where markers moved far enough since the last such frame.

    Args:
        positions_m: (n, m, 3) float64, metres, frames of one clip in order.
        distance_m: how far.
        rule: "any": one marker moved that far; "sum": all displacements together did.
    """
    used = np.zeros(len(positions_m), dtype=np.bool_)
    last = None
    # Each decision needs the one before: the one loop over frames that cannot be turned into arrays.
    for row, positions in enumerate(positions_m):
        if last is not None:
            moved = np.linalg.norm(positions - last, axis=1)
            amount = moved.max() if rule == "any" else moved.sum()
            if amount <= distance_m:
                continue
        used[row], last = True, positions
    return used
