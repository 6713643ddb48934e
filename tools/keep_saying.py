"""Runs a command, and says every few seconds that it is still at work: `python tools/keep_saying.py WHAT COMMAND ...`.

It stands outside the package and needs nothing but Python, because it runs while the package is being installed.
"""

from __future__ import annotations

import subprocess
import sys
import time

EVERY_S = 9.0


def main(what: str, command: list[str], every_s: float = EVERY_S) -> int:
    """Run the command; return its exit code."""
    begin_s = time.monotonic()
    process = subprocess.Popen(command)  # noqa: S603 - the Makefile's own command
    while True:
        try:
            return process.wait(every_s)
        except subprocess.TimeoutExpired:
            print(f"{time.strftime('%H:%M:%S')} {what}: {time.monotonic() - begin_s:.0f} s so far", flush=True)  # noqa: T201
        except KeyboardInterrupt:
            # The terminal has stopped the command, too.
            process.wait()
            return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
