"""Carries out set-up documents of OpenSim's tools: a drop-in for InverseKinematicsTool and ScaleTool.

Files named inside a document count from its folder, as OpenSim has it. Nothing that a document reads is replaced by
what it, or another document of the same call, writes; but a model that is scaled may be tracked by a later document.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.errors import InputError, MissingError, MoviPrepError, UsageError
from movi_prep.formats.atomic import write_bytes
from movi_prep.formats.opensim_setup import is_scale_document, read_ik_setup, read_scale_setup
from movi_prep.records.advance import Advance, advancing, unheard
from movi_prep.records.setups import ScaleSetup
from movi_prep.stages.scale import scale_numbers
from movi_prep.trials.inputs_kept import check_inputs_kept, check_only_results_replaced, files_read
from movi_prep.trials.scale_trial import ScaledTrial, scale_to_trial, told_of_angles, write_scaled_model
from movi_prep.trials.tool_reports import ask_deviations, result_paths, write_tool_results
from movi_prep.trials.trial_input import read_curves, read_trial
from movi_prep.trials.trial_results import FileResult, ScaledDocument, SolvedTrial, solve_or_tell, trial_result

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from movi_prep.config.ik import IkSettings
    from movi_prep.config.root import Config
    from movi_prep.records.marker_noise import MarkerNoise
    from movi_prep.records.setups import IkSetup


PageWriter = Callable[[SolvedTrial | ScaledDocument], tuple[Path, ...]]
"""Writes pages on a document that was carried out; returns their paths."""


def solve_setup_document(
    document: Path,
    settings: IkSettings,
    *,
    results_folder: Path | None = None,
    write_pages: PageWriter | None = None,
    models: Mapping[Path, Path] | None = None,
) -> FileResult:
    """Do what OpenSim's InverseKinematicsTool does with its set-up document, with either solver.

    Args:
        document: InverseKinematicsTool document (.xml); paths inside count from its folder.
        settings: which solver, and the landmark rule.
        results_folder: where results go instead of where the document says.
        write_pages: writes pages beside the results; with None, only the tool's own files are written.
        models: where models went that documents scaled before this one, by the path that they name (resolved).

    Returns:
        Files written: the motion (.mot), `NAME_ik_marker_errors.sto` and `NAME_ik_model_marker_locations.sto` as the
        document asks.

    Raises:
        InputError: the document names no model or marker file, or one of them cannot be used.
        UsageError: a result would replace a file that the document reads.
    """
    setup, settings = ask_deviations(read_ik_setup(document), settings), settings.for_marker_files()
    _check_own_results(document, settings, results_folder)
    if setup.model_file is None or setup.marker_file is None:
        raise InputError(
            document, expected="<model_file> and <marker_file>", got="none of one of them", remedy="name both files"
        )
    model_file, marker_file = (models or {}).get(setup.model_file.resolve(), setup.model_file), setup.marker_file
    for file, what in ((model_file, "the model"), (marker_file, "the marker file")):
        if not file.is_file():
            hint = "; a document that scales it comes before this one" if file == model_file else ""
            remedy = f"correct the path in {document}{hint}"
            raise MissingError(file, expected=f"{what} that {document} names", got="no file", remedy=remedy)
    # Imported here: documents of scaling need none of it.
    from movi_prep.stages.solve_clip import read_scaled_model, solve_clip

    scaled = read_scaled_model(model_file)
    trial = read_trial(marker_file, scaled, setup, settings, is_cut=True)
    curves = read_curves(setup.coordinate_file, scaled)
    # Deviations cost time, and the tool's users expect none: they are found only where they are asked for.
    noise = _noise(settings) if setup.report_deviations else None
    solution, findings = solve_clip(scaled, trial.markers, trial.setup, settings, coordinate_file=curves, noise=noise)
    outputs = write_tool_results(solution, trial.setup, results_folder, order=trial.order)
    result = trial_result(trial, solution, scaled, settings, outputs=outputs, findings=findings)
    if write_pages is None:
        return result
    pages = write_pages(SolvedTrial(result, trial.setup, solution, model_file))
    return replace(result, outputs=(*outputs, *pages))


def _noise(settings: IkSettings) -> MarkerNoise | None:
    from movi_prep.stages.ik import marker_noise

    return marker_noise(settings)


def run_scale_document(
    document: Path,
    config: Config,
    *,
    results_folder: Path | None = None,
    write_pages: PageWriter | None = None,
) -> FileResult:
    """Do what OpenSim's ScaleTool does with its set-up document.

    Args:
        document: ScaleTool document (.xml); paths inside count from its folder.
        config: `scaling` (audit, solver of the static pose, model where the document names none) and `ik`.
        results_folder: where results go instead of where the document says.
        write_pages: writes pages beside the results; with None, only the tool's own files are written.

    Returns:
        What was written: the model scaled, and with markers placed, factors, markers and static pose, as it asks.

    Raises:
        InputError: the document asks for nothing, or model, set-up or static trial cannot be used.
        UsageError: a result would replace a file that the document reads, or no static trial is named.
    """
    setup = read_scale_setup(document)
    _check_own_results(document, config.ik, results_folder)
    generic = setup.model_file or config.scaling.model
    asked = _scale_results(setup, results_folder)
    if generic is None or not asked:
        raise InputError(
            document,
            expected="<model_file>, and <output_model_file> or another output in a step that is applied",
            got="none of one of them",
            remedy="name both files",
        )
    # As OpenSim's tool does, write the model also between its two steps.
    scaled = scale_to_trial(setup, generic, config)
    # First, because it is read back.
    placed = asked.get("placed_model_file")
    scaled = told_of_angles(scaled) if placed is None else write_scaled_model(placed, scaled)
    for what, path in asked.items():
        if path != placed:
            _write_scale_output(what, path, scaled, is_proven=placed is not None)
    result = FileResult(
        marker_file=document,
        outputs=tuple(asked.values()),
        numbers=scale_numbers(scaled.result),
        findings=scaled.findings,
    )
    if write_pages is None:
        return result
    pages = write_pages(ScaledDocument(result, scaled.result, scaled.static_source))
    return replace(result, outputs=(*result.outputs, *pages))


def _write_scale_output(what: str, path: Path, scaled: ScaledTrial, *, is_proven: bool) -> None:
    from movi_prep.osim.models import write_document
    from movi_prep.osim.scale_files import write_marker_set, write_scale_factors, write_static_pose

    if what == "factors_file":
        write_scale_factors(path, scaled.model, scaled.result)
    elif what == "placed_markers_file":
        write_marker_set(path, scaled.model)
    elif what == "pose_file":
        write_static_pose(path, scaled.result.pose, time_s=scaled.pose_time_s)
    elif is_proven:
        # Only markers and the default pose differ from the model that was read back.
        write_bytes(path, scaled.sized)
    else:
        write_document(path, scaled.sized)


def run_setup_documents(
    documents: Sequence[Path],
    config: Config,
    *,
    results_folder: Path | None = None,
    write_pages: PageWriter | None = None,
    advance: Advance = unheard,
) -> tuple[FileResult, ...]:
    """Run documents of OpenSim's scaling and inverse kinematics tools; of several, one that fails leaves the others.

    Args:
        documents: the documents (.xml).
        config: bounds, solver, and settings that the document does not give.
        results_folder: where results go instead of where the documents say.
        write_pages: writes pages on a solved trial beside its results.
        advance: receives the fraction that is done.

    Raises:
        UsageError: two of them would write one file, or one tracks a model that a later one makes; or there is one
            document only, and a result would replace what it reads.
        InputError: there is one document only, and it cannot be solved.
    """
    if len(documents) == 1:
        return (_run(documents[0], config, results_folder, write_pages),)
    known = _files_of(documents, config.ik, results_folder)
    _check_results_differ(known)
    _check_scaled_first(known)

    def run_beside_others(document: Path) -> FileResult:
        _check_others_kept(document, known)
        return _run(document, config, results_folder, write_pages, _models_before(document, known))

    return tuple(
        solve_or_tell(document, partial(run_beside_others, document))
        for document in advancing(documents, advance, total=len(documents))
    )


def _run(
    document: Path,
    config: Config,
    results_folder: Path | None,
    write_pages: PageWriter | None,
    models: Mapping[Path, Path] | None = None,
) -> FileResult:
    if is_scale_document(document):
        return run_scale_document(document, config, results_folder=results_folder, write_pages=write_pages)
    return solve_setup_document(
        document, config.ik, results_folder=results_folder, write_pages=write_pages, models=models
    )


@dataclass(frozen=True)
class _Files:
    """The files that a document reads and writes.

    Attributes:
        document: the document.
        read: what it reads.
        written: what it writes.
        model: the model that it names.
        is_scaling: whether it scales a model.
        results: where the results of scaling go, by the path that the document names (resolved).
    """

    document: Path
    read: tuple[Path, ...]
    written: tuple[Path, ...]
    model: Path | None
    is_scaling: bool
    results: Mapping[Path, Path] = field(default_factory=dict)


def _models_before(document: Path, known: Sequence[_Files]) -> dict[Path, Path]:
    """Return where the results of the documents before this one went."""
    before = itertools.takewhile(lambda files: files.document != document, known)
    return {named: path for files in before for named, path in files.results.items()}


def _files_of(documents: Iterable[Path], settings: IkSettings, results_folder: Path | None) -> list[_Files]:
    """Return the files of each document that can be read; the others are reported when they would run."""
    found = []
    for document in documents:
        try:
            found.append(_files(document, settings, results_folder))
        except (MoviPrepError, OSError):
            continue
    return found


def _files(document: Path, settings: IkSettings, results_folder: Path | None) -> _Files:
    setup: IkSetup | ScaleSetup
    results: dict[Path, Path] = {}
    if is_scale_document(document):
        setup = read_scale_setup(document)
        written = tuple(_scale_results(setup, results_folder).values())
        results = dict(zip((path.resolve() for path in _scale_results(setup, None).values()), written, strict=True))
    else:
        setup = ask_deviations(read_ik_setup(document), settings)
        written = tuple(result_paths(setup, results_folder))
    read = tuple(files_read(document, setup))
    is_scaling = isinstance(setup, ScaleSetup)
    return _Files(document, read, written, model=setup.model_file, is_scaling=is_scaling, results=results)


_SCALE_RESULTS = ("scaled_model_file", "factors_file", "placed_model_file", "placed_markers_file", "pose_file")


def _scale_results(setup: ScaleSetup, folder: Path | None) -> dict[str, Path]:
    """Return the tool's output files in the tool's order, by the set-up's field that asks for them."""
    asked: dict[str, Path | None] = {what: getattr(setup, what) for what in _SCALE_RESULTS}
    return {what: path if folder is None else folder / path.name for what, path in asked.items() if path is not None}


