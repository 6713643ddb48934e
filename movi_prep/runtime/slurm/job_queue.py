"""This user's jobs in SLURM's queue: states, reasons, and sentences about them."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

JOB_NAME = "movi-prep"
"""Name of a run's jobs in the queue; their log files have this name and SLURM's number."""

_ANSWER_S = 20
"""How long SLURM may take to answer; a busy controller takes its time."""

_OVER = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "REVOKED",
        "TIMEOUT",
    }
)
"""States that a job does not leave again (SLURM, "Job state codes")."""

_HOPELESS = frozenset(
    {
        "BadConstraints",
        "InvalidAccount",
        "InvalidQOS",
        "PartitionConfig",
        "PartitionNodeLimit",
        "PartitionTimeLimit",
    }
)
"""Reasons why SLURM will never start a job (SLURM, "Job reason codes"), besides the limits per job, `*PerJob*`."""


@dataclass(frozen=True)
class QueuedJob:
    """A job as the queue lists it.

    Attributes:
        id: SLURM's number.
        state: SLURM's word, such as PENDING or RUNNING.
        reason: why it does not run, or ended, in SLURM's words.
    """

    id: str
    state: str
    reason: str

    @property
    def is_over(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.state in _OVER

    @property
    def is_hopeless(self) -> bool:
        """Whether it waits for what does not come."""
        return self.state == "PENDING" and (self.reason in _HOPELESS or "PerJob" in self.reason)

    @property
    def is_held(self) -> bool:
        """Whether a user holds it and may release it at any time."""
        return self.state == "PENDING" and self.reason.startswith("JobHeld")


def read_queue() -> dict[str, QueuedJob] | None:
    """Return this user's jobs by number; None where SLURM does not answer just now."""
    # All states: without it, jobs that have just ended are not listed, and cannot be told from jobs not listed yet.
    command = ["squeue", "--noheader", f"--user={os.getuid()}", "--states=all", "--format=%A|%T|%r"]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            command, capture_output=True, text=True, timeout=_ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # A controller that restarts refuses for a while; the next look asks again.
    if done.returncode != 0:
        return None
    # Split at most twice: a reason may hold a bar of its own.
    listed = [QueuedJob(*line.strip().split("|", 2)) for line in done.stdout.splitlines() if line.count("|") >= 2]
    return {job.id: job for job in listed}


def describe_wait(ids: Iterable[str], queue: Mapping[str, QueuedJob]) -> str:
    """Return one line on what jobs wait for; empty when none of them waits.

    Args:
        ids: SLURM's numbers of the jobs.
        queue: jobs by number; one that is not among them counts as just submitted.
    """
    jobs = [queue.get(number, QueuedJob(number, "PENDING", "not listed yet")) for number in ids]
    pending = [job for job in jobs if job.state == "PENDING"]
    said = []
    if pending:
        reasons = ", ".join(sorted({job.reason for job in pending}))
        said.append(f"{_count_jobs(pending)} pending ({reasons})")
    if any(job.is_hopeless for job in pending):
        said.append("SLURM will never start it with this request: change the cluster profile")
    held = [job.id for job in pending if job.is_held]
    if held:
        said.append(f"held until it is released: scontrol release {','.join(held)}")
    starting = [job for job in jobs if job.state not in ("PENDING", *_OVER)]
    if starting:
        said.append(f"{_count_jobs(starting)} running without a worker connected")
    return "waiting for SLURM: " + "; ".join(said) if said else ""


def describe_doom(jobs: Sequence[QueuedJob]) -> str:
    """Return a sentence on jobs that SLURM will never start, with the reason."""
    reasons = ", ".join(sorted({job.reason for job in jobs}))
    these = "this job" if len(jobs) == 1 else "these jobs"
    return f"{_count_jobs(jobs)} pending, but SLURM will never start {these} (reason: {reasons})"


def _count_jobs(jobs: Sequence[QueuedJob]) -> str:
    """Return which job it is, or how many there are."""
    return f"job {jobs[0].id}" if len(jobs) == 1 else f"{len(jobs)} jobs"
