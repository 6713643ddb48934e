"""Commands that only look: `check`, `status`, `verify`, `inspect`, `report`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from movi_prep.cli.flags import config_file_of, settings_of
from movi_prep.cli.running import FAILED, OK, UNITS_FAILED, stages_of
from movi_prep.cli.tables import (
    open_console,
    print_findings,
    print_json,
    print_outdated,
    print_status,
    print_table,
    verification_rows,
)
from movi_prep.config.load import load_config
from movi_prep.errors import MoviPrepError, UsageError
from movi_prep.records.work_folder import WorkFolder
from movi_prep.runtime.run import check_machine, config_path, find_data, prepare_run, use_embedded_data

if TYPE_CHECKING:
    from movi_prep.config.root import Config
    from movi_prep.records.download import Download
    from movi_prep.records.outdated import OutdatedShards
    from movi_prep.report.work import PlanFacts
    from movi_prep.runtime.plan import Plan
    from movi_prep.stages.inspect import FileFacts


def check_data(given: argparse.Namespace) -> int:
    """`check`: what is found, what is missing, what will run."""
    from movi_prep.runtime.overview import damaged_videos, describe_download, describe_space

    if given.self_test:
        return _run_self_test(given)
    config = use_embedded_data(load_config(config_file_of(given), settings_of(given)), write=False)
    download = find_data(config)
    parts = describe_download(download, config)
    console = open_console(to_stderr=bool(given.json))
    rows = [(part.name, part.found, part.missing, str(part.folder or "no folder named")) for part in parts]
    print_table(console, "data", ("part", "found", "missing", "folder"), rows)
    findings = (*download.findings, *damaged_videos(download))
    print_findings(console, "findings", findings)
    plan, notes = _plan_everything(config, download)
    will_run: dict[str, dict[str, int]] = {}
    if plan is not None:
        will_run = {stage: {str(state): n for state, n in plan.counts(stage).items()} for stage in plan.stages}
        print_table(console, "what will run", ("stage", "to run#", "current#", "why"), _reasons(plan))
    print_findings(console, "nothing can run" if plan is None else "left out", notes)
    console.print(f"work folder: {config.work} ({describe_space(config.work)})", markup=False)
    content = {
        "parts": [{"part": part.name, "found": part.found, "missing": part.missing} for part in parts],
        "findings": [*findings, *notes],
        "will_run": will_run,
    }
    print_json(content, wanted=given.json)
    return OK if plan is not None else 2


def show_status(given: argparse.Namespace) -> int:
    """`status`: what is done, stale, failed, waiting; by the last run's configuration where no data are named."""
    from movi_prep.runtime.summary import summarise_plan

    begin = time.perf_counter()
    config = use_embedded_data(_status_config(given), write=False)
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


def verify(given: argparse.Namespace) -> int:
    """`verify`: read shards the way training does, every sample; in a work folder, are they those of its last run?"""
    from movi_prep.stages.verify_d3ke import verify_folder

    console = open_console(to_stderr=bool(given.json))
    folder = Path(given.folder).absolute()
    result = verify_folder(folder, workers=given.workers or 1)
    print_table(console, "shards", ("file", "rows#", "state"), verification_rows(result))
    outdated, notes = _outdated_shards(folder)
    print_outdated(console, outdated)
    print_findings(console, "not compared with the last run", notes)
    content = [
        {"file": str(file.path), "rows": file.n_rows, "faults": [str(fault) for fault in file.faults]}
        for file in result.files
    ]
    print_json({"shards": content, "outdated": [vars(item) for item in outdated], "notes": notes}, wanted=given.json)
    return OK if result.is_sound and not outdated else UNITS_FAILED


def _outdated_shards(folder: Path) -> tuple[tuple[OutdatedShards, ...], list[str]]:
    """Return the shards of earlier runs below a work folder, or beside its records, and why they cannot be told."""
    from movi_prep.runtime.outdated import find_outdated

    work = folder if config_path(folder).is_file() else folder.parent
    if not config_path(work).is_file() or not WorkFolder(work).records().is_dir():
        # Shards that were copied elsewhere have no records beside them; there is nothing to compare with.
        return (), []
    try:
        config = use_embedded_data(load_config(config_path(work), {"work": str(work)}), write=False)
        prepared = prepare_run(config, stages_of("run", config)[0])
    except MoviPrepError as error:
        # The data may be out of reach of who verifies; the shards are sound all the same.
        return (), [str(error)]
    return find_outdated(prepared.plan, prepared.identities), []


