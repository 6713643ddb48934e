"""Pages of clips: complete, small, safe, in the order of urgency; in a browser they move."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from movi_prep.cli import main
from movi_prep.cli.flags import parse_arguments
from movi_prep.config.root import Config
from movi_prep.errors import UsageError
from movi_prep.formats.atomic import write_text
from movi_prep.formats.ik_file import write_ik_solution
from movi_prep.formats.model_outline import read_model_outline
from movi_prep.plain_text import shell_line
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.work_folder import WorkFolder
from movi_prep.report.measures import measure_clip
from movi_prep.report.write import write_report
from movi_prep.runtime.unit_record import UnitRecord, write_record
from movi_prep.view.clip_page import MOST_BYTES, ClipView, clip_data, write_clip_page
from movi_prep.view.work import Trial, choose_trials
from tests.builders.browser import find_chromium, run_in_browser
from tests.builders.page import Page
from tests.builders.quality_work import CLIP, NASTY, known_solution, write_quality_work
from tests.pages.test_packing import unpack

needs_browser = pytest.mark.skipif(find_chromium() is None, reason="needs chromium")


def view_of(work: WorkFolder, **changes: Any) -> ClipView:
    solution = changes.pop("solution", known_solution())
    return ClipView(
        title=changes.pop("title", "S001/C03"),
        subtitle="",
        solution=solution,
        outline=read_model_outline(work.scaled_model("S001")),
        measures=measure_clip(CLIP, solution, labels=(), landmark_weight=20.0),
        **changes,
    )


def data_of(page: Path) -> dict[str, Any]:
    text = page.read_text(encoding="utf-8")
    start = text.index('type="application/json"')
    content: dict[str, Any] = json.loads(text[text.index(">", start) + 1 : text.index("</script>", start)])
    return content


def test_a_page_holds_what_the_solution_holds(tmp_path: Path) -> None:
    work = write_quality_work(tmp_path / "work")
    solution = known_solution()
    data = clip_data(view_of(work))
    values = unpack(data["coordinates"]["values"])
    assert np.allclose(values, np.degrees(solution.coordinates), atol=0.01)
    assert data["coordinates"]["bounds"] == [
        [pytest.approx(-57.296), pytest.approx(57.296)],
        [0.0, pytest.approx(114.592)],
    ]
    miss = unpack(data["markers"]["miss"]).reshape(solution.observed_markers_m.shape)
    assert np.allclose(miss, solution.observed_markers_m - solution.model_markers_m, atol=1e-4)
    assert unpack(data["coordinates"]["deviation"])[0] == pytest.approx([60.0, 3.0], abs=0.01)
    assert data["usable"] == [True] * 40 + [False]


def test_a_long_clip_is_thinned_and_says_so(tmp_path: Path) -> None:
    work = write_quality_work(tmp_path / "work")
    short = known_solution()
    repeats = 4000
    per_row = {
        name: np.concatenate([value] * repeats)
        for name, value in vars(short).items()
        if isinstance(value, np.ndarray) and value.shape[:1] == (short.n_rows,)
    }
    n_rows = repeats * short.n_rows
    noise = np.random.default_rng(0).normal(0, 0.02, (n_rows, 3, 3))
    per_row |= {"times_s": np.arange(n_rows) / 120.0, "model_markers_m": per_row["model_markers_m"] + noise}
    page = write_clip_page(view_of(work, solution=replace(short, **per_row)))
    assert len(page.encode()) <= MOST_BYTES
    assert "The clip is long: every " in page


def test_names_from_outside_stay_text(tmp_path: Path) -> None:
    work = write_quality_work(tmp_path / "work")
    solution = replace(known_solution(), marker_names=(NASTY, "SOFT", "CARRIED"), coordinate_names=(NASTY, "knee"))
    page = write_clip_page(view_of(work, solution=solution, title=NASTY, findings=(NASTY,)))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_the_command_writes_pages_and_the_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work = write_quality_work(tmp_path / "work")
    assert main(["view", str(work.root), "S001/C03", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    pages = [work.view() / "S001" / "C03.html", work.view() / "index.html"]
    assert said["outputs"] == [str(path) for path in pages]
    # What the unit's record says stands on the page.
    assert NASTY in data_of(pages[0])["notes"]
    assert Page(pages[1].read_text(encoding="utf-8")).links == ["S001/C03.html"]
    assert main(["view", str(work.root), "S001/C3"]) == 2
    assert "did you mean 'S001/C03'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (["S001"], ["S001/C01", "S001/C03"]),
        (["1"], ["S001/C01", "S001/C03"]),
        (["1/3"], ["S001/C03"]),
        (["1-15/C01"], ["S001/C01", "S015/C01"]),
        (["S0*/C03", "1/3"], ["S001/C03"]),
        (["walk*"], ["walk_1"]),
        (["walk_1", "15"], ["walk_1", "S015/C01"]),
    ],
)
def test_clips_are_chosen_by_name_number_or_pattern(wanted: list[str], names: list[str], tmp_path: Path) -> None:
    clips = [movi_clip(1, 1), movi_clip(1, 3), movi_clip(15, 1)]
    trials = [Trial(str(clip), tmp_path / "a.h5", tmp_path / "m.osim", clip) for clip in clips]
    trials.append(Trial("walk_1", tmp_path / "b.h5", tmp_path / "m.osim", None))
    assert [trial.name for trial in choose_trials(trials, wanted)] == names
    with pytest.raises(UsageError):
        choose_trials(trials, ["2/3"])


def write_many(work: WorkFolder, n_clips: int, *, max_mm: float = 1.0) -> None:
    """Write records and empty solutions of clips, each a tenth of a millimetre worse than the one before."""
    for number in range(1, n_clips + 1):
        key = f"S{number // 30:03d}/C{number % 30:02d}"
        (work.root / "ik" / key).parent.mkdir(parents=True, exist_ok=True)
        (work.root / "ik" / f"{key}.h5").touch()
        numbers = {"rows": 90, "usable_rows": 90, "marker_rms_mm": 0.1 * number, "landmark_rms_mm": 1.0,
                   "marker_max_mm": max_mm, "valid_coordinates_percent": 100.0}  # fmt: skip
        record = UnitRecord("ik", key, "done", 1, {}, numbers=numbers)
        write_record(work.records() / "ik" / f"{key}.json", record, scratch=work.root / ".scratch")


def test_the_list_begins_with_the_worst_and_names_what_has_no_page(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path / "work")
    write_many(work, 40)
    # No solution can be read here: pages fail one by one, the list stands.
    assert main(["view", str(work.root), "--pages", "2"]) == 3
    page = Page((work.view() / "index.html").read_text(encoding="utf-8"))
    assert page.faults == []
    assert [row[0] for row in page.rows[1:3]] == ["S001/C10", "S001/C09"]
    assert f"movi-prep view {work.root} S001/C10" in page.text
    assert page.links == []


@pytest.mark.parametrize(("max_mm", "state"), [(19.0, "good"), (21.0, "check"), (41.0, "problem")])
def test_the_list_judges_the_largest_residual_as_the_report_does(max_mm: float, state: str, tmp_path: Path) -> None:
    work = write_quality_work(tmp_path / "work")
    write_many(work, 1, max_mm=max_mm)
    assert main(["view", str(work.root), "S001/C03"]) == 0
    page = Page((work.view() / "index.html").read_text(encoding="utf-8"))
    assert ["S000/C01", state] in [row[:2] for row in page.rows]


def test_the_list_names_the_command_for_a_clip_that_has_no_page(tmp_path: Path) -> None:
    work = write_quality_work(tmp_path / "work")
    write_many(work, 2)
    assert main(["view", str(work.root), "S001/C03"]) == 0
    text = Page((work.view() / "index.html").read_text(encoding="utf-8")).text
    assert f"2 have no page yet. This makes one: movi-prep view {work.root} S000/C01" in text


def test_a_damaged_record_is_said_in_the_list_and_costs_no_other_clip(tmp_path: Path) -> None:
    work = write_quality_work(tmp_path / "work")
    write_many(work, 2)
    (work.records() / "ik" / "S000" / "C01.json").write_text("{}", encoding="utf-8")
    assert main(["view", str(work.root), "S001/C03"]) == 0
    page = Page((work.view() / "index.html").read_text(encoding="utf-8"))
    assert page.rows[1][:2] == ["S000/C01", "problem"]
    assert "C01.json" in page.rows[1][-1]
    assert page.links == ["S001/C03.html"]


def test_a_folder_of_marker_files_is_shown_with_its_model(tmp_path: Path) -> None:
    work = write_quality_work(tmp_path / "with clips")
    trials = WorkFolder(tmp_path / "trials")
    provenance = {"model": str(work.scaled_model("S001"))}
    write_ik_solution(trials.root / "ik" / "walk 1.h5", known_solution(), provenance=provenance)
    assert main(["view", str(trials.root)]) == 0
    assert data_of(trials.view() / "walk 1.html")["markers"]["names"] == ["HEEL", "SOFT", "CARRIED"]


def write_names_of_data(folder: Path, *videos: str) -> Path:
    """Write files that are named like BMLmovi's, and the configuration of a run on them; return its work folder."""
    names = [
        "amass/Subject_1_F_MoSh/Subject_1_F_3_poses.npz",
        *(f"videos/{name}" for name in videos),
        *(f"calibration/{kind}_{name}.npz" for name in ("PG1", "PG2") for kind in ("cameraParams", "Extrinsics")),
    ]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    work = folder / "work"
    (folder / "videos").mkdir(exist_ok=True)
    parts = "".join(f"{part}: {folder / part}\n" for part in ("amass", "videos", "calibration"))
    write_text(work / "config.yaml", f"work: {work}\n{parts}")
    return work


