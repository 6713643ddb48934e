"""Linear blend skinning of SMPL, SMPL+H and SMPL-X in batches, for chosen vertices only.

A marker needs one vertex of thousands. Everything independent of the pose is computed once per subject. The pose
directions and skinning weights of other vertices are not used, nor what is zero in those of the vertices: fingers move
few of them, and each follows four joints or so. The formulas are those of `smplx.lbs.lbs`
(Loper et al. 2015, SMPL, equations 2 to 12), with these parts of it: `blend_shapes`, `vertices2joints`. Its
`batch_rodrigues` and `batch_rigid_transform` multiply many small matrices and take longer than everything else
together; rotations and chain here do the same element by element, level by level, with the samples last in memory.

Precision: float64, but pose directions times pose features in float32. These products are centimetres, so that
float32 loses nanometres on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.sparse import csr_array
from smplx.lbs import blend_shapes, vertices2joints

from movi_prep.body.betas import all_betas
from movi_prep.body.device import torch_device
from movi_prep.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from movi_prep.records.body_model import BodyModel
    from movi_prep.records.motion import Motion

_IDENTITY = np.eye(3)

_POINTS_AT_ONCE = 262_144
"""Samples times points of one batch: limits working memory to about 100 MB; a whole mesh takes 37 samples at a time."""

_COMMON = 0.25
"""Share of the vertices from which on a joint's pose directions are taken for all of them."""


@dataclass(frozen=True)
class JointOrder:
    """Joints by depth in the tree, so that those of one depth are one contiguous block and move in one step.

    Attributes:
        order: (j,) which joint of the body model is at each place.
        places: (j,) the place of each joint of the body model: the inverse of `order`.
        parents: (j,) place of the parent of the joint at each place, -1 for the root.
        levels: first and last-plus-one place of each depth, and the places of the parents there; without the root.
    """

    order: NDArray[np.int64]
    places: NDArray[np.int64]
    parents: NDArray[np.int64]
    levels: tuple[tuple[int, int, torch.Tensor], ...]


def order_by_depth(parents: NDArray[np.int64], *, device: torch.device) -> JointOrder:
    """Return the joints of a tree by depth; in (j,) `parents` they come before their children, the root's is -1."""
    depths = np.zeros(len(parents), dtype=np.int64)
    for joint, parent in enumerate(parents[1:], start=1):
        depths[joint] = depths[parent] + 1
    # Stable, so that joints of one depth keep the model's order and results do not depend on the sort.
    order = np.argsort(depths, kind="stable")
    places = np.argsort(order)
    # Parents as places in the new order; the root has none.
    moved = np.append(-1, places[parents[order[1:]]])
    bounds = np.searchsorted(depths[order], np.arange(1, depths.max() + 2))
    levels = tuple(
        (int(first), int(after), torch.tensor(moved[first:after], device=device)) for first, after in pairwise(bounds)
    )
    return JointOrder(order=order, places=places, parents=moved, levels=levels)


@dataclass(frozen=True)
class PoseDirections:
    """What the rotations of some joints do to the surface at some vertices of a body part; elsewhere they do nothing.

    Attributes:
        joints: (k,) their places, without the root.
        vertices: (w,) rows of the part; None for all.
        directions: (3 w, 9 k) float32, metres.
    """

    joints: torch.Tensor
    vertices: torch.Tensor | None
    directions: torch.Tensor


@dataclass(frozen=True)
class BodyPart:
    """The data for posing v chosen vertices of a body model of j joints and b betas, for any subject; on one device.

    Joints are in the order of `joints` everywhere except in results.

    Attributes:
        template: (v, 3) float64, metres.
        shape_directions: (v, 3, b) float64.
        joint_template: (j, 3) float64, metres, joint centres of the mean shape.
        joint_shape_directions: (j, 3, b) float64.
        pose_directions: in at most two parts, which add up.
        skinning_weights: (v, j) float64; without its zeros where numpy multiplies it, torch does that slowly.
        joints: their order.
        soft_tissue_directions: (v, 3, 8) float64, or None.
        joint_soft_tissue_directions: (j, 3, 8) float64, or None.
        source: file of the body model, for messages.
    """

    template: torch.Tensor
    shape_directions: torch.Tensor
    joint_template: torch.Tensor
    joint_shape_directions: torch.Tensor
    pose_directions: tuple[PoseDirections, ...]
    skinning_weights: torch.Tensor | csr_array
    joints: JointOrder
    soft_tissue_directions: torch.Tensor | None
    joint_soft_tissue_directions: torch.Tensor | None
    source: str


