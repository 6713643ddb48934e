"""Free fall and steps tell the rate of a clip: made people who jump, hop, walk, and who do neither."""

from __future__ import annotations

import numpy as np
import pytest

from movi_prep.demo.open_body import read_open_body
from movi_prep.geometry.rate_audit import GRAVITY_M_S2, RateAudit, RateWatch, centre_of_mass

RATE_HZ = 120.0
N_MADE = 60


@pytest.fixture(scope="module")
def standing() -> np.ndarray:
    """Return (22, 3) joints of a person who stands on the floor, y up."""
    body = read_open_body("neutral")
    joints = (body.joint_regressor @ body.v_template_m)[:22]
    return joints - [0, joints[:, 1].min() - 0.02, 0]


def audit(joints: np.ndarray, *, rate_hz: float = RATE_HZ) -> RateAudit:
    watch = RateWatch()
    for block in np.array_split(joints, 3):
        watch.add(block)
    return watch.audit(rate_hz)


def sway(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return (n, 22, 3) metres: limbs that swing, more so far from the trunk."""
    times = np.arange(n)[:, None, None] / RATE_HZ
    reach = np.array([0, 1, 1, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 3, 3, 5, 5])[:, None]
    waves = rng.uniform(0.5, 2.5, (22, 3)), rng.uniform(0, 7, (22, 3)), rng.uniform(0, 0.02, (22, 3)) * reach
    return waves[2] * np.sin(2 * np.pi * waves[0] * times + waves[1])


def jumping(standing: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n, 22, 3): one to four jumps of 0.25 to 0.6 s in the air; legs bend before and after."""
    heights, lifts = [np.zeros(60)], [np.zeros(60)]
    for _ in range(rng.integers(1, 5)):
        flight_s = rng.uniform(0.25, 0.6)
        times = np.arange(1, round(flight_s * RATE_HZ)) / RATE_HZ
        arc = 0.5 * GRAVITY_M_S2 * times * (flight_s - times)
        crouch = -0.1 * np.sin(np.linspace(0, np.pi, 40)) ** 2
        heights += [crouch, arc, crouch, np.zeros(20)]
        lifts += [np.zeros(40), arc, np.zeros(60)]
    height, lift = np.concatenate(heights), np.concatenate(lifts)
    n = len(height)
    joints = standing + sway(rng, n)
    # Above the hip all moves with the trunk; the feet leave the floor by the arc only.
    moved = np.where(np.isin(np.arange(22), [7, 8, 10, 11]), lift[:, None], height[:, None])
    joints[..., 1] += moved
    joints[..., 0] += 0.4 * np.arange(n)[:, None] / RATE_HZ
    return joints


def walking(standing: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n, 22, 3): a walk at 1.5 to 2.2 steps a second of 0.55 to 0.8 m, one foot on the floor always."""
    steps_hz, step_m = rng.uniform(1.5, 2.2), rng.uniform(0.55, 0.8)
    times = np.arange(round(6 * RATE_HZ)) / RATE_HZ
    joints = standing + 0.3 * sway(rng, len(times))
    joints[..., 2] += (steps_hz * step_m * times)[:, None]
    for feet, sign in (((7, 10), 1), ((8, 11), -1)):
        phase = np.pi * steps_hz * times
        joints[:, feet, 2] += (sign * 0.5 * step_m * np.sin(phase))[:, None]
        joints[:, feet, 1] = standing[list(feet), 1] + 0.06 * np.clip(sign * np.cos(phase), 0, None)[:, None]
    joints[..., 1] += 0.0
    return joints


def sitting(standing: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n, 22, 3): feet lifted off the floor now and then, and a trunk that goes up and down meanwhile."""
    n = round(8 * RATE_HZ)
    times = np.arange(n) / RATE_HZ
    joints = standing + sway(rng, n)
    up = np.clip(np.sin(2 * np.pi * rng.uniform(0.15, 0.5) * times + rng.uniform(0, 7)), 0, 1)
    joints[:, [7, 8, 10, 11], 1] += (rng.uniform(0.1, 0.4) * up)[:, None]
    bob = rng.uniform(0.01, 0.1) * np.sin(2 * np.pi * rng.uniform(0.2, 1.2) * times)
    joints[:, [0, *range(3, 22, 3), 12, 15, 16, 17], 1] += bob[:, None]
    return joints


def test_who_jumps_falls_as_everything_falls(standing: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    found = [audit(jumping(standing, rng)) for _ in range(N_MADE)]
    assert all(each.n_flights for each in found)
    assert np.median([each.fall_m_s2 for each in found]) == pytest.approx(GRAVITY_M_S2, rel=0.05)
    assert not any(each.findings(RATE_HZ) for each in found)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_every_jump_at_a_wrong_rate_is_reported_with_the_right_one(standing: np.ndarray, factor: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(N_MADE):
        found = audit(jumping(standing, rng), rate_hz=factor * RATE_HZ)
        (said,) = found.findings(factor * RATE_HZ)
        assert found.stated_by_true == pytest.approx(factor, rel=0.2)
        assert f"not {factor * RATE_HZ:g}" in said


def test_walks_are_reported_by_their_steps(standing: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    walks = [walking(standing, rng) for _ in range(N_MADE)]
    right, fast, slow = ([audit(walk, rate_hz=RATE_HZ * k) for walk in walks] for k in (1, 2, 0.5))
    assert not any(each.findings(RATE_HZ) for each in right)
    assert not any(each.n_flights for each in right)
    # Of normal cadences most are out of bounds at twice and at half the rate.
    assert np.mean([bool(each.findings(2 * RATE_HZ)) for each in fast]) > 0.7
    assert np.mean([bool(each.findings(0.5 * RATE_HZ)) for each in slow]) > 0.5


def test_feet_that_are_lifted_are_no_flight(standing: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    reported = [audit(sitting(standing, rng)).findings(RATE_HZ) for _ in range(5 * N_MADE)]
    assert sum(map(bool, reported)) <= 0.02 * len(reported)


def test_a_short_or_still_clip_says_nothing(standing: np.ndarray) -> None:
    for n in (1, 2, 50):
        found = audit(np.tile(standing, (n, 1, 1)))
        assert (found.n_flights, found.n_steps) == (0, 0)
        assert found.findings(RATE_HZ) == ()


def test_the_centre_of_mass_is_in_the_trunk(standing: np.ndarray) -> None:
    (centre,) = centre_of_mass(standing[None])
    assert standing[0, 1] - 0.05 < centre[1] < standing[12, 1]
