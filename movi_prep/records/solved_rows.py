"""A solution without its markers and bodies: of them only what they miss by.

A clip of an hour has gigabytes of markers and rotations of bodies; its angles and residuals are a tenth of that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from movi_prep.records.ik_solution import IkSolution, is_usable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class VectorMean:
    """The mean of vectors, and how they vary about it; sums of parts are those of the whole.

    Attributes:
        n_rows: how many vectors.
        mean_mm: (3,) their mean, millimetres.
        squares_mm2: sum of their squared distances from it.
    """

    n_rows: int
    mean_mm: NDArray[np.float64]
    squares_mm2: float

    @classmethod
    def of(cls, vectors_mm: NDArray[np.float64]) -> VectorMean:
        """Return that of (n, 3) vectors."""
        if not len(vectors_mm):
            return cls(0, np.zeros(3), 0.0)
        mean = vectors_mm.mean(axis=0)
        return cls(len(vectors_mm), mean, float(np.sum((vectors_mm - mean) ** 2)))

    def __add__(self, other: VectorMean) -> VectorMean:
        """Return that of both (Chan, Golub and LeVeque 1983: stable where a sum of squares would not be)."""
        n_rows = self.n_rows + other.n_rows
        if not n_rows:
            return self
        apart = other.mean_mm - self.mean_mm
        squares = self.squares_mm2 + other.squares_mm2
        squares += float(apart @ apart) * self.n_rows * other.n_rows / n_rows
        return VectorMean(n_rows, self.mean_mm + apart * (other.n_rows / n_rows), squares)


@dataclass(frozen=True, eq=False)
class MarkerMiss:
    """The residual vectors of a marker, model minus data, over usable frames.

    Attributes:
        in_ground: in OpenSim ground.
        on_body: in the frame of the marker's body; None where the solution does not have it.
    """

    in_ground: VectorMean
    on_body: VectorMean | None

    def __add__(self, other: MarkerMiss) -> MarkerMiss:
        """Return those of both."""
        bodies = None if self.on_body is None or other.on_body is None else self.on_body + other.on_body
        return MarkerMiss(self.in_ground + other.in_ground, bodies)


@dataclass(frozen=True, eq=False)
class SolvedRows:
    """A solution without its markers and bodies; fields are named as in `IkSolution`.

    Attributes:
        solver, times_s, statuses, coordinate_names, coordinate_is_rotation, coordinates, coordinate_valid,
            free_coordinates, marker_names, marker_weights, posterior_std, label_std: as in `IkSolution`.
        misses_m: (n, m) float64, metres, the distance between the model's and the data's marker; NaN where not seen.
        misses: weighted marker -> its residual vectors.
    """

    solver: str
    times_s: NDArray[np.float64]
    statuses: NDArray[np.int8]
    coordinate_names: tuple[str, ...]
    coordinate_is_rotation: NDArray[np.bool_]
    coordinates: NDArray[np.float64]
    coordinate_valid: NDArray[np.bool_]
    free_coordinates: NDArray[np.bool_]
    marker_names: tuple[str, ...]
    marker_weights: NDArray[np.float64]
    posterior_std: NDArray[np.float64] | None
    label_std: NDArray[np.float64] | None
    misses_m: NDArray[np.float64]
    misses: Mapping[str, MarkerMiss]

    @property
    def n_rows(self) -> int:
        """Number of solved frames."""
        return len(self.times_s)

    @property
    def std(self) -> NDArray[np.float64] | None:
        """(n, c) rad or m, how far each label may be off, as in `IkSolution`."""
        return self.posterior_std if self.label_std is None else self.label_std

    def residuals_m(self) -> NDArray[np.float64]:
        """Return (n, m) float64, metres, as `IkSolution` does."""
        return self.misses_m

    def usable(self) -> NDArray[np.bool_]:
        """Return (n,) bool: frames whose status allows labels."""
        return is_usable(self.statuses)

    def only_angles(self) -> SolvedRows:
        """Return the same without distances and deviations, for sums over all clips of a subject."""
        return replace(self, misses_m=self.misses_m[:0], posterior_std=None, label_std=None)


Solved: TypeAlias = IkSolution | SolvedRows
"""A solution, whole or without its markers and bodies."""
