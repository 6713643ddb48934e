"""From the noise of markers to the deviation of every coordinate: how far a label may be from the bone.

A pose x minimises 1/2 sum_i w_i |p_i(x) - y_i|^2 + 1/2 sum_a r_a (x_a - default_a)^2. With J = dp/dx, errors e of the
markers and a truth that is d away from the default, it is off by

    (J'WJ + R)^-1 (J'W e + R d)

to first order (Gauss-Newton; a sandwich as in Huber 1967, because the weights are not those of e). Both e and d are
made of independent sources of variance 1: the skin of every segment, the placement of every marker, the size of every
segment, and where the person's pose is within the model's ranges. A covariance is the sum over sources. Those of the
skin are one set, for they change in time; those that last through a clip are another. The solver's term in time is left
out: errors that change slowly pass it as they are.

Bounds are ignored, as if every coordinate were free. Covariances change with the pose: they are computed wherever
angles have come as far as `TURN_RAD` says, every `EVERY_S` seconds at least, and wherever a marker comes or goes. In
between they change in proportion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.records.pose_deviation import PoseDeviation, chained_std

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree
    from movi_prep.records.marker_noise import MarkerNoise

TURN_RAD = np.pi / 9.0
"""Deviations are computed anew when the angles have come so far, counted frame by frame by the one that turns most.

Then 99 of 100 in between are within 5 % of those computed at every frame, and all within a quarter; those of bones,
within 10 % and 36 %: measured on the embedded clips at 120 Hz, as they are and played twice as fast. The worst are
angles near a pose in which two axes of a joint line up, as those of a shoulder whose arm hangs down: there a deviation
doubles within 20 degrees."""

EVERY_S = 0.4
"""Deviations that are computed stand at most so far apart, seconds."""

SKIN_MODES, LASTING_MODES = 24, 12
"""How many modes a clip has: of its skin, and of what lasts."""

_MODE_FRAMES = 8
"""Modes are found from so many frames, evenly spread."""

_BLOCK_FRAMES = 16
"""Frames that are computed together: with more, their matrices leave the cache of a processor."""

_BONE_SHARE = 2.0
"""How much the orientation of a bone counts beside a coordinate in the choice of modes: its errors are sums along the
chain that partly cancel, which few modes represent badly."""

_MODE_PASSES, _LEAST_KEPT = 3, 0.05
"""What the modes keep least of (the turn of the head, which has sources of its own) counts more in the next pass, by
the root of the share kept, which is taken as no smaller than this. With 3 passes, nine of ten axes of bones come within
an eighth."""

_MORE_DIRECTIONS = 8
"""Modes are found among so many more directions (Halko et al. 2011, Finding structure with randomness, 4.2)."""

_LEAST_RANGE, _LARGEST_RANGE = 0.08, 4.0
"""Ranges of coordinates are taken as no narrower and no wider (rad or m): a quarter of them is 0.02 to 1."""

_FAINT, _USUAL_NOISE_M = 1e-9, 0.005
"""Share of a whole prior (at that noise of a marker) that keeps directions finite which nothing sees."""


@dataclass(frozen=True, eq=False)
class SolvedPoses:
    """The poses, markers and weights that labels came from.

    Attributes:
        coordinates: (n, c) float64, rad and m, complete; NaN in frames without a pose.
        markers: (m,) int64, tracked markers, as the tree counts them.
        weights: (m,) float64, their weights.
        seen: (n, m) bool, where the data have them.
        prior: (c,) float64, m^2/rad^2, weight of the pull to the default of each coordinate, beside weights that sum
            to 1; 0 for none.
        shares: (n,) float64, share in which the pulls acted.
        rate_hz: frames per second.
    """

    coordinates: NDArray[np.float64]
    markers: NDArray[np.int64]
    weights: NDArray[np.float64]
    seen: NDArray[np.bool_]
    prior: NDArray[np.float64]
    shares: NDArray[np.float64]
    rate_hz: float


@dataclass(frozen=True, eq=False)
class _Sources:
    """The sources of the errors of one model's tracked markers.

    Attributes:
        skin: for each segment: its markers (k,), and the root (k, k) of their covariance along one axis, metres.
        whole: the same with what placement adds.
        placement_m: per marker and axis.
        scale: relative.
        groups: (b,) segment of each body.
        n_groups: how many segments there are.
        prior_std: (f,) how far free coordinates are from their defaults, rad or m.
    """

    skin: list[tuple[NDArray[np.int64], NDArray[np.float64]]]
    whole: list[tuple[NDArray[np.int64], NDArray[np.float64]]]
    placement_m: float
    scale: float
    groups: NDArray[np.int64]
    n_groups: int
    prior_std: NDArray[np.float64]


Modes = tuple["NDArray[np.float64]", ...]
"""(s, r) orthonormal combinations of the sources of skin, and of those that last."""


def solve_deviation(
    tree: KinematicTree, poses: SolvedPoses, noise: MarkerNoise, modes: Modes | None = None
) -> tuple[PoseDeviation, Modes | None]:
    """Return the covariances of the free coordinates, and the modes that express them.

    Args:
        tree: the model.
        poses: poses of a clip, or of a part of it.
        noise: of its markers.
        modes: those of the part before, None where there is none: modes are the same through a clip.
    """
    poses = _body_by_body(tree, poses)
    sources = _find_sources(tree, tuple(poses.markers.tolist()), noise)
    rows = _rows(tree, poses)
    if modes is None and len(rows):
        spread = np.unique(np.linspace(0, len(rows) - 1, _MODE_FRAMES).round().astype(np.int64))
        modes = _find_modes(tree, poses, sources, rows[spread])
    times_s = np.repeat([noise.correlation_s, np.inf], [SKIN_MODES, LASTING_MODES])
    n_free = int(tree.free_coordinates.sum())
    # Half precision: 36 numbers for each coordinate and frame, of which a deviation needs two digits.
    factor = np.full((len(poses.coordinates), n_free, len(times_s)), np.nan, dtype=np.float16)
    if modes is not None and len(rows):
        known = np.concatenate([_factor(parts, modes) for parts in _propagate(tree, poses, sources, rows)])
        _fill_between(factor, rows, known, np.asarray(np.isfinite(poses.coordinates).all(axis=1)))
    return PoseDeviation(factor, times_s), modes


def solve_std(tree: KinematicTree, poses: SolvedPoses, noise: MarkerNoise) -> NDArray[np.float64]:
    """Return (n, c) float64, rad and m: standard deviations of all coordinates, without what makes their covariance.

    Equal to those of `solve_deviation` in frames that both compute.
    """
    poses = _body_by_body(tree, poses)
    sources = _find_sources(tree, tuple(poses.markers.tolist()), noise)
    rows = _rows(tree, poses)
    std = np.full(poses.coordinates.shape, np.nan)
    if len(rows):
        known = chained_std(tree, poses.coordinates[rows], _std(tree, poses, sources, rows))
        posed = np.flatnonzero(np.isfinite(poses.coordinates).all(axis=1))
        values = _between(rows, known, posed)
        if len(posed) == len(std):
            return values
        std[posed] = values
    return std


def _between(rows: NDArray[np.int64], known: NDArray[np.float64], at: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (p, c) values at some rows, in proportion between the (k,) rows where they are known."""
    number = np.searchsorted(rows, at, side="right") - 1
    following = np.minimum(number + 1, len(rows) - 1)
    share = (at - rows[number]) / np.maximum(rows[following] - rows[number], 1)
    before, values = known[number], known[following]
    # In place: there are as many values as the clip has.
    values -= before
    values *= share[:, None]
    values += before
    return values


