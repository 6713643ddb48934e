"""The memory of this process: resident now, and at its peak."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def reset_peak_memory() -> None:
    """Start a new measurement of the peak; without effect where the kernel does not offer it."""
    try:
        # 5 resets the peak (VmHWM) to what is resident now; Linux 4.0 and later.
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory_mb() -> float:
    """Return the largest resident memory since the last reset (or of the process), megabytes."""
    peak_kb = _status_kb("VmHWM")
    if peak_kb is not None:
        return peak_kb / 1024
    # Of the whole process, and it cannot be reset: later units then report an earlier one's. macOS counts bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def resident_memory_mb() -> float:
    """Return the resident memory of this process, megabytes; 0 if the system does not report it."""
    return (_status_kb("VmRSS") or 0) / 1024


def _status_kb(name: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), None)
