"""`check`: says what data there are, what is missing, and what would run."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from typing import TYPE_CHECKING

from movi_prep.cli.chosen_stages import stages_of
from movi_prep.cli.configuration import config_of
from movi_prep.cli.exit_codes import FAILED, OK, UNITS_FAILED, USAGE
from movi_prep.cli.printing import (
    open_console,
    print_findings,
    print_json,
    print_table,
)
from movi_prep.errors import UsageError
from movi_prep.runtime.pipeline_run import check_machine, find_data, prepare_run, use_embedded_data
from movi_prep.runtime.writable import check_writable

if TYPE_CHECKING:
    from collections.abc import Collection

    from movi_prep.config.root import Config
    from movi_prep.runtime.work_plan import WorkPlan


def check_data(given: argparse.Namespace) -> int:
    """`check`: print what data there are, what is missing, and what would run."""
    from movi_prep.runtime.data_check import check_data_files
    from movi_prep.runtime.expected_failures import units_that_fail
    from movi_prep.runtime.overview import describe_recordings, describe_space
    from movi_prep.runtime.progress import show_work
    from movi_prep.runtime.work_estimate import estimate_work

    if given.self_test:
        return _run_self_test(given)
    config = use_embedded_data(config_of(given), write=False)
    recordings = find_data(config)
    parts = describe_recordings(recordings, config)
    console = open_console(to_stderr=bool(given.json))
    rows = [(part.name, part.found, part.missing, str(part.folder or "no folder named")) for part in parts]
    print_table(console, "data", ("part", "found", "missing", "folder"), rows)
    with show_work("opening a file of each kind"):
        opened = check_data_files(recordings, config.markers)
    print_findings(console, "would fail", [str(fault) for fault in opened.faults])
    with show_work("planning"):
        plan, notes = _plan_everything(config)
    # The reason why nothing can run already names what is nearly right.
    findings = [text for text in recordings.findings if not any(text in note for note in notes)]
    print_findings(console, "findings", findings)
    will_run: dict[str, dict[str, int]] = {}
    failing: frozenset[str] = frozenset()
    if plan is not None:
        will_run = {stage: {str(state): n for state, n in plan.counts(stage).items()} for stage in plan.stages}
        failing = units_that_fail(plan, opened.faults, is_each_opened=recordings.reader == "manifest")
        columns = ("stage", "to run#", *(["would fail#"] if failing else []), "current#", "why")
        print_table(console, "what will run", columns, _reasons(plan, failing))
    print_findings(console, "nothing can run" if plan is None else "left out", notes)
    console.print(f"work folder: {config.work} ({describe_space(config.work)})", markup=False)
    estimate = None
    if plan is not None and plan.to_run and opened.lengths:
        # Only with lengths of clips: without one the estimate would be that of empty clips.
        estimate = estimate_work(plan, opened.lengths, config, cores=len(os.sched_getaffinity(0)))
        console.print(f"what will run takes {estimate}", markup=False)
    content = {
        "parts": [{"part": part.name, "found": part.found, "missing": part.missing} for part in parts],
        "faults": [str(fault) for fault in opened.faults],
        "findings": [*findings, *notes],
        "will_run": will_run,
        "would_fail": sorted(failing),
        "estimate": None if estimate is None else vars(estimate),
    }
    print_json(content, wanted=given.json)
    if plan is None:
        return USAGE
    return UNITS_FAILED if opened.faults else OK


def _run_self_test(given: argparse.Namespace) -> int:
    from movi_prep.examine.self_test import run_self_test
    from movi_prep.runtime.progress import show_work
    from movi_prep.stages.compile_solver import compile_solver

    console = open_console(to_stderr=bool(given.json))
    with show_work("compiling the solver"):
        compile_solver(console.print)
    results = [run_self_test(solver) for solver in ("converged", "opensim")]
    rows = [
        (
            result.solver,
            "passed" if result.passed else "FAILED",
            f"{result.rms_deg:.2g} of {result.limit_deg:g} deg",
            f"{result.marker_rms_mm:.2g} mm",
            f"{result.usable_frames} of {result.n_frames}",
            f"{result.seconds:.1f} s",
        )
        for result in results
    ]
    columns = ("solver", "outcome", "angles RMS#", "markers RMS#", "frames#", "took#")
    print_table(console, "self-test: known poses of the packaged model, from their markers", columns, rows)
    print_json({"self_test": [vars(result) for result in results]}, wanted=given.json)
    return OK if all(result.passed for result in results) else FAILED


def _plan_everything(config: Config) -> tuple[WorkPlan | None, list[str]]:
    """Return the plan of all stages and what it leaves out; or None and why nothing can run."""
    flags = {"--amass": config.amass, "--body-models": config.body_models}
    # A manifest lists both.
    unnamed = [flag for flag, folder in flags.items() if folder is None and config.manifest is None]
    if unnamed:
        return None, [f"AMASS clips and body models are needed: name {', '.join(unnamed)}"]
    try:
        stages, notes = stages_of("run", config)
        prepared = prepare_run(config, stages)
        check_machine(prepared)
        check_writable(config.work)
    except UsageError as error:
        return None, [str(error)]
    return prepared.plan, [*notes, *prepared.plan.left_out.values()]


def _reasons(plan: WorkPlan, failing: Collection[str]) -> list[tuple[str, ...]]:
    """Return for each stage how many units would run or fail, and the most frequent reasons."""
    rows: list[tuple[str, ...]] = []
    for stage in plan.stages:
        planned = [unit for unit in plan.units.values() if unit.unit.stage == stage]
        n_failing = sum(unit.unit.id in failing for unit in planned)
        reasons = Counter(_kind_of_reason(unit.reason) for unit in planned if not unit.is_current)
        said = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common(3))
        n_current = len(planned) - reasons.total()
        failures = [str(n_failing)] if failing else []
        rows.append((stage, str(reasons.total() - n_failing), *failures, str(n_current), said))
    return rows


def _kind_of_reason(reason: str) -> str:
    """Return a reason without its unit: `follows static S001 and 3 more` becomes `follows static`."""
    said = reason.partition(":")[0]
    return " ".join(said.split()[:2]) if said.startswith("follows ") else said
