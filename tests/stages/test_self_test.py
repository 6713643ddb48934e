"""The known-answer test passes with both solvers, and its poses are inside every range."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from movi_prep.config.ik import IkSettings
from movi_prep.config.root import Config
from movi_prep.formats.packaged import packaged_path
from movi_prep.records.download import Download
from movi_prep.records.identity import ClipId
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.ik import IK, read_scaled_model
from movi_prep.stages.scale import PACKAGED_MODEL, SCALE
from movi_prep.stages.self_test import compile_solver, known_poses, run_self_test


def test_known_poses_are_inside_every_range_and_move() -> None:
    tree = read_scaled_model(packaged_path("opensim_models", PACKAGED_MODEL)).tree
    assert tree is not None
    poses = known_poses(tree)
    low, high = tree.coordinate_range.T
    free = tree.free_coordinates
    assert (poses >= low - 1e-9)[:, free].all()
    assert (poses <= high + 1e-9)[:, free].all()
    assert (np.ptp(poses, axis=0)[free] > 0.01).all()
    np.testing.assert_allclose(tree.complete_coordinates(poses), poses, atol=1e-12)


@pytest.mark.parametrize("solver", ["converged", "opensim"])
def test_the_coordinates_come_back(solver: str) -> None:
    result = run_self_test(solver)  # type: ignore[arg-type]
    assert result.passed, result
    assert result.usable_frames == result.n_frames


def test_the_solver_is_compiled_once_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[object] = []
    monkeypatch.setattr("movi_prep.kinematics.ahead.is_compiled", lambda: bool(compiled))
    monkeypatch.setattr("movi_prep.kinematics.ahead.compile_ahead", lambda tree, *_: compiled.append(tree))
    said: list[str] = []
    for _ in range(2):
        compile_solver(said.append)
    assert len(said) == len(compiled) == 1
    assert said[0].startswith("compiling the solver, once per installation")


def test_only_the_converged_solver_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("movi_prep.stages.self_test.compile_solver", lambda say: say("compiling"))
    download = Download(motions={ClipId(1, 1): Path("a")})
    for solver, times in (("converged", 2), ("opensim", 0)):
        said: list[str] = []
        for stage in (SCALE, IK):
            assert stage.prepare is not None
            units = stage.plan(download, WorkFolder(tmp_path), Config(ik=IkSettings(solver=solver)))
            stage.prepare(units, said.append)
        assert len(said) == times
