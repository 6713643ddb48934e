"""Which coordinates may be trained on: the landmark rule, built from the same names as the values.

A coordinate is invalid in a frame where a landmark of its body misses by more than the bound. A body's landmarks are
the markers on it whose weight is at least the landmark weight; the coordinate's body is the child of its joint.
The bodies of a group (a shoulder) share their landmarks: one that misses invalidates the coordinates of all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.records.checks import check_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

SHOULDERS = (
    ("clavicle", "clavphant", "scapula", "scapphant", "humphant", "humphant1"),
    ("clavicle_l", "clavphant_l", "scapula_l", "scapphant_l", "humphant_l", "humphant1_l"),
)
"""Bodies of the right and left shoulder, as in `opensim_models/labels_d3ke.yaml`."""


@dataclass(frozen=True)
class LandmarkRule:
    """The rule by which a landmark invalidates coordinates.

    Attributes:
        landmark_weight: a marker whose weight is at least this is a landmark.
        limit_m: how far a landmark may miss, metres.
        groups: bodies that share their landmarks.
    """

    landmark_weight: float
    limit_m: float
    groups: tuple[tuple[str, ...], ...] = SHOULDERS


def coordinate_validity(
    residuals_m: NDArray[np.float64],
    usable: NDArray[np.bool_],
    *,
    landmarks: Sequence[str | None],
    coordinate_bodies: Sequence[str],
    rule: LandmarkRule,
) -> NDArray[np.bool_]:
    """Return (n, c) bool: the coordinates of each frame that may be trained on.

    Args:
        residuals_m: (n, m) metres, distance between model and observed marker; NaN where not seen, which says
            nothing against the body.
        usable: (n,) frames whose status allows labels.
        landmarks: (m,) body of each marker that is a landmark, None for the others (see `landmark_bodies`).
        coordinate_bodies: (c,) body of each coordinate.
        rule: the bound and the groups.
    """
    check_shape(residuals_m, (len(usable), len(landmarks)), what="residuals", where="landmark rule")
    # A comparison with NaN is false, so a missing landmark invalidates nothing.
    misses = residuals_m > rule.limit_m
    valid = np.repeat(np.asarray(usable, dtype=bool)[:, None], len(coordinate_bodies), axis=1)
    for body in sorted({name for name in landmarks if name is not None}):
        missed = misses[:, [column for column, name in enumerate(landmarks) if name == body]].any(axis=1)
        # The joints of a shoulder share their markers: one that misses leaves none of them decided.
        spoiled = _sharing(body, rule.groups)
        columns = [column for column, name in enumerate(coordinate_bodies) if name in spoiled]
        valid[np.ix_(np.flatnonzero(missed), np.array(columns, dtype=np.int64))] = False
    return valid


def landmark_bodies(
    marker_names: Sequence[str],
    marker_weights: NDArray[np.float64],
    marker_bodies: Mapping[str, str],
    rule: LandmarkRule,
) -> tuple[str | None, ...]:
    """Return (m,) the body of each marker that is a landmark by its weight, None for the others."""
    return tuple(
        marker_bodies[name] if weight >= rule.landmark_weight else None
        for name, weight in zip(marker_names, marker_weights.tolist(), strict=True)
    )


def _sharing(body: str, groups: tuple[tuple[str, ...], ...]) -> frozenset[str]:
    return frozenset({body}.union(*(group for group in groups if body in group)))
