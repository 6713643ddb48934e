"""Plain SLURM array jobs, for sites that forbid long-running schedulers: one task per subject or chunk of subjects.

Written into one folder:

| file | content |
|---|---|
| `config.yaml` | the whole configuration, paths absolute |
| `tasks.txt` | line i: the subjects of array task i, as `--subjects` takes them |
| `markers.sbatch`, `ik.sbatch`, `shard.sbatch` | one array job per command |
| `finish.sbatch` | one job after all: what concerns all subjects at once |
| `submit.sh` | submits them; task i of a job waits for task i of the one before |
"""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from movi_prep.config.load import dump_config
from movi_prep.errors import UsageError
from movi_prep.formats.atomic import write_text
from movi_prep.plain_text import has_control
from movi_prep.runtime.one_thread import ONE_THREAD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from movi_prep.config.root import Config
    from movi_prep.config.slurm import SlurmProfile

UNITS_FAILED = 3


def write_batch(
    folder: Path, config: Config, profile: SlurmProfile, *, subjects: Sequence[str], commands: Sequence[str], chunk: int
) -> tuple[Path, ...]:
    """Write the scripts; return them, the one to submit first.

    Args:
        folder: where they go.
        config: configuration of the tasks.
        profile: what one job may use; its worker processes are those of one task.
        subjects: all subjects.
        commands: `markers`, `ik`, `shard`, or the first few of them.
        chunk: subjects per task.
    """
    check_one_line("work, or --output", str(folder))
    for subject in subjects:
        check_one_line("subjects", subject)
    tasks = [",".join(subjects[first : first + chunk]) for first in range(0, len(subjects), chunk)]
    write_text(folder / "config.yaml", dump_config(config))
    write_text(folder / "tasks.txt", "\n".join(tasks) + "\n")
    scripts = []
    for command in commands:
        path = folder / f"{command}.sbatch"
        write_text(path, array_script(command, folder, profile, n_tasks=len(tasks)))
        scripts.append(path)
    finish = folder / "finish.sbatch"
    write_text(finish, finish_script(commands[-1], folder, profile))
    submit = folder / "submit.sh"
    write_text(submit, submit_script(scripts, finish))
    submit.chmod(0o755)
    return (submit, *scripts, finish, folder / "config.yaml", folder / "tasks.txt")


def array_script(command: str, folder: Path, profile: SlurmProfile, *, n_tasks: int) -> str:
    """Return the array job of one command."""
    tasks = shlex.quote(str(folder / "tasks.txt"))
    return "\n".join(
        [
            *_head(f"{command}-%a", folder, profile, f"--job-name=movi-prep-{command}", f"--array=1-{n_tasks}"),
            f'subjects=$(sed -n "${{SLURM_ARRAY_TASK_ID}}p" {tasks})',
            f'{_words(command, folder, profile)} --per-subject --subjects "$subjects"',
            "code=$?",
            "# Failed units are rows in the records; the other units of these subjects go on to the next stage.",
            f'[ "$code" -eq {UNITS_FAILED} ] && exit 0',
            'exit "$code"',
            "",
        ]
    )


def finish_script(command: str, folder: Path, profile: SlurmProfile) -> str:
    """Return the job that runs the remaining units after all tasks, and prints a summary."""
    return "\n".join(
        [*_head("finish", folder, profile, "--job-name=movi-prep-finish"), _words(command, folder, profile), ""]
    )


def submit_script(scripts: Sequence[Path], finish: Path) -> str:
    """Return the script that submits all jobs, each after the one before, array tasks one by one."""
    lines = ["#!/usr/bin/env bash", "set -euo pipefail", 'after=""']
    for script in scripts:
        lines.append(f"job=$(sbatch --parsable $after {shlex.quote(str(script))})")
        lines.append(f'echo "{script.stem}: job $job"')
        # Task i after task i: a subject goes on as soon as its own part is done.
        lines.append('after="--dependency=aftercorr:${job%%;*} --kill-on-invalid-dep=yes"')
    # afterany, not afterok: the last job also tells what failed, so that it must run after failures.
    lines.append(f"job=$(sbatch --parsable --dependency=afterany:${{job%%;*}} {shlex.quote(str(finish))})")
    lines.append('echo "finish: job $job"')
    return "\n".join([*lines, ""])


def check_one_line(setting: str, text: str) -> None:
    """Raise UsageError where text that goes into a job script would not stay on its line, or in its quotes.

    Args:
        setting: the setting that it comes from.
        text: a path or a name.
    """
    if has_control(text) or '"' in text or "\\" in text:
        raise UsageError(
            f"{setting}: expected a name without control characters, double quotes and backslashes, because it goes "
            f"into job scripts, but got {text!r}; choose another"
        )


def log_path(folder: Path) -> str:
    """Return a folder as `#SBATCH --output` takes it: sbatch reads `%` as the start of a pattern."""
    return str(folder).replace("%", "%%")


def _head(log: str, folder: Path, profile: SlurmProfile, *options: str) -> list[str]:
    """Return the lines of a job before its command: the resources it requests, and its environment."""
    asked = [
        *options,
        "--ntasks=1",
        f"--cpus-per-task={profile.processes}",
        # Dask writes memory as "8 GiB", sbatch as "8G".
        f"--mem={profile.memory.replace(' ', '').removesuffix('B').removesuffix('i')}",
        f"--time={profile.walltime}",
        # sbatch splits directives at blanks; quotes keep a folder with one together.
        f'--output="{log_path(folder)}/{log}.log"',
        *([f"--partition={profile.queue}"] if profile.queue else []),
        *([f"--account={profile.account}"] if profile.account else []),
        # Last, so that a site's own directives win over ours.
        *profile.directives,
    ]
    environment = [f"export {name}={value}" for name, value in ONE_THREAD.items()]
    return ["#!/usr/bin/env bash", *(f"#SBATCH {o}" for o in asked), "set -u", *environment, *profile.prologue]


def _words(command: str, folder: Path, profile: SlurmProfile) -> str:
    words = [sys.executable, "-m", "movi_prep", command, "--config", str(folder / "config.yaml")]
    return shlex.join([*words, "--executor", "local", "--workers", str(profile.processes)])
