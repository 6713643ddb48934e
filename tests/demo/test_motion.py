"""What people do in the demo: feet that stay where they stand, joints that bend the right way, one clock."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from movi_prep.demo.cast import cast
from movi_prep.demo.channels import VIDEO_STEP, eased, keyed, sample_times
from movi_prep.demo.figure import pose_figure
from movi_prep.demo.footsteps import Spot, Step, standing, stepping
from movi_prep.demo.motions import MOTIONS, go_to
from movi_prep.demo.open_body import read_open_body
from movi_prep.demo.posed_body import joint_transforms, pose_vertices, shaped_body
from movi_prep.demo.session import act

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.demo.posed_body import DemoBody
    from movi_prep.demo.session import Clip, Session

PEOPLE = sorted(cast())
CLIPS = [(subject, number) for subject in PEOPLE for number in range(1, len(cast()[subject].cues) + 1)]

KNEES, ELBOWS, WRISTS, ANKLES = (4, 5), (18, 19), (20, 21), (7, 8)
LEFT_FINGERS, RIGHT_FINGERS = slice(22, 37), slice(37, 52)
CONTACT_HEIGHT_M = 0.01
NECK, HEAD = 12, 15


@dataclass(frozen=True)
class Played:
    body: DemoBody
    session: Session

    def clip(self, number: int) -> Clip:
        return self.session.clips[number - 1]

    def poses(self, number: int) -> NDArray[np.float64]:
        return self.session.poses_rad[self.clip(number).samples]

    def translation(self, number: int) -> NDArray[np.float64]:
        return self.session.translation_m[self.clip(number).samples]


@cache
def played(subject: int, seed: int = 0) -> Played:
    performer = cast()[subject]
    body = shaped_body(read_open_body(performer.sex), performer.betas)
    return Played(body, act(body, performer.cues, np.random.default_rng(seed)))


def sole_of(body: DemoBody) -> NDArray[np.int64]:
    return np.flatnonzero(body.vertices_m[:, 1] < body.floor_m + 0.02)


def runs_of(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]]))).reshape(-1, 2)


@pytest.mark.parametrize(("subject", "number"), CLIPS)
def test_feet_neither_slide_nor_sink_where_they_touch_the_floor(subject: int, number: int) -> None:
    person = played(subject)
    surface = pose_vertices(person.body.only(sole_of(person.body)), person.poses(number), person.translation(number))
    assert surface[..., 2].min() > -0.005
    slides = [
        float(np.linalg.norm(np.ptp(surface[start:end, vertex, :2], axis=0)))
        for vertex in range(surface.shape[1])
        for start, end in runs_of(surface[:, vertex, 2] < CONTACT_HEIGHT_M)
    ]
    assert max(slides) < 0.02


@pytest.mark.parametrize(("subject", "number"), CLIPS)
def test_someone_stands_on_the_floor_except_in_a_jump(subject: int, number: int) -> None:
    person = played(subject)
    surface = pose_vertices(person.body.only(sole_of(person.body)), person.poses(number), person.translation(number))
    airborne = (surface[..., 2].min(axis=1) > CONTACT_HEIGHT_M).mean()
    assert (airborne > 0.1) == (person.clip(number).name == "jumping_jacks")
    assert airborne < 0.35


@pytest.mark.parametrize(("subject", "number"), CLIPS)
def test_knees_are_hinges_that_bend_backwards(subject: int, number: int) -> None:
    knees = np.rad2deg(played(subject).poses(number)[:, KNEES])
    assert knees[..., 0].min() > 2.0
    assert knees[..., 0].max() < 120.0
    np.testing.assert_allclose(knees[..., 1:], 0.0, atol=1e-9)


@pytest.mark.parametrize(("subject", "number"), CLIPS)
def test_joints_stay_within_what_people_can_do(subject: int, number: int) -> None:
    angles = np.rad2deg(np.linalg.norm(played(subject).poses(number), axis=-1))
    assert angles[:, ELBOWS].max() < 145.0
    assert angles[:, ANKLES].max() < 60.0
    assert angles[:, WRISTS].max() < 70.0
    assert angles[:, (NECK, HEAD)].max() < 45.0


@pytest.mark.parametrize(("subject", "number"), CLIPS)
def test_elbows_never_overextend(subject: int, number: int) -> None:
    # Upper arm, then forearm: an overextended left elbow would carry the wrist behind the line of the arm.
    person = played(subject)
    rotations, positions = joint_transforms(person.body, person.poses(number), person.translation(number))
    for elbow, wrist in zip(ELBOWS, WRISTS, strict=True):
        forearm = np.einsum("nji,nj->ni", rotations[:, elbow - 2], positions[:, wrist] - positions[:, elbow])
        assert forearm[:, 2].min() > -0.02  # z of the upper arm's axes is where flexion goes


@pytest.mark.parametrize(("subject", "number"), CLIPS)
def test_motion_is_as_smooth_as_motion_capture(subject: int, number: int) -> None:
    poses = np.rad2deg(played(subject).poses(number))
    jerks = np.linalg.norm(np.diff(poses, 2, axis=0), axis=-1)
    assert np.sqrt((jerks**2).mean()) < 0.15  # degrees per sample squared at 120 Hz; World A has 0.05 to 0.14
    assert jerks.max() < 2.5


def test_the_turn_has_no_jump_in_its_rotation_vector() -> None:
    number = 1 + [cue.motion for cue in cast()[15].cues].index("turning_rm")
    root = played(15).poses(number)[:, 0]
    assert np.linalg.norm(np.diff(root, axis=0), axis=-1).max() < np.deg2rad(5.0)


def test_neck_spine_wrists_and_fingers_move() -> None:
    ranges = np.concatenate([np.ptp(played(subject).session.poses_rad, axis=0)[None] for subject in PEOPLE])
    swept = np.rad2deg(np.linalg.norm(ranges, axis=-1)).max(axis=0)
    for joint in (3, 6, 9, NECK, HEAD, *WRISTS):
        assert swept[joint] > 8.0
    assert swept[RIGHT_FINGERS].min() > 4.0


def test_fingers_are_in_the_average_pose_where_nothing_is_said() -> None:
    number = 1 + [cue.motion for cue in cast()[1].cues].index("walking")
    fingers = played(1).poses(number)[:, LEFT_FINGERS]
    np.testing.assert_allclose(fingers[20:-20], np.broadcast_to(fingers[20], fingers[20:-20].shape), atol=0.02)


@pytest.mark.parametrize("subject", PEOPLE)
def test_the_session_begins_in_a_t_pose(subject: int) -> None:
    person = played(subject)
    _, joints = joint_transforms(person.body, person.session.poses_rad[:1], person.session.translation_m[:1])
    left, right = joints[0, 20], joints[0, 21]
    assert np.linalg.norm(left - right) > 0.97 * np.linalg.norm(person.body.joints_m[20] - person.body.joints_m[21])
    assert abs(left[2] - joints[0, 16, 2]) < 0.06


@pytest.mark.parametrize("subject", PEOPLE)
def test_clips_and_video_share_one_clock(subject: int) -> None:
    session = played(subject).session
    assert session.n_frames * VIDEO_STEP == len(session.poses_rad)
    ends = [0]
    for clip in session.clips:
        n_frames = clip.last_frame - clip.first_frame + 1
        assert clip.samples.stop - clip.samples.start == 4 * (n_frames - 1) + 1
        assert 1.4 < n_frames / 30.0 < 5.0
        assert clip.first_frame > ends[-1]  # a gap before every clip
        ends.append(clip.last_frame)
    assert ends[-1] < session.n_frames - 1


@pytest.mark.parametrize("subject", PEOPLE)
def test_pelvis_heights_are_those_of_people(subject: int) -> None:
    person = played(subject)
    heights = person.session.translation_m[:, 2] + person.body.joints_m[0, 2]
    standing_height = person.body.joints_m[0, 1] - person.body.floor_m
    _, joints = joint_transforms(person.body, person.session.poses_rad, person.session.translation_m)
    assert joints[:, 0, 2].max() < standing_height + 0.10
    assert 0.7 < np.median(joints[:, 0, 2]) < 1.05
    assert heights.min() > 0.0


def test_equal_seeds_act_alike_and_others_do_not() -> None:
    first, again, other = played(1), act(played(1).body, cast()[1].cues, np.random.default_rng(0)), played(1, 7).session
    np.testing.assert_array_equal(first.session.poses_rad, again.poses_rad)
    assert np.abs(first.session.poses_rad - other.poses_rad).max() > 1e-3


def test_a_planted_foot_stays_while_the_pelvis_moves() -> None:
    body = played(1).body
    times = sample_times(1.0)
    channels = standing(times, Spot(0.2, -0.4, 30.0))
    channels["drop_m"] = 0.2 * eased(times, 0.1, 0.9)
    channels["ground_x_m"] = channels["ground_x_m"] + 0.05 * eased(times, 0.2, 0.8)
    poses, translation = pose_figure(body, channels)
    _, joints = joint_transforms(body, poses, translation)
    for ankle in ANKLES:
        np.testing.assert_allclose(
            joints[:, ankle], np.broadcast_to(joints[0, ankle], joints[:, ankle].shape), atol=1e-9
        )


def test_a_step_moves_one_foot_to_its_place_and_leaves_the_other() -> None:
    times = sample_times(1.5)
    start = Spot(0.0, 0.0, 0.0)
    place = start.ahead(0.4).foot("left")
    channels = stepping(times, start, [Step("left", 0.3, 0.8, place)])
    assert channels["left_foot_x_m"][-1] == pytest.approx(place[0])
    assert channels["left_foot_y_m"][-1] == pytest.approx(place[1])
    assert np.ptp(channels["right_foot_x_m"]) == 0.0
    assert channels["left_foot_lift_m"].max() == pytest.approx(0.07, rel=0.01)


def test_forwards_is_where_the_heading_points() -> None:
    ahead = Spot(0.0, 0.0, 0.0).ahead(1.0)
    assert (ahead.x_m, ahead.y_m) == pytest.approx((0.0, -1.0))
    to_the_left = Spot(0.0, 0.0, 90.0).ahead(1.0)
    assert (to_the_left.x_m, to_the_left.y_m) == pytest.approx((1.0, 0.0))


def test_keys_are_met_and_never_overshot() -> None:
    times = sample_times(3.0)
    curve = keyed(times, [(0.5, 1.0), (1.0, 4.0), (2.0, 4.0), (2.5, -1.0)])
    assert curve[0] == pytest.approx(1.0)
    assert curve[times == 1.5].item() == pytest.approx(4.0)
    assert curve[-1] == pytest.approx(-1.0)
    assert curve.max() == pytest.approx(4.0)
    assert curve.min() == pytest.approx(-1.0)


def test_going_nowhere_is_standing_still() -> None:
    spot = Spot(0.3, 0.1, 20.0)
    assert all(np.ptp(curve) == 0.0 for curve in go_to(spot, spot).values())


def test_every_cue_is_a_motion() -> None:
    assert {cue.motion for performer in cast().values() for cue in performer.cues} <= set(MOTIONS)
