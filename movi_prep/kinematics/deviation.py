"""From the noise of markers to the deviation of every coordinate: how far a label may be from the bone.

A pose x minimises 1/2 sum_i w_i |p_i(x) - y_i|^2 + 1/2 sum_a r_a (x_a - default_a)^2. With J = dp/dx, errors e of the
markers and a truth that is d away from the default, it is off by

    (J'WJ + R)^-1 (J'W e + R d)

to first order (Gauss-Newton; a sandwich as in Huber 1967, because the weights are not those of e). Both e and d are
made of independent sources of variance 1: the skin of every segment, the placement of every marker, the size of every
segment, and where the person's pose is within the model's ranges. A covariance is the sum over sources. Those of the
skin are one set, for they change in time; those that last through a clip are another. The solver's term in time is left
out: errors that change slowly pass it as they are.

Bounds are ignored, as if every coordinate were free. Covariances change as slowly as the pose: they are computed every
`EVERY_S` seconds and wherever a marker comes or goes, and change in proportion in between.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.records.pose_deviation import PoseDeviation, chained_std

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree
    from movi_prep.records.marker_noise import MarkerNoise

EVERY_S = 0.2
"""Covariances stand at most so far apart, seconds."""

STD_EVERY_S = 0.3
"""Standard deviations by themselves stand at most so far apart, seconds."""

SKIN_MODES, LASTING_MODES = 24, 12
"""How many modes a clip has: of its skin, and of what lasts."""

_MODE_FRAMES = 8
"""Modes are found from so many frames, evenly spread."""

_BLOCK_FRAMES = 64
"""Frames that are computed together: some 80 MB with the packaged model."""

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
    rows = _rows(poses)
    if modes is None and len(rows):
        spread = np.unique(np.linspace(0, len(rows) - 1, _MODE_FRAMES).round().astype(np.int64))
        modes = _find_modes(tree, poses, sources, rows[spread])
    times_s = np.repeat([noise.correlation_s, np.inf], [SKIN_MODES, LASTING_MODES])
    n_free = int(tree.free_coordinates.sum())
    # Half precision: 36 numbers for each coordinate and frame, of which a deviation needs two digits.
    factor = np.full((len(poses.coordinates), n_free, len(times_s)), np.nan, dtype=np.float16)
    if modes is not None and len(rows):
        blocks = [rows[first : first + _BLOCK_FRAMES] for first in range(0, len(rows), _BLOCK_FRAMES)]
        known = np.concatenate([_factor(_propagate(tree, poses, sources, block), modes) for block in blocks])
        _fill_between(factor, rows, known, np.asarray(np.isfinite(poses.coordinates).all(axis=1)))
    return PoseDeviation(factor, times_s), modes


def solve_std(tree: KinematicTree, poses: SolvedPoses, noise: MarkerNoise) -> NDArray[np.float64]:
    """Return (n, c) float64, rad and m: standard deviations of all coordinates, without what makes their covariance.

    Equal to those of `solve_deviation` where it computes them; between them standard deviations change in proportion
    here, factors there.
    """
    poses = _body_by_body(tree, poses)
    sources = _find_sources(tree, tuple(poses.markers.tolist()), noise)
    rows = _rows(poses, every_s=STD_EVERY_S)
    std = np.full(poses.coordinates.shape, np.nan)
    if len(rows):
        blocks = [rows[first : first + _BLOCK_FRAMES] for first in range(0, len(rows), _BLOCK_FRAMES)]
        free = np.concatenate([_std(tree, poses, sources, block) for block in blocks])
        known = chained_std(tree, poses.coordinates[rows], free)
        posed = np.flatnonzero(np.isfinite(poses.coordinates).all(axis=1))
        std[posed] = _between(rows, known, posed)
    return std


def _between(rows: NDArray[np.int64], known: NDArray[np.float64], at: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (p, c) values at some rows, in proportion between the (k,) rows where they are known."""
    number = np.searchsorted(rows, at, side="right") - 1
    following = np.minimum(number + 1, len(rows) - 1)
    share = (at - rows[number]) / np.maximum(rows[following] - rows[number], 1)
    before = known[number]
    return np.asarray(before + share[:, None] * (known[following] - before))


def _body_by_body(tree: KinematicTree, poses: SolvedPoses) -> SolvedPoses:
    """Return the poses with the markers of one body together: its twist makes all their derivatives at once."""
    order = np.argsort(tree.marker_body[poses.markers], kind="stable")
    return replace(poses, markers=poses.markers[order], weights=poses.weights[order], seen=poses.seen[:, order])


def _fill_between(
    factor: NDArray[np.float16], rows: NDArray[np.int64], known: NDArray[np.float32], posed: NDArray[np.bool_]
) -> None:
    """Write the factors of posed frames, in proportion between the (k,) rows where they are known."""
    for number, row in enumerate(rows.tolist()):
        following = min(number + 1, len(rows) - 1)
        between = np.arange(row, max(int(rows[following]), row + 1))
        between = between[posed[between]]
        share = ((between - row) / max(int(rows[following]) - row, 1)).astype(np.float32)
        factor[between] = known[number] + share[:, None, None] * (known[following] - known[number])


