"""Executors of units: this process, or the workers of a Dask scheduler (local, SLURM, or any address)."""

from __future__ import annotations

import logging
import os
import queue
import resource
import shutil
import signal
import tempfile
import time
import warnings
from collections import deque
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from movi_prep.errors import MoviPrepError, UsageError
from movi_prep.runtime.one_thread import ONE_THREAD
from movi_prep.runtime.unit_attempt import Task, UnitEnd, execute
from movi_prep.runtime.worker_setup import ADVANCE_TOPIC, execute_on_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sized

    from distributed import Client, Future, LocalCluster

    from movi_prep.config.run import RunSettings

    Hear: TypeAlias = Callable[[str, float], None]

DASK_SETTINGS: dict[str, Any] = {
    # Attempts are counted by the unit itself, only for the one that was in hand; Dask would blame queued ones too.
    "distributed.scheduler.allowed-failures": 1000,
    # OpenSim can hold Python's lock for minutes, so a silent worker is not dead; a lost host shows in its connection.
    "distributed.scheduler.worker-ttl": None,
    # Nannies bring their processes back. Dask would close a nanny where, seconds after one process, another is away.
    "distributed.deploy.lost-worker-timeout": "10000h",
    # A unit that holds Python's lock delays Dask's event loop; the warning about that would be noise.
    "distributed.admin.tick.limit": "1h",
    # Tasks hold no data: nothing to spill. A worker that nears its limit is killed, and its unit tried again.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    # A forked worker would inherit locks of threads that do not exist in it (OpenMP, HDF5, torch).
    "distributed.worker.multiprocessing-method": "spawn",
    # A unit is minutes of work: it stays with the scheduler until a worker is free, also one that connects later.
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.work-stealing": False,
    # The profiler samples every thread a hundred times a second, for a page that nobody opens.
    "distributed.worker.profile.enabled": False,
    # Its lock files need a file system with locks; the folders of a run are its own, and go with it.
    "distributed.worker.use-file-locking": False,
    "distributed.worker.preload": ["movi_prep.runtime.worker_setup"],
}

LOOPBACK = "127.0.0.1:0"
"""Address of the page that Dask always opens: a free port that only this machine can reach."""

_CONNECT_S = 15.0
"""How long a scheduler may take to answer; a busy one, or a machine that stalls, takes its time."""

_OPEN_FILES, _OPEN_FILES_PER_WORKER = 40, 16
"""Open files that a run with local workers needs in the process that coordinates: measured, with some to spare."""

_START_S = 20.0
"""How long a worker process may take to start without a word said, seconds."""


def dask_settings(dashboard: str | None) -> dict[str, Any]:
    """Return Dask's settings; without a dashboard, scheduler and workers answer no browser."""
    silent: dict[str, Any] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
    return DASK_SETTINGS if dashboard else {**DASK_SETTINGS, **silent}


class WorkersLostError(MoviPrepError):
    """The scheduler ended, or a unit could not be delivered to any worker."""


class Executor(Protocol):
    """Takes units and gives back how they ended, in any order."""

    def has_room(self) -> bool:
        """Whether another unit may be submitted now."""
        ...

    def submit(self, task: Task) -> None:
        """Take a unit; it starts when a worker is free."""
        ...

    def wait(self, timeout_s: float) -> tuple[Task, UnitEnd | BaseException] | None:
        """Return the next unit that ended, or None after the timeout. An exception means it never ran to an end."""
        ...

    def waits_for(self) -> str:
        """Return why no unit is being worked on, empty where one is; raise WorkersLostError where none ever will be."""
        ...


def hear_nothing(unit_id: str, fraction: float) -> None:
    """Receive how far a unit has come, for runs that nobody watches."""


