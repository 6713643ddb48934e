"""The mirror image of a filmed person: what the same camera would see, and all labels.

The mirror is the vertical plane through the camera's optical axis, so that floor and camera stay in place.
With n the plane's normal (horizontal, AMASS world) and M = I - 2 n n^T

    point       p' = M (p - c) + c     of the mirror partner, c the camera's centre
    rotation    R' = M R B             of the mirror partner, B = diag(1, 1, -1) in an OpenSim body (z to the right)
    camera      q' = S q               S = I - 2 m m^T, m = R_camera n, which has no part along the optical axis
    picture     u' = F S F^-1 (u - u0) + u0     F the focal lengths, u0 the principal point

A radial lens commutes with S, so the picture is mirrored by one affine map. A camera that rolls turns it by twice its
roll besides flipping it. Left and right change sides; coordinates that bend or turn to a side change their sign; scale
factors change sides; what the generic model states of its bodies stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from movi_prep.errors import ModelError, UsageError
from movi_prep.geometry.mirror import BODY_REFLECTION, mirror_coordinates, mirror_order
from movi_prep.geometry.projection import inside_image
from movi_prep.records.camera import Camera
from movi_prep.records.frame_labels import (
    BodyPoints,
    BodyScales,
    FrameLabels,
    JointAngles,
    JointCentres,
    RootPoses,
    SurfacePoints,
)
from movi_prep.records.kinematic_tree import KinematicTree
from movi_prep.records.label_tables import LabelNames

_UP = np.array([0.0, 0.0, 1.0])
_LEAST_HORIZONTAL = 1e-6
"""Least length of the horizontal direction: the vertical plane of a camera that looks straight down is undefined."""


@dataclass(frozen=True, eq=False)
class Mirror:
    """The mirror of one camera.

    Attributes:
        world: (3, 3) float64, M.
        centre_m: (3,) float64, metres, AMASS world.
        camera: (3, 3) float64, S.
        picture: (2, 2) float64, applied to offsets from the principal point.
        principal_px: (2,) float64.
        size_px: width and height of the picture.
    """

    world: NDArray[np.float64]
    centre_m: NDArray[np.float64]
    camera: NDArray[np.float64]
    picture: NDArray[np.float64]
    principal_px: NDArray[np.float64]
    size_px: tuple[int, int]

    def points(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mirror image of (..., 3) points of the world; a point that was not seen (zero) stays zero."""
        # M is symmetric, so that it needs no transpose for rows of vectors.
        mirrored = (points_m - self.centre_m) @ self.world + self.centre_m
        return np.where(points_m.any(axis=-1, keepdims=True), mirrored, 0.0)

    def pixels(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (..., 2) pixels of the mirror image that show what (..., 2) pixels of the video show."""
        return np.asarray((pixels - self.principal_px) @ self.picture.T + self.principal_px)

    def boxes(self, boxes_px: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return (n, 4) boxes of the same size around the mirror image of (n, 4) boxes' middles, whole pixels."""
        # Pixel centres: a box of w pixels reaches from its first centre to w - 1 beyond it.
        half = (boxes_px[:, 2:] - 1) / 2.0
        middle = self.pixels(boxes_px[:, :2] + half)
        return np.concatenate([np.round(middle - half).astype(np.int64), boxes_px[:, 2:]], axis=1)


def mirror_of(camera: Camera) -> Mirror:
    """Return the mirror of a camera.

    Raises:
        UsageError: the camera moves, looks straight up or down, or has a lens that is not radial.
    """
    if camera.is_moving:
        raise UsageError(f"flip: expected a camera that stands still, but {camera.name} moves; leave its shards out")
    if not camera.lens.is_radial:
        raise UsageError(f"flip: expected a radial lens, but that of {camera.name} has other terms; leave it out")
    rotation, focal = camera.world_to_camera_rotation, camera.intrinsics_px[:2, :2]
    across = np.cross(_UP, rotation[2])
    if np.linalg.norm(across) < _LEAST_HORIZONTAL:
        raise UsageError(f"flip: expected a camera that looks at the horizon, but {camera.name} looks up or down")
    normal = across / np.linalg.norm(across)
    seen = rotation @ normal
    reflection = np.eye(3) - 2.0 * np.outer(seen, seen)
    return Mirror(
        world=np.eye(3) - 2.0 * np.outer(normal, normal),
        centre_m=-rotation.T @ camera.world_to_camera_translation_m,
        camera=reflection,
        picture=focal @ reflection[:2, :2] @ np.linalg.inv(focal),
        principal_px=camera.intrinsics_px[:2, 2],
        size_px=camera.size_px,
    )


def mirror_frame_labels(
    labels: FrameLabels, names: LabelNames, mirror: Mirror, *, signs: NDArray[np.float64]
) -> FrameLabels:
    """Return the labels of the mirror image; (c,) `signs` of 1 and -1 belong to the coordinates."""
    centres, order = labels.joint_centres, mirror_order(names.opensim_joints)
    return FrameLabels(
        joints=_body_points(labels.joints, mirror, mirror_order(names.joints)),
        markers=_body_points(labels.markers, mirror, mirror_order(names.markers)),
        surface=None if labels.surface is None else _surface(labels.surface, mirror, mirror_order(names.surface)),
        joint_centres=JointCentres(
            world_m=mirror.points(centres.world_m[:, order]),
            camera_m=centres.camera_m[:, order] @ mirror.camera,
            valid=centres.valid[:, order],
        ),
        coordinates=_angles(labels.coordinates, mirror_order(names.coordinates), signs),
        root=_root(labels.root, mirror),
        scales=mirror_scales(labels.scales, names.bodies),
        ik_status=labels.ik_status,
    )


def mirror_scales(scales: BodyScales, bodies: Sequence[str]) -> BodyScales:
    """Return scale factors with their sides exchanged."""
    order = mirror_order(bodies)
    return BodyScales(scales.factors[order], scales.valid[order])


def mirror_pose(rotations: NDArray[np.float64], mirror: Mirror) -> NDArray[np.float64]:
    """Return (..., 3, 3) rotations, body to world, of the mirror image of a body on the midline."""
    return np.asarray(mirror.world @ rotations * BODY_REFLECTION)


def mirror_tree(tree: KinematicTree, scales: BodyScales, bodies: Sequence[str]) -> KinematicTree:
    """Return the model of the mirrored person: every body as large as its partner was.

    Places in bodies are those of the partner, mirrored. Functions that move a joint stretch with its parent, as OpenSim
    scales them. How far the model is from its own mirror image shows in where its joints then are (`mirror_error_m`).

    Raises:
        ModelError: the parent of a body's partner is not the partner of its parent.
    """
    order = mirror_order(tree.body_names)
    parents = np.where(tree.body_parent < 0, -1, order[tree.body_parent])
    if (tree.body_parent[order] != parents).any():
        raise ModelError(
            "expected bodies whose partners hang from each other as they do, so that a model can be mirrored"
        )
    moving_origin = -np.einsum("bji,bj->bi", tree.child_rotation, tree.child_position_m)[order] * BODY_REFLECTION
    markers = mirror_order(tree.marker_names)
    return replace(
        _stretch_functions(tree, *_sizes(tree, scales, bodies)),
        parent_position_m=tree.parent_position_m[order] * BODY_REFLECTION,
        child_position_m=-np.einsum("bij,bj->bi", tree.child_rotation, moving_origin),
        marker_position_m=tree.marker_position_m[markers] * BODY_REFLECTION,
    )


def _sizes(
    tree: KinematicTree, scales: BodyScales, bodies: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (b, 3) scales of the tree's bodies, and of their partners; 1 where labels have no such body."""
    known = {name: scales.factors[at] for at, name in enumerate(bodies) if scales.valid[at]}
    own = np.array([known.get(name, np.ones(3)) for name in tree.body_names], dtype=np.float64)
    return own, own[mirror_order(tree.body_names)]


def _stretch_functions(tree: KinematicTree, own: NDArray[np.float64], partner: NDArray[np.float64]) -> KinematicTree:
    """Return the tree with a function for each axis; translations scale with the partner's parent."""
    joint = np.repeat(np.arange(tree.n_bodies), np.diff(tree.first_axis))
    above = tree.body_parent[joint]
    parts = np.abs(tree.axis_direction)
    factors = np.where(above[:, None] < 0, 1.0, partner[above]) * parts
    factor = factors.sum(axis=1) / (np.where(above[:, None] < 0, 1.0, own[above]) * parts).sum(axis=1)
    factor = np.where(tree.axis_is_rotation | _moves_by_itself(tree), 1.0, factor)
    # One function for each axis: axes that shared one in the generic model may scale differently.
    functions = [*tree.axis_function.tolist(), *range(len(tree.first_piece) - 1)]
    stretch = [*factor.tolist(), *([1.0] * (len(tree.first_piece) - 1))]
    pieces = [np.arange(*tree.first_piece[function : function + 2]) for function in functions]
    chosen = np.concatenate(pieces)
    counts = [len(piece) for piece in pieces]
    coupling = tree.coupling_function
    return replace(
        tree,
        axis_function=np.arange(len(tree.axis_function)),
        coupling_function=np.where(coupling < 0, -1, coupling + len(tree.axis_function)),
        first_piece=np.concatenate([[0], np.cumsum(counts)]),
        piece_start=tree.piece_start[chosen],
        piece_origin=tree.piece_origin[chosen],
        piece_coefficients=tree.piece_coefficients[chosen] * np.repeat(stretch, counts)[:, None],
    )


def _moves_by_itself(tree: KinematicTree) -> NDArray[np.bool_]:
    """Return (a,) bool: axes whose displacement is the coordinate itself, which OpenSim does not scale."""
    first = tree.first_piece[tree.axis_function]
    n_pieces = tree.first_piece[tree.axis_function + 1] - first
    line = np.eye(tree.piece_coefficients.shape[1])[1]
    is_line = (tree.piece_coefficients[first] == line).all(axis=1)
    return np.asarray((n_pieces == 1) & (tree.piece_origin[first] == 0) & is_line)


def _body_points(points: BodyPoints, mirror: Mirror, order: NDArray[np.int64]) -> BodyPoints:
    world, camera, pixels, inside = _seen(points, mirror, order)
    return BodyPoints(
        world, camera, pixels, inside, points.valid[:, order], mirror.points(points.model_world_m[:, order])
    )


def _surface(points: SurfacePoints, mirror: Mirror, order: NDArray[np.int64]) -> SurfacePoints:
    return SurfacePoints(*_seen(points, mirror, order))


def _seen(
    points: BodyPoints | SurfacePoints, mirror: Mirror, order: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    pixels = points.seen_px[:, order].astype(np.float64)
    # Zero stands for "not seen", and must not be mirrored into the picture.
    there = pixels.any(axis=-1, keepdims=True)
    mirrored = np.where(there, mirror.pixels(pixels), 0.0)
    return (
        mirror.points(points.world_m[:, order].astype(np.float64)),
        points.camera_m[:, order] @ mirror.camera,
        mirrored,
        inside_image(np.where(there, mirrored, np.nan), mirror.size_px),
    )


def _angles(coordinates: JointAngles, order: NDArray[np.int64], signs: NDArray[np.float64]) -> JointAngles:
    return JointAngles(
        angles_rad=mirror_coordinates(coordinates.angles_rad, order, signs),
        valid=coordinates.valid[:, order],
        std_rad=None if coordinates.std_rad is None else coordinates.std_rad[:, order],
    )


def _root(root: RootPoses, mirror: Mirror) -> RootPoses:
    there = root.valid[:, None, None]

    def posed(mirrored: NDArray[np.float64], before: NDArray[np.float64]) -> NDArray[np.float64]:
        # Frames without a pose keep the identity that stands there.
        return np.where(there, mirrored, before)

    seen = mirror.camera @ root.pelvis_rotation_camera * BODY_REFLECTION
    return RootPoses(
        valid=root.valid,
        pelvis_rotation_world=posed(mirror_pose(root.pelvis_rotation_world, mirror), root.pelvis_rotation_world),
        pelvis_rotation_camera=posed(seen, root.pelvis_rotation_camera),
        pelvis_position_world_m=mirror.points(root.pelvis_position_world_m),
        pelvis_position_camera_m=root.pelvis_position_camera_m @ mirror.camera,
        rotation_world=posed(mirror_pose(root.rotation_world, mirror), root.rotation_world),
        position_world_m=mirror.points(root.position_world_m),
    )