def _factor(errors: _Errors, modes: Modes) -> NDArray[np.float32]:
    """(k, f, r) errors per mode; the squares of a row sum to the whole variance."""
    whole = sum(np.einsum("nfs,nfs->nf", part, part) for part in errors.parts)
    factor = np.concatenate([part @ basis for part, basis in zip(errors.parts, modes, strict=True)], axis=2)
    kept = np.einsum("nfr,nfr->nf", factor, factor)
    # Few modes keep less than the whole variance: each row is scaled up to it, so that standard deviations are right
    # and only correlations are approximate.
    return np.asarray(factor * np.sqrt(whole / np.maximum(kept, 1e-300))[..., None], dtype=np.float32)


def _find_modes(tree: KinematicTree, poses: SolvedPoses, sources: _Sources, rows: NDArray[np.int64]) -> Modes:
    """Return the combinations of sources that make most of the errors of coordinates and bones, each beside its own."""
    errors = _propagate(tree, poses, sources, rows)
    bones, _ = _carriers(tree, poses.markers)
    rotations, _ = tree.body_poses(poses.coordinates[rows])
    to_bones = np.swapaxes(rotations[:, bones], 2, 3) @ errors.twists[:, :, :3]
    turns = to_bones.reshape(len(rows), 3 * len(bones), -1)
    told = [np.concatenate([part, turns @ part], axis=1) for part in errors.parts]
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


def _rows(poses: SolvedPoses, *, every_s: float = EVERY_S) -> NDArray[np.int64]:
    """(k,) frames: the ends of every stretch in which the same markers are seen, and so many between."""
    posed: NDArray[np.bool_] = np.asarray(np.isfinite(poses.coordinates).all(axis=1))
    if not posed.any():
        return np.zeros(0, dtype=np.int64)
    changes = np.ones(len(posed), dtype=bool)
    changes[1:] = (poses.seen[1:] != poses.seen[:-1]).any(axis=1) | (posed[1:] != posed[:-1])
    starts = np.flatnonzero(changes)
    last = np.append(starts[1:], len(posed)) - 1
    since = np.arange(len(posed)) - np.repeat(starts, last - starts + 1)
    every = max(1, round(every_s * poses.rate_hz))
    chosen = since % every == 0
    chosen[last] = True
    return np.flatnonzero(chosen & posed)


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


@dataclass(frozen=True, eq=False)
class _Errors:
    """Errors of the free coordinates per source, (k, f, s) each: of the skin, and of what lasts.

    `twists` are (k, b, 6, f), of the bodies that carry markers.
    """

    parts: tuple[NDArray[np.float64], NDArray[np.float64]]
    twists: NDArray[np.float64]


def _propagate(tree: KinematicTree, poses: SolvedPoses, sources: _Sources, rows: NDArray[np.int64]) -> _Errors:
    """Return what the sources make of the pose at some frames: the equation of the module."""
    at = _normal_equations(tree, poses, sources, rows)
    skin = _mix(at.pulls, sources.skin) @ at.inverse
    placement, scale = (sources.placement_m * at.pulls) @ at.inverse, (sources.scale * at.grown) @ at.inverse
    lasting = np.concatenate([placement, scale, at.of_prior], axis=1)
    return _Errors((np.swapaxes(skin, 1, 2), np.swapaxes(lasting, 1, 2)), at.twists)


