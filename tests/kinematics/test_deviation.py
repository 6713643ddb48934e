"""How far labels may be off: laws of the propagation, and coverage in worlds whose noise is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks import soft_tissue_coverage as soft_tissue
from benchmarks.label_deviation import noisy_markers
from movi_prep.formats.noise_file import packaged_noise
from movi_prep.formats.packaged import packaged_path
from movi_prep.kinematics import deviation as module
from movi_prep.kinematics import solve_inverse_kinematics
from movi_prep.kinematics.deviation import SolvedPoses, misfit_angles, solve_deviation, solve_std
from movi_prep.osim.extract_tree import extract_tree
from movi_prep.osim.models import read_model
from movi_prep.records.marker_noise import MarkerNoise, SegmentNoise
from movi_prep.records.pose_deviation import PoseDeviation, chained_std, rotation_covariance
from tests.builders.kinematic_tree import LINE, TreeBuilder, random_tree, smooth_motion
from tests.kinematics.engines import settings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.kinematic_tree import KinematicTree

SKIN = SegmentNoise("leg", ("femur", "tibia"), 0.006, 0.12, 0.2, "made up")
OTHER = replace(SKIN, name="default", bodies=(), field_sd_m=0.004)
NOISE = MarkerNoise("made up", (replace(SKIN, bodies=("femur",)),), OTHER, placement_sd_m=0.002, scale_sd=0.01)
ALONE = replace(NOISE, placement_sd_m=0.0, scale_sd=0.0)


def leg(seed: int = 1, *, markers_per_body: int = 5, spread_m: float = 0.08) -> KinematicTree:
    """A pelvis, a thigh on a ball and a shank on a hinge."""
    rng, tree = np.random.default_rng(seed), TreeBuilder()
    tree.markers(tree.root(), rng.normal(0, spread_m, (markers_per_body, 3)))
    line = tree.function(LINE)
    hip = [(True, np.eye(3)[k], tree.coordinate(f"hip{k}"), line) for k in range(3)]
    thigh = tree.body(0, hip, (0.0, -0.1, 0.1))
    tree.markers(thigh, rng.normal(0, spread_m, (markers_per_body, 3)) - [0.0, 0.2, 0.0])
    shank = tree.body(thigh, [(True, np.eye(3)[2], tree.coordinate("knee"), line)], (0.0, -0.4, 0.0))
    tree.markers(shank, rng.normal(0, spread_m, (markers_per_body, 3)) - [0.0, 0.2, 0.0])
    return replace(tree.build(), body_names=("pelvis", "femur_r", "tibia_r"))


def poses_of(tree: KinematicTree, coordinates: NDArray[np.float64], **changes: object) -> SolvedPoses:
    n, m = len(coordinates), len(tree.marker_names)
    poses = SolvedPoses(
        coordinates=coordinates,
        markers=np.arange(m),
        weights=np.ones(m),
        seen=np.ones((n, m), dtype=bool),
        prior=np.zeros(tree.n_coordinates),
        shares=np.ones(n),
        rate_hz=30.0,
    )
    return replace(poses, **changes)


def std_of(tree: KinematicTree, poses: SolvedPoses, noise: MarkerNoise) -> NDArray[np.float64]:
    return solve_deviation(tree, poses, noise)[0].std()


@pytest.mark.parametrize("seed", range(4))
def test_twists_are_the_derivatives_of_markers(seed: int) -> None:
    tree = random_tree(seed)
    pose = smooth_motion(tree, seed, 1)
    twists = tree.frames_and_twists(pose)[2][0, tree.marker_body]  # (m, 6, f)
    markers = tree.marker_positions(pose)[0]
    found = twists[:, 3:] + np.cross(twists[:, :3], markers[:, :, None], axis=1)
    for column, coordinate in enumerate(np.flatnonzero(tree.free_coordinates)):
        step = 1e-6 * np.eye(tree.n_coordinates)[coordinate]
        ahead, behind = (tree.marker_positions(tree.complete_coordinates(pose[0] + sign * step)) for sign in (1, -1))
        np.testing.assert_allclose(found[..., column], (ahead - behind) / 2e-6, atol=1e-8)


def test_intervals_cover_known_noise_as_often_as_they_say() -> None:
    tree, rng = leg(), np.random.default_rng(2)
    n = 1500
    poses = smooth_motion(tree, 3, 5, size=0.4)
    truth = np.repeat(poses, n // 5, axis=0)
    observed = np.array([noisy_markers(tree, pose[None], NOISE, rng, rate_hz=30.0)[0] for pose in truth])
    weights = dict.fromkeys(tree.marker_names, 1.0)
    pure = settings(prior_strength=0.0, temporal_weight=0.0, tracks="forward")
    found = solve_inverse_kinematics(tree, tree.marker_names, observed, weights, pure)
    deviation, _ = solve_deviation(tree, poses_of(tree, poses), NOISE)
    off = (found.coordinates - truth) / np.repeat(deviation.std(), n // 5, axis=0)
    for level in (0.5, 0.9, 0.95):
        inside = np.abs(off) <= norm.ppf(0.5 + level / 2)
        assert inside.mean() == pytest.approx(level, abs=0.015), f"at {level}"
    # The bone at the end of the chain: its errors are those of all coordinates together.
    turned = tree.body_poses(found.coordinates)[0][:, 2]
    straight = np.repeat(tree.body_poses(poses)[0][:, 2], n // 5, axis=0)
    twist = np.swapaxes(straight, 1, 2) @ turned
    errors = 0.5 * np.stack(
        [twist[:, 2, 1] - twist[:, 1, 2], twist[:, 0, 2] - twist[:, 2, 0], twist[:, 1, 0] - twist[:, 0, 1]], 1
    )
    variance = np.einsum("nii->ni", rotation_covariance(tree, poses, deviation, "tibia_r"))
    covered = np.abs(errors) <= norm.ppf(0.95) * np.repeat(np.sqrt(variance), n // 5, axis=0)
    assert covered.mean() == pytest.approx(0.9, abs=0.015)


def test_variances_are_those_of_the_whole_sandwich() -> None:
    tree = leg()
    pose = smooth_motion(tree, 3, 1)
    twists = tree.frames_and_twists(pose)[2][0, tree.marker_body]
    markers = tree.marker_positions(pose)[0]
    jacobian = (twists[:, 3:] + np.cross(twists[:, :3], markers[:, :, None], axis=1)).reshape(-1, 10)
    gain = np.linalg.pinv(jacobian)
    default = tree.marker_positions(tree.coordinate_default)
    apart = np.linalg.norm(default[:, None] - default, axis=2)
    alike = tree.marker_body[:, None] == tree.marker_body
    sd = np.where(tree.marker_body == 1, 0.006, 0.004)
    field = alike * np.outer(sd, sd) * np.exp(-apart / 0.12)
    expected = gain @ np.kron(field, np.eye(3)) @ gain.T
    found = std_of(tree, poses_of(tree, pose), ALONE)[0]
    np.testing.assert_allclose(found, np.sqrt(np.diag(expected)), rtol=2e-3)


def test_few_modes_say_of_joints_and_bones_what_all_sources_say(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = leg(markers_per_body=8)
    poses = smooth_motion(tree, 3, 40)
    few, _ = solve_deviation(tree, poses_of(tree, poses), NOISE)
    monkeypatch.setattr(module, "SKIN_MODES", 72)
    monkeypatch.setattr(module, "LASTING_MODES", 90)
    every, _ = solve_deviation(tree, poses_of(tree, poses), NOISE)
    for body, seen_from in (("femur_r", None), ("tibia_r", None), ("tibia_r", "femur_r"), ("femur_r", "pelvis")):
        some, all_of_it = (
            np.sqrt(np.trace(rotation_covariance(tree, poses, each, body, seen_from=seen_from), axis1=1, axis2=2))
            for each in (few, every)
        )
        np.testing.assert_allclose(some, all_of_it, rtol=0.05)


def test_the_turn_of_the_head_is_not_left_out_of_the_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    # The packaged model: its head has sources of its own among hundreds of others.
    tree = extract_tree(read_model(packaged_path("opensim_models", "movi_full_body.osim")))
    pose, noise = tree.complete_coordinates(tree.coordinate_default[None]), packaged_noise()
    few, _ = solve_deviation(tree, poses_of(tree, pose), noise)
    monkeypatch.setattr(module, "SKIN_MODES", 400)
    monkeypatch.setattr(module, "LASTING_MODES", 500)
    every, _ = solve_deviation(tree, poses_of(tree, pose), noise)
    for body in ("skull", "tibia_l", "calcn_l", "humerus"):
        some, all_of_it = (
            np.sqrt(np.einsum("nii->ni", rotation_covariance(tree, pose, each, body))) for each in (few, every)
        )
        np.testing.assert_allclose(some, all_of_it, rtol=0.2, err_msg=body)


def test_crowded_markers_are_not_more_witnesses() -> None:
    few, many = leg(markers_per_body=5, spread_m=0.03), leg(markers_per_body=40, spread_m=0.03)
    pose = few.coordinate_default[None]
    independent = replace(
        NOISE, segments=(), other=replace(OTHER, field_length_m=1e-6), placement_sd_m=0.0, scale_sd=0.0
    )
    gained = {
        noise.name: std_of(few, poses_of(few, pose), noise)[0, :3] / std_of(many, poses_of(many, pose), noise)[0, :3]
        for noise in (ALONE, replace(independent, name="independent"))
    }
    assert (gained["independent"] > 2.5).all()
    assert (gained["made up"] < 1.5).all()


def test_hidden_markers_widen_their_frames_only() -> None:
    tree = leg()
    poses = np.tile(smooth_motion(tree, 3, 1), (40, 1))
    seen = np.ones((40, 15), dtype=bool)
    seen[10:20, 12:15] = False
    std = std_of(tree, poses_of(tree, poses, seen=seen), NOISE)
    knee = tree.coordinate("knee")
    assert (std[10:20, knee] > 1.05 * std[0, knee]).all()
    np.testing.assert_allclose(np.delete(std, range(10, 20), axis=0)[:, knee], std[0, knee], rtol=1e-3)


def test_frames_without_a_pose_have_no_deviation() -> None:
    tree = leg()
    poses = smooth_motion(tree, 3, 20)
    poses[5:8] = np.nan
    std = std_of(tree, poses_of(tree, poses), NOISE)
    assert np.array_equal(np.isnan(std).any(axis=1), np.isnan(poses).any(axis=1))


def swinging_leg(tree: KinematicTree, *, swings_per_s: float, rate_hz: float = 120.0) -> SolvedPoses:
    """Two seconds in which a leg swings by 1.2 rad to each side, near where two axes of the hip line up."""
    time_s = np.arange(0.0, 2.0, 1.0 / rate_hz)
    coordinates = np.tile(tree.complete_coordinates(tree.coordinate_default), (len(time_s), 1))
    for number, name in enumerate(("hip0", "hip1", "hip2", "knee")):
        angle = 2.0 * np.pi * swings_per_s * time_s + number
        coordinates[:, tree.coordinate(name)] += 1.2 * np.sin(angle)
    return poses_of(tree, tree.complete_coordinates(coordinates), rate_hz=rate_hz)


@pytest.mark.parametrize("swings_per_s", [0.5, 1.0, 2.0])
def test_deviations_between_computed_frames_are_within_what_is_said(
    monkeypatch: pytest.MonkeyPatch, swings_per_s: float
) -> None:
    tree = leg()
    poses = swinging_leg(tree, swings_per_s=swings_per_s)
    some, together = solve_std(tree, poses, NOISE), solve_deviation(tree, poses, NOISE)[0]
    monkeypatch.setattr(module, "TURN_RAD", np.inf)
    by_clock = solve_std(tree, poses, NOISE)
    monkeypatch.setattr(module, "TURN_RAD", 1e-9)
    every = solve_std(tree, poses, NOISE)
    for found in (some, together.coordinate_std(tree, poses.coordinates)):
        off = np.abs(found / every - 1.0)
        assert np.percentile(off, 99) <= 0.05
        assert off.max() <= 0.25
    # The motion is one in which the clock by itself would not do.
    assert np.percentile(np.abs(by_clock / every - 1.0), 99) > 0.08


def test_deviations_are_computed_as_often_as_the_pose_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = leg()
    computed: list[int] = []
    original = chained_std

    def count(
        tree: KinematicTree, coordinates: NDArray[np.float64], free_std: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        computed.append(len(free_std))
        return original(tree, coordinates, free_std)

    monkeypatch.setattr(module, "chained_std", count)
    for swings_per_s in (0.0, 1.0, 2.0):
        solve_std(tree, swinging_leg(tree, swings_per_s=swings_per_s), NOISE)
    still, slow, fast = computed
    assert still == pytest.approx(2.0 / module.EVERY_S + 1, abs=1)
    # In two swings one angle comes 9.6 rad; some angle turns at nearly the highest speed at any time.
    assert 9.6 / module.TURN_RAD < slow < 2 * 2 * np.pi * 1.2 / module.TURN_RAD + 2
    assert fast == pytest.approx(2 * slow, rel=0.1)


def test_a_clip_in_two_parts_has_the_modes_of_the_first() -> None:
    tree = leg()
    poses = smooth_motion(tree, 3, 60)
    whole, modes = solve_deviation(tree, poses_of(tree, poses), NOISE)
    rest, kept = solve_deviation(tree, poses_of(tree, poses[30:]), NOISE, modes)
    assert kept is modes
    np.testing.assert_allclose(rest.factor, whole.factor[30:], atol=2e-3)


def test_what_only_the_prior_decides_is_as_wide_as_its_range() -> None:
    tree = leg()
    knee = tree.coordinate("knee")
    seen = np.ones((1, 15), dtype=bool)
    seen[:, 10:] = False
    prior = np.where(np.arange(tree.n_coordinates) == knee, 1e-5, 0.0)
    std = std_of(tree, poses_of(tree, tree.coordinate_default[None], seen=seen, prior=prior), NOISE)
    assert std[0, knee] == pytest.approx(3.0 / np.sqrt(12.0), rel=1e-2)


def test_nothing_is_known_of_what_moves_with_an_undetermined_coordinate() -> None:
    tree = leg()
    factor = np.full((1, 10, 4), 0.01)
    factor[0, tree.coordinate("knee")] = np.inf
    deviation = PoseDeviation(factor, np.full(4, 0.2))
    pose = tree.coordinate_default[None]
    assert np.isfinite(rotation_covariance(tree, pose, deviation, "femur_r")).all()
    assert np.isinf(rotation_covariance(tree, pose, deviation, "tibia_r")).any()


def test_followers_are_as_far_off_as_their_leader_moves_them() -> None:
    tree = random_tree(2)
    pose = smooth_motion(tree, 2, 3)
    deviation, _ = solve_deviation(tree, poses_of(tree, pose), NOISE)
    std = deviation.coordinate_std(tree, pose)
    leader, follower = tree.coordinate("leader2"), tree.coordinate("follower2")
    step = np.zeros(tree.n_coordinates)
    step[leader] = 1e-6
    slope = (tree.complete_coordinates(pose + step) - tree.complete_coordinates(pose - step))[:, follower] / 2e-6
    np.testing.assert_allclose(std[:, follower], np.abs(slope) * std[:, leader], rtol=1e-6)


def test_a_marker_that_misses_turns_angles_by_no_more_than_said() -> None:
    tree, rng = leg(), np.random.default_rng(5)
    weights = {name: 1.0 + index % 3 for index, name in enumerate(tree.marker_names)}
    miss_m = 0.002
    directions = rng.normal(size=(200, 3))
    observed = np.tile(tree.marker_positions(tree.coordinate_default), (200, 1, 1))
    observed[:, 11] += miss_m * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    pure = settings(prior_strength=0.0, temporal_weight=0.0, tracks="forward")
    found = solve_inverse_kinematics(tree, tree.marker_names, observed, weights, pure)
    said = misfit_angles(tree, weights, {"m11": miss_m, "m0": 0.0})
    assert set(said) == {"m11", "m0"}
    for name, bound in said["m11"].items():
        turned = np.abs(found.coordinates[:, tree.coordinate(name)]).max()
        assert 0.85 * bound <= turned <= 1.01 * bound, name
    assert set(said["m0"].values()) == {0.0}


@pytest.mark.reference
@pytest.mark.parametrize(("segment", "gain"), [("thigh", 0.85), ("shank", 0.95)])
def test_a_laboratory_that_was_not_fitted_is_covered(shared: Path, segment: str, gain: float) -> None:
    folder = shared / "reference" / "soft_tissue"
    judge = soft_tissue.load_judge(folder / "evaluate_coverage.py")
    trials = [trial for trial in judge.load_folder(str(folder)) if trial["segment"] == segment]
    trials = [trial for trial in trials if trial["markers"].shape[1] > 0]
    tables = soft_tissue.unit_tables(judge, trials, soft_tissue.CORRELATION_S)
    field = soft_tissue.left_out_scores(tables, soft_tissue.FIELD)
    independent = soft_tissue.left_out_scores(tables, soft_tissue.INDEPENDENT)
    turned = [score for score, _ in field.values()]
    assert 0.85 <= np.mean([score.coverage for score in turned]) <= 0.97
    assert min(score.worst for score in turned) >= 0.6
    beside = [score for score, _ in independent.values()]
    assert np.mean([score.interval for score in turned]) <= gain * np.mean([score.interval for score in beside])
    # What the package says is the fit to all laboratories, rounded.
    whole = soft_tissue.fit(tables, soft_tissue.FIELD, sorted(field))
    said = next(entry for entry in packaged_noise().segments if entry.name == segment)
    assert 1000 * said.field_sd_m == pytest.approx(whole.sd_mm, abs=0.06)
    assert 1000 * said.field_length_m == whole.length_mm


def test_standard_deviations_by_themselves_are_those_of_the_covariance(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = leg()
    poses = poses_of(tree, smooth_motion(tree, 3, 40))
    poses.coordinates[11] = np.nan
    poses.seen[25:, 3] = False
    # In every frame, so that both say the same between as well.
    monkeypatch.setattr(module, "TURN_RAD", 1e-9)
    deviation, _ = solve_deviation(tree, poses, NOISE)
    std = solve_std(tree, poses, NOISE)
    assert np.isnan(std[11]).all()
    np.testing.assert_allclose(std, deviation.coordinate_std(tree, poses.coordinates), rtol=5e-3)
