"""Tables and sentences for people. With `--json` they go to standard error, and the object to standard output."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

from movi_prep.plain_text import count_of, shell_line, visible
from movi_prep.runtime.progress import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from movi_prep.records.outdated import OutdatedShards
    from movi_prep.runtime.root_causes import RootCause
    from movi_prep.runtime.summary import Summary
    from movi_prep.runtime.work_plan import WorkPlan
    from movi_prep.stages.shards.verify import VerifyReport

_SHOWN, _KEYS_SHOWN = 20, 3

_NUMBER = re.compile(r"(?<![\w/.-])\d+(\.\d+)?")
"""A number in a sentence, but not the digits in keys and names (`S001/C03`, `flags30`)."""


def open_console(*, to_stderr: bool) -> Console:
    """Return a console that escapes control characters, and that styles and cuts lines only on a terminal."""
    stream = sys.stderr if to_stderr else sys.stdout
    # rich takes longer to load than a short command works. It obeys this variable, for logs that show colours.
    if not stream.isatty() and not os.environ.get("FORCE_COLOR"):
        return _LinePrinter(stream)  # type: ignore[return-value]
    try:
        from rich.console import Console
    except ImportError:
        # A machine that only trains, and verifies its shards, has no rich.
        return _LinePrinter(stream)  # type: ignore[return-value]

    # Defined here, because its base class is imported here.
    class PlainConsole(Console):
        def print(self, *objects: Any, **how: Any) -> None:
            super().print(*(visible(item) if isinstance(item, str) else item for item in objects), **how)

    return PlainConsole(file=stream, highlight=False)


class _LinePrinter:
    """A console for files, pipes and logs. They have no width: nothing is cut, each row stays one line for grep."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rule = "─" if (stream.encoding or "utf-8").lower().startswith("utf") else "-"

    def print(self, *objects: object, **how: object) -> None:  # noqa: ARG002 - rich's keywords
        print(*(visible(item) for item in objects), file=self._stream)

    def print_table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print the table as rich draws it (the test compares them)."""
        lines = _aligned(columns, rows)
        lines.insert(1, self._rule * max(map(len, lines)))
        for line in (*([visible(title)] if title else []), "", *(f" {line}".rstrip() for line in lines), ""):
            self.print(line)


def _aligned(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the columns' names and the rows as lines of equal columns."""
    names = [name.rstrip("#") for name in columns]
    cells = [[visible(cell).replace("\n", " ") for cell in row] for row in (names, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    pads = [
        (str.rjust if name.endswith("#") else str.ljust, width) for name, width in zip(columns, widths, strict=True)
    ]
    return ["   ".join(pad(cell, width) for cell, (pad, width) in zip(row, pads, strict=True)) for row in cells]


def print_table(console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; columns whose name ends in `#` are aligned right."""
    if isinstance(console, _LinePrinter):
        console.print_table(title, columns, rows)
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    # Text objects, not strings: rich would read brackets in file names as markup.
    table = Table(title=Text(visible(title)), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.rstrip("#"), justify="right" if column.endswith("#") else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    console.print(table)


def print_json(content: Mapping[str, Any], *, wanted: object) -> None:
    """Print the one object of `--json`, if the user wants it."""
    if wanted:
        # Flushed at once: a closed pipe must show here, while the exit code can still report it.
        print(json.dumps(content), flush=True)


def print_run(console: Console, summary: Summary, *, go_on: str, verbose: bool = False) -> None:
    """Print the summary of a run: one table, causes of failures, warnings and findings.

    Args:
        console: where to print.
        summary: the summary.
        go_on: the whole command that resumes the run.
        verbose: whether to list every failed unit with its own command.
    """
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
    print_table(console, "", columns, rows)
    _print_failures(console, summary, go_on=go_on, verbose=verbose)
    print_outdated(console, summary.outdated)
    _print_warnings(console, summary)
    _print_findings(console, summary)


def print_status(console: Console, summary: Summary, *, go_on: str, verbose: bool = False) -> None:
    """Print the state of a work folder; the arguments are those of `print_run`."""
    rows = [
        (stage, str(counts.done), str(counts.stale), str(counts.failed), str(counts.waiting))
        for stage, counts in summary.stages.items()
    ]
    print_table(console, "status", ("stage", "done#", "stale#", "failed#", "waiting#"), rows)
    _print_failures(console, summary, go_on=go_on, verbose=verbose)
    print_outdated(console, summary.outdated)
    _print_warnings(console, summary)


def print_end(console: Console, summary: Summary, work: Path, *, seconds: float) -> None:
    """Print the last lines of a run: how long it took, where the results are, and what to do next."""
    has_shards = any(name.startswith("shards") for name in summary.outputs)
    command = ("verify" if has_shards else "report") if summary.is_complete else "status"
    print_last_lines(console, work, (command, str(work)), is_complete=summary.is_complete, seconds=seconds)


def print_last_lines(
    console: Console, place: Path, command: Sequence[str], *, is_complete: bool, seconds: float
) -> None:
    """Print how long it took, where the results are, and the next command."""
    ended = "done" if is_complete else "ended with failures"
    console.print(f"{ended} in {format_duration(seconds)}: {place}", markup=False)
    console.print(f"next: {shell_line(['movi-prep', *command])}", markup=False)


def print_plan(console: Console, plan: WorkPlan) -> None:
    """Print which units would run and why, and what the plan leaves out."""
    print_findings(console, "left out", list(plan.left_out.values()))
    if not plan.to_run:
        console.print(f"nothing to run: all of {count_of(len(plan.units), 'unit')} current")
        return
    console.print(f"{len(plan.to_run)} of {count_of(len(plan.units), 'unit')} would run")
    rows = [(planned.unit.id, planned.state, planned.reason) for planned in plan.to_run]
    print_table(console, "would run", ("unit", "state", "why"), rows)


def print_findings(console: Console, title: str, findings: Sequence[str]) -> None:
    """Print sentences under a title; of many, only the first ones."""
    if findings:
        console.print(title, style="bold")
        for text in findings[:_SHOWN]:
            console.print(f"  {text}", markup=False)
        if len(findings) > _SHOWN:
            console.print(f"  and {len(findings) - _SHOWN} more")


def print_outdated(console: Console, outdated: Sequence[OutdatedShards]) -> None:
    """Print the shards that are out of date, each with the reason and the command that rebuilds it."""
    if not outdated:
        return
    number = sum(len(item.files) for item in outdated)
    said = (
        "is out of date, but training would read it" if number == 1 else "are out of date, but training would read them"
    )
    console.print(f"{count_of(number, 'shard file')} {said}", style="bold red")
    for item in outdated[:_SHOWN]:
        console.print(f"  {', '.join(item.files)}: {item.reason}", markup=False)
        console.print(f"    redo: {item.redo}", markup=False)
    if len(outdated) > _SHOWN:
        console.print(f"  and those of {count_of(len(outdated) - _SHOWN, 'more unit')}: --json lists all")


def _print_failures(console: Console, summary: Summary, *, go_on: str, verbose: bool) -> None:
    """Print each cause of failures once; with `verbose`, also every failed unit with its own command."""
    if not summary.failed:
        return
    n_waiting = len(summary.waits_for)
    verb = f"wait{'s' if n_waiting == 1 else ''} for {'it' if len(summary.failed) == 1 else 'them'}"
    waiting = f", {count_of(n_waiting, 'unit')} {verb}" if n_waiting else ""
    console.print(f"{count_of(len(summary.failed), 'unit')} failed{waiting}", style="bold red")
    for cause in summary.causes[:_SHOWN]:
        console.print(f"  {_say_cause(cause)}", markup=False)
        if cause.override:
            console.print(f"    to continue anyway: {go_on} --set {cause.override}", markup=False)
    if len(summary.causes) > _SHOWN:
        console.print(f"  and {count_of(len(summary.causes) - _SHOWN, 'more cause')}: --json lists all")
    if verbose:
        for failure in summary.failed:
            console.print(f"  {failure.unit}: {failure.reason}", markup=False)
            console.print(f"    redo: {failure.redo}", markup=False)
    console.print(f"  after correcting this, continue with: {go_on}", markup=False)


def _say_cause(cause: RootCause) -> str:
    """Return a cause as one line: which units failed, how many wait for them, and why."""
    by_stage: dict[str, list[str]] = {}
    for unit in cause.units:
        stage, _, key = unit.partition(" ")
        by_stage.setdefault(stage, []).append(key)
    units = "; ".join(f"{stage} {_first_keys(keys)}" for stage, keys in by_stage.items())
    waiting = f" ({count_of(cause.n_waiting, 'unit')} wait{'s' if cause.n_waiting == 1 else ''})"
    return f"{units}{waiting if cause.n_waiting else ''}: {cause.reason}"


def _first_keys(keys: Sequence[str]) -> str:
    rest = len(keys) - _KEYS_SHOWN
    return f"{', '.join(keys[:_KEYS_SHOWN])}{f' and {rest} more' if rest > 0 else ''}"


def _print_warnings(console: Console, summary: Summary) -> None:
    said = [f"{unit}: {text}" for unit, texts in summary.warnings.items() for text in texts]
    if not said:
        return
    console.print(count_of(len(said), "warning"), style="bold yellow")
    for text in said[:_SHOWN]:
        console.print(f"  {text}", markup=False)
    if len(said) > _SHOWN:
        console.print(f"  and {len(said) - _SHOWN} more: movi-prep status --json lists all")


def _print_findings(console: Console, summary: Summary) -> None:
    number = sum(len(texts) for texts in summary.findings.values())
    print_findings(console, count_of(number, "finding"), group_findings(summary.findings))


def group_findings(findings: Mapping[str, Sequence[str]]) -> list[str]:
    """Return one sentence per finding; findings of several units that differ only in their numbers become one.

    Args:
        findings: sentences by unit, `align S001`.
    """
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for unit, texts in findings.items():
        stage, _, key = unit.partition(" ")
        for text in texts:
            # Sentences that differ only in their numbers are the same finding.
            groups.setdefault((stage, _NUMBER.sub("#", text)), []).append((key, text))
    return [sentence for (stage, _), said in groups.items() for sentence in _say_group(stage, said)]


def _say_group(stage: str, said: Sequence[tuple[str, str]]) -> list[str]:
    keys = list(dict.fromkeys(key for key, _ in said))
    if len(keys) == 1:
        return [f"{stage} {key}: {text}" for key, text in said]
    kind = "subjects" if not any("/" in key for key in keys) else "units"
    first_key, first_text = said[0]
    others = "" if all(text == first_text for _, text in said) else f" (numbers of {first_key}; the others differ)"
    return [f"{stage}, {len(keys)} {kind}: {first_text}{others}"]


def verification_rows(report: VerifyReport) -> list[tuple[str, ...]]:
    """Return one row per verified file: its name, its number of rows, and its faults."""
    return [
        (
            f"{file.path.parent.name}/{file.path.name}",
            str(file.n_rows),
            "; ".join(f"{fault.where}: {fault.what}" for fault in file.faults) or "sound",
        )
        for file in report.files
    ]
