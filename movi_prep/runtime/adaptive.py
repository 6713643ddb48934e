"""Whole SLURM jobs, asked for and given back by what a run still has to do. Imported only where a cluster is started.

Dask decides by seconds of work and by single workers, which fits neither a queue nor units of minutes: it withdraws
jobs that still wait, closes a job for the sake of one idle process, and holds a job of several processes for alive
after all of them have retired, so that none follows it when its walltime is over.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dask_jobqueue import SLURMCluster
from dask_jobqueue.slurm import SLURMJob
from distributed.deploy.adaptive import Adaptive
from distributed.deploy.spec import ProcessInterface

from movi_prep.runtime.job_queue import describe_wait, read_queue

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from movi_prep.runtime.job_queue import QueuedJob

_LOOK_EVERY_S = 15.0
_LOOK_SOON_S = 4.0
"""How often SLURM is asked; sooner for a new job, and when one has lost its workers and another may be due."""

_LISTED_AFTER_S = 5.0
"""A job that has just been submitted may not be listed yet."""

_MISFORTUNES = 3


@dataclass(frozen=True)
class Supply:
    """How the workers of a cluster are coming along.

    Attributes:
        waits_for: what keeps the first of them from working; empty where one works.
        trouble: why none will come; empty while there is hope.
    """

    waits_for: str = ""
    trouble: str = ""


class WatchedJob(SLURMJob):  # type: ignore[misc]  # dask-jobqueue carries no types
    """A job that remembers when it was submitted, or why it was not, and whether it ever had a worker."""

    refusal = ""
    submitted_s = math.inf
    has_worked = False

    async def start(self) -> None:
        """Submit it; a refused one counts as started, so that nobody else's loop has to bear the exception."""
        try:
            await super().start()
        except (RuntimeError, ValueError, OSError) as error:
            self.refusal = _last_line(str(error)).removeprefix("sbatch: error: ")
            await ProcessInterface.start(self)
        self.submitted_s = time.monotonic()


class WatchedCluster(SLURMCluster):  # type: ignore[misc]  # dask-jobqueue carries no types
    """A cluster of watched jobs."""

    job_cls = WatchedJob


