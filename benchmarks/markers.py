"""The marker stage measured: accuracy, throughput against one whole-mesh forward per sample, memory.

    python -m benchmarks.markers [--world ../shared/reference/world_a] [--rounds 5]

Throughput is CPU time on one thread, both sides in the same run and alternating, so that a busy machine weighs on
both alike; the medians of the rounds are shown. Three things are timed:

* the stage at the mocap clock, clip after clip, opening and writing files included;
* one whole-mesh `smplx.lbs.lbs` per sample in float32 and nothing else, its inputs ready in memory;
* the same as D3KE's code wraps it: arrays taken out of the open .npz for every sample, DMPL directions joined to the
  shape directions, results copied to numpy (its text files are not counted).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from smplx.lbs import lbs

from movi_prep.config.root import Config
from movi_prep.formats.amass import read_motion
from movi_prep.formats.body_models import read_body_model
from movi_prep.formats.marker_file import read_markers
from movi_prep.formats.marker_set import default_marker_set_path, read_marker_set
from movi_prep.geometry.frames import ground_to_amass
from movi_prep.recordings.bmlmovi import find_bmlmovi
from movi_prep.recordings.folders import Folders
from movi_prep.records.bmlmovi_names import movi_clip, number_of
from movi_prep.records.body_model import BodyModel
from movi_prep.records.marker_set import JointCentre, Vertex
from movi_prep.records.motion import Motion
from movi_prep.records.recordings import Recordings
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.markers import MARKERS

_MEAN_CLIP = 672
"""Samples in BMLmovi's mean clip (1.21 million in 1801 clips)."""

_FORWARDS = 60
"""Whole-mesh forwards per round; one takes milliseconds, so that these are enough."""


def find_world(world: Path) -> Recordings:
    """Return World A's clips and body models."""
    return find_bmlmovi(Folders(amass=world / "amass", body_models=world))


def run_stage(recordings: Recordings, work: Path, **settings: Any) -> int:
    """Run the marker stage on every clip; return how many samples that were."""
    units = MARKERS.plan(recordings, WorkFolder(work), Config(markers=settings))
    return sum(int(MARKERS.run_unit(unit).numbers["n_samples"]) for unit in units)


def lengthen(recordings: Recordings, folder: Path, n_samples: int) -> Recordings:
    """Return a download whose clips are repeated or cut to `n_samples`."""
    folder.mkdir(parents=True, exist_ok=True)
    motions = {}
    for clip, path in recordings.motions.items():
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        # Only what has one row per sample; betas and rate stay.
        for name in ("poses", "trans", "dmpls"):
            arrays[name] = np.resize(arrays[name], (n_samples, arrays[name].shape[1]))
        motions[clip] = folder / path.name
        np.savez(motions[clip], **arrays)
    return replace(recordings, motions=motions)


