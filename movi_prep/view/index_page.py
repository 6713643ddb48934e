"""The page that lists all clips of a work folder, the most urgent first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.pages.assets import script, whole_page
from movi_prep.pages.html import badge, element, join, judged, table
from movi_prep.plain_text import shell_line
from movi_prep.report.tables import number
from movi_prep.report.verdicts import judge_max, judge_rms, judge_valid

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from movi_prep.pages.html import Html
    from movi_prep.records.work_folder import WorkFolder
    from movi_prep.view.work import Trial, TrialNumbers

_COLUMNS = (
    *(
        "clip",
        "state",
        "frames#",
        "usable#",
        "marker RMS, mm#",
        "landmarks, mm#",
        "largest, mm#",
        "valid angles, %#",
        "findings#",
    ),
    "to read first",
)


def write_index_page(trials: Sequence[TrialNumbers], pages: Collection[Trial], work: WorkFolder) -> str:
    """Return the list of trials; those that have a page are links to it."""
    ordered = sorted(trials, key=lambda numbers: -numbers.urgency)
    marked = sum(numbers.urgency > 1.0 for numbers in ordered)
    subtitle = f"{work.title}: {len(ordered)} solved, {marked} to look at, the most urgent first"
    report = ""
    if work.report().is_file():
        report = join([" · ", element("a", "the report", href="../report/index.html")])
    absent = len(ordered) - len(pages)
    # The most urgent clip that has none.
    example = next((numbers.trial.name for numbers in ordered if numbers.trial not in pages), "")
    command = shell_line(["movi-prep", "view", str(work.root), example])
    says = f"{absent} have no page yet. This makes one: " if absent else ""
    return whole_page(
        "Clips",
        "report.css",
        element("header", element("h1", "Clips"), element("p", subtitle, report)),
        element(
            "main",
            element("p", says, element("code", command), class_="explanation") if says else "",
            table(_COLUMNS, [_row(numbers, pages) for numbers in ordered]),
        ),
        script("report.js"),
    )


def _row(numbers: TrialNumbers, pages: Collection[Trial]) -> list[object]:
    trial = numbers.trial
    lost = numbers.n_usable < numbers.n_rows
    return [
        element("a", trial.name, href=trial.page) if trial in pages else trial.name,
        _state(numbers),
        numbers.n_rows,
        judged(str(numbers.n_usable), "check") if lost else numbers.n_usable,
        judged(number(numbers.marker_rms_mm), judge_rms(numbers.marker_rms_mm)),
        judged(number(numbers.landmark_rms_mm), judge_rms(numbers.landmark_rms_mm)),
        judged(number(numbers.max_mm), judge_max(numbers.max_mm)),
        judged(number(numbers.valid_percent), judge_valid(numbers.valid_percent)),
        numbers.n_findings,
        "; ".join(numbers.warnings),
    ]


def _state(numbers: TrialNumbers) -> Html:
    if numbers.warnings or numbers.urgency > 2.0:
        return badge("bad", "problem")
    return badge("check") if numbers.urgency > 1.0 else badge("good")
