"""What Dask does first in each worker process (its setting `distributed.worker.preload` names this module)."""

from __future__ import annotations

import signal


def dask_setup(worker: object) -> None:  # noqa: ARG001 - Dask's signature
    """Leave Ctrl-C to the process that coordinates: it stops its workers itself, without their tracebacks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
