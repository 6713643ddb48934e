"""What a worker process does for a unit: one thread, its own log file, its memory measured."""

from __future__ import annotations

import logging
import os
import resource
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}
"""Environment of every process that runs units: parallel by units, so results do not depend on the machine."""


@contextmanager
def unit_log(path: Path) -> Iterator[None]:
    """Send everything that the block prints or logs into a file, also what C++ writes (OpenSim does).

    The file appears only if something was said.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _flush()
    # Descriptors, not `sys.stdout`: OpenSim's C++ writes past it.
    saved = os.dup(1), os.dup(2)
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    handler = logging.StreamHandler(os.fdopen(os.dup(target), "w"))
    logger = logging.getLogger("movi_prep")
    logger.addHandler(handler)
    try:
        os.dup2(target, 1)
        os.dup2(target, 2)
        yield
    finally:
        _flush()
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        logger.removeHandler(handler)
        handler.stream.close()
        for descriptor in (*saved, target):
            os.close(descriptor)
        if path.stat().st_size == 0:
            path.unlink()


def reset_peak_memory() -> None:
    """Start a new measurement of the peak; without effect where the kernel does not offer it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory_mb() -> float:
    """Return the largest resident memory since the last reset (or of the process), megabytes."""
    peak_kb = _status_kb("VmHWM")
    return (peak_kb if peak_kb is not None else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024


def resident_memory_mb() -> float:
    """Return the resident memory of this process, megabytes; 0 where the system does not tell."""
    return (_status_kb("VmRSS") or 0) / 1024


def _status_kb(name: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), None)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
