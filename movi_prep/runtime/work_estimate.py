"""Hours and disk that a plan takes, for these data on this machine.

The best estimate of a stage is what its units in this work folder took before. If a stage never ran here, its cost
on the machine that the project was measured on counts, divided by how much faster this one does a fixed piece of work.
The table is that of `pipelines/README.md`, by unit and by row.
"""

from __future__ import annotations

import math
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.plain_text import count_of
from movi_prep.records.identity import ClipId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from movi_prep.config.root import Config
    from movi_prep.runtime.data_check import ClipLength
    from movi_prep.runtime.work_plan import PlannedUnit, WorkPlan


@dataclass(frozen=True)
class Cost:
    """What a unit of a stage takes: a fixed part, and a part for each of its rows (a frame, or a sample)."""

    unit_s: float
    row_s: float
    unit_bytes: float
    row_bytes: float


COSTS = {
    "static": Cost(0.03, 0.0, 550e3, 0.0),
    "markers": Cost(0.01, 1.2e-5, 10e3, 3600.0),
    "scale": Cost(0.8, 0.0, 770e3, 0.0),
    "ik": Cost(0.09, 3.5e-4, 30e3, 12.9e3),
    "ik of angles": Cost(0.03, 8e-5, 30e3, 1050.0),
    "align": Cost(0.06, 0.0, 2500.0, 0.0),
    "shard": Cost(0.2, 4.2e-3, 100e3, 39e3),
    "shard_d3ke": Cost(0.5, 2.4e-2, 250e3, 145e3),
}
"""Processor seconds and bytes: one core of a two-core virtual machine, embedded data, JPEG quality 95 near the body.

Rows of `shard_d3ke` are frames of all cameras. OpenSim's own solver takes a hundred times what `ik` takes.
"""

_OPENSIM_SOLVER = 150.0
"""How much longer inverse kinematics takes by OpenSim's solver than by ours, per row."""

_REFERENCE_S = 0.0105
"""How long `_fixed_work` took on that machine, seconds."""

_REPEATS = 5


@dataclass(frozen=True)
class Estimate:
    """Time and space that the units to run will take.

    Attributes:
        processor_hours: on one core.
        hours: on the workers that are configured.
        workers: how many these are.
        gigabytes: of disk, outputs of the units that would run.
        measured: stages whose cost comes from units of this work folder.
        speed: this machine's speed against the machine of the table; 2 is twice as fast.
    """

    processor_hours: float
    hours: float
    workers: int
    gigabytes: float
    measured: tuple[str, ...]
    speed: float

    def __str__(self) -> str:
        """Return the estimate as one line."""
        basis = f"this machine does a fixed piece of work at {self.speed:.1f} times the speed of the one measured on"
        if self.measured:
            basis = f"{', '.join(self.measured)} as measured in this work folder; else {basis}"
        return (
            f"about {_say_hours(self.hours)} with {count_of(self.workers, 'worker')} "
            f"({_say_hours(self.processor_hours)} of one core), {self.gigabytes:.2g} GB of disk; {basis}"
        )


def estimate_work(plan: WorkPlan, lengths: Mapping[ClipId, ClipLength], config: Config, *, cores: int) -> Estimate:
    """Return the estimated time and space of the units that would run.

    Args:
        plan: the plan.
        lengths: length of each clip.
        config: its settings say at which rate, by which solver and by how many workers.
        cores: what this machine has, for local workers whose number is not configured.
    """
    # The fastest of several: whatever else runs on the machine can only slow it down.
    speed = _REFERENCE_S / min(_fixed_work() for _ in range(_REPEATS))
    measured = _measured(plan, lengths, config)
    seconds = n_bytes = 0.0
    for planned in plan.to_run:
        times_s, times_bytes = measured.get(planned.unit.stage, (1 / speed, 1.0))
        # Measured stages are the table's cost times a factor: so clips of other lengths than those that ran are
        # estimated too.
        table_s, table_bytes = _table_cost(planned, lengths, config)
        seconds += table_s * times_s
        n_bytes += table_bytes * times_bytes
    workers = config.run.workers or (1 if config.run.executor == "serial" else cores)
    return Estimate(
        processor_hours=seconds / 3600,
        hours=seconds / 3600 / workers,
        workers=workers,
        gigabytes=n_bytes / 1e9,
        measured=tuple(measured),
        speed=speed,
    )


