"""Files appear whole or not at all.

A writer receives a temporary path in the folder of the final one; when it returns, the file is flushed to disk and
renamed. A crash leaves at most a file or folder that begins with `.partial-`. In a run it lies in the scratch folder
that units write into, which the next run clears away with all that is in it. What an export or a film left, the next
one to the same place clears away: a process holds its folder with `flock`, which ends with the process.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PARTIAL_PREFIX = ".partial-"
_NEW, _OLD = "new", "old"
_SETTLED_S = 1.0
"""Age at which a folder that nobody holds is left over: between making and locking one lie microseconds."""

SPARE_BYTES = 16_000_000
"""Space that a growing file leaves on its disk, so that what HDF5 writes when it closes a file fits too."""


@contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """Yield a temporary path beside `final`; rename it to `final` when the block ends without an error.

    The temporary name keeps the suffix of `final`, because some writers choose their format by it.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    # A random name: two runs that write the same file must not write into each other's.
    partial = final.with_name(f"{PARTIAL_PREFIX}{os.urandom(6).hex()}-{final.name}")
    try:
        yield partial
        publish(partial, final)
    finally:
        # After a success there is nothing left to remove: `publish` has renamed it.
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_large(final: Path) -> Iterator[Path]:
    """Yield a temporary path for a file that takes minutes, as `atomic_path`; clear away what killed writers left."""
    with _aside(final) as aside:
        yield aside / final.name
        publish(aside / final.name, final)


@contextmanager
def atomic_folder(final: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `final`; it takes the place of `final` when the block ends without an error."""
    with _aside(final) as aside:
        partial, before = aside / _NEW, aside / _OLD
        partial.mkdir()
        yield partial
        if final.exists():
            # A folder that is not empty cannot be renamed over another one: the old one steps aside
            # first.
            final.rename(before)
        try:
            partial.rename(final)
        except OSError:
            if before.exists():
                before.rename(final)
            raise


@contextmanager
def _aside(final: Path) -> Iterator[Path]:
    """Yield a folder beside `final` that is locked as long as this process lives, and goes with all that is in it."""
    final.parent.mkdir(parents=True, exist_ok=True)
    _clear_dead(final)
    aside = final.with_name(f"{PARTIAL_PREFIX}{os.urandom(6).hex()}-{final.name}")
    aside.mkdir()
    with _lock(aside):
        try:
            yield aside
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _clear_dead(final: Path) -> None:
    """Remove what processes that were killed left beside `final`; a folder that was stepping aside comes back."""
    left = re.compile(rf"{re.escape(PARTIAL_PREFIX)}[0-9a-f]{{12}}-{re.escape(final.name)}")
    for aside in [path for path in final.parent.iterdir() if left.fullmatch(path.name) and path.is_dir()]:
        with suppress(FileNotFoundError), _lock(aside) as is_ours:
            if not is_ours or time.time() - aside.stat().st_ctime < _SETTLED_S:
                continue
            if (aside / _OLD).is_dir() and not final.exists():
                (aside / _OLD).rename(final)
            shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _lock(folder: Path) -> Iterator[bool]:
    """Hold a folder while the block runs; yield whether nobody else holds it."""
    # Python opens it close-on-exec: a child process does not keep the lock after this one's death.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield _take(descriptor)
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # Held, or on a file system without locks, where nobody can tell: it stays.
        return False
    return True


def publish(whole: Path, final: Path) -> None:
    """Flush a complete file to disk and give it its final name; both paths lie on one file system."""
    final.parent.mkdir(parents=True, exist_ok=True)
    # Before the name: after a power cut, some file systems keep the new name of a file whose
    # content never arrived.
    _flush_to_disk(whole)
    whole.replace(final)


def check_space(folder: Path, n_bytes: int, *, spare_bytes: int = SPARE_BYTES) -> None:
    """Raise OSError before the disk is full: HDF5 takes the whole process with it when it cannot write."""
    # `free` counts what this user may write, not what the disk keeps back for root.
    free = shutil.disk_usage(folder).free
    if free < n_bytes + spare_bytes:
        raise OSError(
            errno.ENOSPC,
            f"the disk is full: {(n_bytes + spare_bytes) / 1e6:.1f} MB are needed to go on, "
            f"{free / 1e6:.1f} MB are free",
            str(folder),
        )


def write_bytes(final: Path, content: bytes) -> None:
    """Write `content` to `final` atomically."""
    with atomic_path(final) as partial:
        partial.write_bytes(content)


def write_text(final: Path, content: str) -> None:
    """Write `content` to `final` atomically, UTF-8 with Unix line ends on every platform."""
    write_bytes(final, content.encode("utf-8"))


def write_lines(final: Path, lines: Iterable[str]) -> None:
    """Write lines to `final` atomically and one at a time: a long table is never in memory as one text."""
    with atomic_path(final) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def _flush_to_disk(path: Path) -> None:
    # fsync writes what any process left in the page cache: a descriptor for reading is enough.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
