"""Requests and gives back whole SLURM jobs as a run needs them. Imported only when a cluster is started.

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

from distributed.deploy.adaptive import Adaptive
from distributed.deploy.spec import ProcessInterface

from movi_prep.runtime.interruption import keep_signals
from movi_prep.runtime.slurm.job_queue import JOB_NAME, describe_doom, describe_wait, read_queue

with keep_signals():
    # Importing dask-jobqueue replaces the handler of Ctrl-C by `sys.exit`; the caller's handler must be restored.
    from dask_jobqueue import SLURMCluster
    from dask_jobqueue.slurm import SLURMJob

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from movi_prep.runtime.slurm.job_queue import QueuedJob

_LOOK_EVERY_S = 15.0
_LOOK_SOON_S = 4.0
"""How often SLURM is asked; sooner for a new job, and when one has lost its workers and another may be due."""

_LISTED_AFTER_S = 5.0
"""A job that has just been submitted may not be listed yet."""

_ATTEMPTS = 3
"""After so many that came to nothing, one after the other, no more are made; and so many looks at the queue that find
nothing but jobs without hope are enough."""


@dataclass(frozen=True)
class Supply:
    """State of the supply of workers.

    Attributes:
        waits_for: what keeps the first of them from working; empty where one works.
        trouble: why none will come; empty while there is hope.
    """

    waits_for: str = ""
    trouble: str = ""


class WatchedJob(SLURMJob):  # type: ignore[misc]  # dask-jobqueue carries no types
    """A job that remembers how it ended.

    Attributes:
        refusal: why `sbatch` did not take it, in its words; empty where it did.
        submitted_s: when it was submitted, seconds of the monotonic clock.
        has_worked: whether it ever had a worker here.
    """

    refusal: str = ""
    submitted_s: float = math.inf
    has_worked: bool = False

    async def start(self) -> None:
        """Submit it; a refused job counts as started, because an exception here would end Dask's own loop."""
        try:
            await super().start()
        except (RuntimeError, ValueError, OSError) as error:
            self.refusal = _last_line(str(error)).removeprefix("sbatch: error: ")
            # Dask waits for this state; left out, it would wait for the refused job for ever.
            await ProcessInterface.start(self)
        self.submitted_s = time.monotonic()


class WatchedCluster(SLURMCluster):  # type: ignore[misc]  # dask-jobqueue carries no types
    """A cluster of watched jobs."""

    job_cls = WatchedJob


