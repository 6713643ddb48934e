"""Names are matched where one reading fits all, and refused where too few of them fit."""

from __future__ import annotations

import pytest

from movi_prep.errors import InputError
from movi_prep.trials.marker_names import check_names_fit, match_marker_names

WANTED = ("LASI", "RASI", "C7", "T10", "LKNE")


@pytest.mark.parametrize(
    "read",
    [
        str.lower,
        str.title,
        lambda name: f"{name} ",
        lambda name: f"Subject1:{name}",
        lambda name: f"walker:{name.lower()}",
        lambda name: f"trial_{name}",
        lambda name: f"{name}_pos",
    ],
)
def test_one_reading_for_all_names_finds_every_marker(read: object) -> None:
    names = [read(name) for name in (*WANTED, "extra")]  # type: ignore[operator]
    renamed, how = match_marker_names(names, WANTED)
    assert renamed == {name: wanted for name, wanted in zip(names, WANTED, strict=False) if name != wanted}
    assert how


@pytest.mark.parametrize("spell", ["s1_{}", "{}_raw", "S1-{}"])
def test_unlabelled_points_hide_no_prefix(spell: str) -> None:
    names = [*(spell.format(name) for name in WANTED), "*101", "*102"]
    assert list(match_marker_names(names, WANTED)[0].values()) == list(WANTED)


@pytest.mark.parametrize("spell", ["mk_{}", "{}_m"])
def test_the_model_may_bear_the_prefix(spell: str) -> None:
    model = [spell.format(name) for name in WANTED]
    assert list(match_marker_names(WANTED, model)[0].values()) == model


def test_two_people_in_one_file_are_not_distinguished() -> None:
    for mark in (":", "_"):
        names = [f"{person}{mark}{name}" for person in ("Anna", "Bert") for name in WANTED]
        assert match_marker_names(names, WANTED) == ({}, "")


def test_names_that_fit_as_they_stand_are_left_alone() -> None:
    assert match_marker_names(WANTED, WANTED) == ({}, "")
    assert match_marker_names((*WANTED, "lasi"), WANTED) == ({}, "")


def test_no_reading_makes_one_marker_of_two() -> None:
    assert match_marker_names(("lasi", "Lasi", "rasi"), WANTED) == ({}, "")
    assert match_marker_names(("lasi", "rasi"), ("LASI", "LAsi", "RASI"))[0] == {}


def test_a_reading_must_not_lose_a_marker_that_fits() -> None:
    # Before ":" two subjects differ: read without it, LASI would stand for both.
    assert match_marker_names(("LASI", "other:LASI", "other:RASI"), WANTED)[0] == {}


def test_ten_fingers_of_88_markers_are_no_pose() -> None:
    weights = {f"m{index}": 1.0 for index in range(88)}
    check_names_fit([f"m{index}" for index in range(18)], weights, source="legs.trc")
    with pytest.raises(InputError) as caught:
        check_names_fit([f"m{index}" for index in range(10)], weights, source="fingers.trc")
    assert caught.value.where == "fingers.trc"


def test_a_model_with_few_markers_is_solved_from_few() -> None:
    check_names_fit(["a"], {"a": 1.0, "b": 1.0, "c": 0.0}, source="pendulum.trc")
    with pytest.raises(InputError):
        check_names_fit(["c"], {"a": 1.0, "b": 1.0, "c": 0.0}, source="pendulum.trc")
