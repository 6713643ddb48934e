"""Labels of one clip as one camera sees it, converted from OpenSim ground to AMASS world, camera frame and pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InternalError
from movi_prep.geometry.frames import AMASS_TO_GROUND, ground_to_amass
from movi_prep.geometry.projection import inside_image, project_points, rotation_to_camera, world_to_camera
from movi_prep.records.frame_labels import (
    BodyPoints,
    BodyScales,
    FrameLabels,
    JointAngles,
    JointCentres,
    RootPoses,
    SurfacePoints,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from movi_prep.records.camera import Camera
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.label_tables import LabelNames
    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.records.scale_result import ScaleResult

PELVIS = "pelvis"
"""Body whose rotation and position are labels."""


@dataclass(frozen=True)
class SolvedClip:
    """The data that the labels of one clip are made from.

    Attributes:
        markers: marker trajectories, OpenSim ground.
        solution: inverse kinematics, OpenSim ground.
        scale: body scales of the subject.
    """

    markers: MarkerTrajectories
    solution: IkSolution
    scale: ScaleResult


def label_clip(
    samples: NDArray[np.int64], clip: SolvedClip, tables: LabelNames, *, camera: Camera, miss_limit_m: float
) -> FrameLabels:
    """Return the labels of some frames.

    Args:
        samples: (n,) sample of each frame, which has a row in the markers and in the solution.
        clip: the data for the labels.
        tables: which labels, in which order.
        camera: the camera.
        miss_limit_m: a marker or joint that the model misses by more is not valid.
    """
    markers, solution = clip.markers, clip.solution
    # Markers and solution may have been cut differently: rows are found by sample, never counted.
    marker_rows = rows_of_samples(samples, markers.sample_indices)
    rows = rows_of_samples(samples, solution.sample_indices)
    # Every label of pose is blanked by this one mask, so that no two of them can disagree.
    solved = solution.usable()[rows]

    def points(names: tuple[str, ...]) -> BodyPoints:
        seen_ground = markers.select(names).positions_m[marker_rows]
        fitted = _columns(solution.model_markers_m[rows], solution.marker_names, names)
        return _points(seen_ground, fitted, camera, solved=solved, miss_limit_m=miss_limit_m)

    return FrameLabels(
        joints=points(tables.joints),
        markers=points(tables.markers),
        surface=_surface(markers, marker_rows, tables.surface, camera),
        joint_centres=_joint_centres(solution, rows, tables.opensim_joints, solved, camera),
        coordinates=_coordinates(solution, rows, tables.coordinates, solved),
        root=_poses(solution, rows, solved, camera),
        scales=body_scales(clip.scale, tables.bodies),
        ik_status=solution.statuses[rows],
    )


def absent_labels(clip: SolvedClip, tables: LabelNames) -> tuple[str, ...]:
    """Return the names of labels that model or markers lack; their masks are false in every row."""
    solution = clip.solution
    return tuple(
        name
        for wanted, there in (
            (tables.joints, solution.marker_names),
            (tables.markers, solution.marker_names),
            (tables.surface, clip.markers.names),
            (tables.opensim_joints, solution.joint_names),
            (tables.coordinates, solution.coordinate_names),
            (tables.bodies, clip.scale.body_names),
        )
        for name in wanted
        if name not in there
    )


def body_scales(scale: ScaleResult, bodies: Sequence[str]) -> BodyScales:
    """Return the scale factors of some bodies; zero and false for one that the model lacks."""
    factors = dict(zip(scale.body_names, scale.body_factors, strict=True))
    return BodyScales(
        factors=np.array([factors.get(name, np.zeros(3)) for name in bodies]),
        valid=np.array([name in factors for name in bodies]),
    )


def rows_of_samples(samples: NDArray[np.int64], available: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (n,) int64 rows of samples among increasing `available` ones; raise InternalError where one has no row."""
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


def _columns(values: NDArray[np.float64], names: Sequence[str], wanted: Sequence[str]) -> _Columns:
    position = {name: index for index, name in enumerate(names)}
    there = np.array([name in position for name in wanted])
    # Absent names take column 0, which is overwritten below.
    picked = values[:, [position.get(name, 0) for name in wanted]].copy()
    picked[:, ~there] = np.nan
    return _Columns(values=picked, there=there)


