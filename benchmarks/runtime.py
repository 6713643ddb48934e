"""Numbers of the runtime: planning, overhead, speed-up, memory, kills, and equal bytes from every executor.

    python -m benchmarks.runtime planning overhead          # need no data
    python -m benchmarks.runtime --data demo speed-up memory kills equal costs
    python -m benchmarks.runtime --data demo --slurm-profile profile.yaml equal

`--data` is a folder that `movi-prep demo` wrote. Without names, everything is measured that the data allow.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from movi_prep.config.base import Settings
from movi_prep.config.load import load_config
from movi_prep.demo.open_body import write_open_body
from movi_prep.records.unit import AnyStage, FileSet, StageReport, paths_of
from movi_prep.runtime.locks import hold_scopes, scope_of
from movi_prep.runtime.pipeline_run import Prepared, carry_out, prepare_run, remember
from movi_prep.runtime.unit_attempt import Task, execute
from movi_prep.stages.order import ORDER, load_stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from movi_prep.config.root import Config
    from movi_prep.runtime.unit_record import UnitRecord
    from movi_prep.runtime.work_plan import PlannedUnit

T = TypeVar("T")

SUBJECTS = [number for number in range(1, 91) if number not in (7, 10, 26, 49)]
N_CLIPS = 1801
RESULTS = ("markers", "models", "ik", "alignment", "shards", "shards-d3ke")
N_FRAMES = 303_000
"""Video frames of BMLmovi's clips in one camera, about."""

SEED = 5

COSTS = {
    "static": ((), "subject"),
    "markers": (("markers",), "clip"),
    "scale": (("models",), "subject"),
    "ik": (("ik",), "clip"),
    "align": (("alignment",), "subject"),
    "shard": (("shards",), "crop"),
    "shard_d3ke": (("shards-d3ke",), "crop"),
}
"""What each stage writes, and what its cost grows with."""


