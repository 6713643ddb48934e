"""How far work has come, reported while it is under way: one function that the caller hands in.

A fraction is of the work that the function was handed to, from 0.0 to 1.0. Whoever does the work calls it as often as
is convenient; the one who hands it in decides how often anything is shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias, TypeVar

Advance: TypeAlias = Callable[[float], None]
"""Receives the fraction that is done."""

Item = TypeVar("Item")


def unheard(fraction: float) -> None:
    """Receive how far work has come, for callers who do not ask."""


def advancing(items: Iterable[Item], advance: Advance, *, total: int) -> Iterator[Item]:
    """Yield the items; report after each one which share of `total` is through.

    The items may be more or fewer than `total`, as where their number is an estimate: no fraction exceeds 1.
    """
    for number, item in enumerate(items, start=1):
        yield item
        advance(min(number / max(total, 1), 1.0))


def counted(take: Callable[[Item], None], advance: Advance, *, total: int) -> Callable[[Item], None]:
    """Return `take`, which reports after each call which share of `total` calls is through."""
    n_taken = 0

    def take_and_report(item: Item) -> None:
        nonlocal n_taken
        take(item)
        n_taken += 1
        advance(min(n_taken / max(total, 1), 1.0))

    return take_and_report


def between(advance: Advance, begin: float, end: float) -> Advance:
    """Return the function for the part of the work that takes it from one fraction to another."""

    def advance_part(fraction: float) -> None:
        advance(begin + (end - begin) * fraction)

    return advance_part


def at_most_every(seconds: float, advance: Advance, *, clock: Callable[[], float] = time.monotonic) -> Advance:
    """Return the function without calls that follow another within some seconds; the first and the last get through."""
    reported_s = -float("inf")

    def advance_now_and_then(fraction: float) -> None:
        nonlocal reported_s
        now_s = clock()
        if now_s - reported_s >= seconds or fraction >= 1.0:
            reported_s = now_s
            advance(fraction)

    return advance_now_and_then
