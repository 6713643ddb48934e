"""How a worker process leaves: not before its unit has ended, and its result has been fetched."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from distributed.core import Status

from movi_prep.runtime import worker_setup


class Leaving:
    """A worker with one unit in hand, which ends after two looks; its result is fetched two looks later, or never."""

    def __init__(self, *, is_fetched: bool = True) -> None:
        self.is_fetched = is_fetched
        self.status = Status.running
        self.looks = 0
        self.closed: list[dict[str, Any]] = []

    @property
    def state(self) -> SimpleNamespace:
        """Dask's account of what runs."""
        assert self.status is Status.paused, "it must take no other unit while it waits for this one"
        self.looks += 1
        return SimpleNamespace(executing_count=int(self.looks <= 2))

    @property
    def data(self) -> dict[str, str]:
        """Results that nobody has fetched."""
        self.looks += 1
        return {} if self.is_fetched and self.looks > 5 else {"unit": "end"}

    async def close(self, **how: Any) -> None:
        """Remember being closed."""
        self.closed.append(how | {"looks": self.looks})


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_setup, "_POLL_S", 0.001)


@pytest.mark.parametrize("restart", [True, False])
def test_a_worker_leaves_when_its_unit_has_ended_and_its_result_is_fetched(restart: bool) -> None:
    worker = Leaving()
    asyncio.run(worker_setup._leave(worker, restart=restart))
    [how] = worker.closed
    assert how["nanny"] is not restart
    assert how["looks"] == 6


def test_a_worker_does_not_wait_for_ever_for_a_result_to_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_setup, "_FETCH_S", 0.05)
    worker = Leaving(is_fetched=False)
    asyncio.run(worker_setup._leave(worker, restart=False))
    assert len(worker.closed) == 1
