"""The lowest minimum of one frame: limbs that fit badly are put elsewhere and solved again.

A wrong minimum is wrong in some limbs: markers there miss by far more than elsewhere. So these limbs, and no others,
are begun anew, while the rest of the body is held where it is. As a rule the barrier stands in one joint: so each joint
of three angles gets its second solution, and each angle at a bound the other end of its range, those next to the worst
markers first. In between, one joint, or a whole limb, is put at points of a low-discrepancy sequence over its ranges.
Every limb keeps whichever of its two poses fits better, so that several limbs improve in one round; the whole body is
solved from there.

The worse a pose fits, the longer the search goes on. Noise lies on all markers alike: where no marker
stands out, few rounds are made in a clip, and the more some markers stand out, the more. A pose found
without neighbours, such as the static pose of scaling, cannot get a better one from them: its search is long. What
misses because it lies elsewhere on its segment than the model has it does not count there: no pose mends that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, count, islice, zip_longest
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.geometry.rigid import remains_of_groups
from movi_prep.kinematics.diagnosis import BEYOND_NOISE, STANDS_FAR_OUT, STANDS_OUT, stand_out
from movi_prep.kinematics.limbs import Limbs, Triple, find_limbs, other_solution
from movi_prep.kinematics.tracks import CONVERGED, PoseTrack, Prior, Start, Tracker, is_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

# Markers that are met to this (root mean square, metres) leave nothing to look for.
_EXACT_M = 2e-5
# A marker is badly met where it misses by more than this share of the one that misses most.
_BAD_SHARE = 0.3
# Rounds without success after which the search ends, in a clip: where no marker stands out from the others, where some
# miss by more than `STANDS_OUT` times the median, and where some miss by more than ten times that.
_ROUNDS = (3, 4, 88)
# A clip of at most so many frames gets this many rounds, because it has no other starts that could do better: more
# where markers stand out as no noise explains.
_ALONE, _ROUNDS_ALONE, _ROUNDS_WRONG, _ROUNDS_BEYOND = 8, 88, 240, 16
# How limbs are put anywhere, in turn: one joint, all joints on the way to ground, one joint, whole.
_ON_THE_WAY, _WHOLE, _KINDS = 1, 3, 4
# A second solution that lies further outside the bounds is none (rad).
_FAR_OUTSIDE = 0.5 * np.pi
# Joints that can turn less than this have one minimum (rad).
_WIDE = 0.5 * np.pi
# Holds the rest of the body where it is while limbs are put elsewhere (m^2/rad^2).
_HOLD = 1.0
# A limb takes its new pose where its error, with the rest held, is not more than this many times the old one: what
# the rest gives way by when all are solved together is not known yet.
_TAKEN = 10.0
# A new pose counts where it leaves less than this share of the objective.
_BETTER = 0.98
# Tolerances of a limb put elsewhere, and of the whole body after it (rad or m).
_LIMB_TOLERANCE, _BODY_TOLERANCE = 1e-2, 1e-3
_LIMB_ITERATIONS = 40
# After so many iterations the whole body must be within this many times the objective of the best pose so far; where it
# has converged by then, within this share of it: it will end hardly lower, and must end lower by 2 % to count.
_HASTY_ITERATIONS, _NEAR, _LOWER = 15, 4.0, 0.99
# How far from a bound an unknown counts as at it (rad or m).
_AT_BOUND = 1e-9

# Some unknowns, and new values for them.
_Change = tuple["NDArray[np.int64]", "NDArray[np.float64]"]


@dataclass(frozen=True, eq=False)
class _Fit:
    """A pose and how it fits.

    Attributes:
        pose: a track of one frame.
        errors: (m,) each marker's part of the objective, m^2; 0 where it is not seen.
        missed_m: (m,) metres, by how much each marker is missed; 0 where it is not seen.
        modelled_m: (m, 3) metres, where the pose puts the markers, in ground.
    """

    pose: PoseTrack
    errors: NDArray[np.float64]
    missed_m: NDArray[np.float64]
    modelled_m: NDArray[np.float64]

    @cached_property
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
    best, tried = _fit(tracker, frame, found), 0
    while best.objective > 0.5 * _EXACT_M**2:
        # `tried` never restarts: the sequence of points goes on and does not repeat.
        last = tried + (rounds or _patience(tracker, frame, best, prior.noise_m))
        better, tried = _first_better(tracker, frame, best, prior, range(tried, last))
        if better is None:
            break
        best = better
    return best.pose


def _first_better(tracker: Tracker, frame: int, best: _Fit, prior: Prior, rounds: range) -> tuple[_Fit | None, int]:
    """Return the first better pose that these rounds find, None for none, and the round after it."""
    limbs, unknowns = find_limbs(tracker.folded), best.pose.unknowns[0]
    near = _find_near(tracker, limbs, best)
    for tried in rounds:
        tops, elsewhere = _elsewhere(limbs, unknowns, near, tried, tried - rounds.start)
        better = None if elsewhere is None else _try(tracker, frame, best, prior, tops, elsewhere)
        if better is not None:
            return better, tried + 1
    return None, rounds.stop


def _patience(tracker: Tracker, frame: int, fit: _Fit, noise_m: float) -> int:
    contrast = float(stand_out(tracker.clip.weights, fit.missed_m[None])[0])
    if tracker.clip.n_frames <= _ALONE:
        wrong = contrast > STANDS_FAR_OUT and contrast * _share_of_pose(tracker, frame, fit) > STANDS_FAR_OUT
        return _ROUNDS_WRONG if wrong else _ROUNDS_ALONE
    if 2.0 * fit.objective > (BEYOND_NOISE * noise_m) ** 2 > 0.0:
        return _ROUNDS_BEYOND
    return _ROUNDS[0 if contrast < STANDS_OUT else 1 if contrast < 10.0 * STANDS_OUT else 2]


def _share_of_pose(tracker: Tracker, frame: int, fit: _Fit) -> float:
    """Return how much of the largest miss a pose could mend: 1 where each segment's markers lie as the model has them.

    What remains when the markers of a segment are fitted by themselves, no pose takes away.
    """
    seen = fit.missed_m > 0.0
    observed_m = np.where(seen[:, None], tracker.clip.positions_m[frame], np.nan)
    remains_m = remains_of_groups(find_limbs(tracker.folded).node, fit.modelled_m, observed_m)
    roots = np.sqrt(tracker.clip.weights)
    mendable_m = np.where(seen, fit.missed_m - remains_m, 0.0)
    return float((roots * mendable_m).max() / (roots * fit.missed_m).max())


def _try(
    tracker: Tracker, frame: int, best: _Fit, prior: Prior, tops: list[int], elsewhere: NDArray[np.float64]
) -> _Fit | None:
    """Solve from a pose in which the limbs at `tops` are elsewhere; None if that is not better."""
    limbs, start = find_limbs(tracker.folded), best.pose.start(0)
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
    if hasty.values[0] > (_LOWER if hasty.ends[0] == CONVERGED else _NEAR) * best.pose.values[0]:
        return None
    solved = tracker.solve_one(frame, hasty.start(0), prior, damped=True, tolerance=_BODY_TOLERANCE)
    after = _fit(tracker, frame, solved)
    return after if after.objective < _BETTER * best.objective else None


class _Changes:
    """Changes that are worked out one by one, in order."""

    def __init__(self, changes: Iterator[_Change]) -> None:
        self._coming, self._found = changes, list[_Change]()

    def first(self, count: int) -> list[_Change]:
        """Return so many, or all that there are."""
        self._found += islice(self._coming, max(0, count - len(self._found)))
        return self._found[:count]


@dataclass(frozen=True, eq=False)
class _Near:
    """What may be put elsewhere near the badly met markers, those next to the worst one first.

    Attributes:
        nodes: nodes of badly met markers, the root's left out: by their misses, and by their part of the objective, so
            that markers of little weight do not hide the others.
        changes: three-angle joints with their second solution, and angles at a bound with the other one, in turn. Most
            searches end after the first two, so the others are not worked out before they are asked for.
        joints: unknowns of joints that can turn far enough for several minima: three angles, and with one more.
        held: (x,) bool, angles at a bound that can turn so far.
    """

    nodes: tuple[list[int], list[int]]
    changes: _Changes
    joints: list[NDArray[np.int64]]
    held: NDArray[np.bool_]


def _find_near(tracker: Tracker, limbs: Limbs, best: _Fit) -> _Near:
    """Return what may be put elsewhere."""
    unknowns, widths = best.pose.unknowns[0], limbs.high - limbs.low
    nodes = _bad_nodes(limbs, best.missed_m), _bad_nodes(limbs, np.sqrt(best.errors))
    way = (above for node in (*nodes[0], *nodes[1]) for above in _way(limbs, node, -1))
    movers = list(dict.fromkeys(int(unknown) for above in way for unknown in np.flatnonzero(limbs.own[above])))
    triples = _in_order(limbs.triples, movers)
    branches = (_other_branch(tracker, limbs, unknowns, triple) for triple in triples)
    bounds = _other_bounds(tracker, unknowns, movers)
    in_turn = chain.from_iterable(zip_longest((one for one in branches if one is not None), bounds))
    wide = [triple.unknowns for triple in triples if widths[triple.unknowns].max() > _WIDE]
    return _Near(
        nodes=nodes,
        changes=_Changes(change for change in in_turn if change is not None),
        joints=list(chain.from_iterable((one, *_longer(one, wide)) for one in wide)),
        held=_at_bound(tracker, unknowns) & (widths > _WIDE),
    )


def _bad_nodes(limbs: Limbs, missed: NDArray[np.float64]) -> list[int]:
    """Return the nodes of badly met markers, for (m,) misses: the worst first, those of the root left out."""
    missed = np.where([bool(limbs.levels[node]) for node in limbs.node], missed, 0.0)
    order = np.argsort(-missed, kind="stable")
    bad = order[missed[order] > _BAD_SHARE * missed.max(initial=0.0)]
    return list(dict.fromkeys(limbs.node[bad].tolist()))


def _longer(three: NDArray[np.int64], others: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """Return three angles with the one that follows them: a girdle and the shoulder on it make up for each other."""
    return [np.append(three, other[2]) for other in others if (three[1:] == other[:2]).all()]


def _in_order(triples: Sequence[Triple], movers: list[int]) -> list[Triple]:
    """Return the triples that any of the unknowns belongs to, in the order of the unknowns."""
    place = {unknown: number for number, unknown in enumerate(movers)}
    first = [min(place.get(unknown, len(movers)) for unknown in triple.unknowns.tolist()) for triple in triples]
    return [triples[k] for k in np.argsort(first, kind="stable") if first[k] < len(movers)]


def _other_branch(tracker: Tracker, limbs: Limbs, unknowns: NDArray[np.float64], triple: Triple) -> _Change | None:
    """Return the second solution of a three-angle joint; None where the bounds leave none."""
    these, arrays = triple.unknowns, tracker.folded.arrays
    middle, values = 0.5 * (limbs.low[these] + limbs.high[these]), other_solution(triple, unknowns[these])
    # The second solution is known up to whole turns: take the one next to the middle of the range, before bounds clip
    # it. What lies outside is put on them: near a middle angle of 90 degrees that is still close.
    values = values - 2.0 * np.pi * np.round((values - middle) / (2.0 * np.pi))
    inside = np.clip(values, arrays.lower[these], arrays.upper[these])
    return (these, inside) if np.abs(inside - values).max() < _FAR_OUTSIDE else None


def _other_bounds(tracker: Tracker, unknowns: NDArray[np.float64], movers: list[int]) -> list[_Change]:
    """Return the angles at a bound, each passed to the other one.

    An angle that would go on beyond its bound goes on from the other one, where its range is more than half a turn.
    """
    lower, upper = tracker.folded.arrays.lower, tracker.folded.arrays.upper
    passing = _at_bound(tracker, unknowns) & (upper - lower > np.pi) & np.isfinite(upper - lower)
    far = np.where(unknowns >= upper - _AT_BOUND, lower, upper)
    return [(np.array([unknown]), far[[unknown]]) for unknown in movers if passing[unknown]]


def _at_bound(tracker: Tracker, unknowns: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(x,) bool, unknowns at one of their bounds."""
    lower, upper = tracker.folded.arrays.lower, tracker.folded.arrays.upper
    return np.asarray((unknowns <= lower + _AT_BOUND) | (unknowns >= upper - _AT_BOUND))


