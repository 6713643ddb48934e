"""Scripts of array jobs are valid in any folder."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from movi_prep.config.root import Config
from movi_prep.config.slurm import SlurmProfile
from movi_prep.runtime.batch import write_batch

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
