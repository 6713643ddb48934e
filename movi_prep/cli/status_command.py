"""`status`: what a work folder holds, and what failed or waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from movi_prep.cli.chosen_stages import stages_of
from movi_prep.cli.configuration import config_of_last_run
from movi_prep.cli.exit_codes import OK
from movi_prep.cli.printing import open_console, print_findings, print_json, print_status
from movi_prep.runtime.run import prepare_run, use_embedded_data

if TYPE_CHECKING:
    import argparse


def show_status(given: argparse.Namespace) -> int:
    """`status`: what is done, stale, failed, waiting; by the last run's configuration where no data are named."""
    from movi_prep.runtime.summary import summarise_plan

    begin = time.perf_counter()
    config = use_embedded_data(config_of_last_run(given), write=False)
    stages, notes = stages_of("run", config)
    prepared = prepare_run(config, stages)
    summary = summarise_plan(prepared.plan, prepared.identities)
    console = open_console(to_stderr=bool(given.json))
    print_status(console, summary)
    print_findings(console, "left out", notes)
    if config.subjects is None and config.clips is None and any(counts.waiting for counts in summary.stages.values()):
        console.print("of all subjects and clips that are there: --subjects and --clips count those of a part")
    print_json(summary.to_json(seconds=time.perf_counter() - begin), wanted=given.json)
    return OK