def test_a_video_without_a_shard_is_named_with_the_command_that_shows_it(tmp_path: Path) -> None:
    root = write_names_of_data(tmp_path, "F_PG1_Subject_1_L.avi", "F_PG2_Subject_2_L.avi")
    work = write_quality_work(root)
    assert main(["view", str(root), "S001/C03"]) == 0
    (said,) = data_of(work.view() / "S001" / "C03.html")["notShown"]
    # The other camera's video shows somebody else.
    assert "F_PG1_Subject_1_L.avi" in said
    assert "PG2" not in said
    command = said.rpartition(": ")[2]
    assert command == shell_line(["movi-prep", "shard", "--config", str(root / "config.yaml"), "--subjects", "S001"])
    assert parse_arguments(shlex.split(command)[1:]).command == "shard"


def test_a_clip_that_nobody_filmed_says_nothing_about_pictures(tmp_path: Path) -> None:
    work = write_quality_work(write_names_of_data(tmp_path))
    assert main(["view", str(work.root), "S001/C03"]) == 0
    assert data_of(work.view() / "S001" / "C03.html")["notShown"] == []


@needs_browser
@pytest.mark.slow
def test_in_a_browser_a_click_goes_to_the_frame(tmp_path: Path) -> None:
    work = write_quality_work(tmp_path / "work")
    assert main(["view", str(work.root), "S001/C03"]) == 0
    found = run_in_browser(
        work.view() / "S001" / "C03.html",
        """
        const { clock } = moviPrepViewer;
        const pause = () => new Promise((resolve) => setTimeout(resolve, 400));
        await pause();
        const seen = {};
        seen.unexplained = [...document.querySelectorAll("#layers label")].filter((each) => !each.title).length;
        seen.colours = document.querySelectorAll("#layers .key").length;
        document.getElementById("forward").click();
        seen.stepped = clock.frame;
        document.querySelectorAll("[role=tab]")[2].click();
        document.querySelector("#flags-list .flag").click();
        seen.flagged = clock.frame;
        document.querySelectorAll("[role=tab]")[0].click();
        await pause();
        const over = document.querySelector("#angles-list .u-over");
        const box = over.getBoundingClientRect();
        const at = { clientX: box.left + box.width / 2, clientY: box.top + 5, bubbles: true };
        for (const kind of ["mousemove", "mousedown", "mouseup", "click"]) over.dispatchEvent(new MouseEvent(kind, at));
        seen.curve = clock.frame;
        const search = document.getElementById("search");
        search.value = "KNEE";
        search.dispatchEvent(new Event("input"));
        seen.rows = [...document.querySelectorAll("#angles-list .row:not([hidden]) h3")].map((h) => h.firstChild.data);
        seen.value = document.querySelector("#angles-list .row:not([hidden]) output").textContent;
        return seen;
        """,
    )
    assert found["unexplained"] == 0
    assert found["colours"] >= 5
    assert found["stepped"] == 1
    assert found["flagged"] == 40
    assert found["curve"] == pytest.approx(20, abs=1)
    assert found["rows"] == ["knee_angle_r"]
    knee_deg = np.degrees(known_solution().coordinates[found["curve"], 1])
    assert found["value"] == f"{knee_deg:.1f} ± 3.0 °"


