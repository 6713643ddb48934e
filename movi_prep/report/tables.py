"""Tables that the corpus page and the subjects' pages share."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.pages.html import Html, badge, bullets, counted, element, folded, join, judged, markup, table
from movi_prep.report.charts import sparkline
from movi_prep.report.verdicts import IK_RMS_LIMIT_MM, judge_max, judge_rms, judge_valid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from movi_prep.formats.unit_outcome import Outcome
    from movi_prep.records.alignment import ClipAlignment
    from movi_prep.records.identity import ClipId
    from movi_prep.report.looks import Look
    from movi_prep.report.measures import ClipMeasures
    from movi_prep.report.work import PictureFacts, ShardFacts

CLIP_COLUMNS = (
    *("clip", "frames#", "usable#", "landmarks RMS, mm#", "tracking RMS, mm#", "all RMS, mm#"),
    *("largest, mm#", "at", "valid angles, %#", "jitter, deg#", "most in", "all markers' RMS over time"),
)

SPARKLINE_PX = (150, 36)
"""So narrow that the table of clips fits on a page 1300 pixels wide."""

N_BESIDE = 20
N_SHOWN = 10
"""Entries of a list that are shown before the rest is folded."""


def number(value: float | None, digits: int = 1) -> str:
    """Return a number for a table, `-` where there is none."""
    if value is None or not isfinite(value):
        return "-"
    text = f"{value:.{digits}f}"
    # Minus zero is a number that was rounded, not a result.
    return text.removeprefix("-") if float(text) == 0.0 else text


def span(low: float, high: float, digits: int = 1) -> str:
    """Return two numbers as a range that is not broken over lines."""
    return f"{number(low, digits)}\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}{number(high, digits)}"


def clip_rows(
    clips: Iterable[ClipMeasures], *, links: bool = False, pages: Mapping[str, str] | None = None
) -> list[list[object]]:
    """Return the rows of a table of clips (`CLIP_COLUMNS`).

    Args:
        clips: in numbers.
        links: whether names lead to the page of the subject.
        pages: name of a clip -> address of the page on which it moves: names and largest residuals lead there.
    """
    return [
        [
            _linked_name(clip, links, pages or {}),
            clip.n_rows,
            clip.n_usable if clip.n_usable == clip.n_rows else judged(str(clip.n_usable), "check"),
            judged(number(clip.landmark_rms_mm), judge_rms(clip.landmark_rms_mm)),
            judged(number(clip.tracking_rms_mm), judge_rms(clip.tracking_rms_mm)),
            judged(number(clip.marker_rms_mm), judge_rms(clip.marker_rms_mm)),
            judged(number(clip.max_mm), judge_max(clip.max_mm)),
            _largest_at(clip, (pages or {}).get(str(clip.clip))),
            judged(number(clip.valid_percent), judge_valid(clip.valid_percent)),
            number(clip.jitter_deg, 2),
            clip.jitter_most_in,
            sparkline(
                clip.times_s,
                clip.frame_rms_mm,
                clip.usable,
                limit=IK_RMS_LIMIT_MM,
                # One scale for all clips, so that lines can be compared; twice the guideline puts it at half height.
                top=2 * IK_RMS_LIMIT_MM,
                size_px=SPARKLINE_PX,
            ),
        ]
        for clip in clips
    ]


def _linked_name(clip: ClipMeasures, links: bool, pages: Mapping[str, str]) -> object:
    name = str(clip.clip)
    if links:
        return element("a", name, href=f"{name.split('/', maxsplit=1)[0]}.html")
    return element("a", name, href=pages[name]) if name in pages else name


def _largest_at(clip: ClipMeasures, page: str | None) -> object:
    if not isfinite(clip.max_mm):
        return ""
    text = Html(f"{markup(clip.max_marker)}, {number(clip.max_time_s, 2)}&nbsp;s")
    # The viewer counts frames, the measures seconds.
    row = int(np.argmin(np.abs(clip.times_s - clip.max_time_s)))
    return element("a", text, href=f"{page}#frame={row}") if page else text


def status_sentence(clips: Sequence[ClipMeasures]) -> str:
    """Return frames by status, in words."""
    counts: dict[str, int] = {}
    for clip in clips:
        for name, count in clip.statuses.items():
            counts[name] = counts.get(name, 0) + count
    total = sum(counts.values())
    said = ", ".join(
        f"{count} {name.replace('_', ' ')} ({count / total:.1%})" for name, count in sorted(counts.items())
    )
    return f"Frames by status: {said}." if counts else "No frames."


def alignment_table(clips: Iterable[ClipAlignment]) -> Html:
    """Return how clips agree with their session and the video's clock."""
    columns = (
        *("clip", "motion", "video frames#", "lag, ms#", "motion that differs, %#", "rotation, deg#", "offset, mm#"),
        *("rest, mm#", "state"),
    )
    rows = [
        [
            str(clip.timeline.clip),
            clip.timeline.motion,
            f"{clip.timeline.n_frames} of {clip.n_video_frames}",
            number(_scaled(clip.lag_s, 1e3), 2),
            number(_scaled(clip.mismatch, 100.0)),
            number(clip.rotation_deg, 2),
            number(_scaled(clip.offset_m, 1e3)),
            number(_scaled(clip.rms_m, 1e3)),
            join([badge("bad", "suspect"), " ", "; ".join(clip.suspicions)]) if clip.is_suspect else badge("good"),
        ]
        for clip in clips
    ]
    return table(columns, rows)


