"""`ik` on marker files of any origin: `--marker-file` with `--static-file`, or OpenSim's own document by `--setup`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.cli.flags import config_file_of, settings_of
from movi_prep.cli.running import OK, UNITS_FAILED, run_stages
from movi_prep.cli.tables import open_console, print_findings, print_json, print_table
from movi_prep.config.load import load_config
from movi_prep.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from movi_prep.stages.marker_files import FileResult


def run_ik(given: argparse.Namespace) -> int:
    """`ik`: of AMASS clips, unless marker files or a set-up document are named."""
    if given.setup and given.marker_file:
        raise UsageError("ik: expected --setup or --marker-file, but got both; the document names its own marker file")
    if not given.setup and not given.marker_file:
        if given.static_file:
            raise UsageError("ik: expected --marker-file with --static-file, but got none; name the moving trial")
        return run_stages(given)
    return _track(given)


def _track(given: argparse.Namespace) -> int:
    from movi_prep.stages.marker_files import solve_marker_files, solve_setup_document

    begin = time.perf_counter()
    config = load_config(config_file_of(given), settings_of(given))
    findings: tuple[str, ...] = ()
    outputs: tuple[Path, ...] = ()
    if given.setup:
        files: tuple[FileResult, ...] = (
            solve_setup_document(Path(given.setup), config.ik, results_folder=config.work if given.work else None),
        )
    else:
        static_file = Path(given.static_file) if given.static_file else None
        result = solve_marker_files([Path(given.marker_file)], config, static_file=static_file)
        files, findings, outputs = result.files, result.findings, result.outputs
    outputs += tuple(path for file in files for path in file.outputs)
    seconds = time.perf_counter() - begin
    _print_files(given, files, findings, outputs)
    failed = [{"unit": str(file.marker_file), "reason": file.error, "redo": ""} for file in files if file.error]
    counts = {"done": len(files) - len(failed), "current": 0, "failed": len(failed), "waiting": 0}
    content = {"stages": {"ik": counts}, "failed": failed, "outputs": [str(path) for path in outputs]}
    print_json({**content, "seconds": round(seconds, 3)}, wanted=given.json)
    return UNITS_FAILED if failed else OK


def _print_files(
    given: argparse.Namespace, files: tuple[FileResult, ...], findings: tuple[str, ...], outputs: tuple[Path, ...]
) -> None:
    console = open_console(to_stderr=bool(given.json))
    print_findings(console, "scaling", findings)
    for file in files:
        rows = [
            (name, f"{value:.4g}" if isinstance(value, float) else str(value)) for name, value in file.numbers.items()
        ]
        if rows:
            print_table(console, str(file.marker_file), ("what", "value#"), rows)
        print_findings(console, "findings", file.findings)
        if file.error:
            console.print(f"failed: {file.error}", style="red", markup=False)
    for path in outputs:
        console.print(str(path), markup=False)