def inspect(given: argparse.Namespace) -> int:
    """`inspect`: what files hold."""
    from movi_prep.stages.inspect import inspect_file

    console = open_console(to_stderr=bool(given.json))
    described, unreadable = [], 0
    for name in given.files:
        try:
            described.append(inspect_file(Path(name)))
        except MoviPrepError as error:
            # One of many files must not cost what there is to say of the others.
            print(f"movi-prep: {error}", file=sys.stderr)
            unreadable += 1
    for facts in described:
        console.print(f"{facts.path}: {facts.kind}", style="bold", markup=False)
        for name, value in facts.facts.items():
            console.print(f"  {name}: {value}", markup=False)
        if facts.arrays:
            rows = [
                (item.name, str(item.shape), item.dtype, item.dims, item.unit, item.frame, item.description)
                for item in facts.arrays
            ]
            columns = ("array", "shape", "dtype", "dims", "unit", "frame", "content")
            print_table(console, "", columns, rows)
    print_json({"files": [_facts_json(facts) for facts in described]}, wanted=given.json and bool(described))
    return FAILED if unreadable else OK


def report(given: argparse.Namespace) -> int:
    """`report`: one page on quality."""
    from movi_prep.report.write import write_report

    config = use_embedded_data(_status_config(given), write=False)
    beside = Path(given.beside).absolute() if given.beside else None
    written = write_report(config, beside=beside, plan=_plan_facts(config))
    console = open_console(to_stderr=bool(given.json))
    for path in written:
        console.print(str(path), markup=False)
    print_json({"outputs": [str(path) for path in written]}, wanted=given.json)
    return OK


def _plan_facts(config: Config) -> PlanFacts:
    """Return what the plan says for the report, which is written without the data, too."""
    from movi_prep.report.work import PlanFacts
    from movi_prep.runtime.outdated import find_outdated

    try:
        stages, notes = stages_of("run", config)
        prepared = prepare_run(config, stages)
    except MoviPrepError as error:
        return PlanFacts(data=(f"the data are not at hand, so that what they leave out cannot be told: {error}",))
    return PlanFacts(
        left_out=(*notes, *prepared.plan.left_out.values()),
        data=prepared.download.findings,
        outdated=find_outdated(prepared.plan, prepared.identities),
    )


def _run_self_test(given: argparse.Namespace) -> int:
    from movi_prep.stages.compile_solver import compile_solver
    from movi_prep.stages.self_test import run_self_test

    console = open_console(to_stderr=bool(given.json))
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


def _status_config(given: argparse.Namespace) -> Config:
    """Return the configuration that was asked for; with a work folder alone, that of its last run."""
    flags = settings_of(given)
    file = config_file_of(given)
    if file is None and "amass" not in flags:
        last = config_path(Path(flags.get("work", "work")))
        if not last.is_file() and (last.parent / "ik").is_dir():
            raise UsageError(
                f"{last.parent}: expected a work folder of AMASS clips, but got results of marker files, of which no "
                "records are kept; see report/marker_files.html there, and movi-prep inspect FILE"
            )
        if not last.is_file():
            raise UsageError(f"{last} is not there: nothing ran in this work folder yet; name --config or --amass")
        file = last
        # A folder that was moved or copied is the one that is meant, not the one where it was made.
        flags["work"] = str(last.parent)
    return load_config(file, flags)


def _plan_everything(config: Config, download: Download) -> tuple[Plan | None, list[str]]:
    """Return the plan of all stages and what is left out of it, or None and why nothing can run."""
    if not (download.motions and download.body_models):
        return None, ["AMASS clips and body models are needed (--amass, --body-models)"]
    stages, notes = stages_of("run", config)
    try:
        prepared = prepare_run(config, stages)
        check_machine(prepared)
    except UsageError as error:
        return None, [str(error)]
    return prepared.plan, [*notes, *prepared.plan.left_out.values()]


def _reasons(plan: Plan) -> list[tuple[str, ...]]:
    """Return per stage how many units run, and why: the most frequent reasons."""
    rows: list[tuple[str, ...]] = []
    for stage in plan.stages:
        planned = [unit for unit in plan.units.values() if unit.unit.stage == stage]
        reasons = Counter(unit.reason.partition(":")[0].split(" S")[0] for unit in planned if not unit.is_current)
        said = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common(3))
        rows.append((stage, str(sum(reasons.values())), str(len(planned) - sum(reasons.values())), said))
    return rows


def _facts_json(facts: FileFacts) -> dict[str, Any]:
    return {
        "file": str(facts.path),
        "kind": facts.kind,
        "facts": dict(facts.facts),
        "arrays": [{**vars(item), "shape": list(item.shape)} for item in facts.arrays],
    }
