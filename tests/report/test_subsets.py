"""One row for each subset: what its clips say, and what their inverse kinematics say."""

from __future__ import annotations

from pathlib import Path

import pytest

from movi_prep.config.root import Config
from movi_prep.formats.ik_file import write_ik_solution
from movi_prep.records.identity import ClipId
from movi_prep.report.write import write_report
from movi_prep.runtime.unit_record import UnitRecord, write_record
from tests.builders.page import Page
from tests.builders.quality_work import known_solution, write_quality_work


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    root = tmp_path_factory.mktemp("subsets") / "work"
    work = write_quality_work(root)
    for subject, clips in {"KIT_3": 2, "ACCAD_Male1": 1}.items():
        for k in range(clips):
            clip = ClipId(subject, f"walk_{k}")
            write_ik_solution(work.ik_solution(clip), known_solution(), provenance={})
            numbers = {"n_samples": 360_000, "mocap_hz": 100.0, "subset": subject.partition("_")[0], "n_flights": 0}
            if k:
                numbers |= {"n_flights": 2, "fall_m_s2": 39.2, "stated_by_true": 2.0}
            record = UnitRecord("markers", str(clip), "done", 1, {}, numbers=numbers)
            write_record(work.records() / "markers" / f"{record.key}.json", record, scratch=root / ".scratch")
    failed = UnitRecord("markers", "KIT_3/bad", "failed", 1, {}, reason="damaged", redo="again")
    write_record(work.records() / "markers" / "KIT_3" / "bad.json", failed, scratch=root / ".scratch")
    index, *_ = write_report(Config(work=root))
    return Page(index.read_text(encoding="utf-8"))


def test_each_subset_is_a_row_with_hours_rates_and_what_is_wrong(page: Page) -> None:
    assert page.faults == []
    rows = {row[0]: row for row in page.rows if row and row[0] in ("KIT", "ACCAD")}
    assert rows["KIT"][1:7] == ["1", "2", "2.00", "100", "1", "1 wrong"]
    assert rows["ACCAD"][1:7] == ["1", "1", "1.00", "100", "0", "0"]
    assert rows["KIT"][-1] == "1 failed"


def test_data_without_subsets_have_no_such_section(tmp_path: Path) -> None:
    work = write_quality_work(tmp_path / "work")
    index, *_ = write_report(Config(work=work.root))
    assert ">Subsets<" not in index.read_text(encoding="utf-8")
