"""A long clip solved in blocks: the same poses as at once, no seam between blocks, and memory that does not grow."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from movi_prep.config.ik import IkSettings
from movi_prep.errors import InputError
from movi_prep.formats.ik_file import read_ik_solution
from movi_prep.formats.marker_file import write_markers
from movi_prep.formats.storage import read_storage
from movi_prep.formats.trc import read_trc
from movi_prep.records.ik_solution import FrameStatus
from movi_prep.stages import solve_clip
from movi_prep.stages.ik import IK
from movi_prep.stages.scale import SCALE
from movi_prep.stages.solve_clip import row_blocks
from tests.builders.small_model import build_model, markers_at, swinging, trajectories
from tests.builders.small_world import CLIP, SmallWorld, write_small_world
from tests.sentences import raises_recorded

if TYPE_CHECKING:
    from pathlib import Path

    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.records.unit import StageReport

N_ROWS = 430


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SmallWorld:
    world = write_small_world(tmp_path_factory.mktemp("world"), solver="converged")
    (unit,) = SCALE.plan(world.recordings, world.work, world.config)
    SCALE.run_unit(unit)
    return world


def _turning(n_rows: int = N_ROWS) -> MarkerTrajectories:
    """A body that turns about the vertical five times."""
    coordinates = swinging(n_rows)
    coordinates[:, 1] = np.linspace(0.0, 10.0 * np.pi, n_rows)
    return trajectories(markers_at(build_model(), coordinates))


def _solve(world: SmallWorld, markers: MarkerTrajectories, folder: Path) -> tuple[IkSolution, StageReport]:
    write_markers(folder / "C01.h5", markers, provenance={})
    (unit,) = IK.plan(world.recordings, world.work, world.config)
    inputs = replace(unit.inputs, markers=folder / "C01.h5")  # type: ignore[type-var]
    report = IK.run_unit(replace(unit, inputs=inputs))
    return read_ik_solution(world.work.ik_solution(CLIP)), report


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solve_clip, "BLOCK_ROWS", 100)
    monkeypatch.setattr(solve_clip, "MARGIN_ROWS", 30)


def test_blocks_give_the_poses_of_the_whole_clip(
    world: SmallWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    markers = _turning()
    whole, at_once = _solve(world, markers, tmp_path)
    monkeypatch.setattr(solve_clip, "BLOCK_ROWS", 100)
    monkeypatch.setattr(solve_clip, "MARGIN_ROWS", 30)
    parted, in_blocks = _solve(world, markers, tmp_path)
    assert len(row_blocks(N_ROWS, world.config.ik)) == 4
    np.testing.assert_allclose(parted.coordinates, whole.coordinates, atol=1e-7)
    np.testing.assert_allclose(parted.body_rotations, whole.body_rotations, atol=1e-6)
    assert np.ptp(whole.coordinates[:, 1]) > 9.9 * np.pi, "angles go on over whole turns"
    assert in_blocks.findings == at_once.findings
    assert in_blocks.numbers == pytest.approx(at_once.numbers, abs=1e-6)


@pytest.mark.usefixtures("small_blocks")
def test_files_for_others_hold_all_blocks(world: SmallWorld, tmp_path: Path) -> None:
    markers = _turning()
    positions = np.array(markers.positions_m)
    positions[150:160] = np.nan
    solution, _ = _solve(world, replace(markers, positions_m=positions), tmp_path)
    motion = read_storage(world.work.ik_motion(CLIP))
    posed = np.isfinite(solution.coordinates).all(axis=1)
    assert posed.sum() == N_ROWS - 10
    np.testing.assert_allclose(motion.times_s, solution.times_s[posed], atol=1e-8)
    np.testing.assert_allclose(np.radians(motion.values[:, 1]), solution.coordinates[posed, 1], atol=1e-8)
    trc = read_trc(world.work.ik_solution(CLIP).with_suffix(".trc"))
    np.testing.assert_allclose(trc.positions_m, solution.model_markers_m, atol=1e-6)


@pytest.mark.usefixtures("small_blocks")
def test_findings_count_over_all_blocks(world: SmallWorld, tmp_path: Path) -> None:
    """Two gaps, one across a seam, and a leap on another seam: each is reported once, by the clip's own rows."""
    markers = _turning()
    positions = np.array(markers.positions_m)
    positions[95:105, markers.column("shank_r_b")] = np.nan
    positions[350, markers.column("shank_r_b")] = np.nan
    positions[200] += [0.0, 0.8, 0.0]
    solution, report = _solve(world, replace(markers, positions_m=positions), tmp_path)
    assert f"marker shank_r_b is missing in 11 of {N_ROWS} samples: solved without it there" in report.findings
    leaps = [finding for finding in report.findings if "leap" in finding]
    assert len(leaps) == 1
    assert leaps[0].startswith("row 200 (")
    assert solution.statuses[200] == FrameStatus.SUSPECT
    assert f"1 of {N_ROWS} frames are suspect: first is row 200" in report.findings


@pytest.mark.usefixtures("small_blocks")
def test_a_block_without_markers_is_a_gap_and_a_clip_without_any_is_refused(world: SmallWorld, tmp_path: Path) -> None:
    markers = _turning()
    positions = np.array(markers.positions_m)
    positions[60:240] = np.nan
    solution, _ = _solve(world, replace(markers, positions_m=positions), tmp_path)
    assert (solution.statuses[60:240] == FrameStatus.TOO_FEW_MARKERS).all()
    assert np.isfinite(solution.coordinates[240:]).all()
    before = world.work.ik_solution(CLIP).read_bytes()
    with raises_recorded(InputError):
        _solve(world, replace(markers, positions_m=np.full_like(positions, np.nan)), tmp_path)
    assert world.work.ik_solution(CLIP).read_bytes() == before, "nothing half-written replaces a result"


@pytest.mark.usefixtures("small_blocks")
def test_memory_does_not_grow_with_the_clip(world: SmallWorld, tmp_path: Path) -> None:
    peaks, held = [], []
    # The first one loads what all clips share; in the other two, blocks are as large as they get.
    for n_rows in (400, 2_000, 8_000):
        markers = _turning(n_rows)
        write_markers(tmp_path / "C01.h5", markers, provenance={})
        (unit,) = IK.plan(world.recordings, world.work, world.config)
        inputs = replace(unit.inputs, markers=tmp_path / "C01.h5")  # type: ignore[type-var]
        held.append(markers.positions_m.nbytes)
        del markers
        tracemalloc.start()
        IK.run_unit(replace(unit, inputs=inputs))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # A solution holds seven times what its markers take; what stays of a row are its status, its reason and its time.
    assert peaks[2] - peaks[1] < 0.3 * (held[2] - held[1])


def test_blocks_cover_every_row_once() -> None:
    settings = IkSettings(solver="converged")
    for n_rows in (1, 2, 7_499, 7_501, 100_000, 123_457):
        blocks = row_blocks(n_rows, settings)
        assert blocks[0].kept.start == 0
        assert blocks[-1].kept.stop == n_rows
        assert all(a.kept.stop == b.kept.start for a, b in pairwise(blocks))
        assert all(b.seen.start <= b.kept.start and b.kept.stop <= b.seen.stop for b in blocks)
