"""Progress reported while work is under way: fractions grow, end at 1, and are passed on seldom enough."""

from __future__ import annotations

from itertools import count

import pytest

from movi_prep.records.advance import advancing, at_most_every, between, counted


def test_items_come_through_and_each_is_reported_after_it_was_used() -> None:
    reported: list[float] = []
    seen = []
    for item in advancing("abcd", reported.append, total=4):
        seen.append((item, len(reported)))
    assert seen == [("a", 0), ("b", 1), ("c", 2), ("d", 3)]
    assert reported == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize("total", [0, 2])
def test_no_fraction_exceeds_one_where_the_number_of_items_was_an_estimate(total: int) -> None:
    reported: list[float] = []
    assert list(advancing("abc", reported.append, total=total)) == list("abc")
    assert max(reported) == reported[-1] == 1.0


def test_parts_fill_the_whole_in_order() -> None:
    whole: list[float] = []
    for index in range(3):
        taken: list[int] = []
        take = counted(taken.append, between(whole.append, index / 3, (index + 1) / 3), total=2)
        take(1)
        take(2)
        assert taken == [1, 2]
    assert whole == pytest.approx([1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1.0])


def test_of_many_reports_the_first_the_last_and_one_in_each_while_get_through() -> None:
    reported: list[float] = []
    now_s = count()
    advance = at_most_every(10.0, reported.append, clock=lambda: float(next(now_s)))
    for number in range(101):
        advance(number / 100)
    assert reported == pytest.approx([number / 100 for number in range(0, 101, 10)])
