"""What Dask does first in each worker process (its setting `distributed.worker.preload` names this module)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Worker

RETIRE_AT = "MOVI_PREP_RETIRE_AT_S"
"""Environment variable: when workers take no more units, seconds since 1970; unset means never."""

_POLL_S = 0.5


async def dask_setup(worker: Worker) -> None:
    """Leave Ctrl-C to the process that coordinates, which stops its workers itself; retire when it is time."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    retire_at_s = os.environ.get(RETIRE_AT)
    if retire_at_s is not None:
        worker.loop.add_callback(_retire, worker, float(retire_at_s))


async def _retire(worker: Worker, at_s: float) -> None:
    """Take no more units from then on, bring the one in hand to its end, and close.

    Dask's own lifetime closes at once, and what was in hand is begun anew elsewhere.
    """
    from distributed.core import Status

    await asyncio.sleep(max(0.0, at_s - time.time()))
    worker.status = Status.paused
    while worker.state.executing_count:
        await asyncio.sleep(_POLL_S)
    await worker.close_gracefully(reason="movi-prep-retires")
