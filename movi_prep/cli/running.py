"""Commands that carry out stages: `markers`, `ik`, `shard`, `run`, `demo`, and `batch`, which writes them as jobs."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from movi_prep.cli.flags import FLAGS, config_file_of, settings_of
from movi_prep.cli.tables import (
    open_console,
    print_findings,
    print_json,
    print_plan,
    print_run,
    print_table,
    verification_rows,
)
from movi_prep.config.load import load_config
from movi_prep.errors import UsageError
from movi_prep.runtime.run import carry_out, check_machine, prepare_run, use_embedded_data
from movi_prep.runtime.summary import summarise_run
from movi_prep.stages.order import COMMANDS, ORDER, entries_of, load_stage, missing_parts

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from rich.console import Console

    from movi_prep.config.root import Config
    from movi_prep.records.unit import Stage
    from movi_prep.runtime.coordinate import RunResult
    from movi_prep.runtime.plan import Plan, PlannedUnit
    from movi_prep.runtime.run import Prepared
    from movi_prep.runtime.summary import Summary

OK, FAILED, UNITS_FAILED = 0, 1, 3

_NOT_REPEATED = {
    "command",
    "executor",
    "workers",
    "scheduler",
    "slurm_profile",
    "force",
    "json",
    "only",
    "dry_run",
    "per_subject",
}


def run_stages(given: argparse.Namespace) -> int:
    """`markers`, `ik`, `shard`, `run`: plan, carry out, and say what it came to."""
    begin = time.perf_counter()
    console = open_console(to_stderr=bool(given.json))
    config = use_embedded_data(load_config(config_file_of(given), settings_of(given)), write=True)
    stages, notes = stages_of(given.command, config)
    own = [entry.name for entry in ORDER if given.command in ("run", entry.command)]
    prepared = prepare_run(
        config,
        stages,
        force=own if given.force else (),
        only=given.only or (),
        per_subject=bool(given.per_subject),
    )
    print_findings(console, "data", (*prepared.download.findings, *notes))
    if given.dry_run:
        check_machine(prepared)
        print_plan(console, prepared.plan)
        print_json(_describe_plan(prepared.plan), wanted=given.json)
        return OK
    result, summary = _carry_out(console, prepared, begin, redo=lambda planned: redo_command(given, planned))
    print_json(summary.to_json(seconds=time.perf_counter() - begin), wanted=given.json)
    if result.interrupted:
        return _say_stopped(console)
    return OK if result.is_complete else UNITS_FAILED


def run_demo(given: argparse.Namespace) -> int:
    """`demo`: write the embedded data set, run every stage on it, and say what came out and where."""
    from movi_prep.demo import draw_contact_sheet, write_demo

    begin = time.perf_counter()
    console = open_console(to_stderr=bool(given.json))
    folder = Path(given.folder).absolute()
    written = write_demo(folder, seed=given.seed, workers=given.workers)
    console.print(
        f"embedded data set: {written.n_clips} clips, {written.n_frames} video frames, "
        f"{written.n_bytes / 1e6:.0f} MB, in {time.perf_counter() - begin:.0f} s: {folder}",
        markup=False,
    )
    config = load_config(written.config, settings_of(given))
    stages, notes = stages_of("run", config)
    prepared = prepare_run(config, stages)
    print_findings(console, "data", (*prepared.download.findings, *notes))

    def redo(planned: PlannedUnit) -> str:
        return shlex.join(["movi-prep", "run", "--config", str(written.config), "--only", planned.unit.id])

    result, summary = _carry_out(console, prepared, begin, redo=redo)
    if result.interrupted:
        return _say_stopped(console)
    sheet = config.work / "contact_sheet.png"
    if result.is_complete:
        draw_contact_sheet(folder, config.work, sheet)
    _print_outputs(console, summary, config.work)
    is_sound = _print_verification(console, config.work)
    if sheet.is_file():
        console.print(f"a look at it: {sheet}", markup=False)
    page = shlex.join([sys.argv[0], "report", "--work", str(config.work)])
    console.print(f"quality on one page: {page}", markup=False)
    print_json(summary.to_json(seconds=time.perf_counter() - begin), wanted=given.json)
    return OK if result.is_complete and is_sound else UNITS_FAILED


def write_batch_scripts(given: argparse.Namespace) -> int:
    """`batch`: write SLURM array jobs that do what `run` does."""
    from movi_prep.runtime.batch import write_batch
    from movi_prep.runtime.run import find_data
    from movi_prep.runtime.slurm import read_profile

    config = use_embedded_data(load_config(config_file_of(given), settings_of(given)), write=True)
    stages, notes = stages_of("run", config)
    names = {stage.name for stage in stages}
    commands = [command for command in COMMANDS if any(e.command == command and e.name in names for e in ORDER)]
    if given.chunk < 1:
        raise UsageError(f"--chunk: expected at least 1 subject per task, but got {given.chunk}")
    written = write_batch(
        Path(given.output).absolute() if given.output else config.work / "batch",
        config,
        read_profile(config.run.slurm_profile),
        subjects=find_data(config).subjects,
        commands=commands,
        chunk=given.chunk,
    )
    console = open_console(to_stderr=bool(given.json))
    print_findings(console, "data", notes)
    for path in written:
        console.print(str(path), markup=False)
    console.print(f"submit with: bash {shlex.quote(str(written[0]))}", markup=False)
    print_json({"outputs": [str(path) for path in written]}, wanted=given.json)
    return OK


def redo_command(given: argparse.Namespace, planned: PlannedUnit) -> str:
    """Return the exact command that repeats one unit (and what it needs) in one process, from any folder."""
    paths = {flag.dest for flag in FLAGS if (flag.metavar or "").startswith(("DIR", "FILE"))}
    words = ["movi-prep", given.command]
    for name, value in vars(given).items():
        if value is None or name in _NOT_REPEATED:
            continue
        flag = f"--{name.replace('_', '-')}"
        for entry in value if isinstance(value, list) else [value]:
            words += [flag] if entry is True else [flag, str(Path(entry).absolute()) if name in paths else str(entry)]
    return shlex.join([*words, "--only", planned.unit.id, "--executor", "serial"])


def stages_of(command: str, config: Config) -> tuple[list[Stage], list[str]]:
    """Return the stages of a command for which there are data, and a note on each that is left out.

    Raises:
        UsageError: the command itself cannot work without a part of the data.
    """
    last = next((name for name in COMMANDS if name == command), COMMANDS[-1])
    stages, notes = [], []
    for entry in entries_of(last, config):
        missing = ", ".join(f"--{part.replace('_', '-')}" for part in missing_parts(entry, config))
        if not missing:
            stages.append(load_stage(entry))
        elif command == "run" and stages:
            notes.append(f"{entry.name} is left out: it needs {missing}")
        else:
            raise UsageError(f"{entry.name} needs {missing}; name them as flags or in --config")
    return stages, notes


def _carry_out(
    console: Console, prepared: Prepared, begin: float, *, redo: Callable[[PlannedUnit], str]
) -> tuple[RunResult, Summary]:
    from movi_prep.runtime.progress import show_progress

    with show_progress(prepared.plan) as observer:
        result = carry_out(prepared, observer, redo=redo)
    summary = summarise_run(result)
    print_run(console, summary, seconds=time.perf_counter() - begin)
    return result, summary


def _say_stopped(console: Console) -> int:
    console.print("stopped; the same command goes on where it stopped")
    return FAILED


def _print_outputs(console: Console, summary: Summary, work: Path) -> None:
    """Print what came out and where, by folder and kind of file."""
    groups: dict[tuple[str, str], list[int]] = {}
    for name in summary.outputs:
        path = work / name
        groups.setdefault((name.split("/", maxsplit=1)[0], path.suffix), []).append(path.stat().st_size)
    rows = [
        (f"{work / folder}/**/*{suffix}", str(len(sizes)), f"{sum(sizes) / 1e6:.1f} MB")
        for (folder, suffix), sizes in groups.items()
    ]
    print_table(console, "what came out, and where", ("files", "number#", "size#"), rows)


def _print_verification(console: Console, work: Path) -> bool:
    """Verify the shards that a run wrote, print each file's state, and return whether all are sound."""
    from movi_prep.stages.verify_d3ke import verify_folder

    report = verify_folder(work)
    print_table(console, "verified as training reads them", ("file", "rows#", "state"), verification_rows(report))
    return report.is_sound


def _describe_plan(plan: Plan) -> dict[str, Any]:
    return {
        "would_run": [
            {"unit": planned.unit.id, "state": planned.state, "why": planned.reason} for planned in plan.to_run
        ],
        "current": len(plan.units) - len(plan.to_run),
        "left_out": dict(plan.left_out),
    }
