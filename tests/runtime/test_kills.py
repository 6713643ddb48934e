"""SIGKILL at random moments, to a worker and to the whole run: started again, the end is as if nothing had been."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from movi_prep.records.bmlmovi_names import movi_clip
from tests.runtime.conftest import World
from tests.runtime.fake_stages import release_file, wait_until, write_motions

ROOT = Path(__file__).parents[2]
CLIPS = [movi_clip(subject, clip) for subject in (1, 15) for clip in range(1, 6)]


def start(world: World) -> subprocess.Popen[bytes]:
    """Start a run in a process group of its own, as a shell does."""
    words = [sys.executable, "-m", "tests.runtime.run_world", str(world.folder)]
    with (world.folder / "stderr.txt").open("wb") as stderr:
        return subprocess.Popen(words, cwd=ROOT, start_new_session=True, stderr=stderr)


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *descendants(child)]
    return found


def workers_of(pid: int) -> list[int]:
    """Processes that Dask started to run units."""
    return [child for child in descendants(pid) if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def wait_for_workers(process: subprocess.Popen[bytes]) -> list[int]:
    """Return the run's workers; between two of them there may be none for a moment."""
    while process.poll() is None:
        # One may end while it is looked at.
        with suppress(FileNotFoundError, ProcessLookupError):
            if workers := workers_of(process.pid):
                return workers
        time.sleep(0.01)
    raise AssertionError("the run ended before one of its workers could be killed")


def has_ended(pid: int) -> bool:
    """Whether a process is gone; where nobody reaps orphans, a dead one stays listed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_for_first_unit(world: World) -> None:
    """Return when a unit has ended, which its record says."""
    wait_until(lambda: any((world.work / "records" / "grow").rglob("*.json")))


def check_nothing_incomplete(world: World, expected: dict[str, bytes]) -> None:
    for name, content in world.results().items():
        assert content == expected[name], f"{name} stands under its final name and is not whole"


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "victim"), [(1, "run"), (2, "worker"), (3, "run")])
def test_a_killed_run_ends_as_an_undisturbed_one(world: World, seed: int, victim: str) -> None:
    # One clip of each subject lasts until the kill, however fast the machine is.
    kinds = {clip: "hold" if clip.clip == 5 else "slow" for clip in CLIPS}
    write_motions(world.amass, {clip: f"{kind} {clip}".encode() for clip, kind in kinds.items()})
    release_file(world.amass).touch()
    assert world.run().is_complete
    expected = world.results()
    shutil.rmtree(world.work)
    release_file(world.amass).unlink()

    process = start(world)
    try:
        wait_for_first_unit(world)
        chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
        time.sleep(chance.uniform(0.0, 0.7))
        workers = wait_for_workers(process)
        os.kill(process.pid if victim == "run" else chance.choice(workers), signal.SIGKILL)
        release_file(world.amass).touch()
        assert process.wait() == (-signal.SIGKILL if victim == "run" else 0)
        check_nothing_incomplete(world, expected)

        again = world.run()
        assert again.is_complete
        assert len(again.records) < len(CLIPS) + 2
        assert world.results() == expected
        wait_until(lambda: all(map(has_ended, workers)))
        assert not list(world.work.rglob(".partial-*"))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.slow
def test_ctrl_c_ends_a_run_amid_long_units_without_noise_and_the_next_run_goes_on(world: World) -> None:
    write_motions(world.amass, dict.fromkeys(CLIPS, b"ages") | {CLIPS[0]: b"slow"})
    process = start(world)
    wait_for_first_unit(world)
    begin = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    # Who presses again and again, until the prompt is back, is not punished with complaints of what was being closed.
    # The units in hand would take ten minutes.
    while process.poll() is None and time.monotonic() - begin < 60:
        time.sleep(0.02)
        process.send_signal(signal.SIGINT)
    assert process.returncode == 3
    assert "Traceback" not in (world.folder / "stderr.txt").read_text()
    write_motions(world.amass, {clip: f"slow {clip}".encode() for clip in CLIPS})
    assert world.run().is_complete
