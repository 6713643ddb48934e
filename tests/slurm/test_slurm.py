"""The same units as SLURM jobs, through a real scheduler."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from movi_prep.cli import main
from movi_prep.errors import UsageError
from movi_prep.records.identity import ClipId
from movi_prep.runtime.slurm import cluster_arguments, read_profile, seconds_of
from tests.runtime.conftest import World
from tests.runtime.fake_stages import write_motions

ROOT = Path(__file__).parents[2]


@pytest.fixture
def world(tmp_path: Path) -> World:
    write_motions(
        tmp_path / "amass",
        {ClipId(1, clip): b"long %d" % clip if clip == 8 else b"motion %d" % clip for clip in range(1, 9)},
    )
    return World(tmp_path)


def test_walltimes_are_read_as_slurm_writes_them() -> None:
    assert seconds_of("01:00:00") == 3600
    assert seconds_of("2-03:00:10") == 2 * 86400 + 3 * 3600 + 10


def test_the_packaged_profile_retires_workers_before_their_walltime(tmp_path: Path) -> None:
    profile = read_profile(None)
    arguments = cluster_arguments(profile, tmp_path)
    lifetime_s = int(arguments["worker_extra_args"][1].removesuffix("s"))
    assert lifetime_s + profile.stagger_s + profile.retire_before_s == seconds_of(profile.walltime)
    with pytest.raises(UsageError, match="longer than retire_before_s"):
        cluster_arguments(profile.model_copy(update={"walltime": "00:01:00"}), tmp_path)


@pytest.mark.slurm
def test_slurm_writes_what_one_process_writes(
    world: World, slurm_profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert world.run().is_complete
    serial = world.results()
    shutil.rmtree(world.work)
    # The last one is long: an idle process beside it must not cost it its job.
    result = world.run(run={"executor": "slurm", "slurm_profile": slurm_profile})
    assert result.is_complete
    assert {record.tries for record in result.records.values()} == {1}
    assert len(result.records) == 9
    assert world.results() == serial
    until = time.monotonic() + 20
    while jobs() and time.monotonic() < until:
        time.sleep(0.2)
    assert jobs() == []


def jobs(names: str = "movi-prep") -> list[str]:
    """Lines of jobs of these names that are queued or running."""
    listed = subprocess.run(
        ["squeue", "--noheader", f"--name={names}", "--states=PENDING,RUNNING"],
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.splitlines()


@pytest.mark.slurm
def test_array_jobs_do_what_a_run_does(data: Path, tmp_path: Path, slurm_profile: Path) -> None:
    flags = ["--amass", str(data / "amass"), "--body-models", str(data / "models")]
    work = tmp_path / "work"
    asked = ["batch", *flags, "--work", str(work), "--slurm-profile", str(slurm_profile)]
    assert main(asked) == 0
    scripts = work / "batch"
    (scripts / "ik.sbatch").unlink()
    submit = (scripts / "submit.sh").read_text().splitlines()
    # Scaling and IK of random motion have their own tests: here one stage and the end of the chain are enough.
    kept = [line for line in submit if "ik" not in line]
    (scripts / "submit.sh").write_text("\n".join(kept) + "\n")
    (scripts / "finish.sbatch").write_text(
        (scripts / "finish.sbatch").read_text().replace("movi_prep ik ", "movi_prep markers ")
    )
    subprocess.run(["bash", str(scripts / "submit.sh")], check=True, capture_output=True)
    until = time.monotonic() + 120
    while not (scripts / "finish.log").is_file() or jobs("movi-prep-markers,movi-prep-finish"):
        assert time.monotonic() < until, "array jobs did not end within two minutes"
        time.sleep(0.5)
    assert len(list(work.glob("markers/S*/C*.h5"))) == 4
    said = (scripts / "finish.log").read_text()
    assert re.search(r"markers +0 +4 +0 +0", said)
