"""Checks that results never replace their inputs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from movi_prep.errors import UsageError
from movi_prep.formats.opensim_setup import included_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from movi_prep.records.setups import IkSetup, ScaleSetup


_NAMED = ("model_file", "marker_set_file", "coordinate_file", "marker_file", "static_file", "placement_file")


def files_read(path: Path, setup: IkSetup | ScaleSetup) -> list[Path]:
    """Return the set-up at `path`, the files that it includes, and those that it names to be read."""
    named = (getattr(setup, name, None) for name in _NAMED)
    return [path, *included_files(path), *(file for file in named if file is not None)]


def check_inputs_kept(read: Iterable[Path], written: Iterable[Path], *, source: Path | str) -> None:
    """Refuse results that would replace files that are read, whatever the spelling or link.

    Args:
        read: files that are read.
        written: files that would be written.
        source: what asks for them, for the message.

    Raises:
        UsageError: a file that is read would be replaced.
    """
    # By device and inode: paths may differ in spelling, in links, or by case on some file systems.
    known = {_same_file(path): path for path in read if path.exists()}
    for path in written:
        replaced = known.get(_same_file(path)) if path.exists() else None
        if replaced is not None:
            raise UsageError(
                f"{source}: expected results that leave the inputs in place, but {replaced} would be replaced; correct "
                "the output file, or name another folder with --work"
            )


def check_only_results_replaced(written: Iterable[Path], *, source: Path | str) -> None:
    """Refuse to replace anything but results of an earlier run: a mesh of the model, a script, a folder.

    Raises:
        UsageError: a motion, report or model would replace a file of another kind.
    """
    for path in written:
        if path.is_dir() or (path.exists() and not _is_result(path)):
            raise UsageError(
                f"{source}: expected a result of an earlier run, or nothing, at {path}, but got another "
                "kind of file, which is not replaced; correct the output file"
            )


def _same_file(path: Path) -> tuple[int, int]:
    """Return what two paths of one file have in common, links of any kind included."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _is_result(path: Path) -> bool:
    """Return whether a file begins as results do: a storage file (.mot, .sto), a model (.osim), factors or markers."""
    with path.open("rb") as file:
        # The head is enough: every kind of result names itself in its first lines.
        head = file.read(4096)
    if path.suffix == ".xml":
        # A set-up holds such sets as well, but below the tag of its tool.
        return re.search(rb"<OpenSimDocument[^>]*>\s*<(ScaleSet|MarkerSet)\b", head) is not None
    return b"<OpenSimDocument" in head if path.suffix == ".osim" else b"endheader" in head
