"""Forward kinematics as a torch module: joint centres, markers and body frames from a network's predictions.

The layer is built from the kinematic tree that a shard carries (`records.kinematic_tree`), so it needs neither
OpenSim nor the model's file. It knows every joint type, function and coupler that the tree knows.

| array | shape | unit, frame |
|---|---|---|
| coordinates | (..., k) | rad or m, in the order of `coordinate_names` |
| root_rotation | (..., 3, 3) | of the root joint's moving frame M, in any frame (world, camera) |
| root_position_m | (..., 3) | metres, origin of M in that frame |
| body_scales | (..., s, 3) | factors on the generic model, in the order of `body_names`; x, y, z of the body |
| joint_centres_m | (..., b, 3) | metres, frame of the root pose, in the order of `joint_names` |
| markers_m | (..., m, 3) | metres, likewise, in the order of `marker_names` |
| body_rotations | (..., b, 3, 3) | body to that frame, in the order of the tree's bodies |
| body_positions_m | (..., b, 3) | metres, body origins, likewise |

Scales act as OpenSim scales a model (`Joint::scale`, `SpatialTransform::scale`, `Marker::scale`): a body's factors
stretch its markers and the joint frames attached to it, and a translation of a joint stretches with the parent,
unless the translation is a free coordinate itself. (Along an oblique axis OpenSim's own factor is not 1 where all
factors are 1; the layer counts from the scales that the tree has, `tree_scales`, so that these change nothing.)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from movi_prep.errors import InputError, ModelError, UsageError, list_names
from movi_prep.formats.shard import ShardFile
from movi_prep.records.kinematic_tree import KinematicTree


class KinematicPose(NamedTuple):
    """The result of the layer; see the module's table."""

    joint_centres_m: torch.Tensor
    markers_m: torch.Tensor
    body_rotations: torch.Tensor
    body_positions_m: torch.Tensor


