"""The solver in plain NumPy: an oracle for the compiled kernels.

The same recursions and the same decisions as in `kernels`, written for reading: a node's quantities are vectors and
matrices, the matrices of a frame are dense and in the unknowns' own order, and linear systems go to LAPACK. It agrees
with the kernels to rounding and takes about a hundred times as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.kinematics.folded_model import ALONG
from movi_prep.kinematics.tracks import CARRIED, CONVERGED, ITERATION_LIMIT, STALLED
from movi_prep.kinematics.workspace import Rules, Tasks
from movi_prep.records.kinematic_tree import rotation_about

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.kinematics.folded_model import FoldedArrays, MovingNodes, Pattern

    Array = NDArray[np.float64]

# The numbers below are those of `kernels`, where they are explained.
_SMALLEST_NEWTON_PIVOT, _SMALLEST_PRIOR_SHARE = 1e-9, 0.1
_LARGEST_DAMPING = 1e8
_NULL_PIVOT = 1e3
_BOX_PASSES, _RELEASE_PASSES = 25, 15
_NEWTON_RANGE = 0.2
_LARGEST_STEP = 0.5
_ASK_AGAIN = 4
_KEPT_RANGE, _KEPT_STEPS, _KEPT_RATIO = 0.005, 2, 0.1
_BEND_MARGIN, _RATIO_MARGIN = 400.0, 10.0
_SHORT_STEP = 1e-4
_SMALLEST_SHARE = 1e-5
_MEETINGS = 3


@dataclass
class Pose:
    """Where the free root's angles count from: (9,) rotation, row by row."""

    base: Array


@dataclass
class System:
    """On which side an unknown is bound: -1 lower, 0 free, 1 upper."""

    side: NDArray[np.int8]


@dataclass
class Scene:
    """One frame's markers about their centroid, with what pulls at the unknowns."""

    observed: Array
    weight: Array
    centroid: Array
    centre: Array
    stiffness: Array
    task_target: Array


