"""Curves of coordinates as pages hold them: values, deviation bands, masks, bounds. web/src/angles.js draws them."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.pages.packing import pack_flags, pack_series

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from movi_prep.records.solved_rows import Solved

_STEP = 0.01
"""Degrees, centimetres or milliradians."""


def coordinate_curves(
    solution: Solved,
    ranges: Mapping[str, tuple[float, float]],
    *,
    turning: Collection[str] = (),
    rows: slice = slice(None),
    held: Collection[str] = (),
) -> dict[str, Any]:
    """Return the curves of all coordinates: degrees, centimetres, or milliradians.

    A coordinate that turns a body, but not by its own value (motion type Coupled), stays in radians in OpenSim's files;
    on pages, too.

    Args:
        solution: the clip.
        ranges: coordinate -> range, rad or m.
        turning: coordinates that an axis of rotation depends on.
        rows: which rows of it.
        held: coordinates that a set-up holds at a value.
    """
    is_angle, names = solution.coordinate_is_rotation, solution.coordinate_names
    # Metres and radians would need another resolution than degrees; their parts are as fine.
    parts = [
        ("°", np.degrees(1.0)) if is_angle[at] else ("mrad", 1000.0) if name in turning else ("cm", 100.0)
        for at, name in enumerate(names)
    ]
    factors = np.array([factor for _, factor in parts])
    spread = solution.std
    return {
        "names": names,
        "units": [unit for unit, _ in parts],
        "bounds": [
            [_finite(factor * end) for end in ranges.get(name, (-np.inf, np.inf))]
            for name, factor in zip(names, factors.tolist(), strict=True)
        ],
        "remarks": [
            "held by the set-up" if name in held else "" if free else "coupled or locked"
            for name, free in zip(names, solution.free_coordinates.tolist(), strict=True)
        ],
        "values": pack_series(solution.coordinates[rows] * factors, step=_STEP),
        "deviation": None if spread is None else pack_series(spread[rows] * factors, step=_STEP),
        "valid": pack_flags(solution.coordinate_valid[rows]),
    }


def _finite(value: float) -> float | None:
    return round(value, 3) if isfinite(value) else None
