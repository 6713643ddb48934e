"""Settings of a run: where and how units are executed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from movi_prep.config.base import Settings
from movi_prep.config.fields import setting


class RunSettings(Settings):
    """How units are executed; no result depends on these settings."""

    executor: Literal["serial", "local", "slurm"] = "local"
    """`serial` uses one process, `local` processes of this machine (Dask), `slurm` a cluster."""

    workers: int | None = setting(default=None, ge=1, le=10_000)
    """Number of worker processes; none means one per core (local) or the profile's number (slurm)."""

    on_error: Literal["continue", "abort"] = "continue"
    """After a failed unit, `continue` with the others or `abort` the run."""

    tries: int = setting(default=3, ge=1, le=100)
    """How often a unit may run whose worker process dies, before it counts as failed."""

    scheduler: str | None = None
    """Address of a running Dask scheduler to use, `tcp://host:port`; none means a new one."""

    dashboard: str | None = None
    """Address of Dask's dashboard of workers, `127.0.0.1:8787`; none means no dashboard. It has no password."""

    slurm_profile: Path | None = None
    """Cluster profile (YAML); none means the packaged `pipelines/slurm.yaml`."""

    full_hash: bool = False
    """Whether large files (videos) are compared by all of their bytes. Otherwise size and samples are compared, which
    misses a change between the samples that keeps the size."""

    recycle_units: int = setting(default=200, ge=1)
    """Number of units after which a worker process is replaced by a fresh one, so that memory does not grow."""

    recycle_growth_mb: float = setting(default=1000.0, gt=0)
    """Growth of a worker's memory since its first unit after which the process is also replaced, megabytes."""
