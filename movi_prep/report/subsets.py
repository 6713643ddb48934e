"""The corpus by subset, as the subsets of AMASS: how much, at which rates, how well, and whose rates are wrong."""

from __future__ import annotations

from collections import defaultdict
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.geometry.rate_audit import WRONG_RATIO
from movi_prep.pages.html import Html, counted, judged, section, table
from movi_prep.report.tables import number
from movi_prep.report.verdicts import judge_rms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from movi_prep.formats.unit_outcome import Outcome
    from movi_prep.report.quality import SubjectQuality

_SAYS = (
    "Every subset that was asked for. Rates are those that the files state; a clip with a flight tells its own by free "
    "fall (9.8 m/s2), and is counted as wrong where it states less than 0.71 or more than 1.41 times it."
)


def subsets_of(outcomes: Iterable[Outcome]) -> dict[str, str]:
    """Return the subset of each subject; nothing for data without subsets."""
    return {
        outcome.subject: str(outcome.numbers["subset"])
        for outcome in outcomes
        if outcome.stage == "markers" and "subset" in outcome.numbers
    }


def subset_section(qualities: Sequence[SubjectQuality], outcomes: Sequence[Outcome]) -> Html:
    """Return one row for each subset."""
    subsets = subsets_of(outcomes)
    people: dict[str, list[SubjectQuality]] = defaultdict(list)
    clips: dict[str, list[Outcome]] = defaultdict(list)
    for quality in qualities:
        if quality.files.subject in subsets:
            people[subsets[quality.files.subject]].append(quality)
    for outcome in outcomes:
        if outcome.subject in subsets:
            clips[subsets[outcome.subject]].append(outcome)
    columns = (
        *("subset", "subjects#", "clips#", "hours#", "rates, Hz", "flights: clips#", "rate wrong#"),
        *("median clip RMS, mm#", "worst clip RMS, mm#", "valid angles, %#", "failed#"),
    )
    return section("Subsets", _SAYS, table(columns, [_row(name, people[name], clips[name]) for name in sorted(clips)]))


def _row(name: str, people: Sequence[SubjectQuality], outcomes: Sequence[Outcome]) -> list[object]:
    posed = [unit.numbers for unit in outcomes if unit.stage == "markers" and unit.status == "done"]
    seconds = sum(float(numbers["n_samples"]) / float(numbers["mocap_hz"]) for numbers in posed)
    # Rounded: 120 and 120.00004578 Hz are one rate.
    rates = sorted({round(float(numbers["mocap_hz"]), 2) for numbers in posed})
    # Clips without a flight tell nothing of their rate and have no such number.
    ratios = [float(numbers["stated_by_true"]) for numbers in posed if "stated_by_true" in numbers]
    solved = [clip for quality in people for clip in quality.clips]
    rms = [clip.marker_rms_mm for clip in solved if isfinite(clip.marker_rms_mm)]
    median, worst = (float(np.median(rms)), max(rms)) if rms else (float("nan"), float("nan"))
    n_frames = sum(clip.n_rows for clip in solved)
    valid = sum(clip.valid_percent * clip.n_rows for clip in solved) / n_frames if n_frames else float("nan")
    return [
        name,
        len(people),
        len(posed),
        f"{seconds / 3600:.2f}",
        ", ".join(f"{rate:g}" for rate in rates),
        len(ratios),
        counted(sum(not 1 / WRONG_RATIO <= ratio <= WRONG_RATIO for ratio in ratios), "bad", "wrong"),
        judged(number(median), judge_rms(median)),
        judged(number(worst), judge_rms(worst)),
        number(valid),
        counted(sum(unit.status == "failed" for unit in outcomes), "bad", "failed"),
    ]
