"""The report: known numbers stand on the pages, missing stages are said, names cannot break the markup."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from movi_prep.cli import main
from movi_prep.config.root import Config
from movi_prep.errors import MissingError, UsageError
from movi_prep.formats.scale_file import write_scale_result
from movi_prep.formats.shard import ShardFile
from movi_prep.geometry.projection import project_points
from movi_prep.pages.html import element, table
from movi_prep.records.outdated import OutdatedShards
from movi_prep.records.work_folder import WorkFolder
from movi_prep.report.charts import histogram, range_bar, sparkline, value_bar
from movi_prep.report.pictures import draw_row
from movi_prep.report.work import PlanFacts
from movi_prep.report.write import write_report
from tests.builders.page import Page
from tests.builders.quality_work import CLIP, N_SOLVED, NASTY, REDO, known_scale, known_solution, write_quality_work
from tests.builders.shard import DISC_JOINT, small_camera, write_small_shard
from tests.sentences import raises_recorded

JOINT_BGR = (255, 160, 40)


def _page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> WorkFolder:
    work = write_quality_work(tmp_path_factory.mktemp("quality") / "work")
    work.shards().mkdir()
    write_small_shard(work.shard("S001", "PG1"))
    return work


@pytest.fixture(scope="module")
def pages(work: WorkFolder) -> tuple[Page, Page]:
    index, subject = write_report(Config(work=work.root))
    assert (index.name, subject.name) == ("index.html", "S001.html")
    return _page(index), _page(subject)


def test_pages_are_well_formed_and_stand_alone(pages: tuple[Page, Page]) -> None:
    for page in pages:
        assert page.faults == []
        # Scripts stand in the page, and it may reach no network.
        assert "default-src &#x27;none&#x27;" in page.content
        assert "link" not in page.tags
        assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
        assert all(link.startswith("#") or link in ("S001.html", "index.html") for link in page.links)
    assert len(pages[1].sources) == 6


def test_links_within_a_page_lead_somewhere(pages: tuple[Page, Page]) -> None:
    for page in pages:
        inside = [link.removeprefix("#") for link in page.links if link.startswith("#")]
        assert inside
        assert all(f'id="{link}"' in page.content for link in inside)


def test_a_clip_has_its_residuals(pages: tuple[Page, Page]) -> None:
    for page in pages:
        row = page.row("S001/C03")
        assert row[1:6] == ["41", "40 check", "12.0", "8.0", "10.2"]
        assert row[7].startswith("HEEL,")
        assert (row[6], row[8]) == ("12.0", "97.6")
        assert "Frames by status: 1 not converged (2.4%), 40 solved (97.6%)." in page.text


def test_bias_stands_beside_deviation(pages: tuple[Page, Page]) -> None:
    index, subject = pages
    assert subject.row("HEEL")[1:] == ["20", "7.0"], "the static residual comes first on the page"
    heel = next(row for row in subject.rows if row[:1] == ["HEEL"] and len(row) > 3)
    assert heel[1:9] == ["20", "calcn_r", "12.0", "0.0", "12.0", "+12.0", "+0.0", "+0.0"]
    assert index.row("SOFT")[1:4] == ["1", "0.0", "8.0"]


def test_a_coordinate_has_its_range_its_limits_and_a_word_where_it_is_not_seen(pages: tuple[Page, Page]) -> None:
    index, subject = pages
    hip = subject.row("hip_flexion_r")
    assert (hip[2], hip[4], hip[6]) == ("-57\xa0to\xa057", "25.0 check", "60.0 not seen")
    assert subject.row("knee_angle_r")[6] == "3.00"
    assert "Not determined: hip_flexion_r." in index.text


def test_scaling_has_verdicts_in_words(pages: tuple[Page, Page]) -> None:
    index, subject = pages
    row = index.row("S001")
    assert row[1:5] == ["train", "female", "1.72 m", "61.5 kg"]
    assert row[5:10] == ["sound", "4.0", "7.0", "1.00\xa0to\xa01.10", "9.5"]
    assert subject.row("largest landmark error")[1:] == ["7.0 mm", "bound 20 mm; worst is HEEL"]


def test_what_needs_a_look_comes_first(pages: tuple[Page, Page]) -> None:
    for page in pages:
        first = page.text[page.text.index("1 unit failed (shard)") :]
        assert "no usable pose in 1 of 41 frames" in first
        assert "1 angle is not seen by the markers: hip_flexion_r" in first
        assert "S001/C03 is out of line: lag +25.0 ms (bound 16.7 ms)" in first


@pytest.mark.parametrize("heel_mm", [5.0, 30.0, 60.0])
def test_what_is_marked_in_a_row_is_named_first(tmp_path: Path, heel_mm: float) -> None:
    known = known_solution(heel_mm=heel_mm)
    # Nothing else of this subject is marked: every frame is solved, seen and away from its limits.
    solution = replace(
        known,
        coordinates=0.5 * np.ones_like(known.coordinates),
        coordinate_valid=np.ones_like(known.coordinate_valid),
        statuses=np.zeros_like(known.statuses),
        model_markers_m=np.where(
            np.arange(known.n_rows)[:, None, None] == N_SOLVED, known.observed_markers_m, known.model_markers_m
        ),
        posterior_std=np.full_like(known.coordinates, 0.01),
    )
    work = write_quality_work(tmp_path, solution=solution)
    work.alignment("S001").unlink()
    (work.records() / "shard" / "S001" / "PG2.json").unlink()
    index, subject = (_page(path) for path in write_report(Config(work=tmp_path)))
    marks = {5.0: "", 30.0: "check", 60.0: "over limit"}
    for page in (index, subject):
        assert page.row("S001/C03")[6] == f"{max(heel_mm, 8.0):.1f} {marks[heel_mm]}".strip()
        assert ("No value is marked" in page.text) == (heel_mm == 5.0)
        assert ("largest residual 20 to 40 mm in 1 of 1 clips: S001/C03 30.0 mm (HEEL at" in page.text) == (
            heel_mm == 30.0
        )
        assert ("largest residual above 40 mm in 1 of 1 clips: S001/C03 60.0 mm" in page.text) == (heel_mm == 60.0)
        assert ("landmarks RMS above 20 mm in 1 of 1 clips" in page.text) == (heel_mm > 20.0)


def test_one_clip_has_no_percentiles(pages: tuple[Page, Page]) -> None:
    assert pages[0].row("per clip") == ["per clip", "the only clip"]
    assert pages[0].row("landmarks RMS, mm") == ["landmarks RMS, mm", "12.0"]


def test_a_coordinate_that_is_undetermined_is_said(tmp_path: Path) -> None:
    write_quality_work(tmp_path, solution=replace(known_solution(), posterior_std=np.full((N_SOLVED + 1, 2), np.inf)))
    assert "undetermined not seen" in _page(write_report(Config(work=tmp_path))[1]).row("knee_angle_r")[6]


def test_alignment_and_shards_have_units(pages: tuple[Page, Page]) -> None:
    index, subject = pages
    aligned = next(row for row in subject.rows if row[:2] == ["S001/C03", NASTY])
    assert aligned[2:8] == ["41 of 43", "25.00", "2.0", "1.50", "4.0", "3.0"]
    assert index.row("S001_PG1.h5")[1:4] == ["10", "5", "2"]
    assert index.row("shard")[1:3] == ["0", "1 failed"]


def test_a_failure_has_its_reason_and_its_command_and_names_cannot_break_the_page(pages: tuple[Page, Page]) -> None:
    for page in pages:
        assert f"shard S001/PG2: {NASTY}" in page.text
        assert f"redo: {REDO}" in page.text
    assert f"ik S001/C03: {NASTY}" in pages[1].text


def test_the_same_work_folder_gives_the_same_bytes(work: WorkFolder) -> None:
    before = [path.read_bytes() for path in write_report(Config(work=work.root))]
    assert [path.read_bytes() for path in write_report(Config(work=work.root))] == before


def test_an_empty_work_folder_is_said_not_refused(tmp_path: Path) -> None:
    (index,) = write_report(Config(work=tmp_path))
    page = _page(index)
    assert page.faults == []
    for what in ("Solutions", "Deviations", "Alignment", "Native shards"):
        assert f"{what}: not there yet." in page.text
    assert page.row("static")[1] == "not there yet"


def test_a_subject_that_only_failed_has_a_page(tmp_path: Path) -> None:
    work = write_quality_work(tmp_path)
    for path in (
        work.static_trial("S001"),
        work.scale_result("S001"),
        work.scaled_model("S001"),
        work.alignment("S001"),
    ):
        path.unlink()
    work.ik_solution(CLIP).unlink()
    page = _page(write_report(Config(work=tmp_path))[1])
    assert page.faults == []
    for what in ("Scaling", "Solutions", "Alignment", "Shards"):
        assert f"{what}: not there yet." in page.text
    assert REDO in page.text


def test_damaged_files_are_named(tmp_path: Path) -> None:
    work = write_quality_work(tmp_path)
    damaged = [work.scale_result("S001"), work.ik_solution(CLIP), work.scaled_model("S001")]
    record = work.records() / "ik" / "S001" / "C03.json"
    shard = work.shard("S001", "PG1")
    shard.parent.mkdir()
    for path in (*damaged, record, shard):
        path.write_text("not what it should be")
    index, subject = (_page(path) for path in write_report(Config(work=tmp_path)))
    for path in (*damaged, shard):
        assert str(path) in subject.text
        assert str(path) in index.text
    assert str(record) in index.text


def test_a_failed_audit_is_reported_in_words(tmp_path: Path) -> None:
    work = write_quality_work(tmp_path)
    write_scale_result(work.scale_result("S001"), known_scale(passed=False), provenance={})
    index, subject = (_page(path) for path in write_report(Config(work=tmp_path)))
    assert index.row("S001")[5] == "refused"
    assert "the audit calls scaling refused: landmark RMS is 11.0 mm" in subject.text


def test_a_clip_whose_labels_are_mostly_masked_is_named(tmp_path: Path) -> None:
    known = known_solution()
    valid = known.coordinate_valid & (np.arange(known.n_rows) < 20)[:, None]
    write_quality_work(tmp_path, solution=replace(known, coordinate_valid=valid))
    for path in write_report(Config(work=tmp_path)):
        assert "1 of 1 clips have less than 90 % valid angles: S001/C03 49 %" in _page(path).text


def test_two_solutions_stand_side_by_side(tmp_path: Path, work: WorkFolder, capsys: pytest.CaptureFixture[str]) -> None:
    other = write_quality_work(tmp_path / "other", solution=known_solution(heel_mm=24.0))
    mine = write_quality_work(tmp_path / "mine")
    (tmp_path / "config.yaml").write_text(f"work: {mine.root}\n")
    flags = ["--config", str(tmp_path / "config.yaml"), "--beside", str(other.root), "--json"]
    assert main(["report", *flags]) == 0
    outputs = json.loads(capsys.readouterr().out)["outputs"]
    assert outputs == [str(mine.report()), str(mine.report().with_name("S001.html"))]
    for path in outputs:
        page = _page(Path(path))
        compared = next(row for row in page.rows if row[0] == "S001/C03" and len(row) == 13)
        assert compared[1:9] == ["10.2", "17.9", "10.2", "17.9", "12.0", "24.0", "12.0", "24.0"]
        assert f"in {other.title} (model small & plain)" in page.text


def test_a_work_folder_that_was_moved_is_the_one_that_is_meant(tmp_path: Path) -> None:
    moved = write_quality_work(tmp_path / "moved")
    (moved.root / "config.yaml").write_text(f"work: {tmp_path / 'where it was'}\n")
    assert main(["report", "--work", str(moved.root)]) == 0
    assert moved.report().is_file()
    assert not (tmp_path / "where it was").exists()


def test_the_report_keeps_to_the_subjects_that_are_asked_for(work: WorkFolder) -> None:
    assert [path.name for path in write_report(Config(work=work.root, subjects=("1",)))] == ["index.html", "S001.html"]
    with raises_recorded(UsageError):
        write_report(Config(work=work.root, subjects=("2",)))


def test_without_a_work_folder_there_is_no_report(tmp_path: Path) -> None:
    with raises_recorded(MissingError):
        write_report(Config(work=tmp_path / "nowhere"))
    with raises_recorded(MissingError):
        write_report(Config(work=tmp_path), beside=tmp_path / "nowhere")


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_joint_is_drawn_where_the_lens_shows_it(tmp_path: Path, scale: float) -> None:
    fields = write_small_shard(tmp_path / "S001_PG1.h5", scale=scale)
    with ShardFile(tmp_path / "S001_PG1.h5") as shard:
        picture = draw_row(shard, 2)
    seen = project_points(small_camera(), np.asarray(fields["labels/joints_world_m"][2], dtype=np.float64))
    # The middle of the pixel that shows the joint: a pixel of the video is `scale` pixels of the picture wide.
    column, row = np.round((seen[DISC_JOINT] - fields["crops/box_px"][2, :2] + 0.5) * scale - 0.5).astype(int)
    distance = np.abs(picture[row - 1 : row + 2, column - 1 : column + 2].astype(int) - JOINT_BGR).sum(axis=-1)
    assert distance.min() < 60
    assert picture.shape == (round(160 * scale), round(160 * scale), 3)


def test_pictures_of_a_damaged_shard_are_said_not_drawn(tmp_path: Path) -> None:
    work = write_quality_work(tmp_path)
    work.shards().mkdir()
    write_small_shard(work.shard("S001", "PG1"))
    plain = cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()[:8]
    path = work.shard("S001", "PG1")
    path.write_bytes(path.read_bytes().replace(plain, b"\0" * len(plain)))
    assert "No pictures:" in _page(write_report(Config(work=tmp_path))[1]).text


def test_text_is_escaped_and_markup_is_not() -> None:
    assert table(("a<b",), [[element("b", "x & y")]]).count("&lt;") == 1
    assert element("b", "x & y") == "<b>x &amp; y</b>"
    assert element("a", "x", href='"><script>') == '<a href="&quot;&gt;&lt;script&gt;">x</a>'


def test_a_histogram_counts_every_value_and_names_those_without() -> None:
    chart = histogram(np.array([1.1, 1.2, 30.0, np.nan]), unit="mm", limit=20.0, caption="misses")
    assert "misses: median 1.2 mm, n = 3, 1 without a value" in chart
    assert chart.count("<rect") == 2
    assert "none" in histogram(np.array([np.nan]), unit="mm", limit=20.0, caption="misses")


def test_a_sparkline_keeps_peaks_and_gaps() -> None:
    n = 5000
    values = np.full(n, 10.0)
    values[1234] = 40.0
    values[3000:3500] = np.nan
    line = sparkline(np.arange(n) / 30.0, values, np.isfinite(values), limit=20.0, top=40.0, size_px=(220, 36))
    assert line.count("<polyline") == 2
    assert ",1 " in line, "the peak reaches the upper edge"
    assert "one row" in sparkline(np.zeros(1), np.zeros(1), np.ones(1, bool), limit=20.0, top=40.0)


def test_bars_stay_within_their_tracks() -> None:
    assert "inf" not in value_bar(np.inf, top=50.0, limit=25.0)
    assert "nan" not in range_bar((-10.0, 10.0), (-20.0, 5.0), (-1.0, 1.0))


def test_what_was_left_out_is_reported_with_its_reason(tmp_path: Path) -> None:
    work = write_quality_work(tmp_path)
    work.shards().mkdir()
    write_small_shard(work.shard("S001", "PG1"), left_out=((2, f"the clip is suspect {NASTY}"),))
    plan = PlanFacts(
        left_out=("no shards of PG3: found no videos",),
        data=("no PG2 video: S001",),
        outdated=(OutdatedShards(("shards/S001_PG1.h5",), "failed last time: no light", REDO),),
    )
    config = Config(work=tmp_path, exclude=("S007",))
    index = _page(write_report(config, plan=plan)[0])
    assert index.faults == []
    first, rest = index.text.split("Units by their records", maxsplit=1)
    assert "no shards of PG3: found no videos" in first
    assert "1 shard file outdated" in first
    for text in (
        "no shards of PG3: found no videos",
        "S007: excluded by the configuration",
        f"S001/C02 of PG1: the clip is suspect {NASTY}",
        "no PG2 video: S001",
        f"shards/S001_PG1.h5: failed last time: no lightredo: {REDO}",
    ):
        assert text in rest


def test_a_whole_work_folder_leaves_nothing_out(pages: tuple[Page, Page]) -> None:
    assert "Nothing is left out." in pages[0].text
    assert "outdated" not in pages[0].text


def test_a_report_without_the_data_says_what_it_cannot_tell(tmp_path: Path) -> None:
    work = write_quality_work(tmp_path / "work")
    (work.root / "config.yaml").write_text(f"amass: {tmp_path / 'gone'}\nbody_models: {tmp_path / 'gone'}\n")
    assert main(["report", "--work", str(work.root)]) == 0
    text = _page(work.report()).text
    assert "the data cannot be read, so the report does not say what was left out: " in text
    assert "gone" in text


def test_what_is_no_record_of_a_stage_is_no_problem(tmp_path: Path) -> None:
    work = write_quality_work(tmp_path)
    asked = work.records() / "choice" / "S001.json"
    asked.parent.mkdir()
    asked.write_text("{}", encoding="utf-8")
    for path in write_report(Config(work=tmp_path)):
        assert "cannot be read" not in _page(path).text
