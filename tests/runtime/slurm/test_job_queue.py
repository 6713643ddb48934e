"""What is said of SLURM's queue, from what `squeue` prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from movi_prep.runtime.slurm.job_queue import QueuedJob, describe_wait, read_queue


def write_squeue(folder: Path, script: str) -> None:
    path = folder / "squeue"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_jobs_are_read_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_squeue(tmp_path, "echo '17|PENDING|Resources'; echo '18|RUNNING|None'; echo '19|NODE_FAIL|a | b'")
    monkeypatch.setenv("PATH", str(tmp_path))
    queue = read_queue()
    assert queue is not None
    assert list(queue) == ["17", "18", "19"]
    assert [job.is_over for job in queue.values()] == [False, False, True]
    assert queue["19"].reason == "a | b"


@pytest.mark.parametrize("script", ["exit 1", None])
def test_a_silent_controller_is_no_empty_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None
) -> None:
    if script is not None:
        write_squeue(tmp_path, script)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_queue() is None


def test_a_wait_is_reported_with_its_reasons() -> None:
    queue = {
        "1": QueuedJob("1", "PENDING", "Priority"),
        "2": QueuedJob("2", "PENDING", "Resources"),
        "3": QueuedJob("3", "RUNNING", "None"),
        "4": QueuedJob("4", "COMPLETED", "None"),
    }
    assert describe_wait(queue, queue) == (
        "waiting for SLURM: 2 jobs pending (Priority, Resources); job 3 running without a worker connected"
    )
    assert describe_wait(["4"], queue) == ""
    assert describe_wait(["9"], queue) == "waiting for SLURM: job 9 pending (not listed yet)"


@pytest.mark.parametrize("reason", ["BadConstraints", "QOSMaxCpuPerJobLimit", "PartitionTimeLimit"])
def test_what_no_waiting_mends_is_said(reason: str) -> None:
    said = describe_wait(["1"], {"1": QueuedJob("1", "PENDING", reason)})
    assert said.endswith("SLURM will never start it with this request: change the cluster profile")


def test_a_held_job_is_for_a_person_to_release() -> None:
    said = describe_wait(["1"], {"1": QueuedJob("1", "PENDING", "JobHeldUser")})
    assert said.endswith("job 1 pending (JobHeldUser); held until it is released: scontrol release 1")
