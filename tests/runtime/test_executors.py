"""Serial and parallel runs give the same files; a worker that dies costs the unit in hand and nothing else."""

from __future__ import annotations

import shutil
from collections import Counter

import dask
import pytest

from movi_prep.records.identity import ClipId
from movi_prep.runtime.executors import DASK_SETTINGS
from tests.runtime.conftest import World
from tests.runtime.fake_stages import write_motions

TWO = {"executor": "local", "workers": 2}


def test_two_processes_write_what_one_writes(world: World) -> None:
    world.run()
    serial = world.results()
    shutil.rmtree(world.work)
    assert len(world.run(run=TWO).records) == 8
    assert world.results() == serial
    assert world.run(run=TWO).records == {}


def test_a_unit_whose_worker_always_dies_is_set_aside_after_three_times(world: World) -> None:
    write_motions(world.amass, {ClipId(1, 2): b"die"})
    result = world.run(run=TWO)
    assert [record.id for record in result.failed] == ["grow S001/C02"]
    assert "set aside: its worker died 3 times" in result.failed[0].reason
    assert result.blocked == {"blend S001": "needs grow S001/C02, which failed"}
    assert all(record.tries == 1 for record in result.records.values() if record.status == "done")
    assert "blend/S015.bin" in world.results()
    assert "grown/S001/C02.bin" not in world.results()
    assert not [path for path in (world.work / ".scratch").rglob("*") if path.is_file()]


def test_workers_are_replaced_before_memory_creeps(world: World) -> None:
    write_motions(world.amass, {ClipId(1, clip): b"slow" for clip in range(1, 13)})
    result = world.run(run={"executor": "local", "workers": 1, "recycle_units": 4})
    assert result.is_complete
    assert len({record.worker for record in result.records.values()}) >= 3


@pytest.mark.timeout(60)
def test_a_worker_that_is_replaced_brings_the_unit_in_hand_to_its_end(world: World) -> None:
    # The fourth unit comes just as the process has done its three, and lasts longer than Dask grants one to close.
    write_motions(world.amass, {ClipId(1, 7): b"rest"})
    result = world.run(run={"executor": "local", "workers": 1, "recycle_units": 3})
    assert result.is_complete
    assert {record.tries for record in result.records.values()} == {1}
    assert len({record.worker for record in result.records.values()}) >= 3


def test_a_worker_that_comes_late_gets_its_share(world: World) -> None:
    from distributed import LocalCluster

    write_motions(world.amass, {ClipId(1, clip): b"slow" for clip in range(1, 25)})
    with (
        dask.config.set(DASK_SETTINGS),
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
    ):
        # It needs seconds to start; by then all units have been submitted.
        cluster.scale(2)
        result = world.run(run={"scheduler": cluster.scheduler_address})
    assert result.is_complete
    shares = Counter(record.worker for record in result.records.values())
    assert len(shares) == 2
    assert min(shares.values()) >= 5


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1"])
def test_a_scheduler_that_is_not_there_is_said(world: World, address: str) -> None:
    from movi_prep.errors import MoviPrepError

    with pytest.raises(MoviPrepError, match="no Dask scheduler"):
        world.run(run={"scheduler": address})
