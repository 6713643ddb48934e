"""Settings of a cluster: what one SLURM job is, and how many there may be."""

from __future__ import annotations

from pydantic import Field

from movi_prep.config.base import Settings


class SlurmProfile(Settings):
    """A cluster profile, read from its own file (`pipelines/slurm.yaml` is the packaged one)."""

    queue: str | None = None
    """Partition; none means the cluster's default."""

    account: str | None = None
    """Account that is charged; none means yours."""

    processes: int = Field(default=4, ge=1, le=1000)
    """Worker processes per job, one core each."""

    memory: str = Field(default="16 GB", pattern=r"^\d+ ?(MB|GB|MiB|GiB)$")
    """Memory of one job, shared by its processes."""

    walltime: str = Field(default="04:00:00", pattern=r"^(\d+-)?\d+:\d\d:\d\d$")
    """Walltime of one job."""

    retire_before_s: int = Field(default=600, ge=0)
    """Workers retire this long before their walltime, seconds: longer than the longest unit costs nothing twice."""

    stagger_s: int = Field(default=120, ge=0)
    """And up to this much earlier, at random, so that not all retire at once, seconds."""

    minimum_jobs: int = Field(default=0, ge=0)
    """Jobs that are kept even when there is little to do."""

    maximum_jobs: int = Field(default=8, ge=1)
    """Jobs at most; `--workers` overrides it (rounded up to whole jobs)."""

    interface: str | None = None
    """Network interface between scheduler and workers (`ib0`, `eth0`); none means the default."""

    directives: tuple[str, ...] = ()
    """Further #SBATCH options, as `--constraint=ib`."""

    prologue: tuple[str, ...] = ()
    """Shell lines before the worker starts, as `module load python/3.11`."""