class SerialExecutor:
    """Runs units in this process, one after the other: for debugging, and where nothing else is wanted.

    Args:
        hear: receives the id of a unit and the fraction of it that is done.
    """

    def __init__(self, hear: Hear = hear_nothing) -> None:
        """Start with nothing to do."""
        self._hear = hear
        self._waiting: deque[Task] = deque()

    def has_room(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def submit(self, task: Task) -> None:
        """Take a unit, to run it in the next `wait`."""
        self._waiting.append(task)

    def wait(self, timeout_s: float) -> tuple[Task, UnitEnd | BaseException] | None:  # noqa: ARG002 - runs at once
        """Run the oldest unit here."""
        if not self._waiting:
            return None
        task = self._waiting.popleft()
        return task, execute(task, partial(self._hear, task.unit.id))

    def waits_for(self) -> str:
        """Return nothing: this process does not wait for a worker."""
        return ""


class DaskExecutor:
    """Runs units on the workers of a Dask scheduler.

    Args:
        client: connected to the scheduler.
        run: says after how many units, or how much growth, a worker process is replaced by a fresh one.
        in_flight: how many units are handed to it at once; more than workers, so that an adaptive cluster grows.
        watch: reports what the first worker waits for; raises WorkersLostError if none will come.
        hear: receives the id of a unit and the fraction of it that is done, in a thread of Dask's.
    """

    def __init__(
        self,
        client: Client,
        run: RunSettings,
        *,
        in_flight: int,
        watch: Callable[[], str] = lambda: "",
        hear: Hear = hear_nothing,
    ) -> None:
        """Keep the client; nothing is submitted yet."""
        self._client = client
        self._hear = hear
        self._runs: set[str] = set()
        client.subscribe_topic(ADVANCE_TOPIC, self._hear_event)
        self._watch = watch
        self._in_flight = in_flight
        self._run = run
        self._futures: dict[Future, Task] = {}
        self._ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._count = 0

    def has_room(self) -> bool:
        """Whether fewer units are in flight than allowed."""
        return len(self._futures) < self._in_flight

    def submit(self, task: Task) -> None:
        """Send a unit to the scheduler."""
        self._count += 1
        self._runs.add(task.run_id)
        # All under one first word: Dask holds back what belongs to a group larger than the cluster, and only that.
        key = ("unit", task.unit.id, task.run_id, self._count)
        future = self._client.submit(
            execute_on_worker,
            task,
            recycle_units=self._run.recycle_units,
            recycle_growth_mb=self._run.recycle_growth_mb,
            key=key,
            # Pure tasks with equal arguments would be run once and shared; a unit is run each time that it is asked
            # for.
            pure=False,
        )
        self._futures[future] = task
        # Called in a thread of Dask's: only the queue, which is safe for threads, is touched there.
        future.add_done_callback(self._ended.put)

    def wait(self, timeout_s: float) -> tuple[Task, UnitEnd | BaseException] | None:
        """Return the next unit that ended."""
        try:
            future = self._ended.get(timeout=timeout_s)
        except queue.Empty:
            # "connecting" is a scheduler that may answer again; any other state is final.
            if self._client.status not in ("running", "connecting"):
                raise WorkersLostError("the Dask scheduler is gone; run again to go on") from None
            return None
        task = self._futures.pop(future)
        try:
            return task, future.result()
        except Exception as error:  # noqa: BLE001 - whatever Dask reports ends only this unit
            return task, error

    def waits_for(self) -> str:
        """Report what the first worker waits for."""
        return self._watch()

    def _hear_event(self, event: tuple[float, tuple[str, str, float]]) -> None:
        _, (run_id, unit_id, fraction) = event
        # A scheduler may serve several runs, and hands the last events of earlier ones to each new subscriber.
        if run_id in self._runs:
            self._hear(unit_id, fraction)


class ProcessWatch:
    """Watches that this machine has worker processes; one that ends is normally replaced within seconds.

    Args:
        find_workers: returns the workers, empty for none.
        hope_s: how long to wait for the next before the run is given up, seconds.
        clock: returns the time, seconds.
    """

    def __init__(
        self, find_workers: Callable[[], Sized], *, hope_s: float = 300.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start without a missing worker."""
        self._find_workers = find_workers
        self._hope_s = hope_s
        self._clock = clock
        self._missed_since_s: float | None = None

    def __call__(self) -> str:
        """Return a sentence if no worker is there; raise WorkersLostError when none has come for long."""
        if self._find_workers():
            self._missed_since_s = None
            return ""
        if self._missed_since_s is None:
            self._missed_since_s = self._clock()
        waited_s = self._clock() - self._missed_since_s
        if waited_s >= self._hope_s:
            raise WorkersLostError(
                f"expected a worker process, but none has started for {waited_s / 60:.0f} minutes; look whether memory "
                "or disk is full and whether the Python environment has changed, then run again to go on"
            )
        # A moment without workers is normal while one replaces another.
        return "waiting for a worker process to start" if waited_s >= _START_S else ""


@contextmanager
def local_executor(workers: int, run: RunSettings, hear: Hear = hear_nothing) -> Iterator[Executor]:
    """Start worker processes on this machine, one thread each, and stop them when the block ends."""
    import dask
    from distributed import Client, LocalCluster

    check_open_files(workers)
    settings = {**dask_settings(run.dashboard), "distributed.nanny.pre-spawn-environ": ONE_THREAD}
    with dask.config.set(settings), quiet_dask(), _worker_folder() as folder:
        try:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=run.dashboard or LOOPBACK,
                scheduler_kwargs={"dashboard": run.dashboard is not None},
                local_directory=folder,
                silence_logs=logging.ERROR,
            )
            client = Client(cluster, set_as_default=False)
        except (RuntimeError, OSError, MemoryError) as error:
            raise UsageError(
                f"executor local: expected {workers} worker processes to start, but {_root_of(error)}; look at the "
                "limits of processes, open files and memory (ulimit -a), or use --workers with fewer or "
                "--executor serial"
            ) from error
        # A unit waits beside each worker, so that none is idle while the coordinator is busy; more would only be taken
        # back when the run stops.
        executor = DaskExecutor(client, run, in_flight=2 * workers + 2, watch=ProcessWatch(client.ncores), hear=hear)
        try:
            yield executor
        finally:
            _kill_workers(cluster)
            close_cluster(client, cluster)


def check_open_files(workers: int) -> None:
    """Raise this process' limit of open files to what some local workers need, as far as the system lets it.

    Raises:
        UsageError: it does not.
    """
    needed = _OPEN_FILES + _OPEN_FILES_PER_WORKER * workers
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        fewer = "name fewer --workers, " if hard >= _OPEN_FILES + _OPEN_FILES_PER_WORKER else ""
        raise UsageError(
            f"executor local: expected a limit of {needed} open files or more for {workers} worker "
            f"{'process' if workers == 1 else 'processes'}, but it is {hard}; raise it (ulimit -n {needed}), "
            f"{fewer}or use --executor serial"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


@contextmanager
def _worker_folder() -> Iterator[str]:
    """Create a folder for the temporary files of Dask's workers, and remove it when they have ended.

    Raises:
        UsageError: no temporary folder can be written.
    """
    try:
        folder = tempfile.mkdtemp(prefix="movi-prep-workers-")
    except OSError as error:
        raise UsageError(
            f"executor local: expected a temporary folder that can be written, but {error.strerror or error}; "
            "name one in TMPDIR, or use --executor serial"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _root_of(error: BaseException) -> str:
    """Return the error that came first: Dask wraps it in errors of its own."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(f"{type(error).__name__}: {error}".split())


@contextmanager
def scheduler_executor(address: str, run: RunSettings, hear: Hear = hear_nothing) -> Iterator[Executor]:
    """Use the workers of a Dask scheduler that is already running."""
    import dask

    with dask.config.set(dask_settings(run.dashboard)), quiet_dask():
        client = _connect(address)

        def watch() -> str:
            return "" if client.ncores() else f"waiting for a worker to connect to the Dask scheduler {address}"

        try:
            yield DaskExecutor(client, run, in_flight=1000, watch=watch, hear=hear)
        finally:
            close_cluster(client, None)


def _connect(address: str) -> Client:
    from distributed import Client

    try:
        return Client(address, set_as_default=False, timeout=_CONNECT_S)
    except (OSError, ValueError) as error:
        raise WorkersLostError(
            f"{address}: expected a running Dask scheduler, but got none ({error}); "
            "start one with `dask scheduler`, or leave --scheduler out"
        ) from error


def _kill_workers(cluster: LocalCluster) -> None:
    """End the processes of workers at once.

    Asked politely, each would wait seconds for its unit first, where a stopped run has units in hand. Idle ones take
    seconds, too, on a busy machine, and a cluster that does not close in time is waited for again when Python ends.
    Units write aside: killed, they leave nothing half done.
    """
    for nanny in cluster.workers.values():
        # Else it would start another process in place of the one that ends.
        nanny.close_gracefully(reason="movi-prep-stopped")
        with suppress(ProcessLookupError, TypeError):
            os.kill(nanny.pid, signal.SIGKILL)


def close_cluster(client: Client | None, cluster: Any) -> None:
    """Stop everything within seconds, even if workers are still running units."""
    for part in (client, cluster):
        if part is not None:
            with suppress(Exception):
                part.close(timeout=3)


@contextmanager
def quiet_dask() -> Iterator[None]:
    """Keep the messages of Dask and its event loop off the screen: what matters to a run is in its records."""
    loggers = [logging.getLogger(name) for name in ("distributed", "tornado", "asyncio")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            # Advice for users who choose a scratch folder; here it only means that the machine was busy for a second.
            warnings.filterwarnings("ignore", "Creating scratch directories", UserWarning)
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
