"""Which jobs are asked for and given back, on a cluster that only keeps books."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from movi_prep.runtime.slurm.adaptive_jobs import JobAdaptive
from movi_prep.runtime.slurm.job_queue import QueuedJob

PATIENCE = 3


@dataclass
class Books:
    """A cluster of jobs with two processes each: the parts of Dask's that adaptivity looks at."""

    worker_spec: dict[int, dict[str, Any]] = field(default_factory=dict)
    workers: dict[int, Any] = field(default_factory=dict)
    units: list[str] = field(default_factory=list)
    in_hand: dict[str, int] = field(default_factory=dict)
    new_spec = {"group": ["-0", "-1"]}  # noqa: RUF012 - Dask's name

    def add(self, job: int, *, in_hand: tuple[int, int] | None = None) -> None:
        """Submit a job; with units in hand its processes are connected."""
        self.worker_spec[job] = self.new_spec
        self.workers[job] = SimpleNamespace(job_id=f"10{job}", refusal="", has_worked=False, submitted_s=-100.0)
        if in_hand is not None:
            self.in_hand |= {f"{job}-0": in_hand[0], f"{job}-1": in_hand[1]}

    @property
    def scheduler(self) -> Any:
        """Dask's scheduler."""
        workers = {name: SimpleNamespace(name=name, processing=range(n)) for name, n in self.in_hand.items()}
        tasks = {str(number): SimpleNamespace(state=state) for number, state in enumerate(self.units)}
        return SimpleNamespace(workers=workers, tasks=tasks)

    @property
    def plan(self) -> set[str]:
        """Processes asked for."""
        return {f"{job}{process}" for job in self.worker_spec for process in self.new_spec["group"]}

    requested = plan
    observed = plan


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> dict[str, QueuedJob]:
    jobs = {f"10{job}": QueuedJob(f"10{job}", "PENDING", "Priority") for job in range(5)}
    monkeypatch.setattr("movi_prep.runtime.slurm.adaptive_jobs.read_queue", lambda: dict(jobs))
    return jobs


def decide(adaptive: JobAdaptive, times: int = 1) -> dict[str, Any]:
    """Return the last of several recommendations."""

    async def ask() -> dict[str, Any]:
        for _ in range(times):
            recommended = await adaptive.recommendations(await adaptive.safe_target())
        return dict(recommended)

    return asyncio.run(ask())


def adaptive_of(books: Books) -> JobAdaptive:
    return JobAdaptive(books, interval=0, minimum=0, maximum=8, wait_count=PATIENCE)


@pytest.mark.usefixtures("queue")
def test_as_many_whole_jobs_as_units_can_use_and_no_more_than_allowed(books: Books) -> None:
    books.units = ["memory", "memory", "processing", "no-worker", "queued"]
    assert decide(adaptive_of(books)) == {"status": "up", "n": 4}
    books.units = ["queued"] * 100
    assert decide(adaptive_of(books)) == {"status": "up", "n": 8}


@pytest.mark.usefixtures("queue")
def test_a_waiting_job_is_kept_while_a_single_unit_needs_it(books: Books) -> None:
    books.add(0)
    books.units = ["no-worker"]
    assert decide(adaptive_of(books), times=10 * PATIENCE) == {"status": "same"}


@pytest.mark.usefixtures("queue")
def test_the_job_that_queued_last_goes_first_and_only_after_a_while(books: Books) -> None:
    books.add(0, in_hand=(1, 1))
    books.add(1)
    books.add(2)
    books.units = ["processing", "processing", "queued"]
    adaptive = adaptive_of(books)
    assert decide(adaptive, times=PATIENCE - 1) == {"status": "same"}
    assert decide(adaptive) == {"status": "down", "workers": ["2-0", "2-1"]}


