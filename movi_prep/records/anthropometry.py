"""How body sizes of people vary, and how they vary together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

LENGTH, BREADTH = "length", "breadth"
"""Dimensions of measurements that the table does not name: along y, and along x and z."""


@dataclass(frozen=True)
class Dimension:
    """One size of the body.

    Attributes:
        women_mm: mean and standard deviation.
        men_mm: the same.
        correlation: with stature, within one sex.
    """

    women_mm: tuple[float, float]
    men_mm: tuple[float, float]
    correlation: float

    @property
    def between(self) -> float:
        """Half the difference between men and women, of the logarithm."""
        return float(0.5 * np.log(self.men_mm[0] / self.women_mm[0]))

    @property
    def within(self) -> float:
        """Standard deviation of the logarithm within one sex."""
        women, men = (deviation / mean for mean, deviation in (self.women_mm, self.men_mm))
        # The mean of both variances: the table holds for a group of women and men in equal parts.
        return float(np.sqrt(0.5 * (women**2 + men**2)))


@dataclass(frozen=True)
class Anthropometry:
    """A table of dimensions.

    Attributes:
        dimensions: by name; `LENGTH` and `BREADTH` are among them.
        of_measurement: which dimension a measurement has, by its name.
        source: the file, for messages.
    """

    dimensions: Mapping[str, Dimension]
    of_measurement: Mapping[str, str]
    source: str

    def log_covariance(self, measurements: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """Return the (g, g) covariance of the logarithms of body sizes.

        Args:
            measurements: (name, axes) of each, axes a subset of "XYZ".
        """
        # OpenSim's bodies have y along the bone: what scales y is a length.
        kinds = [self.of_measurement.get(name, LENGTH if "Y" in axes else BREADTH) for name, axes in measurements]
        found = [self.dimensions[kind] for kind in kinds]
        between = np.array([one.between for one in found])
        within = np.array([one.within for one in found])
        # Sex and stature move all sizes together, each by its own loading; the rest of a size is its own.
        shared = within * np.array([one.correlation for one in found])
        own = within**2 - shared**2
        return np.asarray(np.outer(between, between) + np.outer(shared, shared) + np.diag(own))
