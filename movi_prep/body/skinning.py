"""Linear blend skinning of SMPL+H in batches, for chosen vertices only.

A marker needs one vertex of 6890. Everything that does not depend on the pose is computed once per subject, and the
pose directions and skinning weights of other vertices are never touched. The formulas are those of `smplx.lbs.lbs`
(Loper et al. 2015, SMPL, equations 2 to 12), from its own parts where these serve: `blend_shapes`,
`vertices2joints`, `batch_rodrigues`. Its `batch_rigid_transform` multiplies 4x4 matrices batch-first and takes as long
as everything else together; the chain here does the same in 3x4, joints first.

Precision: float64, but pose directions times pose features in float32. These products are centimetres, so what
float32 loses on them is nanometres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from smplx.lbs import batch_rodrigues, blend_shapes, vertices2joints

from movi_prep.body.device import torch_device
from movi_prep.errors import InputError
from movi_prep.records.motion import N_JOINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from movi_prep.records.body_model import BodyModel
    from movi_prep.records.motion import Motion

_IDENTITY = np.eye(3)


@dataclass(frozen=True)
class BodyPart:
    """What posing v chosen vertices of a body model needs, for any subject; tensors on one device.

    Attributes:
        template: (v, 3) float64, metres.
        shape_directions: (v, 3, 16) float64.
        joint_template: (52, 3) float64, metres, joint centres of the mean shape.
        joint_shape_directions: (52, 3, 16) float64.
        pose_directions: (459, 3 v) float32.
        skinning_weights: (v, 52) float64.
        parents: (52,) parent of each joint.
        soft_tissue_directions: (v, 3, 8) float64, or None.
        joint_soft_tissue_directions: (52, 3, 8) float64, or None.
    """

    template: torch.Tensor
    shape_directions: torch.Tensor
    joint_template: torch.Tensor
    joint_shape_directions: torch.Tensor
    pose_directions: torch.Tensor
    skinning_weights: torch.Tensor
    parents: tuple[int, ...]
    soft_tissue_directions: torch.Tensor | None
    joint_soft_tissue_directions: torch.Tensor | None


@dataclass(frozen=True)
class ShapedBody:
    """A body part with one subject's betas in it.

    Attributes:
        part: what the betas were put into.
        vertices: (v, 3) float64, metres, T-pose.
        joints: (52, 3) float64, metres, T-pose.
    """

    part: BodyPart
    vertices: torch.Tensor
    joints: torch.Tensor


@dataclass(frozen=True)
class PosedPoints:
    """Vertices (n, v, 3) and joint centres (n, 52, 3), float64, metres, in the world that was asked for."""

    vertices_m: NDArray[np.float64]
    joints_m: NDArray[np.float64]


def select_vertices(model: BodyModel, vertices: Sequence[int] | None = None, *, device: str = "cpu") -> BodyPart:
    """Return the part of a body model that `vertices` need (None: all of them), on a torch device.

    Raises:
        UsageError: torch has no such device here.
    """
    where = torch_device(device)
    rows = slice(None) if vertices is None else list(vertices)
    regressor = torch.tensor(model.joint_regressor)

    def regressed(directions: NDArray[np.float64]) -> torch.Tensor:
        # (v, 3, k) to (k, v, 3) and back: vertices2joints wants the batch first.
        moved = torch.tensor(np.moveaxis(directions, -1, 0))
        return vertices2joints(regressor, moved).permute(1, 2, 0).contiguous().to(where)

    posing = np.asarray(model.pose_directions_m[rows], dtype=np.float32)
    tissue = model.soft_tissue_directions_m
    return BodyPart(
        template=torch.tensor(model.template_m[rows], device=where),
        shape_directions=torch.tensor(model.shape_directions_m[rows], device=where),
        joint_template=regressed(model.template_m[..., None])[..., 0],
        joint_shape_directions=regressed(model.shape_directions_m),
        pose_directions=torch.tensor(posing.reshape(-1, posing.shape[-1]).T.copy(), device=where),
        skinning_weights=torch.tensor(model.skinning_weights[rows], device=where),
        parents=tuple(int(parent) for parent in model.parents),
        soft_tissue_directions=None if tissue is None else torch.tensor(tissue[rows], device=where),
        joint_soft_tissue_directions=None if tissue is None else regressed(tissue),
    )


def shape_body(part: BodyPart, betas: NDArray[np.float64]) -> ShapedBody:
    """Return the T-pose of one subject: (16,) betas, all of them.

    Joint centres are linear in the vertices and these in the betas, so regressed directions stand in for the mesh.
    """
    coefficients = torch.tensor(betas, device=part.template.device)[None]
    return ShapedBody(
        part=part,
        vertices=part.template + blend_shapes(coefficients, part.shape_directions)[0],
        joints=part.joint_template + blend_shapes(coefficients, part.joint_shape_directions)[0],
    )


def pose_body(
    body: ShapedBody, motion: Motion, *, soft_tissue: bool = False, world: NDArray[np.float64] = _IDENTITY
) -> PosedPoints:
    """Pose a body at every sample of a motion (one batch: bound its length by posing block by block).

    Args:
        body: the shaped body; its betas are used, the motion's are not looked at.
        motion: poses and translation in AMASS world.
        soft_tissue: whether the motion's DMPL coefficients move the surface.
        world: (3, 3) turn from AMASS world to the world of the result; the identity leaves AMASS world.

    Raises:
        InputError: soft tissue is asked for, and the motion or the body model has none.
    """
    n, device = motion.n_samples, body.vertices.device
    poses = torch.tensor(motion.poses_rad, device=device)
    rotations = batch_rodrigues(poses.view(-1, 3)).view(n, N_JOINTS, 3, 3)
    vertices, joints = _soften(body, motion) if soft_tissue else (body.vertices[None], body.joints[None])
    posed = vertices + _pose_offsets(body.part, rotations)
    turn = torch.tensor(world, device=device)
    translation = torch.tensor(motion.translation_m, device=device)
    centres, transforms = _chain(rotations, joints, body.part.parents, turn=turn, translation=translation)
    skinned = _skin(body.part.skinning_weights, transforms, posed)
    return PosedPoints(vertices_m=skinned.cpu().numpy(), joints_m=centres.cpu().numpy())


def _soften(body: ShapedBody, motion: Motion) -> tuple[torch.Tensor, torch.Tensor]:
    """Return vertices (n, v, 3) and joints (n, 52, 3) of the T-pose with soft tissue: DMPLs act like betas."""
    part = body.part
    if motion.dmpls is None or part.soft_tissue_directions is None or part.joint_soft_tissue_directions is None:
        missing = "the motion has no dmpls" if motion.dmpls is None else "no DMPL model was given"
        raise InputError(
            motion.source,
            expected="dmpls and a DMPL model, because soft tissue is asked for",
            got=missing,
            remedy="set markers.soft_tissue to false, or fetch the old release and DMPL's model.npz",
        )
    dmpls = torch.tensor(motion.dmpls, device=body.vertices.device)
    return (
        body.vertices + blend_shapes(dmpls, part.soft_tissue_directions),
        body.joints + blend_shapes(dmpls, part.joint_soft_tissue_directions),
    )


def _pose_offsets(part: BodyPart, rotations: torch.Tensor) -> torch.Tensor:
    """Return (n, v, 3) float64, metres: pose directions times the rotations' difference from the identity."""
    n = rotations.shape[0]
    identity = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    feature = (rotations[:, 1:] - identity).reshape(n, -1).to(part.pose_directions.dtype)
    return torch.matmul(feature, part.pose_directions).view(n, -1, 3).to(rotations.dtype)


