"""Whether a work folder can be written, asked before anything runs."""

from __future__ import annotations

import errno
import os
import tempfile
from typing import TYPE_CHECKING, NoReturn

from movi_prep.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def check_writable(work: Path) -> None:
    """Raise UsageError that names the first folder of a work folder in which no file can be made; leave nothing there.

    A work folder that is not there yet is judged by the folder in which it would be made.
    """
    # lexists: a broken link in the place of the work folder is a fault to report, not a folder to make.
    there = next(folder for folder in (work, *work.parents) if os.path.lexists(folder))
    _write_in(there)
    for folder in _folders_in(work) if there == work else ():
        _write_in(folder)
        for inner in _folders_in(folder):
            # There are hundreds, one for each subject: only their permissions are asked for.
            if not os.access(inner, os.W_OK | os.X_OK):
                _refuse(inner, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _write_in(folder: Path) -> None:
    try:
        # Permissions say little on network file systems, and nothing on those that are mounted read-only.
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        _refuse(folder, error)


def _folders_in(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir())
    except OSError as error:
        _refuse(folder, error)


def _refuse(folder: Path, error: OSError) -> NoReturn:
    raise UsageError(
        f"work: expected a folder that can be written, but {folder}: {error.strerror or error}; name another (--work), "
        "or change its permissions"
    ) from error
