"""`markers`, `ik` on AMASS clips, `shard`, `run`: plan stages, carry them out, say what they came to."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from movi_prep.cli.chosen_stages import stages_of
from movi_prep.cli.exit_codes import FAILED, OK, UNITS_FAILED
from movi_prep.cli.flags import FLAGS, config_file_of, settings_of
from movi_prep.cli.printing import (
    open_console,
    print_findings,
    print_json,
    print_plan,
    print_run,
)
from movi_prep.config.load import load_config
from movi_prep.plain_text import shell_line
from movi_prep.runtime.run import carry_out, check_machine, prepare_run, use_embedded_data
from movi_prep.runtime.summary import summarise_run
from movi_prep.stages.order import ORDER

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from rich.console import Console

    from movi_prep.runtime.coordinate import RunResult
    from movi_prep.runtime.plan import Plan, PlannedUnit
    from movi_prep.runtime.run import Prepared
    from movi_prep.runtime.summary import Summary

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
    print_findings(console, "data", (*prepared.recordings.findings, *notes))
    if given.dry_run:
        check_machine(prepared)
        print_plan(console, prepared.plan)
        print_json(_describe_plan(prepared.plan), wanted=given.json)
        return OK
    result, summary = carry_out_and_print(console, prepared, begin, redo=lambda planned: redo_command(given, planned))
    print_json(summary.to_json(seconds=time.perf_counter() - begin), wanted=given.json)
    if result.interrupted:
        return say_stopped(console)
    return OK if result.is_complete else UNITS_FAILED


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
    return shell_line([*words, "--only", planned.unit.id, "--executor", "serial"])


def carry_out_and_print(
    console: Console, prepared: Prepared, begin: float, *, redo: Callable[[PlannedUnit], str]
) -> tuple[RunResult, Summary]:
    """Carry out a plan in sight of a person, and print what it came to."""
    from movi_prep.runtime.progress import show_progress

    with show_progress(prepared.plan) as observer:
        result = carry_out(prepared, observer, redo=redo)
    summary = summarise_run(result)
    print_run(console, summary, seconds=time.perf_counter() - begin)
    return result, summary


def say_stopped(console: Console) -> int:
    """Print that someone stopped the run; return the exit code of that."""
    console.print("stopped; the same command goes on where it stopped")
    return FAILED


def _describe_plan(plan: Plan) -> dict[str, Any]:
    return {
        "would_run": [
            {"unit": planned.unit.id, "state": planned.state, "why": planned.reason} for planned in plan.to_run
        ],
        "current": len(plan.units) - len(plan.to_run),
        "left_out": dict(plan.left_out),
    }
