"""TRC: what is written is what OpenSim's own reader reads, and what our reader reads back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.trc import read_trc, write_trc
from tests.builders.small_model import trajectories
from tests.sentences import raises_recorded

if TYPE_CHECKING:
    from pathlib import Path

    from movi_prep.records.markers import MarkerTrajectories


@pytest.fixture
def markers() -> MarkerTrajectories:
    positions = np.random.default_rng(1).uniform(-1.0, 1.0, (5, 3, 3))
    positions[2, 1] = np.nan
    return trajectories(positions, ("HEAD", "R.ASIS", "L.ASIS"))


@pytest.mark.parametrize("unit", ["mm", "m"])
def test_a_round_trip_keeps_positions_times_and_gaps(tmp_path: Path, markers: MarkerTrajectories, unit: str) -> None:
    write_trc(tmp_path / "a.trc", markers, unit=unit)  # type: ignore[arg-type]
    back = read_trc(tmp_path / "a.trc")
    assert back.names == markers.names
    assert back.rate_hz == markers.rate_hz
    np.testing.assert_allclose(back.positions_m, markers.positions_m, atol=1e-9)
    np.testing.assert_allclose(back.times_s, markers.times_s, atol=1e-9)


def test_opensim_reads_the_same_numbers(tmp_path: Path, markers: MarkerTrajectories) -> None:
    import opensim

    write_trc(tmp_path / "a.trc", markers)
    table = opensim.TimeSeriesTableVec3(str(tmp_path / "a.trc"))
    assert tuple(table.getColumnLabels()) == markers.names
    assert table.getTableMetaDataString("Units") == "mm"
    seen = [[[v.get(k) for k in range(3)] for v in _row(table, row)] for row in range(markers.n_rows)]
    np.testing.assert_allclose(np.array(seen) / 1000.0, markers.positions_m, atol=1e-9)


def _row(table: object, row: int) -> list[object]:
    values = table.getRowAtIndex(row)  # type: ignore[attr-defined]
    return [values[column] for column in range(values.size())]


def test_the_unit_row_is_honoured(tmp_path: Path, markers: MarkerTrajectories) -> None:
    write_trc(tmp_path / "a.trc", markers)
    text = (tmp_path / "a.trc").read_text().replace("\tmm\t", "\tcm\t")
    (tmp_path / "b.trc").write_text(text)
    back = read_trc(tmp_path / "b.trc")
    np.testing.assert_allclose(back.positions_m, 10.0 * markers.positions_m, atol=1e-8)


def test_a_wrong_unit_is_named_with_the_right_one(tmp_path: Path, markers: MarkerTrajectories) -> None:
    write_trc(tmp_path / "a.trc", markers)
    text = (tmp_path / "a.trc").read_text().replace("\tmm\t", "\tm\t")
    (tmp_path / "b.trc").write_text(text)
    with raises_recorded(InputError):
        read_trc(tmp_path / "b.trc")


def test_a_file_in_metres_that_says_millimetres_is_refused(tmp_path: Path, markers: MarkerTrajectories) -> None:
    write_trc(tmp_path / "a.trc", markers, unit="m")
    text = (tmp_path / "a.trc").read_text().replace("\tm\t", "\tmm\t")
    (tmp_path / "b.trc").write_text(text)
    with raises_recorded(InputError):
        read_trc(tmp_path / "b.trc")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: "", "PathFileType"),
        (lambda text: text.replace("PathFileType", "Nonsense", 1), "PathFileType"),
        (lambda text: text.replace("\tmm\t", "\tfurlong\t"), "mm, cm or m"),
        (lambda text: "\n".join(text.splitlines()[:-2])[:-12], "as NumFrames says"),
        (lambda text: text.replace("0.033333333", "nan", 1), "a time in each row"),
        (lambda text: text.replace("0.033333333", "", 1), "a time in each row"),
        (lambda text: text.replace("0.033333333", "-1", 1), "increasing"),
        (lambda text: text + "6\t0.2" + "\t1.0" * 12 + "\n", "at most 11 columns"),
        (lambda text: text + "6\t0.2\tx\n", "numbers"),
        (lambda text: text + "6 0.2 1.0 1.0 1.0\n", "separated by tabs, but got one column in data row 6"),
        (lambda text: "\n".join(text.splitlines()[:6]), "0 rows"),
        (lambda text: text.replace("R.ASIS", "", 1), "none for marker 2"),
        (lambda text: text.replace("L.ASIS", "", 1), "at most 8 columns, for the 2 markers that have a name"),
    ],
)
def test_broken_files_say_what_is_wrong(
    tmp_path: Path, markers: MarkerTrajectories, change: object, message: str
) -> None:
    write_trc(tmp_path / "a.trc", markers)
    (tmp_path / "b.trc").write_text(change((tmp_path / "a.trc").read_text()))  # type: ignore[operator]
    with pytest.raises(InputError, match=message):
        read_trc(tmp_path / "b.trc")


@pytest.mark.parametrize("name", ["MM", "millimeters", "Millimetres"])
def test_units_may_be_spelt_out(tmp_path: Path, markers: MarkerTrajectories, name: str) -> None:
    write_trc(tmp_path / "a.trc", markers)
    text = (tmp_path / "a.trc").read_text().replace("\tmm\t", f"\t{name}\t")
    (tmp_path / "a.trc").write_text(text)
    np.testing.assert_allclose(read_trc(tmp_path / "a.trc").positions_m, markers.positions_m, atol=1e-9)


@pytest.mark.parametrize("separator", ["\t\t", "  ", "\t  "])
def test_the_head_may_be_aligned_by_hand(tmp_path: Path, markers: MarkerTrajectories, separator: str) -> None:
    write_trc(tmp_path / "a.trc", markers)
    lines = (tmp_path / "a.trc").read_text().splitlines()
    lines[2] = lines[2].replace("\t", separator)
    (tmp_path / "a.trc").write_text("\n".join(lines))
    assert read_trc(tmp_path / "a.trc").rate_hz == markers.rate_hz


def test_an_empty_unit_is_missed_where_it_should_be(tmp_path: Path, markers: MarkerTrajectories) -> None:
    write_trc(tmp_path / "a.trc", markers)
    text = (tmp_path / "a.trc").read_text().replace("\tmm\t", "\t\t")
    (tmp_path / "a.trc").write_text(text)
    with raises_recorded(InputError):
        read_trc(tmp_path / "a.trc")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_text_that_a_spreadsheet_saved_is_read(
    tmp_path: Path, markers: MarkerTrajectories, encoding: str, newline: str
) -> None:
    write_trc(tmp_path / "a.trc", markers)
    text = (tmp_path / "a.trc").read_text().replace("\n", newline)
    (tmp_path / "a.trc").write_bytes(text.encode(encoding))
    assert read_trc(tmp_path / "a.trc").names == markers.names


def test_exact_zeros_are_a_marker_that_was_not_seen(tmp_path: Path, markers: MarkerTrajectories) -> None:
    write_trc(tmp_path / "a.trc", replace(markers, positions_m=np.nan_to_num(markers.positions_m, nan=0.0)))
    back = read_trc(tmp_path / "a.trc")
    np.testing.assert_array_equal(np.isnan(back.positions_m), np.isnan(markers.positions_m))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with raises_recorded(MissingError):
        read_trc(tmp_path / "no.trc")


def test_trailing_gaps_of_a_short_row_are_not_seen(tmp_path: Path, markers: MarkerTrajectories) -> None:
    whole = replace(markers, positions_m=np.nan_to_num(markers.positions_m, nan=0.5))
    write_trc(tmp_path / "a.trc", whole)
    lines = (tmp_path / "a.trc").read_text().splitlines()
    lines[-1] = "\t".join(lines[-1].split("\t")[:8])
    (tmp_path / "a.trc").write_text("\n".join(lines) + "\n")
    back = read_trc(tmp_path / "a.trc")
    assert np.isnan(back.positions_m[-1, 2]).all()
    assert np.isfinite(back.positions_m[-1, :2]).all()


def test_a_last_row_without_an_end_is_whole_or_refused(tmp_path: Path, markers: MarkerTrajectories) -> None:
    # Its last number may be the beginning of another: 1.09 cut to 1.
    whole = replace(markers, positions_m=np.nan_to_num(markers.positions_m, nan=0.5))
    write_trc(tmp_path / "a.trc", whole)
    text = (tmp_path / "a.trc").read_text().rstrip()
    (tmp_path / "a.trc").write_text(text)
    np.testing.assert_allclose(read_trc(tmp_path / "a.trc").positions_m, whole.positions_m, atol=1e-9)
    (tmp_path / "a.trc").write_text(text[: text.rindex("\t")])
    with pytest.raises(InputError) as caught:
        read_trc(tmp_path / "a.trc")
    assert caught.value.where == str(tmp_path / "a.trc")
    assert "cut" in caught.value.got


def _with_head(path: Path, markers: MarkerTrajectories, place: int, value: str) -> MarkerTrajectories:
    write_trc(path, markers)
    lines = path.read_text().splitlines()
    fields = lines[2].split("\t")
    fields[place] = value
    lines[2] = "\t".join(fields)
    path.write_text("\n".join(lines) + "\n")
    return read_trc(path)


@pytest.mark.parametrize("value", ["0", "-30", "nan", "inf", "1e999", "fast", "60.0", "15.0", "", "\u00b2"])
def test_the_times_decide_where_the_data_rate_says_otherwise(
    tmp_path: Path, markers: MarkerTrajectories, value: str
) -> None:
    back = _with_head(tmp_path / "a.trc", markers, 0, value)
    assert back.rate_hz == pytest.approx(30.0, rel=1e-6)
    np.testing.assert_allclose(back.times_s, markers.times_s, atol=1e-9)
    (finding,) = back.findings
    assert "DataRate" in finding


@pytest.mark.parametrize(("place", "key"), [(2, "NumFrames"), (3, "NumMarkers")])
@pytest.mark.parametrize("value", ["900", "1", "0", "-5", "nan", "many", "\u00b2"])
def test_the_rows_decide_where_a_count_says_otherwise(
    tmp_path: Path, markers: MarkerTrajectories, place: int, key: str, value: str
) -> None:
    back = _with_head(tmp_path / "a.trc", markers, place, value)
    np.testing.assert_allclose(back.positions_m, markers.positions_m, atol=1e-9)
    (finding,) = back.findings
    assert key in finding


def test_a_file_that_agrees_with_itself_has_no_finding(tmp_path: Path, markers: MarkerTrajectories) -> None:
    write_trc(tmp_path / "a.trc", markers)
    assert read_trc(tmp_path / "a.trc").findings == ()


@pytest.mark.parametrize("value", ["0", "nan", "-1", "inf", "x"])
def test_one_row_needs_a_rate(tmp_path: Path, markers: MarkerTrajectories, value: str) -> None:
    one = markers.rows(slice(0, 1))
    assert _with_head(tmp_path / "a.trc", one, 0, "30").rate_hz == 30.0
    with pytest.raises(InputError) as caught:
        _with_head(tmp_path / "a.trc", one, 0, value)
    assert "DataRate" in caught.value.expected
    assert "rate" in caught.value.remedy
