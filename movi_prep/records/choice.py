"""The choice of subjects and clips: by name, by pattern, or by BML-MoVi's numbers and ranges of them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from movi_prep.names import range_of
from movi_prep.records.bmlmovi_names import number_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


def numbers_in(entries: Iterable[str]) -> tuple[int, ...]:
    """Return the numbers that entries stand for (15 for `S015`), each once.

    Raises:
        ValueError: an entry stands for no number.
    """
    found: dict[int, None] = {}
    for entry in entries:
        numbers, named = range_of(entry), number_of(entry)
        if numbers is None and named is None:
            raise ValueError(f"expected numbers like '1,15' or '1-5', but got {entry!r}")
        # = dict.fromkeys|A dict keeps the order of the entries, and each number once.
        found |= dict.fromkeys(numbers if numbers is not None else (named or 0,))
    return tuple(found)


def choose_names(entries: Iterable[str], there: Collection[str]) -> tuple[set[str], list[str]]:
    """Return the names that entries stand for, and the entries (or single numbers of a range) that match none.

    An entry is a name; else BML-MoVi's number or a range of numbers; else a pattern with `*` and `?`.
    """
    numbered = {number: name for name in there if (number := number_of(name)) is not None}
    chosen: set[str] = set()
    absent: list[str] = []
    for entry in entries:
        numbers = range_of(entry)
        # The name first: a clip may be called `1-5`.
        if entry in there:
            chosen.add(entry)
        elif numbers is not None:
            chosen |= {numbered[number] for number in numbers if number in numbered}
            absent += [str(number) for number in numbers if number not in numbered]
        else:
            met = {name for name in there if fnmatchcase(name, entry)}
            chosen |= met
            absent += [] if met else [entry]
    return chosen, list(dict.fromkeys(absent))
