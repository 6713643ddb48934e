"""Charts of the report: small pure functions from numbers to inline SVG. Lengths are pixels of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.pages.html import Html, element, join

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLUE, PALE, ORANGE, RED, LINE, TRACK = "#2b6cb0", "#9cc2e5", "#e08a1e", "#b3261e", "#8a94a0", "#e6ebf0"

_N_BINS = 30
_MOST_POINTS = 240
"""Points of a sparkline: more than one per pixel show nothing."""


def histogram(
    values: NDArray[np.float64], *, unit: str, limit: float, caption: str, size_px: tuple[int, int] = (400, 150)
) -> Html:
    """Return how values are spread, with a guideline; bars beyond it are red.

    Args:
        values: (n,) numbers; those that are not finite are left out and counted in the caption.
        unit: their unit, for the axis.
        limit: the guideline.
        caption: what the values are.
        size_px: width and height.
    """
    finite = values[np.isfinite(values)]
    lost = len(values) - len(finite)
    says = f"{caption}: median {np.median(finite):.1f} {unit}, n = {len(finite)}" if finite.size else f"{caption}: none"
    says += f", {lost} without a value" if lost else ""
    if not finite.size:
        return element("figure", element("figcaption", says))
    width, height = size_px
    # The guideline is always within the picture, also where all values are far below it.
    top = max(1.25 * limit, 1.05 * float(finite.max()))
    counts, edges = np.histogram(finite, bins=_N_BINS, range=(0.0, top))
    # Room below for the labels of the axis, and above for those of the guideline.
    step, floor = width / _N_BINS, height - 18
    tall = (floor - 14) / counts.max()
    bars = [
        _rect(
            index * step + 0.5,
            floor - count * tall,
            step - 1,
            count * tall,
            RED if edge + edges[1] / 2 > limit else BLUE,
            f"{count} between {edge:.1f} and {edge + edges[1]:.1f} {unit}",
        )
        for index, (count, edge) in enumerate(zip(counts.tolist(), edges[:-1].tolist(), strict=True))
        if count
    ]
    at, guideline = limit / top * width, f"guideline {limit:g} {unit}"
    marks = [
        _line(0, floor, width, floor, LINE),
        _line(at, 10, at, floor, RED, dashed=True),
        # On the side that is free of the other label.
        _text(at - 3, 12, guideline, anchor="end") if at > width / 2 else _text(at + 3, 12, guideline),
        _text(0, height - 4, "0"),
        _text(0, 12, f"tallest bar: {counts.max()}"),
        _text(width, height - 4, f"{top:.0f} {unit}", anchor="end"),
    ]
    return element("figure", _svg(size_px, *bars, *marks, label=says), element("figcaption", says))


def sparkline(
    times_s: NDArray[np.float64],
    values: NDArray[np.float64],
    usable: NDArray[np.bool_],
    *,
    limit: float,
    top: float,
    size_px: tuple[int, int] = (220, 36),
) -> Html:
    """Return a value over time with its guideline; frames that are not usable are red ticks below.

    Args:
        times_s: (n,) seconds.
        values: (n,) numbers; the line has a gap where they are not finite.
        usable: (n,) bool.
        limit: the guideline.
        top: value at the upper edge.
        size_px: width and height.
    """
    width, height = size_px
    span = float(times_s[-1] - times_s[0]) if len(times_s) > 1 else 0.0
    if span <= 0.0:
        return element("span", "one row", class_="remark")
    floor = height - 5
    x = (times_s - times_s[0]) / span * width
    # One tick to a pixel: thousands of bad frames would only make the file larger.
    bad = [_line(at, floor + 1, at, height, RED) for at in np.unique(x[~usable].round()).tolist()]
    parts = [
        _polyline(x[chunk], floor - np.minimum(values[chunk] / top, 1.0) * (floor - 1))
        for chunk in _finite_runs(*_thinned(values))
    ]
    guide = [_line(0, floor - limit / top * (floor - 1), width, floor - limit / top * (floor - 1), RED, dashed=True)]
    label = f"0 to {span:.1f} s, up to {top:.0f}"
    return _svg(size_px, _line(0, floor, width, floor, TRACK), *guide, *parts, *bad, label=label)


def bias_bar(bias: float, deviation: float, *, top: float, size_px: tuple[int, int] = (260, 14)) -> Html:
    """Return two bars, one above the other, on one scale: the constant part (blue) and the varying part (orange)."""
    width, height = size_px
    half = height / 2
    return _svg(
        size_px,
        _rect(0, 0, width, height, TRACK),
        _rect(0, 0, min(bias / top, 1.0) * width, half, BLUE),
        _rect(0, half, min(deviation / top, 1.0) * width, half, ORANGE),
        label=f"bias {bias:.1f}, standard deviation {deviation:.1f}",
    )


def range_bar(
    model: tuple[float, float],
    used: tuple[float, float],
    middle: tuple[float, float],
    *,
    size_px: tuple[int, int] = (220, 14),
) -> Html:
    """Return how much of a model's range was used: the range grey, all values pale, the middle of them dark.

    Args:
        model: lower and upper end of the model's range.
        used: smallest and largest value.
        middle: 5th and 95th percentile.
        size_px: width and height.
    """
    width, height = size_px
    # Values may lie beyond the model's range, and must be seen there.
    low, high = min(model[0], used[0]), max(model[1], used[1])
    scale = width / (high - low) if high > low else 0.0

    def bar(ends: tuple[float, float], colour: str, inset: float) -> Html:
        # A coordinate that never moves is still a mark.
        length = max((ends[1] - ends[0]) * scale, 1.5)
        return _rect((ends[0] - low) * scale, inset, length, height - 2 * inset, colour)

    zero = [_line(-low * scale, 0, -low * scale, height, LINE)] if low < 0.0 < high else []
    label = f"range {model[0]:z.0f} to {model[1]:z.0f}, used {used[0]:z.1f} to {used[1]:z.1f}"
    return _svg(size_px, bar(model, TRACK, 0), bar(used, PALE, 2), bar(middle, BLUE, 4), *zero, label=label)


def value_bar(value: float, *, top: float, limit: float, size_px: tuple[int, int] = (260, 12)) -> Html:
    """Return one bar with a guideline; red beyond it. A value beyond the scale fills it."""
    width, height = size_px
    # What is not determined is worse than any number: it fills the bar.
    length = width if not np.isfinite(value) else min(value / top, 1.0) * width
    at = limit / top * width
    return _svg(
        size_px,
        _rect(0, 0, width, height, TRACK),
        _rect(0, 1, length, height - 2, RED if not value <= limit else BLUE),
        _line(at, 0, at, height, RED, dashed=True),
        label=f"{value:.1f}, bound {limit:g}" if np.isfinite(value) else "undetermined",
    )


def colour_key(entries: tuple[tuple[str, str], ...]) -> Html:
    """Return what colours mean: (colour, meaning)."""
    parts = [join([element("span", class_="key", style=f"background:{colour}"), name]) for colour, name in entries]
    return element("p", *parts, class_="explanation")


def _thinned(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return values and rows of at most so many points: the largest of each group, so that no peak is lost."""
    group = -(-len(values) // _MOST_POINTS)
    if group <= 1:
        return values, np.arange(len(values))
    padded = np.full(-(-len(values) // group) * group, -np.inf)
    padded[: len(values)] = np.where(np.isfinite(values), values, -np.inf)
    rows = np.argmax(padded.reshape(-1, group), axis=1) + np.arange(0, len(padded), group)
    return values[rows], rows


def _finite_runs(values: NDArray[np.float64], rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the rows of each run of finite values."""
    finite = np.isfinite(values)
    cuts = np.flatnonzero(np.diff(finite.astype(np.int8))) + 1
    runs = zip(np.split(rows, cuts), np.split(finite, cuts), strict=True)
    return [run for run, is_finite in runs if is_finite.size and is_finite[0]]


def _svg(size_px: tuple[int, int], *content: Html, label: str) -> Html:
    width, height = size_px
    return element(
        "svg",
        element("title", label),
        *content,
        width=width,
        height=height,
        viewBox=f"0 0 {width} {height}",
        role="img",
    )


def _rect(x: float, y: float, width: float, height: float, colour: str, title: str = "") -> Html:
    inner = (element("title", title),) if title else ()
    return element(
        "rect", *inner, x=_px(x), y=_px(y), width=_px(max(width, 0.0)), height=_px(max(height, 0.0)), fill=colour
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False) -> Html:
    dashes = "4 3" if dashed else None
    return element(
        "line", x1=_px(x1), y1=_px(y1), x2=_px(x2), y2=_px(y2), stroke=colour, stroke_width=1, stroke_dasharray=dashes
    )


def _polyline(x: NDArray[np.float64], y: NDArray[np.float64]) -> Html:
    points = " ".join(f"{_px(a)},{_px(b)}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    return element("polyline", points=points, fill="none", stroke=BLUE, stroke_width=1.3)


def _text(x: float, y: float, content: str, *, anchor: str = "start") -> Html:
    return element("text", content, x=_px(x), y=_px(y), text_anchor=anchor)


def _px(value: float) -> str:
    # A tenth of a pixel is finer than screens, and keeps pages small.
    return f"{value:.1f}".removesuffix(".0")
