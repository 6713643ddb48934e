"""What recordings do to single rows: a body that leaps, is scattered or lost, a limb elsewhere, exchanged markers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.builders.known_person import KnownPerson

LEAP_M = 0.5

Fault: TypeAlias = "Callable[[KnownPerson, NDArray[np.float64], np.random.Generator], NDArray[np.float64]]"
"""Person, (r, k, 3) rows of its markers, metres, and a generator -> the rows spoilt."""


def _ways(rng: np.random.Generator, *shape: int) -> NDArray[np.float64]:
    way = rng.normal(size=(*shape, 3))
    return np.asarray(LEAP_M * way / np.linalg.norm(way, axis=-1, keepdims=True))


def _leap(_: KnownPerson, rows: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    return rows + _ways(rng, len(rows), 1)


def _scatter(_: KnownPerson, rows: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    return rows + _ways(rng, *rows.shape[:2])


def _lose(_: KnownPerson, rows: NDArray[np.float64], __: np.random.Generator) -> NDArray[np.float64]:
    return np.zeros_like(rows)


def _garble(person: KnownPerson, rows: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    poses = person.unknowns(len(rows), 99)
    wild = poses + rng.normal(0.0, 1.0, poses.shape)
    return person.markers.pose(wild, person.log_factors, person.offsets_m, derivatives=False).positions_m


def _limb(person: KnownPerson, rows: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    moved, own = rows.copy(), _columns(person, "RELB", "RELBIN", "RIWR", "ROWR")
    moved[:, own] += _ways(rng, len(rows), 1)
    return moved


def _exchange(person: KnownPerson, rows: NDArray[np.float64], _: np.random.Generator) -> NDArray[np.float64]:
    moved, (left, right) = rows.copy(), _columns(person, "LKNE", "RKNE")
    moved[:, [left, right]] = rows[:, [right, left]]
    return moved


def _columns(person: KnownPerson, *wanted: str) -> list[int]:
    names = [person.markers.tree.marker_names[marker] for marker in person.markers.markers]
    return [names.index(name) for name in wanted]


WHOLE_BODY_FAULTS: dict[str, Fault] = {
    "the body leaps": _leap,
    "each marker its own way": _scatter,
    "all at the origin": _lose,
    "poses of no person": _garble,
}
"""Faults of whole rows."""

FAULTS: dict[str, Fault] = {**WHOLE_BODY_FAULTS, "a forearm leaps": _limb, "knees exchanged": _exchange}
"""All faults, by what happens."""
