"""The page of marker files: what became of each trial, the audit, and what is marked, without AMASS."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from movi_prep.config.scaling import ScalingSettings
from movi_prep.formats.trc import read_trc, write_trc
from movi_prep.report.trials import write_trials_report
from movi_prep.trials.marker_files import solve_marker_files
from tests.builders.page import Page
from tests.builders.small_world import write_small_world

if TYPE_CHECKING:
    from pathlib import Path


def test_every_trial_has_a_row_and_what_is_marked_is_named_first(tmp_path: Path) -> None:
    world = write_small_world(tmp_path)
    markers = read_trc(tmp_path / "walk.trc")
    moved = markers.positions_m.copy()
    moved[4, 2] += [0.0, 0.0, 0.08]
    write_trc(tmp_path / "bumped.trc", replace(markers, positions_m=moved))
    files = [tmp_path / name for name in ("walk.trc", "bumped.trc", "lost.trc")]
    result = solve_marker_files(files, world.config, static_file=tmp_path / "static.trc")
    path = write_trials_report(result, world.config)
    assert path == world.work.root / "report" / "marker_files.html"
    page = Page(path.read_text(encoding="utf-8"))
    assert page.faults == []
    assert "2 of 3 solved" in page.text
    first = page.text[page.text.index("Look at first", page.text.index("Findings")) :]
    assert "lost.trc failed: " in first
    assert "largest residual above 40 mm in 1 of 2 trials: bumped" in first
    assert float(page.row("walk")[5]) < 1.0
    assert page.row("audit")[1] == "sound"
    assert page.row("bumped")[7].startswith(markers.names[2])


def test_a_model_that_came_scaled_has_no_audit(tmp_path: Path) -> None:
    world = write_small_world(tmp_path)
    scaling = ScalingSettings(model=tmp_path / "generic.osim", setup=None)
    config = world.config.model_copy(update={"scaling": scaling})
    page = Page(write_trials_report(solve_marker_files([tmp_path / "walk.trc"], config), config).read_text())
    assert page.faults == []
    assert "Scaling" not in page.text
    assert page.row("walk")[1] == "8"