def _points(
    seen_ground: NDArray[np.float64],
    fitted: _Columns,
    camera: Camera,
    *,
    solved: NDArray[np.bool_],
    miss_limit_m: float,
) -> BodyPoints:
    """Return points, and which of them the fitted model reaches; false where not seen, fitted or solved."""
    world_m = ground_to_amass(seen_ground)
    pixels = project_points(camera, world_m)
    with np.errstate(invalid="ignore"):
        # NaN on either side compares as false, as it should.
        reached = np.linalg.norm(fitted.values - seen_ground, axis=2) <= miss_limit_m
    return BodyPoints(
        world_m=np.nan_to_num(world_m),
        camera_m=np.nan_to_num(world_to_camera(camera, world_m)),
        # In the image first, blank second: zeros would count as the corner of the image.
        seen_px=np.nan_to_num(pixels),
        in_image=inside_image(pixels, camera.size_px),
        valid=reached & solved[:, None],
        model_world_m=_blank(ground_to_amass(fitted.values), solved),
    )


def _surface(
    markers: MarkerTrajectories, rows: NDArray[np.int64], names: Sequence[str], camera: Camera
) -> SurfacePoints | None:
    """Return points of the skin; or None where the markers lack any of them: a part of the points is of no use."""
    if not set(names) <= set(markers.names):
        return None
    world_m = ground_to_amass(markers.select(names).positions_m[rows])
    pixels = project_points(camera, world_m)
    return SurfacePoints(
        world_m=np.nan_to_num(world_m),
        camera_m=np.nan_to_num(world_to_camera(camera, world_m)),
        seen_px=np.nan_to_num(pixels),
        in_image=inside_image(pixels, camera.size_px),
    )


def _joint_centres(
    solution: IkSolution, rows: NDArray[np.int64], names: Sequence[str], solved: NDArray[np.bool_], camera: Camera
) -> JointCentres:
    centres = _columns(solution.joint_centres_m[rows], solution.joint_names, names)
    world_m = ground_to_amass(centres.values)
    return JointCentres(
        world_m=_blank(world_m, solved),
        camera_m=_blank(world_to_camera(camera, world_m), solved),
        valid=centres.there & solved[:, None],
    )


def _coordinates(
    solution: IkSolution, rows: NDArray[np.int64], names: Sequence[str], solved: NDArray[np.bool_]
) -> JointAngles:
    coordinates = _columns(solution.coordinates[rows], solution.coordinate_names, names)
    # As numbers, so that an absent name is NaN, which is not 1.
    valid = _columns(solution.coordinate_valid[rows].astype(np.float64), solution.coordinate_names, names)
    spread = None
    if solution.std is not None:
        std = _columns(solution.std[rows], solution.coordinate_names, names)
        # Infinite where the markers see nothing: a value, unlike in all other labels.
        spread = np.nan_to_num(np.where(solved[:, None], std.values, 0.0), posinf=np.inf)
    return JointAngles(
        angles_rad=_blank(coordinates.values, solved),
        valid=(valid.values == 1.0) & coordinates.there & solved[:, None],
        std_rad=spread,
        **_deviations(solution, rows, solved),
    )


def _deviations(
    solution: IkSolution, rows: NDArray[np.int64], solved: NDArray[np.bool_]
) -> dict[str, NDArray[np.floating]]:
    """Return all free coordinates and how far they may be off; nothing where that was not computed."""
    if solution.deviation_factor is None:
        return {}
    factor = np.where(solved[:, None, None], solution.deviation_factor[rows], 0.0)
    return {
        "free": _blank(solution.coordinates[rows][:, solution.free_coordinates], solved),
        "deviation_factor": np.nan_to_num(factor, posinf=np.inf),
    }


def _poses(solution: IkSolution, rows: NDArray[np.int64], solved: NDArray[np.bool_], camera: Camera) -> RootPoses:
    """Return pelvis and root frame; rotations change from ground to world by the same matrix as points."""
    if PELVIS not in solution.body_names:
        raise InternalError(f"the model has no body {PELVIS!r}")
    pelvis = solution.body_names.index(PELVIS)
    # A rotation's inverse is its transpose.
    to_world = AMASS_TO_GROUND.T
    rotation = _upright(to_world @ solution.body_rotations[rows, pelvis], solved)
    position = ground_to_amass(solution.body_positions_m[rows, pelvis])
    return RootPoses(
        valid=solved,
        pelvis_rotation_world=rotation,
        pelvis_rotation_camera=rotation_to_camera(camera, rotation),
        pelvis_position_world_m=_blank(position, solved),
        pelvis_position_camera_m=_blank(world_to_camera(camera, position), solved),
        rotation_world=_upright(to_world @ solution.root_frame_rotations[rows], solved),
        position_world_m=_blank(ground_to_amass(solution.root_frame_positions_m[rows]), solved),
    )


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
    # Each decision depends on the one before, so this loop over frames cannot be vectorised.
    for row, positions in enumerate(positions_m):
        if last is not None:
            moved = np.linalg.norm(positions - last, axis=1)
            amount = moved.max() if rule == "any" else moved.sum()
            # At a distance of 0, a frame that repeats the last used one is still left out.
            if amount <= distance_m:
                continue
        used[row], last = True, positions
    return used