class Silent:
    """An observer that only remembers."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.records: list[UnitRecord] = []

    def unit_held(self, planned: PlannedUnit) -> None:
        """Ignore it."""

    def unit_ended(self, record: UnitRecord) -> None:
        """Keep the record."""
        self.records.append(record)

    def unit_advanced(self, unit_id: str, fraction: float) -> None:
        """Ignore it."""

    def tick(self, waits_for: str) -> None:
        """Ignore it."""


def say(what: str, value: str, bound: str = "") -> None:
    """Print one row of the table."""
    print(f"{what:<68} {value:>16}  {bound}", flush=True)


def measure_planning(folder: Path) -> None:
    """Plan the whole of BMLmovi from stand-in files: the first time, after a run, and once more."""
    config = write_stand_ins(folder)
    stages = tuple(stand_in(load_stage(entry)) for entry in ORDER if entry.name != "shard_d3ke")
    first_s, prepared = timed(lambda: prepare_run(config, stages))
    say(f"plan {N_CLIPS} clips, {len(prepared.plan.units)} units, nothing ran yet", f"{first_s:.2f} s", "< 10 s")
    run_s, result = timed(lambda: carry_out(prepared, Silent(), redo=no_redo))
    say(
        f"overhead per unit, serial ({len(result.records)} units)",
        f"{1000 * run_s / len(result.records):.1f} ms",
        "< 20 ms",
    )
    # Longer than files take to count as settled (see `file_identity`): hashes of younger ones are not remembered.
    time.sleep(3)
    second_s, prepared = timed(lambda: plan_and_remember(config, stages))
    say("plan again, all current, every output read once more", f"{second_s:.2f} s", "< 10 s")
    third_s, prepared = timed(lambda: prepare_run(config, stages))
    say(f"plan again, stamps known ({len(prepared.plan.to_run)} to run)", f"{third_s:.2f} s", "< 10 s")


def measure_overhead(folder: Path) -> None:
    """Run units that do nothing on two local workers."""
    config = write_stand_ins(folder, n_clips=400).model_copy(
        update={"run": load_config(None, {"run": {"executor": "local", "workers": 2}}).run}
    )
    stages = tuple(stand_in(load_stage(entry)) for entry in ORDER if entry.name in ("static", "markers"))
    prepared = prepare_run(config, stages)
    observer = Stopwatch()
    begin_cpu_s = time.process_time()
    carry_out(prepared, observer, redo=no_redo)
    cpu_ms = 1000 * (time.process_time() - begin_cpu_s) / observer.count
    per_unit_ms = 1000 * (observer.last_s - observer.first_s) / (observer.count - 1)
    say(f"overhead per unit, two local workers ({observer.count} units)", f"{per_unit_ms:.1f} ms", "< 20 ms")
    say("of which processor time of the scheduling process", f"{cpu_ms:.1f} ms")


def measure_speed_up(folder: Path, data: Path) -> None:
    """Run markers, scaling and IK of 16 clips of five minutes on one worker and on two, one after the other."""
    copies = copy_clips(data, folder / "data", per_subject=8, repeats=100)
    seconds = {}
    # Compiles the solver, so that neither measurement contains it.
    run_cli("ik", copies, folder / "warm", "--subjects", "1", "--clips", "1", "--executor", "serial")
    for workers in (1, 2):
        begin = time.perf_counter()
        run_cli("ik", copies, folder / f"work{workers}", "--executor", "local", "--workers", str(workers))
        seconds[workers] = time.perf_counter() - begin
    say("16 clips with IK, one worker", f"{seconds[1]:.1f} s")
    say("16 clips with IK, two workers", f"{seconds[2]:.1f} s")
    say("two workers against one", f"{seconds[1] / seconds[2]:.2f} x", ">= 1.7 x")
    # What others do on the machine weighs on wall time; processor time tells what two free cores would give.
    work_s = {workers: processor_seconds(folder / f"work{workers}") for workers in (1, 2)}
    say("processor time of all units, one worker and two", f"{work_s[1]:.1f}, {work_s[2]:.1f} s")
    say("two workers against one by processor time", f"{2 * work_s[1] / work_s[2]:.2f} x", ">= 1.7 x")


def measure_memory(folder: Path, data: Path, n_units: int = 300) -> None:
    """Run IK units in one process and watch its memory."""
    copies = copy_clips(data, folder / "data", per_subject=n_units // 2, n_samples=61)
    run_cli("markers", copies, folder / "work", "--executor", "local", "--workers", "2")
    run_cli("ik", copies, folder / "work", "--only", "scale S001", "--only", "scale S015", "--executor", "serial")
    config = load_config(copies / "config.yaml", {"work": folder / "work"})
    stages = [load_stage(entry) for entry in ORDER if entry.name in ("static", "markers", "scale", "ik")]
    prepared = prepare_run(config, stages)
    resident_mb = resident_after_each(prepared, prepared.plan.to_run)
    # From the 20th on: until then caches fill and libraries load.
    grown_mb = resident_mb[-1] - resident_mb[19]
    say(f"resident memory after IK unit 20 and {len(resident_mb)}", f"{resident_mb[19]:.0f}, {resident_mb[-1]:.0f} MB")
    say("growth", f"{grown_mb:.1f} MB", "< 100 MB")


def measure_kills(folder: Path, data: Path, n_kills: int = 20) -> None:
    """Kill workers and whole runs at random moments, start again, and compare with an undisturbed run."""
    chance = random.Random(SEED)  # noqa: S311 - reproducible, not secret
    choice = ("--clips", "1-2", "--executor", "local", "--workers", "2")
    undisturbed_s, _ = timed(lambda: run_cli("run", data, folder / "undisturbed", *choice))
    expected = hashes(folder / "undisturbed")
    kills = {"run": 0, "worker": 0}
    wrong = 0
    while sum(kills.values()) < n_kills:
        work = folder / f"work{sum(kills.values())}"
        for _ in range(4):
            victim = chance.choice(("run", "worker"))
            if kill_once(data, work, choice, victim=victim, after_s=chance.uniform(1.0, undisturbed_s), chance=chance):
                kills[victim] += 1
            # After a kill files may be missing, but those that are there must be whole and right.
            wrong += sum(expected.get(name) != value for name, value in hashes(work).items())
        run_cli("run", data, work, *choice)
        wrong += hashes(work) != expected
        shutil.rmtree(work)
    say(f"kills: {kills['run']} of the whole run, {kills['worker']} of a worker", f"{wrong} wrong files", "0")


def measure_equal(folder: Path, data: Path, profile: Path | None) -> None:
    """Compare the bytes of every result between executors, and time a second run."""
    run_cli("run", data, folder / "serial", "--executor", "serial")
    expected = hashes(folder / "serial")
    run_cli("run", data, folder / "local", "--executor", "local", "--workers", "2")
    say(f"serial and two processes, {len(expected)} files", say_equal(hashes(folder / "local"), expected), "equal")
    if profile is not None:
        run_cli("run", data, folder / "slurm", "--executor", "slurm", "--slurm-profile", str(profile))
        say(f"serial and SLURM, {len(expected)} files", say_equal(hashes(folder / "slurm"), expected), "equal")
    run_cli("run", data, folder / "serial", "--executor", "serial")
    second_s, _ = timed(lambda: run_cli("run", data, folder / "serial", "--executor", "serial"))
    say("a second run of the embedded set, process start included", f"{second_s:.2f} s", "< 3 s")


def measure_costs(folder: Path, data: Path) -> None:
    """Run the demo data set in one process and say what the whole of BMLmovi would take."""
    for layout in ("native", "d3ke"):
        # Twice: the first run also compiles and loads.
        run_cli("run", data, folder / "work", "--executor", "serial", "--layout", layout)
        run_cli("run", data, folder / "work", "--executor", "serial", "--layout", layout, "--force")
    total_h = total_gb = 0.0
    for stage, (folders, per) in COSTS.items():
        records = [json.loads(path.read_text()) for path in (folder / "work" / "records" / stage).rglob("*.json")]
        n_units, n_rows = len(records), frames_in(folder / "work") * (2 if per == "crop" else 1)
        scale = {"subject": len(SUBJECTS) / n_units, "clip": N_FRAMES / n_rows, "crop": 2 * N_FRAMES / n_rows}[per]
        hours = scale * sum(record["processor_seconds"] for record in records) / 3600
        gigabytes = scale * sum(size_of(folder / "work" / name) for name in folders) / 1e9
        say(f"{stage}: all of BMLmovi, one core", f"{hours:.2f} h", f"{gigabytes:.1f} GB")
        total_h, total_gb = total_h + hours, total_gb + gigabytes
    say("all stages, both layouts", f"{total_h:.1f} h", f"{total_gb:.0f} GB")


def processor_seconds(work: Path) -> float:
    """Return the processor time of all units of a work folder."""
    paths = (path for path in (work / "records").rglob("*.json") if path.name != "file_hashes.json")
    return sum(json.loads(path.read_text())["processor_seconds"] for path in paths)


def frames_in(work: Path) -> int:
    """Return how many rows inverse kinematics has solved."""
    records = [json.loads(path.read_text()) for path in (work / "records" / "ik").rglob("*.json")]
    return sum(record["numbers"]["rows"] for record in records)


def size_of(folder: Path) -> int:
    """Return the size of all files below a folder, bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class Stopwatch(Silent):
    """Notes when the first and the last unit ended."""

    def __init__(self) -> None:
        """Start with nothing."""
        super().__init__()
        self.first_s = self.last_s = 0.0

    @property
    def count(self) -> int:
        """Units that ended."""
        return len(self.records)

    def unit_ended(self, record: UnitRecord) -> None:
        """Note the time."""
        self.last_s = time.perf_counter()
        self.first_s = self.first_s or self.last_s
        super().unit_ended(record)


