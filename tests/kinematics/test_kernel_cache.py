"""Kernels are compiled once, by a process of its own, and everyone else loads them."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from movi_prep.config.ik_solver import ConvergedSettings
from movi_prep.kinematics import kernel_cache
from movi_prep.kinematics.cache_place import VARIABLE, machine_code_file

PYTHON = f"py{sys.version_info.major}{sys.version_info.minor}"
NOTHING = (None, (), (), {}, ConvergedSettings())


def test_nothing_is_started_where_the_kernels_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_cache, "is_compiled", lambda: True)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    kernel_cache.compile_ahead(*NOTHING)  # type: ignore[arg-type]


def test_a_numba_that_keeps_its_code_to_itself_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    started = []

    def compile_without_code(*_: object, **__: object) -> subprocess.CompletedProcess[bytes]:
        started.append(1)
        machine_code_file().write_bytes(b"numba\n{}")
        return subprocess.CompletedProcess([], 1, stderr=b"Traceback\nRuntimeError: it has gone\n")

    monkeypatch.setattr(subprocess, "run", compile_without_code)
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
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    kernel_cache.compile_ahead(*NOTHING)  # type: ignore[arg-type]
    assert not kernel_cache.is_compiled()


def test_compiling_begins_with_nothing_that_lies_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """numba loads what it finds without looking whether it is whole."""
    left = [
        tmp_path / f"kernels.{name}.{python}.nbi" for name in ("track-1", "certify-9") for python in (PYTHON, "py20")
    ]
    for path in left:
        path.write_bytes(b"damaged")
    solved: list[object] = []
    kernels = SimpleNamespace(track=SimpleNamespace(stats=SimpleNamespace(cache_path=str(tmp_path))))
    monkeypatch.setattr("movi_prep.kinematics.kernels", kernels, raising=False)
    monkeypatch.setattr(
        kernel_cache, "solve_inverse_kinematics", lambda *_, **__: solved.append(sorted(left[0].parent.iterdir()))
    )
    monkeypatch.setattr(kernel_cache, "keep", lambda *_: None)
    given = io.BytesIO(pickle.dumps((tmp_path / "x.code", ((), ()))))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=given))
    kernel_cache._main()
    assert solved == [[path for path in sorted(left) if "py20" in path.name]], "those of another Python stay"