@dataclass
class Workspace:
    """What a track carries from frame to frame."""

    x: Array
    pose: Pose
    system: System
    scene: Scene


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Objective and its derivatives at one point.

    Attributes:
        value: f, m^2.
        markers: its marker part, m^2.
        gradient: (x,) derivative of f.
        gauss_newton: (x, x) Gauss-Newton matrix of f.
        second_order: (x, x) what Newton's matrix has beyond it.
        positions: (m, 3) model markers about the centroid, metres.
    """

    value: float
    markers: float
    gradient: Array
    gauss_newton: Array
    second_order: Array
    positions: Array

    def matrix(self, *, newton: bool) -> Array:
        """Return Newton's or Gauss-Newton's matrix."""
        return self.gauss_newton + self.second_order if newton else self.gauss_newton


def allocate_workspace(arrays: FoldedArrays, n_tasks: int) -> Workspace:
    """Return the memory that one track needs."""
    x, markers = arrays.n_unknowns, len(arrays.markers.position)
    scene = Scene(
        observed=np.zeros((markers, 3)),
        weight=np.zeros(markers),
        centroid=np.zeros(3),
        centre=np.zeros(x),
        stiffness=np.zeros(x),
        task_target=np.zeros(n_tasks),
    )
    return Workspace(np.zeros((2, x)), Pose(np.eye(3).ravel()), System(np.zeros(x, dtype=np.int8)), scene)


def evaluate(arrays: FoldedArrays, work: Workspace, tasks: Tasks, x: Array) -> Evaluation:
    """Return the objective and its derivatives at x (the equations are at the top of `kernels`)."""
    return _with_priors(arrays, work.scene, tasks, x, evaluate_markers(arrays, work, x))


def evaluate_markers(arrays: FoldedArrays, work: Workspace, x: Array) -> Evaluation:
    """Return the marker part alone."""
    rotations, positions, twists, bends = _place_nodes(arrays, work, *_move_coordinates(arrays, x))
    markers, moments, error = _gather(arrays, work.scene, rotations, positions)
    return Evaluation(0.5 * error, 0.5 * error, *_sweep(arrays, moments, twists, bends), markers)


def _with_priors(arrays: FoldedArrays, scene: Scene, tasks: Tasks, x: Array, at: Evaluation) -> Evaluation:
    """Add prior, temporal and task terms."""
    q, rate, curve = _move_coordinates(arrays, x)
    away = x - scene.centre
    value = 2.0 * at.markers + float(scene.stiffness @ away**2)
    gradient, gauss_newton = at.gradient + scene.stiffness * away, at.gauss_newton + np.diag(scene.stiffness)
    second_order = at.second_order.copy()
    for k, place in enumerate(tasks.q):
        unknown, miss = arrays.pattern.q_unknown[place], q[place] - scene.task_target[k]
        value += float(tasks.weight[k] * miss**2)
        gradient[unknown] += tasks.weight[k] * miss * rate[place]
        gauss_newton[unknown, unknown] += tasks.weight[k] * rate[place] ** 2
        second_order[unknown, unknown] += tasks.weight[k] * miss * curve[place]
    return Evaluation(0.5 * value, at.markers, gradient, gauss_newton, second_order, at.positions)


def _function(arrays: FoldedArrays, which: int, argument: float) -> tuple[float, float, float]:
    """Value, first and second derivative."""
    functions = arrays.functions
    first, end = functions.first_piece[which], functions.first_piece[which + 1]
    piece = first + int(np.searchsorted(functions.start[first + 1 : end], argument, side="right"))
    line = np.polynomial.Polynomial(functions.coefficients[piece])
    offset = argument - functions.origin[piece]
    return float(line(offset)), float(line.deriv(1)(offset)), float(line.deriv(2)(offset))


def _move_coordinates(arrays: FoldedArrays, x: Array) -> tuple[Array, Array, Array]:
    motion = arrays.motion
    q = np.concatenate([x, np.zeros(len(motion.leader))])
    rate, curve = np.ones_like(q), np.zeros_like(q)
    for k, (leader, which) in enumerate(zip(motion.leader, motion.following, strict=True), start=len(x)):
        value, slope, bend = _function(arrays, int(which), float(q[leader]))
        q[k], rate[k] = value, slope * rate[leader]
        curve[k] = bend * rate[leader] ** 2 + slope * curve[leader]
    return q, rate, curve


def _place_nodes(
    arrays: FoldedArrays, work: Workspace, q: Array, rate: Array, curve: Array
) -> tuple[Array, Array, Array, Array]:
    """Pose of every node about the centroid, and twist and second twist of every mobility."""
    motion = arrays.motion
    n_nodes, n_mobilities = len(motion.parent), len(arrays.pattern.unknown)
    rotations, positions = np.empty((n_nodes, 3, 3)), np.empty((n_nodes, 3))
    twists, bends = np.zeros((n_mobilities, 6)), np.zeros((n_mobilities, 6))
    for node in range(n_nodes):
        rotation, position = _node_frame(motion, work, node, rotations, positions)
        for axis in range(motion.first_axis[node], motion.first_axis[node + 1]):
            k, mobility, direction = motion.axis_q[axis], motion.axis_mobility[axis], motion.axis_direction[axis]
            value, slope, second = _function(arrays, int(motion.axis_function[axis]), float(q[k]))
            along = rotation @ direction
            if motion.axis_kind[axis] == ALONG:
                position = position + value * along
                unit = np.concatenate([np.zeros(3), along])
            else:
                unit = np.concatenate([along, np.cross(position, along)])
                rotation = rotation @ rotation_about(direction, np.asarray(value))
            turned = slope * rate[k] * unit
            bends[mobility] += (second * rate[k] ** 2 + slope * curve[k]) * unit + _bracket(twists[mobility], turned)
            twists[mobility] += turned
        rotations[node], positions[node] = rotation, position
    return rotations, positions, twists, bends


def _node_frame(
    motion: MovingNodes, work: Workspace, node: int, rotations: Array, positions: Array
) -> tuple[Array, Array]:
    own = (work.pose.base if node == motion.free_node else motion.rotation[node]).reshape(3, 3)
    parent = motion.parent[node]
    if parent < 0:
        return own, motion.position[node] - work.scene.centroid
    return rotations[parent] @ own, positions[parent] + rotations[parent] @ motion.position[node]


def _bracket(outer: Array, inner: Array) -> Array:
    """Lie bracket of two twists: the outer axis turns the inner one, not the reverse."""
    angular = np.cross(outer[:3], inner[:3])
    linear = np.cross(outer[:3], inner[3:]) + np.cross(outer[3:], inner[:3])
    return np.concatenate([angular, linear])


# Of a node and all below it: m, h, A, F, Q of the equations.
Moments = tuple["Array", "Array", "Array", "Array", "Array"]


def _gather(arrays: FoldedArrays, scene: Scene, rotations: Array, positions: Array) -> tuple[Array, Moments, float]:
    """Return markers, moments of every node's own markers, and the weighted sum of squared errors."""
    n_nodes = len(rotations)
    node_of = np.repeat(np.arange(n_nodes), np.diff(arrays.markers.first))
    placed = positions[node_of] + (rotations[node_of] @ arrays.markers.position[:, :, None])[:, :, 0]
    seen = scene.weight > 0.0
    weight, error = scene.weight[:, None], np.where(seen[:, None], placed - scene.observed, 0.0)
    own = (
        _per_node(scene.weight, node_of, n_nodes),
        _per_node(weight * placed, node_of, n_nodes),
        _per_node(weight[:, :, None] * placed[:, :, None] * placed[:, None, :], node_of, n_nodes),
        _per_node(weight * error, node_of, n_nodes),
        _per_node(weight[:, :, None] * placed[:, :, None] * error[:, None, :], node_of, n_nodes),
    )
    for node in range(n_nodes - 1, -1, -1):
        if arrays.motion.parent[node] >= 0:
            for moment in own:
                moment[arrays.motion.parent[node]] += moment[node]
    return placed, own, float((weight * error**2).sum())


