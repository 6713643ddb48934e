"""Compile the kernels before they are needed, in a separate process, once per machine and installation.

A process that has compiled a kernel itself may hold other variants of the functions inside it than one that has
loaded it from numba's cache, and results then differ in the last bit. So a process that solves never compiles: every
process loads what this one has left in the cache, and results are the same bytes wherever they are made.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.kinematics.solve import CoordinateTarget, solve_inverse_kinematics

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from movi_prep.config.ik_solver import ConvergedSettings
    from movi_prep.records.kinematic_tree import KinematicTree

_N_FRAMES = 12
"""Frames that are solved to have every kernel compiled: enough for tracks in both directions."""


def compile_ahead(
    tree: KinematicTree,
    marker_names: Sequence[str],
    positions_m: NDArray[np.float64],
    weights: Mapping[str, float],
    settings: ConvergedSettings,
    *,
    tasks: Sequence[CoordinateTarget] = (),
) -> None:
    """Have the kernels compiled that solving these frames needs; arguments as of `solve_inverse_kinematics`.

    Returns at once where that was done before. Processes that come meanwhile wait for the one that compiles.
    """
    done = _stamp()
    if _is_compiled(done):
        return
    cut = [replace(task, target=_first_frames(task.target)) for task in tasks]
    arguments = (tree, tuple(marker_names), np.array(positions_m[:_N_FRAMES]), dict(weights), settings, cut)
    with _alone(done.with_suffix(".lock")):
        if not _is_compiled(done):
            # Should it fail, so will solving itself, which has the better message.
            subprocess.run(  # noqa: S603 - this interpreter, this module
                [sys.executable, "-m", __name__], input=pickle.dumps(arguments), capture_output=True, check=False
            )
            done.touch()


def is_compiled() -> bool:
    """Return whether the kernels of this installation are compiled for this processor."""
    return _is_compiled(_stamp())


def _first_frames(target: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
    return target[:_N_FRAMES] if isinstance(target, np.ndarray) and target.ndim else target


def _is_compiled(done: Path) -> bool:
    return done.is_file() and any(done.parent.glob("kernels.track-*.nbi"))


def _stamp() -> Path:
    """Return the file that says that the kernels in the cache are those of this source, on this processor."""
    import llvmlite.binding as llvm
    import numba

    from movi_prep.kinematics import kernels

    source = Path(kernels.__file__).stat()
    # numba asks the same of its cached files; where they lie depends on what is writable.
    known = (source.st_mtime_ns, source.st_size, numba.__version__, sys.version, llvm.get_host_cpu_name())
    key = sha256(repr((*known, llvm.get_host_cpu_features().flatten())).encode()).hexdigest()[:16]
    track: Any = kernels.track
    return Path(track._cache.cache_path) / f"kernels.{key}.compiled"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        # Without locks on this file system, two processes may compile the same: slower, not wrong.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _main() -> None:
    *arguments, tasks = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - written by compile_ahead a moment ago
    solve_inverse_kinematics(*arguments, tasks=tasks)


if __name__ == "__main__":
    _main()