def picture_table(pictures: Iterable[PictureFacts]) -> Html:
    """Return how well pictures agree with the projected body."""
    columns = (
        *("clip", "camera", "agreement#", "change on the body, %#", "by chance, %#", "late, ms#", "right, px#"),
        *("below, px#", "other camera", "its agreement#", "state"),
    )
    rows = [
        [
            str(item.clip),
            item.camera,
            number(item.agreement, 2) if isfinite(item.agreement) else "not judged",
            number(100.0 * item.on_body),
            number(100.0 * item.by_chance),
            number(item.lag_ms),
            number(item.offset_px[0]),
            number(item.offset_px[1]),
            item.other_camera,
            number(item.other_agreement, 2),
            badge("bad" if item.state == "suspect" else "check", item.state) if item.state else badge("good"),
        ]
        for item in pictures
    ]
    return table(columns, rows)


SHARD_COLUMNS = (
    *("shard", "rows#", "used rows#", "clips#", "size, MB#", "per row, kB#", "pictures", "valid labels, %#"),
    *("refused frames#", "reasons"),
)


def shard_rows(shards: Iterable[ShardFacts]) -> list[list[object]]:
    """Return the rows of a table of shards (`SHARD_COLUMNS`)."""
    return [
        [
            shard.path.name,
            shard.n_rows,
            shard.n_used,
            shard.n_clips,
            number(shard.n_bytes / 1e6),
            number(shard.n_bytes / 1e3 / shard.n_rows if shard.n_rows else None),
            shard.picture,
            number(shard.valid_percent),
            counted(shard.n_refused, "check", "refused"),
            refusal_reasons(shard),
        ]
        for shard in shards
    ]


def refusal_reasons(shard: ShardFacts) -> str:
    """Return why frames were refused, with numbers of frames."""
    counts: dict[str, int] = {}
    for first, last, reason in shard.refused:
        counts[reason] = counts.get(reason, 0) + last - first + 1
    return "; ".join(f"{count}: {reason}" for reason, count in sorted(counts.items())) or "none"


def failure_list(failures: Sequence[Outcome]) -> Html:
    """Return failed units with the command that repeats each."""
    items = [
        join(
            [
                element("strong", f"{failure.stage} {failure.key}"),
                f": {failure.reason}",
                *((element("br"), "redo: ", element("code", failure.redo)) if failure.redo else ()),
            ]
        )
        for failure in failures
    ]
    return shortened(items) if items else element("p", "No unit failed.")


def finding_list(outcomes: Iterable[Outcome]) -> Html:
    """Return the stages' warnings and findings, warnings first."""
    units = list(outcomes)
    said = [f"{unit.stage} {unit.key}: warning: {text}" for unit in units for text in unit.warnings]
    said += [f"{unit.stage} {unit.key}: {text}" for unit in units for text in unit.findings]
    return shortened(said) if said else element("p", "None.")


def look_list(found: Sequence[Look], *, at_most: int) -> Html:
    """Return one line for each thing to look at: the problem, its meaning, and what to do."""
    if not found:
        return element("p", "No value is marked.")
    items = [
        element(
            "li",
            element("div", badge(look.verdict, "" if look.verdict == "check" else "problem"), " ", look.says),
            element("div", look.means, class_="means"),
            element("div", look.remedy, class_="remedy"),
        )
        for look in found
    ]
    rest = folded(f"{len(items) - at_most} more", element("ul", *items[at_most:], class_="looks"))
    return join([element("ul", *items[:at_most], class_="looks"), rest if len(items) > at_most else ""])


def shortened(items: Sequence[object], *, at_most: int = N_SHOWN) -> Html:
    """Return a list whose end opens on a click."""
    rest = folded(f"{len(items) - at_most} more", bullets(items[at_most:]))
    return join([bullets(items[:at_most]), rest if len(items) > at_most else ""])


def beside_table(clips: Sequence[ClipMeasures], beside: Mapping[ClipId | str, ClipMeasures]) -> Html:
    """Return residuals of two solutions of the same clips side by side: medians, then the most different clips."""
    pairs = [(clip, beside[clip.clip]) for clip in clips if clip.clip in beside]
    columns = ("clip", *(f"{name}#" for name in _BESIDE))
    values = [(str(ours.clip), _beside_values(ours, theirs)) for ours, theirs in pairs]
    # By how much the two differ, not by which is better.
    values.sort(key=lambda item: (-abs(np.nan_to_num(item[1][0] - item[1][1])), item[0]))
    medians = _column_medians(np.array([numbers for _, numbers in values]))
    rows = [[element("strong", "median"), *_beside_cells(medians)]] if len(pairs) > 1 else []
    rows += [[clip, *_beside_cells(numbers)] for clip, numbers in values]
    return table(columns, rows, shown=N_BESIDE)


_BESIDE = (
    *("common markers RMS, mm: here", "there", "all RMS, mm: here", "there", "landmarks RMS, mm: here", "there"),
    *("largest, mm: here", "there", "valid angles, %: here", "there", "jitter, deg: here", "there"),
)


def _beside_values(ours: ClipMeasures, theirs: ClipMeasures) -> list[float]:
    # Imported here: pages without clips need no measures of them.
    from movi_prep.report.measures import common_rms_mm

    sides = [
        [side.marker_rms_mm, side.landmark_rms_mm, side.max_mm, side.valid_percent, side.jitter_deg]
        for side in (ours, theirs)
    ]
    return [*common_rms_mm(ours, theirs), *(value for pair in zip(*sides, strict=True) for value in pair)]


def _beside_cells(values: Iterable[float]) -> list[str]:
    return [number(value, 2 if "jitter" in _BESIDE[2 * (index // 2)] else 1) for index, value in enumerate(values)]


def _column_medians(values: np.ndarray) -> list[float]:
    return [
        float(np.median(column[np.isfinite(column)])) if np.isfinite(column).any() else float("nan")
        for column in values.T
    ]


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
