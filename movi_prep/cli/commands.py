"""The commands, as functions from parsed arguments to an exit code, in one dispatch table."""

from __future__ import annotations

import json
import shlex
import time
from typing import TYPE_CHECKING, Any

from movi_prep.cli.flags import config_file_of, settings_of
from movi_prep.cli.tables import open_console, print_findings, print_plan, print_run, print_status
from movi_prep.config.load import load_config
from movi_prep.errors import UsageError
from movi_prep.stages.order import COMMANDS as STAGE_COMMANDS
from movi_prep.stages.order import entries_of, load_stage, missing_parts

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from movi_prep.config.root import Config
    from movi_prep.records.unit import Stage
    from movi_prep.runtime.plan import PlannedUnit

OK, FAILED, USAGE, UNITS_FAILED = 0, 1, 2, 3


def run_stages(given: argparse.Namespace) -> int:
    """`markers`, `ik`, `shard`, `run`: plan, carry out, and say what it came to."""
    from movi_prep.runtime.progress import show_progress
    from movi_prep.runtime.run import carry_out, prepare_run
    from movi_prep.runtime.summary import summarise_run

    begin = time.perf_counter()
    config = _config_of(given)
    stages, notes = _stages_of(given.command, config)
    own = [stage.name for stage in stages if given.command == "run" or _command_of(stage.name) == given.command]
    prepared = prepare_run(config, stages, force=own if given.force else (), only=given.only or ())
    console = open_console(json=bool(given.json))
    print_findings(console, "data", (*prepared.download.findings, *notes))
    if given.dry_run:
        print_plan(console, prepared.plan)
        return _print_json(given, _plan_json(prepared.plan)) or OK
    with show_progress(prepared.plan) as observer:
        result = carry_out(prepared, observer, redo=lambda planned: redo_command(given, planned))
    seconds = time.perf_counter() - begin
    summary = summarise_run(result)
    print_run(console, summary, seconds=seconds)
    _print_json(given, summary.to_json(seconds=seconds))
    if result.interrupted:
        console.print("stopped; the same command goes on where it stopped")
        return FAILED
    return OK if result.is_complete else UNITS_FAILED


def show_status(given: argparse.Namespace) -> int:
    """`status`: what is done, stale, failed, waiting, by the last run's configuration where none is given."""
    from movi_prep.runtime.run import prepare_run
    from movi_prep.runtime.summary import summarise_plan

    begin = time.perf_counter()
    config = _config_of(given)
    stages, notes = _stages_of("run", config)
    prepared = prepare_run(config, stages)
    summary = summarise_plan(prepared.plan)
    console = open_console(json=bool(given.json))
    print_status(console, summary)
    print_findings(console, "data", notes)
    _print_json(given, summary.to_json(seconds=time.perf_counter() - begin))
    return OK


def redo_command(given: argparse.Namespace, planned: PlannedUnit) -> str:
    """Return the exact command that repeats one unit alone, in one process."""
    kept = {
        name: value
        for name, value in vars(given).items()
        if value is not None
        and name not in ("command", "executor", "workers", "scheduler", "slurm_profile", "force", "json", "only")
        and name not in ("dry_run", "on_error")
    }
    words = ["movi-prep", given.command]
    for name, value in kept.items():
        flag = f"--{name.replace('_', '-')}"
        for entry in value if isinstance(value, list) else [value]:
            words += [flag] if entry is True else [flag, str(entry)]
    return shlex.join([*words, "--only", planned.unit.id, "--executor", "serial"])


def _config_of(given: argparse.Namespace) -> Config:
    return load_config(config_file_of(given), settings_of(given))


def _stages_of(command: str, config: Config) -> tuple[list[Stage], list[str]]:
    """Return the stages of a command for which there are data, and a note on each that is left out.

    Raises:
        UsageError: the command itself cannot work without a part of the data.
    """
    last = next((name for name in STAGE_COMMANDS if name == command), STAGE_COMMANDS[-1])
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


def _command_of(stage: str) -> str:
    from movi_prep.stages.order import ORDER

    return next(entry.command for entry in ORDER if entry.name == stage)


def _plan_json(plan: Any) -> dict[str, Any]:
    return {
        "would_run": [
            {"unit": planned.unit.id, "state": planned.state, "why": planned.reason} for planned in plan.to_run
        ],
        "current": len(plan.units) - len(plan.to_run),
    }


def _print_json(given: argparse.Namespace, content: dict[str, Any]) -> int:
    if given.json:
        print(json.dumps(content), flush=True)
    return OK


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    **dict.fromkeys(("markers", "ik", "shard", "run"), run_stages),
    "status": show_status,
}
"""What each command does."""
