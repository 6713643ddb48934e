"""`status`: prints which units of a work folder are done, out of date, failed or waiting."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from movi_prep.cli.chosen_stages import stages_of
from movi_prep.cli.configuration import config_of_last_run
from movi_prep.cli.exit_codes import OK, UNITS_FAILED
from movi_prep.cli.printing import open_console, print_findings, print_json, print_status
from movi_prep.cli.run_command import words_again
from movi_prep.plain_text import count_of, shell_line
from movi_prep.runtime.data_of_work import config_path
from movi_prep.runtime.pipeline_run import prepare_run, use_embedded_data

if TYPE_CHECKING:
    import argparse

    from movi_prep.config.root import Config


def show_status(given: argparse.Namespace) -> int:
    """`status`: print the state of each stage; without flags for data, use the last run's configuration."""
    from movi_prep.runtime.progress import show_work
    from movi_prep.runtime.summary import count_sampled, summarise_plan

    begin = time.perf_counter()
    config = use_embedded_data(config_of_last_run(given), write=False)
    stages, notes = stages_of("run", config)
    # The choice of all runs so far: without it, clips that nobody asked for would count as waiting.
    with show_work("comparing files with the records"):
        prepared = prepare_run(config, stages, as_chosen=True)
        summary = summarise_plan(prepared.plan, prepared.identities)
    console = open_console(to_stderr=bool(given.json))
    print_status(console, summary, go_on=_go_on(given, config), verbose=bool(given.verbose))
    print_findings(console, "data", prepared.recordings.findings)
    print_findings(console, "left out", notes)
    if config.subjects is None and config.clips is None and (n_others := len(prepared.recordings.others)):
        console.print(f"chosen by no run: {count_of(n_others, 'more clip')} (--subjects, --clips, exclude)")
    n_sampled = count_sampled(prepared.plan)
    if n_sampled and not config.run.full_hash:
        console.print(
            f"compared by samples, which can miss a change: {count_of(n_sampled, 'large file')}; --full-hash compares "
            "all of their bytes"
        )
    print_json(summary.to_json(seconds=time.perf_counter() - begin), wanted=given.json)
    return OK if summary.is_complete else UNITS_FAILED


def _go_on(given: argparse.Namespace, config: Config) -> str:
    """Return the command that resumes: with the data of the flags, else with the last run's configuration."""
    if given.config or given.amass:
        return shell_line(["movi-prep", "run", *words_again(given)[2:]])
    return shell_line(["movi-prep", "run", "--config", str(config_path(config.work)), "--work", str(config.work)])