@dataclass(frozen=True)
class ShapedBody:
    """A body part with one subject's betas applied.

    Attributes:
        part: the body with betas applied.
        vertices: (v, 3) float64, metres, T-pose.
        joints: (j, 3) float64, metres, T-pose.
    """

    part: BodyPart
    vertices: torch.Tensor
    joints: torch.Tensor


@dataclass(frozen=True)
class PosedPoints:
    """Points of n samples, float64, metres, in the requested world.

    The arrays are views with the sample axis fastest in memory; copy them where that order matters.

    Attributes:
        vertices_m: (n, v, 3).
        joints_m: (n, j, 3) joint centres.
    """

    vertices_m: NDArray[np.float64]
    joints_m: NDArray[np.float64]

    def lowest_m(self) -> float:
        """Return the smallest second coordinate: height above the floor, where the world is OpenSim ground."""
        return float(min(part[..., 1].min(initial=np.inf) for part in (self.vertices_m, self.joints_m)))


def select_vertices(model: BodyModel, vertices: Sequence[int] | None = None, *, device: str = "cpu") -> BodyPart:
    """Return the part of a body model that `vertices` need (None: all of them), on a torch device.

    Raises:
        UsageError: torch has no such device here.
    """
    where = torch_device(device)
    rows = slice(None) if vertices is None else list(vertices)
    joints = order_by_depth(model.parents, device=where)
    regressor = torch.tensor(model.joint_regressor[joints.order])

    def regressed(directions: NDArray[np.float64]) -> torch.Tensor:
        # (v, 3, k) to (k, v, 3) and back: vertices2joints wants the batch first.
        moved = torch.tensor(np.moveaxis(directions, -1, 0))
        return vertices2joints(regressor, moved).permute(1, 2, 0).contiguous().to(where)

    weights = model.skinning_weights[rows][:, joints.order]
    tissue = model.soft_tissue_directions_m
    return BodyPart(
        template=torch.tensor(model.template_m[rows], device=where),
        shape_directions=torch.tensor(model.shape_directions_m[rows], device=where),
        joint_template=regressed(model.template_m[..., None])[..., 0],
        joint_shape_directions=regressed(model.shape_directions_m),
        pose_directions=_pose_directions(model.pose_directions_m[rows], joints, where),
        skinning_weights=csr_array(weights) if where.type == "cpu" else torch.tensor(weights, device=where),
        joints=joints,
        soft_tissue_directions=None if tissue is None else torch.tensor(tissue[rows], device=where),
        joint_soft_tissue_directions=None if tissue is None else regressed(tissue),
        source=model.source,
    )


def _pose_directions(
    directions: NDArray[np.floating[Any]], joints: JointOrder, device: torch.device
) -> tuple[PoseDirections, ...]:
    """Return (v, 3, 9 (j - 1)) directions without zeros: of joints that move most vertices, and of those that move few.

    A vertex of the trunk has 189 directions that count, and 270 of fingers that are zero.
    """
    # Nine features for each joint but the root: grouped by joint, so that they follow the joints' new order.
    by_joint = np.asarray(directions, dtype=np.float32).reshape(len(directions), 3, -1, 9)[:, :, joints.order[1:] - 1]
    moved = (by_joint != 0.0).any(axis=(1, 3))
    common = moved.mean(axis=0) > _COMMON
    parts = []
    for chosen, rows in ((common, None), (moved.any(axis=0) & ~common, moved[:, ~common].any(axis=1))):
        if chosen.any():
            part = by_joint[:, :, chosen] if rows is None else by_joint[rows][:, :, chosen]
            parts.append(
                PoseDirections(
                    joints=torch.tensor(1 + np.flatnonzero(chosen), device=device),
                    vertices=None if rows is None else torch.tensor(np.flatnonzero(rows), device=device),
                    directions=torch.tensor(part.reshape(3 * len(part), -1), device=device),
                )
            )
    return tuple(parts)


def shape_body(part: BodyPart, betas: NDArray[np.float64]) -> ShapedBody:
    """Return the T-pose of one subject, from (b,) betas; missing ones are 0.

    Joint centres are linear in the vertices and these in the betas, so regressed directions replace the mesh.

    Raises:
        InputError: there are more betas than the model has directions for.
    """
    coefficients = torch.tensor(
        all_betas(betas, part.shape_directions.shape[-1], model=part.source), device=part.template.device
    )[None]
    return ShapedBody(
        part=part,
        vertices=part.template + blend_shapes(coefficients, part.shape_directions)[0],
        joints=part.joint_template + blend_shapes(coefficients, part.joint_shape_directions)[0],
    )