def write_stand_ins(folder: Path, n_clips: int = N_CLIPS) -> Config:
    """Write files that are named like the whole of BMLmovi and hold next to nothing."""
    rng = np.random.default_rng(SEED)
    write_open_body(folder / "models")
    per_subject = -(-n_clips // len(SUBJECTS))
    clips = [(subject, clip) for clip in range(1, per_subject + 1) for subject in SUBJECTS][:n_clips]
    for subject, clip in clips:
        path = folder / "amass" / f"Subject_{subject}_F_MoSh" / f"Subject_{subject}_F_{clip}_poses.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            trans=np.zeros((4, 3)),
            gender=np.array("female"),
            mocap_framerate=np.array(120.0),
            betas=rng.normal(size=16),
            dmpls=np.zeros((4, 8)),
            poses=np.zeros((4, 156)),
        )
    for subject in SUBJECTS:
        for name in (
            f"F_v3d_Subject_{subject}.mat",
            f"F_PG1_Subject_{subject}_L.avi",
            f"F_PG2_Subject_{subject}_L.avi",
        ):
            (folder / name).touch()
    for camera in ("PG1", "PG2"):
        for name in (f"cameraParams_{camera}.npz", f"Extrinsics_{camera}.npz"):
            (folder / name).touch()
    parts = {"amass": folder / "amass", "body_models": folder / "models"}
    parts |= dict.fromkeys(("v3d", "videos", "calibration"), folder)
    return load_config(None, {"work": folder / "work", **parts, "run": {"executor": "serial"}})


def stand_in(stage: AnyStage) -> AnyStage:
    """Return a stage that plans as the real one and writes a line to each output."""
    return replace(stage, run=write_a_line)


def write_a_line(_inputs: FileSet, outputs: FileSet, _settings: Settings) -> StageReport:
    """Write a line to each of a unit's outputs."""
    for _, path in paths_of(outputs):
        path.write_text(path.name)
    return StageReport()


