"""Cold starts: poses within the bounds are found from nothing, and what cannot be fitted is no label."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from movi_prep.formats.opensim_setup import read_ik_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.kinematics import ConvergedSolution, kernels, solve_inverse_kinematics
from movi_prep.kinematics.folded_model import fold_model
from movi_prep.kinematics.global_search import lowest_minimum
from movi_prep.kinematics.limbs import Triple, find_limbs, other_solution
from movi_prep.kinematics.solve import unit_prior
from movi_prep.kinematics.tracks import Start, Tracker
from movi_prep.records.ik_solution import FrameStatus
from movi_prep.records.kinematic_tree import rotation_about
from tests.builders.cold_start_models import arm, girdle_arm, random_poses, whole_body
from tests.builders.kinematic_tree import random_rotation
from tests.kinematics.engines import marker_clip, problem_of, settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree

FITS_M = 1e-4


def solve(tree: KinematicTree, markers_m: NDArray[np.float64]) -> ConvergedSolution:
    weights = dict.fromkeys(tree.marker_names, 1.0)
    return solve_inverse_kinematics(tree, tree.marker_names, markers_m, weights, settings())


def rms_m(solution: ConvergedSolution) -> NDArray[np.float64]:
    return np.sqrt(2.0 * solution.objectives)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "n_poses"), [(arm, 200), (girdle_arm, 100), (whole_body, 100)])
def test_every_pose_within_the_bounds_is_found_from_nothing(model: Callable[[], KinematicTree], n_poses: int) -> None:
    tree = model()
    markers_m = tree.marker_positions(random_poses(tree, n_poses, np.random.default_rng(2024)))

    alone = [solve(tree, frame[None]) for frame in markers_m]

    assert max(rms_m(solution)[0] for solution in alone) < FITS_M
    assert {int(solution.statuses[0]) for solution in alone} <= {FrameStatus.SOLVED, FrameStatus.RETRIED}


def test_an_arm_behind_its_bound_is_found_at_the_start_and_after_a_gap() -> None:
    tree = arm()
    pose = np.zeros(tree.n_coordinates)
    for name, angle_deg in (("arm_flex", 73.66), ("arm_add", -114.86), ("arm_rot", 41.09), ("elbow", 130.96)):
        pose[tree.coordinate(name)] = np.radians(angle_deg)
    markers_m = np.repeat(tree.marker_positions(pose[None]), 90, axis=0)
    markers_m[30:60] = np.nan

    solution = solve(tree, markers_m)

    seen = np.r_[0:30, 60:90]
    np.testing.assert_allclose(solution.coordinates[seen], np.broadcast_to(pose, (60, len(pose))), atol=1e-3)


@pytest.mark.parametrize(
    ("true_deg", "wrong_deg"),
    [
        pytest.param(
            {"elv_angle": -80, "shoulder_elv": -9.9, "shoulder_rot": 41, "elbow": 60},
            {"elv_angle": 100, "shoulder_elv": 10},
            id="the other branch carries the girdle elsewhere",
        ),
        pytest.param(
            {"elv_angle": 102, "shoulder_elv": -6.2, "shoulder_rot": 20, "elbow": 60},
            {"elv_angle": -78, "shoulder_elv": 6},
            id="the same, the other way",
        ),
        pytest.param(
            {"hip_flexion": -117.6, "hip_adduction": -95.3, "hip_rotation": -21.4},
            {"hip_flexion": 180, "hip_adduction": -93, "hip_rotation": -83},
            id="beyond the gap between the bounds of a hip",
        ),
        pytest.param(
            {"hip_flexion": -110.7, "hip_adduction": -97.5, "hip_rotation": -28.8},
            {"hip_flexion": 9.9, "hip_adduction": -86, "hip_rotation": 90},
            id="beyond gimbal lock, behind a bound",
        ),
    ],
)
def test_a_wrong_minimum_is_left(true_deg: dict[str, float], wrong_deg: dict[str, float]) -> None:
    tree = girdle_arm()
    pose = _pose(tree, true_deg)
    tracker = _tracker(tree, tree.marker_positions(pose[None]))
    prior = unit_prior(tracker.folded, settings()).scaled(1e-5)
    wrong = _pose(tree, true_deg | wrong_deg)[tracker.folded.unknowns]
    base = tracker.folded.arrays.motion.rotation[tracker.folded.arrays.motion.free_node].copy()
    stuck = tracker.solve_one(0, Start(wrong, base), prior, damped=True, tolerance=1e-3)
    assert np.sqrt(2.0 * stuck.values[0]) > FITS_M

    found = lowest_minimum(tracker, 0, stuck, prior, rounds=20)

    assert np.sqrt(2.0 * found.values[0]) < FITS_M


def _pose(tree: KinematicTree, angles_deg: dict[str, float]) -> NDArray[np.float64]:
    pose = np.zeros(tree.n_coordinates)
    for name, angle_deg in angles_deg.items():
        pose[tree.coordinate(name)] = np.radians(angle_deg)
    return pose


def _tracker(tree: KinematicTree, markers_m: NDArray[np.float64]) -> Tracker:
    folded = problem_of(tree)
    clip = marker_clip(folded, markers_m[:, folded.markers])
    without = {"task_q": np.zeros(0, dtype=np.int64), "task_weight": np.zeros(0), "task_target": np.zeros((1, 0))}
    return Tracker.prepare(kernels, folded, replace(clip, weights=np.ones_like(clip.weights), **without))  # type: ignore[arg-type]


@pytest.mark.reference
@pytest.mark.parametrize(
    ("model", "setup", "draws"),
    [
        ("full_body", "ik_d3ke", {0: [111], 1: [123], 2: [13, 168], 4: [57, 175], 5: [42], 11: [118], 13: [35]}),
        ("full_body_wo_hands", "ik_d3ke_without_hands", {1: [83], 2: [12, 85], 16: [144]}),
    ],
)
def test_the_hardest_of_thousands_of_poses_are_found(
    shared: Path, model: str, setup: str, draws: dict[int, list[int]]
) -> None:
    from movi_prep.osim.extract_tree import extract_tree
    from movi_prep.osim.models import read_model

    tree = extract_tree(read_model(shared / "reference" / "d3ke_models" / f"{model}.osim"))
    weights = read_ik_setup(packaged_path("opensim_models", f"{setup}.yaml")).marker_weights
    poses = [random_poses(tree, 200, np.random.default_rng(seed))[chosen] for seed, chosen in draws.items()]

    found = [
        solve_inverse_kinematics(tree, tree.marker_names, frame[None], weights, settings())
        for frame in tree.marker_positions(np.concatenate(poses))
    ]

    assert max(rms_m(solution)[0] for solution in found) < FITS_M


@pytest.mark.slow
def test_noise_does_not_hide_the_lowest_minimum() -> None:
    tree, rng = whole_body(), np.random.default_rng(5)
    exact_m = tree.marker_positions(random_poses(tree, 20, rng))
    noisy_m = exact_m + rng.normal(0.0, 0.004, exact_m.shape)

    alone = [solve(tree, frame[None]) for frame in noisy_m]

    # 45 markers leave less than their noise; a wrong minimum leaves centimetres.
    assert max(rms_m(solution)[0] for solution in alone) < 0.004 * np.sqrt(3.0) * 1.2


@pytest.mark.slow
def test_a_marker_elsewhere_on_its_segment_does_not_hide_the_lowest_minimum() -> None:
    tree, rng = whole_body(), np.random.default_rng(7)
    markers_m = tree.marker_positions(random_poses(tree, 20, rng))
    odd = rng.integers(0, markers_m.shape[1], len(markers_m))
    markers_m[np.arange(len(markers_m)), odd] += (0.0, 0.04, 0.0)

    alone = [solve(tree, frame[None]) for frame in markers_m]

    # The true pose misses that one marker by 40 mm and no other: the lowest minimum leaves no more.
    assert max(solution.objectives[0] for solution in alone) <= 0.5 * 0.04**2 / markers_m.shape[1]


def test_what_no_pose_explains_is_suspect() -> None:
    tree = whole_body()
    markers_m = tree.marker_positions(np.zeros((1, tree.n_coordinates)))
    hand = [k for k, body in enumerate(tree.marker_body) if body == tree.marker_body[-1]]
    markers_m[0, hand] += (0.0, 0.3, 0.0)  # an arm as long as no arm of this model

    solution = solve(tree, markers_m)

    assert solution.statuses[0] == FrameStatus.SUSPECT


@pytest.mark.parametrize("seed", range(5))
def test_the_second_solution_of_three_angles_is_the_same_orientation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mixing = np.eye(3)
    mixing[2, 0] = -1.0  # a coupler turns back what the first angle turned
    triple = Triple(np.arange(3), random_rotation(rng), mixing)
    values = rng.uniform(-1.0, 1.0, 3)

    other = other_solution(triple, values)

    np.testing.assert_allclose(_turned(triple, other), _turned(triple, values), atol=1e-12)
    assert np.abs(other - values).max() > 0.1


@pytest.mark.parametrize("skew", [0.0, 1e-5])
def test_at_gimbal_lock_the_second_solution_is_half_a_turn_away(skew: float) -> None:
    axes = np.array([[0.0, 1.0, 0.0], [np.cos(skew), np.sin(skew), 0.0], [0.0, 1.0, 0.0]])
    triple, values = Triple(np.arange(3), axes, np.eye(3)), np.array([0.4, np.pi, -0.3])

    other = other_solution(triple, values)

    np.testing.assert_allclose(_turned(triple, other), _turned(triple, values), atol=10.0 * skew + 1e-12)
    np.testing.assert_allclose(other - values, [np.pi, 0.0, np.pi], atol=1e-9)


def _turned(triple: Triple, values: NDArray[np.float64]) -> NDArray[np.float64]:
    one, two, three = (
        rotation_about(axis, angle) for axis, angle in zip(triple.axes, triple.mixing @ values, strict=True)
    )
    return one @ two @ three


def test_limbs_begin_at_joints_and_leave_the_root_out() -> None:
    tree = arm()
    folded = fold_model(tree, tuple(range(len(tree.marker_names))))
    names = np.array(tree.coordinate_names)[folded.unknowns]

    limbs = find_limbs(folded)

    hand = limbs.node[-1]
    assert set(names[limbs.unknowns[limbs.levels[hand][-1]]]) == {"arm_flex", "arm_add", "arm_rot", "elbow"}
    assert [names[triple.unknowns].tolist() for triple in limbs.triples] == [
        ["arm_flex", "arm_add", "arm_rot"],
        ["arm_add", "arm_rot", "elbow"],
    ]
    assert limbs.levels[limbs.node[0]] == ()
