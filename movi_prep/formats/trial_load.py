"""Load a file in a child process first: what ends its parser ends the child, and is the file's error.

OpenSim's parser has no answer to some models (a joint with a coordinate too many, elements nested very deeply)
but a segmentation fault, which no `except` catches. A forked child has OpenSim loaded already: it costs as much as the
loading itself, some 20 to 70 ms a model.
"""

from __future__ import annotations

import os
import signal
import warnings
from typing import TYPE_CHECKING

from movi_prep.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONGEST_S = 120
"""Seconds after which a child that still loads is ended; D3KE's largest model takes one."""


def check_that_it_loads(path: Path, load: Callable[[], object]) -> None:
    """Raise InputError where `load` ends the process that calls it; what it raises is left to whoever loads next.

    Args:
        path: the document, for the message.
        load: loads it, and changes nothing that outlives the process.
    """
    with warnings.catch_warnings():
        # Python warns of forks beside threads; the child takes no lock of theirs, it only parses and ends.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _load_and_end(load)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        return
    ended_by = signal.Signals(os.WTERMSIG(status))
    got = f"no end after {LONGEST_S} s" if ended_by == signal.SIGALRM else f"its parser dies ({ended_by.name})"
    raise InputError(
        path,
        expected="a file that its parser can read",
        got=got,
        remedy="open it in the program that made it and repair it; often a joint has more coordinates than axes",
    )


def _load_and_end(load: Callable[[], object]) -> None:
    """Load in the child, without traces: no core file, no report of the fault, no clean-up of the parent's things."""
    import faulthandler
    import resource

    try:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LONGEST_S)
        load()
    finally:
        os._exit(0)
