"""The log file of one unit: all that it prints or logs, also from C++."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def unit_log(path: Path) -> Iterator[None]:
    """Send everything that the block prints or logs into a file, also what C++ writes (OpenSim does).

    The file appears only if something was said.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # What Python still buffers belongs to the text before the block, not into the unit's file.
    _flush()
    # Descriptors, not `sys.stdout`: OpenSim's C++ writes past it.
    saved = os.dup(1), os.dup(2)
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    handler = logging.StreamHandler(os.fdopen(os.dup(target), "w"))
    logger = logging.getLogger("movi_prep")
    logger.addHandler(handler)
    try:
        os.dup2(target, 1)
        os.dup2(target, 2)
        yield
    finally:
        _flush()
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        logger.removeHandler(handler)
        handler.stream.close()
        for descriptor in (*saved, target):
            os.close(descriptor)
        if path.stat().st_size == 0:
            path.unlink()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
