"""Inverse kinematics that converges: from markers to every coordinate of the model, with its proof.

The method in short: weighted least squares per frame with exact bounds, Newton's method on the tree (`kernels`),
a first pose from nothing (`first_pose`), tracks in both directions of time joined by the best path (`tracks`), angles
that a person expects (`angle_branches`), and for every frame a status, the objective, its gradient, and what the
markers determine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError, list_names, suggest
from movi_prep.kinematics.angle_branches import choose_branches, model_angles
from movi_prep.kinematics.diagnosis import (
    BEYOND_NOISE,
    judge_fit,
    judge_ranks,
    judge_residuals,
    judge_solution,
    settled_ends,
    stand_out,
)
from movi_prep.kinematics.first_pose import find_start
from movi_prep.kinematics.folded_model import FoldedModel, fold_model
from movi_prep.kinematics.global_search import lowest_minimum
from movi_prep.kinematics.machine_code import engine
from movi_prep.kinematics.marker_frames import MarkerFrames, judge_frames
from movi_prep.kinematics.tracks import (
    CARRIED,
    CONVERGED,
    RETRIED,
    UNSOLVED,
    PoseTrack,
    Prior,
    Pulls,
    Start,
    Tracker,
    is_root,
    join_tracks,
    track_around,
    track_backward,
    track_forward,
)
from movi_prep.records.checks import check_shape
from movi_prep.records.ik_solution import FrameStatus
from movi_prep.records.vectors import are_finite, squared_lengths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from movi_prep.config.ik_solver import ConvergedSettings
    from movi_prep.records.kinematic_tree import KinematicTree

_WHERE = "inverse kinematics"
# Standard deviation of the unit prior: a quarter of the range, inside these limits (rad or m).
_PRIOR_STD = (0.02, 1.0)
# The observability matrix gets a prior this many times weaker than the unit prior, so that its inverse exists;
# a deviation beyond this many prior deviations is reported as infinite.
_WEAK_STRENGTH = 1e-9
_INFINITE_STD = 1e3
# Strongest prior for the first pose; the clip's own prior starts once its residuals show the noise.
_FAINT_STRENGTH = 0.01
# A start is polished by the track that begins there (rad or m).
_START_TOLERANCE = 1e-3
# The prior acts in half where the markers' variance is this share of its own: a tenth of its standard deviation.
_HARDLY_OPEN = 0.01
# Two values of one frame whose relative difference is less are of one minimum: both were polished to less.
_SAME_MINIMUM = 1e-6
# A start whose objective is this many times that of the forward track is not followed backward.
_WORSE_BASIN = 1.05
# Where markers leave no unknown more open than this, every start ends in the same minimum: none is sent out between.
_OPEN = 0.5
# How far a start in between is followed, each way, in intervals between them.
_REACH = 10
# A start in between is followed where its objective is less than this many times that of the path so far.
_BETTER_BASIN = 0.99
# A frame is poor where its objective is this many times the clip's median, and more than an error of so many metres
# makes; so many of them are looked at, each for so many rounds.
_POOR, _POOR_M, _MOST_MENDED, _MENDING_ROUNDS = 6.0, 1e-3, 3, 8


@dataclass(frozen=True)
class CoordinateTarget:
    """A pull of one coordinate towards a target, as OpenSim's IKCoordinateTask.

    Attributes:
        name: coordinate of the model.
        weight: added to an objective whose marker weights sum to 1, m^2/rad^2 (OpenSim's own convention).
        target: one value, or (n,) one per frame; rad or m.
    """

    name: str
    weight: float
    target: float | NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ConvergedSolution:
    """Coordinates of every frame, with their quality.

    Attributes:
        coordinate_names: (c,) all coordinates of the tree, in its order.
        coordinates: (n, c) float64, rad and m; NaN in frames without a pose.
        statuses: (n,) int8 of FrameStatus.
        reasons: (n,) text, empty for frames that are simply solved.
        objectives: (n,) float64, half the weighted mean squared marker error, m^2.
        iterations: (n,) int32.
        gradient_norms: (n,) float64, largest entry of the objective's gradient that no bound holds, m^2/rad.
        posterior_std: (n, c) float64, rad or m, at `marker_noise_m`, from the markers only and without bounds;
            0 for locked coordinates, infinite where the markers see nothing. None if not asked for.
        ranks: (n,) int32, how many directions the markers determine. None if not asked for.
        n_unknowns: how many unknowns the model has; a rank below it means directions that nothing determines.
        pull_weights: (c,) float64, m^2/rad^2, weight of the pull to the default of each coordinate, beside weights of
            the markers that sum to 1; 0 for none.
        pull_shares: (n,) float64, share in which the pulls acted.
        unseen: free coordinates that no tracked marker sees, or whose median deviation is above the setting.
        marker_names: (k,) tracked markers.
        markers_m: (n, k, 3) float64, metres, ground: where the model has them; NaN in frames without a pose.
    """

    coordinate_names: tuple[str, ...]
    coordinates: NDArray[np.float64]
    statuses: NDArray[np.int8]
    reasons: tuple[str, ...]
    objectives: NDArray[np.float64]
    iterations: NDArray[np.int32]
    gradient_norms: NDArray[np.float64]
    posterior_std: NDArray[np.float64] | None
    ranks: NDArray[np.int32] | None
    n_unknowns: int
    pull_weights: NDArray[np.float64]
    pull_shares: NDArray[np.float64]
    unseen: tuple[str, ...]
    marker_names: tuple[str, ...]
    markers_m: NDArray[np.float64]


def solve_inverse_kinematics(  # noqa: PLR0913 - a problem, spelt out
    tree: KinematicTree,
    marker_names: Sequence[str],
    positions_m: NDArray[np.float64],
    weights: Mapping[str, float],
    settings: ConvergedSettings,
    *,
    tasks: Sequence[CoordinateTarget] = (),
    before: NDArray[np.float64] | None = None,
) -> ConvergedSolution:
    """Find the coordinates of every frame.

    Args:
        tree: the model.
        marker_names: (m,) names of the data's markers.
        positions_m: (n, m, 3) float64, metres, OpenSim ground; NaN where a marker was not seen.
        weights: weight by marker name; markers without weight, or with 0, are not tracked.
        settings: how to iterate.
        tasks: coordinate tasks.
        before: (c,) float64, rad and m: coordinates of the frame before the first, where these are rows of a longer
            clip; angles go on from there without whole turns between them.

    Raises:
        InputError: where names, shapes or weights make no sense.
        ModelError: where the tracked markers move with no free coordinate.
    """
    _check_inputs(tree, marker_names, positions_m, weights, tasks)
    settings = settings.acting()
    # In the tree's order, not the data's: results must not depend on the order of columns in a file.
    tracked = [name for name in tree.marker_names if name in set(marker_names) and weights.get(name, 0.0) > 0.0]
    if not tracked:
        return _nothing_tracked(tree, len(positions_m))
    folded = fold_model(tree, tuple(tree.marker(name) for name in tracked))
    clip = _clip(folded, marker_names, positions_m, weights, tasks)
    tracker = Tracker.prepare(engine(), folded, clip)
    # Without a solvable frame there is nothing to start from, and medians below would be of nothing.
    if not clip.solvable.any():
        return _compose(
            tracker,
            settings,
            PoseTrack.empty(clip.n_frames, folded.arrays.n_unknowns),
            _Proof.empty(clip, folded),
            np.zeros(folded.arrays.n_unknowns),
            before,
        )
    pulls, starts = _prepare(tracker, settings)
    track = _solve_tracks(tracker, settings, pulls, starts)
    # Tracks count the free root's angles from a base that moves along; from here on they are the model's own.
    track = replace(track, unknowns=model_angles(folded, track.unknowns, track.bases))
    proof = _certify(tracker, pulls, track, settings)
    return _compose(tracker, settings, track, proof, pulls.prior.weight, before)


def unit_prior(folded: FoldedModel, settings: ConvergedSettings) -> Prior:
    """Return the prior of strength 1: it weighs as much as one look at the coordinate with a quarter range's noise.

    With M markers of mean weight and noise sigma, the objective's matrix is that of the posterior times
    sigma^2 / M; so a standard deviation tau becomes the weight sigma^2 / (M tau^2).
    """
    coordinates = folded.unknowns
    low, high = folded.tree.coordinate_range[coordinates].T
    deviation = np.clip((high - low) / 4.0, *_PRIOR_STD)
    weight = settings.marker_noise_m**2 / (len(folded.markers) * deviation**2)
    weight[is_root(folded)] = 0.0
    return Prior(folded.start, weight)


def _check_inputs(
    tree: KinematicTree,
    marker_names: Sequence[str],
    positions_m: NDArray[np.float64],
    weights: Mapping[str, float],
    tasks: Sequence[CoordinateTarget],
) -> None:
    check_shape(positions_m, (None, len(marker_names), 3), what="marker positions", where=_WHERE)
    bad = [name for name, weight in weights.items() if not (np.isfinite(weight) and weight >= 0.0)]
    bad += [task.name for task in tasks if not (np.isfinite(task.weight) and task.weight >= 0.0)]
    if bad:
        raise InputError(
            _WHERE,
            expected="weights that are finite and not negative",
            got=f"others for {list_names(bad)}",
            remedy="correct them; 0 leaves a marker out",
        )
    for task in tasks:
        if task.name not in tree.coordinate_names:
            raise InputError(
                _WHERE,
                expected="tasks for coordinates of the model",
                got=f"{task.name!r}{suggest(task.name, tree.coordinate_names)}",
                remedy="rename the task or remove it",
            )


def _nothing_tracked(tree: KinematicTree, n_frames: int) -> ConvergedSolution:
    """The answer where no marker of the data has both a place on the model and a weight."""
    shape = (n_frames, tree.n_coordinates)
    return ConvergedSolution(
        coordinate_names=tree.coordinate_names,
        coordinates=np.full(shape, np.nan),
        statuses=np.full(n_frames, FrameStatus.TOO_FEW_MARKERS, dtype=np.int8),
        reasons=("no marker of the data is on the model and has a weight above 0",) * n_frames,
        objectives=np.full(n_frames, np.nan),
        iterations=np.zeros(n_frames, dtype=np.int32),
        gradient_norms=np.full(n_frames, np.nan),
        posterior_std=np.full(shape, np.inf),
        ranks=np.zeros(n_frames, dtype=np.int32),
        n_unknowns=0,
        pull_weights=np.zeros(tree.n_coordinates),
        pull_shares=np.ones(n_frames),
        unseen=tuple(np.array(tree.coordinate_names)[tree.free_coordinates].tolist()),
        marker_names=(),
        markers_m=np.empty((n_frames, 0, 3)),
    )


def _clip(
    folded: FoldedModel,
    marker_names: Sequence[str],
    positions_m: NDArray[np.float64],
    weights: Mapping[str, float],
    tasks: Sequence[CoordinateTarget],
) -> MarkerFrames:
    """Bring markers and tasks into the solver's order."""
    names = [folded.tree.marker_names[marker] for marker in folded.markers]
    column = {name: k for k, name in enumerate(marker_names)}
    columns = [column[name] for name in names]
    if columns != list(range(len(marker_names))):
        positions_m = positions_m.take(columns, axis=1)
    # C contiguous and writable: numba compiles another variant of every kernel for anything else.
    positions = np.require(positions_m, np.float64, ["C", "W"])
    place = {int(coordinate): q for q, coordinate in enumerate(folded.moving)}
    active = [task for task in tasks if task.weight > 0.0]
    # Tasks on coordinates that no marker sees are no part of the solve: `_expand` writes their targets.
    moved = [task for task in active if folded.tree.coordinate(task.name) in place]
    target = np.array([np.broadcast_to(task.target, len(positions)) for task in moved], dtype=np.float64)
    target = np.ascontiguousarray(target.reshape(len(moved), len(positions)).T)
    statuses, reasons = judge_frames(folded, positions)
    for frame in np.flatnonzero(~np.isfinite(target).all(axis=1) & (statuses == FrameStatus.SOLVED)):
        statuses[frame], reasons[frame] = FrameStatus.FAILED, "a coordinate task has no finite target"
    return MarkerFrames(
        positions_m=positions,
        weights=np.array([weights[name] for name in names], dtype=np.float64),
        solvable=statuses == FrameStatus.SOLVED,
        statuses=statuses,
        reasons=tuple(reasons),
        task_q=np.array([place[folded.tree.coordinate(task.name)] for task in moved], dtype=np.int64),
        task_weight=np.array([task.weight for task in moved], dtype=np.float64),
        task_target=target,
        unseen_targets={
            folded.tree.coordinate(task.name): np.broadcast_to(task.target, len(positions))
            for task in active
            if task.name in folded.unseen
        },
    )


def _prepare(tracker: Tracker, settings: ConvergedSettings) -> tuple[Pulls, dict[int, Start]]:
    """Return prior and temporal term as this clip needs them, and the start of every stretch."""
    unit = replace(unit_prior(tracker.folded, settings), noise_m=settings.marker_noise_m)
    stretches = _stretches(tracker.clip.solvable, settings.restart_gap)
    starts = {s.start: _first_pose(tracker, settings, s.start) for s in stretches}
    first = stretches[0].start
    information = _information(tracker, settings, unit, first, starts[first])
    # Both act in full where nothing is seen, hardly where markers determine; the prior begins to matter earlier.
    prior = unit.scaled(settings.prior_strength * _part(unit.weight**2, (_HARDLY_OPEN * information) ** 2))
    return tracker.pulls(settings, prior, _part(unit.weight, information)), starts


def _first_pose(tracker: Tracker, settings: ConvergedSettings, frame: int) -> Start:
    """The pose of a frame from nothing but its markers: so the prior at the end is a faint one."""
    priors = _first_priors(tracker, settings)
    begun = find_start(tracker, frame, *priors)
    found = lowest_minimum(tracker, frame, begun, priors[1])
    # A value includes the pulls, which add no more than the noise that they belong to.
    if found.values[0] > 0.5 * (BEYOND_NOISE * settings.marker_noise_m) ** 2:
        other = find_start(tracker, frame, *priors, by_root=True)
        # From the same minimum the search would try the same again.
        if not np.isclose(other.values[0], begun.values[0], rtol=_SAME_MINIMUM, atol=0.0):
            other = lowest_minimum(tracker, frame, other, priors[1])
            found = min(found, other, key=lambda one: float(one.values[0]))
    return found.start(0)


def _first_priors(tracker: Tracker, settings: ConvergedSettings) -> tuple[Prior, Prior]:
    """Return the unit prior, and the faint one under which a first pose is found."""
    unit = replace(unit_prior(tracker.folded, settings), noise_m=settings.marker_noise_m)
    return unit, unit.scaled(min(settings.prior_strength, _FAINT_STRENGTH))


def _independent(tracker: Tracker, settings: ConvergedSettings, pulls: Pulls, frame: int) -> PoseTrack:
    """The pose of a frame under the clip's prior, found without any other frame, as a track of one."""
    if not _is_open(pulls):
        return find_start(tracker, frame, unit_prior(tracker.folded, settings), pulls.prior)
    unit, faint = _first_priors(tracker, settings)
    pose = find_start(tracker, frame, unit, faint).start(0)
    return tracker.solve_one(frame, pose, pulls.prior, damped=False, tolerance=_START_TOLERANCE)


def _is_open(pulls: Pulls) -> bool:
    return bool(pulls.openness.max() > _OPEN)


def _part(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(one / np.maximum(one + other, 1e-300))


def _information(
    tracker: Tracker, settings: ConvergedSettings, unit: Prior, frame: int, start: Start
) -> NDArray[np.float64]:
    """(x,) how sharply the markers of one frame determine each unknown, in the measure of a prior's weight."""
    single = Tracker.prepare(tracker.engine, tracker.folded, tracker.clip.frames([frame]))
    track = PoseTrack.empty(1, tracker.folded.arrays.n_unknowns)
    track.unknowns[0] = model_angles(tracker.folded, start.unknowns[None], start.base[None])[0]
    pulls = single.pulls(settings, unit, np.zeros_like(unit.weight))
    proof = _evaluate(single, pulls, track, _weak_prior(tracker.folded, settings))
    return np.asarray(1.0 / np.maximum(proof.deviation[0], 1e-100) ** 2)


def _solve_tracks(tracker: Tracker, settings: ConvergedSettings, pulls: Pulls, starts: dict[int, Start]) -> PoseTrack:
    """Return the best path through the clip; frames that did not converge on it are tried again."""
    track = track_forward(tracker, pulls, starts)
    if settings.tracks == "both":
        stretches = _stretches(tracker.clip.solvable, settings.restart_gap)
        ends = {s.stop - 1: (s.start, _end_start(tracker, settings, pulls, track, s.stop - 1)) for s in stretches}
        other = track_backward(tracker, pulls, track, ends)
        switching = np.where(is_root(tracker.folded), 0.0, settings.switching_weight)
        track = join_tracks(track, other, _runs(tracker.clip.solvable), switching)
        if _is_open(pulls):
            track = _scout(tracker, settings, pulls, track)
        track = _mend_poor(tracker, settings, pulls, track)
    return _retry(tracker, settings, pulls.prior, track)


def _end_start(tracker: Tracker, settings: ConvergedSettings, pulls: Pulls, forward: PoseTrack, frame: int) -> Start:
    """Return the start of the backward track: an independent pose, unless its basin is clearly worse than forward's."""
    independent = _independent(tracker, settings, pulls, frame)
    competes = independent.values[0] <= _WORSE_BASIN * forward.values[frame]
    return independent.start(0) if competes else forward.start(frame)


def _scout(tracker: Tracker, settings: ConvergedSettings, pulls: Pulls, track: PoseTrack) -> PoseTrack:
    """Look for better basins between the ends, and follow those found; return the best path.

    Frames that a track from in between has been through are not looked at again: time stays in proportion to the clip.
    """
    every, seen = settings.scout_interval, ~tracker.clip.solvable
    for stretch in _stretches(tracker.clip.solvable, settings.restart_gap):
        for frame in range(stretch.start + every // 2, stretch.stop, every):
            if seen[frame]:
                continue
            found = _independent(tracker, settings, pulls, frame)
            if found.values[0] < _BETTER_BASIN * track.values[frame]:
                track, been = _follow(tracker, settings, pulls, track, (frame, found.start(0)))
                seen |= been
    return track


def _mend_poor(tracker: Tracker, settings: ConvergedSettings, pulls: Pulls, track: PoseTrack) -> PoseTrack:
    """Look for lower minima where a few frames fit far worse than the clip, and follow those found.

    A joint that turns past a bound, or an arm that was out of sight, may leave its path in another minimum for a while.
    """
    open_frames, interval = tracker.clip.solvable.copy(), settings.scout_interval
    # The second part keeps frames of an all but exact clip from counting as poor: there any ratio of tiny numbers is
    # large.
    poor = _POOR * float(np.median(track.values[open_frames])) + 0.5 * _POOR_M**2
    for _ in range(_MOST_MENDED):
        values = np.where(open_frames, track.values, 0.0)
        frame = int(np.argmax(values))
        if values[frame] <= poor:
            break
        # Neighbours share the fault: looking at each of them would spend the few tries on one place.
        open_frames[max(0, frame - interval) : frame + interval] = False
        # Compared without the temporal term on both sides: with it, the frame's old value would be unfairly high.
        alone = tracker.solve_one(frame, track.start(frame), pulls.prior, damped=False, tolerance=_START_TOLERANCE)
        found = lowest_minimum(tracker, frame, alone, pulls.prior, rounds=_MENDING_ROUNDS)
        if found.values[0] < _BETTER_BASIN * alone.values[0]:
            track = _follow(tracker, settings, pulls, track, (frame, found.start(0)))[0]
    return track


def _follow(
    tracker: Tracker, settings: ConvergedSettings, pulls: Pulls, track: PoseTrack, found: tuple[int, Start]
) -> tuple[PoseTrack, NDArray[np.bool_]]:
    """Track both ways from a pose found between the ends; return the best path, and where the new track has been."""
    frame, reach = found[0], _REACH * settings.scout_interval
    switching = np.where(is_root(tracker.folded), 0.0, settings.switching_weight)
    stretch = next(s for s in _stretches(tracker.clip.solvable, settings.restart_gap) if frame in s)
    near = range(max(stretch.start, frame - reach), min(stretch.stop, frame + reach))
    other = track_around(tracker, pulls, track, near, found)
    return join_tracks(track, other, _runs(tracker.clip.solvable), switching), other.ends != UNSOLVED


def _stretches(solvable: NDArray[np.bool_], longest_gap: int) -> list[range]:
    """Ranges that begin and end with a solvable frame, cut where a gap is longer than allowed."""
    runs = _runs(solvable)
    joined: list[range] = []
    for run in runs:
        if joined and run.start - joined[-1].stop <= longest_gap:
            joined[-1] = range(joined[-1].start, run.stop)
        else:
            joined.append(run)
    return joined


def _runs(flags: NDArray[np.bool_]) -> list[range]:
    """Ranges of consecutive true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [range(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _retry(tracker: Tracker, settings: ConvergedSettings, prior: Prior, track: PoseTrack) -> PoseTrack:
    """Solve frames that did not converge again, one at a time and with more iterations, from their neighbours' poses
    and their own."""
    solved = replace(track, **{name: getattr(track, name).copy() for name in track.__dataclass_fields__})
    for frame in np.flatnonzero(tracker.clip.solvable & (track.ends != CONVERGED)).tolist():
        # The frame's own pose first: of equal results `min` keeps the earliest.
        around = [k for k in (frame, frame - 1, frame + 1) if 0 <= k < len(track.ends) and tracker.clip.solvable[k]]
        tries = [
            tracker.solve_one(frame, solved.start(k), prior, damped=k != frame, tolerance=settings.step_tolerance)
            for k in around
        ]
        # Convergence before value: an unconverged lower value is no minimum.
        best = min(tries, key=lambda one: (one.ends[0] != CONVERGED, float(one.values[0])))
        for whole, single in zip(solved.arrays, best.arrays, strict=True):
            whole[frame] = single[0]
        solved.iterations[frame] += track.iterations[frame]
        solved.anchors[frame] = RETRIED
    return solved


@dataclass(frozen=True, eq=False)
class _Proof:
    """Results of `certify`.

    Attributes:
        objective: (n,) half the weighted mean squared marker error, m^2.
        gradient: (n,) largest entry of the gradient that no bound holds.
        rank: (n,) directions that the markers determine, -1 where not found.
        deviation: (n, x) root of the diagonal of the markers' inverse matrix.
        markers: (n, m, 3) model markers in ground, metres.
        observed: (n,) int64, the frame whose rank and deviation each frame has: itself, or one before.
    """

    objective: NDArray[np.float64]
    gradient: NDArray[np.float64]
    rank: NDArray[np.int64]
    deviation: NDArray[np.float64]
    markers: NDArray[np.float64]
    observed: NDArray[np.int64]

    @classmethod
    def empty(cls, clip: MarkerFrames, folded: FoldedModel) -> _Proof:
        """Return the proof of nothing, to be written."""
        nan, n_unknowns = np.full(clip.n_frames, np.nan), folded.arrays.n_unknowns
        deviation, markers = np.full((clip.n_frames, n_unknowns), np.inf), np.full(clip.positions_m.shape, np.nan)
        return cls(nan, nan.copy(), np.full(clip.n_frames, -1), deviation, markers, np.arange(clip.n_frames))


def _certify(tracker: Tracker, pulls: Pulls, track: PoseTrack, settings: ConvergedSettings) -> _Proof:
    """Evaluate the joined solution afresh, in the model's own angles; observability where the settings ask for it."""
    weak = _weak_prior(tracker.folded, settings)
    every = settings.observe_every or 1
    if settings.observability and every == 1:
        return _evaluate(tracker, pulls, track, weak)
    proof = _evaluate(tracker, pulls, track, np.zeros(0))
    if not settings.observability:
        return proof
    frames = observed_frames(tracker.clip, every)
    some = Tracker.prepare(tracker.engine, tracker.folded, tracker.clip.frames(frames.tolist()))
    looked = _evaluate(some, pulls, PoseTrack(*(array[frames] for array in track.arrays)).alone(), weak)
    # Frames in between take what the frame before them was found to determine.
    latest = np.searchsorted(frames, np.arange(tracker.clip.n_frames), side="right") - 1
    solved = tracker.clip.solvable
    proof.rank[solved], proof.deviation[solved] = looked.rank[latest[solved]], looked.deviation[latest[solved]]
    proof.observed[solved] = frames[latest[solved]]
    return proof


def observed_frames(clip: MarkerFrames, every: int) -> NDArray[np.int64]:
    """Return the solvable frames in which observability is computed: each `every`-th, and where a marker comes or
    goes."""
    solvable = np.flatnonzero(clip.solvable)
    seen = are_finite(clip.positions_m[solvable])
    changes = np.ones(len(solvable), dtype=bool)
    changes[1:] = (seen[1:] != seen[:-1]).any(axis=1) | (np.diff(solvable) > 1)
    since = np.arange(len(solvable)) - np.maximum.accumulate(np.where(changes, np.arange(len(solvable)), 0))
    return np.asarray(solvable[since % every == 0])


def _evaluate(tracker: Tracker, pulls: Pulls, track: PoseTrack, weak: NDArray[np.float64]) -> _Proof:
    """Evaluate every solved frame; rank and deviations where (x,) `weak` is not empty."""
    pulled = track.anchors[:, 0] >= 0
    before, earlier = (track.unknowns[np.where(pulled, frames, 0)] for frames in track.anchors.T)
    # Contiguous, because the kernel is compiled for that layout only.
    carried = np.ascontiguousarray(before + CARRIED * (before - earlier))
    proof = _Proof.empty(tracker.clip, tracker.folded)
    tracker.engine.certify(
        *(tracker.folded.arrays, tracker.work, tracker.tasks, tracker.data),
        *((pulls.prior.centre, pulls.prior.weight), (carried, pulled[:, None] * pulls.temporal), track.shares),
        *(track.unknowns, weak),
        (proof.objective, proof.gradient, proof.rank, proof.deviation, proof.markers),
    )
    return proof


def _weak_prior(folded: FoldedModel, settings: ConvergedSettings) -> NDArray[np.float64]:
    """(x,) weights that keep the observability matrix invertible."""
    unit = unit_prior(folded, settings).weight
    root = settings.marker_noise_m**2 / len(folded.markers)
    return np.where(unit > 0.0, unit, root) * _WEAK_STRENGTH


def _compose(
    tracker: Tracker,
    settings: ConvergedSettings,
    track: PoseTrack,
    proof: _Proof,
    pull: NDArray[np.float64],
    before: NDArray[np.float64] | None,
) -> ConvergedSolution:
    """Expand the unknowns to all coordinates and judge every frame."""
    folded, clip = tracker.folded, tracker.clip
    tree, solved = folded.tree, clip.solvable
    names = [tree.marker_names[marker] for marker in folded.markers]
    coordinates = np.full((clip.n_frames, tree.n_coordinates), np.nan)
    if solved.any():
        start = None if before is None else before[folded.unknowns]
        coordinates[solved] = _expand(folded, clip, choose_branches(folded, track.unknowns[solved], start))
    statuses, reasons = clip.statuses.copy(), list(clip.reasons)
    # A coordinate task pulls at poses that meet all markers, too.
    ends = track.ends if len(clip.task_q) else settled_ends(track.ends, proof.objective)
    judge_solution(statuses, reasons, ends, track.anchors[:, 0] == RETRIED, settings.iteration_limit)
    missed_m = np.sqrt(squared_lengths(proof.markers - clip.positions_m))
    judge_residuals(statuses, reasons, (names, clip.weights, clip.positions_m, proof.markers, missed_m), settings)
    judge_fit(statuses, reasons, (proof.objective, stand_out(clip.weights, missed_m)), settings.marker_noise_m)
    judge_ranks(reasons, proof.rank)
    deviation = _coordinate_deviation(tracker, settings, proof, coordinates) if settings.observability else None
    pull_weights = np.zeros(tree.n_coordinates)
    pull_weights[folded.unknowns] = pull
    return ConvergedSolution(
        coordinate_names=tree.coordinate_names,
        coordinates=coordinates,
        statuses=statuses,
        reasons=tuple(reasons),
        objectives=proof.objective,
        iterations=track.iterations.astype(np.int32),
        gradient_norms=proof.gradient,
        posterior_std=deviation,
        ranks=proof.rank.astype(np.int32) if settings.observability else None,
        n_unknowns=folded.arrays.n_unknowns,
        pull_weights=pull_weights,
        pull_shares=track.shares.copy(),
        unseen=_unseen(folded, deviation, settings),
        marker_names=tuple(names),
        markers_m=proof.markers,
    )


def _expand(folded: FoldedModel, clip: MarkerFrames, unknowns: NDArray[np.float64]) -> NDArray[np.float64]:
    """(s, c) coordinates of the solved frames; unseen ones at their task's target or their default."""
    tree = folded.tree
    coordinates = np.tile(tree.coordinate_default, (len(unknowns), 1))
    for coordinate, target in clip.unseen_targets.items():
        low, high = tree.coordinate_range[coordinate]
        inside = np.clip(target[clip.solvable], low, high)
        coordinates[:, coordinate] = inside if tree.coordinate_clamped[coordinate] else target[clip.solvable]
    coordinates[:, folded.unknowns] = unknowns
    return tree.complete_coordinates(coordinates)


def _coordinate_deviation(
    tracker: Tracker, settings: ConvergedSettings, proof: _Proof, coordinates: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, c) posterior deviations: of unknowns by the proof, of followers through the slope of their coupler."""
    folded, tree = tracker.folded, tracker.folded.tree
    # Frames that have the deviation of one before have all of it: it is worked out once.
    frames, shared = np.unique(proof.observed, return_inverse=True)
    coordinates = coordinates[frames]
    n_seen = np.maximum(are_finite(tracker.clip.positions_m[frames]).sum(axis=1), 1)
    unknown_std = proof.deviation[frames] * (settings.marker_noise_m / np.sqrt(n_seen))[:, None]
    low, high = tree.coordinate_range[folded.unknowns].T
    # The weak prior makes every deviation finite; those of its own size mean that no marker sees the direction.
    unknown_std[unknown_std > _INFINITE_STD * np.clip((high - low) / 4.0, *_PRIOR_STD)] = np.inf
    deviation = np.full(coordinates.shape, np.inf)
    deviation[:, tree.coordinate_locked] = 0.0
    deviation[:, folded.unknowns] = unknown_std
    # Frames without a pose are NaN; their slopes are of no use, but must not warn.
    _, slopes = tree.chain_slopes(np.nan_to_num(coordinates))
    for q in range(folded.arrays.n_unknowns, len(folded.moving)):
        follower, unknown = int(folded.moving[q]), int(folded.arrays.pattern.q_unknown[q])
        slope = slopes[:, follower]
        # 0 times infinity: a follower that does not move with an unseen leader is known exactly.
        with np.errstate(invalid="ignore"):
            deviation[:, follower] = np.where(slope == 0.0, 0.0, np.abs(slope) * unknown_std[:, unknown])
    return deviation[shared]


def _unseen(folded: FoldedModel, deviation: NDArray[np.float64] | None, settings: ConvergedSettings) -> tuple[str, ...]:
    names = list(folded.unseen)
    if deviation is not None and len(deviation):
        middle = np.median(deviation[:, folded.unknowns], axis=0)
        names += [
            folded.tree.coordinate_names[folded.unknowns[k]] for k in np.flatnonzero(middle > settings.unseen_std_rad)
        ]
    return tuple(names)
