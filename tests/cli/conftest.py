"""A small download with the open body: enough for the marker stage to run for real."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from movi_prep.cli import main
from movi_prep.demo.open_body import write_open_body
from tests.builders.body import build_motion, new_release, old_release, write_npz


@dataclass
class CommandLine:
    """Runs commands on one download and one work folder."""

    data: Path
    work: Path
    capfd: pytest.CaptureFixture[str]

    def flags(self) -> list[str]:
        return [
            "--work",
            str(self.work),
            "--amass",
            str(self.data / "amass"),
            "--body-models",
            str(self.data / "models"),
        ]

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit code, standard output and standard error."""
        self.capfd.readouterr()
        code = main(list(arguments))
        said = self.capfd.readouterr()
        return code, said.out, said.err

    def json(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run with `--json` and return the one object on standard output."""
        code, out, _ = self(*arguments, "--json")
        return code, json.loads(out)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("download")
    write_open_body(folder / "models")
    for subject, clip in ((1, 1), (1, 2), (15, 1)):
        motion = build_motion(41, seed=10 * subject + clip)
        where = folder / "amass" / "BMLmovi" / f"Subject_{subject}_F_MoSh"
        write_npz(where / f"Subject_{subject}_F_{clip}_poses.npz", old_release(motion))
    write_npz(folder / "amass" / "Subject_15_F_MoSh" / "Subject_15_F_2_stageii.npz", new_release(build_motion(41)))
    return folder


@pytest.fixture
def movi_prep(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(data, tmp_path / "work", capfd)