def _per_node(values: Array, node_of: NDArray[np.int64], n_nodes: int) -> Array:
    total = np.zeros((n_nodes, *values.shape[1:]))
    np.add.at(total, node_of, values)
    return total


def _sweep(arrays: FoldedArrays, moments: Moments, twists: Array, bends: Array) -> tuple[Array, Array, Array]:
    """Gradient, Gauss-Newton matrix and second-order term of the marker part."""
    pattern: Pattern = arrays.pattern
    size = arrays.n_unknowns
    gradient, gauss_newton, second_order = np.zeros(size), np.zeros((size, size)), np.zeros((size, size))
    for node in range(len(pattern.parent)):
        m, h, spread, force, first_moment = (moment[node] for moment in moments)
        skew = first_moment - first_moment.T
        wrench = np.concatenate([[skew[1, 2], skew[2, 0], skew[0, 1]], force])
        for mobility in range(pattern.first_mobility[node], pattern.first_mobility[node + 1]):
            own, omega, v = pattern.unknown[mobility], twists[mobility, :3], twists[mobility, 3:]
            gradient[own] += twists[mobility] @ wrench
            second_order[own, own] += bends[mobility] @ wrench
            momentum = np.concatenate(
                [np.cross(h, v) + np.trace(spread) * omega - spread @ omega, m * v + np.cross(omega, h)]
            )
            turning = first_moment @ omega - np.trace(first_moment) * omega + np.cross(v, force)
            for outer in _way_to_ground(pattern, node, mobility):
                other = pattern.unknown[outer]
                _add_symmetric(gauss_newton, own, other, float(twists[outer] @ momentum), same=outer == mobility)
                _add_symmetric(second_order, own, other, float(twists[outer, :3] @ turning), same=outer == mobility)
    return gradient, gauss_newton, second_order


def _way_to_ground(pattern: Pattern, node: int, mobility: int) -> list[int]:
    """A mobility and all those that move it."""
    way = list(range(pattern.first_mobility[node], mobility + 1))
    while pattern.parent[node] >= 0:
        node = int(pattern.parent[node])
        way += range(pattern.first_mobility[node], pattern.first_mobility[node + 1])
    return way


def _add_symmetric(matrix: Array, row: int, column: int, value: float, *, same: bool) -> None:
    matrix[row, column] += value
    if not same:
        matrix[column, row] += value


def _is_positive(matrix: Array, diagonal: Array, stiffness: Array, order: NDArray[np.int64]) -> bool:
    """Whether every pivot of LDL', in the given order, keeps its share; decides as the kernels do."""
    ordered = matrix[np.ix_(order, order)].copy()
    for j, unknown in enumerate(order):
        least = _SMALLEST_NEWTON_PIVOT * diagonal[unknown] + _SMALLEST_PRIOR_SHARE * stiffness[unknown]
        if not ordered[j, j] > least:
            return False
        below = ordered[j + 1 :, j]
        ordered[j + 1 :, j + 1 :] -= np.outer(below, below) / ordered[j, j]
    return True


def solve_box(
    arrays: FoldedArrays, work: Workspace, point: tuple[Array, Evaluation], *, newton: bool, damping: float
) -> Array | None:
    """Return the step to the minimum of the quadratic model inside the bounds; None where it is not positive."""
    x, at = point
    plain = at.matrix(newton=newton)
    matrix = plain + damping * np.diag(np.diag(at.gauss_newton) + 1e-9)
    work.system.side = side = _guess_sides(arrays, x, at.gradient, work.system.side)
    step = np.zeros_like(x)
    for number in range(_BOX_PASSES):
        free = side == 0
        order = arrays.elimination.order[free[arrays.elimination.order]]
        if newton and not _is_positive(matrix, np.diag(at.gauss_newton), work.scene.stiffness, order):
            return None
        right = -at.gradient[free] - matrix[np.ix_(free, ~free)] @ step[~free]
        step[free] = np.linalg.solve(matrix[np.ix_(free, free)], right)
        low, high = free & (x + step < arrays.lower - 1e-15), free & (x + step > arrays.upper + 1e-15)
        if low.any() or high.any():
            side[low], side[high] = -1, 1
            step[low], step[high] = (arrays.lower - x)[low], (arrays.upper - x)[high]
            continue
        multiplier = at.gradient + plain @ step + damping * np.diag(at.gauss_newton) * step
        wrong = side * multiplier > 1e-12
        if number > _RELEASE_PASSES or not wrong.any():
            break
        side[wrong] = 0
    return step


def _guess_sides(arrays: FoldedArrays, x: Array, gradient: Array, before: NDArray[np.int8]) -> NDArray[np.int8]:
    side = np.zeros(len(x), dtype=np.int8)
    side[(x >= arrays.upper) & ((gradient < 0.0) | (before == 1))] = 1
    side[(x <= arrays.lower) & ((gradient > 0.0) | (before == -1))] = -1
    return side


def _try_step(arrays: FoldedArrays, step: Array, x: Array) -> tuple[Array, float]:
    joint = np.abs(step[arrays.motion.is_root == 0]).max(initial=1e-30)
    tried = np.clip(x + min(1.0, _LARGEST_STEP / joint) * step, arrays.lower, arrays.upper)
    return tried, float(np.abs(tried - x).max(initial=0.0))


@dataclass
class _Iteration:
    """State of Newton's method on one frame."""

    x: Array
    at: Evaluation
    newton: bool
    damping: float
    solved_by_newton: bool = False
    refused: int = 0
    before: float = np.inf