class JobAdaptive(Adaptive):  # type: ignore[misc]  # distributed carries no types
    """Asks for a process per unfinished unit, in whole jobs; gives back jobs only where all their processes are idle.

    Jobs that are over are taken off the books, so that others follow. Where several attempts in a row came to nothing
    and no job is left to hope for, or no job there is will ever be started, that is trouble.

    Args:
        cluster: whose jobs they are; its scheduler runs in this process, on the loop that calls the methods here.
        log_folder: where the jobs' logs are, for the last words of those that end early; None if there are none.
        options: of Dask's `Adaptive`.

    Attributes:
        supply: how the workers are coming along; replaced as a whole, so that other threads may read it.
    """

    def __init__(self, cluster: WatchedCluster, *, log_folder: Path | None = None, **options: Any) -> None:
        """Start with nothing known of the queue; Dask's own starts the clock, so it comes last."""
        self.supply = Supply()
        self._log_folder = log_folder
        self._queue: Mapping[str, QueuedJob] | None = None
        self._asked_s = -math.inf
        self._pause_until_s = -math.inf
        self._failures: tuple[str, ...] = ()
        self._vain_looks = 0
        super().__init__(cluster, **options)

    async def target(self) -> int:
        """Return how many processes have something to do now: one per unit that is not finished, in whole jobs."""
        open_units = sum(
            task.state in ("waiting", "no-worker", "queued", "processing")
            for task in self.cluster.scheduler.tasks.values()
        )
        return math.ceil(open_units / self._processes_per_job) * self._processes_per_job

    async def recommendations(self, target: int) -> dict[str, Any]:
        """Return what to do to have the jobs for so many processes, in the words of Dask's `AdaptiveCore.adapt`."""
        if len(self.plan) != len(self.requested):
            # Jobs are being submitted: until that is done the books are not in order.
            await self.cluster
        await self._refresh_queue()
        # From here on nothing waits, so no job or worker comes or goes meanwhile.
        self._keep_books()
        jobs, wanted = list(self.cluster.worker_spec), math.ceil(target / self._processes_per_job)
        if wanted > len(jobs) and time.monotonic() >= self._pause_until_s:
            self.close_counts.clear()
            return {"status": "up", "n": wanted * self._processes_per_job}
        given_back = self._count_spare(self._spare(jobs)[: max(0, len(jobs) - wanted)])
        if not given_back:
            return {"status": "same"}
        return {"status": "down", "workers": [worker for job in given_back for worker in self._workers_of(job)]}

    def _count_spare(self, spare: list[str]) -> list[str]:
        """Count one more look at which these jobs were spare; return those that were so at enough looks in a row."""
        counts = {job: self.close_counts[job] + 1 for job in spare}
        self.close_counts.clear()
        self.close_counts.update(counts)
        return [job for job, count in counts.items() if count >= self.wait_count]

    @property
    def _processes_per_job(self) -> int:
        return len(self.cluster.new_spec.get("group", ("",)))

    def _workers_of(self, job: str) -> list[str]:
        """Return the names of a job's workers; a job of one process gives it its own name."""
        spec = self.cluster.worker_spec[job]
        return [f"{job}{process}" for process in spec["group"]] if "group" in spec else [job]

    def _units_in_hand(self) -> dict[str, int]:
        """Return the jobs that have workers here, and how many units these have in hand."""
        job_of = {worker: job for job in self.cluster.worker_spec for worker in self._workers_of(job)}
        units: dict[str, int] = {}
        for worker in self.cluster.scheduler.workers.values():
            if worker.name in job_of:
                job = job_of[worker.name]
                units[job] = units.get(job, 0) + len(worker.processing)
        return units

    def _spare(self, jobs: list[str]) -> list[str]:
        """Return the jobs that can go without loss: those that still wait, the last first; then the idle ones."""
        in_hand = self._units_in_hand()
        waiting = [job for job in reversed(jobs) if job not in in_hand]
        return waiting + [job for job in jobs if in_hand.get(job) == 0]

    async def _refresh_queue(self) -> None:
        """Ask SLURM for the state of the queue, if the last answer is old enough."""
        in_hand = self._units_in_hand()
        waiting = (job for name, job in self.cluster.workers.items() if name not in in_hand)
        has_news = any(job.has_worked or job.job_id not in (self._queue or ()) for job in waiting)
        now_s = time.monotonic()
        if now_s - self._asked_s >= (_LOOK_SOON_S if has_news else _LOOK_EVERY_S):
            # In a thread: this loop also serves the scheduler, and a busy controller answers late.
            self._queue = await asyncio.to_thread(read_queue)
            # The time of the question, not of the answer: what happened in between is not in the answer.
            self._asked_s = now_s
            if self._queue is not None:
                self._vain_looks = self._vain_looks + 1 if self._doomed_jobs(self._queue) else 0

    def _doomed_jobs(self, queue: Mapping[str, QueuedJob]) -> list[QueuedJob]:
        """Return all jobs where none has a worker and each waits for what never comes; else none."""
        jobs = [queue.get(job.job_id) for job in self.cluster.workers.values()]
        doomed = [job for job in jobs if job is not None and job.is_hopeless]
        return doomed if len(doomed) == len(jobs) and not self._units_in_hand() else []

    def _keep_books(self) -> None:
        """Note which jobs have workers, and remove those that have ended or never started."""
        in_hand = self._units_in_hand()
        failures = []
        for name, job in list(self.cluster.workers.items()):
            if name in in_hand:
                job.has_worked = True
            elif job.refusal:
                self._strike_off(name)
                failures.append(f"sbatch refuses a job: {job.refusal}")
            elif self._is_over(job):
                self._strike_off(name)
                if not job.has_worked:
                    failures.append(self._describe_end(job))
        if in_hand:
            self._failures = ()
        elif failures:
            # Jobs that fail together have failed once: a bad node or a full queue takes several.
            self._failures = (*self._failures, failures[-1])
        if failures:
            self._pause_until_s = time.monotonic() + _LOOK_EVERY_S
        self.supply = Supply() if in_hand else self._describe_supply()

    def _is_over(self, job: WatchedJob) -> bool:
        # A job that the last answer could not list yet is not over.
        if self._queue is None or job.submitted_s > self._asked_s - _LISTED_AFTER_S:
            return False
        return job.job_id not in self._queue or self._queue[job.job_id].is_over

    def _strike_off(self, name: str) -> None:
        self.cluster.worker_spec.pop(name, None)
        # Both books: Dask takes a job that is in one only for one that must be started or closed.
        self.cluster.workers.pop(name, None)

    def _describe_supply(self) -> Supply:
        """Report what a run without workers waits for, or why no worker will come."""
        jobs = [job.job_id for job in self.cluster.workers.values() if job.job_id]
        if len(self._failures) >= _ATTEMPTS and not jobs:
            return Supply(trouble=self._failures[-1])
        if self._queue is not None and self._vain_looks >= _ATTEMPTS and (doomed := self._doomed_jobs(self._queue)):
            return Supply(trouble=describe_doom(doomed))
        said = [f"{self._failures[-1]}; trying again"] if self._failures else []
        if self._queue is None:
            said.append("waiting for SLURM, which does not answer")
        elif jobs:
            said.append(describe_wait(jobs, self._queue))
        return Supply("; ".join(filter(None, said)))

    def _describe_end(self, job: WatchedJob) -> str:
        """Return a sentence on the end of a job that never had a worker here, with the last line of its log."""
        ended = self._queue.get(job.job_id) if self._queue else None
        state = ended.state if ended else "no longer listed"
        said = f"SLURM job {job.job_id} ended ({state}) before a worker connected"
        if self._log_folder is None:
            return said
        log = self._log_folder / f"{JOB_NAME}-{job.job_id}.err"
        try:
            return f"{said}; {log} ends with: {_last_line(log.read_text(errors='replace'))}"
        except OSError:
            return f"{said}, and left no log at {log}"


def _last_line(text: str) -> str:
    """Return the last line with something in it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"