class JobAdaptive(Adaptive):  # type: ignore[misc]  # distributed carries no types
    """Asks for a process per unfinished unit, in whole jobs; gives back jobs only where all their processes are idle.

    Jobs that are over are taken off the books, so that others follow. Several in a row that came to nothing are
    trouble.
    """

    supply = Supply()
    log_folder: Path | None = None
    _queue: Mapping[str, QueuedJob] | None = None
    _looked_s = -math.inf
    _pause_until_s = -math.inf
    _misfortunes: tuple[str, ...] = ()

    async def target(self) -> int:
        """Return how many processes have something to do now: one per unit that is not finished, in whole jobs."""
        open_units = sum(
            task.state in ("waiting", "no-worker", "queued", "processing")
            for task in self.cluster.scheduler.tasks.values()
        )
        return math.ceil(open_units / self._per_job) * self._per_job

    async def recommendations(self, target: int) -> dict[str, Any]:
        """Return what to do to have the jobs for so many processes."""
        if len(self.plan) != len(self.requested):
            await self.cluster
        await self._look()
        jobs, wanted = list(self.cluster.worker_spec), math.ceil(target / self._per_job)
        if wanted > len(jobs) and time.monotonic() >= self._pause_until_s:
            self.close_counts.clear()
            return {"status": "up", "n": wanted * self._per_job}
        spare = self._spare(jobs)[: max(0, len(jobs) - wanted)]
        counts = {job: self.close_counts[job] + 1 for job in spare}
        self.close_counts.clear()
        self.close_counts.update(counts)
        given_back = [job for job, count in counts.items() if count >= self.wait_count]
        if not given_back:
            return {"status": "same"}
        return {"status": "down", "workers": [worker for job in given_back for worker in self._workers_of(job)]}

    @property
    def _per_job(self) -> int:
        return len(self.cluster.new_spec.get("group", ("",)))

    def _workers_of(self, job: Any) -> list[str]:
        """Return the names of a job's workers; a job of one process gives it its own name."""
        spec = self.cluster.worker_spec[job]
        return [f"{job}{process}" for process in spec["group"]] if "group" in spec else [job]

    def _connected(self) -> dict[Any, int]:
        """Return the jobs that have workers here, and how many units these have in hand."""
        job_of = {worker: job for job in self.cluster.worker_spec for worker in self._workers_of(job)}
        units: dict[Any, int] = {}
        for worker in self.cluster.scheduler.workers.values():
            if worker.name in job_of:
                job = job_of[worker.name]
                units[job] = units.get(job, 0) + len(worker.processing)
        return units

    def _spare(self, jobs: list[Any]) -> list[Any]:
        """Return the jobs that nothing would be lost with: those that still wait, the last first; then the idle."""
        connected = self._connected()
        waiting = [job for job in reversed(jobs) if job not in connected]
        return waiting + [job for job in jobs if connected.get(job) == 0]

    async def _look(self) -> None:
        """Take stock of the jobs, and of SLURM's queue now and then."""
        connected = self._connected()
        if connected:
            self._misfortunes = ()
        waiting = {name: job for name, job in self.cluster.workers.items() if name not in connected}
        has_news = any(job.has_worked or job.job_id not in (self._queue or ()) for job in waiting.values())
        if time.monotonic() - self._looked_s >= (_LOOK_SOON_S if has_news else _LOOK_EVERY_S):
            # In a thread: this loop also serves the scheduler, and a busy controller answers late.
            self._queue = await asyncio.to_thread(read_queue)
            self._looked_s = time.monotonic()
        for name, job in waiting.items():
            if job.refusal:
                self._bury(name, f"sbatch refuses a job: {job.refusal}")
            elif self._is_over(job):
                self._bury(name, "" if job.has_worked else self._last_words(job))
        for name in connected:
            self.cluster.workers[name].has_worked = True
        self.supply = self._take_stock(bool(connected))

    def _is_over(self, job: WatchedJob) -> bool:
        if self._queue is None or job.submitted_s > self._looked_s - _LISTED_AFTER_S:
            return False
        return job.job_id not in self._queue or self._queue[job.job_id].is_over

    def _bury(self, name: Any, misfortune: str) -> None:
        """Take a job off the books; what went wrong with it counts until a worker connects."""
        self.cluster.worker_spec.pop(name, None)
        self.cluster.workers.pop(name, None)
        if misfortune:
            self._misfortunes = (*self._misfortunes, misfortune)
            self._pause_until_s = time.monotonic() + _LOOK_EVERY_S

    def _take_stock(self, is_working: bool) -> Supply:
        if is_working:
            return Supply()
        if len(self._misfortunes) >= _MISFORTUNES:
            return Supply(trouble=self._misfortunes[-1])
        if self._misfortunes:
            return Supply(f"{self._misfortunes[-1]}; trying again")
        if self._queue is None:
            return Supply("waiting for SLURM, which does not answer")
        return Supply(describe_wait((job.job_id for job in self.cluster.workers.values() if job.job_id), self._queue))

    def _last_words(self, job: WatchedJob) -> str:
        """Say how a job ended that never had a worker here, with the end of its log."""
        ended = self._queue.get(job.job_id) if self._queue else None
        said = (
            f"SLURM job {job.job_id} ended ({ended.state if ended else 'no longer listed'}) before a worker connected"
        )
        if self.log_folder is None:
            return said
        log = self.log_folder / f"movi-prep-{job.job_id}.err"
        try:
            return f"{said}; {log} ends with: {_last_line(log.read_text(errors='replace'))}"
        except OSError:
            return f"{said}, and left no log at {log}"


def _last_line(text: str) -> str:
    """Return the last line with something in it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"
