"""`inspect`: prints what files contain."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from movi_prep.cli.exit_codes import OK, exit_code_of
from movi_prep.cli.printing import open_console, print_json, print_table
from movi_prep.errors import MoviPrepError
from movi_prep.plain_text import visible

if TYPE_CHECKING:
    import argparse

    from movi_prep.examine.file_facts import FileFacts


def inspect(given: argparse.Namespace) -> int:
    """`inspect`: print what files contain."""
    from movi_prep.examine.inspect_file import inspect_file

    console = open_console(to_stderr=bool(given.json))
    described, unreadable, codes = [], [], [OK]
    for name in given.files:
        try:
            described.append(inspect_file(Path(name)))
        except MoviPrepError as error:
            # If one file cannot be read, the others are still printed.
            print(f"movi-prep: {visible(error)}", file=sys.stderr)
            unreadable.append({"file": name, "reason": str(error)})
            codes.append(exit_code_of(error, given.files))
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
    print_json({"files": [_facts_json(facts) for facts in described], "failed": unreadable}, wanted=given.json)
    return max(codes)


def _facts_json(facts: FileFacts) -> dict[str, Any]:
    return {
        "file": str(facts.path),
        "kind": facts.kind,
        "facts": dict(facts.facts),
        "arrays": [{**vars(item), "shape": list(item.shape)} for item in facts.arrays],
    }
