"""Arrays in a page: quantised to 16 bits, differences along time, deflated, base64. web/src/unpack.js reads them.

| part | what it is |
|---|---|
| `length`, `width` | frames, numbers per frame |
| `step`, `middle` | value = middle + step * whole number; -32768 stands for a missing value |
| `data` | base64 of deflated bytes: the low bytes of all differences, then the high bytes; one series after the other |

Differences of slow motion are small, so that their high bytes are nearly all 0 and -1: a minute of a full-body model
takes a tenth of what float32 would.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MISSING = -32768
_LARGEST = 32767


def pack_series(values: NDArray[np.floating], *, step: float) -> dict[str, Any]:
    """Return values over time as a page holds them.

    Args:
        values: (n, ...) numbers; those that are not finite are missing.
        step: the resolution, in their unit; it is coarser where 16 bits do not reach over all values.
    """
    table = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    finite = np.isfinite(table)
    seen = table[finite]
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)
    # Symmetric about the middle, so that all 16 bits serve the values that occur.
    middle, step = (low + high) / 2.0, max(step, (high - low) / (2.0 * _LARGEST))
    whole = np.full(table.shape, _MISSING, dtype=np.int16)
    # Clipped, or rounding at the largest value could fall on -32768, which means missing.
    whole[finite] = np.clip(np.round((seen - middle) / step), -_LARGEST, _LARGEST)
    # 16 bits wrap around, and come back when they are added up.
    differences = np.diff(whole, axis=0, prepend=np.zeros((1, table.shape[1]), np.int16)).astype("<i2")
    halves = np.ascontiguousarray(differences.T).view(np.uint8).reshape(-1, 2)
    return {
        "length": len(table),
        "width": table.shape[1],
        "step": step,
        "middle": middle,
        "data": _deflated(halves.T.tobytes()),
    }


def pack_flags(flags: NDArray[np.bool_]) -> dict[str, Any]:
    """Return (n, ...) flags over time as a page holds them: one byte each, deflated."""
    table = np.asarray(flags, dtype=np.uint8).reshape(len(flags), -1)
    return {"length": len(table), "width": table.shape[1], "data": _deflated(table.tobytes())}


def json_for_page(content: object) -> str:
    """Return JSON that can stand inside a `<script>` element, whatever its texts say."""
    # NaN is no JSON, and < would end the element where a text says </script>.
    return json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _deflated(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")
