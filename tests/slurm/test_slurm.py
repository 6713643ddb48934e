"""The same units as SLURM jobs, through a real scheduler."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from movi_prep.cli import main
from movi_prep.errors import UsageError
from movi_prep.records.bmlmovi_names import movi_clip
from movi_prep.records.unit import Stage
from movi_prep.runtime.plan_execution import RunResult
from movi_prep.runtime.slurm.cluster import cluster_arguments, read_profile, seconds_of
from movi_prep.runtime.worker_pools import WorkersLostError
from movi_prep.runtime.worker_setup import RETIRE_AT
from tests.runtime.conftest import Silent, World
from tests.runtime.fake_stages import GROW, STAGES, wait_until, write_motions

ROOT = Path(__file__).parents[2]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return write_world(tmp_path, [b"motion"] * 7 + [b"long"])


def test_walltimes_are_read_as_slurm_writes_them() -> None:
    assert seconds_of("01:00:00") == 3600
    assert seconds_of("2-03:00:10") == 2 * 86400 + 3 * 3600 + 10


def test_the_packaged_profile_retires_workers_before_their_walltime(tmp_path: Path) -> None:
    profile = read_profile(None)
    arguments = cluster_arguments(profile, tmp_path / "my logs")
    assert f'--error="{tmp_path}/my logs/movi-prep-%J.err"' in arguments["job_extra_directives"]
    [line] = [line for line in arguments["job_script_prologue"] if RETIRE_AT in line]
    script = f"date() {{ echo 0; }}; {line}; echo ${RETIRE_AT}"
    drawn_s = [int(subprocess.check_output(["bash", "-c", script])) for _ in range(20)]
    last_s = seconds_of(profile.walltime) - profile.retire_before_s
    assert last_s - profile.stagger_s <= min(drawn_s) < max(drawn_s) <= last_s
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
    # Jobs are cancelled while the run ends; the queue may list them for a moment longer.
    wait_until(lambda: not jobs())


def jobs(names: str = "movi-prep", states: str = "PENDING,RUNNING") -> list[str]:
    """Lines of jobs of these names that are queued or running."""
    listed = subprocess.run(
        ["squeue", "--noheader", f"--name={names}", f"--states={states}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.splitlines()


def run_on_slurm(
    world: World, profile: Path, *, observer: Silent | None = None, stages: tuple[Stage, ...] = STAGES, **more: object
) -> RunResult:
    """Run on SLURM with a profile that has further lines."""
    changed = world.folder / "profile.yaml"
    settings = yaml.safe_load(profile.read_text()) | more
    changed.write_text(yaml.safe_dump(settings))
    return world.run(stages=stages, run={"executor": "slurm", "slurm_profile": changed}, observer=observer)


@pytest.mark.slurm
def test_jobs_follow_each_other_and_none_ends_with_a_unit_in_hand(
    tmp_path: Path, slurm_profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    # Every unit lasts beyond the time at which its worker retires, which is 20 s after its job began.
    world = write_world(tmp_path, [b"late"] * 3)
    lifetime = {"walltime": "00:01:20", "retire_before_s": 60, "stagger_s": 0}
    result = run_on_slurm(world, slurm_profile, stages=(GROW,), **lifetime)
    assert result.is_complete
    assert {record.tries for record in result.records.values()} == {1}
    assert len(list((world.work / "logs" / "slurm").glob("movi-prep-*.out"))) >= 2


@dataclass
class Clearing(Silent):
    """An observer that takes away the job that stands in the way, once it has been reported of the wait."""

    job: int = 0

    def tick(self, waits_for: str) -> None:
        if "pending (Resources)" in waits_for:
            cancel(self.job)


def cancel(job: int) -> None:
    subprocess.run(["scancel", str(job)], check=True)


@pytest.mark.slurm
def test_a_job_that_has_to_wait_keeps_its_place(
    tmp_path: Path, slurm_profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    world = write_world(tmp_path, [b"motion"] * 2)
    before = submit("--exclusive", "--job-name=before", "--wrap=sleep 600")
    try:
        wait_until(lambda: bool(jobs("before", "RUNNING")))
        assert run_on_slurm(world, slurm_profile, observer=Clearing(job=before)).is_complete
    finally:
        cancel(before)
    # One job was asked for, and no other: withdrawn ones would have used up numbers.
    assert submit("--wrap=true") == before + 2


FROM_A_TERMINAL = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from movi_prep.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slurm
def test_ctrl_c_cancels_the_jobs_and_says_how_to_go_on(data: Path, tmp_path: Path, slurm_profile: Path) -> None:
    flags = ["--amass", str(data / "amass"), "--body-models", str(data / "models"), "--work", str(tmp_path / "work")]
    slurm = ["--executor", "slurm", "--slurm-profile", str(slurm_profile)]
    words = [sys.executable, "-c", FROM_A_TERMINAL, "markers", *flags, *slurm]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_until(lambda: bool(jobs()))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate()
    assert process.returncode == 1
    assert said.rstrip().endswith("stopped; the same command resumes where it stopped")
    wait_until(lambda: not jobs())


@pytest.mark.slurm
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"queue": "nosuch"}, "sbatch refuses a job.*[Ii]nvalid partition"),
        (
            {"prologue": ["echo no such module >&2", "exit 3"]},
            "ended .FAILED. before a worker connected.*no such module",
        ),
    ],
)
def test_a_profile_that_gives_no_workers_ends_the_run_with_the_reason(
    tmp_path: Path, slurm_profile: Path, wrong: dict[str, object], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("movi_prep.runtime.slurm.adaptive_jobs._LOOK_EVERY_S", 3.0)
    with pytest.raises(WorkersLostError, match=said):
        run_on_slurm(write_world(tmp_path, [b"motion"]), slurm_profile, **wrong)


@pytest.mark.slurm
def test_a_network_that_is_not_there_is_said(tmp_path: Path, slurm_profile: Path) -> None:
    with pytest.raises(UsageError, match=r"scheduler does not start .*nosuch0.*`interface` is nosuch0"):
        run_on_slurm(write_world(tmp_path, [b"motion"]), slurm_profile, interface="nosuch0")


def write_world(folder: Path, contents: list[bytes]) -> World:
    """One subject, a clip per content."""
    write_motions(
        folder / "amass", {movi_clip(1, clip): b"%s %d" % (content, clip) for clip, content in enumerate(contents, 1)}
    )
    return World(folder)


def submit(*words: str) -> int:
    """Submit a job and return its number."""
    done = subprocess.run(
        ["sbatch", "--parsable", "--output=/dev/null", *words], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


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
    log = scripts / "finish.log"
    wait_until(lambda: log.is_file() and not jobs("movi-prep-markers,movi-prep-finish"), guard_s=400)
    assert len(list(work.glob("markers/S*/C*.h5"))) == 4
    assert re.search(r"markers +0 +4 +0 +0", log.read_text())
