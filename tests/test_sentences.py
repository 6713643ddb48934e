"""The snapshot of sentences sees what a user would see, and nothing that differs from run to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from movi_prep.errors import InputError
from tests import sentences
from tests.sentences import ROOT, blank_out, check_sentence, raises_recorded


def test_a_sentence_that_is_not_the_recorded_one_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with raises_recorded(InputError):
        raise InputError(tmp_path / "a.npz", expected="an archive", got="a folder", remedy="name a file")
    monkeypatch.setattr(sentences, "_recording", False)
    monkeypatch.setattr(sentences, "_seen", {})
    with pytest.raises(AssertionError):
        check_sentence("another sentence")


def test_folders_and_last_digits_are_left_out(tmp_path: Path) -> None:
    assert blank_out(f"{tmp_path}/a.npz: expected 3, but got 0.1234567") == "FOLDER/a.npz: expected 3, but got 0.123"
    assert blank_out(f"{ROOT}/README.md: 2 lines") == "ROOT/README.md: 2 lines"
