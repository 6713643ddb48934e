"""The smoke pipeline, as a user runs it: locally, once more, and on SLURM; all three end with the same bytes."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ("markers", "models", "ik", "alignment", "shards", "shards-d3ke")


def run_smoke(work: Path, *more: str) -> tuple[int, dict[str, Any]]:
    words = ["run", "--config", "pipelines/smoke.yaml", "--work", str(work), "--json", *more]
    done = subprocess.run(
        [sys.executable, "-m", "movi_prep", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def hashes(work: Path) -> dict[str, str]:
    return {
        str(path.relative_to(work)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in RESULTS
        for path in (work / folder).rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder of a smoke run on two local processes."""
    work = tmp_path_factory.mktemp("smoke") / "local"
    code, result = run_smoke(work)
    assert code == 0, result["failed"]
    assert result["stages"]["ik"] == {"done": 2, "current": 0, "failed": 0, "waiting": 0}
    return work


@pytest.mark.slow
def test_the_smoke_pipeline_ends_in_shards_of_both_layouts(smoke: Path) -> None:
    written = hashes(smoke)
    assert "shards/S001_PG1.h5" in written
    assert "shards-d3ke/subject_1.hdf5" in written


@pytest.mark.slow
def test_a_second_smoke_run_executes_nothing(smoke: Path) -> None:
    before = hashes(smoke)
    code, result = run_smoke(smoke)
    assert code == 0
    assert {stage: counts["done"] for stage, counts in result["stages"].items()} == dict.fromkeys(result["stages"], 0)
    assert hashes(smoke) == before


@pytest.mark.slow
def test_serial_gives_the_same_bytes(smoke: Path, tmp_path: Path) -> None:
    shutil.copytree(smoke / "embedded", tmp_path / "embedded")
    code, result = run_smoke(tmp_path, "--executor", "serial")
    assert code == 0, result["failed"]
    assert hashes(tmp_path) == hashes(smoke)


@pytest.mark.slow
@pytest.mark.slurm
def test_slurm_gives_the_same_bytes(smoke: Path, tmp_path: Path, slurm_profile: Path) -> None:
    shutil.copytree(smoke / "embedded", tmp_path / "embedded")
    code, result = run_smoke(tmp_path, "--executor", "slurm", "--slurm-profile", str(slurm_profile))
    assert code == 0, result["failed"]
    assert hashes(tmp_path) == hashes(smoke)
