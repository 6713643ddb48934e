"""What OpenSim's tools do with their own set-up documents, done here: a drop-in for InverseKinematicsTool.

Files named inside a document count from its folder, as OpenSim has it. Nothing that a document reads is replaced by
what it, or another document of the same call, writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.errors import InputError, MoviPrepError, UsageError
from movi_prep.formats.opensim_setup import included_files, read_ik_setup
from movi_prep.stages.ik import read_scaled_model, solve_clip
from movi_prep.trials.tool_reports import result_paths, write_tool_results
from movi_prep.trials.trial_input import read_curves, read_trial
from movi_prep.trials.trial_results import FileResult, trial_result

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from movi_prep.config.ik import IkSettings
    from movi_prep.records.setups import IkSetup


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
    setup = read_ik_setup(document)
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


def solve_setup_documents(
    documents: Sequence[Path], settings: IkSettings, *, results_folder: Path | None = None
) -> tuple[FileResult, ...]:
    """Solve several documents, as `solve_setup_document` solves one; of several, one that fails leaves the others.

    Raises:
        UsageError: two of them would write one file, or a result would replace a file that one of them reads.
        InputError: there is one document only, and it cannot be solved.
    """
    if len(documents) == 1:
        return (solve_setup_document(documents[0], settings, results_folder=results_folder),)
    _check_results_differ(documents, results_folder)
    _check_nothing_read_is_replaced(documents, results_folder)
    results = []
    for document in documents:
        try:
            results.append(solve_setup_document(document, settings, results_folder=results_folder))
        except MoviPrepError as error:
            results.append(FileResult(marker_file=document, outputs=(), numbers={}, findings=(), error=str(error)))
    return tuple(results)


def _readable(documents: Iterable[Path]) -> list[tuple[Path, IkSetup]]:
    """Return the documents that can be read, with what they say; the others are named when their turn comes."""
    found = []
    for document in documents:
        try:
            found.append((document, read_ik_setup(document)))
        except MoviPrepError:
            continue
    return found


def _check_results_differ(documents: Sequence[Path], results_folder: Path | None) -> None:
    writers: dict[Path, Path] = {}
    for document, setup in _readable(documents):
        for path in result_paths(setup, results_folder):
            other = writers.setdefault(path.resolve(), document)
            if other != document:
                raise UsageError(
                    f"expected documents that write different files, but {other} and {document} both write {path}; "
                    "give the tools different names or results directories, or run them one by one"
                )


def _check_nothing_read_is_replaced(documents: Sequence[Path], results_folder: Path | None) -> None:
    """Refuse results in the place of files that are read, by whatever spelling or link, and of anything but results."""
    setups = _readable(documents)
    read = {_same_file(path): path for document, setup in setups for path in _inputs(document, setup) if path.exists()}
    for document, setup in setups:
        for path in result_paths(setup, results_folder):
            replaced = read.get(_same_file(path)) if path.exists() else None
            if replaced is not None:
                raise UsageError(
                    f"{document}: expected results beside the files that are read, but {path} would replace "
                    f"{replaced}; correct <output_motion_file>, or name another folder with --work"
                )
            if path.is_dir() or (path.exists() and not _is_result(path)):
                raise UsageError(
                    f"{document}: expected a result of an earlier run, or nothing, at {path}, but got another kind of "
                    "file, which is not replaced; correct <output_motion_file>"
                )


def _inputs(document: Path, setup: IkSetup) -> list[Path]:
    named = (setup.model_file, setup.marker_file, setup.coordinate_file)
    return [document, *included_files(document), *(path for path in named if path is not None)]


def _same_file(path: Path) -> tuple[int, int]:
    """Return what two paths of one file have in common, links of any kind included."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _is_result(path: Path) -> bool:
    """Return whether a file begins as a storage file (.mot, .sto) does: its head ends in a line `endheader`."""
    with path.open("rb") as file:
        return b"endheader" in file.read(4096)
