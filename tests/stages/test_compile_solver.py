"""The solver is compiled once, ahead, and only for who uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from movi_prep.config.ik import IkSettings
from movi_prep.config.root import Config
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.recordings import Recordings
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.compile_solver import compile_solver
from movi_prep.stages.ik import IK
from movi_prep.stages.scale import SCALE


def test_the_solver_is_compiled_once_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An installation of its own: code that lies there and does not load counts as damaged.
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    compiled: list[object] = []
    monkeypatch.setattr("movi_prep.kinematics.kernel_cache.is_compiled", lambda: bool(compiled))
    monkeypatch.setattr("movi_prep.kinematics.kernel_cache.compile_ahead", lambda tree, *_: compiled.append(tree))
    said: list[str] = []
    for _ in range(2):
        compile_solver(said.append)
    assert len(said) == len(compiled) == 1
    assert said[0].startswith("compiling the solver, once per installation")


def test_only_the_converged_solver_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for user in ("scale", "ik"):
        monkeypatch.setattr(f"movi_prep.stages.{user}.compile_solver", lambda say: say("compiling"))
    recordings = Recordings(motions={movi_clip(1, 1): Path("a")})
    for solver, times in (("converged", 2), ("opensim", 0)):
        said: list[str] = []
        for stage in (SCALE, IK):
            assert stage.prepare is not None
            units = stage.plan(recordings, WorkFolder(tmp_path), Config(ik=IkSettings(solver=solver)))
            stage.prepare([unit.settings for unit in units], said.append)
        assert len(said) == times
