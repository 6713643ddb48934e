"""Names: safe in any path, ordered as people count, and numbers only where BMLmovi has them."""

from __future__ import annotations

import pytest

from movi_prep.errors import InputError
from movi_prep.names import LONGEST_NAME, check_name, clean_name, natural_order
from movi_prep.records.bmlmovi_names import movi_clip, number_of, require_number
from movi_prep.records.choice import choose_names, numbers_in
from movi_prep.records.identity import ClipId

AS_PEOPLE_HAVE_THEM = [
    "Hip Hop (2)",
    "rub001 0000_treadmill_norm",
    "Größe",
    "a/b",
    "..",
    ".hidden",
    "",
    "x\ny",
    "static",
    "Index",
    "ALL",
    "a" * 300,
    "jump [3] 100%",
    "-rf",
]


@pytest.mark.parametrize("text", AS_PEOPLE_HAVE_THEM)
def test_a_cleaned_name_is_a_name_and_stays_as_it_is(text: str) -> None:
    name = clean_name(text)
    assert check_name(name) == name == clean_name(name)


@pytest.mark.parametrize(
    "text", ["..", ".hidden", "a/b", "", "x\ny", "static", "STATIC", "a b", "a" * (LONGEST_NAME + 1)]
)
def test_what_would_be_another_path_is_no_name(text: str) -> None:
    with pytest.raises(ValueError, match="expected a name"):
        ClipId("S001", text)


def test_an_umlaut_typed_in_two_ways_is_one_name() -> None:
    assert clean_name("Gro\u0308\u00dfe") == clean_name("Gr\u00f6\u00dfe")


def test_clips_are_ordered_as_people_count() -> None:
    names = ["S10a", "S2", "Sa", "1", "S10", "S02", "S1"]
    assert sorted(names, key=natural_order) == ["1", "S1", "S02", "S2", "S10", "S10a", "Sa"]
    clips = [ClipId(subject, clip) for subject in ("S10", "S2") for clip in ("C10", "C9")]
    assert list(map(str, sorted(clips))) == ["S2/C9", "S2/C10", "S10/C9", "S10/C10"]


def test_bmlmovis_keys_are_what_they_were() -> None:
    assert str(movi_clip(7, 3)) == "S007/C03"
    assert str(movi_clip(1234, 100)) == "S1234/C100"
    assert ClipId.parse("S007/C03") == movi_clip(7, 3)
    assert [number_of(name) for name in ("S007", "C03", "S7", "KIT_3", "S007b")] == [7, 3, None, None, None]
    with pytest.raises(InputError) as caught:
        require_number("KIT_3", wanted_by="a layout")
    assert caught.value.where == "KIT_3"


def test_a_choice_is_names_numbers_ranges_or_patterns() -> None:
    there = ("S001", "S002", "S015", "KIT_3", "KIT_12", "2-3")
    assert choose_names(["1-2"], there) == ({"S001", "S002"}, [])
    assert choose_names(["S015", "KIT_*"], there) == ({"S015", "KIT_3", "KIT_12"}, [])
    assert choose_names(["2-3"], there) == ({"2-3"}, [])
    assert choose_names(["1", "14-16", "CMU_*"], there) == ({"S001", "S015"}, ["14", "16", "CMU_*"])


def test_numbers_are_asked_of_names_that_have_them_only() -> None:
    assert numbers_in(["1-3", "S015", "2"]) == (1, 2, 3, 15)
    with pytest.raises(ValueError, match="KIT_3"):
        numbers_in(["KIT_3"])