class KinematicLayer(torch.nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """The kinematic tree as a differentiable layer.

    The root is the joint that carries the first body; its own coordinates are not used, because the root pose is
    given. Coordinates of the tree that are not among `coordinate_names` rest at their default; locked ones do so
    always, and coupled ones follow their leader, whatever the input gives for them.

    Attributes:
        coordinate_names: columns of `coordinates`.
        body_names: rows of `body_scales`.
        joint_names: rows of `joint_centres_m`; joint i carries body i.
        marker_names: rows of `markers_m`.
    """

    def __init__(
        self,
        tree: KinematicTree,
        *,
        coordinate_names: Sequence[str] | None = None,
        body_names: Sequence[str] | None = None,
        tree_scales: NDArray[np.floating] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Take the tree apart into buffers.

        Args:
            tree: the model.
            coordinate_names: columns of the input; None: all coordinates of the tree in its order. Names that the
                tree lacks may be among them; their columns are not used.
            body_names: rows of body scales; None: the bodies of the tree. Names that it lacks are not used.
            tree_scales: (s, 3), the body scales that the tree already has; None: 1 (a generic model).
            dtype: of the buffers. A layer that was made in float32 stays that precise when it is made double.

        Raises:
            ModelError: more than one joint is attached to ground, so that one root pose does not place the model.
            UsageError: `tree_scales` do not fit `body_names`.
        """
        super().__init__()
        # A second tree on ground would stay where it is while the root pose moves the first.
        loose = [name for name, parent in zip(tree.joint_names, tree.body_parent, strict=True) if parent < 0]
        if len(loose) != 1:
            raise ModelError(
                f"expected one joint on ground, but got {list_names(loose)}; a root pose places one tree only"
            )
        self.coordinate_names = tuple(tree.coordinate_names if coordinate_names is None else coordinate_names)
        self.body_names = tuple(tree.body_names if body_names is None else body_names)
        self.joint_names, self.marker_names = tree.joint_names, tree.marker_names
        self._dtype = dtype
        self._keep_inputs(tree, tree_scales)
        self._keep_frames(tree)
        self._functions = _Functions(tree, tree.axis_function, dtype)
        self._keep_axes(tree)
        self._keep_couplers(tree)

    @classmethod
    def from_shard(cls, path: Path | str, *, dtype: torch.dtype = torch.float32) -> KinematicLayer:
        """Return the layer of a shard's subject: columns and rows are those of the shard's labels.

        Raises:
            InputError: the shard carries no tree.
        """
        with ShardFile(path) as shard:
            tree = shard.tree()
            if tree is None:
                raise InputError(
                    shard.path,
                    expected="a kinematic tree",
                    got="a shard without one",
                    remedy="write the shard again with this release",
                )
            return cls(
                tree,
                coordinate_names=shard.names("names/coordinates"),
                body_names=shard.names("names/bodies"),
                tree_scales=shard.read("subject/body_scales"),
                dtype=dtype,
            )

    def forward(
        self,
        coordinates: torch.Tensor,
        root_rotation: torch.Tensor,
        root_position_m: torch.Tensor,
        body_scales: torch.Tensor | None = None,
    ) -> KinematicPose:
        """Return the posed model; for shapes and units see the module's table. Batch axes broadcast.

        Args:
            coordinates: (..., k).
            root_rotation: (..., 3, 3).
            root_position_m: (..., 3).
            body_scales: (..., s, 3); None: those of the tree.
        """
        ratio = None if body_scales is None else self._ratio(body_scales)
        amounts = self._functions(self._arguments(coordinates))
        rotations, positions = self._joint_motions(amounts, None if ratio is None else self._parent_ratio(ratio))
        child_position = self._scaled_child_position(ratio)
        local_rotation, local_position = self._inner_frames(ratio)
        # Pose of M in the M of the parent: the fixed transform between the two, then the joint's own motion.
        step_rotation = local_rotation @ rotations
        step_position = _turn(local_rotation, positions) + local_position
        frames, centres = self._chain(step_rotation, step_position, root_rotation, root_position_m)
        body_rotations = frames @ self.child_rotation
        body_positions = centres + _turn(frames, child_position)
        markers = self._markers(body_rotations, body_positions, ratio)
        return KinematicPose(centres, markers, body_rotations, body_positions)

    def _keep(self, name: str, values: NDArray[np.floating]) -> None:
        # Not in checkpoints: the tree belongs to a subject, the weights to all of them.
        self.register_buffer(name, torch.tensor(np.asarray(values), dtype=self._dtype), persistent=False)

    def _keep_index(self, name: str, values: NDArray[np.integer]) -> None:
        self.register_buffer(name, torch.tensor(np.asarray(values), dtype=torch.int64), persistent=False)

    def _keep_inputs(self, tree: KinematicTree, tree_scales: NDArray[np.floating] | None) -> None:
        given = {name: column for column, name in enumerate(self.coordinate_names)}
        # Column k, one past the input, holds the defaults of all that the input does not say.
        free = tree.free_coordinates
        source = [given.get(name, -1) if free[at] else -1 for at, name in enumerate(tree.coordinate_names)]
        self._keep_index("input_column", np.array([max(column, 0) for column in source]))
        self.register_buffer("is_given", torch.tensor([column >= 0 for column in source]), persistent=False)
        self._keep("coordinate_default", tree.coordinate_default)
        scales = np.ones((len(self.body_names), 3)) if tree_scales is None else np.asarray(tree_scales)
        if scales.shape != (len(self.body_names), 3):
            raise UsageError(f"tree_scales: expected shape ({len(self.body_names)}, 3), but got {scales.shape}")
        row = {name: index for index, name in enumerate(self.body_names)}
        self._keep_index("scale_row", np.array([max(row.get(name, -1), 0) for name in tree.body_names]))
        self.register_buffer("has_scale", torch.tensor([name in row for name in tree.body_names]), persistent=False)
        self._keep("tree_scales", scales)

    def _keep_frames(self, tree: KinematicTree) -> None:
        self._keep("parent_rotation", tree.parent_rotation)
        self._keep("parent_position_m", tree.parent_position_m)
        self._keep("child_rotation", tree.child_rotation)
        # Origin of M in the body, which the body's scales stretch.
        self._keep("moving_origin_m", -np.einsum("bji,bj->bi", tree.child_rotation, tree.child_position_m))
        self._keep_index("parent", np.maximum(tree.body_parent, 0))
        self._keep_index("marker_body", np.maximum(tree.marker_body, 0))
        self.register_buffer("marker_on_ground", torch.tensor(tree.marker_body < 0), persistent=False)
        self._keep("marker_position_m", tree.marker_position_m)
        depth = np.zeros(tree.n_bodies, dtype=np.int64)
        for body in range(1, tree.n_bodies):
            depth[body] = depth[tree.body_parent[body]] + 1
        # Bodies level by level, so that each level is one product.
        # Stable, so that the order of bodies does not depend on the sort.
        order = np.argsort(depth, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        self._keep_index("level_order", order)
        self._keep_index("level_place", place)
        self._levels = [np.flatnonzero(depth == level) for level in range(1, int(depth.max()) + 1)]
        for level, bodies in enumerate(self._levels):
            self._keep_index(f"level_{level}", bodies)
            # A level's parents are counted within the level above, whose poses are at hand in the chain.
            first = int((depth < level).sum())
            self._keep_index(f"level_{level}_parent", place[tree.body_parent[bodies]] - first)

    def _keep_axes(self, tree: KinematicTree) -> None:
        """Axis j of every joint at once: joints with fewer axes borrow one that does not move."""
        counts = np.diff(tree.first_axis)
        counts[0] = 0  # the root pose is given
        still = len(tree.axis_is_rotation)
        direction = np.vstack([tree.axis_direction, [1.0, 0.0, 0.0]])
        turns = np.append(tree.axis_is_rotation, True)
        slots = np.full((int(counts.max(initial=0)), tree.n_bodies), still)
        for body, count in enumerate(counts):
            slots[:count, body] = tree.first_axis[body] + np.arange(count)
        self._turns_in_slot = [bool(turns[slot[slot < still]].any()) for slot in slots]
        self._moves_in_slot = [bool((~turns[slot[slot < still]]).any()) for slot in slots]
        self._keep_index("axis_slots", slots)
        self.register_buffer("slot_turns", torch.tensor(turns[slots]), persistent=False)
        self._keep("slot_direction", direction[slots])
        self._keep("slot_cross", _cross_matrices(direction[slots]))
        self._keep("slot_weights", _stretch_weights(np.abs(direction[slots]), self._scales_above(tree)))
        # Rotations have no length, and a translation by the coordinate itself is measured in metres already.
        stretches = np.array([not turns[axis] and not _is_identity(tree, axis) for axis in range(still)] + [False])
        self.register_buffer("slot_stretches", torch.tensor(stretches[slots]), persistent=False)
        self._keep_index("axis_coordinate", np.maximum(tree.axis_coordinate, 0))
        self.register_buffer("axis_is_moved", torch.tensor(tree.axis_coordinate >= 0), persistent=False)

    def _scales_above(self, tree: KinematicTree) -> NDArray[np.float64]:
        """Return (b, 3): the scales that the parent of each body already has."""
        own = np.where(self.has_scale.numpy()[:, None], self.tree_scales.double().numpy()[self.scale_row.numpy()], 1.0)
        return np.where((tree.body_parent < 0)[:, None], 1.0, own[tree.body_parent])

    def _keep_couplers(self, tree: KinematicTree) -> None:
        """Coupled coordinates in generations: those of one follow leaders of the ones before."""
        self._coupler_functions = torch.nn.ModuleList()
        # Free coordinates are known at once, followers after their leaders.
        known = set(np.flatnonzero(tree.coupled_to < 0).tolist())
        waiting = [int(index) for index in np.flatnonzero(tree.coupled_to >= 0)]
        while waiting:
            ready = [index for index in waiting if int(tree.coupled_to[index]) in known]
            number = len(self._coupler_functions)
            self._keep_index(f"follower_{number}", np.array(ready))
            self._keep_index(f"leader_{number}", tree.coupled_to[ready])
            self._coupler_functions.append(_Functions(tree, tree.coupling_function[ready], self._dtype))
            known.update(ready)
            waiting = [index for index in waiting if index not in known]

    def _arguments(self, coordinates: torch.Tensor) -> torch.Tensor:
        """Return (..., a) arguments of the axes' functions."""
        if coordinates.shape[-1] != len(self.coordinate_names):
            raise UsageError(
                f"coordinates: expected {len(self.coordinate_names)} columns, one for each of coordinate_names, "
                f"but got {coordinates.shape[-1]}"
            )
        # `where`, not an assignment: gradients flow to the inputs that are used.
        complete = torch.where(self.is_given, coordinates[..., self.input_column], self.coordinate_default)
        for number, functions in enumerate(self._coupler_functions):
            leaders = complete[..., self.get_buffer(f"leader_{number}")]
            complete = complete.index_copy(-1, self.get_buffer(f"follower_{number}"), functions(leaders))
        moved = complete[..., self.axis_coordinate]
        return torch.where(self.axis_is_moved, moved, torch.zeros_like(moved))

    def _ratio(self, body_scales: torch.Tensor) -> torch.Tensor:
        """Return (..., b, 3): the size of each body relative to its size in the tree."""
        if body_scales.shape[-2:] != (len(self.body_names), 3):
            raise UsageError(
                f"body_scales: expected (..., {len(self.body_names)}, 3), but got {tuple(body_scales.shape)}"
            )
        # Relative to the tree, which already has the subject's scales.
        ratio = (body_scales / self.tree_scales)[..., self.scale_row, :]
        return torch.where(self.has_scale[:, None], ratio, torch.ones_like(ratio))

    def _parent_ratio(self, ratio: torch.Tensor) -> torch.Tensor:
        """Return (..., b, 3): the ratio of each body's parent; ground has none."""
        above = ratio[..., self.parent, :]
        return torch.cat([torch.ones_like(above[..., :1, :]), above[..., 1:, :]], dim=-2)

    def _joint_motions(self, amounts: torch.Tensor, above: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what each joint does: (..., b, 3, 3) M in F, and (..., b, 3) its origin in F, metres."""
        batch, n_bodies = amounts.shape[:-1], len(self.joint_names)
        rotations = torch.eye(3, dtype=amounts.dtype, device=amounts.device).expand(*batch, n_bodies, 3, 3)
        positions = amounts.new_zeros((*batch, n_bodies, 3))
        # One column more, of zeros: the axis that fills the empty slots.
        amounts = torch.cat([amounts, amounts.new_zeros((*batch, 1))], dim=-1)
        # A loop over at most six slots, each for all joints at once.
        for slot in range(len(self._turns_in_slot)):
            amount = amounts[..., self.axis_slots[slot]]
            direction, turns = self.slot_direction[slot], self.slot_turns[slot]
            if self._moves_in_slot[slot]:
                shift = torch.where(turns, torch.zeros_like(amount), amount)
                if above is not None:
                    stretch = (above * self.slot_weights[slot]).sum(dim=-1)
                    shift = shift * torch.where(self.slot_stretches[slot], stretch, torch.ones_like(stretch))
                positions = positions + _turn(rotations, shift[..., None] * direction)
            if self._turns_in_slot[slot]:
                angle = torch.where(turns, amount, torch.zeros_like(amount))
                rotations = rotations @ _rotations(self.slot_cross[slot], angle)
        return rotations, positions

    def _scaled_child_position(self, ratio: torch.Tensor | None) -> torch.Tensor:
        """Return (..., b, 3): origin of each body in its M."""
        origin = self.moving_origin_m if ratio is None else ratio * self.moving_origin_m
        return -_turn(self.child_rotation, origin)

    def _inner_frames(self, ratio: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return each joint's F in the M of its parent body: (b, 3, 3) and (..., b, 3)."""
        stands_at = self.parent_position_m if ratio is None else self._parent_ratio(ratio) * self.parent_position_m
        turned = self.child_rotation[self.parent]
        position = _turn(turned, stands_at) + self._scaled_child_position(ratio)[..., self.parent, :]
        return turned @ self.parent_rotation, position

    def _chain(
        self,
        step_rotation: torch.Tensor,
        step_position: torch.Tensor,
        root_rotation: torch.Tensor,
        root_position_m: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return every M in the frame of the root pose, level by level from the root."""
        batch = torch.broadcast_shapes(step_position.shape[:-2], root_rotation.shape[:-2], root_position_m.shape[:-1])
        rotation = root_rotation[..., None, :, :].expand(*batch, 1, 3, 3)
        position = root_position_m[..., None, :].expand(*batch, 1, 3)
        rotations, positions = [rotation], [position]
        for level in range(len(self._levels)):
            bodies, parents = self.get_buffer(f"level_{level}"), self.get_buffer(f"level_{level}_parent")
            before = rotation[..., parents, :, :]
            position = position[..., parents, :] + _turn(before, step_position[..., bodies, :])
            rotation = before @ step_rotation[..., bodies, :, :]
            rotations.append(rotation)
            positions.append(position)
        place = self.level_place
        return torch.cat(rotations, dim=-3)[..., place, :, :], torch.cat(positions, dim=-2)[..., place, :]

    def _markers(self, rotations: torch.Tensor, positions: torch.Tensor, ratio: torch.Tensor | None) -> torch.Tensor:
        site = self.marker_position_m if ratio is None else ratio[..., self.marker_body, :] * self.marker_position_m
        placed = positions[..., self.marker_body, :] + _turn(rotations[..., self.marker_body, :, :], site)
        return torch.where(self.marker_on_ground[:, None], self.marker_position_m, placed)


class _Functions(torch.nn.Module):  # type: ignore[misc]
    """Piecewise polynomials, one for each column: functions of one piece are kept apart, because most are."""

    def __init__(self, tree: KinematicTree, functions: NDArray[np.int64], dtype: torch.dtype) -> None:
        """Take functions of a tree, (k,) indices."""
        super().__init__()
        first, n_pieces = tree.first_piece[functions], np.diff(tree.first_piece)[functions]
        most = int(n_pieces.max(initial=1))
        piece = first[:, None] + np.minimum(np.arange(most), n_pieces[:, None] - 1)
        # The first piece reaches down to minus infinity; what pads the others is never reached.
        starts = np.where(np.arange(1, most) < n_pieces[:, None], tree.piece_start[piece[:, 1:]], np.inf)
        many = np.flatnonzero(n_pieces > 1)
        self._has_pieces = len(many) > 0
        for name, values in {
            "starts": starts[many],
            "origins": tree.piece_origin[piece[many]],
            "coefficients": tree.piece_coefficients[piece[many]],
            "one_origin": tree.piece_origin[first],
            "one_coefficients": tree.piece_coefficients[first],
        }.items():
            self.register_buffer(name, torch.tensor(values, dtype=dtype), persistent=False)
        self.register_buffer("many", torch.tensor(many, dtype=torch.int64), persistent=False)

    def forward(self, arguments: torch.Tensor) -> torch.Tensor:
        """Return (..., k) values at (..., k) arguments."""
        values = _polynomial(self.one_coefficients, arguments - self.one_origin)
        if not self._has_pieces:
            return values
        argument = arguments[..., self.many]
        # The choice of a piece has no gradient; the polynomial in it has.
        index = (argument.detach()[..., None] >= self.starts).sum(dim=-1, keepdim=True)
        columns = torch.arange(len(self.many), device=argument.device)
        origin = self.origins[columns, index[..., 0]]
        pieces = self.coefficients[columns, index[..., 0]]
        return values.index_copy(-1, self.many, _polynomial(pieces, argument - origin))


def _polynomial(coefficients: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """Horner's scheme; coefficients (..., degree + 1) ascend."""
    value = torch.zeros_like(offset)
    for power in range(coefficients.shape[-1] - 1, -1, -1):
        value = value * offset + coefficients[..., power]
    return value


def _turn(rotations: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    return (rotations @ vectors[..., None])[..., 0]


def _rotations(cross: torch.Tensor, angle_rad: torch.Tensor) -> torch.Tensor:
    """Rodrigues' formula about axes whose cross product matrices are given."""
    identity = torch.eye(3, dtype=cross.dtype, device=cross.device)
    sine, versine = torch.sin(angle_rad)[..., None, None], (1.0 - torch.cos(angle_rad))[..., None, None]
    return identity + sine * cross + versine * (cross @ cross)


def _cross_matrices(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y, z = np.moveaxis(directions, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([np.stack(row, -1) for row in ((zero, -z, y), (z, zero, -x), (-y, x, zero))], -2)


def _stretch_weights(parts: NDArray[np.float64], scales: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (slot, b, 3): weights of x, y, z, so that a translation's factor is their sum with the parent's ratios.

    OpenSim's factor is the sum of the sizes of the axis' parts times the parent's scales; the ratio of two of them is
    a weighted mean of the ratios of the scales.
    """
    weights = parts * scales
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def _is_identity(tree: KinematicTree, axis: int) -> bool:
    """Whether an axis moves by its coordinate itself: OpenSim does not scale such a translation."""
    first, end = tree.first_piece[tree.axis_function[axis] : tree.axis_function[axis] + 2]
    coefficients = tree.piece_coefficients[first]
    line = np.zeros_like(coefficients)
    line[1] = 1.0
    return end - first == 1 and tree.piece_origin[first] == 0 and bool((coefficients == line).all())
