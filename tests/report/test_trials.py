"""The page of marker files: what became of each trial, the audit, and what is marked, without AMASS."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from movi_prep.cli import main
from movi_prep.config.scaling import ScalingSettings
from movi_prep.formats.trc import read_trc, write_trc
from movi_prep.report.measures import coordinate_uses, marker_biases
from movi_prep.report.quality import coordinate_attention, marker_attention
from movi_prep.report.trials import write_trials_report
from movi_prep.trials.marker_files import solve_marker_files
from tests.builders.page import Page
from tests.builders.quality_work import BODY, HIP_MAX_RAD, known_solution
from tests.builders.small_model import MARKERS
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


SETUP = """<OpenSimDocument Version="40600"><InverseKinematicsTool name="small">
<model_file>generic.osim</model_file><marker_file>walk.trc</marker_file>
<output_motion_file>small.mot</output_motion_file><report_errors>false</report_errors>
<IKTaskSet><objects>TASKS</objects></IKTaskSet></InverseKinematicsTool></OpenSimDocument>"""

MARKER = '<IKMarkerTask name="{}"><apply>true</apply><weight>20</weight></IKMarkerTask>'

HELD = (
    '<IKCoordinateTask name="hip"><apply>true</apply><weight>0.000001</weight>'
    "<value_type>manual_value</value_type><value>2.0</value></IKCoordinateTask>"
)


def write_setup(folder: Path, tasks: str = "") -> Path:
    path = folder / "setup.xml"
    path.write_text(SETUP.replace("TASKS", "".join(map(MARKER.format, MARKERS)) + tasks))
    return path


def test_a_set_up_document_leaves_its_pages_beside_its_results(tmp_path: Path) -> None:
    write_small_world(tmp_path)
    assert main(["ik", "--setup", str(write_setup(tmp_path)), "--set", "ik.solver=opensim"]) == 0
    report, view = tmp_path / "small_report.html", tmp_path / "small_view.html"
    page = Page(report.read_text(encoding="utf-8"))
    assert page.faults == []
    assert "label" not in page.text.replace("unlabelled", "")
    assert "small_view.html" in page.links
    assert '<script type="application/json" id="clip">' in view.read_text(encoding="utf-8")


def test_an_angle_that_the_set_up_holds_is_named_so(tmp_path: Path) -> None:
    write_small_world(tmp_path)
    assert main(["ik", "--setup", str(write_setup(tmp_path, HELD)), "--set", "ik.solver=opensim"]) == 0
    page = Page((tmp_path / "small_report.html").read_text(encoding="utf-8"))
    assert page.row("hip (coupled, locked or held)")
    assert page.row("knee")


def test_an_angle_that_a_set_up_holds_at_its_bound_is_no_problem() -> None:
    ranges = {"hip_flexion_r": (-1.0, HIP_MAX_RAD)}

    def says(held: set[str]) -> list[str]:
        uses = coordinate_uses([known_solution()], ranges, (), held=held)
        deviations_deg = {"hip_flexion_r": 60.0, "knee_angle_r": 3.0}
        return [str(look.says) for look in coordinate_attention(uses, deviations_deg, unseen_deg=28.6)]

    assert len(says(set())) == 2
    assert says({"hip_flexion_r"}) == []


def test_a_marker_that_misses_by_one_vector_sits_wrong_and_one_that_shakes_does_not() -> None:
    bodies = {"HEEL": BODY, "SOFT": BODY}
    still = marker_attention(marker_biases([known_solution(heel_mm=30.0, soft_mm=30.0)], bodies))
    assert [str(look.says) for look in still] == ["1 marker is off by the same vector in all frames: HEEL 30 mm"]
    assert marker_attention(marker_biases([known_solution()], bodies)) == []


def test_the_largest_residual_leads_to_its_frame(tmp_path: Path) -> None:
    write_small_world(tmp_path)
    assert main(["ik", "--setup", str(write_setup(tmp_path)), "--set", "ik.solver=opensim"]) == 0
    page = Page((tmp_path / "small_report.html").read_text(encoding="utf-8"))
    assert any(link.startswith("small_view.html#frame=") for link in page.links)


SCALE_SETUP = """<OpenSimDocument Version="40000"><ScaleTool name="small"><mass>60</mass>
<GenericModelMaker><model_file>generic.osim</model_file></GenericModelMaker>
<ModelScaler><scaling_order>measurements</scaling_order><MeasurementSet><objects>
  <Measurement name="thigh size"><apply>true</apply><MarkerPairSet><objects>
    <MarkerPair><markers>thigh_r_a thigh_r_b</markers></MarkerPair>
    <MarkerPair><markers>thigh_r_a thigh_r_c</markers></MarkerPair></objects></MarkerPairSet>
    <BodyScaleSet><objects><BodyScale name="thigh_r"><axes>X Y Z</axes></BodyScale></objects></BodyScaleSet>
  </Measurement></objects></MeasurementSet><marker_file>static.trc</marker_file></ModelScaler>
