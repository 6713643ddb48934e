"""Whole processes, start-up included: movi-prep beside OpenSim's own tools on gait2354, and commands that only tell.

    python -m benchmarks.start_up [--shared ../shared] [--demo DIR] [--rounds 9] [--first]

Both do what the same set-up documents say, one after the other in every round, so that a busy machine slows both. The
numbers are processor seconds (user and system) of the process and all its children; medians over the rounds. The first
round counts for neither: it fills the caches, Python's compiled modules among them, which both have where pip installed
them (so PYTHONDONTWRITEBYTECODE is not handed on). NumPy's BLAS starts a thread for each processor unless stopped:
movi-prep stops it, OpenSim's tool does not. So each document is measured twice: as a shell calls both, and with one
thread for both. `--first` also measures that round for movi-prep, with empty caches: it compiles the solver. gait2354
is reference material; without it, only the commands that tell are measured.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.shards import absolute_path
from movi_prep.runtime.one_thread import ONE_THREAD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OURS = (sys.executable, "-m", "movi_prep")
TOOLS = {"inverse kinematics": "InverseKinematicsTool", "scaling": "ScaleTool"}
THREADS: dict[str, Mapping[str, str]] = {"as a shell calls it": {}, "one thread": ONE_THREAD}
DOCUMENTS = {"inverse kinematics": "subject01_Setup_IK.xml", "scaling": "subject01_Setup_Scale.xml"}


def main() -> int:
    """Print one row per document and per command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--shared", type=absolute_path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--demo", type=absolute_path, help="folder of a finished `movi-prep demo`, for `status`")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--first", action="store_true", help="measure a first run too, with empty caches")
    options = parser.parse_args()
    gait = options.shared / "reference" / "gait2354"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if gait.is_dir():
            show_documents(gait, folder, options.rounds)
            if options.first:
                show_first(folder)
        else:
            print(f"skipped: no reference material at {gait}")
        show_commands(options.demo, folder, options.rounds)
    return 0


def show_documents(gait: Path, folder: Path, rounds: int) -> None:
    """Print what each document costs, carried out by movi-prep and by OpenSim's tool."""
    print(f"{'gait2354':42s}{'movi-prep s':>13s}{'OpenSim s':>11s}{'ratio':>8s}  ratios of single rounds")
    for side in ("ours", "theirs"):
        shutil.copytree(gait, folder / side)
        # The scaled model that the document of inverse kinematics names.
        shutil.copy(gait / "expected" / "subject01_simbody.osim", folder / side)
    for (what, tool), (said, threads) in product(TOOLS.items(), THREADS.items()):
        document = DOCUMENTS[what]
        theirs = f"import opensim; opensim.Logger.setLevelString('Off'); opensim.{tool}({document!r}).run()"
        commands = {
            folder / "ours": (*OURS, "ik", "--setup", document, "--work", "out"),
            folder / "theirs": (sys.executable, "-c", theirs),
        }
        measured = [
            [_processor_s(command, where, threads) for where, command in commands.items()] for _ in range(rounds + 1)
        ]
        ours_s, theirs_s = (median(times) for times in zip(*measured[1:], strict=True))
        ratios = sorted(one / other for one, other in measured[1:])
        spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
        print(f"{f'{what}, {said}':42s}{ours_s:13.2f}{theirs_s:11.2f}{median(ratios):8.2f}  {spread}", flush=True)


def show_first(folder: Path) -> None:
    """Print what the first document costs on a machine where nothing is kept, and the same again."""
    empty = {"NUMBA_CACHE_DIR": str(folder / "kernels"), "XDG_CACHE_HOME": str(folder / "cache")}
    command = (*OURS, "ik", "--setup", DOCUMENTS["inverse kinematics"], "--work", "first")
    first_s, second_s = (_processor_s(command, folder / "ours", empty) for _ in range(2))
    print(f"first run, empty caches: {first_s:.1f} s; second run: {second_s:.2f} s", flush=True)


def show_commands(demo: Path | None, folder: Path, rounds: int) -> None:
    """Print what commands cost that only tell something, beside an empty Python process."""
    asked: dict[str, Sequence[str]] = {
        "python -c pass": (sys.executable, "-c", "pass"),
        "--help": (*OURS, "--help"),
        "--version": (*OURS, "--version"),
    }
    if demo is not None:
        asked["status"] = (*OURS, "status", str(demo / "work"))
    print(f"{'command':20s}{'s':>13s}")
    measured = [[_processor_s(command, folder) for command in asked.values()] for _ in range(rounds + 1)]
    for name, times in zip(asked, zip(*measured[1:], strict=True), strict=True):
        print(f"{name:20s}{median(times):13.2f}", flush=True)


def _processor_s(command: Sequence[str], where: Path, environment: Mapping[str, str] | None = None) -> float:
    left_out = {"PYTHONDONTWRITEBYTECODE", *ONE_THREAD}
    handed_on = {name: value for name, value in os.environ.items() if name not in left_out}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=where, env={**handed_on, **(environment or {})}, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())
