"""The whole solver in worlds whose answer is known, and what bad input gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from movi_prep.errors import InputError, ModelError
from movi_prep.kinematics import ConvergedSolution, CoordinateTarget, kernels, solve_inverse_kinematics
from movi_prep.kinematics.folded_model import fold_model
from movi_prep.kinematics.solve import _clip, _prepare, _scout
from movi_prep.kinematics.tracks import CARRIED, Start, Tracker, track_forward
from movi_prep.records.ik_solution import FrameStatus
from tests.builders.kinematic_tree import LINE, TreeBuilder, random_rotation, random_tree, smooth_motion
from tests.kinematics.engines import ENGINES, settings
from tests.sentences import raises_recorded

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree

PURE = settings(prior_strength=0.0, temporal_weight=0.0)


def solve(tree: KinematicTree, positions_m: NDArray[np.float64], **options: Any) -> ConvergedSolution:
    """Solve with unit weights, the default settings and the compiled engine, unless said otherwise."""
    engine = options.pop("engine", kernels)
    weights = options.pop("weights", dict.fromkeys(tree.marker_names, 1.0))
    chosen = options.pop("settings", settings())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("movi_prep.kinematics.solve.engine", lambda: engine)
        return solve_inverse_kinematics(tree, tree.marker_names, positions_m, weights, chosen, **options)


def pose_error_m(tree: KinematicTree, solution: ConvergedSolution, positions_m: NDArray[np.float64]) -> float:
    return float(np.nanmax(np.abs(tree.marker_positions(solution.coordinates) - positions_m)))


@pytest.fixture(scope="module")
def tree() -> KinematicTree:
    return random_tree(4)


@pytest.fixture(scope="module")
def motion(tree: KinematicTree) -> NDArray[np.float64]:
    """(20, c) a slow motion."""
    return smooth_motion(tree, 4)


@pytest.fixture(scope="module")
def markers(tree: KinematicTree, motion: NDArray[np.float64]) -> NDArray[np.float64]:
    return tree.marker_positions(motion)


@pytest.mark.parametrize("seed", range(8))
def test_known_coordinates_come_back(seed: int) -> None:
    tree = random_tree(seed)
    motion = smooth_motion(tree, seed, size=0.35)

    solution = solve(tree, tree.marker_positions(motion), settings=PURE)

    assert np.all(solution.statuses == FrameStatus.SOLVED)
    np.testing.assert_allclose(solution.coordinates, motion, atol=np.deg2rad(0.01))
    assert np.sqrt(2 * solution.objectives.max()) < 1e-5
    assert solution.ranks is not None
    assert np.all(solution.ranks == solution.n_unknowns)


@pytest.mark.parametrize("seed", range(3))
def test_default_settings_cost_less_than_a_hundredth_of_a_degree(seed: int) -> None:
    tree = random_tree(seed)
    motion = smooth_motion(tree, seed, size=0.35)

    solution = solve(tree, tree.marker_positions(motion))

    rotations = tree.coordinate_is_rotation
    error_deg = np.rad2deg((solution.coordinates - motion)[:, rotations])
    assert np.sqrt((error_deg**2).mean()) < 0.01
    assert pose_error_m(tree, solution, tree.marker_positions(motion)) < 1e-4


def column() -> KinematicTree:
    """A root and four hinges 2 cm apart; markers on the ends alone, so that single hinges are hardly seen."""
    builder = TreeBuilder()
    body = builder.root()
    builder.markers(body, np.random.default_rng(0).normal(0, 0.15, (6, 3)))
    for level in range(4):
        body = builder.body(body, [(True, (0, 0, 1), builder.coordinate(f"hinge{level}"), 0)], (0.0, 0.02, 0.0))
    builder.markers(body, np.random.default_rng(1).normal(0, 0.15, (6, 3)))
    return builder.build()


@pytest.mark.parametrize("seed", range(3))
def test_exact_markers_are_not_pulled(seed: int) -> None:
    tree = column()
    truth = smooth_motion(tree, seed, size=0.4)
    markers = tree.marker_positions(truth)

    solution = solve(tree, markers)

    root = [tree.coordinate(f"root_{name}") for name in ("tilt", "list", "rotation")]
    hinges = [tree.coordinate(f"hinge{level}") for level in range(4)]
    error_deg = np.rad2deg(solution.coordinates - truth)
    assert solution.posterior_std is not None
    assert np.rad2deg(solution.posterior_std[:, hinges]).max() > 30.0
    assert np.abs(error_deg[:, root]).max() < 0.001
    assert np.abs(error_deg[:, hinges].sum(axis=1)).max() < 0.001
    assert pose_error_m(tree, solution, markers) < 1e-5


def test_the_prior_acts_on_what_markers_leave_open_alone() -> None:
    tree = column()
    truth = smooth_motion(tree, 1, size=0.1)
    noisy = tree.marker_positions(truth) + np.random.default_rng(1).normal(0, 0.005, (20, 12, 3))

    pulled, free = solve(tree, noisy), solve(tree, noisy, settings=PURE)

    hinges = [tree.coordinate(f"hinge{level}") for level in range(4)]
    error, error_free = (np.rad2deg(one.coordinates - truth)[:, hinges] for one in (pulled, free))
    assert np.sqrt((error**2).mean()) < 0.5 * np.sqrt((error_free**2).mean())
    # All four together turn what the markers see.
    np.testing.assert_allclose(error.sum(axis=1), error_free.sum(axis=1), atol=0.6)
    assert pulled.objectives.mean() < 1.1 * free.objectives.mean()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_joint_out_of_sight_goes_on_and_comes_to_rest(engine: ModuleType) -> None:
    tree, _ = two_legs()
    hip, step = tree.coordinate("hip_L"), 0.02
    truth = np.zeros((70, tree.n_coordinates))
    truth[:, hip] = np.arange(70) * step
    gaps = tree.marker_positions(truth)
    leg = [k for k, name in enumerate(tree.marker_names) if name in ("LKNE", "LTHI", "LANK")]
    gaps[10:, leg] = np.nan

    solution = solve(tree, gaps, settings=settings(prior_strength=0.0, tracks="forward"), engine=engine)

    found = solution.coordinates[:, hip]
    np.testing.assert_allclose(found[:10], truth[:10, hip], atol=1e-5)
    assert found[10] - found[9] == pytest.approx(CARRIED * step, rel=1e-3)
    assert found[-1] - found[9] == pytest.approx(step * CARRIED / (1.0 - CARRIED), rel=0.01)


def arm(n_frames: int) -> tuple[KinematicTree, NDArray[np.float64]]:
    """An upper arm and a forearm in a plane, whose hand can be reached in two ways; nobody sees how the hand spins.

    The elbow's marker tells which way it is, but counts for little: both are minima.
    """
    builder = TreeBuilder()
    trunk = builder.root()
    builder.markers(trunk, np.random.default_rng(0).normal(0, 0.2, (6, 3)))
    shoulder, elbow = builder.coordinate("shoulder"), builder.coordinate("elbow")
    builder.arrays["coordinate_range"][elbow] = (-1.5, 1.1)
    upper = builder.body(trunk, [(True, (0, 0, 1), shoulder, 0)], (0.0, 0.3, 0.0))
    builder.markers(upper, np.array([[0.3, 0.0, 0.0]]))
    fore = builder.body(upper, [(True, (0, 0, 1), elbow, 0)], (0.3, 0.0, 0.0))
    spin = builder.coordinate("spin")
    builder.markers(builder.body(fore, [(True, (1, 0, 0), spin, 0)], (0.3, 0.0, 0.0)), np.array([[0.0, 0.0, 0.0]]))
    tree = builder.build()
    truth = np.zeros((n_frames, tree.n_coordinates))
    truth[:, shoulder], truth[:, elbow] = -0.4, 0.8
    return tree, tree.marker_positions(truth)


def test_a_start_in_between_finds_the_lower_minimum_and_is_followed_both_ways() -> None:
    tree, markers = arm(100)
    folded = fold_model(tree, tuple(range(len(tree.marker_names))))
    elbow = folded.unknowns.tolist().index(tree.coordinate("elbow"))
    weights = {name: 0.05 if k == 6 else 1.0 for k, name in enumerate(tree.marker_names)}
    tracker = Tracker.prepare(kernels, folded, _clip(folded, tree.marker_names, markers, weights, []))
    pulls, starts = _prepare(tracker, settings())
    bent = Start(starts[0].unknowns.copy(), starts[0].base)
    bent.unknowns[:] = folded.start
    bent.unknowns[elbow] = -0.6
    wrong = track_forward(tracker, pulls, {0: bent})

    found = _scout(tracker, settings(), pulls, wrong)

    assert np.all(wrong.unknowns[:, elbow] < -0.4)
    np.testing.assert_allclose(found.unknowns[:, elbow], 0.8, atol=0.01)
    assert found.values.sum() < 0.5 * wrong.values.sum()


def test_every_solved_frame_has_a_vanishing_gradient(tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    noisy = markers + np.random.default_rng(0).normal(0, 0.005, markers.shape)

    solution = solve(tree, noisy, settings=PURE)

    assert np.all(solution.statuses <= FrameStatus.RETRIED)
    assert solution.gradient_norms.max() < 1e-9


def test_no_neighbouring_pose_is_better(tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    rng = np.random.default_rng(1)
    noisy = markers + rng.normal(0, 0.005, markers.shape)
    solution = solve(tree, noisy, settings=PURE)

    free = tree.free_coordinates
    low = np.where(tree.coordinate_clamped, tree.coordinate_range[:, 0], -np.inf)
    high = np.where(tree.coordinate_clamped, tree.coordinate_range[:, 1], np.inf)
    for _ in range(20):
        moved = solution.coordinates + np.where(free, rng.normal(0, 1e-3, solution.coordinates.shape), 0.0)
        moved = tree.complete_coordinates(np.clip(moved, low, high))
        other = 0.5 * ((tree.marker_positions(moved) - noisy) ** 2).sum(axis=2).mean(axis=1)
        assert np.all(other >= solution.objectives - 1e-12)


def test_bounds_hold_exactly_and_do_not_stop_the_rest(tree: KinematicTree) -> None:
    beyond = smooth_motion(tree, 11, size=2.5)

    solution = solve(tree, tree.marker_positions(beyond))

    bound = tree.coordinate_clamped & tree.free_coordinates
    inside = solution.coordinates[:, bound]
    low, high = tree.coordinate_range[bound].T
    assert np.all((inside >= low) & (inside <= high))
    assert np.any((inside == low) | (inside == high))
    np.testing.assert_array_equal(tree.complete_coordinates(solution.coordinates), solution.coordinates)


@pytest.mark.slow
def test_both_engines_find_the_same(tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    noisy = markers[:6] + np.random.default_rng(2).normal(0, 0.005, markers[:6].shape)
    noisy[2:4, 5] = np.nan

    compiled, plain = (solve(tree, noisy, engine=engine) for engine in ENGINES)

    np.testing.assert_allclose(compiled.coordinates, plain.coordinates, atol=1e-7)
    np.testing.assert_array_equal(compiled.statuses, plain.statuses)
    np.testing.assert_array_equal(compiled.ranks, plain.ranks)
    assert compiled.posterior_std is not None
    assert plain.posterior_std is not None
    np.testing.assert_allclose(compiled.posterior_std, plain.posterior_std, rtol=1e-5)


def test_a_frame_alone_has_the_pose_it_has_in_the_clip(tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    whole = solve(tree, markers)
    for frame in (0, 7, 19):
        alone = solve(tree, markers[frame : frame + 1])
        np.testing.assert_allclose(alone.coordinates[0], whole.coordinates[frame], atol=1e-4)


def test_the_direction_of_time_does_not_matter(tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    ahead, behind = solve(tree, markers), solve(tree, markers[::-1])

    np.testing.assert_allclose(behind.coordinates[::-1], ahead.coordinates, atol=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_any_facing_lying_down_and_upside_down(seed: int, tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    rng = np.random.default_rng(seed)
    turned = markers @ random_rotation(rng).T + rng.normal(0, 2.0, 3)

    solution = solve(tree, turned)

    assert np.all(solution.statuses == FrameStatus.SOLVED)
    assert pose_error_m(tree, solution, turned) < 1e-4


def test_turning_on_the_spot_never_jumps(tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    angle = np.linspace(0, 3 * np.pi, len(markers) * 4)
    cosine, sine = np.cos(angle), np.sin(angle)
    zero, one = np.zeros_like(angle), np.ones_like(angle)
    about_y = np.stack([cosine, zero, sine, zero, one, zero, -sine, zero, cosine], axis=1).reshape(-1, 1, 3, 3)
    turning = (about_y @ markers[:1, :, :, None])[..., 0]

    solution = solve(tree, turning)

    heading = solution.coordinates[:, tree.coordinate("root_rotation")]
    np.testing.assert_allclose(np.diff(heading), np.diff(angle), atol=0.01)


def test_passing_through_gimbal_lock_is_no_event(tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    angle = np.linspace(0.0, np.pi, 61)  # frame 30 lies on its side: list = 90 degrees
    cosine, sine = np.cos(angle), np.sin(angle)
    zero, one = np.zeros_like(angle), np.ones_like(angle)
    about_x = np.stack([one, zero, zero, zero, cosine, -sine, zero, sine, cosine], axis=1).reshape(-1, 1, 3, 3)
    rolling = (about_x @ markers[:1, :, :, None])[..., 0]

    solution = solve(tree, rolling)

    assert np.all(solution.statuses == FrameStatus.SOLVED)
    assert solution.iterations.max() <= 8
    assert pose_error_m(tree, solution, rolling) < 1e-4


def test_a_missing_marker_changes_nothing_where_the_rest_suffice(
    tree: KinematicTree, motion: NDArray[np.float64], markers: NDArray[np.float64]
) -> None:
    gaps = markers.copy()
    gaps[5:12, 1] = np.nan

    solution = solve(tree, gaps, settings=PURE)

    assert np.all(solution.statuses == FrameStatus.SOLVED)
    np.testing.assert_allclose(tree.marker_positions(solution.coordinates), markers, atol=1e-6)


def test_an_unseen_limb_is_reported_where_it_is_unseen() -> None:
    tree, markers = two_legs()
    gaps = markers.copy()
    leg = [k for k, name in enumerate(tree.marker_names) if name in ("LKNE", "LTHI", "LANK")]
    gaps[3:6, leg] = np.nan

    solution = solve(tree, gaps)

    hip = tree.coordinate("hip_L")
    assert solution.posterior_std is not None
    assert np.isinf(solution.posterior_std[3:6, hip]).all()
    assert np.isfinite(np.delete(solution.posterior_std[:, hip], [3, 4, 5])).all()
    assert all("1 more directions open" in reason for reason in solution.reasons[3:6])


def test_frames_without_markers_have_no_pose_and_say_why(tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    gaps = markers.copy()
    gaps[0] = np.nan
    gaps[8:10] = np.nan
    gaps[12, 2:] = np.nan

    solution = solve(tree, gaps)

    empty = [0, 8, 9, 12]
    assert np.all(solution.statuses[empty] == FrameStatus.TOO_FEW_MARKERS)
    assert np.isnan(solution.coordinates[empty]).all()
    assert "0 of" in solution.reasons[8]
    assert "2 of" in solution.reasons[12]
    assert np.all(np.delete(solution.statuses, empty) == FrameStatus.SOLVED)


def test_a_clip_without_any_marker_is_answered(tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    solution = solve(tree, np.full_like(markers, np.nan))

    assert np.all(solution.statuses == FrameStatus.TOO_FEW_MARKERS)
    assert np.isnan(solution.coordinates).all()


def test_an_empty_clip_is_answered(tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    assert solve(tree, markers[:0]).coordinates.shape == (0, tree.n_coordinates)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e6])
def test_a_marker_at_infinity_is_named(value: float, tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    wild = markers.copy()
    wild[3, 4, 1] = value

    solution = solve(tree, wild)

    assert solution.statuses[3] == FrameStatus.FAILED
    assert tree.marker_names[4] in solution.reasons[3]
    assert np.isnan(solution.coordinates[3]).all()
    assert np.all(np.delete(solution.statuses, 3) == FrameStatus.SOLVED)


def test_zero_weights_everywhere_solve_nothing(tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    solution = solve(tree, markers, weights=dict.fromkeys(tree.marker_names, 0.0))

    assert np.all(solution.statuses == FrameStatus.TOO_FEW_MARKERS)
    assert "weight" in solution.reasons[0]
    assert np.isnan(solution.coordinates).all()


def test_negative_weights_are_refused(tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    with raises_recorded(InputError):
        solve(tree, markers, weights={"m3": -1.0})


def test_a_wild_marker_makes_the_frame_suspect(tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    wild = markers.copy()
    wild[6, 3] += 1.5

    solution = solve(tree, wild)

    assert solution.statuses[6] == FrameStatus.SUSPECT
    assert "misses" in solution.reasons[6] or "RMS" in solution.reasons[6]


def test_exchanged_sides_are_named() -> None:
    tree, markers = two_legs()
    swapped = markers.copy()
    left, right = tree.marker_names.index("LKNE"), tree.marker_names.index("RKNE")
    swapped[4, [left, right]] = markers[4, [right, left]]

    solution = solve(tree, swapped)

    assert solution.statuses[4] == FrameStatus.SUSPECT
    assert "LKNE/RKNE" in solution.reasons[4]
    assert np.all(np.delete(solution.statuses, 4) == FrameStatus.SOLVED)


def two_legs() -> tuple[KinematicTree, NDArray[np.float64]]:
    """A pelvis with two legs on hinges, 0.3 m apart, and its markers over ten frames."""
    builder = TreeBuilder()
    pelvis = builder.root()
    builder.markers(pelvis, np.array([[0.1, 0.0, 0.0], [-0.1, 0.0, 0.1], [-0.1, 0.0, -0.1], [0.0, 0.3, 0.0]]))
    names = ["SACR", "LPSI", "RPSI", "CLAV"]
    for side, place in (("L", -0.15), ("R", 0.15)):
        hip = builder.coordinate(f"hip_{side}")
        leg = builder.body(pelvis, [(True, (0, 0, 1), hip, 0)], (0.0, -0.1, place))
        builder.markers(leg, np.array([[0.0, -0.4, 0.0], [0.05, -0.2, 0.05], [0.0, -0.8, 0.0]]))
        names += [f"{side}KNE", f"{side}THI", f"{side}ANK"]
    builder.arrays["marker_names"] = names
    tree = builder.build()
    return tree, tree.marker_positions(smooth_motion(tree, 0, 10, size=0.3))


def test_defaults_outside_their_range_start_at_the_bound() -> None:
    builder = TreeBuilder()
    root = builder.root()
    builder.markers(root, np.random.default_rng(0).normal(0, 0.2, (5, 3)))
    bent = builder.coordinate("bent", default=3.0)
    builder.markers(builder.body(root, [(True, (1, 0, 0), bent, 0)]), np.eye(3) * 0.3)
    tree = builder.build()
    truth = np.zeros((4, tree.n_coordinates))
    truth[:, bent] = 0.4

    solution = solve(tree, tree.marker_positions(truth), settings=PURE)

    np.testing.assert_allclose(solution.coordinates, truth, atol=1e-6)


def test_a_coordinate_task_pulls_where_no_marker_decides() -> None:
    builder = TreeBuilder()
    root = builder.root()
    builder.markers(root, np.random.default_rng(0).normal(0, 0.2, (5, 3)))
    spin = builder.coordinate("spin")
    builder.markers(builder.body(root, [(True, (0, 1, 0), spin, 0)]), np.array([[0.0, 0.4, 0.0]]))
    tree = builder.build()
    markers = tree.marker_positions(np.zeros((3, tree.n_coordinates)))

    solution = solve(tree, markers, tasks=[CoordinateTarget("spin", 10.0, np.array([0.1, 0.2, 0.3]))])

    np.testing.assert_allclose(solution.coordinates[:, spin], [0.1, 0.2, 0.3], atol=1e-6)
    assert "spin" in solution.unseen
    assert solution.ranks is not None
    assert np.all(solution.ranks == solution.n_unknowns - 1)
    assert solution.posterior_std is not None
    assert np.isinf(solution.posterior_std[:, spin]).all()


def test_a_task_for_an_unknown_coordinate_suggests_the_right_one(
    tree: KinematicTree, markers: NDArray[np.float64]
) -> None:
    with raises_recorded(InputError):
        solve(tree, markers, tasks=[CoordinateTarget("root_tlt", 1.0, 0.0)])


def test_a_task_without_a_target_fails_its_frame_only(tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    target = np.zeros(len(markers))
    target[2] = np.nan

    solution = solve(tree, markers, tasks=[CoordinateTarget("gimbal0_0", 1e-9, target)])

    assert solution.statuses[2] == FrameStatus.FAILED
    assert "target" in solution.reasons[2]


def test_coordinates_beyond_the_last_marker_stay_at_their_default() -> None:
    builder = TreeBuilder()
    root = builder.root()
    builder.markers(root, np.random.default_rng(0).normal(0, 0.2, (5, 3)))
    builder.body(root, [(True, (1, 0, 0), builder.coordinate("tail", default=0.3), 0)])
    tree = builder.build()
    pose = tree.coordinate_default[None]

    solution = solve(tree, tree.marker_positions(pose))

    assert solution.coordinates[0, tree.coordinate("tail")] == pytest.approx(0.3)
    assert "tail" in solution.unseen
    assert solution.posterior_std is not None
    assert np.isinf(solution.posterior_std[0, tree.coordinate("tail")])


def test_the_posterior_deviation_is_what_noise_does() -> None:
    tree, _ = two_legs()
    truth = np.zeros((400, tree.n_coordinates))
    noise = np.random.default_rng(5).normal(0, 0.005, (400, len(tree.marker_names), 3))

    solution = solve(tree, tree.marker_positions(truth) + noise, settings=PURE)

    assert solution.posterior_std is not None
    spread = solution.coordinates.std(axis=0)
    np.testing.assert_allclose(spread, solution.posterior_std.mean(axis=0), rtol=0.15)


def test_a_model_that_cannot_move_is_refused() -> None:
    builder = TreeBuilder()
    builder.function(LINE)
    builder.markers(builder.body(-1, []), np.eye(3))
    tree = builder.build()

    with raises_recorded(ModelError):
        solve(tree, np.zeros((2, 3, 3)))


def test_a_long_gap_starts_anew_and_a_short_one_goes_on(tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    long = np.concatenate([markers[:8], np.full((60, *markers.shape[1:]), np.nan), markers[8:]])

    solution = solve(tree, long)

    expected = solve(tree, markers)
    solved = np.concatenate([solution.coordinates[:8], solution.coordinates[68:]])
    np.testing.assert_allclose(solved, expected.coordinates, atol=1e-4)


def test_marker_names_and_positions_must_agree(tree: KinematicTree, markers: NDArray[np.float64]) -> None:
    with raises_recorded(InputError):
        solve(tree, markers[:, :-1])


@pytest.fixture(scope="module")
def roller() -> tuple[KinematicTree, NDArray[np.float64]]:
    """An arm whose last angle turns markers close to its axis, and an unseen angle behind; (30, m, 3) noisy markers."""
    rng, builder = np.random.default_rng(8), TreeBuilder()
    base = builder.root()
    builder.markers(base, rng.normal(0, 0.1, (4, 3)))
    names = ("flex", "bend", "roll")
    line, body = builder.function(LINE), base
    for name, axis in zip(names, ((0, 0, 1), (1, 0, 0), (0, 1, 0)), strict=True):
        body = builder.body(body, [(True, axis, builder.coordinate(name), line)], (0.0, -0.25, 0.0))
        builder.markers(body, np.array([[0.02, -0.1, 0.0], [0.0, -0.2, 0.015]]))
    tip = builder.body(body, [(True, (0, 1, 0), builder.coordinate("spin"), line)], (0.0, -0.2, 0.0))
    builder.markers(tip, np.array([[0.0, -0.05, 0.0]]))
    tree = builder.build()
    markers = tree.marker_positions(smooth_motion(tree, 8, 30, size=0.8))
    return tree, markers + rng.normal(0, 0.004, markers.shape)


def test_without_pulls_no_frame_is_above_the_minimum_of_its_markers(
    roller: tuple[KinematicTree, NDArray[np.float64]],
) -> None:
    tree, markers = roller

    least = solve(tree, markers, settings=PURE).objectives
    asked = solve(tree, markers, settings=settings(pulls="unseen"))
    likely = solve(tree, markers)

    assert (asked.objectives <= least * (1.0 + 1e-6)).all()
    assert (likely.objectives > least * 1.001).any()  # the law says something: here the pulls cost more
    # What no marker sees is where the prior has it, not anywhere.
    assert np.abs(asked.coordinates[:, tree.coordinate("spin")]).max() < 1e-3


def test_observability_in_some_frames_is_that_of_all_there_and_is_kept_until_the_next(
    tree: KinematicTree, markers: NDArray[np.float64]
) -> None:
    gap = markers.copy()
    gap[13:17, 2] = np.nan
    gap[18] = np.nan
    every, some = solve(tree, gap), solve(tree, gap, settings=settings(observe_every=8))
    assert every.posterior_std is not None
    assert some.posterior_std is not None
    assert every.ranks is not None
    assert some.ranks is not None
    np.testing.assert_array_equal(some.coordinates, every.coordinates)
    np.testing.assert_array_equal(some.objectives, every.objectives)
    # Each eighth frame, where the third marker goes and comes back, and after the frame without a pose.
    for frame in (0, 8, 13, 17, 19):
        np.testing.assert_allclose(some.posterior_std[frame], every.posterior_std[frame], rtol=1e-9)
        assert some.ranks[frame] == every.ranks[frame]
    np.testing.assert_array_equal(some.posterior_std[9:13], some.posterior_std[8:9].repeat(4, axis=0))
    assert np.isnan(every.posterior_std[18]).all() == np.isnan(some.posterior_std[18]).all()
