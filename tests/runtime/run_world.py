"""Run the fake stages over a world from a process of its own, so that it can be killed: `python -m ... FOLDER`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from movi_prep.runtime.interruption import stop_once
from tests.runtime.conftest import World

if __name__ == "__main__":
    # A suite that runs in the background may have been started without Ctrl-C; this process stands for a terminal's.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with stop_once(process_ends=True):
        result = World(Path(sys.argv[1])).run(run={"executor": "local", "workers": 2})
    sys.exit(0 if result.is_complete else 3)