def solve_frame(arrays: FoldedArrays, work: Workspace, tasks: Tasks, rules: Rules) -> tuple[int, int, float, float]:
    """Minimise f from work.x[0]; leave the result there.

    Returns (how it ended, iterations, f before the last step, its marker part).
    """
    first = rules.newton and rules.first_damping == 0.0
    start = work.x[0].copy()
    state = _Iteration(start, evaluate(arrays, work, tasks, start), first, 0.1 * rules.first_damping)
    ended, iteration = ITERATION_LIMIT, 0
    while iteration < rules.iteration_limit:
        iteration += 1
        step = _find_step(arrays, work, state, ask=state.refused < 2 or iteration % _ASK_AGAIN == 0)
        if state.damping > _LARGEST_DAMPING:
            ended = STALLED
            break
        if step is None:
            continue
        tried, largest = _try_step(arrays, step, state.x)
        foretold = largest * largest / state.before if largest < 0.1 * state.before < np.inf else largest
        if state.solved_by_newton and state.damping == 0.0 and largest < _SHORT_STEP:
            foretold = min(foretold, _BEND_MARGIN * largest * largest)
        if state.damping < 1e-2 and foretold < rules.step_tolerance:
            state.x, ended = tried, CONVERGED
            break
        if state.damping == 0.0 and largest < _KEPT_RANGE:
            most = min(_KEPT_STEPS, rules.iteration_limit - iteration)
            steps = _finish(arrays, work, tasks, state, (tried, largest), rules.step_tolerance, most)
            if steps > 0:
                ended, iteration = CONVERGED, iteration + steps
                break
        if iteration < rules.iteration_limit:
            _judge_step(state, (tried, evaluate(arrays, work, tasks, tried)), largest, newton=rules.newton)
    work.x[0] = state.x
    return ended, iteration, state.at.value, state.at.markers


def _find_step(arrays: FoldedArrays, work: Workspace, state: _Iteration, *, ask: bool) -> Array | None:
    """Newton's step, or Gauss-Newton's where that matrix is not positive."""
    if state.newton and ask:
        step = solve_box(arrays, work, (state.x, state.at), newton=True, damping=state.damping)
        if step is not None:
            state.solved_by_newton = True
            return step
        state.refused += 1
    state.solved_by_newton = False
    try:
        return solve_box(arrays, work, (state.x, state.at), newton=False, damping=state.damping)
    except np.linalg.LinAlgError:
        state.damping = max(10.0 * state.damping, 1e-9)
        return None


def _finish(  # noqa: PLR0917 - as the kernel takes it
    arrays: FoldedArrays,
    work: Workspace,
    tasks: Tasks,
    state: _Iteration,
    stepped: tuple[Array, float],
    tolerance: float,
    most: int,
) -> int:
    """End a frame by steps with the matrix of the last one, if they can; return how many, 0 where they cannot."""
    (x, first), value, free = stepped, state.at.value, work.system.side == 0
    matrix, largest = state.at.matrix(newton=state.solved_by_newton), first
    for number in range(most):
        at = evaluate(arrays, work, tasks, x)
        step = np.zeros_like(x)
        step[free] = np.linalg.solve(matrix[np.ix_(free, free)], -at.gradient[free])
        outside = (x + step < arrays.lower - 1e-15) | (x + step > arrays.upper + 1e-15)
        wrong = work.system.side * (at.gradient + matrix @ step) > 1e-12
        if at.value > value * (1.0 + 1e-13) + 1e-26 or outside.any() or wrong.any():
            break
        moved = np.clip(x + step, arrays.lower, arrays.upper)
        before, largest, value, x = largest, float(np.abs(moved - x).max(initial=0.0)), at.value, moved
        if largest > _KEPT_RATIO * before:
            break
        if largest * max(_RATIO_MARGIN * largest / before, _BEND_MARGIN * first) < tolerance:
            state.x, state.at = x, at
            return number + 1
    return 0


def _judge_step(state: _Iteration, tried: tuple[Array, Evaluation], largest: float, *, newton: bool) -> None:
    """Accept a point that is not worse, else damp."""
    if tried[1].value <= state.at.value * (1.0 + 1e-13) + 1e-26:
        state.x, state.at = tried
        state.newton, state.before = newton and largest < _NEWTON_RANGE, largest
        state.damping = 0.1 * state.damping if state.damping > 1e-8 else 0.0
    else:
        state.damping, state.before, state.refused = max(10.0 * state.damping, 1e-4), np.inf, 0