def _check_results_differ(documents: Sequence[_Files]) -> None:
    writers: dict[Path, Path] = {}
    for files in documents:
        for path in files.written:
            # Resolved, but not by inode: results need not exist yet.
            other = writers.setdefault(path.resolve(), files.document)
            if other != files.document:
                raise UsageError(
                    f"expected documents that write different files, but {other} and {files.document} both write "
                    f"{path}; give the tools different names or results directories, or run them one by one"
                )


def _check_scaled_first(documents: Sequence[_Files]) -> None:
    """Refuse a document that tracks a model which a later one makes: it would take that of an earlier call, or none."""
    for place, files in enumerate(documents):
        model = None if files.model is None else files.model.resolve()
        later = [other for other in documents[place + 1 :] if model in other.results]
        if later and not files.is_scaling:
            raise UsageError(
                f"expected documents in the order in which they are carried out, but {files.document} tracks "
                f"{files.model}, which {later[0].document} makes: name {later[0].document} first"
            )


def _check_own_results(document: Path, settings: IkSettings, results_folder: Path | None) -> None:
    files = _files(document, settings, results_folder)
    check_inputs_kept(files.read, files.written, source=document)
    check_only_results_replaced(files.written, source=document)


def _check_others_kept(document: Path, known: Sequence[_Files]) -> None:
    """Refuse to replace what other documents read, but for a model that is scaled before it is tracked."""
    places = {files.document: place for place, files in enumerate(known)}
    if document not in places:
        return  # it cannot be read; that is reported when it would run
    own = known[places[document]]
    for other in known:
        is_scaled_first = own.is_scaling and places[document] < places[other.document]
        read = [path for path in other.read if not (is_scaled_first and path == other.model)]
        check_inputs_kept(read, own.written, source=document)
