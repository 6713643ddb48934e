"""Tables and sentences for a person. In JSON mode they go to standard error, for standard output is for the object."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

from movi_prep.plain_text import visible
from movi_prep.runtime.progress import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console

    from movi_prep.records.outdated import OutdatedShards
    from movi_prep.runtime.summary import Summary
    from movi_prep.runtime.work_plan import WorkPlan
    from movi_prep.stages.shards.verify import VerifyReport

_SHOWN = 20

_NUMBER = re.compile(r"(?<![\w/.-])\d+(\.\d+)?")
"""A number in a sentence; the digits of keys and names (`S001/C03`, `flags30`) are none."""


def open_console(*, to_stderr: bool) -> Console:
    """Return where tables go. Lines are not cut where nobody looks at a terminal; names cannot steer a terminal."""
    from rich.console import Console

    class PlainConsole(Console):
        def print(self, *objects: Any, **how: Any) -> None:
            super().print(*(visible(item) if isinstance(item, str) else item for item in objects), **how)

    # A pipe has no width: nothing is cut there, and every row stays one line for grep.
    stream = sys.stderr if to_stderr else sys.stdout
    return PlainConsole(
        file=stream, highlight=False, soft_wrap=not stream.isatty(), width=None if stream.isatty() else 200
    )


def print_table(console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; columns whose name ends in `#` are aligned right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(visible(title)), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.rstrip("#"), justify="right" if column.endswith("#") else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    console.print(table)


def print_json(content: Mapping[str, Any], *, wanted: object) -> None:
    """Print the one object of `--json`, if that was asked for."""
    if wanted:
        print(json.dumps(content), flush=True)


def print_run(console: Console, summary: Summary, *, seconds: float) -> None:
    """Print what a run came to: one table, failures with their commands, warnings, and what else is to be read."""
    rows = [
        (
            stage,
            str(counts.done),
            str(counts.current),
            str(counts.failed),
            str(counts.waiting),
            format_duration(counts.seconds),
            f"{counts.peak_memory_mb:.0f} MB" if counts.peak_memory_mb else "",
        )
        for stage, counts in summary.stages.items()
    ]
    columns = ("stage", "done#", "current#", "failed#", "waiting#", "work#", "peak memory#")
    print_table(console, f"in {format_duration(seconds)}", columns, rows)
    _print_failures(console, summary)
    print_outdated(console, summary.outdated)
    _print_warnings(console, summary)
    _print_findings(console, summary)


def print_status(console: Console, summary: Summary) -> None:
    """Print the state of a work folder."""
    rows = [
        (stage, str(counts.done), str(counts.stale), str(counts.failed), str(counts.waiting))
        for stage, counts in summary.stages.items()
    ]
    print_table(console, "status", ("stage", "done#", "stale#", "failed#", "waiting#"), rows)
    _print_failures(console, summary)
    print_outdated(console, summary.outdated)
    _print_warnings(console, summary)


def print_plan(console: Console, plan: WorkPlan) -> None:
    """Print what would run, and why, and what was asked for and cannot be."""
    print_findings(console, "left out", list(plan.left_out.values()))
    if not plan.to_run:
        console.print(f"nothing to run: all {len(plan.units)} units are current")
        return
    console.print(f"{len(plan.to_run)} of {len(plan.units)} units would run")
    rows = [(planned.unit.id, planned.state, planned.reason) for planned in plan.to_run]
    print_table(console, "would run", ("unit", "state", "why"), rows)


def print_findings(console: Console, title: str, findings: Sequence[str]) -> None:
    """Print sentences, the first of many."""
    if findings:
        console.print(title, style="bold")
        for text in findings[:_SHOWN]:
            console.print(f"  {text}", markup=False)
        if len(findings) > _SHOWN:
            console.print(f"  and {len(findings) - _SHOWN} more")


def print_outdated(console: Console, outdated: Sequence[OutdatedShards]) -> None:
    """Print the shards that do not hold, each with its reason and the command that makes it anew."""
    if not outdated:
        return
    number = sum(len(item.files) for item in outdated)
    verb, them = ("is", "it") if number == 1 else ("are", "them")
    said = f"{verb} not what a run would write now, and training would read {them} all the same"
    console.print(f"{_counted(number, 'shard file')} {said}", style="bold red")
    for item in outdated[:_SHOWN]:
        console.print(f"  {', '.join(item.files)}: {item.reason}", markup=False)
        console.print(f"    redo: {item.redo}", markup=False)
    if len(outdated) > _SHOWN:
        console.print(f"  and those of {len(outdated) - _SHOWN} more units: --json names them all")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _print_failures(console: Console, summary: Summary) -> None:
    if not summary.failed:
        return
    console.print(f"{_counted(len(summary.failed), 'unit')} failed", style="bold red")
    for failure in summary.failed[:_SHOWN]:
        console.print(f"  {failure.unit}: {failure.reason}", markup=False)
        console.print(f"    redo: {failure.redo}", markup=False)
    if len(summary.failed) > _SHOWN:
        console.print(f"  and {len(summary.failed) - _SHOWN} more: movi-prep status --json names them all")
    # Of those that wait, only these wait in vain; the others have not had their turn.
    blocked = [f"{unit}: {reason}" for unit, reason in summary.waiting.items() if reason.startswith("needs ")]
    verb = "waits" if len(blocked) == 1 else "wait"
    print_findings(console, f"{_counted(len(blocked), 'unit')} {verb} for them", blocked)


def _print_warnings(console: Console, summary: Summary) -> None:
    said = [f"{unit}: {text}" for unit, texts in summary.warnings.items() for text in texts]
    if not said:
        return
    console.print(_counted(len(said), "warning"), style="bold yellow")
    for text in said[:_SHOWN]:
        console.print(f"  {text}", markup=False)
    if len(said) > _SHOWN:
        console.print(f"  and {len(said) - _SHOWN} more: movi-prep status --json names them all")


def _print_findings(console: Console, summary: Summary) -> None:
    number = sum(len(texts) for texts in summary.findings.values())
    print_findings(console, _counted(number, "finding"), group_findings(summary.findings))


def group_findings(findings: Mapping[str, Sequence[str]]) -> list[str]:
    """Return one sentence per finding, those of several units in the same words (numbers aside) as one.

    Args:
        findings: sentences by unit, `align S001`.
    """
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for unit, texts in findings.items():
        stage, _, key = unit.partition(" ")
        for text in texts:
            # The same sentence with other numbers is the same finding.
            groups.setdefault((stage, _NUMBER.sub("#", text)), []).append((key, text))
    return [sentence for (stage, _), said in groups.items() for sentence in _say_group(stage, said)]


def _say_group(stage: str, said: Sequence[tuple[str, str]]) -> list[str]:
    keys = list(dict.fromkeys(key for key, _ in said))
    if len(keys) == 1:
        return [f"{stage} {key}: {text}" for key, text in said]
    kind = "subjects" if not any("/" in key for key in keys) else "units"
    first_key, first_text = said[0]
    others = "" if all(text == first_text for _, text in said) else f" (so {first_key}; the others by other numbers)"
    return [f"{stage}, {len(keys)} {kind}: {first_text}{others}"]


def verification_rows(report: VerifyReport) -> list[tuple[str, ...]]:
    """Return one row per verified file: its name, its rows, and what is wrong with it."""
    return [
        (
            f"{file.path.parent.name}/{file.path.name}",
            str(file.n_rows),
            "; ".join(f"{fault.where}: {fault.what}" for fault in file.faults) or "sound",
        )
        for file in report.files
    ]
