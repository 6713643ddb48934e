"""`report`: writes the pages on quality."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.cli.chosen_stages import stages_of
from movi_prep.cli.configuration import config_of_last_run
from movi_prep.cli.exit_codes import OK
from movi_prep.cli.printing import open_console, print_json
from movi_prep.errors import MoviPrepError
from movi_prep.runtime.named_work_folder import check_work_folder
from movi_prep.runtime.pipeline_run import prepare_run, use_embedded_data

if TYPE_CHECKING:
    import argparse

    from movi_prep.config.root import Config
    from movi_prep.report.work import PlanFacts


def report(given: argparse.Namespace) -> int:
    """`report`: write the pages on quality and print their paths."""
    from movi_prep.report.write import write_report
    from movi_prep.runtime.progress import show_work

    config = use_embedded_data(config_of_last_run(given), write=False)
    beside = Path(given.beside).expanduser().absolute() if given.beside else None
    if beside is not None:
        check_work_folder(beside)
    with show_work("writing the report") as advance:
        written = write_report(config, beside=beside, plan=_plan_facts(config), advance=advance)
    console = open_console(to_stderr=bool(given.json))
    for path in written:
        console.print(str(path), markup=False)
    print_json({"outputs": [str(path) for path in written]}, wanted=given.json)
    return OK


def _plan_facts(config: Config) -> PlanFacts:
    """Return what the report says about the plan; the report can be written even if the data cannot be read."""
    from movi_prep.report.work import PlanFacts
    from movi_prep.runtime.outdated import find_outdated

    try:
        stages, notes = stages_of("run", config)
        prepared = prepare_run(config, stages, as_chosen=True)
    except MoviPrepError as error:
        return PlanFacts(data=(f"the data cannot be read, so the report does not say what was left out: {error}",))
    return PlanFacts(
        left_out=(*notes, *prepared.plan.left_out.values()),
        data=prepared.recordings.findings,
        outdated=find_outdated(prepared.plan, prepared.identities),
    )