def _elsewhere(
    limbs: Limbs, unknowns: NDArray[np.float64], near: _Near, tried: int, number: int
) -> tuple[list[int], NDArray[np.float64] | None]:
    """Return the nodes of disjoint limbs that are free in a round, and where it begins; None for no such pose.

    Args:
        limbs: of the model.
        unknowns: (x,) of the pose to be left.
        near: what may be put elsewhere.
        tried: counts the rounds of the search.
        number: counts the rounds since the pose was found.
    """
    # Changes first, every other round: there are few of them, and each is tried once.
    used = len(near.changes.first((number + 1) // 2))
    if number % 2 == 0 and len(near.changes.first(number // 2 + 1)) > number // 2:
        return _changed(limbs, unknowns, near.changes.first(number // 2 + 1)[-1])
    turn, kind = divmod(number - used, _KINDS)
    widths = limbs.high - limbs.low
    # A fixed sequence instead of random numbers: a search that is repeated finds the same pose.
    if kind in {_ON_THE_WAY, _WHOLE}:
        tops, moved = _bad_limbs(limbs, near.nodes[turn // 2 % 2], turn, whole=kind == _WHOLE)
        sample = limbs.low + widths * _spread(len(moved), tried)
        return tops, np.where(moved, sample, unknowns) if moved.any() else None
    if not near.joints:
        return [], None
    these = near.joints[_ruler((number - used) // 2) % len(near.joints)]
    tops, other = _changed(limbs, unknowns, (these, limbs.low[these] + widths[these] * _spread(len(these), tried)))
    # What was pressed against a bound behind the joint was so in the pose that is left.
    freed = limbs.unknowns[tops[0]] & near.held
    freed[these] = False
    return tops, np.where(freed, limbs.low + 0.5 * widths, other)


def _ruler(number: int) -> int:
    """0, 1, 0, 2, 0, 1, 0, 3 ...: the nearest joints most often, and all of them in the end."""
    return int((~number & (number + 1)).bit_length()) - 1


def _changed(limbs: Limbs, unknowns: NDArray[np.float64], change: _Change) -> tuple[list[int], NDArray[np.float64]]:
    """Return the node at which the limb behind a joint begins, and the pose with new values of the joint."""
    these, values = change
    other = unknowns.copy()
    other[these] = values
    return [int(np.argmax(limbs.own[:, these].any(axis=1)))], other


def _bad_limbs(limbs: Limbs, nodes: list[int], turn: int, *, whole: bool) -> tuple[list[int], NDArray[np.bool_]]:
    """Return the nodes of disjoint limbs around badly met markers, higher up in each turn, and what may move.

    That is the limbs whole, or what lies between the badly met markers and ground: the rest of a hand may be right,
    though the arm is not.
    """
    level = turn % max((len(limbs.levels[node]) for node in nodes), default=1)
    top_of = {node: limbs.levels[node][min(level, len(limbs.levels[node]) - 1)] for node in nodes}
    moved = np.zeros(limbs.own.shape[1], dtype=bool)
    for node, top in top_of.items():
        moved |= limbs.unknowns[top] if whole else limbs.own[list(_way(limbs, node, top))].any(axis=0)
    tops = sorted(set(top_of.values()))
    outer = [top for top in tops if not any(top != other and other in _way(limbs, top, -1) for other in tops)]
    return outer, moved


def _way(limbs: Limbs, node: int, end: int) -> Iterator[int]:
    """Nodes from one to another on its way to ground, both included."""
    while node >= 0:
        yield node
        node = int(limbs.parent[node]) if node != end else -1


def _error(limbs: Limbs, top: int, fit: _Fit) -> float:
    return float(fit.errors[limbs.markers[top]].sum())


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
    modelled_m = tracker.markers_m(frame, pose.unknowns, pose.bases[0])
    apart_m = modelled_m - tracker.clip.positions_m[frame]
    shares = tracker.shares(frame)
    missed_m = np.where(shares > 0.0, np.sqrt(np.einsum("mk,mk->m", apart_m, apart_m)), 0.0)
    return _Fit(pose, 0.5 * shares * missed_m**2, missed_m, modelled_m)
