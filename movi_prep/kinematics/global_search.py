"""The lowest minimum of one frame: limbs that fit badly are put elsewhere and solved again.

A wrong minimum is wrong in some limbs: markers there miss by far more than elsewhere. So these limbs, and no others,
are begun anew, while the rest of the body is held where it is: with the second solution of their three-angle joints
where a bound stands in the way, else at a point of a low-discrepancy sequence over their ranges. The sets of limbs
go from the joint next to the bad markers up to the root, and back. Every limb keeps whichever of its two poses fits
better, so that several limbs improve in one round; the whole body is solved from there.

The worse a pose fits, the longer the search goes on. Noise lies on all markers alike: where no marker
stands out, few rounds are made in a clip, and the more some markers stand out, the more. A pose found
without neighbours, such as the static pose of scaling, cannot get a better one from them: its search is long.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.kinematics.angle_branches import model_angles
from movi_prep.kinematics.diagnosis import BEYOND_NOISE, STANDS_OUT, stand_out
from movi_prep.kinematics.limbs import Limbs, find_limbs, other_solution
from movi_prep.kinematics.tracks import CONVERGED, PoseTrack, Prior, Start, Tracker, is_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Markers that are met to this (root mean square, metres) leave nothing to look for.
_EXACT_M = 2e-5
# A marker is badly met where it misses by more than this share of the one that misses most.
_BAD_SHARE = 0.3
# Rounds without success after which the search ends, in a clip: where no marker stands out from the others, where some
# miss by more than `STANDS_OUT` times the median, and where some miss by more than ten times that.
_ROUNDS = (3, 4, 88)
# A clip of at most so many frames gets this many rounds, because it has no other starts that could do better.
_ALONE, _ROUNDS_ALONE, _ROUNDS_BEYOND = 8, 88, 16
# How a limb is put elsewhere, in turn: other branch, beyond its bounds, only on the way to ground, whole.
_BRANCH, _BOUND, _ON_THE_WAY, _WHOLE = range(4)
_WAYS = 4
# Holds the rest of the body where it is while limbs are put elsewhere (m^2/rad^2).
_HOLD = 1.0
# A limb takes its new pose where its error, with the rest held, is not more than this many times the old one: what
# the rest gives way by when all are solved together is not known yet.
_TAKEN = 3.0
# A new pose counts where it leaves less than this share of the objective.
_BETTER = 0.98
# Tolerances of a limb put elsewhere, and of the whole body after it (rad or m).
_LIMB_TOLERANCE, _BODY_TOLERANCE = 1e-2, 1e-3
_LIMB_ITERATIONS = 40
# After so many iterations the whole body must be within this many times the objective of the best pose so far.
_HASTY_ITERATIONS, _NEAR = 15, 4.0
# How far from a bound an unknown counts as at it (rad or m).
_AT_BOUND = 1e-9


@dataclass(frozen=True, eq=False)
class _Fit:
    """A pose and how it fits.

    Attributes:
        pose: a track of one frame.
        errors: (m,) each marker's part of the objective, m^2; 0 where it is not seen.
        missed_m: (m,) metres, by how much each marker is missed; 0 where it is not seen.
    """

    pose: PoseTrack
    errors: NDArray[np.float64]
    missed_m: NDArray[np.float64]

    @property
    def objective(self) -> float:
        """Half the weighted mean squared marker error, m^2."""
        return float(self.errors.sum())


def lowest_minimum(
    tracker: Tracker, frame: int, found: PoseTrack, prior: Prior, *, rounds: int | None = None
) -> PoseTrack:
    """Return the best pose of one frame that the search finds, as a track of one; `found` where it finds no better.

    Args:
        tracker: engine, model and clip.
        frame: which frame.
        found: a minimum of this frame, as a track of one.
        prior: the prior that it was found under.
        rounds: rounds without success after which the search ends; None takes a number that depends on the fit.
    """
    best, failed, tried = _fit(tracker, frame, found), 0, 0
    # `failed` counts since the last success, `tried` never restarts: the sequence of points goes on and does not
    # repeat.
    while best.objective > 0.5 * _EXACT_M**2 and failed < (rounds or _patience(tracker, best, prior.noise_m)):
        better = _try_elsewhere(tracker, frame, best, prior, tried)
        best, failed, tried = (best, failed + 1, tried + 1) if better is None else (better, 0, tried + 1)
    return best.pose


def _patience(tracker: Tracker, fit: _Fit, noise_m: float) -> int:
    if tracker.clip.n_frames <= _ALONE:
        return _ROUNDS_ALONE
    if 2.0 * fit.objective > (BEYOND_NOISE * noise_m) ** 2 > 0.0:
        return _ROUNDS_BEYOND
    contrast = float(stand_out(tracker.clip.weights, fit.missed_m[None])[0])
    return _ROUNDS[0 if contrast < STANDS_OUT else 1 if contrast < 10.0 * STANDS_OUT else 2]


def _try_elsewhere(tracker: Tracker, frame: int, best: _Fit, prior: Prior, tried: int) -> _Fit | None:
    """Restart limbs that fit badly, then solve the whole body; None if that is not better."""
    limbs, start = find_limbs(tracker.folded), best.pose.start(0)
    tops, moved = _bad_limbs(limbs, best, tried)
    elsewhere = _elsewhere(tracker, limbs, start.unknowns, moved, tried)
    if elsewhere is None:
        return None
    # Whole limbs are free, not only what was put elsewhere: the rest of a limb has to follow.
    held = Prior(elsewhere, np.where(limbs.unknowns[tops].any(axis=0) | is_root(tracker.folded), 0.0, _HOLD))
    placed = _fit(
        tracker,
        frame,
        tracker.solve_one(
            frame, Start(elsewhere, start.base), held, damped=True, tolerance=_LIMB_TOLERANCE, limit=_LIMB_ITERATIONS
        ),
    )
    # A limb in a wrong minimum may fit well and leave its miss to the rest of the body.
    near = placed.objective < _TAKEN * best.objective
    taken = [top for top in tops if near or _error(limbs, top, placed) < _TAKEN * _error(limbs, top, best)]
    if not taken:
        return None
    mixed = np.where(limbs.unknowns[taken].any(axis=0), placed.pose.unknowns[0], start.unknowns)
    mixed_start = Start(mixed, start.base, start.share)
    # Most rounds fail, and show it soon: only what comes near is solved to the end.
    hasty = tracker.solve_one(
        frame, mixed_start, prior, damped=True, tolerance=_BODY_TOLERANCE, limit=_HASTY_ITERATIONS
    )
    if hasty.ends[0] != CONVERGED and hasty.values[0] > _NEAR * best.pose.values[0]:
        return None
    solved = tracker.solve_one(frame, hasty.start(0), prior, damped=True, tolerance=_BODY_TOLERANCE)
    after = _fit(tracker, frame, solved)
    return after if after.objective < _BETTER * best.objective else None


def _bad_limbs(limbs: Limbs, fit: _Fit, tried: int) -> tuple[list[int], NDArray[np.bool_]]:
    """Return the nodes of disjoint limbs around badly fitted markers, higher up in each round, and what may move.

    In every fourth round that is the limbs whole, else what lies between the badly met markers and ground: the rest
    of a hand may be right, though the arm is not.
    """
    # Every other time by their part of the objective, so that markers of little weight do not hide the others.
    missed = np.sqrt(fit.errors) if tried // (2 * _WAYS) % 2 else fit.missed_m
    missed = np.where([bool(limbs.levels[node]) for node in limbs.node], missed, 0.0)  # not by the root
    bad = np.flatnonzero(missed > _BAD_SHARE * missed.max(initial=0.0))
    nodes = {int(node) for node in limbs.node[bad]}
    level = tried // _WAYS % max((len(limbs.levels[node]) for node in nodes), default=1)
    top_of = {node: limbs.levels[node][min(level, len(limbs.levels[node]) - 1)] for node in nodes}
    moved = np.zeros(limbs.own.shape[1], dtype=bool)
    for node, top in top_of.items():
        moved |= limbs.unknowns[top] if tried % _WAYS == _WHOLE else limbs.own[list(_way(limbs, node, top))].any(axis=0)
    tops = sorted(set(top_of.values()))
    outer = [top for top in tops if not any(top != other and other in _way(limbs, top, -1) for other in tops)]
    return outer, moved


def _way(limbs: Limbs, node: int, end: int) -> Iterator[int]:
    """Nodes from one to another on its way to ground, both included."""
    while node >= 0:
        yield node
        node = int(limbs.parent[node]) if node != end else -1


def _elsewhere(
    tracker: Tracker, limbs: Limbs, unknowns: NDArray[np.float64], moved: NDArray[np.bool_], tried: int
) -> NDArray[np.float64] | None:
    """Return the pose from which a round begins; None where it would be the present one."""
    if not moved.any():
        return None
    if tried % _WAYS == _BRANCH:
        return _other_branch(tracker, limbs, unknowns, moved, tried // _WAYS)
    if tried % _WAYS == _BOUND:
        return _other_bound(tracker, unknowns, moved)
    # A fixed sequence instead of random numbers: a search that is repeated finds the same pose.
    sample = limbs.low + (limbs.high - limbs.low) * _spread(len(moved), tried)
    return np.where(moved, sample, unknowns)


def _error(limbs: Limbs, top: int, fit: _Fit) -> float:
    return float(fit.errors[limbs.markers[top]].sum())


def _other_branch(
    tracker: Tracker, limbs: Limbs, unknowns: NDArray[np.float64], moved: NDArray[np.bool_], turn: int
) -> NDArray[np.float64] | None:
    """Return the pose with the second solution of three-angle joints that move, or None.

    All joints that have an angle at a bound change; in every other turn one of the joints that move does. What lies
    outside the bounds is put on them: near a middle angle of 90 degrees that is still close.
    """
    lower, upper = tracker.folded.arrays.lower, tracker.folded.arrays.upper
    at_bound = (unknowns <= lower + _AT_BOUND) | (unknowns >= upper - _AT_BOUND)
    free = [triple for triple in limbs.triples if moved[triple.unknowns].any()]
    held = [triple for triple in free if at_bound[triple.unknowns].any()] if turn % 2 == 0 else []
    if not free:
        return None
    other, done = unknowns.copy(), np.zeros(len(unknowns), dtype=bool)
    for triple in held or [free[turn // 2 % len(free)]]:
        these = triple.unknowns
        if not done[these].any():
            middle, values = 0.5 * (limbs.low[these] + limbs.high[these]), other_solution(triple, other[these])
            # The second solution is known up to whole turns: take the one next to the middle of the range, before
            # bounds clip it.
            values -= 2.0 * np.pi * np.round((values - middle) / (2.0 * np.pi))
            other[these], done[these] = np.clip(values, lower[these], upper[these]), True
    return other


def _other_bound(
    tracker: Tracker, unknowns: NDArray[np.float64], moved: NDArray[np.bool_]
) -> NDArray[np.float64] | None:
    """Return the pose with angles at a bound passed to the other one; None if there is none.

    An angle that would go on beyond its bound goes on from the other one, where its range is more than half a turn.
    """
    lower, upper = tracker.folded.arrays.lower, tracker.folded.arrays.upper
    at_upper = unknowns >= upper - _AT_BOUND
    passing = (
        moved & (at_upper | (unknowns <= lower + _AT_BOUND)) & (upper - lower > np.pi) & np.isfinite(upper - lower)
    )
    return np.where(passing, np.where(at_upper, lower, upper), unknowns) if passing.any() else None


def _spread(n_unknowns: int, index: int) -> NDArray[np.float64]:
    """(x,) in [0, 1): a point of Richtmyer's sequence, multiples of the square roots of primes."""
    return np.asarray(np.modf(0.5 + (index + 1) * _prime_roots(n_unknowns))[0])


@lru_cache(maxsize=8)
def _prime_roots(n: int) -> NDArray[np.float64]:
    return np.sqrt(np.fromiter(islice(_primes(), n), dtype=np.float64))


def _primes() -> Iterator[int]:
    return (number for number in count(2) if all(number % k for k in range(2, int(number**0.5) + 1)))


def _fit(tracker: Tracker, frame: int, pose: PoseTrack) -> _Fit:
    """Return how a pose fits the markers of a frame."""
    folded, clip = tracker.folded, tracker.clip
    unknowns = model_angles(folded, pose.unknowns, pose.bases)
    missed_m = np.linalg.norm(tracker.markers_m(frame, unknowns) - clip.positions_m[frame], axis=1)
    weights = np.where(np.isnan(missed_m), 0.0, clip.weights)
    missed_m = np.where(weights > 0.0, missed_m, 0.0)
    return _Fit(pose, 0.5 * weights / weights.sum() * missed_m**2, missed_m)
