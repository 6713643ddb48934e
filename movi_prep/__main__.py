"""The program: `movi-prep`, and `python -m movi_prep`.

What holds for a process of its own stands here and not in `cli.main`, which other programs may call.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

from movi_prep.cli import main

_OBJECTS_BEFORE_COLLECTION = 250_000
"""By default Python looks for garbage after every 700 new objects: 220 times, in 0.07 s, in a start that makes 150,000
of them and no garbage."""


def run_program() -> NoReturn:
    """Run the command of `sys.argv`, and end the process."""
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION)
    # pydantic reads the entry points of every installed package to find plugins of its own, of which we need none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    _end(main())


def _end(code: int) -> NoReturn:
    """End the process without taking all its objects to pieces, which takes 0.07 s once OpenSim is loaded."""
    if threading.active_count() > 1:
        # Python waits for threads that still work.
        sys.exit(code)
    # Temporary files are removed, and children joined, by what is registered for the exit.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    run_program()
