"""The landmark rule: what a landmark that misses takes with it, and what it does not."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pytest

from movi_prep.errors import InputError
from movi_prep.geometry.landmark_rule import LandmarkRule, coordinate_validity, landmark_bodies
from movi_prep.osim.models import read_model
from movi_prep.osim.solution import prepare_model
from tests.sentences import raises_recorded

if TYPE_CHECKING:
    from pathlib import Path

RULE = LandmarkRule(landmark_weight=20.0, limit_m=0.02)
COORDINATE_BODIES = ("femur_r", "femur_r", "tibia_r", "clavicle", "scapula", "clavicle_l")


def _valid(residuals_m: list[list[float]], landmarks: list[str | None], usable: list[bool] | None = None) -> np.ndarray:
    return coordinate_validity(
        np.array(residuals_m),
        np.array(usable if usable is not None else [True] * len(residuals_m)),
        landmarks=landmarks,
        coordinate_bodies=COORDINATE_BODIES,
        rule=RULE,
    )


def test_a_landmark_that_misses_takes_the_coordinates_of_its_body_in_its_frame_alone() -> None:
    valid = _valid([[0.019, 0.001], [0.021, 0.001]], ["femur_r", "tibia_r"])
    np.testing.assert_array_equal(valid[0], [True] * 6)
    np.testing.assert_array_equal(valid[1], [False, False, True, True, True, True])


def test_the_first_frame_counts_as_any_other() -> None:
    assert not _valid([[0.5]], ["femur_r"])[0, 0]


def test_a_shoulder_landmark_takes_its_whole_shoulder_and_not_the_other() -> None:
    np.testing.assert_array_equal(_valid([[0.03]], ["scapula"])[0], [True, True, True, False, False, True])


def test_markers_that_are_no_landmarks_and_unseen_ones_say_nothing() -> None:
    assert _valid([[0.5, np.nan]], [None, "femur_r"]).all()


def test_frames_that_are_not_usable_have_no_valid_coordinate() -> None:
    valid = _valid([[0.0], [0.0]], ["femur_r"], [True, False])
    assert valid[0].all()
    assert not valid[1].any()


def test_landmarks_are_markers_of_at_least_the_landmark_weight() -> None:
    bodies = {"A": "femur_r", "B": "tibia_r", "C": "tibia_r"}
    found = landmark_bodies(("A", "B", "C"), np.array([20.0, 19.9, 1000.0]), bodies, RULE)
    assert found == ("femur_r", None, "tibia_r")


def test_residuals_must_fit_names_and_frames() -> None:
    with raises_recorded(InputError):
        _valid([[0.0, 0.0]], ["femur_r"])


@pytest.mark.reference
@pytest.mark.parametrize("subject", [1, 15])
def test_d3kes_own_residuals_give_d3kes_own_masks(shared: Path, tmp_path: Path, subject: int) -> None:
    world = shared / "reference" / "world_a_d3ke"
    (tmp_path / "scale.osim").write_bytes(gzip.decompress((world / f"subject_{subject}_scale.osim.gz").read_bytes()))
    scaled = prepare_model(read_model(tmp_path / "scale.osim"), tmp_path)
    truth = np.load(world / f"Subject_{subject}_F_2_gt.npz")
    residuals_m = np.linalg.norm(truth["simulation"].astype(float) - truth["label"].astype(float), axis=-1)
    names = [str(name) for name in truth["marker_names"]]
    valid = coordinate_validity(
        residuals_m,
        np.ones(len(residuals_m), dtype=bool),
        landmarks=landmark_bodies(names, truth["marker_weights"], scaled.marker_bodies, RULE),
        coordinate_bodies=scaled.coordinate_bodies,
        rule=RULE,
    )
    # Their mask is one column wider than their angles: the last column is the one too many.
    theirs = truth["coordinateMask"][:, :-1] > 0
    for column, name in enumerate(str(name) for name in truth["coordinateName"]):
        # Landmarks of knees and ankles speak for the bodies that carried them before scaling moved them.
        if not name.startswith(("hip_", "knee_", "ankle_")):
            mine = valid[:, scaled.coordinate_names.index(name)]
            np.testing.assert_array_equal(mine, theirs[:, column], err_msg=name)