def load_frame(scene: Scene, tasks: Tasks, positions: Array, weights: Array, frame: int) -> None:
    """Take one frame's markers: weights of those seen sum to 1, positions are about their centroid."""
    seen = ~np.isnan(positions[frame]).any(axis=1) & (weights > 0.0)
    scene.weight = np.where(seen, weights, 0.0) / weights[seen].sum()
    scene.centroid = scene.weight[seen] @ positions[frame][seen]
    scene.observed = positions[frame] - scene.centroid
    scene.task_target = tasks.target[frame]


def _load_pulls(scene: Scene, prior: tuple[Array, Array], anchor: Array, temporal: Array, share: float) -> float:
    """Prior and temporal term as one quadratic; return their sum at its centre."""
    both = prior[1] + temporal
    scene.stiffness = share * both
    pulled = temporal > 0.0
    scene.centre = prior[0].copy()
    total = (prior[1] * prior[0] + temporal * anchor)[pulled]
    scene.centre[pulled] = total / both[pulled]
    apart = (anchor - prior[0])[pulled]
    return float(0.5 * share * (prior[1][pulled] * temporal[pulled] / both[pulled] * apart**2).sum())


def _predict(arrays: FoldedArrays, work: Workspace, past: Array) -> None:
    """Begin a frame from (k, x) the frames before, latest first: see `kernels._predict`."""
    motion, before = arrays.motion, past[0]
    joints = motion.is_root == 0
    # The newest entry of each of Newton's backward differences, from the frame itself on.
    differences = [np.diff(past[::-1], order, axis=0)[-1] for order in range(len(past))]
    order = min(1, len(past) - 1)
    if len(past) > 3:
        # A polynomial through the frames before the last one misses that by the next difference.
        order = 1 + int(np.argmin([_largest(missed[joints]) for missed in differences[2:]]))
    guess = np.sum(differences[: order + 1], axis=0)
    if motion.free_node >= 0:
        free, first = motion.free_unknown, motion.first_axis[motion.free_node]
        base = work.pose.base.reshape(3, 3)
        for k, unknown in enumerate(free):
            angle = np.asarray(motion.free_slope[k] * before[unknown])
            base = base @ rotation_about(motion.axis_direction[first + k], angle)
        work.pose.base = base.ravel()
        # These are turns since the frame before.
        guess[free] = np.sum([each[free] for each in differences[:order]], axis=0) if order else 0.0
    work.x[0] = np.clip(guess, arrays.lower, arrays.upper)


def _largest(values: Array) -> float:
    return float(np.abs(values).max(initial=0.0))


def _solve_pulled(  # noqa: PLR0917 - the signature of the compiled kernel
    arrays: FoldedArrays,
    work: Workspace,
    tasks: Tasks,
    rules: Rules,
    pulls: tuple[Array, Array, Array],
    anchor: Array,
    share: float,
    settled: bool,
) -> tuple[int, int, float, float, float]:
    """Solve a loaded frame with a share of the pulls; as the first lines of the loop of `kernels.track` do."""
    spent, n_seen = 0, int(np.count_nonzero(work.scene.weight))
    noise_error = 0.5 * rules.pull_noise**2 * max(3 * n_seen - arrays.n_unknowns, 0) / max(n_seen, 1)
    while True:
        least = _load_pulls(work.scene, pulls[:2], anchor, pulls[2] if settled else np.zeros_like(pulls[2]), share)
        ended, iterations, value, markers = solve_frame(arrays, work, tasks, rules)
        spent += iterations
        used, share = share, 1.0
        if noise_error > 0.0:
            share = min(max(markers / noise_error, _SMALLEST_SHARE), 1.0)
        if settled or share > 0.5 * used or ended != CONVERGED:
            return ended, spent, value + least, used, share


