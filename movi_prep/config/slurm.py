"""Settings of a cluster: the size of one SLURM job, and how many jobs a run may have."""

from __future__ import annotations

from typing import Annotated

from movi_prep.config.base import Settings
from movi_prep.config.fields import After, setting
from movi_prep.plain_text import has_control


def _check_line(text: str) -> str:
    """Return text that fits on one line of a job script; text after a newline would become a command."""
    if has_control(text.replace("\t", " ")):
        raise ValueError(f"expected one line without control characters, but got {text!r}")
    return text


def _check_name(text: str) -> str:
    """Return a name without blanks, at which sbatch would split it."""
    if has_control(text) or not text or any(letter.isspace() or letter in "\"'`$\\" for letter in text):
        raise ValueError(f"expected a name without blanks, quotes and control characters, but got {text!r}")
    return text


Line = Annotated[str, After(_check_line)]
Name = Annotated[str, After(_check_name)]


class SlurmProfile(Settings):
    """A cluster profile, read from its own file (`pipelines/slurm.yaml` is the packaged one)."""

    queue: Name | None = None
    """Partition; none means the cluster's default."""

    account: Name | None = None
    """Account that is charged; none means yours."""

    processes: int = setting(default=4, ge=1, le=1000)
    """Worker processes per job, one core each."""

    memory: str = setting(default="16 GB", pattern=r"^\d+ ?(MB|GB|MiB|GiB)$")
    """Memory of one job, shared by its processes."""

    walltime: str = setting(default="04:00:00", pattern=r"^(\d+-)?\d+:\d\d:\d\d$")
    """Walltime of one job."""

    retire_before_s: int = setting(default=600, ge=0)
    """Workers retire this long before their walltime, seconds; above the longest unit's duration, none is repeated."""

    stagger_s: int = setting(default=120, ge=0)
    """Workers retire up to this much earlier, at random, so that not all retire at once, seconds."""

    minimum_jobs: int = setting(default=0, ge=0)
    """Jobs that a run keeps even when there is little to do."""

    maximum_jobs: int = setting(default=8, ge=1)
    """Most jobs at one time; `--workers` overrides it (rounded up to whole jobs)."""

    interface: Name | None = None
    """Network interface between scheduler and workers (`ib0`, `eth0`); none means the default."""

    directives: tuple[Line, ...] = ()
    """Further #SBATCH options, for example `--constraint=ib`."""

    prologue: tuple[Line, ...] = ()
    """Shell lines that run before the worker starts, for example `module load python/3.11`."""