<MarkerPlacer><IKTaskSet><objects>TASKS</objects></IKTaskSet><marker_file>static.trc</marker_file>
<output_model_file>scaled.osim</output_model_file></MarkerPlacer></ScaleTool></OpenSimDocument>"""


def test_a_scaling_document_leaves_a_page_with_residuals_and_distances_the_worst_first(tmp_path: Path) -> None:
    write_small_world(tmp_path)
    static = read_trc(tmp_path / "static.trc")
    moved = static.positions_m.copy()
    # One marker sits 3 cm off: its pair no longer agrees with the other one, and its residual is the largest.
    moved[:, static.column("thigh_r_b")] += [0.0, 0.03, 0.0]
    write_trc(tmp_path / "static.trc", replace(static, positions_m=moved))
    (tmp_path / "scale.xml").write_text(SCALE_SETUP.replace("TASKS", "".join(map(MARKER.format, MARKERS))))
    assert main(["ik", "--setup", str(tmp_path / "scale.xml")]) == 0
    page = Page((tmp_path / "scaled_scale_report.html").read_text(encoding="utf-8"))
    assert page.faults == []
    markers = page.rows[page.rows.index(["marker", "weight", "error, mm"]) + 1 :]
    errors = [float(row[2]) for row in markers[: len(MARKERS)]]
    assert errors == sorted(errors, reverse=True)
    assert markers[0][0] == "thigh_r_b"
    (head,) = [at for at, row in enumerate(page.rows) if row[:2] == ["measurement", "markers"]]
    pairs = page.rows[head + 1 : head + 3]
    assert {row[1] for row in pairs} == {"thigh_r_a to thigh_r_b", "thigh_r_a to thigh_r_c"}
    for _, _, measured, generic, ratio, factor, apart in pairs:
        assert float(measured) / float(generic) == pytest.approx(float(ratio), abs=0.002)
        assert 100.0 * (float(ratio) / float(factor) - 1.0) == pytest.approx(float(apart), abs=0.2)
    assert len({row[5] for row in pairs}) == 1, "the pairs of one measurement have one factor"
    assert "label" not in page.text, "nobody made labels here"
    said = page.text[page.text.rindex("The findings on the static trial.") :]
    assert "above" in said, "the audit's findings stand in the section on scaling"


def test_a_held_coordinate_is_not_marked_as_unseen(tmp_path: Path) -> None:
    write_small_world(tmp_path)
    assert main(["ik", "--setup", str(write_setup(tmp_path, HELD))]) == 0
    page = Page((tmp_path / "small_report.html").read_text(encoding="utf-8"))
    (row,) = [row for row in page.rows if row[0] == "hip (coupled, locked or held)"]
    assert row[6] == "-"
    assert any(row[6] not in ("-", "deviation, deg") for row in page.rows if len(row) == 9), "free ones have theirs"