def _measured(plan: WorkPlan, lengths: Mapping[ClipId, ClipLength], config: Config) -> dict[str, tuple[float, float]]:
    """Return, by stage, the times of the table's seconds and bytes that its units took in this work folder."""
    sums: dict[str, NDArray[np.float64]] = {}
    for planned in plan.units.values():
        last = planned.last
        if last is None or last.status != "done":
            continue
        files = [plan.work.root / entry.path for entry in last.outputs.values()]
        written = sum(path.stat().st_size for path in files if path.is_file())
        row = np.array([last.processor_seconds, written, *_table_cost(planned, lengths, config)])
        sums[planned.unit.stage] = sums.get(planned.unit.stage, np.zeros(4)) + row
    return {
        stage: (float(took_s / table_s), float(took_bytes / table_bytes))
        for stage, (took_s, took_bytes, table_s, table_bytes) in sums.items()
        if took_s > 0 and took_bytes > 0
    }


def _table_cost(planned: PlannedUnit, lengths: Mapping[ClipId, ClipLength], config: Config) -> tuple[float, float]:
    """Return seconds and bytes of a unit by the table."""
    stage = planned.unit.stage
    # A stage that is not in the table takes about a second, once: indices and other small files.
    cost = COSTS.get("ik of angles" if _is_angles(planned) else stage, Cost(1.0, 0.0, 0.0, 0.0))
    rows = _rows(planned, lengths, config)
    solver = _OPENSIM_SOLVER if stage == "ik" and config.ik.solver == "opensim" else 1.0
    return cost.unit_s + cost.row_s * rows * solver, cost.unit_bytes + cost.row_bytes * rows


def _is_angles(planned: PlannedUnit) -> bool:
    """Return whether a unit solves a clip for nothing but angles."""
    return getattr(planned.unit.settings, "content", "") == "angles"


def _rows(planned: PlannedUnit, lengths: Mapping[ClipId, ClipLength], config: Config) -> int:
    """Return how many rows a unit has: those of its clip, or of all clips of its subject."""
    subject, _, rest = planned.unit.key.partition("/")
    is_clip = planned.unit.stage in ("markers", "ik")
    clips = [clip for clip in lengths if clip.subject == subject and (not is_clip or clip.clip == rest)]
    # Clips without video have one clock, whatever the configuration says: markers say so, and angles by themselves.
    rates = (config.markers.rate, getattr(planned.unit.settings, "rate", ""))
    by_sample = is_clip and ("mocap" in rates or _is_angles(planned))
    rate_hz = math.inf if by_sample else config.markers.video_rate_hz
    frames = sum(math.ceil(lengths[clip].n_samples * min(1.0, rate_hz / lengths[clip].rate_hz)) for clip in clips)
    return frames * (len(planned.unit.settings.cameras) if planned.unit.stage == "shard_d3ke" else 1)


def _fixed_work() -> float:
    """Return how long a fixed piece of work takes, seconds: arithmetic of matrices, packing, and Python itself."""
    random = np.random.default_rng(0)
    matrix = random.normal(size=(192, 192))
    text = random.integers(0, 40, 200_000).astype(np.uint8).tobytes()
    begin_s = time.perf_counter()
    for _ in range(10):
        matrix @ matrix
    # Matrices, packing and Python: the three kinds of work of which stages are made.
    zlib.compress(text, 1)
    sum(range(100_000))
    return time.perf_counter() - begin_s


def _say_hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{max(1, math.ceil(hours * 60))} min"
