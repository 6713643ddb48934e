"""The page on a document of OpenSim's scaling tool, `NAME_scale_report.html` beside the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.formats.atomic import write_text
from movi_prep.pages.assets import page
from movi_prep.pages.html import bullets, section
from movi_prep.report.looks import doubted_scaling
from movi_prep.report.sections import scaling_section
from movi_prep.report.tables import N_SHOWN, look_list, shortened

if TYPE_CHECKING:
    from pathlib import Path

    from movi_prep.config.root import Config
    from movi_prep.trials.trial_results import ScaledDocument


def write_scaling_report(document: ScaledDocument, config: Config) -> Path:
    """Write the page of a scaling document beside its first result; return its path.

    Args:
        document: factors, distances between markers, residuals of the static pose, and their audit.
        config: the bounds.
    """
    scale, name = document.scaled, document.result.marker_file.name
    found = [] if scale.passed else [doubted_scaling(scale)]
    said = [text for text in document.result.findings if text not in scale.findings]
    none = "None beyond those of scaling, above." if scale.findings else "None."
    content = page(
        f"Quality of {name}",
        f"set-up {document.result.marker_file}: scaled to {document.static_source}",
        section("Look at first", "", look_list(found, at_most=N_SHOWN)),
        scaling_section(scale, config.scaling, are_details_open=True),
        section("Findings", "The findings on the static trial.", shortened(said) if said else bullets([none])),
    )
    path = document.page()
    write_text(path, content)
    return path
