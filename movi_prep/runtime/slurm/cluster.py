"""Workers as SLURM jobs: the same units, on as many nodes as the queue gives."""

from __future__ import annotations

import math
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from movi_prep.config.load import load_settings
from movi_prep.config.slurm import SlurmProfile
from movi_prep.errors import UsageError
from movi_prep.formats.packaged import packaged_path
from movi_prep.runtime.one_thread import ONE_THREAD
from movi_prep.runtime.slurm.array_jobs import check_one_line, log_path
from movi_prep.runtime.slurm.job_queue import JOB_NAME
from movi_prep.runtime.worker_pools import (
    LOOPBACK,
    DaskExecutor,
    WorkersLostError,
    close_cluster,
    dask_settings,
    hear_nothing,
    quiet_dask,
)
from movi_prep.runtime.worker_setup import RETIRE_AT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from distributed import Client

    from movi_prep.config.run import RunSettings
    from movi_prep.runtime.slurm.adaptive_jobs import Supply, WatchedCluster
    from movi_prep.runtime.worker_pools import Executor, Hear

_ADAPT_EVERY = "2s"
_TICKS_TO_GIVE_BACK = 15
"""A job is given back when it has been spare for so long: a new one has to queue again."""


def read_profile(file: Path | None) -> SlurmProfile:
    """Return a cluster profile; None means the packaged one."""
    return load_settings(SlurmProfile, file or packaged_path("pipelines", "slurm.yaml"))


@contextmanager
def slurm_executor(
    profile: SlurmProfile, log_folder: Path, run: RunSettings, hear: Hear = hear_nothing
) -> Iterator[Executor]:
    """Start a scheduler here and adaptive workers as SLURM jobs; cancel the jobs when the block ends.

    Args:
        profile: what one job is, and how many there may be.
        log_folder: where the jobs write their logs; made when it is not there.
        run: how many worker processes are wanted (rounded up to whole jobs), and when one is replaced.
        hear: receives the id of a unit and the fraction of it that is done, in a thread of Dask's.

    Raises:
        UsageError: there is no SLURM on this machine, or the profile does not fit it.
        WorkersLostError: from the executor, when SLURM takes no job, or every job ends before it has a worker.
    """
    import dask

    from movi_prep.runtime.slurm.adaptive_jobs import JobAdaptive

    if shutil.which("sbatch") is None:
        raise UsageError(
            "executor slurm: expected `sbatch` on this machine, but there is none; run on a login node of the cluster, "
            "or use --executor local"
        )
    jobs = math.ceil(run.workers / profile.processes) if run.workers else profile.maximum_jobs
    check_one_line("work", str(log_folder))
    log_folder.mkdir(parents=True, exist_ok=True)
    arguments = cluster_arguments(profile, log_folder, dashboard=run.dashboard)
    with (
        dask.config.set(dask_settings(run.dashboard)),
        quiet_dask(),
        _scheduler(profile, arguments) as (cluster, client),
    ):
        adaptive = cluster.adapt(
            Adaptive=JobAdaptive,
            minimum_jobs=min(profile.minimum_jobs, jobs),
            maximum_jobs=jobs,
            interval=_ADAPT_EVERY,
            wait_count=_TICKS_TO_GIVE_BACK,
            log_folder=log_folder,
        )
        yield DaskExecutor(
            # Four per process: adaptive scaling counts units that are in flight, and asks for no more jobs than they
            # fill.
            client,
            run,
            in_flight=4 * jobs * profile.processes,
            watch=lambda: _describe_wait(adaptive.supply),
            hear=hear,
        )


@contextmanager
def _scheduler(profile: SlurmProfile, arguments: dict[str, Any]) -> Iterator[tuple[WatchedCluster, Client]]:
    """Start a scheduler without workers here, and a client of it; stop both, and cancel all jobs, in the end."""
    from distributed import Client

    from movi_prep.runtime.slurm.adaptive_jobs import WatchedCluster

    try:
        cluster = WatchedCluster(**arguments)
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"cluster profile: the scheduler does not start ({error}); correct the profile (`interface` is "
            f"{profile.interface or 'the default one'})"
        ) from error
    client = None
    try:
        client = Client(cluster, set_as_default=False)
        yield cluster, client
    finally:
        close_cluster(client, cluster)


def _describe_wait(supply: Supply) -> str:
    """Report what the first worker waits for; raise WorkersLostError if none will come."""
    if supply.trouble:
        raise WorkersLostError(
            f"the cluster gives no workers: {supply.trouble}; correct the cluster profile (--slurm-profile), "
            "and run again to go on"
        )
    return supply.waits_for


def cluster_arguments(profile: SlurmProfile, log_folder: Path, *, dashboard: str | None = None) -> dict[str, Any]:
    """Return the arguments of `dask_jobqueue.SLURMCluster`.

    Raises:
        UsageError: nothing of the walltime is left to work in.
    """
    lifetime_s = seconds_of(profile.walltime) - profile.retire_before_s - profile.stagger_s
    if lifetime_s <= 0:
        raise UsageError(
            f"cluster profile: expected a walltime longer than retire_before_s + stagger_s "
            f"({profile.retire_before_s} + {profile.stagger_s} s), but got {profile.walltime}; ask for more"
        )
    return {
        "queue": profile.queue,
        "account": profile.account,
        "cores": profile.processes,
        "processes": profile.processes,
        "memory": profile.memory,
        "walltime": profile.walltime,
        "interface": profile.interface,
        # The interpreter of this environment: jobs do not activate it.
        "python": sys.executable,
        "job_name": JOB_NAME,
        # Not by dask-jobqueue's log_directory, which it writes without quotes: sbatch splits directives at blanks.
        "job_extra_directives": [
            f'--error="{log_path(log_folder)}/{JOB_NAME}-%J.err"',
            f'--output="{log_path(log_folder)}/{JOB_NAME}-%J.out"',
            *profile.directives,
        ],
        "job_script_prologue": [*worker_environment(), retirement(lifetime_s, profile.stagger_s), *profile.prologue],
        # Workers must reach the scheduler; a page without a password is for this machine, unless it is asked for.
        "scheduler_options": {"dashboard_address": dashboard or LOOPBACK, "dashboard": dashboard is not None},
        "worker_extra_args": ["--no-dashboard", "--dashboard-address", LOOPBACK],
    }


def worker_environment() -> list[str]:
    """Return shell lines that set for a job what a local worker inherits: Dask's settings, one thread."""
    names = {
        f"DASK_{name.upper().replace('.', '__').replace('-', '_')}": value
        for name, value in dask_settings(None).items()
    }
    return [f'export {name}="{value}"' for name, value in (*names.items(), *ONE_THREAD.items())]


def retirement(lifetime_s: int, stagger_s: int) -> str:
    """Return the shell line that sets when a job's workers take no more units, seconds since 1970.

    Reckoned when the job starts, so that a worker process that is replaced meanwhile keeps to it.
    """
    return f'export {RETIRE_AT}="$(( $(date +%s) + {lifetime_s} + RANDOM % {stagger_s + 1} ))"'


def seconds_of(walltime: str) -> int:
    """Return the seconds of a SLURM time, `[days-]hours:minutes:seconds`."""
    days, _, clock = walltime.rpartition("-")
    hours, minutes, seconds = map(int, clock.split(":"))
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds
