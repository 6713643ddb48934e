"""Two runs on one work folder do not meet on one subject; a dead run holds nothing."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from movi_prep.records.work_folder import WorkFolder
from movi_prep.runtime import locks
from movi_prep.runtime.locks import LockedError, check_still_held, hold_scopes, lock_path
from tests.sentences import raises_recorded


def _hold_for_ever(root: Path, ready: str) -> None:
    with hold_scopes(WorkFolder(root), ["S001"], "other"):
        Path(ready).touch()
        time.sleep(600)


@pytest.fixture
def other_run(tmp_path: Path) -> multiprocessing.context.SpawnProcess:
    """Another process that holds subject 1."""
    ready = tmp_path / "ready"
    process = multiprocessing.get_context("spawn").Process(target=_hold_for_ever, args=(tmp_path, str(ready)))
    process.start()
    try:
        while not ready.exists():
            assert process.is_alive(), "the other process ended before it held anything"
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.join()


def test_a_subject_is_held_once_and_others_are_free(
    tmp_path: Path, other_run: multiprocessing.context.SpawnProcess
) -> None:
    work = WorkFolder(tmp_path)
    with (
        pytest.raises(LockedError, match=f"process {other_run.pid} on .*; wait for it"),
        hold_scopes(work, ["S001", "S002"], "mine"),
    ):
        pass
    with hold_scopes(work, ["S002"], "mine"):
        check_still_held(work, "S002/C01", "mine")


def test_a_killed_run_holds_nothing(tmp_path: Path, other_run: multiprocessing.context.SpawnProcess) -> None:
    assert other_run.pid is not None
    os.kill(other_run.pid, signal.SIGKILL)
    other_run.join()
    with hold_scopes(WorkFolder(tmp_path), ["S001"], "mine"):
        check_still_held(WorkFolder(tmp_path), "S001", "mine")


def test_an_orphaned_worker_may_not_publish(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path)
    with hold_scopes(work, ["S001"], "new"), raises_recorded(LockedError):
        check_still_held(work, "S001/C01", "old")


def test_a_worker_of_a_killed_run_may_not_publish_though_nobody_took_over(
    tmp_path: Path, other_run: multiprocessing.context.SpawnProcess
) -> None:
    work = WorkFolder(tmp_path)
    check_still_held(work, "S001/C01", "other")
    assert other_run.pid is not None
    os.kill(other_run.pid, signal.SIGKILL)
    other_run.join()
    assert json.loads(lock_path(work, "S001").read_text())["run_id"] == "other", "its lock still names it"
    with pytest.raises(LockedError):
        check_still_held(work, "S001/C01", "other")


@pytest.mark.parametrize("code", sorted(locks._NO_LOCKS))
def test_without_locks_an_orphan_asks_whether_the_process_runs(
    tmp_path: Path, other_run: multiprocessing.context.SpawnProcess, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_how: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    check_still_held(WorkFolder(tmp_path), "S001", "other")
    other_run.kill()
    other_run.join()
    with pytest.raises(LockedError):
        check_still_held(WorkFolder(tmp_path), "S001", "other")


def test_a_worker_on_another_host_publishes_while_the_lease_is_fresh(tmp_path: Path) -> None:
    path = lock_path(WorkFolder(tmp_path), "S001")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"run_id": "ours", "host": "node17", "pid": 4, "since": "today"}))
    check_still_held(WorkFolder(tmp_path), "S001", "ours")
    os.utime(path, (time.time() - 600, time.time() - 600))
    with pytest.raises(LockedError):
        check_still_held(WorkFolder(tmp_path), "S001", "ours")


def test_a_fresh_lock_of_another_host_counts_and_an_old_one_does_not(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path)
    path = lock_path(work, "S001")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"run_id": "theirs", "host": "node17", "pid": 4, "since": "today"}))
    with raises_recorded(LockedError), hold_scopes(work, ["S001"], "mine"):
        pass
    os.utime(path, (time.time() - 600, time.time() - 600))
    with hold_scopes(work, ["S001"], "mine"):
        check_still_held(work, "S001", "mine")


def test_a_held_lock_stays_fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_HEARTBEAT_S", 0.02)
    work = WorkFolder(tmp_path)
    with hold_scopes(work, ["S001"], "mine"):
        os.utime(lock_path(work, "S001"), (0, 0))
        until = time.monotonic() + 120
        while lock_path(work, "S001").stat().st_mtime == 0:
            assert time.monotonic() < until, "nobody touched the lock for two minutes"
            time.sleep(0.02)
