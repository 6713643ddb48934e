"""Kernels are compiled once, by a process of its own, and everyone else loads them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from movi_prep.config.ik_solver import ConvergedSettings
from movi_prep.kinematics import kernel_cache
from movi_prep.kinematics.cache_place import VARIABLE, machine_code_file

NOTHING = (None, (), (), {}, ConvergedSettings())


def test_nothing_is_started_where_the_kernels_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_cache, "is_compiled", lambda: True)
    monkeypatch.setattr(kernel_cache.subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    kernel_cache.compile_ahead(*NOTHING)  # type: ignore[arg-type]


def test_a_numba_that_keeps_its_code_to_itself_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    started = []

    def compile_without_code(*_: object, **__: object) -> subprocess.CompletedProcess[bytes]:
        started.append(1)
        machine_code_file().touch()
        return subprocess.CompletedProcess([], 1, stderr=b"Traceback\nRuntimeError: it has gone\n")

    monkeypatch.setattr(kernel_cache.subprocess, "run", compile_without_code)
    with pytest.warns(UserWarning, match="it has gone"):
        kernel_cache.compile_ahead(*NOTHING)  # type: ignore[arg-type]
    kernel_cache.compile_ahead(*NOTHING)  # type: ignore[arg-type]
    assert kernel_cache.is_compiled()
    assert len(started) == 1


def test_frames_that_cannot_be_solved_leave_compiling_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    failed = subprocess.CompletedProcess[bytes]([], 1, stderr=b"InputError: no such marker")
    monkeypatch.setattr(kernel_cache.subprocess, "run", lambda *_, **__: failed)
    kernel_cache.compile_ahead(*NOTHING)  # type: ignore[arg-type]
    assert not kernel_cache.is_compiled()
