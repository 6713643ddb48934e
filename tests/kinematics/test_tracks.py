"""Tracks: both engines walk the same way, meeting tracks stop, and the joined path is the best of all paths."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from movi_prep.kinematics import kernels
from movi_prep.kinematics.angle_branches import model_angles
from movi_prep.kinematics.first_pose import find_start
from movi_prep.kinematics.solve import unit_prior
from movi_prep.kinematics.tracks import (
    CARRIED,
    CONVERGED,
    UNSOLVED,
    PoseTrack,
    Start,
    Tracker,
    join_tracks,
    track_around,
    track_backward,
    track_forward,
)
from tests.kinematics import oracle
from tests.kinematics.engines import TASK_WEIGHT, moving_clip, random_problem, settings


def prepared(
    engine: object, seed: int, n_frames: int = 8, noise_m: float = 0.01, *, narrow: bool = False
) -> tuple[Tracker, object, Start]:
    folded = random_problem(seed)
    if narrow:
        arrays, joints = folded.arrays, folded.arrays.motion.is_root == 0
        lower, upper = (np.where(joints, folded.start + side * 0.1, side * np.inf) for side in (-1.0, 1.0))
        folded = replace(folded, arrays=arrays._replace(lower=lower, upper=upper))
    tracker = Tracker.prepare(engine, folded, moving_clip(folded, seed, n_frames, noise_m))  # type: ignore[arg-type]
    prior = replace(unit_prior(folded, settings()).scaled(0.1), noise_m=2.0 * noise_m)
    pulls = tracker.pulls(settings(), prior, np.full(folded.arrays.n_unknowns, 1e-3))
    return tracker, pulls, find_start(tracker, 0, prior, prior).start(0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("narrow", [False, True])
def test_kernel_and_oracle_walk_the_same_way(seed: int, narrow: bool) -> None:
    tracks = []
    for engine in (kernels, oracle):
        tracker, pulls, start = prepared(engine, seed, narrow=narrow)
        tracks.append(track_forward(tracker, pulls, {0: start}))  # type: ignore[arg-type]

    ours, oracles = tracks
    assert np.all(ours.ends == CONVERGED)
    np.testing.assert_array_equal(ours.iterations, oracles.iterations)
    np.testing.assert_allclose(ours.unknowns, oracles.unknowns, atol=1e-8)
    np.testing.assert_allclose(ours.bases, oracles.bases, atol=1e-8)
    np.testing.assert_allclose(ours.shares, oracles.shares, rtol=1e-5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("narrow", [False, True])
def test_a_frame_ends_within_the_tolerance_of_its_minimum(seed: int, narrow: bool) -> None:
    tracker, pulls, start = prepared(kernels, seed, 300, 1e-3, narrow=narrow)
    exact = replace(pulls, rules=pulls.rules._replace(step_tolerance=1e-12))  # type: ignore[attr-defined, type-var]

    track, lowest = (track_forward(tracker, each, {0: start}) for each in (pulls, exact))  # type: ignore[arg-type]

    assert np.all(track.ends == CONVERGED)
    # A frame is pulled to the ones before, which ended as near.
    np.testing.assert_allclose(track.unknowns, lowest.unknowns, atol=2.0 * pulls.rules.step_tolerance)  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(3))
def test_a_smooth_motion_takes_one_step_a_frame(seed: int) -> None:
    tracker, pulls, start = prepared(kernels, seed, 300, 1e-6)

    track = track_forward(tracker, pulls, {0: start})  # type: ignore[arg-type]

    assert np.count_nonzero(track.iterations == 1) > 0.9 * len(track.iterations)


@pytest.mark.parametrize("engine", [kernels, oracle])
@pytest.mark.parametrize(("noise_m", "share"), [(0.0, 1e-5), (0.0025, 0.25), (0.02, 1.0)])
def test_pulls_act_in_proportion_to_the_variance_of_the_noise(engine: Any, noise_m: float, share: float) -> None:
    folded = random_problem(2)
    clip = moving_clip(folded, 2, 60 if engine is kernels else 8, noise_m)
    without = {"task_q": np.zeros(0, dtype=np.int64), "task_weight": np.zeros(0), "task_target": np.zeros((60, 0))}
    tracker = Tracker.prepare(engine, folded, replace(clip, weights=np.ones_like(clip.weights), **without))
    prior = replace(unit_prior(folded, settings()).scaled(0.01), noise_m=0.005)
    start = find_start(tracker, 0, prior, prior).start(0)

    track = track_forward(
        tracker, tracker.pulls(settings(), prior, np.full(folded.arrays.n_unknowns, 1e-3)), {0: start}
    )

    assert np.median(track.shares) == pytest.approx(share, rel=0.25 if engine is kernels else 0.6)
    # The share of a frame is that of the one before; the first one is solved until it agrees with its own.
    assert track.shares[0] == pytest.approx(share, rel=0.9)


@pytest.mark.parametrize("engine", [kernels, oracle])
def test_the_value_of_a_frame_is_the_objective_with_all_its_terms(engine: Any) -> None:
    tracker, pulls, start = prepared(engine, 0)
    track = track_forward(tracker, pulls, {0: start})  # type: ignore[arg-type]
    prior, clip, tree = pulls.prior, tracker.clip, tracker.folded.tree  # type: ignore[attr-defined]
    for frame in (0, 1, 5):
        before, earlier = track.unknowns[track.anchors[frame]]
        known = track.anchors[frame, 0] >= 0
        x, joints = track.unknowns[frame], tracker.folded.arrays.motion.is_root == 0
        stepped = (x - before - CARRIED * (before - earlier))[joints] if known else np.zeros(joints.sum())
        expected = prior.weight[joints] @ (x - prior.centre)[joints] ** 2
        expected += pulls.temporal[joints] @ stepped**2  # type: ignore[attr-defined]
        angles = model_angles(tracker.folded, track.unknowns, track.bases)[frame]
        coordinates = tree.coordinate_default.copy()
        coordinates[tracker.folded.unknowns] = angles
        coordinates = tree.complete_coordinates(coordinates)
        away = tree.marker_positions(coordinates)[tracker.folded.markers] - clip.positions_m[frame]
        markers = (clip.weights / clip.weights.sum()) @ (away**2).sum(axis=1)
        task = TASK_WEIGHT * (coordinates[tracker.folded.moving[-1]] - 0.1) ** 2

        found = track.values[frame]

        assert found == pytest.approx(0.5 * (markers + task + track.shares[frame] * expected), rel=1e-6)


@pytest.mark.parametrize("engine", [kernels, oracle])
def test_a_gap_ends_the_extrapolation_and_not_the_memory(engine: Any) -> None:
    folded = random_problem(1)
    clip = moving_clip(folded, 1, 12, 1e-4)
    clip.solvable[4:6] = False
    tracker = Tracker.prepare(engine, folded, clip)
    _, pulls, start = prepared(engine, 1)

    track = track_forward(tracker, pulls, {0: start})  # type: ignore[arg-type]

    assert track.anchors[[1, 3, 6, 7, 8]].tolist() == [[0, 0], [2, 1], [3, 3], [6, 6], [7, 6]]
    assert np.all(track.ends[clip.solvable] == CONVERGED)
    # A straight line through a frame that was never solved would begin far away.
    assert track.iterations[7] <= track.iterations[1] + 1


def test_a_track_from_the_middle_leads_both_ways_until_it_meets_the_path() -> None:
    tracker, pulls, start = prepared(kernels, 1, 30, 1e-4)
    path = track_forward(tracker, pulls, {0: start})  # type: ignore[arg-type]
    alone = replace(path, ends=np.where(np.arange(30) < 20, UNSOLVED, path.ends))

    around = track_around(tracker, pulls, alone, range(30), (10, path.start(10)))  # type: ignore[arg-type]

    solved = np.flatnonzero(around.ends != UNSOLVED)
    assert solved.min() == 0, "nothing to meet before"
    assert 20 < solved.max() < 26, "three frames beside the path are enough"
    assert np.all(np.diff(solved) == 1)


def test_a_backward_track_stops_where_it_meets_the_forward_one() -> None:
    tracker, pulls, start = prepared(kernels, 1, 30, 1e-4)
    forward = track_forward(tracker, pulls, {0: start})  # type: ignore[arg-type]

    backward = track_backward(tracker, pulls, forward, {29: (0, forward.start(29))})  # type: ignore[arg-type]

    assert np.count_nonzero(backward.ends != UNSOLVED) < 12
    joined = join_tracks(forward, backward, [range(30)], np.zeros(forward.unknowns.shape[1]))
    joints = tracker.folded.arrays.motion.is_root == 0  # the root's angles count from another base
    np.testing.assert_allclose(joined.unknowns[:, joints], forward.unknowns[:, joints], atol=1e-4)


def two_tracks(rng: np.random.Generator, n_frames: int) -> tuple[PoseTrack, PoseTrack]:
    tracks = []
    for _ in range(2):
        track = PoseTrack.empty(n_frames, 3)
        track.unknowns[:], track.values[:], track.ends[:] = (
            rng.normal(size=(n_frames, 3)),
            rng.random(n_frames),
            CONVERGED,
        )
        tracks.append(track)
    return tracks[0], tracks[1]


@pytest.mark.parametrize("missing", [[], [0], [6], [2, 3], [0, 2, 5], [1, 3, 4, 6], range(6)])
@pytest.mark.parametrize("seed", range(4))
def test_the_joined_path_is_the_best_of_all(seed: int, missing: list[int]) -> None:
    rng, weight = np.random.default_rng(seed), np.array([0.1, 0.2, 0.0])
    both = two_tracks(rng, 7)
    both[1].ends[missing] = UNSOLVED
    both[1].values[missing] = 0.0

    joined = join_tracks(*both, [range(7)], weight)

    def cost(path: tuple[int, ...]) -> float:
        steps = [both[b].unknowns[k + 1] - both[a].unknowns[k] for k, (a, b) in enumerate(pairwise(path))]
        return sum(both[a].values[k] for k, a in enumerate(path)) + sum(0.5 * weight @ step**2 for step in steps)

    best = min(product(*((0,) if k in missing else (0, 1) for k in range(7))), key=cost)
    expected = np.array([both[track].unknowns[k] for k, track in enumerate(best)])
    np.testing.assert_array_equal(joined.unknowns, expected)


def test_where_a_track_is_missing_the_other_one_is_taken() -> None:
    forward, backward = two_tracks(np.random.default_rng(0), 5)
    backward.values[:] = 0.0
    backward.ends[:3] = UNSOLVED

    joined = join_tracks(forward, backward, [range(5)], np.zeros(3))

    np.testing.assert_array_equal(joined.unknowns[:3], forward.unknowns[:3])
    np.testing.assert_array_equal(joined.unknowns[3:], backward.unknowns[3:])