def _std(tree: KinematicTree, poses: SolvedPoses, sources: _Sources, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """(k, f) standard deviations of the free coordinates at some frames."""
    at = _normal_equations(tree, poses, sources, rows)
    # What comes from an inverse in double precision may be multiplied in single precision, which takes half the time.
    # Skin and placement of a marker are in one: they need not be told apart here.
    mixed = _mix(at.pulls.astype(np.float32), sources.whole)
    inverse = at.inverse.astype(np.float32)
    errors = [mixed @ inverse, (sources.scale * at.grown).astype(np.float32) @ inverse, at.of_prior]
    return np.asarray(np.sqrt(sum(np.einsum("nsf,nsf->nf", part, part) for part in errors)))


def _mix(
    pulls: NDArray[np.floating], roots: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]]
) -> NDArray[np.floating]:
    """Return (k, 3 m, f) pulls of sources of variance 1, from those of markers and the roots of their covariance."""
    k, rows, f = pulls.shape
    by_marker = pulls.reshape(k, rows // 3, 3 * f)
    mixed = [root.T.astype(pulls.dtype) @ by_marker[:, own] for own, root in roots]
    return np.concatenate(mixed, axis=1).reshape(k, rows, f)


@dataclass(frozen=True, eq=False)
class _NormalEquations:
    """The equation of the module at some frames.

    Attributes:
        inverse: (k, f, f) (J'WJ + R)^-1.
        pulls: (k, 3 m, f) WJ.
        grown: (k, g, f) what segments that are larger by 1 make of the pulls.
        of_prior: (k, f, f) errors that come from one deviation of the prior along each coordinate in turn.
        twists: (k, b, 6, f) of the bodies that carry markers.
    """

    inverse: NDArray[np.float64]
    pulls: NDArray[np.float64]
    grown: NDArray[np.float64]
    of_prior: NDArray[np.float64]
    twists: NDArray[np.float64]


def _normal_equations(
    tree: KinematicTree, poses: SolvedPoses, sources: _Sources, rows: NDArray[np.int64]
) -> _NormalEquations:
    """Return what errors of markers are multiplied with."""
    bones, carriers = _carriers(tree, poses.markers)
    frames, centres_m, twists = tree.frames_and_twists(poses.coordinates[rows], bones)
    markers_m = tree.markers_at(*tree.bodies_at(frames, centres_m))[:, poses.markers]
    prior = poses.shares[rows, None] * poses.prior[tree.free_coordinates]
    weights = poses.seen[rows] * poses.weights
    # Weights sum to 1 over the markers seen, as in the solver: gains belong to that objective.
    weights = np.repeat(weights / weights.sum(axis=1, keepdims=True), 3, axis=1)
    faint = _FAINT * _USUAL_NOISE_M**2 / (len(poses.markers) * sources.prior_std**2)
    jacobian = _marker_jacobian(twists, markers_m, carriers)
    pulls, diagonal = jacobian * weights[..., None], np.arange(prior.shape[1])
    matrix = np.swapaxes(jacobian, 1, 2) @ pulls
    matrix[:, diagonal, diagonal] += prior + faint
    inverse = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    growth = _growth(tree, sources, centres_m, markers_m, poses.markers)
    # BLAS wants the long axis together: this way round it is three times as fast.
    grown = np.swapaxes(np.swapaxes(pulls, 1, 2) @ growth, 1, 2)
    return _NormalEquations(inverse, pulls, grown, (prior * sources.prior_std)[..., None] * inverse, twists)


def _carriers(tree: KinematicTree, markers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (b,) bodies that carry markers, and for each marker which of them; -1 for a marker on ground."""
    bodies = tree.marker_body[markers]
    bones = np.array(sorted(set(bodies[bodies >= 0].tolist())), dtype=np.int64)
    return bones, np.where(bodies >= 0, np.searchsorted(bones, bodies), -1)


def _marker_jacobian(
    twists: NDArray[np.float64], markers_m: NDArray[np.float64], carriers: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return (k, 3 m, f) derivatives of markers in ground, which stand body by body, by the free coordinates."""
    k, m, _ = markers_m.shape
    x, y, z = np.moveaxis(markers_m, 2, 0)
    # The velocity of a point p is v + w x p: rows of (k, m, 3, 6).
    moves = np.zeros((k, m, 3, 6))
    moves[:, :, [0, 1, 2], [3, 4, 5]] = 1.0
    moves[:, :, 0, 1], moves[:, :, 0, 2] = z, -y
    moves[:, :, 1, 0], moves[:, :, 1, 2] = -z, x
    moves[:, :, 2, 0], moves[:, :, 2, 1] = y, -x
    jacobian = np.zeros((k, 3 * m, twists.shape[3]))
    starts = np.flatnonzero(np.diff(carriers, prepend=-1))
    for first, end in zip(starts, np.append(starts[1:], m), strict=True):
        rows = moves[:, first:end].reshape(k, -1, 6)
        np.matmul(rows, twists[:, carriers[first]], out=jacobian[:, 3 * first : 3 * end])
    return jacobian


def _growth(
    tree: KinematicTree,
    sources: _Sources,
    centres_m: NDArray[np.float64],
    markers_m: NDArray[np.float64],
    markers: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return (k, 3 m, g): how markers move where a segment is larger by 1, its joint with its parent held in place."""
    k = len(centres_m)
    moved = np.zeros((k, tree.n_bodies, 3, sources.n_groups))  # joint centres
    for body in range(tree.n_bodies):
        parent = int(tree.body_parent[body])
        if parent >= 0:
            # A body moves with whatever moves its parent's joint, and by its own joint's distance where the parent
            # grows.
            moved[:, body] = moved[:, parent]
            moved[:, body, :, sources.groups[parent]] += centres_m[:, body] - centres_m[:, parent]
    carriers = tree.marker_body[markers]
    found = moved[:, carriers]
    from_joint_m = np.swapaxes(markers_m - centres_m[:, carriers], 0, 1)
    found[:, np.arange(len(markers)), :, sources.groups[carriers]] += from_joint_m
    return found.reshape(k, 3 * len(markers), sources.n_groups)


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
    bones, carriers = _carriers(tree, markers)
    frames, centres_m, twists = tree.frames_and_twists(pose, bones)
    markers_m = tree.markers_at(*tree.bodies_at(frames, centres_m))[:, markers]
    jacobian = _marker_jacobian(twists, markers_m, carriers)[0]
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
