"""`ik` on the user's own trials: `--marker-file`, `--static-file`, or OpenSim's own documents with `--setup`."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from movi_prep.cli.configuration import config_of
from movi_prep.cli.exit_codes import OK, UNITS_FAILED
from movi_prep.cli.printing import open_console, print_findings, print_json, print_last_lines, print_table
from movi_prep.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from movi_prep.config.root import Config
    from movi_prep.trials.trial_results import FileResult, MarkerMiss, ScaledDocument, SolvedTrial

_WORST = 10
"""How many markers are listed, those with the largest residuals first."""

_HONOURED = {
    "setup": ("setup", "work", "solver", "deviations"),
    "marker_file": (
        *("marker_file", "static_file", "work", "model", "scale_setup", "ik_setup", "solver", "trc"),
        "deviations",
    ),
}
"""The flags that have an effect together with `--setup` and with `--marker-file`, besides those of every command."""


def run_ik(given: argparse.Namespace) -> int:
    """`ik`: solve marker files or set-up documents if flags name them, else AMASS clips."""
    if given.setup and given.marker_file:
        raise UsageError("ik: expected --setup or --marker-file, but got both; the document names its own marker file")
    if given.setup:
        _check_flags(given, "setup")
        return _track(given)
    if given.marker_file or given.static_file or _means_trials(given):
        _check_flags(given, "marker_file")
        return _track(given)
    if given.deviations:
        raise UsageError(
            "ik: expected --deviations with --setup or --marker-file, but got neither; the solutions of clips hold "
            "deviations: leave the flag out"
        )
    from movi_prep.cli.run_command import run_stages

    return run_stages(given)


def _means_trials(given: argparse.Namespace) -> bool:
    """Return whether the flags ask for a trial without naming a file: `--scale-setup` names its own static trial.

    Raises:
        UsageError: the flags ask for trials, but neither they nor a set-up name a file.
    """
    if not (given.scale_setup or given.ik_setup or given.model):
        return False
    config = config_of(given)
    if config.amass is not None or config.manifest is not None or config.embedded:
        return False
    if given.scale_setup and not given.ik_setup:
        return True
    raise UsageError(
        "ik: expected marker files (--marker-file, --static-file), a set-up that names them (--setup, --scale-setup), "
        "or AMASS motion (--amass, --body-models), but got none of them; give one"
    )


def _check_flags(given: argparse.Namespace, way: str) -> None:
    """Refuse flags that would have no effect."""
    honoured = {*_HONOURED[way], "command", "config", "set", "json"}
    extra = [name for name, value in vars(given).items() if value is not None and name not in honoured]
    if extra:
        said, there = (", ".join(f"--{name.replace('_', '-')}" for name in names) for names in (extra, _HONOURED[way]))
        remedy = "the document names its own model, markers and weights" if way == "setup" else "leave it out"
        raise UsageError(f"ik --{way.replace('_', '-')}: expected no flags but {there}, but got {said}; {remedy}")


def _track(given: argparse.Namespace) -> int:
    from movi_prep.runtime.progress import show_work
    from movi_prep.stages.compile_solver import compile_solver

    begin = time.perf_counter()
    config = config_of(given)
    console = open_console(to_stderr=bool(given.json))
    named = [Path(name) for name in given.setup or given.marker_file or ()]
    if not given.setup:
        _check_settings(config, tracks=bool(named))
    # Compiling takes half a minute, so a wrong file name is reported first.
    if config.ik.needs_compiler and all(path.is_file() for path in named):
        with show_work("compiling the solver"):
            compile_solver(console.print)
    findings: tuple[str, ...] = ()
    outputs: tuple[Path, ...] = ()
    scaling: Mapping[str, Any] = {}
    if given.setup:
        from movi_prep.trials.tool_documents import run_setup_documents

        with show_work("working through the set-ups") as advance:
            files: tuple[FileResult, ...] = run_setup_documents(
                named,
                config,
                results_folder=config.work if given.work else None,
                write_pages=partial(_write_pages, config=config),
                advance=advance,
            )
    else:
        from movi_prep.report.trials import write_trials_report
        from movi_prep.trials.marker_files import solve_marker_files

        static_file = Path(given.static_file) if given.static_file else None
        with show_work("scaling and solving") as advance:
            result = solve_marker_files(named, config, static_file=static_file, advance=advance)
        files, findings = result.files, result.findings
        scaling = result.numbers
        # The page is about trials. If the call only scales a model, its findings are printed and in scale.json.
        outputs = (*result.outputs, write_trials_report(result, config)) if files else result.outputs
    outputs += tuple(path for file in files for path in file.outputs)
    content = {**_print_scaling(console, scaling, findings), **_print_files(console, files, outputs)}
    seconds = time.perf_counter() - begin
    failed = [file.marker_file for file in files if file.error]
    # The last line suggests a file to inspect: an input that failed, else a result, else an input.
    (looked_at,) = (*failed, *_readable(outputs), *named, Path(given.static_file or config.work))[:1]
    place = outputs[-1].parent if given.setup and outputs else config.work
    print_last_lines(console, place, ("inspect", str(looked_at)), is_complete=not failed, seconds=seconds)
    print_json({**content, "seconds": round(seconds, 3)}, wanted=given.json)
    return UNITS_FAILED if failed else OK


def _write_pages(done: SolvedTrial | ScaledDocument, *, config: Config) -> tuple[Path, ...]:
    from movi_prep.trials.trial_results import ScaledDocument

    if isinstance(done, ScaledDocument):
        from movi_prep.report.scaling_page import write_scaling_report

        return (write_scaling_report(done, config),)
    from movi_prep.report.trials import write_document_report
    from movi_prep.view.trial_page import write_document_view

    return write_document_report(done, config), write_document_view(done, config)


def _readable(outputs: Sequence[Path]) -> list[Path]:
    """Return the results that `inspect` can read, solutions and motions first."""
    order = (".h5", ".mot", ".osim", ".json")
    return sorted((path for path in outputs if path.suffix in order), key=lambda path: order.index(path.suffix))


def _check_settings(config: Config, *, tracks: bool) -> None:
    """Raise UsageError if a set-up for marker files cannot be read, or if a model of one's own has none."""
    from movi_prep.runtime.brought_documents import check_documents
    from movi_prep.stages.ik import ik_setup_path

    check_documents(config)
    # Whoever only scales, names no marker file, and tracks nothing.
    if tracks:
        ik_setup_path(config)


