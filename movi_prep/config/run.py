"""Settings of a run: where and how units are executed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from movi_prep.config.base import Settings


class RunSettings(Settings):
    """How the plan is executed; nothing here changes a result."""

    executor: Literal["serial", "local", "slurm"] = "local"
    """One process, Dask processes on this machine, or the same graph on SLURM."""

    workers: int | None = Field(default=None, ge=1, le=10_000)
    """Number of worker processes; none means one per core (local) or the profile's (slurm)."""

    on_error: Literal["continue", "abort"] = "continue"
    """Whether a failed unit leaves the others running."""

    tries: int = Field(default=3, ge=1, le=100)
    """How often a unit is tried whose worker dies, before it is set aside."""

    scheduler: str | None = None
    """Address of a running Dask scheduler to use instead, `tcp://host:port`."""

    dashboard: str | None = None
    """Where Dask's page on workers listens, `127.0.0.1:8787`; none means no page. It has no password."""

    slurm_profile: Path | None = None
    """Cluster profile (YAML); none means the packaged `pipelines/slurm.yaml`."""

    full_hash: bool = False
    """Whether large files (videos) are compared by all of their bytes. Otherwise by size and samples: a change between
    the samples that keeps the size is not seen."""

    recycle_units: int = Field(default=200, ge=1)
    """A worker process is replaced by a fresh one after this many units, so that memory does not creep."""

    recycle_growth_mb: float = Field(default=1000.0, gt=0)
    """A worker process is replaced, too, when its memory has grown by this much since its first unit, megabytes."""
