"""Serial and parallel runs give the same files; a worker that dies costs the unit in hand and nothing else."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dask
import pytest

from movi_prep.config.run import RunSettings
from movi_prep.errors import UsageError
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.runtime.worker_pools import DASK_SETTINGS, ProcessWatch, WorkersLostError, local_executor, quiet_dask
from tests.runtime.conftest import Silent, World
from tests.runtime.fake_stages import BLEND, GROW, meeting_place, run_meeting, write_motions
from tests.sentences import raises_recorded

TWO = {"executor": "local", "workers": 2}


@pytest.mark.slow
def test_two_processes_write_what_one_writes(world: World) -> None:
    world.run()
    serial = world.results()
    shutil.rmtree(world.work)
    assert len(world.run(run=TWO).records) == 8
    assert world.results() == serial
    assert world.run(run=TWO).records == {}


@pytest.mark.slow
def test_a_unit_whose_worker_always_dies_is_set_aside_after_three_times(world: World) -> None:
    write_motions(world.amass, {movi_clip(1, 2): b"die"})
    result = world.run(run=TWO)
    assert [record.id for record in result.failed] == ["grow S001/C02"]
    assert "set aside: its worker died 3 times" in result.failed[0].reason
    assert result.blocked == {"blend S001": "needs grow S001/C02, which failed"}
    assert all(record.tries == 1 for record in result.records.values() if record.status == "done")
    assert "blend/S015.bin" in world.results()
    assert "grown/S001/C02.bin" not in world.results()
    assert not [path for path in (world.work / ".scratch").rglob("*") if path.is_file()]


@pytest.mark.slow
def test_workers_are_replaced_before_memory_creeps(world: World) -> None:
    write_motions(world.amass, {movi_clip(1, clip): b"slow" for clip in range(1, 13)})
    result = world.run(run={"executor": "local", "workers": 1, "recycle_units": 4})
    assert result.is_complete
    assert len({record.worker for record in result.records.values()}) >= 3


@pytest.mark.slow
def test_a_worker_that_is_replaced_brings_the_unit_in_hand_to_its_end(world: World) -> None:
    # The fourth unit comes just as the process has done its three, and lasts longer than Dask grants one to close.
    write_motions(world.amass, {movi_clip(1, 7): b"rest"})
    result = world.run(run={"executor": "local", "workers": 1, "recycle_units": 3})
    assert result.is_complete
    assert {record.tries for record in result.records.values()} == {1}
    assert len({record.worker for record in result.records.values()}) >= 3


def test_worker_processes_that_stay_away_are_reported_and_end_the_run_at_last() -> None:
    now_s, workers = [0.0], {"tcp://one": 1}
    watch = ProcessWatch(lambda: workers, hope_s=300.0, clock=lambda: now_s[0])
    assert watch() == ""
    workers.clear()
    assert watch() == ""
    now_s[0] = 60.0
    assert watch() == "waiting for a worker process to start"
    workers["tcp://two"] = 1
    assert watch() == ""
    workers.clear()
    now_s[0] = 350.0
    assert watch() == ""
    now_s[0] = 649.0
    assert watch()
    now_s[0] = 650.0
    with raises_recorded(WorkersLostError):
        watch()


@dataclass
class Reinforcing(Silent):
    """An observer that starts a second worker once the first one has a unit in hand."""

    cluster: Any = None
    met: Path = Path()

    def tick(self, waits_for: str) -> None:
        super().tick(waits_for)
        if self.met.is_dir() and len(self.cluster.worker_spec) < 2:
            self.cluster.scale(2)


@pytest.mark.slow
def test_a_worker_that_comes_late_gets_units_that_were_submitted_before(world: World) -> None:
    from distributed import LocalCluster

    write_motions(world.amass, {movi_clip(1, clip): b"motion" for clip in range(2, 25)} | {movi_clip(1, 1): b"meet"})
    stages = (replace(GROW, run=run_meeting), BLEND)
    with (
        dask.config.set(DASK_SETTINGS),
        quiet_dask(),
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
    ):
        observer = Reinforcing(cluster=cluster, met=meeting_place(world.amass))
        result = world.run(stages=stages, observer=observer, run={"scheduler": cluster.scheduler_address})
    assert result.is_complete
    assert len({record.worker for record in result.records.values()}) == 2


def test_a_machine_that_stalls_is_not_lectured_on_scratch_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import LocalCluster
    from distributed.utils import warn_on_duration

    monkeypatch.setattr("distributed.core.warn_on_duration", lambda _, advice: warn_on_duration("0 s", advice))
    with quiet_dask(), LocalCluster(n_workers=0, processes=False, dashboard_address=":0"):
        pass


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1"])
def test_a_scheduler_that_is_not_there_is_said(world: World, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from movi_prep.errors import MoviPrepError

    monkeypatch.setattr("movi_prep.runtime.worker_pools._CONNECT_S", 1.0)
    with raises_recorded(MoviPrepError):
        world.run(run={"scheduler": address})


def test_few_open_files_are_said_before_any_worker_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    from movi_prep.runtime import worker_pools

    monkeypatch.setattr(worker_pools.resource, "getrlimit", lambda _which: (20, 20))
    with raises_recorded(UsageError):
        worker_pools.check_open_files(2)


@pytest.mark.parametrize(("limit", "helps"), [(20, False), (55, False), (56, True), (71, True)])
def test_fewer_workers_are_advised_where_one_could_begin(
    limit: int, helps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from movi_prep.runtime import worker_pools

    monkeypatch.setattr(worker_pools.resource, "getrlimit", lambda _which: (limit, limit))
    with pytest.raises(UsageError) as caught:
        worker_pools.check_open_files(2)
    assert ("--workers" in str(caught.value)) == helps


def test_a_limit_that_may_be_raised_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    from movi_prep.runtime import worker_pools

    raised: list[tuple[int, int]] = []
    monkeypatch.setattr(worker_pools.resource, "getrlimit", lambda _which: (20, 4096))
    monkeypatch.setattr(worker_pools.resource, "setrlimit", lambda _which, limits: raised.append(limits))
    worker_pools.check_open_files(2)
    assert raised == [(72, 4096)]


def test_workers_that_cannot_start_are_one_line_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_arguments: object) -> None:
        raise RuntimeError("Nanny failed to start.") from OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("distributed.LocalCluster", fail)
    with (
        raises_recorded(UsageError),
        local_executor(2, RunSettings()),
    ):
        pass


def test_nothing_listens_beyond_this_machine_and_nothing_answers_a_browser() -> None:
    import psutil

    own = psutil.Process()
    with local_executor(1, RunSettings()):
        processes = [own, *own.children(recursive=True)]
        listening = {
            connection.laddr.ip
            for process in processes
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
    assert listening == {"127.0.0.1"}
