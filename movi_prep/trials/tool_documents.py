"""What OpenSim's tools do with their own set-up documents: a drop-in for InverseKinematicsTool and ScaleTool.

Files named inside a document count from its folder, as OpenSim has it. Nothing that a document reads is replaced by
what it, or another document of the same call, writes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.errors import InputError, MoviPrepError, UsageError
from movi_prep.formats.opensim_setup import included_files, is_scale_document, read_ik_setup, read_scale_setup
from movi_prep.stages.ik import read_scaled_model, solve_clip
from movi_prep.stages.scale import scale_numbers
from movi_prep.trials.scale_trial import scale_to_trial, write_scaled_model
from movi_prep.trials.tool_reports import result_paths, write_tool_results
from movi_prep.trials.trial_input import read_curves, read_trial
from movi_prep.trials.trial_results import FileResult, trial_result

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from movi_prep.config.ik import IkSettings
    from movi_prep.config.root import Config
    from movi_prep.records.setups import ScaleSetup


def solve_setup_document(document: Path, settings: IkSettings, *, results_folder: Path | None = None) -> FileResult:
    """Do what OpenSim's InverseKinematicsTool does with its set-up document, with either solver.

    Args:
        document: InverseKinematicsTool document (.xml); paths inside count from its folder.
        settings: which solver, and the landmark rule.
        results_folder: where results go instead of where the document says.

    Returns:
        Files written: the motion (.mot), `NAME_ik_marker_errors.sto` and `NAME_ik_model_marker_locations.sto` as the
        document asks.

    Raises:
        InputError: the document names no model or marker file, or one of them cannot be used.
        UsageError: a result would replace a file that the document reads.
    """
    setup, settings = read_ik_setup(document), settings.for_marker_files()
    _check_nothing_read_is_replaced([document], results_folder)
    if setup.model_file is None or setup.marker_file is None:
        raise InputError(
            document, expected="<model_file> and <marker_file>", got="none of one of them", remedy="name both files"
        )
    scaled = read_scaled_model(setup.model_file)
    trial = read_trial(setup.marker_file, scaled, setup, settings, is_cut=True)
    curves = read_curves(setup.coordinate_file, scaled)
    solution, findings = solve_clip(scaled, trial.markers, setup, settings, coordinate_file=curves)
    outputs = write_tool_results(solution, setup, results_folder, order=trial.order)
    return trial_result(trial, solution, scaled, settings, outputs=outputs, findings=findings)


def run_scale_document(document: Path, config: Config, *, results_folder: Path | None = None) -> FileResult:
    """Do what OpenSim's ScaleTool does with its set-up document.

    Args:
        document: ScaleTool document (.xml); paths inside count from its folder.
        config: `scaling` (audit, solver of the static pose, model where the document names none) and `ik`.
        results_folder: where models go instead of where the document says.

    Returns:
        The models written: scaled, and with markers placed, as the document asks.

    Raises:
        InputError: the document asks for no model, or model, set-up or static trial cannot be used.
        UsageError: a result would replace a file that the document reads, or no static trial is named.
    """
    setup = read_scale_setup(document)
    _check_nothing_read_is_replaced([document], results_folder)
    generic = setup.model_file or config.scaling.model
    if generic is None or not _model_paths(setup, results_folder):
        raise InputError(
            document,
            expected="<model_file>, and <output_model_file> in a step that is applied",
            got="none of one of them",
            remedy="name both files",
        )
    scaled = scale_to_trial(setup, generic, config)
    outputs = []
    for path, is_placed in _model_paths(setup, results_folder):
        # The tool writes the model between its two steps, too.
        own = scaled if is_placed else scale_to_trial(replace(setup, place_markers=False), generic, config)
        write_scaled_model(path, own)
        outputs.append(path)
    return FileResult(
        marker_file=document,
        outputs=tuple(outputs),
        numbers=scale_numbers(scaled.result),
        findings=(*scaled.findings, *(f"{what} is not written" for what in setup.unwritten)),
    )


def run_setup_documents(
    documents: Sequence[Path], config: Config, *, results_folder: Path | None = None
) -> tuple[FileResult, ...]:
    """Run documents of OpenSim's scaling and inverse kinematics tools; of several, one that fails leaves the others.

    Raises:
        UsageError: two of them would write one file, or a result would replace a file that one of them reads.
        InputError: there is one document only, and it cannot be solved.
    """
    if len(documents) == 1:
        return (_run(documents[0], config, results_folder),)
    _check_results_differ(documents, results_folder)
    _check_nothing_read_is_replaced(documents, results_folder)
    results = []
    for document in documents:
        try:
            results.append(_run(document, config, results_folder))
        except MoviPrepError as error:
            results.append(FileResult(marker_file=document, outputs=(), numbers={}, findings=(), error=str(error)))
    return tuple(results)


def _run(document: Path, config: Config, results_folder: Path | None) -> FileResult:
    if is_scale_document(document):
        return run_scale_document(document, config, results_folder=results_folder)
    return solve_setup_document(document, config.ik, results_folder=results_folder)


@dataclass(frozen=True)
class _Files:
    """What a document reads and what it writes."""

    document: Path
    read: tuple[Path, ...]
    written: tuple[Path, ...]


def _files_of(documents: Iterable[Path], results_folder: Path | None) -> list[_Files]:
    """Return the files of each document that can be read; the others are named when their turn comes."""
    found = []
    for document in documents:
        try:
            found.append(_files(document, results_folder))
        except MoviPrepError:
            continue
    return found


def _files(document: Path, results_folder: Path | None) -> _Files:
    named: tuple[Path | None, ...]
    if is_scale_document(document):
        scaling = read_scale_setup(document)
        statics = (scaling.static_file, scaling.placement_file)
        named = (scaling.model_file, scaling.marker_set_file, scaling.coordinate_file, *statics)
        written = tuple(path for path, _ in _model_paths(scaling, results_folder))
    else:
        tracking = read_ik_setup(document)
        named = (tracking.model_file, tracking.marker_file, tracking.coordinate_file)
        written = tuple(result_paths(tracking, results_folder))
    read = (document, *included_files(document), *(path for path in named if path is not None))
    return _Files(document, read, written)


def _model_paths(setup: ScaleSetup, folder: Path | None) -> list[tuple[Path, bool]]:
    """Return where the tool writes models, and whether with placed markers."""
    asked = [(setup.scaled_model_file, False), (setup.placed_model_file, True)]
    return [(path if folder is None else folder / path.name, placed) for path, placed in asked if path is not None]


def _check_results_differ(documents: Sequence[Path], results_folder: Path | None) -> None:
    writers: dict[Path, Path] = {}
    for files in _files_of(documents, results_folder):
        for path in files.written:
            other = writers.setdefault(path.resolve(), files.document)
            if other != files.document:
                raise UsageError(
                    f"expected documents that write different files, but {other} and {files.document} both write "
                    f"{path}; give the tools different names or results directories, or run them one by one"
                )


def _check_nothing_read_is_replaced(documents: Sequence[Path], results_folder: Path | None) -> None:
    """Refuse results in the place of files that are read, by whatever spelling or link, and of anything but results."""
    found = _files_of(documents, results_folder)
    read = {_same_file(path): path for files in found for path in files.read if path.exists()}
    for files in found:
        for path in files.written:
            replaced = read.get(_same_file(path)) if path.exists() else None
            if replaced is not None:
                raise UsageError(
                    f"{files.document}: expected results beside the files that are read, but {path} would replace "
                    f"{replaced}; correct the output file, or name another folder with --work"
                )
            if path.is_dir() or (path.exists() and not _is_result(path)):
                raise UsageError(
                    f"{files.document}: expected a result of an earlier run, or nothing, at {path}, but got another "
                    "kind of file, which is not replaced; correct the output file"
                )


def _same_file(path: Path) -> tuple[int, int]:
    """Return what two paths of one file have in common, links of any kind included."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _is_result(path: Path) -> bool:
    """Return whether a file begins as results do: a storage file (.mot, .sto), or a model (.osim)."""
    with path.open("rb") as file:
        head = file.read(4096)
    return b"<OpenSimDocument" in head if path.suffix == ".osim" else b"endheader" in head
