"""Curves of every clip's angles over time, on the page of a subject or of trials: drawn when they are opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from movi_prep.pages.curves import coordinate_curves
from movi_prep.pages.html import Html, element, join, missing, section
from movi_prep.pages.packing import json_for_page
from movi_prep.plain_text import count_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from movi_prep.records.identity import ClipId
    from movi_prep.records.solved_rows import Solved

_MOST_FRAMES = 240
"""Frames of a curve: a chart is hardly wider."""


@dataclass(frozen=True, eq=False)
class ClipCurves:
    """The curves of one clip.

    Attributes:
        name: the clip, or the name of a trial.
        n_rows: solved frames.
        data: the numbers that the page's script draws.
        page: address of the page on which the clip moves, "" if there is none.
    """

    name: str
    n_rows: int
    data: Mapping[str, Any]
    page: str = ""


def measure_curves(
    clip: ClipId | str,
    solution: Solved,
    ranges: Mapping[str, tuple[float, float]],
    *,
    turning: Collection[str] = (),
    held: Collection[str] = (),
    page: str = "",
) -> ClipCurves:
    """Return the curves of a solution, of no more frames than a chart shows."""
    # Rounded up, so that a curve never has more frames than the limit.
    rows = slice(None, None, max(1, -(-solution.n_rows // _MOST_FRAMES)))
    return ClipCurves(
        name=str(clip),
        n_rows=solution.n_rows,
        data={
            "times": [round(time, 3) for time in solution.times_s[rows].tolist()],
            "usable": solution.usable()[rows].tolist(),
            "coordinates": coordinate_curves(solution, ranges, turning=turning, rows=rows, held=held),
            "stride": rows.step,
            "page": page,
        },
        page=page,
    )


def curves_section(curves: Sequence[ClipCurves]) -> Html:
    """Return the curves of all clips, each behind its name."""
    says = (
        "Each angle over time. Band: one standard deviation (docs/deviation.md); dashed: bounds of the model; red "
        "ground: masked by the landmark rule, or no usable pose. A click on a curve opens the frame, if the clip has "
        "a page (movi-prep view)."
    )
    if not curves:
        return section("Angles", says, missing("Solutions", "movi-prep ik"))
    return section("Angles", says, *(_clip(index, item) for index, item in enumerate(curves)))


def _clip(index: int, item: ClipCurves) -> Html:
    link = join([" · ", element("a", "moving", href=item.page)]) if item.page else ""
    return element(
        "details",
        element("summary", item.name, f" ({count_of(item.n_rows, 'frame')})", link),
        element("script", Html(json_for_page(item.data)), type="application/json"),
        class_="curves",
        id=f"curves-{index}",
    )
