"""`WORK/report/marker_files.html`: scaling audit, residuals per trial, worst markers, coordinates that are not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movi_prep.formats.atomic import write_text
from movi_prep.formats.ik_file import read_ik_solution
from movi_prep.formats.model_outline import read_model_outline
from movi_prep.formats.scale_file import read_scale_result
from movi_prep.pages.html import anchor, bullets, element, page, section
from movi_prep.records.work_folder import WorkFolder
from movi_prep.report.measures import (
    AUDIT_VERDICTS,
    coordinate_uses,
    marker_biases,
    measure_clip,
    median_deviations_deg,
)
from movi_prep.report.quality import clip_attention, coordinate_attention, most_urgent_first, unseen_bound_deg
from movi_prep.report.sections import bias_section, coordinates_section, residuals_section, scaling_section
from movi_prep.report.tables import N_SHOWN, look_list, shortened

if TYPE_CHECKING:
    from pathlib import Path

    from movi_prep.config.root import Config
    from movi_prep.pages.html import Html
    from movi_prep.report.quality import Look
    from movi_prep.trials.marker_files import MarkerFilesResult
    from movi_prep.trials.trial_results import FileResult

PAGE = "marker_files.html"
"""Another name than the corpus page has: AMASS clips may be solved in the same work folder."""

_TITLES = ("Look at first", "Scaling", "Inverse kinematics", "Marker bias and variance", "Coordinates", "Findings")


def write_trials_report(result: MarkerFilesResult, config: Config) -> Path:
    """Write the page of marker files that were solved with one model; return its path.

    Args:
        result: what became of them; their solutions are read back from the files that it names.
        config: where the work folder is, and the bounds.
    """
    path = WorkFolder(config.work).report().with_name(PAGE)
    write_text(path, _write_page(result, config))
    return path


def _write_page(result: MarkerFilesResult, config: Config) -> str:
    solved = [file for file in result.files if not file.error]
    # Read back, not passed on: the page shows what the files hold.
    solutions = {file.marker_file.stem: read_ik_solution(file.outputs[0]) for file in solved}
    # The audit lies beside the model; a model that came scaled has none.
    scale = read_scale_result(result.outputs[-1]) if result.outputs else None
    model = read_model_outline(result.model)
    trials = [
        # Labels of training are another model's: here every rotation counts.
        measure_clip(name, solution, labels=(), landmark_weight=config.ik.landmark_weight)
        for name, solution in solutions.items()
        if solution.n_rows
    ]
    uses = coordinate_uses(list(solutions.values()), model.ranges, ())
    deviations_deg = median_deviations_deg(trials)
    unseen_deg = unseen_bound_deg(config)
    found: list[Look] = [
        ("bad", f"{file.marker_file.name} failed: {file.error}") for file in result.files if file.error
    ]
    found += [("bad", f"{file.marker_file.name}: {text}") for file in result.files for text in file.warnings]
    if scale is not None and not scale.passed:
        found.append(
            (AUDIT_VERDICTS[scale.audit], f"the audit calls scaling {scale.audit}: {'; '.join(scale.findings)}")
        )
    found += clip_attention(trials, what="trial")
    found += coordinate_attention(uses, deviations_deg, unseen_deg=unseen_deg)
    titles = [title for title in _TITLES if scale is not None or title != "Scaling"]
    return page(
        "Quality of marker files",
        f"work folder {config.work.name}: {len(trials)} of {len(result.files)} solved · model {model.name}",
        element("nav", *(element("a", title, href=f"#{anchor(title)}") for title in titles)),
        section("Look at first", "", look_list(most_urgent_first(found), at_most=N_SHOWN)),
        scaling_section(scale, config.scaling) if scale is not None else "",
        residuals_section(trials, what="trial"),
        bias_section(marker_biases(list(solutions.values()), model.marker_bodies)),
        coordinates_section(uses, deviations_deg, unseen_deg=unseen_deg),
        section("Findings", "What a person should read of each trial.", _findings(result.files)),
    )


def _findings(files: tuple[FileResult, ...]) -> Html:
    said = [f"{file.marker_file.name}: {text}" for file in files for text in file.findings]
    return shortened(said) if said else bullets(["None."])
