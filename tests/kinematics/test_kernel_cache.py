"""Kernels are compiled once, by a process of its own, and everyone else loads them."""

from __future__ import annotations

import pytest

from movi_prep.kinematics import kernel_cache


def test_nothing_is_started_where_the_kernels_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_cache, "_is_compiled", lambda _stamp: True)
    monkeypatch.setattr(kernel_cache.subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    kernel_cache.compile_ahead(None, (), None, {}, _settings())


def test_the_stamp_stands_in_the_cache_of_the_kernels() -> None:
    stamp = kernel_cache._stamp()
    assert stamp.suffix == ".compiled"
    assert stamp == kernel_cache._stamp()


def _settings() -> object:
    from movi_prep.config.ik_solver import ConvergedSettings

    return ConvergedSettings()