def _print_scaling(console: Console, numbers: Mapping[str, Any], findings: Sequence[str]) -> dict[str, Any]:
    """Print the results of scaling and return them for `--json`; return {} if the call scaled nothing."""
    if not numbers:
        return {}
    print_table(console, "scaling", ("what", "value#"), _number_rows(numbers))
    audit = numbers.get("audit", "sound")
    title = "findings of scaling" if audit == "sound" else f"the audit calls the scaled model {audit}; it is used"
    print_findings(console, title, findings)
    return {"scaling": {"numbers": dict(numbers), "findings": list(findings)}}


def _print_files(console: Console, files: Sequence[FileResult], outputs: Sequence[Path]) -> dict[str, Any]:
    """Print the result of each marker file; return the results for `--json`."""
    for file in files:
        _print_file(console, file)
    if len(files) > 1:
        columns = ("file", "state", "usable frames#", "marker RMS, mm#", "worst marker", "RMS, mm#")
        print_table(console, "all files", columns, [_overview_row(file) for file in files])
    for path in outputs:
        console.print(str(path), markup=False)
    failed = [{"unit": str(file.marker_file), "reason": file.error, "redo": ""} for file in files if file.error]
    counts = {"done": len(files) - len(failed), "current": 0, "failed": len(failed), "waiting": 0}
    solved = [
        {
            "file": str(file.marker_file),
            "numbers": dict(file.numbers),
            "findings": list(file.findings),
            "warnings": list(file.warnings),
        }
        for file in files
        if not file.error
    ]
    return {"stages": {"ik": counts}, "failed": failed, "files": solved, "outputs": [str(path) for path in outputs]}


def _overview_row(file: FileResult) -> tuple[str, ...]:
    if file.error:
        return (str(file.marker_file), "FAILED", "", "", "", "")
    rms_mm = file.numbers.get("marker_rms_mm")
    missed, by_mm = (file.markers[0].name, f"{file.markers[0].rms_mm:.1f}") if file.markers else ("", "")
    # A scaling document has no frames.
    usable = f"{file.numbers['usable_rows']} of {file.numbers['rows']}" if "rows" in file.numbers else ""
    state, rms = "solved" if usable else "scaled", "" if rms_mm is None else f"{rms_mm:.1f}"
    return (str(file.marker_file), state, usable, rms, missed, by_mm)


def _print_file(console: Console, file: FileResult) -> None:
    for warning in file.warnings:
        console.print(f"WARNING: {file.marker_file}: {warning}", style="yellow", markup=False)
    if file.numbers:
        print_table(console, str(file.marker_file), ("what", "value#"), _number_rows(file.numbers))
    if file.markers:
        title = "markers by RMS" if len(file.markers) <= _WORST else f"the {_WORST} markers with the largest RMS"
        columns = ("marker", "weight#", "RMS, mm#", "largest, mm#", "at, s#")
        print_table(console, title, columns, [_miss_row(miss) for miss in file.markers[:_WORST]])
    print_findings(console, "findings", file.findings)
    if file.error:
        console.print(f"{file.marker_file} failed: {file.error}", style="red", markup=False)


def _number_rows(numbers: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [(name, f"{value:.4g}" if isinstance(value, float) else str(value)) for name, value in numbers.items()]


def _miss_row(miss: MarkerMiss) -> tuple[str, ...]:
    return (miss.name, f"{miss.weight:g}", f"{miss.rms_mm:.1f}", f"{miss.max_mm:.1f}", f"{miss.max_at_s:.2f}")
