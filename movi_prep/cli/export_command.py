"""`export`: shards as the files of released training codes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.cli.exit_codes import OK, UNITS_FAILED
from movi_prep.cli.printing import open_console, print_findings, print_json, print_table
from movi_prep.config.root import parse_names
from movi_prep.errors import UsageError

if TYPE_CHECKING:
    import argparse


def export_shards(given: argparse.Namespace) -> int:
    """`export`: write the files of one training code, and say what they lack."""
    from movi_prep.export.targets import export
    from movi_prep.export.tracks import Wanted

    console = open_console(to_stderr=bool(given.json))
    wanted = Wanted(
        train=_names(given.train, "--train"),
        test=_names(given.test, "--test"),
        cameras=_names(given.cameras, "--cameras"),
        joints=given.joint_centres or "smpl",
    )
    out = Path(given.out).expanduser().absolute()
    done = export(Path(given.source).expanduser().absolute(), out, target=given.to, wanted=wanted)
    rows = [(part, ", ".join(names)) for part, names in done.subjects.items()]
    print_table(console, f"{given.to}: {done.n_files} files, {done.n_bytes / 1e6:.1f} MB", ("part", "subjects"), rows)
    print_findings(console, "left out", done.left_out)
    print_findings(console, "to know", done.findings)
    console.print(f"how the code is pointed at them: {out / 'README.md'}", markup=False)
    content = {
        "out": str(out),
        "subjects": {part: list(names) for part, names in done.subjects.items()},
        "left_out": list(done.left_out),
        "findings": list(done.findings),
    }
    print_json(content, wanted=given.json)
    return UNITS_FAILED if done.left_out else OK


def _names(text: str | None, flag: str) -> tuple[str, ...]:
    """Return the entries of a list of names and ranges."""
    if text is None:
        return ()
    try:
        names = parse_names(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from error
    return tuple(names) if isinstance(names, tuple) else ()
