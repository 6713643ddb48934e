"""Scaling a SLURM cluster down without taking work away. Imported only where such a cluster is started."""

from __future__ import annotations

from distributed.deploy.adaptive import Adaptive


class PatientAdaptive(Adaptive):  # type: ignore[misc]  # distributed carries no types
    """Gives back whole jobs only, and only where none of their processes is at work.

    Dask chooses single workers; dask-jobqueue then cancels the jobs that they belong to. With several processes per
    job, one idle process would cost the others the unit in hand, again and again.
    """

    async def workers_to_close(self, target: int) -> list[str]:
        """Return the workers that may go, by name."""
        chosen: list[str] = await super().workers_to_close(target)
        job_of = {
            f"{job}{process}": job
            for job, spec in self.cluster.worker_spec.items()
            for process in spec.get("group", ("",))
        }
        busy = {job_of.get(worker.name) for worker in self.cluster.scheduler.workers.values() if worker.processing}
        return [name for name in chosen if job_of.get(name) not in busy]
