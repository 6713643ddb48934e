"""Arrays of pages: what comes out is what went in, to the stated resolution; texts cannot leave their element."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from movi_prep.pages.packing import json_for_page, pack_flags, pack_series


def unpack(packed: dict[str, Any]) -> NDArray[np.float64]:
    """Return the values as web/src/unpack.js finds them, (length, width)."""
    raw = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), np.uint8)
    low, high = raw.reshape(2, packed["width"], packed["length"]).astype(np.int64)
    wrapped = (np.cumsum(low + 256 * high, axis=1) + 32768) % 65536 - 32768
    values = packed["middle"] + wrapped * packed["step"]
    return np.where(wrapped == -32768, np.nan, values).T


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e4], ids=["metres", "millimetres", "far"])
def test_values_come_back_to_half_a_step(scale: float) -> None:
    values = scale * np.random.default_rng(1).normal(size=(50, 4, 3)).cumsum(axis=0)
    packed = pack_series(values, step=1e-4)
    assert np.abs(unpack(packed) - values.reshape(50, 12)).max() <= 0.51 * packed["step"]
    assert packed["step"] == max(1e-4, np.ptp(values) / 65534)


def test_what_is_missing_stays_missing_and_costs_its_neighbours_nothing() -> None:
    values = np.linspace(-1.0, 1.0, 30)[:, None] * [1.0, 2.0]
    values[7, 0], values[0, 1], values[-1] = np.nan, np.inf, -np.inf
    back = unpack(pack_series(values, step=1e-3))
    assert (np.isnan(back) == ~np.isfinite(values)).all()
    assert np.nanmax(np.abs(back - values)[np.isfinite(values)]) <= 0.51e-3


def test_nothing_at_all_can_be_packed() -> None:
    assert np.isnan(unpack(pack_series(np.full((3, 2), np.nan), step=0.1))).all()
    assert unpack(pack_series(np.zeros((4, 0)), step=0.1)).shape == (4, 0)


def test_slow_motion_takes_a_third_of_single_precision_or_less() -> None:
    times = np.linspace(0.0, 20.0, 600)[:, None]
    phases = np.random.default_rng(2).uniform(0, 6, 90)
    motion = np.sin(times + phases)
    assert len(pack_series(motion, step=2.5e-4)["data"]) < motion.astype(np.float32).nbytes / 3


def test_flags_are_bytes_frame_by_frame() -> None:
    flags = np.array([[True, False, True], [False, False, True]])
    packed = pack_flags(flags)
    raw = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), np.uint8)
    assert raw.reshape(packed["length"], packed["width"]).tolist() == flags.astype(int).tolist()


def test_no_text_ends_the_element_that_holds_it() -> None:
    nasty = {"name": "</script><script>alert(1)</script><!--", "line": "a\u2028b"}
    text = json_for_page(nasty)
    assert "<" not in text
    assert json.loads(text) == nasty


def test_what_is_no_json_is_an_error_here_and_not_in_the_browser() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_for_page({"value": float("nan")})