def copy_clips(data: Path, target: Path, *, per_subject: int, n_samples: int | None = None, repeats: int = 1) -> Path:
    """Return a folder with as many clips per subject as asked for: the demo's own, again and again.

    Each is cut to `n_samples`, or played forwards and backwards until it is `repeats` times as long.
    """
    shutil.copytree(data / "body_models", target / "body_models")
    for subject in (1, 15):
        found = sorted(data.rglob(f"Subject_{subject}_F_*_poses.npz"))
        for clip in range(1, per_subject + 1):
            path = target / "amass" / f"Subject_{subject}_F_MoSh" / f"Subject_{subject}_F_{clip}_poses.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            with np.load(found[clip % len(found)]) as source:
                np.savez(path, **{name: stretch(source[name], n_samples, repeats) for name in source.files})
    (target / "config.yaml").write_text("amass: amass\nbody_models: body_models\n")
    return target


def stretch(values: np.ndarray, n_samples: int | None, repeats: int) -> np.ndarray:
    """Return an array over time cut and repeated to and fro, other arrays as they are."""
    if values.ndim != 2:
        return values
    cut = values[:n_samples] if n_samples else values
    return np.concatenate([cut[:: 1 if turn % 2 == 0 else -1] for turn in range(repeats)])


def resident_after_each(prepared: Prepared, planned: Sequence[PlannedUnit]) -> list[float]:
    """Return the memory of this process after each unit, megabytes."""
    work = prepared.plan.work
    with hold_scopes(work, {scope_of(item.unit.key) for item in planned}, "benchmark"):
        ends = [execute(Task(item.stage, item.unit, work, "benchmark")) for item in planned]
    failed = [end.record.reason for end in ends if end.record.status == "failed"]
    if failed:
        raise SystemExit(f"{len(failed)} units failed: {failed[0]}")
    return [end.resident_mb for end in ends]


def kill_once(
    data: Path, work: Path, choice: Sequence[str], *, victim: str, after_s: float, chance: random.Random
) -> bool:
    """Start a run and kill it, or one of its workers, after a while; return whether there was something to kill."""
    process = subprocess.Popen(
        command("run", data, work, *choice), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        if victim == "run":
            process.kill()
            process.wait()
            return True
        workers = workers_of(process.pid)
        if workers:
            os.kill(chance.choice(workers), signal.SIGKILL)
        process.wait()
        return bool(workers)
    return False


def workers_of(pid: int) -> list[int]:
    """Return the worker processes that a run has started."""
    found: list[int] = []
    # The kernel lists the children of each thread separately, and Dask starts workers from several.
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            # Workers are spawned by multiprocessing; nannies and resource trackers have other command lines.
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


def command(name: str, data: Path, work: Path, *more: str) -> list[str]:
    """Return the words of a movi-prep command on demo data."""
    return [sys.executable, "-m", "movi_prep", name, "--config", str(data / "config.yaml"), "--work", str(work), *more]


def run_cli(name: str, data: Path, work: Path, *more: str) -> None:
    """Run a command; stop the benchmark where it fails."""
    done = subprocess.run(command(name, data, work, *more), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"movi-prep {name} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")


def hashes(work: Path) -> dict[str, str]:
    """Return the hash of every result; records, logs and scratch files aside."""
    return {
        str(path.relative_to(work)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in RESULTS
        for path in sorted((work / folder).rglob("*"))
        if path.is_file()
    }


def say_equal(found: dict[str, str], expected: dict[str, str]) -> str:
    """Return how many files differ."""
    differing = [name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)]
    return f"{len(differing)} differ" if differing else "equal"


def plan_and_remember(config: Config, stages: Sequence[AnyStage]) -> Prepared:
    """Plan, and keep the hashes as a run does."""
    prepared = prepare_run(config, stages)
    remember(prepared)
    return prepared


def no_redo(planned: PlannedUnit) -> str:
    """Stand in for the command that repeats a unit."""
    return planned.unit.id


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return wall seconds and the result."""
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


WITH_DATA = {
    "speed-up": measure_speed_up,
    "memory": measure_memory,
    "kills": measure_kills,
    "costs": measure_costs,
}


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ("planning", "overhead", "speed-up", "memory", "kills", "equal", "costs")
    parser.add_argument("names", nargs="*", choices=[*names, []], help="what to measure")
    parser.add_argument("--data", type=Path, help="folder written by movi-prep demo")
    parser.add_argument("--slurm-profile", type=Path, help="compare SLURM, too")
    given = parser.parse_args()
    data = given.data.absolute() if given.data else None
    with tempfile.TemporaryDirectory() as temporary:
        for name in given.names or (names if data else names[:2]):
            folder = Path(temporary) / name
            folder.mkdir()
            if name == "planning":
                measure_planning(folder)
            elif name == "overhead":
                measure_overhead(folder)
            elif data is None:
                raise SystemExit(f"{name} needs --data")
            elif name == "equal":
                measure_equal(folder, data, given.slurm_profile)
            else:
                WITH_DATA[name](folder, data)


if __name__ == "__main__":
    main()
