"""Kernels by their machine code, without numba: the same bytes as through numba, or a refusal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from ast import literal_eval
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from movi_prep.config.ik_solver import ConvergedSettings
from movi_prep.formats.file_stamp import file_stamp
from movi_prep.kinematics import cache_place, kernels, machine_code, solve_inverse_kinematics
from movi_prep.kinematics.cache_place import VARIABLE, machine_code_file
from movi_prep.kinematics.machine_code import MachineCode, engine, keep, load, serves_numba
from movi_prep.kinematics.solve import CoordinateTarget
from movi_prep.kinematics.tracks import Tracker
from tests.builders.kinematic_tree import random_tree, smooth_motion
from tests.kinematics.engines import moving_clip, random_problem

BASE = np.eye(3).ravel()

ROOT = Path(__file__).parents[2]
_SEEDS = (0, 3, 8)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The machine code of the kernels that this process has called through numba."""
    solve_through(kernels, seed=0)
    path = tmp_path_factory.mktemp("kernels") / "kernels.code"
    keep(path, kernels)
    return path


def code_of(path: Path) -> MachineCode:
    found = load(path, file_stamp(path))
    assert found is not None
    return found


def solve_through(used: object, seed: int) -> list[bytes]:
    tree = random_tree(seed)
    exact = tree.marker_positions(smooth_motion(tree, seed, 20))
    noisy = exact + np.random.default_rng(seed).normal(0, 0.01, exact.shape)
    noisy[5, 0] = noisy[11:14] = np.nan
    task = CoordinateTarget(tree.coordinate_names[-1], 0.1, 0.2)
    weights = dict.fromkeys(tree.marker_names, 1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("movi_prep.kinematics.solve.engine", lambda: used)
        found = solve_inverse_kinematics(tree, tree.marker_names, noisy, weights, ConvergedSettings(), tasks=[task])
    return [np.asarray(value).tobytes() for value in vars(found).values()]


@pytest.mark.skipif(
    os.environ.get("NUMBA_BOUNDSCHECK", "0") != "0",
    reason="with bounds checked, functions inside kernels are not inlined, and numba shares their variants",
)
def test_both_ways_to_a_kernel_give_the_same_bytes(kept: Path) -> None:
    # Through numba in a process of its own, which loads what this one has left in numba's cache: a process that has
    # compiled the kernels itself may run other variants of the functions inside them.
    source = f"from {__name__} import *; print([solve_through(kernels, seed) for seed in {_SEEDS}])"
    done = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [solve_through(code_of(kept), seed) for seed in _SEEDS] == literal_eval(done.stdout)


def test_arrays_that_the_code_does_not_expect_are_refused(kept: Path) -> None:
    folded = random_problem(0)
    tracker = Tracker.prepare(code_of(kept), folded, moving_clip(folded, 0))
    start = folded.start[None]
    locked = start.copy()
    locked.flags.writeable = False
    for wrong in (start.astype(np.float32), start[0], np.zeros((1, 2 * start.size))[:, ::2], locked):
        with pytest.raises(TypeError, match=r"<f4|axes|contiguous|writable"):
            tracker.markers_m(0, wrong, BASE)
    assert np.isfinite(tracker.markers_m(0, start, BASE)).all()


def test_two_tracks_share_a_kernel_and_no_memory(kept: Path) -> None:
    folded = random_problem(0)
    one = Tracker.prepare(code_of(kept), folded, moving_clip(folded, 0))
    first = one.markers_m(0, folded.start[None], BASE)
    other = Tracker.prepare(one.engine, folded, moving_clip(folded, 1))
    assert other.markers_m(0, folded.start[None], BASE) == pytest.approx(first, abs=1e-12)
    assert (one.markers_m(0, folded.start[None], BASE) == first).all()


def test_a_file_that_is_not_whole_is_as_good_as_none(kept: Path, tmp_path: Path) -> None:
    cut, empty = tmp_path / "cut.code", tmp_path / "empty.code"
    cut.write_bytes(kept.read_bytes()[:-100])
    empty.touch()
    assert [load(path, file_stamp(path)) for path in (cut, empty, tmp_path / "none.code")] == [None, None, None]


def test_what_is_kept_is_used_and_else_numba_serves(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert engine() is kernels
    machine_code_file().write_bytes(kept.read_bytes())
    assert isinstance(engine(), MachineCode)


def test_a_kernel_that_was_not_called_leaves_no_file(tmp_path: Path) -> None:
    uncalled = SimpleNamespace(overloads={})
    keep(tmp_path / "x.code", SimpleNamespace(track=uncalled, certify=uncalled))  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_numba_that_passes_arguments_in_another_way_is_not_called(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept.is_file(), "the kernels are compiled"
    monkeypatch.setattr(machine_code, "_word_types", lambda _kind: ["ptr"])
    place = tmp_path / "x.code"
    with pytest.raises(RuntimeError, match="arguments"):
        keep(place, kernels)
    assert serves_numba(place), "nobody tries again"
    assert load(place, file_stamp(place)) is None


@pytest.mark.parametrize("harm", ["cut", "flip", "remove"])
def test_files_of_numba_that_are_not_as_they_were_serve_nobody(harm: str, tmp_path: Path) -> None:
    for name in ("kernels.track-1.py311.nbi", "kernels.track-1.py311.1.nbc"):
        (tmp_path / name).write_bytes(b"compiled")
    known = {str(path): machine_code._digest(path) for path in tmp_path.iterdir()}
    machine_code._keep(tmp_path / "x.code", b"numba", json.dumps(known).encode())
    assert serves_numba(tmp_path / "x.code")
    harmed = tmp_path / "kernels.track-1.py311.1.nbc"
    if harm == "remove":
        harmed.unlink()
    else:
        harmed.write_bytes(b"compi" if harm == "cut" else b"combiled")
    assert not serves_numba(tmp_path / "x.code")


def test_a_file_that_says_nothing_serves_nobody(tmp_path: Path) -> None:
    for content in (b"", b"numba", b"numba\n[]", b"numba\n{", b"\0" * 64):
        (tmp_path / "x.code").write_bytes(content)
        assert not serves_numba(tmp_path / "x.code")
    assert not serves_numba(tmp_path / "nowhere.code")


def test_the_file_is_another_for_another_source_or_way_to_compile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    names = {machine_code_file().name}
    for name, value in (("NUMBA_NUM_THREADS", "7"), ("NUMBA_OPT", "1")):
        monkeypatch.setenv(name, value)
        cache_place._key.cache_clear()
        names.add(machine_code_file().name)
    assert len(names) == 2, "the number of threads changes no code, the optimisation does"
    for source in cache_place._SOURCES:
        (tmp_path / source).write_text(f"# {source}")
    monkeypatch.setattr(cache_place, "__file__", str(tmp_path / "cache_place.py"))
    cache_place._key.cache_clear()
    names.add(machine_code_file().name)
    cache_place._key.cache_clear()
    assert len(names) == 3


def test_the_place_is_the_first_that_holds_the_code_else_the_first_that_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    beside = tmp_path / "__pycache__"
    monkeypatch.setattr(cache_place, "_key", lambda: "key")
    monkeypatch.setattr(cache_place, "__file__", str(tmp_path / "cache_place.py"))
    assert machine_code_file().parent == beside
    can_write = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != beside and can_write(path, mode))
    assert machine_code_file().parent == tmp_path / "cache" / "movi-prep"
    # Whoever installed has compiled; nobody else can write there.
    (beside / "kernels.key.code").touch()
    assert machine_code_file().parent == beside