def _body_by_body(tree: KinematicTree, poses: SolvedPoses) -> SolvedPoses:
    """Return the poses with the markers of one body together: its twist makes all their derivatives at once."""
    order = np.argsort(tree.marker_body[poses.markers], kind="stable")
    return replace(poses, markers=poses.markers[order], weights=poses.weights[order], seen=poses.seen[:, order])


def _fill_between(
    factor: NDArray[np.float16], rows: NDArray[np.int64], known: NDArray[np.float32], posed: NDArray[np.bool_]
) -> None:
    """Write the factors of posed frames, in proportion between the (k,) rows where they are known."""
    std = np.sqrt(np.einsum("kfr,kfr->kf", known, known))
    for number, row in enumerate(rows.tolist()):
        following = min(number + 1, len(rows) - 1)
        between = np.arange(row, max(int(rows[following]), row + 1))
        between = between[posed[between]]
        share = ((between - row) / max(int(rows[following]) - row, 1)).astype(np.float32)[:, None]
        values = known[number] + share[..., None] * (known[following] - known[number])
        wanted = std[number] + share * (std[following] - std[number])
        # Halfway between two factors of unlike direction is shorter than both: standard deviations have to be right.
        found = np.sqrt(np.einsum("nfr,nfr->nf", values, values))
        factor[between] = values * (wanted / np.where(found > 0.0, found, 1.0))[..., None]


