"""Compile the kernels before they are needed, in a separate process, once per machine and installation.

A process that has compiled a kernel itself may hold other variants of the functions inside it than one that has
loaded it from a file, and results then differ in the last bit. So a process that solves never compiles: every
process loads the machine code that this one has left, and results are the same bytes wherever they are made.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import sys
import warnings
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.formats.file_stamp import file_stamp
from movi_prep.kinematics.cache_place import machine_code_file
from movi_prep.kinematics.machine_code import keep, load, numba_files, serves_numba
from movi_prep.kinematics.solve import CoordinateTarget, solve_inverse_kinematics

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

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
    if is_compiled():
        return
    cut = [replace(task, target=_first_frames(task.target)) for task in tasks]
    arguments = (tree, tuple(marker_names), np.array(positions_m[:_N_FRAMES]), dict(weights), settings, cut)
    import subprocess

    path = machine_code_file()
    with _alone(path.with_suffix(".lock")):
        if not is_compiled():
            done = subprocess.run(  # noqa: S603 - this interpreter, this module
                [sys.executable, "-m", __name__],
                input=pickle.dumps((path, arguments)),
                capture_output=True,
                check=False,
            )
            # Where solving failed, it will fail here too, with the better message.
            if done.returncode and serves_numba(path):
                reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
                warnings.warn(f"numba's own cache serves, which takes longer to load: {reason}", stacklevel=2)


def is_compiled() -> bool:
    """Return whether the kernels of this installation are compiled for this processor."""
    path = machine_code_file()
    return load(path, file_stamp(path)) is not None or serves_numba(path)


def _first_frames(target: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
    return target[:_N_FRAMES] if isinstance(target, np.ndarray) and target.ndim else target


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
    from movi_prep.kinematics import kernels

    # From the sources: what lies there may be damaged, which numba does not see.
    for file in numba_files(kernels):
        # Of another user, perhaps: whoever installed.
        with suppress(OSError):
            file.unlink()
    path, (*arguments, tasks) = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - written by compile_ahead just now
    solve_inverse_kinematics(*arguments, tasks=tasks)
    keep(path, kernels)


if __name__ == "__main__":
    _main()
