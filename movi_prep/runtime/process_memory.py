"""The memory of this process: resident now, and at its peak; what is freed is kept for the next arrays."""

from __future__ import annotations

import ctypes
import resource
import sys
from functools import lru_cache
from pathlib import Path

# Names and meaning of glibc's malloc.h: what lies free at the end of the heap beyond the first is given back, and what
# is larger than the second is mapped by itself and given back when it is freed (malloc's own upper limit, megabytes).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_MB, _MAPPED_MB = 64, 32


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Keep some memory that is freed, instead of asking for it anew with every array; return whether that is possible.

    The arrays of a clip come and go by megabytes. Left to itself, glibc gives each of them back, and the kernel clears
    every page again: a sixth of the processor time of a short clip. Other C libraries have no such setting.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform.startswith("linux") else None
    wanted = ((_M_TRIM_THRESHOLD, _KEPT_MB), (_M_MMAP_THRESHOLD, _MAPPED_MB))
    return mallopt is not None and all(mallopt(name, megabytes * 2**20) for name, megabytes in wanted)


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
