"""Load a file in a child process first: a crash of the parser ends the child, and becomes an error of the file.

On some files, libraries end in a segmentation fault, which no `except` catches, or in an endless
loop. A forked child has the library loaded already, so that the trial costs no more than the loading itself.

| files | what ends their parser | cost |
|---|---|---|
| models of OpenSim | a joint with a coordinate too many, elements nested very deeply | 20 to 70 ms a model |
| HDF5 | a changed byte in a group, in a header or in an index of chunks | see `hdf5_trial` |

Files whose bytes are those that this pipeline wrote (`sound_files`) need no trial.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from movi_prep.errors import InputError
from movi_prep.formats.file_stamp import FileStamp, file_stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

Result = TypeVar("Result")

LONGEST_S = 120
"""Seconds after which a child that is still loading is ended; D3KE's largest model takes one second."""

_FINISHED, _RAISED, _OUT_OF_MEMORY = 0, 1, 2

_SOUND: ContextVar[Mapping[Path, FileStamp]] = ContextVar("_SOUND", default=MappingProxyType({}))
"""Files that need no trial here and now, and their stamps."""


@dataclass(frozen=True)
class Limits:
    """Limits at which a child is ended.

    Attributes:
        longest_s: time on the clock; a slow file system counts.
        processor_s: time of the processor, None for no limit; an endless loop is found by it.
        memory_bytes: memory beyond what the parent has, None for no limit.
    """

    longest_s: int = LONGEST_S
    processor_s: int | None = None
    memory_bytes: int | None = None


@contextmanager
def sound_files(files: Mapping[Path, FileStamp]) -> Iterator[None]:
    """Leave out the trial of these files inside, as long as their stamps hold.

    For whoever has just compared their bytes with a record of what the pipeline wrote: a damaged file fails that.
    """
    token = _SOUND.set(files)
    try:
        yield
    finally:
        _SOUND.reset(token)


def check_that_it_loads(
    path: Path,
    load: Callable[[], object],
    *,
    limits: Limits | None = None,
    remedy: str = "open it in the program that made it and repair it; often a joint has more coordinates than axes",
) -> None:
    """Raise InputError where `load` ends its process; exceptions that it raises are left to the next caller that loads.

    Args:
        path: the document, for the message.
        load: loads it, and changes nothing that outlives the process.
        limits: what it may take.
        remedy: what to do where it cannot be loaded.
    """

    if _SOUND.get().get(path) == file_stamp(path):
        return

    def load_only() -> None:
        load()

    load_apart(path, load_only, limits=limits or Limits(), remedy=remedy)


def load_apart(path: Path, load: Callable[[], Result], *, limits: Limits, remedy: str) -> Result | None:
    """Return what `load` returns in a child process, None where it raises.

    Args:
        path: the file, for the message.
        load: loads it and returns something small that can be pickled.
        limits: what it may take.
        remedy: what to do where it cannot be loaded.

    Raises:
        InputError: the child died, or took more time or memory than it may.
    """
    # Buffered text would otherwise be written by both processes.
    sys.stdout.flush()
    reads, writes = os.pipe()
    with warnings.catch_warnings():
        # Python warns of forks beside threads; the child takes no lock of theirs, it only parses and ends.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.close(reads)
        # Never returns: the child must not run on into the parent's code.
        _load_and_end(load, limits, writes)
    # Otherwise the pipe never ends: the parent itself would still hold its writing side.
    os.close(writes)
    with os.fdopen(reads, "rb") as pipe:
        # Before waitpid: a child whose result does not fit the pipe waits until somebody reads.
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    fault = _fault(status, limits)
    if fault:
        raise InputError(path, expected="a file that its parser can read", got=fault, remedy=remedy)
    return pickle.loads(told) if told else None  # noqa: S301 - our own child wrote it


def _fault(status: int, limits: Limits) -> str:
    """Return what ended a child, "" where it ended by itself."""
    if os.WIFSIGNALED(status):
        ended_by = signal.Signals(os.WTERMSIG(status))
        if ended_by == signal.SIGALRM:
            return f"no end after {limits.longest_s} s"
        if ended_by == signal.SIGXCPU:
            return f"no end after {limits.processor_s} s of computing"
        return f"its parser dies ({ended_by.name})"
    return "one that asks for more memory than it can fill" if os.WEXITSTATUS(status) == _OUT_OF_MEMORY else ""


def _load_and_end(load: Callable[[], object], limits: Limits, writes: int) -> None:
    """Load in the child and leave no trace: no core file, no fault report, no clean-up of the parent's resources."""
    import faulthandler

    ended = _RAISED
    try:
        # The parent's handler would print a stack for a crash that is expected here.
        faulthandler.disable()
        _limit(limits)
        result = load()
        if result is not None:
            with os.fdopen(writes, "wb") as pipe:
                pickle.dump(result, pipe)
        ended = _FINISHED
    except MemoryError:
        ended = _OUT_OF_MEMORY
    finally:
        # Without exit handlers: they are the parent's, and would delete its temporary files.
        os._exit(ended)


def _limit(limits: Limits) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The parent may have caught or ignored these signals, and a fork inherits that.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    # The clock as well as the processor: a network file system can hang without computing.
    signal.alarm(limits.longest_s)
    if limits.processor_s is not None:
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        _lower(resource.RLIMIT_CPU, limits.processor_s)
    if limits.memory_bytes is not None and (held := _held_bytes()):
        # RLIMIT_AS counts all that a fork inherits: the limit is set above it.
        _lower(resource.RLIMIT_AS, held + limits.memory_bytes)


def _lower(which: int, value: int) -> None:
    """Set a soft limit that is not above the hard one."""
    import resource

    hard = resource.getrlimit(which)[1]
    resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _held_bytes() -> int:
    """Return the address space of this process; 0 where the system does not show it."""
    import resource

    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no import in a forked child
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
