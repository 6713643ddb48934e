"""What ezc3d reads of a C3D file, as plain arrays: `python -m movi_prep.formats.c3d_arrays FILE` writes them as .npz.

In a separate process, for two reasons. ezc3d and OpenSim are both wrapped by SWIG and both know
`std::vector<double>`: in one process the one takes the other's, and OpenSim's tables cannot be made any more. And a
damaged file may end a parser in C++.
"""

from __future__ import annotations

import io
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import InputError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_S = 300
"""Seconds after which reading a file is given up."""

_PROCESSOR_S, _BYTES_PER_S = 10, 10 * 2**20
"""Processor seconds for any file, and bytes that earn one second more; an undamaged file takes a fifth of that."""

_MEMORY_BYTES, _MEMORY_RATIO = 2 * 2**30, 20
"""Memory for any file, and how much more for each of its bytes: ezc3d and numpy each keep doubles."""

_NOT_INSTALLED = 3


def read_c3d_arrays(path: Path, *, remedy: str) -> dict[str, NDArray[Any]]:
    """Return what ezc3d reads of a file.

    Returns:
        `points` (3, m, n) float64, `residuals` (m, n) float64, `first_frame` and `frame_rate`, and every parameter of
        the group POINT as `POINT:NAME`, texts as arrays of str.

    Raises:
        InputError: the file cannot be read, or the process that read it died.
        UsageError: ezc3d is not installed.
    """
    command = [sys.executable, "-m", "movi_prep.formats.c3d_arrays", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=LONGEST_S, check=False)  # noqa: S603 - ourselves
    except subprocess.TimeoutExpired as error:
        raise InputError(path, expected="a C3D file", got=f"no end after {LONGEST_S} s", remedy=remedy) from error
    if done.returncode == _NOT_INSTALLED:
        raise UsageError(f"{path}: C3D files need ezc3d; install it with 'pip install ezc3d'")
    # The kernel's signal at the soft limit that `main` sets.
    if done.returncode == -signal.SIGXCPU:
        raise InputError(path, expected="a C3D file", got="one that keeps its parser busy without end", remedy=remedy)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        got = f"its parser ends ({said[-1][:200] if said else f'signal {-done.returncode}'})"
        raise InputError(path, expected="a C3D file", got=got, remedy=remedy)
    with np.load(io.BytesIO(done.stdout), allow_pickle=False) as arrays:
        return dict(arrays)


def main(path: str) -> int:
    """Write the arrays of one file to standard output, within limits: a damaged one may ask for anything."""
    n_bytes = Path(path).stat().st_size
    processor_s = _PROCESSOR_S + n_bytes // _BYTES_PER_S
    memory_bytes = _MEMORY_BYTES + _MEMORY_RATIO * n_bytes
    # At the hard limit the kernel kills without a word, at the soft one by a signal of its own.
    resource.setrlimit(resource.RLIMIT_CPU, (processor_s, processor_s + 5))
    # Limits are set before the import: ezc3d's own memory counts too, as _MEMORY_BYTES expects.
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    try:
        import ezc3d
    except ImportError:
        return _NOT_INSTALLED
    content = ezc3d.c3d(path)
    header, data = content["header"]["points"], content["data"]
    arrays = {
        # The fourth row is 1 for every point (homogeneous coordinates).
        "points": np.asarray(data["points"], dtype=np.float64)[:3],
        "residuals": np.asarray(data["meta_points"]["residuals"], dtype=np.float64)[0],
        "first_frame": np.array(header["first_frame"]),
        "frame_rate": np.array(header["frame_rate"]),
    }
    for name, parameter in content["parameters"]["POINT"].items():
        if name != "__METADATA__":
            arrays[f"POINT:{name}"] = np.asarray(parameter["value"])
    held = io.BytesIO()
    # Object arrays would be pickled, and the reader refuses pickles.
    np.savez(held, **{name: value for name, value in arrays.items() if value.dtype != object})
    sys.stdout.buffer.write(held.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
