"""`markers`, `ik` on AMASS clips, `shard`, `run`: plan the stages, run them, print a summary."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from movi_prep.cli.chosen_stages import stages_of
from movi_prep.cli.configuration import config_of
from movi_prep.cli.exit_codes import FAILED, OK, UNITS_FAILED
from movi_prep.cli.flags import FLAGS
from movi_prep.cli.printing import (
    open_console,
    print_end,
    print_findings,
    print_json,
    print_plan,
    print_run,
)
from movi_prep.plain_text import shell_line
from movi_prep.runtime.pipeline_run import carry_out, check_machine, prepare_run, use_embedded_data
from movi_prep.runtime.summary import summarise_run
from movi_prep.stages.order import ORDER

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from rich.console import Console

    from movi_prep.runtime.pipeline_run import Prepared
    from movi_prep.runtime.plan_execution import RunResult
    from movi_prep.runtime.summary import Summary
    from movi_prep.runtime.work_plan import PlannedUnit, WorkPlan

# A command that repeats a unit does not depend on where and how this one ran.
_NOT_REPEATED = {
    "command",
    "folder",
    "executor",
    "workers",
    "scheduler",
    "slurm_profile",
    "force",
    "json",
    "only",
    "dry_run",
    "per_subject",
    "verbose",
}


def run_stages(given: argparse.Namespace) -> int:
    """`markers`, `ik`, `shard`, `run`: plan the stages, run them, and print a summary."""
    begin = time.perf_counter()
    console = open_console(to_stderr=bool(given.json))
    config = use_embedded_data(config_of(given), write=True)
    stages, notes = stages_of(given.command, config)
    from movi_prep.runtime.progress import show_work

    own = [entry.name for entry in ORDER if given.command in ("run", entry.command)]
    with show_work("planning"):
        prepared = prepare_run(
            config,
            stages,
            force=own if given.force else (),
            only=given.only or (),
            per_subject=bool(given.per_subject),
        )
    print_findings(console, "data", (*prepared.recordings.findings, *notes))
    if given.dry_run:
        # A dry run also says what would stop the run on this machine.
        check_machine(prepared)
        print_plan(console, prepared.plan)
        print_json(_describe_plan(prepared.plan), wanted=given.json)
        return OK
    result, summary = carry_out_and_print(
        console,
        prepared,
        redo=lambda planned: redo_command(given, planned),
        go_on=shell_line(words_again(given)),
        verbose=bool(given.verbose),
    )
    if not result.interrupted:
        print_end(console, summary, config.work, seconds=time.perf_counter() - begin)
    print_json(summary.to_json(seconds=time.perf_counter() - begin), wanted=given.json)
    if result.interrupted:
        return say_stopped(console)
    return OK if result.is_complete else UNITS_FAILED


def redo_command(given: argparse.Namespace, planned: PlannedUnit) -> str:
    """Return the command that repeats one unit (and what it needs) in one process; it works from any folder."""
    return shell_line([*words_again(given), "--only", planned.unit.id, "--executor", "serial"])


def words_again(given: argparse.Namespace) -> list[str]:
    """Return the words of a command that does the same from any folder, without the flags on how it runs."""
    paths = {flag.dest for flag in FLAGS if (flag.metavar or "").startswith(("DIR", "FILE"))}
    words = ["movi-prep", given.command]
    for name, value in vars(given).items():
        if value is None or name in _NOT_REPEATED:
            continue
        flag = f"--{name.replace('_', '-')}"
        for entry in value if isinstance(value, list) else [value]:
            # Paths become absolute: the command is to work from any folder.
            words += [flag] if entry is True else [flag, str(Path(entry).absolute()) if name in paths else str(entry)]
    return words


def carry_out_and_print(
    console: Console, prepared: Prepared, *, redo: Callable[[PlannedUnit], str], go_on: str, verbose: bool = False
) -> tuple[RunResult, Summary]:
    """Carry out a plan, show its progress, and print the summary."""
    from movi_prep.runtime.progress import show_progress

    with show_progress(prepared.plan) as observer:
        result = carry_out(prepared, observer, redo=redo)
    summary = summarise_run(result)
    print_run(console, summary, go_on=go_on, verbose=verbose)
    return result, summary


def say_stopped(console: Console) -> int:
    """Print that the user stopped the run; return the exit code."""
    console.print("stopped; the same command resumes where it stopped")
    return FAILED


def _describe_plan(plan: WorkPlan) -> dict[str, Any]:
    return {
        "would_run": [
            {"unit": planned.unit.id, "state": planned.state, "why": planned.reason} for planned in plan.to_run
        ],
        "current": len(plan.units) - len(plan.to_run),
        "left_out": dict(plan.left_out),
    }
