"""SLURM for real, or a reason why not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.builders.download import write_small_download

PROFILE = """
processes: 2
memory: 6 GB
walltime: "00:10:00"
retire_before_s: 60
stagger_s: 5
maximum_jobs: 1
interface: lo
"""


@pytest.fixture(scope="session")
def slurm_profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile for the one-node cluster; tests that use it carry the marker `slurm`."""
    if shutil.which("sinfo") is None:
        pytest.skip("no SLURM here (tests/slurm/start_slurm.sh starts one)")
    answer = subprocess.run(["sinfo", "--noheader"], capture_output=True, text=True, timeout=120, check=False)
    if answer.returncode != 0 or not answer.stdout.strip():
        pytest.skip(f"SLURM does not answer: {answer.stderr.strip()} (tests/slurm/start_slurm.sh starts one)")
    path = tmp_path_factory.mktemp("slurm") / "profile.yaml"
    path.write_text(PROFILE)
    return path


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_download(tmp_path_factory.mktemp("download"))
