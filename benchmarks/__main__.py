"""Every benchmark, one after the other, on one embedded data set.

    python -m benchmarks [--demo DIR] [names ...]

`--demo` is the folder of a finished `movi-prep demo`; without it one is made in a temporary folder. Parts that compare
with reference material beside the checkout say so and are left out where it is absent. Expect half an hour.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.shards import absolute_path, make_demo_run

NAMES: dict[str, tuple[str, ...]] = {
    "markers": (),
    "model_observability": (),
    "opensim_ik": ("--data", "{demo}"),
    "converged_ik": ("--work", "{demo}/work"),
    "cold_start": (),
    "motion_scaling": ("--work", "{demo}/work"),
    "label_deviation": ("--work", "{demo}/work"),
    "odd_motion": ("--demo", "{demo}"),
    "shards": ("--demo", "{demo}"),
    "picture_check": ("--demo", "{demo}"),
    "reading": ("--demo", "{demo}"),
    "kinematic_layer": ("--demo", "{demo}"),
    "runtime": ("--data", "{demo}"),
    "two_bodies": ("--data", "{demo}"),
    "amass_throughput": ("--data", "{demo}"),
    "viewer": ("--demo", "{demo}"),
    "start_up": ("--demo", "{demo}", "--first"),
}
"""Each benchmark and how it is told where the data set is."""


def main() -> int:
    """Run the benchmarks asked for; return 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", type=absolute_path, help="folder of a finished `movi-prep demo`")
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help="which; all by default")
    asked = parser.parse_args()
    failed = []
    with tempfile.TemporaryDirectory() as name:
        demo = asked.demo or make_demo_run(Path(name) / "demo").data
        for benchmark in asked.names or NAMES:
            print(f"\n== {benchmark}", flush=True)
            flags = [flag.format(demo=demo) for flag in NAMES[benchmark]]
            # A process for each: memory and warm caches of one must not count for the next.
            done = subprocess.run([sys.executable, "-m", f"benchmarks.{benchmark}", *flags], check=False)
            if done.returncode:
                failed.append(benchmark)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
