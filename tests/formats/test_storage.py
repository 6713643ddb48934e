"""Storage tables: degrees are said in the header, and OpenSim reads what we write."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.storage import StorageTable, coordinate_table, coordinates_of, read_storage, write_storage
from tests.sentences import raises_recorded

if TYPE_CHECKING:
    from pathlib import Path

TABLE = StorageTable(
    name="Coordinates",
    labels=("hip", "tx"),
    times_s=np.array([0.0, 0.5, 1.0]),
    values=np.array([[90.0, 0.1], [-45.0, 0.2], [1.0 / 3.0, 0.3]]),
    in_degrees=True,
)


@pytest.mark.parametrize("in_degrees", [True, False])
def test_a_round_trip_keeps_everything(tmp_path: Path, in_degrees: bool) -> None:
    table = StorageTable(TABLE.name, TABLE.labels, TABLE.times_s, TABLE.values, in_degrees)
    write_storage(tmp_path / "a.mot", table)
    back = read_storage(tmp_path / "a.mot")
    assert (back.name, back.labels, back.in_degrees) == (table.name, table.labels, in_degrees)
    np.testing.assert_allclose(back.values, table.values, atol=1e-8)
    np.testing.assert_allclose(back.times_s, table.times_s, atol=1e-8)


def test_writing_needs_no_copy_of_the_table(tmp_path: Path) -> None:
    peaks = []
    for n_rows in (200, 2_000):
        table = StorageTable("long", tuple("abcdefgh"), np.arange(n_rows) / 30.0, np.ones((n_rows, 8)), in_degrees=True)
        tracemalloc.start()
        write_storage(tmp_path / "a.mot", table)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The times as numbers of Python take 32 bytes a row; the text of a row is 153.
    assert peaks[1] - peaks[0] < 64 * 1_800


def test_opensim_reads_degrees_as_degrees(tmp_path: Path) -> None:
    import opensim

    write_storage(tmp_path / "a.mot", TABLE)
    storage = opensim.Storage(str(tmp_path / "a.mot"))
    assert storage.isInDegrees()
    assert storage.getSize() == 3
    column = opensim.ArrayDouble()
    storage.getDataColumn("hip", column)
    np.testing.assert_allclose([column.get(row) for row in range(3)], TABLE.values[:, 0], atol=1e-7)


def test_degrees_are_for_rotations_only_and_come_back(tmp_path: Path) -> None:
    """OpenSim converts by motion type: a translation and a knee cap on a spline are written as they are."""
    labels, coordinates = ("hip", "tx", "knee_beta"), np.array([[np.pi / 2, 1.0, -0.6], [-np.pi, 0.5, -0.3]])
    rotations = np.array([True, False, False])
    table = coordinate_table(labels, np.array([0.0, 0.1]), coordinates, rotations)
    np.testing.assert_allclose(table.values, [[90.0, 1.0, -0.6], [-180.0, 0.5, -0.3]])
    write_storage(tmp_path / "a.mot", table)
    back = coordinates_of(read_storage(tmp_path / "a.mot"), {"hip": True, "tx": False})
    np.testing.assert_allclose(back, coordinates, atol=1e-8)
    in_radians = StorageTable("Coordinates", labels, table.times_s, coordinates, in_degrees=False)
    np.testing.assert_array_equal(coordinates_of(in_radians, {"hip": True}), coordinates)


@pytest.mark.parametrize(
    ("word", "in_degrees"), [("yes", True), ("Y", True), ("true", True), ("no", False), ("N", False), ("false", False)]
)
def test_every_spelling_of_degrees_is_understood(tmp_path: Path, word: str, in_degrees: bool) -> None:
    write_storage(tmp_path / "a.mot", TABLE)
    text = (tmp_path / "a.mot").read_text().replace("inDegrees=yes", f"inDegrees={word}")
    (tmp_path / "a.mot").write_text(text)
    assert read_storage(tmp_path / "a.mot").in_degrees is in_degrees


def test_a_comment_about_degrees_is_not_believed(tmp_path: Path) -> None:
    write_storage(tmp_path / "a.mot", TABLE)
    comment = "If the header above contains a line with 'inDegrees', this indicates degrees (yes) or radians (no)."
    text = (tmp_path / "a.mot").read_text().replace("Units are S.I.", f"{comment}\nUnits are S.I.")
    (tmp_path / "a.mot").write_text(text)
    assert read_storage(tmp_path / "a.mot").in_degrees


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing\n", "endheader"),
        ("t\nendheader\n", "endheader"),
        ("t\nendheader\ntime\ta\n0.0\n", "2 values in every row"),
        ("t\nendheader\ntime\ta\n0.0\tx\n", "numbers"),
    ],
)
def test_broken_files_say_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.mot").write_text(text)
    with pytest.raises(InputError, match=message):
        read_storage(tmp_path / "a.mot")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with raises_recorded(MissingError):
        read_storage(tmp_path / "no.mot")


@pytest.mark.reference
def test_published_results_of_opensim_are_read(shared: Path) -> None:
    table = read_storage(shared / "reference" / "gait2354" / "expected" / "subject01_walk1_ik.mot")
    assert table.in_degrees
    assert table.values.shape == (73, 23)
    assert table.labels[0] == "pelvis_tilt"
    assert table.times_s[0] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("head", "in_degrees"),
    [
        ("name walk\ndatacolumns 2\ndatarows 1\n", True),
        ("walk\nversion=0\nnRows=1\nnColumns=2\n", True),
        ("walk\nversion=1\nnRows=1\nnColumns=2\n", False),
    ],
)
def test_files_from_before_version_1_are_in_degrees_as_opensim_has_it(
    tmp_path: Path, head: str, in_degrees: bool
) -> None:
    path = tmp_path / "walk.mot"
    path.write_text(head + "endheader\ntime\tknee\n0.0\t-30\n")
    assert read_storage(path).in_degrees is in_degrees
    opensim = pytest.importorskip("opensim")
    assert opensim.Storage(str(path)).isInDegrees() is in_degrees