@pytest.mark.usefixtures("queue")
def test_no_job_is_closed_for_the_sake_of_an_idle_process(books: Books) -> None:
    books.add(0, in_hand=(1, 0))
    books.add(1, in_hand=(0, 1))
    books.units = ["processing", "processing"]
    assert decide(adaptive_of(books), times=10 * PATIENCE) == {"status": "same"}
    books.in_hand["1-1"] = 0
    books.units = ["processing"]
    assert decide(adaptive_of(books), times=PATIENCE) == {"status": "down", "workers": ["1-0", "1-1"]}


def test_a_job_whose_walltime_is_over_makes_room_for_another(books: Books, queue: dict[str, QueuedJob]) -> None:
    books.add(0, in_hand=(1, 1))
    books.units = ["processing", "processing"]
    adaptive = adaptive_of(books)
    assert decide(adaptive) == {"status": "same"}
    books.in_hand.clear()
    queue["100"] = QueuedJob("100", "COMPLETED", "None")
    adaptive._asked_s = -1e9
    assert decide(adaptive) == {"status": "up", "n": 2}
    assert not books.worker_spec
    assert adaptive.supply.trouble == ""


def test_jobs_that_come_to_nothing_are_trouble_the_third_time(books: Books, queue: dict[str, QueuedJob]) -> None:
    adaptive = adaptive_of(books)
    books.units = ["no-worker"]
    for job in range(3):
        assert not adaptive.supply.trouble
        books.add(job)
        queue[f"10{job}"] = QueuedJob(f"10{job}", "FAILED", "NonZeroExitCode")
        adaptive._asked_s = -1e9
        assert decide(adaptive) == {"status": "same"}, "no other is asked for at once"
    assert "job 102 ended (FAILED) before a worker connected" in adaptive.supply.trouble


def test_a_worker_that_connects_makes_up_for_what_failed_before(books: Books, queue: dict[str, QueuedJob]) -> None:
    adaptive = adaptive_of(books)
    books.units = ["no-worker"]
    for job in range(4):
        books.add(job)
        if job == 2:
            books.in_hand["2-0"] = 1
        else:
            queue[f"10{job}"] = QueuedJob(f"10{job}", "FAILED", "NonZeroExitCode")
        adaptive._asked_s = -1e9
        decide(adaptive)
        if job == 2:
            assert adaptive.supply.waits_for == ""
            books.in_hand.clear()
            queue["102"] = QueuedJob("102", "COMPLETED", "None")
    assert not books.worker_spec
    assert not adaptive.supply.trouble


@pytest.mark.parametrize(("is_listed", "pause_s"), [(True, 15.0), (False, 4.0)])
def test_slurm_is_asked_now_and_then_and_sooner_of_a_job_it_did_not_list(
    books: Books, monkeypatch: pytest.MonkeyPatch, is_listed: bool, pause_s: float
) -> None:
    clock, asked_s = [1000.0], []

    def answer() -> dict[str, QueuedJob]:
        asked_s.append(clock[0])
        return {"100": QueuedJob("100", "PENDING", "Priority")} if is_listed else {}

    monkeypatch.setattr("movi_prep.runtime.slurm.adaptive_jobs.read_queue", answer)
    monkeypatch.setattr("movi_prep.runtime.slurm.adaptive_jobs.time", SimpleNamespace(monotonic=lambda: clock[0]))
    books.units = ["no-worker"]
    books.add(0)
    books.workers[0].submitted_s = 1e9
    adaptive = adaptive_of(books)
    for _ in range(60):
        decide(adaptive)
        clock[0] += 0.5
    assert {after - before for before, after in pairwise(asked_s)} == {pause_s}


def test_jobs_that_fail_together_have_failed_once(books: Books, queue: dict[str, QueuedJob]) -> None:
    books.units = ["queued"] * 8
    adaptive = adaptive_of(books)
    for job in range(4):
        books.add(job)
        queue[f"10{job}"] = QueuedJob(f"10{job}", "NODE_FAIL", "None")
    assert decide(adaptive) == {"status": "same"}
    assert not books.worker_spec
    assert not adaptive.supply.trouble
    assert adaptive.supply.waits_for.endswith("before a worker connected; trying again")


