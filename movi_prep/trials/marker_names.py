"""Markers whose names differ from the model's by case, blanks, a prefix or a suffix: one reading for a whole file.

`Subject1:LASI`, `lasi` and `LASI ` are the model's `LASI` where all names of the file are read in one and the same way,
no two of them become one, and more markers are found than by the unchanged names.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from movi_prep.errors import InputError, list_names
from movi_prep.plain_text import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from movi_prep.records.markers import MarkerTrajectories

LEAST_BY_END = 3
"""Least number of names that a prefix or suffix must match, besides half of all, because a few match by chance."""

LEAST_SHARE = 0.2
"""A trial of the legs has a third to a half of a full-body set; where fewer of the tracked markers than this are in the
file, names do not fit, and what is fitted to the rest (ten fingers of 88 markers) is no pose."""


@dataclass(frozen=True)
class _Reading:
    """One way to read the names of a file: how, in words, and what becomes of a name."""

    how: str
    read: Callable[[str], str]


def match_marker_names(names: Sequence[str], wanted: Collection[str]) -> tuple[dict[str, str], str]:
    """Return which names of a file match which wanted ones, and the reading; "" for unchanged names.

    Args:
        names: marker names of the file.
        wanted: names of the model or set-up.

    Returns:
        name of the file -> wanted name, for those that differ, and the reading in words.
    """
    exact = set(names) & set(wanted)
    best: dict[str, str] = {}
    how = ""
    for reading in _readings(names, wanted):
        found = _find(names, wanted, reading)
        # A reading that loses a marker is not the one that fits all.
        # More markers, not as many: with equal success the milder reading stands, and unchanged names before all.
        if len(found) > max(len(exact), len(best)) and all(found.get(name) == name for name in exact):
            best, how = found, reading.how
    return {name: other for name, other in best.items() if name != other}, how


def read_names_as(markers: MarkerTrajectories, wanted: Collection[str]) -> tuple[MarkerTrajectories, tuple[str, ...]]:
    """Return the trajectories under the wanted names if one reading fits, and a finding that says which."""
    renamed, how = match_marker_names(markers.names, wanted)
    if not renamed:
        return markers, ()
    example = next(iter(renamed.items()))
    names = tuple(renamed.get(name, name) for name in markers.names)
    finding = f"{count_of(len(renamed), 'marker name')} matched {how}: {example[0]!r} is {example[1]!r}"
    return replace(markers, names=names), (finding,)


def check_names_fit(names: Iterable[str], weights: Mapping[str, float], *, source: str) -> None:
    """Raise InputError where a file has too few of the markers that a set-up tracks for any pose.

    Args:
        names: marker names of the file, as they were matched.
        weights: marker -> weight of the set-up, markers of the model only.
        source: the file, for the message.
    """
    tracked = {name for name, weight in weights.items() if weight > 0}
    found = tracked & set(names)
    if len(found) >= LEAST_SHARE * len(tracked):
        return
    raise InputError(
        source,
        expected=f"markers that the set-up tracks ({len(tracked)}: {list_names(tracked)})",
        got=f"{len(found)} of them among {list_names(names)}",
        remedy="rename the markers of the file or of the set-up; a set-up for part of the body tracks its markers only",
    )


def _readings(names: Sequence[str], wanted: Collection[str]) -> list[_Reading]:
    """Return the ways to read names, the mildest first."""
    ways = [_Reading("without case and blanks", _folded)]
    ways += [_Reading("without the part before the last ':'", lambda name: _folded(name.rpartition(":")[2]))]
    how: dict[str, Callable[[str], Callable[[str], str]]] = {
        "in front": lambda end: lambda name: _folded(name).removeprefix(end),
        "behind": lambda end: lambda name: _folded(name).removesuffix(end),
        "in front, which the file lacks": lambda end: lambda name: end + _folded(name),
        "behind, which the file lacks": lambda end: lambda name: _folded(name) + end,
    }
    return ways + [_Reading(f"by {end!r} {where}", how[where](end)) for where, end in _ends(names, wanted)]


def _ends(names: Sequence[str], wanted: Collection[str]) -> list[tuple[str, str]]:
    """Return where an end stands by which most names differ from wanted ones, and the end; unlabelled points aside.

    If two ends match as many names (two people in one file), the choice is ambiguous and neither is used.
    """
    ends: dict[str, Counter[str]] = defaultdict(Counter)
    for name in {_folded(name) for name in names}:
        for other in {_folded(other) for other in wanted} - {name, ""}:
            if name and other.endswith(name):
                ends["in front, which the file lacks"][other.removesuffix(name)] += 1
            if name and other.startswith(name):
                ends["behind, which the file lacks"][other.removeprefix(name)] += 1
            if name.endswith(other):
                ends["in front"][name.removesuffix(other)] += 1
            if name.startswith(other):
                ends["behind"][name.removeprefix(other)] += 1
    least = max(LEAST_BY_END, min(len(names), len(wanted)) / 2)
    found = []
    for where, counts in ends.items():
        (end, count), *others = counts.most_common(2)
        if count >= least and all(other < count for _, other in others):
            found.append((where, end))
    return found


def _find(names: Sequence[str], wanted: Collection[str], reading: _Reading) -> dict[str, str]:
    """Return name -> wanted name under a reading; nothing where two names become one."""
    # The wanted names keep their own prefixes: only case and blanks are laid aside on both sides.
    targets: dict[str, str] = {}
    for name in wanted:
        if targets.setdefault(_folded(name), name) != name:
            return {}
    found: dict[str, str] = {}
    for name in names:
        target = targets.get(_folded(reading.read(name)))
        if target is not None:
            if target in found.values():
                return {}
            found[name] = target
    return found


def _folded(name: str) -> str:
    return name.strip().casefold()
