"""Scripts of array jobs are valid in any folder."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from movi_prep.config.root import Config
from movi_prep.config.slurm import SlurmProfile
from movi_prep.errors import UsageError
from movi_prep.runtime.slurm.array_jobs import write_batch
from tests.sentences import raises_recorded

if TYPE_CHECKING:
    from pathlib import Path


def test_every_line_keeps_a_folder_with_blanks_together(tmp_path: Path) -> None:
    folder = tmp_path / "my work" / "batch"
    written = write_batch(
        folder,
        Config(work=folder.parent),
        SlurmProfile(),
        subjects=("S001", "S002", "KIT_3"),
        commands=("markers", "ik"),
        chunk=2,
    )
    assert (folder / "tasks.txt").read_text() == "S001,S002\nKIT_3\n"
    for script in (path for path in written if path.suffix in (".sbatch", ".sh")):
        lines = [line for line in script.read_text().splitlines() if str(folder) in line]
        assert lines
        for line in lines:
            words = shlex.split(line.removeprefix("#SBATCH ").replace("$(", "").replace(")", ""))
            assert any(str(folder) in word for word in words), line


@pytest.mark.parametrize("name", ["a\ntouch made", "a\r", "a\x1b[2J", 'a"b', "a\\b", "a\x85b"])
def test_a_folder_that_would_leave_its_line_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    with raises_recorded(UsageError):
        write_batch(folder, Config(work=tmp_path), SlurmProfile(), subjects=("S001",), commands=("markers",), chunk=1)
    assert not folder.exists()


def test_a_percent_sign_is_no_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "50%a"
    write_batch(folder, Config(work=tmp_path), SlurmProfile(), subjects=("S001",), commands=("markers",), chunk=1)
    assert f'--output="{tmp_path}/50%%a/markers-%a.log"' in (folder / "markers.sbatch").read_text()


@pytest.mark.parametrize("name", ["queue", "account", "interface"])
@pytest.mark.parametrize("text", ["short\ntouch made", "a b", "", "a\x1b", "`x`", "$(x)"])
def test_a_profile_holds_names(name: str, text: str) -> None:
    with pytest.raises(ValidationError) as reported:
        SlurmProfile(**{name: text})
    assert reported.value.errors()[0]["loc"] == (name,)


@pytest.mark.parametrize("name", ["directives", "prologue"])
@pytest.mark.parametrize("text", ["--x\ntouch made", "--x\r", "\x1b"])
def test_a_profile_holds_lines(name: str, text: str) -> None:
    with pytest.raises(ValidationError) as reported:
        SlurmProfile(**{name: ("--fine", text)})
    assert reported.value.errors()[0]["loc"] == (name, 1)
