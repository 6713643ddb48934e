"""Noise of skin markers against the bone: a model per segment, in which neighbouring markers move together.

| part      | covariance of two markers i, j of one segment              | over time                        |
|-----------|------------------------------------------------------------|----------------------------------|
| skin      | field_sd_m^2 exp(-distance_ij / field_length_m) per axis   | exp(-lag / correlation_s)        |
| placement | placement_sd_m^2 where i = j, else 0                       | constant                         |
| scale     | every segment is longer or shorter by the factor scale_sd  | constant                         |

Markers of different segments, and of left and right, are independent in skin and placement.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SIDES = ("_r", "_l")
"""Endings of bodies that exist on both sides; a body without one belongs to no side, or to the right one."""


@dataclass(frozen=True)
class SegmentNoise:
    """The skin of one segment.

    Attributes:
        name: name of the segment, or "default".
        bodies: patterns of the names of its bodies, without the ending for the side: `femur`, `lumbar*`.
        field_sd_m: standard deviation of the skin field per axis, metres.
        field_length_m: distance over which its correlation falls to 1/e, metres.
        correlation_s: time in which its correlation falls to 1/e, seconds.
        source: where the numbers come from.
    """

    name: str
    bodies: tuple[str, ...]
    field_sd_m: float
    field_length_m: float
    correlation_s: float
    source: str

    def carries(self, body: str) -> bool:
        """Return whether a body belongs to the segment."""
        return any(fnmatchcase(without_side(body), pattern) for pattern in self.bodies)


@dataclass(frozen=True)
class MarkerNoise:
    """The whole model.

    Attributes:
        name: name of the model.
        segments: segments by their bodies; the first one that carries a body counts.
        other: the segment of all other bodies.
        placement_sd_m: standard deviation of where a marker sits on its body, per axis, metres.
        scale_sd: relative standard deviation of the size of a segment.
    """

    name: str
    segments: tuple[SegmentNoise, ...]
    other: SegmentNoise
    placement_sd_m: float
    scale_sd: float

    def segment_of(self, body: str) -> SegmentNoise:
        """Return the segment of a body."""
        return next((segment for segment in self.segments if segment.carries(body)), self.other)

    @property
    def correlation_s(self) -> float:
        """The longest correlation time of any skin, seconds: frames that far apart are nearly independent."""
        return max(segment.correlation_s for segment in (*self.segments, self.other))


def without_side(body: str) -> str:
    """Return the name of a body without the ending for its side."""
    return next((body.removesuffix(side) for side in SIDES if body.endswith(side)), body)


def segment_groups(noise: MarkerNoise, bodies: Sequence[str]) -> tuple[NDArray[np.int64], list[SegmentNoise]]:
    """Return (b,) the group of each body, and the segment of each group: left and right are groups of their own.

    Bodies that no segment carries are each a group of their own: nothing shows that their markers move together.
    """
    groups: dict[tuple[str, str], int] = {}
    segments: list[SegmentNoise] = []
    numbers = np.empty(len(bodies), dtype=np.int64)
    for number, body in enumerate(bodies):
        segment, stem = noise.segment_of(body), without_side(body)
        # The side is what the stem leaves: `femur_l` and `femur_r` are two groups of one segment.
        key = (body, "") if segment is noise.other else (segment.name, body.removeprefix(stem))
        if key not in groups:
            groups[key] = len(segments)
            segments.append(segment)
        numbers[number] = groups[key]
    return numbers, segments


def effective_frames(n_frames: int, rate_hz: float, correlation_s: float) -> float:
    """Return the number of independent frames that would give a mean the same variance as these correlated ones.

    The variance of the mean of n samples with correlation r_k at lag k is 1/n (1 + 2 sum_k (1 - k/n) r_k)
    (Priestley 1981, Spectral Analysis and Time Series, 5.3).
    """
    lags = np.arange(1, n_frames)
    # A correlation time of 0 means independent frames, not a division by 0.
    correlation = np.exp(-lags / (rate_hz * correlation_s)) if correlation_s > 0 else np.zeros(len(lags))
    return float(n_frames / (1.0 + 2.0 * np.sum((1.0 - lags / n_frames) * correlation)))
