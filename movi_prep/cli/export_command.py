"""`export`: shards as the files of released training codes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.cli.exit_codes import OK, UNITS_FAILED
from movi_prep.cli.flags import SCENES
from movi_prep.cli.printing import open_console, print_findings, print_json, print_table
from movi_prep.cli.typed_inputs import check_source_and_out
from movi_prep.config.root import parse_names
from movi_prep.errors import UsageError
from movi_prep.plain_text import count_of

if TYPE_CHECKING:
    import argparse


def export_shards(given: argparse.Namespace) -> int:
    """`export`: write the files of one training code, and say what they lack."""
    check_source_and_out(given)
    if given.to in SCENES:
        return _export_scenes(given)
    from movi_prep.export.targets import TABLES, export
    from movi_prep.export.tracks import Wanted
    from movi_prep.runtime.progress import show_work

    if given.to == TABLES:
        _refuse_flags_of_codes(given)
    console = open_console(to_stderr=bool(given.json))
    wanted = Wanted(
        train=_names(given.train, "--train"),
        test=_names(given.test, "--test"),
        cameras=_names(given.cameras, "--cameras"),
        joints=given.joint_centres or "smpl",
    )
    out = Path(given.out).expanduser().absolute()
    with show_work(f"exporting to {given.to}"):
        done = export(Path(given.source).expanduser().absolute(), out, target=given.to, wanted=wanted)
    rows = [(part, ", ".join(names)) for part, names in done.subjects.items()]
    title = f"{given.to}: {count_of(done.n_files, 'file')}, {done.n_bytes / 1e6:.1f} MB"
    print_table(console, title, ("part", "subjects"), rows)
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


def _export_scenes(given: argparse.Namespace) -> int:
    """Write files that other programs open: what moves as animation, models with geometry."""
    from movi_prep.runtime.named_work_folder import check_work_folder
    from movi_prep.runtime.progress import show_work
    from movi_prep.view.scene_files import export_scenes

    _refuse_flags_of_codes(given)
    console = open_console(to_stderr=bool(given.json))
    source, out = (Path(name).expanduser().absolute() for name in (given.source, given.out))
    check_work_folder(source)
    with show_work(f"writing {given.to} files"):
        done = export_scenes(source, out, given.to)
    for path in done.outputs:
        console.print(str(path), markup=False)
    print_findings(console, "to know", done.findings)
    print_findings(console, "left out", done.failed)
    content = {
        "outputs": [str(path) for path in done.outputs],
        "left_out": list(done.failed),
        "findings": list(done.findings),
    }
    print_json(content, wanted=given.json)
    return UNITS_FAILED if done.failed else OK


def _refuse_flags_of_codes(given: argparse.Namespace) -> None:
    """Refuse rather than ignore: a user who splits scenes or tables would believe that they were split."""
    extra = [name for name in ("train", "test", "cameras", "joint_centres") if getattr(given, name) is not None]
    if extra:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in extra)
        raise UsageError(
            f"export --to {given.to}: expected no flags of training codes, but got {flags}; leave them out"
        )


def _names(text: str | None, flag: str) -> tuple[str, ...]:
    """Return the entries of a list of names and ranges."""
    if text is None:
        return ()
    try:
        names = parse_names(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from error
    return tuple(names) if isinstance(names, tuple) else ()
