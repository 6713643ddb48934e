"""A worker process: set up when Dask starts it, units executed, closed when its time has come.

Dask's setting `distributed.worker.preload` names this module, which makes Dask call `dask_setup` first.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from movi_prep.runtime.unit_attempt import Task, UnitEnd, execute

if TYPE_CHECKING:
    from distributed import Worker

ADVANCE_TOPIC = "movi-prep-advance"
"""Dask's topic on which workers report their progress: (run, unit, fraction of the unit)."""

RETIRE_AT = "MOVI_PREP_RETIRE_AT_S"
"""Environment variable: when workers take no more units, seconds since 1970; unset means never."""

_POLL_S = 0.5

_FETCH_S = 60.0
"""How long a worker waits for its last results to be fetched; a run fetches them at once, another client may never."""


@dataclass
class _Usage:
    """Units that this process has run, and its memory."""

    units: int = 0
    first_resident_mb: float = 0.0
    is_leaving: bool = False


_usage = _Usage()


async def dask_setup(worker: Worker) -> None:
    """Leave Ctrl-C to the process that coordinates, which stops its workers itself; retire when it is time."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    retire_at_s = os.environ.get(RETIRE_AT)
    if retire_at_s is not None:
        worker.loop.add_callback(_retire, worker, float(retire_at_s))


def execute_on_worker(task: Task, *, recycle_units: int, recycle_growth_mb: float) -> UnitEnd:
    """Run one unit on a Dask worker, which gives way to a fresh process when this one has done its share or has grown.

    Args:
        task: the unit.
        recycle_units: how many units one process runs.
        recycle_growth_mb: by how much its memory may grow after its first unit, megabytes.
    """
    from distributed import get_worker

    worker = get_worker()

    def advance(fraction: float) -> None:
        worker.log_event(ADVANCE_TOPIC, (task.run_id, task.unit.id, fraction))

    end = execute(task, advance)
    _usage.units += 1
    # After the first unit, not before: until then libraries and models are loaded, which is no leak.
    if _usage.units == 1:
        _usage.first_resident_mb = end.resident_mb
    is_spent = _usage.units >= recycle_units or end.resident_mb - _usage.first_resident_mb >= recycle_growth_mb
    # Without a nanny, nothing would start another process in its place.
    if is_spent and worker.nanny and not _usage.is_leaving:
        _usage.is_leaving = True
        # From the loop's own thread: a unit runs in another one, and Dask's worker is not safe for threads.
        worker.loop.add_callback(_leave, worker, restart=True)
    return end


async def _retire(worker: Worker, at_s: float) -> None:
    import asyncio

    await asyncio.sleep(max(0.0, at_s - time.time()))
    await _leave(worker, restart=False)


async def _leave(worker: Worker, *, restart: bool) -> None:
    """Take no more units, bring the one in hand to its end, hand its result over, and close.

    Dask's own lifetime and restart close within seconds, and the unit in progress starts again elsewhere.
    """
    import asyncio

    from distributed.core import Status

    # A paused worker finishes what it runs and starts nothing.
    worker.status = Status.paused
    while worker.state.executing_count:
        await asyncio.sleep(_POLL_S)
    # If only this process holds a result, it would be lost and its unit run again.
    until_s = time.monotonic() + _FETCH_S
    while worker.data and time.monotonic() < until_s:
        await asyncio.sleep(_POLL_S)
    # A process that ends by itself wakes the thread that waits for the nanny's order, which may log this as a crash.
    logging.getLogger("distributed.nanny").setLevel(logging.CRITICAL)
    # Not `close_gracefully`: it hangs up on the scheduler first, on which Dask may close the nanny, too, so that no
    # process follows. Nothing is left here that would have to move elsewhere.
    await worker.close(nanny=not restart, reason="movi-prep-fresh-process" if restart else "movi-prep-retires")
