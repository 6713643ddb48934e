"""Whether the files and folders that flags name are there, and of the kind that each flag takes, asked first of all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from movi_prep.cli.flags import FLAGS
from movi_prep.errors import UsageError, suggest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_WRITTEN = {"work", "output"}
"""Flags whose folder a command makes."""

_TRIAL = ("a marker file", ("--marker-file", "--static-file"))
_KINDS = {
    ".trc": _TRIAL,
    ".c3d": _TRIAL,
    ".osim": ("a model", ("--model",)),
    ".xml": ("a document", ("--setup", "--scale-setup", "--ik-setup")),
    ".mot": ("a motion", ()),
    ".sto": ("a motion", ()),
    ".npz": ("a motion of a body", ()),
    ".h5": ("a result of movi-prep", ()),
    ".yaml": ("a YAML file", ("--scale-setup", "--ik-setup", "--config")),
    ".yml": ("a YAML file", ("--scale-setup", "--ik-setup", "--config")),
}
"""What a file is by its suffix, and the flags that take one."""

_PARTICULAR = {"--marker-file", "--static-file", "--model", "--setup", "--scale-setup", "--ik-setup"}
"""Flags of trials. Theirs are the files that users exchange."""


def check_typed_inputs(given: argparse.Namespace) -> None:
    """Raise one UsageError for all that flags name and that is not there, or is another flag's kind of file."""
    faults = [fault for flag, path, kind in _named(given) if (fault := _fault(flag, path, kind))]
    faults += [fault] if (fault := _written_fault(given)) else []
    if faults:
        raise UsageError(f"{'; '.join(faults)}; correct the path{'s' if len(faults) > 1 else ''}")


def check_source_and_out(given: argparse.Namespace) -> None:
    """Check the folder to read and the one to write, of commands that take both.

    Raises:
        UsageError: they are exchanged, `out` is a file, or it lies among the results of a work folder.
    """
    source, out = (Path(name).expanduser() for name in (given.source, given.out))
    if not source.exists() and out.is_dir() and any(out.iterdir()):
        raise UsageError(
            f"{given.command}: expected the folder to read first, then the one to write, but {source} is not there and "
            f"{out} is; exchange them"
        )
    if out.exists() and not out.is_dir():
        raise UsageError(f"{given.command}: expected a folder to write, but {out} is a file; name another")
    # Imported here: `ik --setup`, which checks its files above, needs none of it.
    from movi_prep.runtime.named_work_folder import results_around

    results = results_around(out.absolute())
    if results is not None:
        raise UsageError(
            f"{given.command}: expected a folder of its own, but {out} is in {results}, where a run keeps its results; "
            "name another"
        )


def _named(given: argparse.Namespace) -> Iterator[tuple[str, Path, str]]:
    """Yield the flag, the path and whether it is to be a file or a folder, for all paths that are read."""
    for flag in FLAGS:
        kind = {"FILE": "file", "DIR": "folder"}.get((flag.metavar or "").partition(".")[0])
        value = getattr(given, flag.dest, None)
        # An empty path is an unset variable of a shell script; the configuration says so.
        if kind is None or not value or flag.dest in _WRITTEN:
            continue
        for name in value if isinstance(value, list) else [value]:
            yield flag.name, Path(name).expanduser(), kind


def _written_fault(given: argparse.Namespace) -> str:
    output = getattr(given, "output", None)
    is_file = output is not None and Path(output).expanduser().is_file()
    return f"--output: expected a folder, but {output} is a file" if is_file else ""


def _fault(flag: str, path: Path, kind: str) -> str:
    """Return what is wrong with a path that a flag names; empty where nothing is."""
    what, takers = _KINDS.get(path.suffix.lower(), ("", ()))
    if flag in _PARTICULAR and what and flag not in takers:
        hint = f", which {' or '.join(takers)} takes" if takers else ""
        return f"{flag}: expected {_wanted(flag)}, but {path} is {what}{hint}"
    if path.is_file() if kind == "file" else path.is_dir():
        return ""
    if path.exists():
        return f"{flag}: expected a {kind}, but {path} is a {'folder' if kind == 'file' else 'file'}"
    return f"{flag}: expected a {kind}, but {path} is not there{_near(path)}"


def _wanted(flag: str) -> str:
    return next(what for what, takers in _KINDS.values() if flag in takers)


def _near(path: Path) -> str:
    """Return a hint at the name beside a path that is most like it."""
    try:
        return suggest(path.name, (entry.name for entry in path.parent.iterdir()))
    except OSError:
        # The folder is not there either, or cannot be listed.
        return ""
