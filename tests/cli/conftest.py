"""A small download with the open body: enough for the marker stage to run for real."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from movi_prep.cli import main
from tests.builders.download import write_small_download


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
    return write_small_download(tmp_path_factory.mktemp("download"))


@pytest.fixture
def movi_prep(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(data, tmp_path / "work", capfd)
