"""`batch`: writes SLURM array jobs that do what `run` does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.cli.chosen_stages import stages_of
from movi_prep.cli.configuration import config_of
from movi_prep.cli.exit_codes import OK
from movi_prep.cli.printing import open_console, print_findings, print_json
from movi_prep.errors import UsageError
from movi_prep.plain_text import shell_line
from movi_prep.runtime.pipeline_run import prepare_run, use_embedded_data
from movi_prep.stages.order import COMMANDS, ORDER

if TYPE_CHECKING:
    import argparse


def write_batch_scripts(given: argparse.Namespace) -> int:
    """`batch`: write SLURM array jobs that do what `run` does."""
    from movi_prep.runtime.slurm.array_jobs import write_batch
    from movi_prep.runtime.slurm.cluster import read_profile

    # Written now: array tasks start together, and must not all write the data set.
    config = use_embedded_data(config_of(given), write=True)
    stages, notes = stages_of("run", config)
    names = {stage.name for stage in stages}
    commands = [command for command in COMMANDS if any(e.command == command and e.name in names for e in ORDER)]
    if given.chunk < 1:
        raise UsageError(f"--chunk: expected at least 1 subject per task, but got {given.chunk}")
    # The tasks would be refused, hours later: what `run` refuses, this command does.
    prepared = prepare_run(config, stages)
    written = write_batch(
        Path(given.output).absolute() if given.output else config.work / "batch",
        config,
        read_profile(config.run.slurm_profile),
        subjects=prepared.recordings.subjects,
        commands=commands,
        chunk=given.chunk,
    )
    console = open_console(to_stderr=bool(given.json))
    print_findings(console, "data", notes)
    for path in written:
        console.print(str(path), markup=False)
    console.print(f"submit with: bash {shell_line([str(written[0])])}", markup=False)
    print_json({"outputs": [str(path) for path in written]}, wanted=given.json)
    return OK