def _factor(parts: _Parts, modes: Modes) -> NDArray[np.float32]:
    """(k, f, r) errors per mode; the squares of a row sum to the whole variance."""
    whole = sum(np.einsum("nfs,nfs->nf", part, part) for part in parts)
    factor = np.concatenate([part @ basis for part, basis in zip(parts, modes, strict=True)], axis=2)
    kept = np.einsum("nfr,nfr->nf", factor, factor)
    # Few modes keep less than the whole variance: each row is scaled up to it, so that standard deviations are right
    # and only correlations are approximate.
    return np.asarray(factor * np.sqrt(whole / np.maximum(kept, 1e-300))[..., None], dtype=np.float32)


def _find_modes(tree: KinematicTree, poses: SolvedPoses, sources: _Sources, rows: NDArray[np.int64]) -> Modes:
    """Return the combinations of sources that make most of the errors of coordinates and bones, each beside its own."""
    errors = [np.concatenate(blocks) for blocks in zip(*_propagate(tree, poses, sources, rows), strict=True)]
    bodies = tree.marker_body[poses.markers]
    bones = np.unique(bodies[bodies >= 0])
    rotations, _ = tree.body_poses(poses.coordinates[rows])
    _, _, twists = tree.frames_and_twists(poses.coordinates[rows], bones)
    turns = (np.swapaxes(rotations[:, bones], 2, 3) @ twists[:, :, :3]).reshape(len(rows), 3 * len(bones), -1)
    told = [np.concatenate([part, turns @ part], axis=1) for part in errors]
    scale = np.sqrt(sum(np.einsum("nfs,nfs->nf", part, part) for part in told))
    # A joint that nothing moves has no error.
    told = [part / np.where(scale > 0.0, scale, 1.0)[..., None] for part in told]
    counts = np.where(np.arange(told[0].shape[1]) < turns.shape[2], 1.0, _BONE_SHARE)
    modes = _bases(told, counts, None)
    for _ in range(_MODE_PASSES):
        kept = sum(
            np.mean(np.sum((part @ basis) ** 2, axis=2), axis=0) for part, basis in zip(told, modes, strict=True)
        )
        counts = counts / np.sqrt(np.clip(kept, _LEAST_KEPT, 1.0))
        modes = _bases(told, counts, modes)
    return modes


def _bases(told: Sequence[NDArray[np.float64]], counts: NDArray[np.float64], near: Modes | None) -> Modes:
    """Return the modes of (n, k, s) errors of unit size, where each of the k numbers counts as much as is said.

    `near` are modes that they hardly differ from, None where there are none.
    """
    weighed = [(part * counts[:, None]).reshape(-1, part.shape[2]) for part in told]
    sizes, begun = (SKIN_MODES, LASTING_MODES), near or (None, None)
    return tuple(_basis(*each) for each in zip(weighed, sizes, begun, strict=True))