def track(  # noqa: PLR0917 - the signature of the compiled kernel
    arrays: FoldedArrays,
    work: Workspace,
    tasks: Tasks,
    rules: Rules,
    data: tuple[Array, Array, NDArray[np.bool_]],
    pulls: tuple[Array, Array, Array],
    first: int,
    end: int,
    direction: int,
    out: tuple[NDArray[Any], ...],
    other: tuple[Array, NDArray[np.int64]],
) -> int:
    """Solve frames from `first` on, each from the extrapolation of those before; see `kernels.track`."""
    unknowns, bases, ends, iterations, anchors, values, shares = out
    known, met, frame, last, share = 0, 0, first, first, rules.first_share
    while frame != end and met < _MEETINGS:
        if data[2][frame]:
            load_frame(work.scene, tasks, data[0], data[1], frame)
            if known > 0:
                _predict(arrays, work, unknowns[[last - k * direction for k in range(min(known, 6))]])
            earlier = last - direction if known > 1 else last
            carried = unknowns[last] + CARRIED * (unknowns[last] - unknowns[earlier])
            ends[frame], iterations[frame], values[frame], shares[frame], share = _solve_pulled(
                *(arrays, work, tasks, rules, pulls, carried, share, known > 0)
            )
            anchors[frame] = (last, earlier) if known > 0 else -1
            unknowns[frame], bases[frame] = work.x[0], work.pose.base
            known, last = known + 1 if frame == last + direction else 1, frame
            joints = arrays.motion.is_root == 0
            apart = np.abs(unknowns[frame] - other[0][frame])[joints].max(initial=0.0)
            met = met + 1 if other[1][frame] == CONVERGED and apart < rules.meeting_tolerance else 0
        else:
            known = min(known, 1)
        frame += direction
    return frame


def certify(  # noqa: PLR0917 - the signature of the compiled kernel
    arrays: FoldedArrays,
    work: Workspace,
    tasks: Tasks,
    data: tuple[Array, Array, NDArray[np.bool_]],
    prior: tuple[Array, Array],
    temporal: tuple[Array, Array],
    shares: Array,
    unknowns: Array,
    weak: Array,
    out: tuple[NDArray[Any], ...],
) -> None:
    """Evaluate every solved frame once more; see `kernels.certify`."""
    objective, gradient, rank, deviation, markers = out
    work.pose.base = arrays.motion.rotation[arrays.motion.free_node].copy()
    for frame in np.flatnonzero(data[2]).tolist():
        load_frame(work.scene, tasks, data[0], data[1], frame)
        _load_pulls(work.scene, prior, temporal[0][frame], temporal[1][frame], float(shares[frame]))
        x = unknowns[frame]
        alone = evaluate_markers(arrays, work, x)
        at = _with_priors(arrays, work.scene, tasks, x, alone)
        held = ((x <= arrays.lower) & (at.gradient > 0.0)) | ((x >= arrays.upper) & (at.gradient < 0.0))
        objective[frame], gradient[frame] = at.markers, np.abs(at.gradient[~held]).max(initial=0.0)
        markers[frame] = at.positions + work.scene.centroid
        if len(weak):
            rank[frame], deviation[frame] = _observe(arrays, alone, weak)


def _observe(arrays: FoldedArrays, at: Evaluation, weak: Array) -> tuple[int, Array]:
    """Rank of the markers' matrix and root of its inverse's diagonal, both under a weak prior."""
    matrix = at.gauss_newton + np.diag(weak)
    order = arrays.elimination.order
    ordered = matrix[np.ix_(order, order)]
    try:
        pivots = np.diag(np.linalg.cholesky(ordered)) ** 2
    except np.linalg.LinAlgError:
        return -1, np.full(len(weak), np.inf)
    deviation = np.sqrt(np.maximum(np.diag(np.linalg.inv(matrix)), 0.0))
    return int((pivots > _NULL_PIVOT * weak[order]).sum()), deviation