def pose_body(
    body: ShapedBody, motion: Motion, *, soft_tissue: bool = False, world: NDArray[np.float64] = _IDENTITY
) -> PosedPoints:
    """Pose a body at every sample of a motion; working memory is bounded, the result grows with the motion.

    Args:
        body: the shaped body; its betas are used, not the motion's.
        motion: poses and translation, in any world; the motion holds the rotation to AMASS world.
        soft_tissue: whether the motion's DMPL coefficients move the surface.
        world: (3, 3) turn from AMASS world to the world of the result; the identity leaves AMASS world.

    Raises:
        InputError: `soft_tissue` is set, but the motion or the body model has none.
    """
    dmpls = _checked_dmpls(body, motion) if soft_tissue else None
    turn = _on(body, world @ motion.to_amass_world)
    # At least one sample, even of a mesh that is larger than the bound.
    size = max(1, _POINTS_AT_ONCE // (len(body.vertices) + len(body.joints)))
    batches = []
    for first in range(0, motion.n_samples, size):
        rows = slice(first, first + size)
        posed = _pose_batch(
            body,
            # Samples last, in one contiguous copy.
            _on(body, np.ascontiguousarray(motion.poses_rad[rows].transpose(1, 2, 0)[body.part.joints.order])),
            _on(body, motion.translation_m[rows]),
            dmpls=None if dmpls is None else _on(body, dmpls[rows]),
            turn=turn,
        )
        batches.append(tuple(part.cpu() for part in posed))
    # A clip of some seconds is one batch, and is not copied.
    vertices, joints = (
        batches[0] if len(batches) == 1 else (torch.cat(parts, dim=-1) for parts in zip(*batches, strict=True))
    )
    return PosedPoints(vertices_m=vertices.permute(2, 0, 1).numpy(), joints_m=joints.permute(2, 0, 1).numpy())


def _on(body: ShapedBody, values: NDArray[np.float64]) -> torch.Tensor:
    return torch.tensor(values, device=body.vertices.device)


def _checked_dmpls(body: ShapedBody, motion: Motion) -> NDArray[np.float64]:
    if motion.dmpls is not None and body.part.soft_tissue_directions is not None:
        return motion.dmpls
    raise InputError(
        motion.source,
        expected="dmpls and a DMPL model, because soft tissue is asked for",
        got="a motion without dmpls" if motion.dmpls is None else "no DMPL model",
        remedy="set markers.soft_tissue to false, or fetch the old release and DMPL's model.npz",
    )


def _pose_batch(
    body: ShapedBody, poses: torch.Tensor, translation: torch.Tensor, *, dmpls: torch.Tensor | None, turn: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return vertices (v, 3, n) and joint centres (j, 3, n) of (j, 3, n) ordered poses and (n, 3) translations.

    The sample axis comes last: every step then runs over contiguous samples instead of over 3x3 matrices.
    """
    rotations = _rotations(poses)
    vertices, joints = _soften(body, dmpls) if dmpls is not None else (body.vertices[..., None], body.joints[..., None])
    posed = _bend(vertices, body.part.pose_directions, rotations)
    centres, transforms = _chain(rotations, joints, body.part.joints, turn=turn, translation=translation.T)
    return _skin(body.part.skinning_weights, transforms, posed), centres


def _rotations(vectors: torch.Tensor) -> torch.Tensor:
    """Return (j, 3, 3, n) rotations of (j, 3, n) rotation vectors: `smplx.lbs.batch_rodrigues`, written out."""
    # 1e-8 as there: its square keeps the angle of a zero vector from 0, by which the axis is divided.
    x, y, z = (vectors + 1e-8).unbind(1)
    # Not torch's norm, which takes twenty times as long along an axis in the middle.
    angle = torch.sqrt(x * x + y * y + z * z)
    x, y, z = (vectors / angle[:, None]).unbind(1)
    sine, versine = torch.sin(angle), 1.0 - torch.cos(angle)
    rotations = vectors.new_empty((len(vectors), 3, 3, vectors.shape[-1]))
    grown_x, grown_y, grown_z = versine * x, versine * y, versine * z
    # I + sin K + (1 - cos) K K, entry by entry, with K the cross product matrix of the axis.
    for row, column, even, across in ((0, 1, grown_x * y, z), (2, 0, grown_z * x, y), (1, 2, grown_y * z, x)):
        odd = sine * across
        torch.sub(even, odd, out=rotations[:, row, column])
        torch.add(even, odd, out=rotations[:, column, row])
    xx, yy, zz = grown_x * x, grown_y * y, grown_z * z
    for axis, both in enumerate((yy + zz, xx + zz, xx + yy)):
        torch.sub(1.0, both, out=rotations[:, axis, axis])
    return rotations


def _soften(body: ShapedBody, dmpls: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return vertices (v, 3, n) and joints (j, 3, n) of the T-pose with soft tissue: DMPLs act like betas."""
    moved = blend_shapes(dmpls, body.part.soft_tissue_directions).permute(1, 2, 0)
    joints_moved = blend_shapes(dmpls, body.part.joint_soft_tissue_directions).permute(1, 2, 0)
    return body.vertices[..., None] + moved, body.joints[..., None] + joints_moved


def _bend(vertices: torch.Tensor, parts: Sequence[PoseDirections], rotations: torch.Tensor) -> torch.Tensor:
    """Return (v, 3, n) float64, metres: vertices (v, 3, n or 1) as the joints' rotations bend the surface."""
    n = rotations.shape[-1]
    bent = vertices.expand(-1, -1, n).clone()
    for part in parts:
        feature = rotations[part.joints].to(torch.float32).view(-1, 9, n)
        feature[:, ::4] -= 1.0  # the diagonal: directions belong to the difference from the identity
        # In float32, the largest product of all; see the head of this module.
        moved = torch.matmul(part.directions, feature.view(-1, n)).view(-1, 3, n).to(torch.float64)
        if part.vertices is None:
            bent += moved
        else:
            bent.index_add_(0, part.vertices, moved)
    return bent


def _chain(
    rotations: torch.Tensor,
    joints: torch.Tensor,
    tree: JointOrder,
    *,
    turn: torch.Tensor,
    translation: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return joint centres (j, 3, n) in the model's order, and the transforms (j, 3, 4, n) of skinning.

    `smplx.lbs.batch_rigid_transform` with three differences: samples last, all joints of one depth in one step, and
    the root starts turned and translated, so that nothing needs turning or moving afterwards. Joints are (j, 3, n), or
    (j, 3, 1) where they do not move with the samples.
    """
    offsets = joints[1:] - joints[tree.parents[1:]]
    transforms = rotations.new_empty((len(rotations), 3, 4, rotations.shape[-1]))
    # The root has no parent: its offset is its place in the world before the turn.
    transforms[0, :, 3] = turn @ (joints[0] + translation)
    transforms[0, :, :3] = torch.einsum("ij,jkn->ikn", turn, rotations[0])
    for first, after, parents in tree.levels:
        parent, own, offset = transforms[parents], rotations[first:after], offsets[first - 1 : after - 1]
        # A 3x3 product written out over the samples, because products of many small matrices are slow in torch.
        turned = torch.mul(parent[:, :, 0, None], own[:, None, 0], out=transforms[first:after, :, :3])
        turned.addcmul_(parent[:, :, 1, None], own[:, None, 1])
        turned.addcmul_(parent[:, :, 2, None], own[:, None, 2])
        place = torch.addcmul(parent[:, :, 3], parent[:, :, 0], offset[:, 0, None], out=transforms[first:after, :, 3])
        place.addcmul_(parent[:, :, 1], offset[:, 1, None])
        place.addcmul_(parent[:, :, 2], offset[:, 2, None])
    centres = transforms[tree.places, :, 3]
    # Skinning moves points of the T-pose, which are relative to the origin, not to the joint.
    for axis in range(3):
        transforms[:, :, 3].addcmul_(transforms[:, :, axis], joints[:, None, axis], value=-1)
    return centres, transforms


def _skin(weights: torch.Tensor | csr_array, transforms: torch.Tensor, vertices: torch.Tensor) -> torch.Tensor:
    """Return (v, 3, n): each vertex moved by the weighted mean of the joints' transforms."""
    flat = transforms.view(len(transforms), -1)
    product = weights @ flat if isinstance(weights, torch.Tensor) else torch.from_numpy(weights @ flat.numpy())
    blended = product.view(-1, 3, 4, transforms.shape[-1])
    moved = blended[:, :, 3]
    for axis in range(3):
        moved.addcmul_(blended[:, :, axis], vertices[:, None, axis])
    return moved
