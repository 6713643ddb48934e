"""Label tables and splits."""

from __future__ import annotations

from pathlib import Path

import pytest

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.label_tables import read_label_tables
from movi_prep.records.bmlmovi_names import movi_subject
from tests.sentences import raises_recorded


def test_the_packaged_tables_are_those_of_d3ke() -> None:
    tables = read_label_tables()
    lengths = [len(names) for names in (tables.joints, tables.markers, tables.coordinates, tables.bodies)]
    assert lengths == [22, 55, 69, 48]
    assert len(tables.opensim_joints) == 50
    assert tables.opensim_joints[-2:] == ("radiocarpal", "radiocarpal_l")
    assert [tables.split_of(subject) for subject in map(movi_subject, (1, 14, 2, 12))] == [
        "train",
        "validation",
        "test",
        "none",
    ]


def test_a_split_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "split.yaml"
    path.write_text("train: [2, 12]\ntest: [1]\n")
    tables = read_label_tables(split=path)
    assert [tables.split_of(subject) for subject in map(movi_subject, (2, 12, 1, 14))] == [
        "train",
        "train",
        "test",
        "none",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: [1]\ntest: [1]\n", "subject 1 in train and test"),
        ("trian: [1]\n", "did you mean 'train'"),
        ("train: [[one]]\n", "names of subjects"),
        ("- 1\n", "a YAML mapping"),
        ("train: [1\n", "a YAML file"),
    ],
)
def test_a_wrong_split_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "split.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_label_tables(split=path)


def test_missing_and_other_files_are_named(tmp_path: Path) -> None:
    with raises_recorded(MissingError):
        read_label_tables(tmp_path / "none.yaml")
    (tmp_path / "other.yaml").write_text("format: other\n")
    with raises_recorded(InputError):
        read_label_tables(tmp_path / "other.yaml")
