"""Tracks through a clip: one after another frame, forward and backward, joined by the best path.

A model with weakly determined coordinates has many local minima (basins). A track stays in the basin it came from,
so the direction of time would choose. Here a second track runs backward from an independent start at the end of the
clip; where the two differ, dynamic programming (Viterbi 1967) takes the path with the least objective, and pays for
every change of basin. A backward track that meets the forward one ends there: from that frame on both would be equal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from movi_prep.config.ik_solver import ConvergedSettings
    from movi_prep.kinematics.folded_model import FoldedArrays, FoldedModel
    from movi_prep.kinematics.machine_code import MachineCode
    from movi_prep.kinematics.marker_frames import MarkerFrames

# How solve_frame ends, in both engines.
UNSOLVED, CONVERGED, ITERATION_LIMIT, STALLED = range(4)
# In the place of an anchor: the frame was solved again on its own.
RETRIED = -2
# The temporal term pulls to the pose before plus this share of the last step: a joint goes on, and comes to rest.
CARRIED = 0.9
# Tracks whose poses differ by less count as one (rad or m): only the temporal term keeps them that far apart.
_MEETING_DISTANCE = 5e-3
# A forward track that leaves its extrapolation by this much may have changed its basin (rad or m).
_JUMP = 0.1
# Iterations of a frame that is solved on its own.
_PATIENCE = 300
_FAR_DAMPING = 1e-3


class Start(NamedTuple):
    """The pose in which a track begins.

    Attributes:
        unknowns: (x,) rad and m.
        base: (9,) the rotation from which the free root's angles count.
        share: of the pulls, as suits a pose that fits this well; a full share would lead away from a pose that fits
            exactly.
    """

    unknowns: NDArray[np.float64]
    base: NDArray[np.float64]
    share: float = 1.0


@dataclass(frozen=True, eq=False)
class Prior:
    """Quadratic prior on the unknowns.

    Attributes:
        centre: (x,) rad or m.
        weight: (x,) m^2/rad^2.
        noise_m: marker noise from which on it acts in full, below in proportion to the variance; 0: always in full.
    """

    centre: NDArray[np.float64]
    weight: NDArray[np.float64]
    noise_m: float = 0.0

    def scaled(self, factor: float | NDArray[np.float64]) -> Prior:
        """Return the same prior, `factor` times as strong."""
        return replace(self, weight=self.weight * factor)


@dataclass(frozen=True, eq=False)
class PoseTrack:
    """One way through the frames of a clip.

    Attributes:
        unknowns: (n, x) float64, rad and m; meaningless where `ends` is UNSOLVED.
        bases: (n, 9) float64, rotations row by row, from which the free root's angles count.
        ends: (n,) int64, how each frame ended.
        iterations: (n,) int64.
        anchors: (n, 2) int64, the frame before and the one before that, from which the temporal term pulled (twice the
            same where only one was known); -1 for none, -2 for a frame tried again.
        values: (n,) float64, objective with all its terms, m^2.
        shares: (n,) float64, share of prior and temporal term that acted.
    """

    unknowns: NDArray[np.float64]
    bases: NDArray[np.float64]
    ends: NDArray[np.int64]
    iterations: NDArray[np.int64]
    anchors: NDArray[np.int64]
    values: NDArray[np.float64]
    shares: NDArray[np.float64]

    def start(self, frame: int) -> Start:
        """Return the pose of one frame, to begin another track from."""
        return Start(self.unknowns[frame], self.bases[frame], float(self.shares[frame]))

    def alone(self) -> PoseTrack:
        """Return the track without the frames from which the temporal term pulled: those of a part may be elsewhere."""
        return replace(self, anchors=np.full_like(self.anchors, -1))

    @classmethod
    def empty(cls, n_frames: int, n_unknowns: int) -> PoseTrack:
        """Return a track on which no frame is solved."""
        counts = (np.full(n_frames, UNSOLVED), np.zeros(n_frames, dtype=np.int64), np.full((n_frames, 2), -1))
        poses = (np.zeros((n_frames, n_unknowns)), np.zeros((n_frames, 9)))
        return cls(*poses, *counts, np.full(n_frames, np.inf), np.ones(n_frames))

    @cached_property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """The arrays in the order in which the kernels take them."""
        return self.unknowns, self.bases, self.ends, self.iterations, self.anchors, self.values, self.shares

    @cached_property
    def met(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """What another track takes of this one, to end where it meets it."""
        return self.unknowns, self.ends


@dataclass(frozen=True, eq=False)
class Tracker:
    """An engine with the memory for one model and clip: the kernels, or the plain NumPy that tests compare with.

    `scratch` is where single frames are solved; `nothing` is a track that no other one meets.
    """

    engine: ModuleType | MachineCode
    folded: FoldedModel
    clip: MarkerFrames
    work: Any
    tasks: Any
    scratch: PoseTrack
    nothing: PoseTrack

    @classmethod
    def prepare(cls, engine: ModuleType | MachineCode, folded: FoldedModel, clip: MarkerFrames) -> Tracker:
        """Return a tracker with memory of its own."""
        work = engine.allocate_workspace(folded.arrays, len(clip.task_q))
        tasks = engine.Tasks(clip.task_q, clip.task_weight, clip.task_target)
        scratch, nothing = (PoseTrack.empty(clip.n_frames, folded.arrays.n_unknowns) for _ in range(2))
        return cls(engine, folded, clip, work, tasks, scratch, nothing)

    @cached_property
    def data(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Positions, weights and solvable frames, as the kernels take them."""
        return self.clip.positions_m, self.clip.weights, self.clip.solvable

    def run(self, pulls: Pulls, start: Start, span: range, out: PoseTrack, other: PoseTrack) -> int:
        """Track the frames of `span` from `start` into `out`; return the frame after the last one solved."""
        arrays = self.folded.arrays
        self.work.x[0] = np.clip(start.unknowns, arrays.lower, arrays.upper)
        self.work.pose.base[:] = start.base
        # Sides are only a first guess, but one left from another track could change the last bits of the result.
        self.work.system.side[:] = 0
        rules = pulls.rules
        if rules.first_share != start.share:
            rules = rules._replace(first_share=start.share)
        reached = self.engine.track(
            *(arrays, self.work, self.tasks, rules, self.data),
            *((pulls.prior.centre, pulls.prior.weight, pulls.temporal), span.start, span.stop, span.step),
            *(out.arrays, other.met),
        )
        return int(reached)

    def pulls(self, settings: ConvergedSettings, prior: Prior, openness: NDArray[np.float64]) -> Pulls:
        """Return prior, temporal term (in proportion to (x,) openness) and rules for a whole clip."""
        limits = (settings.step_tolerance, settings.iteration_limit)
        # No damping to begin with: a track starts from a pose that was solved already.
        rules = self.engine.Rules(*limits, True, 0.0, _MEETING_DISTANCE, prior.noise_m, 1.0)
        temporal = np.where(is_root(self.folded), 0.0, settings.temporal_weight * openness)
        return Pulls(prior, temporal, rules, openness)

    def solve_one(
        self, frame: int, start: Start, prior: Prior, *, damped: bool, tolerance: float, limit: int = _PATIENCE
    ) -> PoseTrack:
        """Solve a single frame on its own, long and without a temporal term; return a track of one frame.

        Args:
            frame: which frame.
            start: where to begin.
            prior: the prior.
            damped: begin with short steps, for a start that may be far off.
            tolerance: of the steps, rad or m.
            limit: iterations.
        """
        first_damping = _FAR_DAMPING if damped else 0.0
        rules = self.engine.Rules(tolerance, limit, True, first_damping, 0.0, prior.noise_m, start.share)
        pulls = Pulls(prior, self._no_pull, rules, self._no_pull)
        self.run(pulls, start, range(frame, frame + 1), self.scratch, self.nothing)
        # Copies, because the next call overwrites the scratch track.
        return PoseTrack(*(array[frame : frame + 1].copy() for array in self.scratch.arrays))

    @cached_property
    def _no_pull(self) -> NDArray[np.float64]:
        return np.zeros(self.folded.arrays.n_unknowns)

    def markers_m(self, frame: int, unknowns: NDArray[np.float64], base: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (m, 3) metres, in ground: markers at (1, x) unknowns, the free root's counted from a base."""
        tasks, data = self._of(frame)
        prior, temporal, shares, weak, out = self._alone
        self.engine.certify(
            *(self._counted_from(base), self.work, tasks, data), prior, temporal, shares, unknowns, weak, out
        )
        # A copy, because the next call overwrites it.
        found: NDArray[np.float64] = out[-1][0].copy()
        return found

    @cached_property
    def _alone(self) -> tuple[Any, ...]:
        """What `certify` takes and writes for one frame on its own: no pulls, no weak prior, room for the results."""
        one, none = np.zeros(1), np.zeros((1, self.folded.arrays.n_unknowns))
        markers = np.empty((1, *self.clip.positions_m.shape[1:]))
        out = (one.copy(), one.copy(), np.zeros(1, dtype=np.int64), none.copy(), markers)
        return (none[0], none[0]), (none, none), one, np.zeros(0), out

    def _counted_from(self, base: NDArray[np.float64]) -> FoldedArrays:
        """The arrays with the free root's own frame at a base: `certify` counts its angles from there.

        The same arrays each time, which the kernels know again: the next call overwrites their base.
        """
        motion = self._based.motion
        if motion.free_node >= 0:
            motion.rotation[motion.free_node] = base
        return self._based

    @cached_property
    def _based(self) -> FoldedArrays:
        arrays = self.folded.arrays
        return arrays._replace(motion=arrays.motion._replace(rotation=arrays.motion.rotation.copy()))

    def _of(self, frame: int) -> tuple[Any, tuple[NDArray[Any], ...]]:
        """Return tasks and data of one frame; the same objects each time, which the kernels know again."""
        if frame not in self._frames:
            row = slice(frame, frame + 1)
            positions, weights, solvable = self.data
            tasks = self.tasks._replace(target=self.tasks.target[row])
            self._frames[frame] = (tasks, (positions[row], weights, solvable[row]))
        return self._frames[frame]

    def shares(self, frame: int) -> NDArray[np.float64]:
        """Return (m,) weights of the markers that a frame shows, of their sum; 0 for the others."""
        if frame not in self._shares:
            seen = ~np.isnan(self.clip.positions_m[frame]).any(axis=-1)
            weights = np.where(seen, self.clip.weights, 0.0)
            self._shares[frame] = weights / weights.sum()
        return self._shares[frame]

    @cached_property
    def _shares(self) -> dict[int, NDArray[np.float64]]:
        return {}

    @cached_property
    def _frames(self) -> dict[int, tuple[Any, tuple[NDArray[Any], ...]]]:
        return {}


@dataclass(frozen=True, eq=False)
class Pulls:
    """The pulls that act on a track besides the markers, and how the track iterates.

    Attributes:
        prior: the prior.
        temporal: (x,) weights of the squared departure from how the frames before would go on, m^2/rad^2.
        rules: the engine's Rules.
        openness: (x,) from 0 to 1, how far markers leave each unknown open.
    """

    prior: Prior
    temporal: NDArray[np.float64]
    rules: Any
    openness: NDArray[np.float64]


def is_root(folded: FoldedModel) -> NDArray[np.bool_]:
    """(x,) bool, unknowns that move a joint on ground: neither prior nor temporal term nor path touches them."""
    return np.asarray(folded.arrays.motion.is_root == 1)


def track_forward(tracker: Tracker, pulls: Pulls, starts: dict[int, Start]) -> PoseTrack:
    """Return one forward track, which begins anew at every frame of `starts`."""
    out = PoseTrack.empty(tracker.clip.n_frames, tracker.folded.arrays.n_unknowns)
    for first, end in pairwise([*sorted(starts), tracker.clip.n_frames]):
        tracker.run(pulls, starts[first], range(first, end), out, tracker.nothing)
    return out


def track_backward(
    tracker: Tracker, pulls: Pulls, forward: PoseTrack, starts: dict[int, tuple[int, Start]]
) -> PoseTrack:
    """Return one backward track, left empty where it would repeat the forward one.

    Args:
        tracker: engine, folded and clip.
        pulls: prior, temporal term and rules.
        forward: the track in the other direction.
        starts: for the last frame of each stretch, its first frame and a start found independently.
    """
    out = PoseTrack.empty(tracker.clip.n_frames, tracker.folded.arrays.n_unknowns)
    jumps = _jumps(tracker.folded, forward)
    for last, (first, start) in starts.items():
        reached = tracker.run(pulls, start, range(last, first - 1, -1), out, forward)
        # Where forward jumped between basins, its later basin is followed into the frames before.
        for jump in jumps[jumps > first][::-1]:
            # Frames above `reached` have been tracked backward already.
            if jump <= reached:
                span = range(int(jump) - 1, first - 1, -1)
                reached = tracker.run(pulls, forward.start(int(jump)), span, out, forward)
    return out


def track_around(tracker: Tracker, pulls: Pulls, path: PoseTrack, span: range, found: tuple[int, Start]) -> PoseTrack:
    """Return the track that leads both ways from a frame within `span`, up to where it meets `path`."""
    out = PoseTrack.empty(tracker.clip.n_frames, tracker.folded.arrays.n_unknowns)
    frame, start = found
    tracker.run(pulls, start, range(frame, span.start - 1, -1), out, path)
    tracker.run(pulls, start, range(frame, span.stop), out, path)
    return out


def _jumps(folded: FoldedModel, track: PoseTrack) -> NDArray[np.int64]:
    """Frames at which the track leaves its own extrapolation; the root follows the rest."""
    # The second difference of frames k-2, k-1, k is at index k-2, hence the + 2 below.
    bend = np.abs(np.diff(track.unknowns[:, ~is_root(folded)], 2, axis=0)).max(axis=1, initial=0.0)
    return np.flatnonzero(bend > _JUMP) + 2


def join_tracks(
    forward: PoseTrack, backward: PoseTrack, stretches: list[range], switching: NDArray[np.float64]
) -> PoseTrack:
    """Return the best path through two tracks; a frame that stopped early counts with the value it reached.

    Args:
        forward, backward: two tracks; `backward` may be empty in places.
        stretches: ranges of consecutive solved frames; no change is paid for between them.
        switching: (x,) weight of a squared change of each unknown between frames, m^2/rad^2.
    """
    taken = np.zeros(len(forward.ends), dtype=bool)
    missing = backward.ends == UNSOLVED
    for stretch in stretches:
        for rows in _parting(missing, stretch):
            only = missing[rows]
            unknowns = np.stack([forward.unknowns[rows], backward.unknowns[rows]])
            values = np.stack([forward.values[rows], backward.values[rows]])
            # Where there is one track, both candidates are it: passing between them costs no more than staying.
            unknowns[1, only], values[1, only] = unknowns[0, only], values[0, only]
            taken[rows] |= _best_path(values, unknowns, switching)
    # A path through a frame with one track may have been counted as the second; there is none to take.
    taken &= ~missing
    chosen = [np.where(_like(taken, two), two, one) for one, two in zip(forward.arrays, backward.arrays, strict=True)]
    joined = PoseTrack(*chosen)
    # Where the path changes tracks, the frame's anchors are on the track that was left.
    to_other = (taken[np.maximum(joined.anchors, 0)] != taken[:, None]).any(axis=1)
    return replace(joined, anchors=np.where(to_other[:, None], -1, joined.anchors))


def _parting(missing: NDArray[np.bool_], stretch: range) -> list[slice]:
    """Return the parts with two tracks, each with the single-track frames around it, through which every path goes."""
    # Padded with True at both ends: every run of two tracks then has a start and a stop, at the ends of the stretch
    # too.
    edges = np.flatnonzero(np.diff(missing[stretch.start : stretch.stop], prepend=True, append=True))
    starts, stops = np.maximum(edges[::2] - 1, 0), np.minimum(edges[1::2] + 1, len(stretch))
    first = stretch.start
    return [slice(first + int(a), first + int(b)) for a, b in zip(starts, stops, strict=True)]


def _best_path(
    costs: NDArray[np.float64], unknowns: NDArray[np.float64], switching: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Viterbi over two candidates: (2, n) costs, (2, n, x) unknowns -> (n,) bool, true for the second."""
    steps = unknowns[:, None, :-1] - unknowns[None, :, 1:]  # (from, to, n - 1, x)
    change = 0.5 * np.einsum("abtx,x->tab", steps**2, switching)
    first, second = costs[:, 0].tolist()
    came_from = []
    # Plain Python numbers: for two candidates, a NumPy call takes longer than its arithmetic.
    for ((stay, leave), (come, keep)), (own, other) in zip(change.tolist(), costs[:, 1:].T.tolist(), strict=True):
        came_from.append((first + stay > second + come, first + leave > second + keep))
        first, second = min(first + stay, second + come) + own, min(first + leave, second + keep) + other
    path = [second < first]
    for origin in reversed(came_from):
        path.append(origin[path[-1]])
    return np.array(path[::-1])


def _like(flags: NDArray[np.bool_], array: NDArray[Any]) -> NDArray[np.bool_]:
    return flags[:, None] if array.ndim == 2 else flags