@needs_browser
@pytest.mark.slow
def test_tables_sort_by_number_and_filter_by_words(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path / "work")
    write_many(work, 40)
    main(["view", str(work.root), "--pages", "1"])
    found = run_in_browser(
        work.view() / "index.html",
        """
        const head = [...document.querySelectorAll("th")].find((each) => each.textContent.startsWith("marker RMS"));
        const first = () => document.querySelector("tbody tr:not([hidden]) td").textContent;
        const seen = { before: first() };
        head.click();
        head.click();
        seen.ascending = first();
        const filter = document.querySelector("input[type=search]");
        filter.value = "s001 c1";
        filter.dispatchEvent(new Event("input"));
        seen.filtered = document.querySelectorAll("tbody tr:not([hidden])").length;
        return seen;
        """,
    )
    assert found == {"before": "S001/C10", "ascending": "S000/C01", "filtered": 1}


@needs_browser
@pytest.mark.slow
def test_the_report_draws_an_angle_when_its_clip_is_opened(tmp_path: Path) -> None:
    work = write_quality_work(tmp_path / "work")
    _, page = write_report(Config(work=work.root))
    found = run_in_browser(
        page,
        """
        const clip = document.querySelector("details.curves");
        clip.querySelector("summary").click();
        await new Promise((resolve) => setTimeout(resolve, 800));
        clip.scrollIntoView();
        await new Promise((resolve) => setTimeout(resolve, 800));
        const names = [...clip.querySelectorAll(".row h3")].map((each) => each.firstChild.data);
        return [names, clip.querySelectorAll("canvas").length];
        """,
    )
    assert found == [["hip_flexion_r", "knee_angle_r"], 2]
