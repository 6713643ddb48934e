"""People from motion: what is known comes back, and what does not belong is named and left out."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from movi_prep.config.scaling import MotionScalingSettings
from movi_prep.errors import InputError
from movi_prep.kinematics.chosen_frames import lay_upright
from movi_prep.kinematics.person_from_motion import MotionScaling, Trial, scale_from_motion
from movi_prep.stages.motion_scale import person_prior
from tests.builders.known_person import KnownPerson, known_person

SETTINGS = MotionScalingSettings(n_frames=24, n_refining_frames=0)
LENGTHS = ("upper_arm_length", "forearm_length", "thigh_length", "shank_length", "upper_back_height")


def scale(
    person: KnownPerson, *trials: np.ndarray, static: int = -1, settings: MotionScalingSettings = SETTINGS
) -> MotionScaling:
    seen = [Trial(f"trial{k}", positions, static=k == static) for k, positions in enumerate(trials)]
    axes = ["Y"] * person.markers.n_groups
    return scale_from_motion(
        person.markers, seen, person.weights, person_prior(person.markers, axes, settings), settings
    )


def length_errors(person: KnownPerson, found: MotionScaling) -> np.ndarray:
    chosen = [person.markers.groups.names.index(name) for name in LENGTHS]
    return np.abs(np.expm1(found.fit.person.log_factors - person.log_factors))[chosen]


def names_of(person: KnownPerson) -> list[str]:
    return [person.markers.tree.marker_names[marker] for marker in person.markers.markers]


@lru_cache(maxsize=1)
def someone() -> KnownPerson:
    return known_person(1)


def test_a_known_person_comes_back() -> None:
    person = someone()
    found = scale(person, person.move(120, 1))
    assert length_errors(person, found).max() < 0.005
    answer = found.fit.person
    missed = person.sites_m(answer.log_factors, answer.offsets_m) - person.sites_m(person.log_factors, person.offsets_m)
    assert np.median(np.linalg.norm(missed, axis=1)) < 0.002
    assert np.nanmax(np.abs(found.fit.residuals_m)) < 0.002


def test_more_frames_average_the_noise_of_markers() -> None:
    person = someone()
    observed = person.move(600, 1, noise_m=0.004)
    found = scale(person, observed, settings=MotionScalingSettings(n_frames=24, n_refining_frames=400))
    assert length_errors(person, found).max() < 0.015
    answer = found.fit.person
    missed = person.sites_m(answer.log_factors, answer.offsets_m) - person.sites_m(person.log_factors, person.offsets_m)
    assert np.percentile(np.linalg.norm(missed, axis=1), 90) < 0.005
    few, lengths = scale(person, observed), [person.markers.groups.names.index(name) for name in LENGTHS]
    sharp, dull = (np.diag(one.fit.log_covariance)[lengths] for one in (found, few))
    # 424 frames instead of 24 have 18 times the information, the prior aside.
    assert (sharp < 0.25 * dull).all()


def test_a_pose_that_was_found_wrong_is_no_fault_of_its_markers() -> None:
    # The first search turns a forearm of one frame the wrong way round.
    person = known_person(5)
    found = scale(person, person.move(600, 1, noise_m=0.004))
    assert (found.fit.residuals_m[found.frames.weights == 0.0].size) == 0


def test_frames_are_chosen_by_pose_and_not_by_place() -> None:
    person = someone()
    turn = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    positions = person.move(60, 1)
    # The second half of the frames repeats the first elsewhere in the room, turned by a quarter.
    laid = lay_upright(person.markers.folded, np.concatenate([positions, positions @ turn + (3.0, 0.0, 5.0)]))
    np.testing.assert_allclose(laid[:60], laid[60:], atol=1e-9)
    apart = np.linalg.norm(positions[:, :1] - positions, axis=-1)
    np.testing.assert_allclose(np.linalg.norm(laid[:60, :1] - laid[:60], axis=-1), apart, atol=1e-9)


def test_what_does_not_move_stays_with_the_prior_and_is_named() -> None:
    person = someone()
    found = scale(person, np.repeat(person.move(120, 1)[:1], 20, axis=0))
    moving = scale(person, person.move(120, 1))
    assert np.count_nonzero(found.seen) < 0.7 * np.count_nonzero(moving.seen)
    unseen = [name for name, seen in zip(person.markers.groups.names, found.seen, strict=True) if not seen]
    assert any("does not show" in finding and unseen[0] in finding for finding in found.findings)
    # Distances within bodies still tell the size of the whole person.
    assert abs(found.fit.person.log_factors.mean() - person.log_factors.mean()) < 0.05


def test_exchanged_markers_are_named_and_cost_nothing() -> None:
    person = someone()
    positions, names = person.move(120, 1), names_of(person)
    left, right = names.index("LKNE"), names.index("RKNE")
    positions[30:60, [left, right]] = positions[30:60, [right, left]]
    found = scale(person, positions)
    assert any("LKNE" in finding and "RKNE" in finding for finding in found.findings)
    assert length_errors(person, found).max() < 0.005


def test_markers_exchanged_in_most_of_the_frames_are_named_where_they_are() -> None:
    person = someone()
    right, exchanged, names = person.move(40, 1), person.move(120, 3), names_of(person)
    left_hip, right_hip = names.index("LASI"), names.index("RASI")
    exchanged[:, [left_hip, right_hip]] = exchanged[:, [right_hip, left_hip]]
    settings = MotionScalingSettings(n_frames=24, n_refining_frames=100)
    found = scale(person, right, exchanged, settings=settings)
    assert not any("trial0" in finding for finding in found.findings)
    assert any("trial1" in finding and "LASI" in finding and "RASI" in finding for finding in found.findings)
    assert length_errors(person, found).max() < 0.005


def test_neighbours_exchanged_in_all_trials_are_named() -> None:
    person = someone()
    positions, names = person.move(120, 1), names_of(person)
    inner, outer = names.index("LIWR"), names.index("LOWR")
    positions[:, [inner, outer]] = positions[:, [outer, inner]]
    (finding,) = (finding for finding in scale(person, positions).findings if "each towards" in finding)
    assert "LIWR" in finding
    assert "LOWR" in finding
    assert not any("each towards" in finding for finding in scale(person, person.move(120, 1)).findings)


def test_a_site_that_moved_between_trials_counts_in_one_of_them() -> None:
    person = someone()
    marker = next(k for k, name in enumerate(names_of(person)) if name == "RKNE")
    moved = KnownPerson(person.markers, person.weights, person.log_factors, person.offsets_m.copy())
    moved.offsets_m[marker] += (0.0, 0.03, 0.0)
    found = scale(person, person.move(120, 1), moved.move(40, 2))
    assert any("trial1" in finding and "RKNE" in finding for finding in found.findings)
    assert length_errors(person, found).max() < 0.01


def test_another_persons_trial_is_named_and_left_out() -> None:
    person, other = someone(), known_person(1, size=0.0)
    bigger = KnownPerson(other.markers, other.weights, person.log_factors + 0.12, person.offsets_m)
    found = scale(person, person.move(120, 1), person.move(120, 2), bigger.move(60, 3))
    assert any(finding.startswith("trial2") for finding in found.findings)
    assert not (found.frames.trial == 2).any()
    assert length_errors(person, found).max() < 0.005


def test_a_static_trial_is_one_frame_among_many() -> None:
    person = someone()
    motion = person.move(120, 1)
    found = scale(person, motion, np.repeat(motion[:1], 30, axis=0), static=1)
    assert np.count_nonzero(found.frames.trial == 1) <= 1
    assert length_errors(person, found).max() < 0.005


def test_markers_that_are_never_seen_keep_their_place_and_are_named() -> None:
    person = someone()
    positions = person.move(120, 1)
    positions[:, names_of(person).index("RTOE")] = np.nan
    found = scale(person, positions)
    assert any("RTOE" in finding for finding in found.findings)
    assert length_errors(person, found).max() < 0.005


def test_trials_without_markers_are_refused() -> None:
    person = someone()
    with pytest.raises(InputError) as caught:
        scale(person, np.full((5, len(person.weights), 3), np.nan))
    assert caught.value.where == "trial0"


def test_a_marker_that_was_never_placed_is_put_where_it_is_and_says_nothing_of_sizes() -> None:
    person = someone()
    far = KnownPerson(person.markers, person.weights, person.log_factors, person.offsets_m.copy())
    marker = names_of(person).index("STRN")
    far.offsets_m[marker] = (0.15, 0.0, 0.0)
    found = scale(person, far.move(120, 1))
    answer = found.fit.person
    assert np.linalg.norm(np.delete(answer.offsets_m, marker, axis=0), axis=1).max() < 0.031
    assert [finding for finding in found.findings if "STRN" in finding]
    assert length_errors(person, found).max() < 0.005
    missed = far.sites_m(answer.log_factors, answer.offsets_m) - far.sites_m(far.log_factors, far.offsets_m)
    assert np.linalg.norm(missed[marker]) < 0.03