@pytest.mark.usefixtures("queue")
def test_a_limit_on_submitted_jobs_is_no_trouble_while_others_wait(books: Books) -> None:
    books.units = ["queued"] * 8
    adaptive = adaptive_of(books)
    books.add(0)
    for job in range(1, 5):
        books.add(job)
        books.workers[job].job_id, books.workers[job].refusal = None, "QOSMaxSubmitJobPerUserLimit"
        adaptive._asked_s = -1e9
        assert decide(adaptive) == {"status": "same"}
    assert not adaptive.supply.trouble
    assert "QOSMaxSubmitJobPerUserLimit; trying again" in adaptive.supply.waits_for
    assert "job 100 pending (Priority)" in adaptive.supply.waits_for
    assert list(books.worker_spec) == [0]


def test_an_answer_that_comes_late_says_nothing_of_a_job_submitted_before_it(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]

    def answer_late() -> dict[str, QueuedJob]:
        clock[0] += 15.0
        return {}

    monkeypatch.setattr("movi_prep.runtime.slurm.adaptive_jobs.read_queue", answer_late)
    monkeypatch.setattr("movi_prep.runtime.slurm.adaptive_jobs.time", SimpleNamespace(monotonic=lambda: clock[0]))
    books.units = ["no-worker"]
    books.add(0)
    books.workers[0].submitted_s = 999.0
    adaptive = adaptive_of(books)
    assert decide(adaptive) == {"status": "same"}
    assert list(books.worker_spec) == [0]
    assert decide(adaptive) == {"status": "same"}
    assert not books.worker_spec, "still not listed 15 s after it was submitted"


def test_a_job_that_fails_is_named_with_the_end_of_its_log(
    books: Books, queue: dict[str, QueuedJob], tmp_path: Path
) -> None:
    (tmp_path / "movi-prep-100.err").write_text("loading\nmodule: command not found\n\n")
    books.units = ["no-worker"]
    books.add(0)
    queue["100"] = QueuedJob("100", "FAILED", "NonZeroExitCode")
    adaptive = JobAdaptive(books, interval=0, maximum=8, log_folder=tmp_path)
    decide(adaptive)
    assert "movi-prep-100.err ends with: module: command not found" in adaptive.supply.waits_for


@pytest.mark.parametrize("reason", ["PartitionTimeLimit", "QOSMaxCpuPerJobLimit"])
def test_jobs_that_no_waiting_starts_are_trouble_at_the_third_look(
    books: Books, queue: dict[str, QueuedJob], reason: str
) -> None:
    adaptive = adaptive_of(books)
    books.units = ["no-worker"] * 4
    for job in range(2):
        books.add(job)
        queue[f"10{job}"] = QueuedJob(f"10{job}", "PENDING", reason)
    for _ in range(3):
        assert not adaptive.supply.trouble
        adaptive._asked_s = -1e9
        decide(adaptive)
    assert adaptive.supply.trouble == f"2 jobs pending, but SLURM will never start these jobs (reason: {reason})"


@pytest.mark.parametrize("other", [QueuedJob("101", "PENDING", "Priority"), QueuedJob("101", "PENDING", "JobHeldUser")])
def test_one_job_that_may_start_is_hope_for_all(books: Books, queue: dict[str, QueuedJob], other: QueuedJob) -> None:
    adaptive = adaptive_of(books)
    books.units = ["no-worker"] * 4
    books.add(0)
    books.add(1)
    queue |= {"100": QueuedJob("100", "PENDING", "PartitionTimeLimit"), "101": other}
    for _ in range(5):
        adaptive._asked_s = -1e9
        decide(adaptive)
    assert not adaptive.supply.trouble
