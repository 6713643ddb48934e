"""Paths in sections: a file where a file is read, a folder where a folder is."""

from __future__ import annotations

from pathlib import Path

import pytest

from movi_prep.config.load import check_files, load_config
from movi_prep.errors import UsageError

FOLDERS, FILES = ("shard.pascal",), ("shard.split", "markers.marker_set", "scaling.model", "ik.setup")


@pytest.mark.parametrize("setting", [*FOLDERS, *FILES])
def test_each_setting_takes_its_kind_of_path_and_no_other(tmp_path: Path, setting: str) -> None:
    section, name = setting.split(".")
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a file").touch()
    wanted, other = ("a folder", "a file") if setting in FOLDERS else ("a file", "a folder")
    check_files(load_config(None, {section: {name: str(tmp_path / wanted)}}))
    for wrong in (other, "nothing"):
        with pytest.raises(UsageError):
            check_files(load_config(None, {section: {name: str(tmp_path / wrong)}}))
