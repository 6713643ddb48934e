"""`NAME_view.html` beside the results of an OpenSim set-up document: the trial moves on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.formats.atomic import write_text
from movi_prep.formats.model_outline import read_model_outline
from movi_prep.plain_text import count_of
from movi_prep.report.measures import measure_clip
from movi_prep.view.clip_page import ClipView, write_clip_page

if TYPE_CHECKING:
    from pathlib import Path

    from movi_prep.config.root import Config
    from movi_prep.trials.trial_results import SolvedTrial


def write_document_view(solved: SolvedTrial, config: Config) -> Path:
    """Write the page of a set-up document's trial; return its path."""
    solution, outline = solved.solution, read_model_outline(solved.model)
    name, weight = solved.result.marker_file.stem, config.ik.landmark_weight
    view = ClipView(
        title=name,
        subtitle=f"model {outline.name}, {count_of(solution.n_rows, 'sample')} at {solution.rate_hz:g} Hz",
        solution=solution,
        outline=outline,
        measures=measure_clip(name, solution, labels=(), landmark_weight=weight),
        findings=(*solved.result.warnings, *solved.result.findings),
        landmark_weight=weight,
        held=solved.setup.held,
    )
    path = solved.page("view")
    write_text(path, write_clip_page(view))
    return path