def _chain(
    rotations: torch.Tensor,
    joints: torch.Tensor,
    parents: tuple[int, ...],
    *,
    turn: torch.Tensor,
    translation: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return joint centres (n, 52, 3) and the transforms (52, n, 3, 4) of skinning.

    `smplx.lbs.batch_rigid_transform` with two differences: joints come first, so that each step is one contiguous
    batch, and the root starts turned and translated, so that nothing needs turning or moving afterwards.
    """
    n = rotations.shape[0]
    offsets = joints.clone()
    offsets[:, 1:] -= joints[:, list(parents[1:])]
    local = torch.cat([rotations, offsets[..., None].expand(n, -1, -1, -1)], dim=-1).transpose(0, 1).contiguous()
    local[0, :, :, 3] += translation
    transforms = torch.empty_like(local)
    transforms[0] = turn @ local[0]
    for joint in range(1, len(parents)):
        parent = transforms[parents[joint]]
        torch.bmm(parent[..., :3], local[joint], out=transforms[joint])
        transforms[joint, ..., 3] += parent[..., 3]
    centres = transforms[..., 3].transpose(0, 1).contiguous()
    # Skinning moves points of the T-pose, which stand relative to the origin, not to the joint.
    rest = joints.transpose(0, 1)[..., None].expand(-1, n, -1, -1)
    transforms[..., 3] -= torch.matmul(transforms[..., :3], rest)[..., 0]
    return centres, transforms


def _skin(weights: torch.Tensor, transforms: torch.Tensor, vertices: torch.Tensor) -> torch.Tensor:
    """Return (n, v, 3): each vertex moved by the weighted mean of the joints' transforms."""
    n_joints, n = transforms.shape[:2]
    blended = torch.matmul(weights, transforms.reshape(n_joints, n * 12)).view(-1, n, 3, 4)
    points = vertices.transpose(0, 1)[..., None]
    moved = torch.matmul(blended[..., :3], points)[..., 0] + blended[..., 3]
    return moved.transpose(0, 1)
