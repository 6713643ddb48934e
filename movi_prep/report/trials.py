"""Pages on trials other than AMASS clips: on marker files, and on OpenSim's set-up documents.

| page | of |
|---|---|
| `WORK/report/marker_files.html` | marker files that were solved with one model |
| `NAME_ik_report.html` beside the results | one document of OpenSim's inverse kinematics tool |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from movi_prep.formats.atomic import write_text
from movi_prep.formats.model_outline import read_model_outline
from movi_prep.formats.scale_file import read_scale_result
from movi_prep.pages.assets import page
from movi_prep.pages.html import anchor, bullets, element, section
from movi_prep.records.work_folder import WorkFolder
from movi_prep.report.looks import doubted_scaling, failed_trial, most_urgent_first, trial_warning
from movi_prep.report.measures import coordinate_uses, marker_biases, measure_clip, median_deviations_deg
from movi_prep.report.sections import bias_section, coordinates_section, residuals_section, scaling_section
from movi_prep.report.tables import N_SHOWN, look_list, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from movi_prep.config.root import Config
    from movi_prep.pages.html import Html
    from movi_prep.records.scale_result import ScaleResult
    from movi_prep.records.solved_rows import Solved
    from movi_prep.trials.marker_files import MarkerFilesResult
    from movi_prep.trials.trial_results import FileResult, SolvedTrial

PAGE = "marker_files.html"
"""Another name than the corpus page has: AMASS clips may be solved in the same work folder."""


@dataclass(frozen=True, eq=False)
class Trials:
    """The content of a page on trials.

    Attributes:
        title: of the page.
        where: the work folder, or the document.
        files: the result of each trial.
        solutions: name of a trial -> its solution, those that were solved.
        model: the model file.
        scale: the audit of scaling; None for a model that came scaled.
        held: coordinates that the set-up pulls towards a value.
        pages: name of a trial -> address of the page on which it moves.
    """

    title: str
    where: str
    files: Sequence[FileResult]
    solutions: Mapping[str, Solved]
    model: Path
    scale: ScaleResult | None
    held: frozenset[str]
    pages: Mapping[str, str]


def write_trials_report(result: MarkerFilesResult, config: Config) -> Path:
    """Write the page of marker files that were solved with one model; return its path.

    Args:
        result: of solving them; their solutions are read back from the files that it names.
        config: where the work folder is, and the bounds.
    """
    from movi_prep.report.read_rows import read_solved_rows

    work = WorkFolder(config.work)
    # Read back from the files, so that the page shows their content.
    bodies = read_model_outline(result.model).marker_bodies
    solutions: dict[str, Solved] = {
        file.marker_file.stem: read_solved_rows(file.outputs[0], bodies) for file in result.files if not file.error
    }
    trials = Trials(
        title="Quality of marker files",
        where=work.title,
        files=result.files,
        solutions=solutions,
        model=result.model,
        # The audit lies beside the model; a model that the user had scaled before has none.
        scale=read_scale_result(result.outputs[-1]) if result.outputs else None,
        held=result.held,
        pages={name: f"../view/{name}.html" for name in solutions if (work.view() / f"{name}.html").is_file()},
    )
    path = work.report().with_name(PAGE)
    write_text(path, _write_page(trials, config))
    return path


def write_document_report(solved: SolvedTrial, config: Config) -> Path:
    """Write the page of a set-up document's trial beside its first result; return its path.

    Args:
        solved: the trial; its solution is not kept in a file that could be read back.
        config: the bounds.
    """
    name = solved.result.marker_file.stem
    path = solved.page("report")
    trials = Trials(
        title=f"Quality of {solved.result.marker_file.name}",
        where=f"set-up {solved.setup.source}",
        files=(solved.result,),
        solutions={name: solved.solution},
        model=solved.model,
        scale=None,
        held=solved.setup.held,
        pages={name: solved.page("view").name},
    )
    write_text(path, _write_page(trials, config))
    return path


def _write_page(trials: Trials, config: Config) -> str:
    # Imported here: the page on a scaled model has neither curves nor frames.
    from movi_prep.report.curves import curves_section, measure_curves
    from movi_prep.report.quality import clip_attention, coordinate_attention, marker_attention, unseen_bound_deg

    model = read_model_outline(trials.model)
    measures = [
        # Labels of training are another model's: here every rotation counts.
        measure_clip(name, solution, labels=(), landmark_weight=config.ik.landmark_weight)
        for name, solution in trials.solutions.items()
        if solution.n_rows
    ]
    solutions = list(trials.solutions.values())
    uses = coordinate_uses(solutions, model.ranges, (), held=trials.held)
    deviations_deg, unseen_deg = median_deviations_deg(measures), unseen_bound_deg(config)
    found = [failed_trial(file.marker_file.name, file.error) for file in trials.files if file.error]
    found += [trial_warning(file.marker_file.name, text) for file in trials.files for text in file.warnings]
    if trials.scale is not None and not trials.scale.passed:
        found.append(doubted_scaling(trials.scale))
    biases = marker_biases(solutions, model.marker_bodies)
    found += clip_attention(measures, what="trial")
    found += marker_attention(biases)
    found += coordinate_attention(uses, deviations_deg, unseen_deg=unseen_deg)
    curves = [
        measure_curves(
            name, solution, model.ranges, turning=model.turning, held=trials.held, page=trials.pages.get(name, "")
        )
        for name, solution in trials.solutions.items()
        if solution.n_rows
    ]
    sections = {
        "Look at first": section("Look at first", "", look_list(most_urgent_first(found), at_most=N_SHOWN)),
        "Scaling": scaling_section(trials.scale, config.scaling) if trials.scale is not None else "",
        "Inverse kinematics": residuals_section(measures, what="trial", pages=trials.pages),
        "Marker bias and variance": bias_section(biases),
        "Coordinates": coordinates_section(uses, deviations_deg, unseen_deg=unseen_deg),
        "Angles": curves_section(curves),
        "Findings": section("Findings", "The findings on each trial.", _findings(trials.files)),
    }
    shown = {title: content for title, content in sections.items() if content}
    return page(
        trials.title,
        f"{trials.where}: {len(measures)} of {len(trials.files)} solved · model {model.name}",
        element("nav", *(element("a", title, href=f"#{anchor(title)}") for title in shown)),
        *shown.values(),
    )


def _findings(files: Sequence[FileResult]) -> Html:
    said = [f"{file.marker_file.name}: {text}" for file in files for text in file.findings]
    return shortened(said) if said else bullets(["None."])
