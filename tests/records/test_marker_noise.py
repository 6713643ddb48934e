"""Segments of a noise model, and how many frames are independent."""

from __future__ import annotations

import numpy as np
import pytest

from movi_prep.formats.noise_file import packaged_noise
from movi_prep.records.marker_noise import effective_frames, segment_groups


def test_sides_are_groups_of_their_own_and_a_spine_is_one() -> None:
    bodies = ("pelvis", "femur_r", "femur_l", "humerus", "humerus_l", "lumbar1", "thoracic9", "calcn_l", "toes_l")
    numbers, segments = segment_groups(packaged_noise(), bodies)
    group = dict(zip(bodies, numbers.tolist(), strict=True))
    assert group["femur_r"] != group["femur_l"]
    assert group["humerus"] != group["humerus_l"]
    assert group["lumbar1"] == group["thoracic9"]
    assert group["calcn_l"] == group["toes_l"]
    assert segments[group["femur_l"]].name == "thigh"


def test_bodies_that_no_segment_names_do_not_hang_together() -> None:
    numbers, segments = segment_groups(packaged_noise(), ("tail", "wing"))
    assert numbers.tolist() == [0, 1]
    assert [segment.name for segment in segments] == ["default", "default"]


@pytest.mark.parametrize(("correlation_s", "expected"), [(0.0, 50.0), (1e9, 1.0)])
def test_frames_are_all_independent_or_all_the_same(correlation_s: float, expected: float) -> None:
    assert effective_frames(50, 30.0, correlation_s) == pytest.approx(expected, rel=1e-6)


def test_effective_frames_are_what_a_mean_of_correlated_frames_says() -> None:
    rng, n, kept = np.random.default_rng(0), 60, np.exp(-1 / (30.0 * 0.2))
    noise = rng.standard_normal((20_000, n))
    for frame in range(1, n):
        noise[:, frame] = kept * noise[:, frame - 1] + np.sqrt(1 - kept**2) * noise[:, frame]
    assert 1.0 / noise.mean(axis=1).var() == pytest.approx(effective_frames(n, 30.0, 0.2), rel=0.03)