class WholeMesh:
    """`smplx.lbs.lbs` on all vertices, with DMPL directions beside the shape directions, as D3KE sets it up."""

    def __init__(self, model: BodyModel, dtype: torch.dtype) -> None:
        """Prepare the tensors once."""
        self.dtype = dtype
        self.shape_directions = self.tensor(model.shape_directions_m)
        self.tissue_directions = self.tensor(model.soft_tissue_directions_m)
        self.rest = (
            self.tensor(model.joint_regressor),
            torch.tensor(model.parents),
            self.tensor(model.skinning_weights),
        )
        self.template = self.tensor(model.template_m)[None]
        self.pose_directions = self.tensor(model.pose_directions_m.reshape(-1, 459).T)

    def tensor(self, values: Any) -> torch.Tensor:
        """Return values as a contiguous tensor of this precision."""
        return torch.tensor(np.ascontiguousarray(values), dtype=self.dtype)

    def forward(
        self, betas: torch.Tensor, poses: torch.Tensor, directions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return all vertices and joints of one sample."""
        result: tuple[torch.Tensor, torch.Tensor] = lbs(
            betas, poses, self.template, directions, self.pose_directions, *self.rest
        )
        return result


def bare_forwards(mesh: WholeMesh, motion: Motion) -> int:
    """Pose whole meshes one by one and throw them away; return how many."""
    directions = torch.cat([mesh.shape_directions, mesh.tissue_directions], dim=-1)
    betas = mesh.tensor(np.concatenate([motion.betas, np.zeros(8)]))[None]
    poses = mesh.tensor(motion.poses_rad.reshape(motion.n_samples, -1))
    for sample in range(_FORWARDS):
        row = sample % motion.n_samples
        mesh.forward(betas, poses[row : row + 1], directions)
    return _FORWARDS


def wrapped_forwards(mesh: WholeMesh, path: Path) -> int:
    """Pose whole meshes one by one the way D3KE does; return how many."""
    with np.load(path) as file:
        n_samples = len(file["poses"])
        for sample in range(_FORWARDS):
            row = slice(sample % n_samples, sample % n_samples + 1)
            # Every look into an open .npz reads that array anew.
            parts = [file["poses"][row, :3], file["poses"][row, 3:66], file["poses"][row, 66:]]
            poses = torch.cat([mesh.tensor(part) for part in parts], dim=1)
            betas = torch.cat([mesh.tensor(file["betas"][None]), torch.zeros_like(mesh.tensor(file["dmpls"][row]))], 1)
            directions = torch.cat([mesh.shape_directions, mesh.tissue_directions], dim=-1)
            for points in mesh.forward(betas, poses, directions):
                points[0].numpy()[:] += file["trans"][row]
    return _FORWARDS


def cpu_us_per_sample(work: Callable[[], int]) -> float:
    """Return CPU microseconds per sample of `work`, which returns how many samples it did."""
    start = time.process_time()
    n_samples = work()
    return (time.process_time() - start) / n_samples * 1e6


def measure_throughput(recordings: Recordings, folder: Path, rounds: int) -> None:
    """Print CPU time per sample of the stage and of both whole-mesh ways, and their ratios."""
    long_clips = lengthen(recordings, folder / "long", _MEAN_CLIP)
    clip, path = next(iter(long_clips.motions.items()))
    motion = read_motion(path)
    model = read_body_model(
        recordings.body_models[motion.body, motion.sex], sex=motion.sex, soft_tissue=recordings.dmpl_models[motion.sex]
    )
    mesh = WholeMesh(model, torch.float32)
    # A new work folder for each run, or the second would find its files in place.
    counter = iter(range(1_000_000))
    ways: dict[str, Callable[[], int]] = {
        "bare": lambda: bare_forwards(mesh, motion),
        "wrapped": lambda: wrapped_forwards(mesh, path),
        "short": lambda: run_stage(recordings, folder / f"work{next(counter)}", rate="mocap"),
        "long": lambda: run_stage(long_clips, folder / f"work{next(counter)}", rate="mocap"),
    }
    for way in ways.values():
        way()  # caches warm, both body models read: a run has 1801 clips to read them once
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(cpu_us_per_sample(way))
    bare, wrapped = np.median(times["bare"]), np.median(times["wrapped"])
    print(f"\nthroughput, CPU us per sample on one thread, median of {rounds} rounds")
    print(f"  one whole-mesh forward per sample, bare           {bare:9.1f}")
    print(f"  one whole-mesh forward per sample, as D3KE wraps it {wrapped:7.1f}   ({clip} at {_MEAN_CLIP} samples)")
    for name, said in (("short", "World A's own clips"), ("long", f"clips of {_MEAN_CLIP} samples")):
        took = np.median(times[name])
        print(f"  the stage, {said:28s} {took:19.1f}   {bare / took:5.0f} x bare   {wrapped / took:5.0f} x as D3KE")


def measure_accuracy(recordings: Recordings, world: Path, folder: Path) -> None:
    """Print the largest distance from World A's truth."""
    run_stage(recordings, folder, rate="mocap")
    rules = read_marker_set(default_marker_set_path()).rules
    vertices = [name for name, rule in rules.items() if isinstance(rule, Vertex)]
    joints = sorted((rule.index, name) for name, rule in rules.items() if isinstance(rule, JointCentre))
    columns = {"markers": vertices, "joints": [name for _, name in joints]}
    worst = dict.fromkeys(columns, 0.0)
    with np.load(world / "truth.npz") as truth:
        for clip in recordings.motions:
            markers = read_markers(WorkFolder(folder).markers(clip))
            for kind, names in columns.items():
                off = (
                    ground_to_amass(markers.select(names).positions_m)
                    - truth[f"S{number_of(clip.subject)}_C{number_of(clip.clip)}_{kind}"]
                )
                worst[kind] = max(worst[kind], float(np.abs(off).max()))
    print(f"accuracy on World A, {len(recordings.motions)} clips at the mocap clock, largest coordinate difference")
    print(f"  66 markers {worst['markers']:.2e} m, 52 joints {worst['joints']:.2e} m (truth is stored in float32)")


def measure_agreement(recordings: Recordings, folder: Path) -> None:
    """Print the largest distance from `smplx.lbs.lbs` in float64, with and without DMPL."""
    clip = movi_clip(15, 3)
    one = replace(recordings, motions={clip: recordings.motions[clip]})
    motion = read_motion(one.motions[clip])
    model = read_body_model(
        one.body_models[motion.body, motion.sex], sex=motion.sex, soft_tissue=one.dmpl_models[motion.sex]
    )
    mesh = WholeMesh(model, torch.float64)
    directions = torch.cat([mesh.shape_directions, mesh.tissue_directions], dim=-1)
    rules = read_marker_set(default_marker_set_path()).rules
    print("agreement with smplx.lbs.lbs on the whole mesh (float64), 118 points, 16 betas")
    for soft_tissue in (False, True):
        run_stage(one, folder, soft_tissue=soft_tissue)
        markers = read_markers(WorkFolder(folder).markers(clip))
        worst = 0.0
        for row, sample in zip(markers.positions_m, markers.sample_indices, strict=True):
            dmpls = motion.dmpls[sample] if soft_tissue and motion.dmpls is not None else np.zeros(8)
            betas = mesh.tensor(np.concatenate([motion.betas, dmpls]))[None]
            points = mesh.forward(betas, mesh.tensor(motion.poses_rad[sample].reshape(1, -1)), directions)
            for name, found in zip(markers.names, ground_to_amass(row), strict=True):
                rule = rules[name]
                if isinstance(rule, Vertex | JointCentre):
                    expected = points[isinstance(rule, JointCentre)][0, rule.index].numpy()
                    worst = max(worst, float(np.abs(found - motion.translation_m[sample] - expected).max()))
        print(f"  DMPL {'on ' if soft_tissue else 'off'}  {worst:.2e} m")


def measure_memory(world: Path, folder: Path) -> None:
    """Print the peak memory above the import, in a fresh process for each length of clip."""
    print("\npeak memory above the import, one clip at the mocap clock (a fresh process each)")
    for n_samples in (1_000, 10_000, 100_000):
        arguments = [sys.executable, "-m", "benchmarks.markers", "--world", str(world)]
        arguments += ["--peak-of", str(n_samples), "--folder", str(folder)]
        done = subprocess.run(arguments, check=True, capture_output=True, text=True)
        print(f"  {n_samples:7d} samples  {float(done.stdout):6.1f} MB")


def peak_above_import(recordings: Recordings, folder: Path, n_samples: int) -> float:
    """Return how much more memory than the imports one clip of `n_samples` takes at its peak, MB."""
    import movi_prep.body.marker_points
    import movi_prep.body.skinning  # noqa: F401 - what the stage imports when it runs

    clip, path = next(iter(recordings.motions.items()))
    long_clip = folder / f"{n_samples}" / path.name
    if not long_clip.is_file():
        # Made in another process: what making it takes must not count.
        code = (
            "import sys; from pathlib import Path; from benchmarks.markers import *;"
            "d = find_world(Path(sys.argv[1])); c = next(iter(d.motions));"
            "lengthen(replace(d, motions={c: d.motions[c]}), Path(sys.argv[2]), int(sys.argv[3]))"
        )
        world = path.parents[3]
        subprocess.run([sys.executable, "-c", code, world, long_clip.parent, str(n_samples)], check=True)
    # Resident now, against the peak later: the peak so far would include what importing took and gave back.
    before = _memory_mb("VmRSS")
    run_stage(replace(recordings, motions={clip: long_clip}), folder / f"work-{n_samples}", rate="mocap")
    return _memory_mb("VmHWM") - before


def _memory_mb(field: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{field}:")[1].split()[0]) / 1024


def main() -> None:
    """Run all measurements, or one memory measurement in this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, default=Path("../shared/reference/world_a"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak-of", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    recordings = find_world(arguments.world)
    if arguments.peak_of:
        print(peak_above_import(recordings, arguments.folder, arguments.peak_of))
        return
    with tempfile.TemporaryDirectory() as folder:
        measure_accuracy(recordings, arguments.world, Path(folder) / "accuracy")
        measure_agreement(recordings, Path(folder) / "agreement")
        measure_throughput(recordings, Path(folder), arguments.rounds)
        measure_memory(arguments.world, Path(folder))


if __name__ == "__main__":
    main()
