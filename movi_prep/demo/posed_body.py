"""Linear blend skinning of a body in SMPL+H layout, in plain numpy: the ground truth of the demo.

It shares no code with `movi_prep.body`, so that the demo's files can test the marker stage.
The equations are those of Loper et al. 2015, "SMPL: A Skinned Multi-Person Linear Model", equations 2 to 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.demo.rotations import apply, from_axis_angle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.demo.open_body import OpenBody


@dataclass(frozen=True)
class DemoBody:
    """A body model with one person's shape applied, body axes: x to the person's left, y up, z forward, metres.

    Attributes:
        vertices_m: (6890, 3) float64, T-pose surface of this person.
        joints_m: (52, 3) float64, T-pose joint centres.
        weights: (6890, 52) float64, skinning weights.
        pose_directions: (6890, 3, 459), surface change per entry of R - I of joints 1..51.
        faces: (13776, 3) int64, corners of each triangle.
        parents: (52,) int64, parent of each joint, -1 for the pelvis.
        template_m: (6890, 3) float64, T-pose surface of the mean person: the base of the clothes' pattern.
    """

    vertices_m: NDArray[np.float64]
    joints_m: NDArray[np.float64]
    weights: NDArray[np.float64]
    pose_directions: NDArray[np.float64]
    faces: NDArray[np.int64]
    parents: NDArray[np.int64]
    template_m: NDArray[np.float64]

    @property
    def floor_m(self) -> float:
        """Height of the sole in body axes, metres."""
        return float(self.vertices_m[:, 1].min())

    @property
    def height_m(self) -> float:
        """Stature in the T-pose, metres."""
        return float(np.ptp(self.vertices_m[:, 1]))

    def only(self, vertex_ids: NDArray[np.int64]) -> DemoBody:
        """Return the same body with just these vertices and no faces: cheap to pose."""
        return DemoBody(
            vertices_m=self.vertices_m[vertex_ids],
            joints_m=self.joints_m,
            weights=self.weights[vertex_ids],
            pose_directions=self.pose_directions[vertex_ids],
            faces=np.zeros((0, 3), dtype=np.int64),
            parents=self.parents,
            template_m=self.template_m[vertex_ids],
        )


def shaped_body(model: OpenBody, betas: NDArray[np.float64]) -> DemoBody:
    """Return the body of one person: the open body of one sex with (16,) shape coefficients applied."""
    vertices = model.v_template_m + model.shape_directions_m @ betas
    return DemoBody(
        vertices_m=vertices,
        joints_m=model.joint_regressor @ vertices,
        weights=model.skinning_weights,
        pose_directions=model.pose_directions_m,
        faces=model.faces,
        parents=model.parents,
        template_m=model.v_template_m,
    )


def joint_transforms(
    body: DemoBody, poses_rad: NDArray[np.float64], translation_m: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return world rotations (n, 52, 3, 3) and positions (n, 52, 3), metres, of all joints."""
    local = from_axis_angle(poses_rad)
    rotations, positions = np.empty_like(local), np.empty((*poses_rad.shape[:2], 3))
    rotations[:, 0] = local[:, 0]
    positions[:, 0] = body.joints_m[0] + translation_m
    for joint in range(1, len(body.parents)):  # the tree is 52 joints deep in code, all samples at once
        parent = body.parents[joint]
        offset = body.joints_m[joint] - body.joints_m[parent]
        rotations[:, joint] = rotations[:, parent] @ local[:, joint]
        positions[:, joint] = positions[:, parent] + apply(rotations[:, parent], offset)
    return rotations, positions


def pose_vertices(
    body: DemoBody, poses_rad: NDArray[np.float64], translation_m: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the posed surface (n, v, 3), metres, with pose correctives."""
    rotations, positions = joint_transforms(body, poses_rad, translation_m)
    n, v = len(poses_rad), len(body.vertices_m)
    # R - I is zero in the T-pose, so that the correctives vanish there (equation 9).
    feature = (from_axis_angle(poses_rad[:, 1:]) - np.eye(3)).reshape(n, -1)
    rest = body.vertices_m + (feature @ body.pose_directions.reshape(v * 3, -1).T).reshape(n, v, 3)
    # Skinning turns points about the origin: the joint's place in the T-pose is taken off first.
    offsets = positions - apply(rotations, np.broadcast_to(body.joints_m, positions.shape))
    transforms = np.concatenate([rotations, offsets[..., None]], axis=-1).reshape(n, -1, 12)
    blended = (body.weights @ transforms).reshape(n, v, 3, 4)
    surface: NDArray[np.float64] = apply(blended[..., :3], rest) + blended[..., 3]
    return surface