def _basis(errors: NDArray[np.float64], n_modes: int, near: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return (s, r): the right singular vectors of (n, s) errors that count most, by subspace iteration.

    From vectors near them, one pass is enough.
    """
    n_sources = errors.shape[1]
    n_tried = min(n_modes + _MORE_DIRECTIONS, n_sources)
    # A fixed seed: the same clip gives the same bytes.
    tried = np.random.default_rng(0).standard_normal((n_sources, n_tried))
    if near is not None:
        tried[:, : min(n_modes, n_tried)] = near[:, : min(n_modes, n_tried)]
    for _ in range(2 if near is None else 1):
        # Orthonormal after each pass, or all directions would lean to the largest one.
        tried, _ = np.linalg.qr(errors.T @ (errors @ tried))
    seen = errors @ tried
    _, vectors = np.linalg.eigh(seen.T @ seen)
    found = tried @ vectors[:, ::-1][:, :n_modes]
    # Where there are fewer sources than modes, the last modes are empty: all clips have as many.
    return np.pad(found, ((0, 0), (0, n_modes - found.shape[1])))


def _rows(tree: KinematicTree, poses: SolvedPoses) -> NDArray[np.int64]:
    """(k,) frames: the ends of every stretch in which the same markers are seen, and those between that the pose asks
    for."""
    posed: NDArray[np.bool_] = np.asarray(np.isfinite(poses.coordinates).all(axis=1))
    if not posed.any():
        return np.zeros(0, dtype=np.int64)
    starts = np.ones(len(posed), dtype=bool)
    starts[1:] = (poses.seen[1:] != poses.seen[:-1]).any(axis=1) | (posed[1:] != posed[:-1])
    ends = np.append(starts[1:], True)
    angles = poses.coordinates[:, tree.free_coordinates & tree.coordinate_is_rotation]
    turned_rad = np.abs(np.diff(angles, axis=0)).max(axis=1, initial=0.0)
    # In steps from one computed frame to the next; a frame without a pose has no step.
    steps = np.maximum(np.nan_to_num(turned_rad) / TURN_RAD, 1.0 / (EVERY_S * poses.rate_hz))
    come = np.append(0.0, np.cumsum(steps))
    # The millionth is for rounding, which must not put off a step of just 1.
    number = np.floor(come - np.maximum.accumulate(np.where(starts, come, 0.0)) + 1e-6)
    return np.flatnonzero(posed & (starts | ends | (np.diff(number, prepend=-1.0) > 0.0)))


@lru_cache(maxsize=4)
def _find_sources(tree: KinematicTree, markers: tuple[int, ...], noise: MarkerNoise) -> _Sources:
    """Return what errors are made of; the clips of one subject share it."""
    # Imported here: what misses mean for angles needs none of it.
    from movi_prep.records.marker_noise import segment_groups

    chosen = np.array(markers, dtype=np.int64)
    groups, segments = segment_groups(noise, tree.body_names)
    default_m = tree.marker_positions(tree.complete_coordinates(tree.coordinate_default))[chosen]
    group_of = groups[tree.marker_body[chosen]]
    skin, whole = [], []
    for group in np.unique(group_of):
        own = np.flatnonzero(group_of == group)
        apart_m = np.linalg.norm(default_m[own, None] - default_m[own], axis=2)
        # Exponential covariance of the skin's movement over distance; its root by eigenvectors, as it may be singular
        # (markers at one place). Negative eigenvalues are rounding.
        values, vectors = np.linalg.eigh(np.exp(-apart_m / segments[group].field_length_m))
        variances = segments[group].field_sd_m ** 2 * np.maximum(values, 0.0)
        skin.append((own, vectors * np.sqrt(variances)))
        whole.append((own, vectors * np.sqrt(variances + noise.placement_sd_m**2)))
    return _Sources(
        skin=skin,
        whole=whole,
        placement_m=noise.placement_sd_m,
        scale=noise.scale_sd,
        groups=groups,
        n_groups=len(segments),
        prior_std=_range_std(tree),
    )


_Parts = tuple["NDArray[np.float64]", "NDArray[np.float64]"]
"""Errors of the free coordinates per source, (k, f, s) each: of the skin, and of what lasts."""


def _propagate(tree: KinematicTree, poses: SolvedPoses, sources: _Sources, rows: NDArray[np.int64]) -> Iterator[_Parts]:
    """Yield, block by block of frames, what the sources make of the pose: the equation of the module."""
    for at in _normal_equations(tree, poses, sources, rows):
        pulls = at.jacobian * at.root_weights[..., None]
        skin = _mix(pulls, sources.skin, np.empty_like(pulls)) @ at.inverse
        grown = sources.scale * np.swapaxes(np.swapaxes(pulls, 1, 2) @ at.growth, 1, 2)
        lasting = np.concatenate([(sources.placement_m * pulls) @ at.inverse, grown @ at.inverse, at.of_prior], axis=1)
        yield np.swapaxes(skin, 1, 2), np.swapaxes(lasting, 1, 2)


def _std(tree: KinematicTree, poses: SolvedPoses, sources: _Sources, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """(k, f) standard deviations of the free coordinates at some frames."""
    # What comes from an inverse in double precision may be multiplied in single precision, which takes half the time.
    shape = (min(len(rows), _BLOCK_FRAMES), 3 * len(poses.markers), int(tree.free_coordinates.sum()))
    pulls, mixed, errors = (np.empty(shape, dtype=np.float32) for _ in range(3))
    variances = []
    for at in _normal_equations(tree, poses, sources, rows):
        k, inverse = len(at.inverse), at.inverse.astype(np.float32)
        np.multiply(at.jacobian, at.root_weights[..., None], out=pulls[:k], casting="same_kind")
        grown = sources.scale * np.swapaxes(np.swapaxes(pulls[:k], 1, 2) @ at.growth, 1, 2) @ inverse
        # Skin and placement of a marker are in one: they need not be told apart here.
        np.matmul(_mix(pulls[:k], sources.whole, mixed[:k]), inverse, out=errors[:k])
        variances.append(sum(np.einsum("nsf,nsf->nf", part, part) for part in (errors[:k], grown, at.of_prior)))
    return np.asarray(np.sqrt(np.concatenate(variances)), dtype=np.float64)


def _mix(
    pulls: NDArray[np.floating],
    roots: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]],
    out: NDArray[np.floating],
) -> NDArray[np.floating]:
    """Write (k, 3 m, f) pulls of sources of variance 1, from those of markers and the roots of their covariance."""
    k, rows, f = pulls.shape
    by_marker, by_source, first = pulls.reshape(k, rows // 3, 3 * f), out.reshape(k, rows // 3, 3 * f), 0
    for own, root in roots:
        np.matmul(root.T.astype(pulls.dtype), by_marker[:, own], out=by_source[:, first : first + len(own)])
        first += len(own)
    return out


@dataclass(frozen=True, eq=False)
class _NormalEquations:
    """The equation of the module at some frames.

    Attributes:
        inverse: (k, f, f) (J'WJ + R)^-1.
        jacobian: (k, 3 m, f) J, times the roots of W; room that the next frames are written to.
        root_weights: (k, 3 m) of W.
        growth: (k, 3 m, g) how markers move where a segment is larger by 1.
        of_prior: (k, f, f) errors that come from one deviation of the prior along each coordinate in turn.
    """

    inverse: NDArray[np.float64]
    jacobian: NDArray[np.float64]
    root_weights: NDArray[np.float64]
    growth: NDArray[np.float32]
    of_prior: NDArray[np.float64]


def _normal_equations(
    tree: KinematicTree, poses: SolvedPoses, sources: _Sources, rows: NDArray[np.int64]
) -> Iterator[_NormalEquations]:
    """Yield what errors of markers are multiplied with, block by block of frames."""
    frames, centres_m, axes = tree.frames_and_axes(poses.coordinates[rows])
    bodies = tree.marker_body[poses.markers]
    markers_m = tree.markers_at(*tree.bodies_at(frames, centres_m))[:, poses.markers]
    derivatives = _derivatives(tree, axes, markers_m, poses.markers)
    centres_grow = _centres_grow(tree, sources, centres_m)
    from_joints_m = markers_m - centres_m[:, bodies]
    faint = _FAINT * _USUAL_NOISE_M**2 / (len(poses.markers) * sources.prior_std**2)
    diagonal = np.arange(len(faint))
    # Fresh memory for every block would cost as much as its arithmetic.
    room = np.zeros((min(len(rows), _BLOCK_FRAMES), 3 * len(poses.markers), len(faint)))
    for first in range(0, len(rows), _BLOCK_FRAMES):
        some = slice(first, first + _BLOCK_FRAMES)
        block = rows[some]
        prior = poses.shares[block, None] * poses.prior[tree.free_coordinates]
        weights = poses.seen[block] * poses.weights
        # Weights sum to 1 over the markers seen, as in the solver: gains belong to that objective.
        roots = np.repeat(np.sqrt(weights / weights.sum(axis=1, keepdims=True)), 3, axis=1)
        jacobian = room[: len(block)]
        for own, columns, values in derivatives:
            jacobian[:, own, columns] = values[some] * roots[:, own, None]
        # The same array twice: NumPy computes half of a symmetric product.
        matrix = np.swapaxes(jacobian, 1, 2) @ jacobian
        matrix[:, diagonal, diagonal] += prior + faint
        inverse = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
        growth = _growth(tree, sources, centres_grow[some], from_joints_m[some], poses.markers)
        yield _NormalEquations(inverse, jacobian, roots, growth, (prior * sources.prior_std)[..., None] * inverse)


def _derivatives(
    tree: KinematicTree, axes: NDArray[np.float64], markers_m: NDArray[np.float64], markers: NDArray[np.int64]
) -> list[tuple[slice, NDArray[np.int64], NDArray[np.float64]]]:
    """Return for each body: the rows of its markers (three each), the free coordinates that move it, and (n, r, d)
    derivatives of its markers in ground.

    Markers stand body by body: the twist of a body makes all their derivatives at once. `axes` are (n, 6, a) twists.
    """
    n, m, _ = markers_m.shape
    x, y, z = np.moveaxis(markers_m, 2, 0)
    # The velocity of a point p is v + w x p: rows of (n, m, 3, 6).
    moves = np.zeros((n, m, 3, 6))
    moves[:, :, [0, 1, 2], [3, 4, 5]] = 1.0
    moves[:, :, 0, 1], moves[:, :, 0, 2] = z, -y
    moves[:, :, 1, 0], moves[:, :, 1, 2] = -z, x
    moves[:, :, 2, 0], moves[:, :, 2, 1] = y, -x
    bodies = tree.marker_body[markers]
    # Markers on ground stand first, and no coordinate moves them.
    starts = np.flatnonzero(np.diff(bodies, prepend=-1))
    found = []
    for first, end in zip(starts.tolist(), [*starts[1:].tolist(), m], strict=True):
        columns, twist = tree.body_twist(axes, int(bodies[first]))
        found.append((slice(3 * first, 3 * end), columns, moves[:, first:end].reshape(n, -1, 6) @ twist))
    return found


def _centres_grow(tree: KinematicTree, sources: _Sources, centres_m: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return (n, b, 3, g): how joint centres move where a segment is larger by 1."""
    # Single precision: a size is known to a hundredth.
    moved = np.zeros((len(centres_m), tree.n_bodies, 3, sources.n_groups), dtype=np.float32)
    for body in range(tree.n_bodies):
        parent = int(tree.body_parent[body])
        if parent >= 0:
            # A body moves with whatever moves its parent's joint, and by its own joint's distance where the parent
            # grows.
            moved[:, body] = moved[:, parent]
            moved[:, body, :, sources.groups[parent]] += centres_m[:, body] - centres_m[:, parent]
    return moved


def _growth(
    tree: KinematicTree,
    sources: _Sources,
    centres_grow: NDArray[np.float32],
    from_joints_m: NDArray[np.float64],
    markers: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return (k, 3 m, g): how markers move where a segment is larger by 1, its joint with its parent held in place."""
    carriers = tree.marker_body[markers]
    found = centres_grow[:, carriers]
    found[:, np.arange(len(markers)), :, sources.groups[carriers]] += np.swapaxes(from_joints_m, 0, 1)
    return found.reshape(len(found), 3 * len(markers), sources.n_groups)


def misfit_angles(
    tree: KinematicTree, weights: Mapping[str, float], misses_m: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Return marker -> coordinate -> by how much, at most, a marker that misses turns it in the default pose.

    Args:
        tree: a scaled model, whose default pose is the static one.
        weights: marker -> weight; those that the model lacks, or without weight, are left out.
        misses_m: marker -> by how much it misses its place, in an unknown direction.

    Returns:
        Rotations only, radians.
    """
    tracked = [name for name in tree.marker_names if weights.get(name, 0.0) > 0.0]
    markers = np.array([tree.marker(name) for name in tracked], dtype=np.int64)
    order = np.argsort(tree.marker_body[markers], kind="stable")
    tracked, markers = [tracked[index] for index in order], markers[order]
    pose = tree.complete_coordinates(tree.coordinate_default[None])
    frames, centres_m, axes = tree.frames_and_axes(pose)
    markers_m = tree.markers_at(*tree.bodies_at(frames, centres_m))[:, markers]
    jacobian = np.zeros((3 * len(markers), int(tree.free_coordinates.sum())))
    for own, columns, values in _derivatives(tree, axes, markers_m, markers):
        jacobian[own, columns] = values[0]
    share = np.repeat([weights[name] for name in tracked], 3) / sum(weights[name] for name in tracked)
    free = np.flatnonzero(tree.free_coordinates)
    # What markers hardly see is held by its range, as the solver does.
    prior = _USUAL_NOISE_M**2 / (len(markers) * _range_std(tree) ** 2)
    pulled = jacobian.T * share
    gain = np.linalg.solve(pulled @ jacobian + np.diag(prior), pulled).reshape(len(free), len(markers), 3)
    reach = np.linalg.norm(gain, axis=2)
    turns = tree.coordinate_is_rotation[free]
    return {
        name: {
            tree.coordinate_names[coordinate]: float(reach[row, tracked.index(name)] * miss_m)
            for row, coordinate in enumerate(free.tolist())
            if turns[row]
        }
        for name, miss_m in misses_m.items()
        if name in tracked
    }


def _range_std(tree: KinematicTree) -> NDArray[np.float64]:
    """Return (f,) how far free coordinates are from their defaults where they spread evenly over their ranges."""
    free = np.flatnonzero(tree.free_coordinates)
    widths = np.clip(np.diff(tree.coordinate_range[free], axis=1)[:, 0], _LEAST_RANGE, _LARGEST_RANGE)
    # An even spread over a range has a twelfth of its square as variance.
    return np.asarray(widths / np.sqrt(12.0))
