"""Shards against truth, and against full frames in gzip-9 HDF5 as the superseded code writes them.

    python -m benchmarks.shards [--demo DIR]

`--demo` is the folder of a finished `movi-prep demo DIR`; without it one is made in a temporary folder. Four tables:

1. accuracy on the embedded data set, where the truth is known;
2. speed and size, in one run, on frames with sensor noise (sigma 2 of 255): the data set's video repeated, noise
   added to every channel, stored uncompressed, so that no codec takes the noise away before either side sees it;
   size is given per frame, and per video: full frames hold every frame, a shard those within the flags;
3. the same for D3KE's layout, the whole stage, on the embedded video too, against the stage with pictures in gzip-9;
4. peak memory of one shard of a video of 5,000 frames, above what importing takes; and what it costs to read the
   structure of that file, and to look for holes in its frames, as a share of the shard's CPU time.

Times are CPU seconds of one thread. Both sides decode the same video.
"""

from __future__ import annotations

import argparse
import json
import resource
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import numpy as np

from movi_prep.config.root import Config
from movi_prep.config.shard import ShardSettings
from movi_prep.demo.frame_code import read_frame_code
from movi_prep.formats import d3ke
from movi_prep.formats.alignment_file import read_alignment, write_alignment
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import (
    read_frame_labels,
    read_frame_numbers,
    read_label_names,
    read_shard_camera,
)
from movi_prep.geometry.projection import world_to_camera
from movi_prep.recordings.bmlmovi import find_bmlmovi
from movi_prep.recordings.folders import Folders
from movi_prep.records.alignment import SubjectAlignment
from movi_prep.records.identity import ClipId
from movi_prep.records.recordings import Recordings
from movi_prep.records.unit import Unit
from movi_prep.records.work_folder import WorkFolder
from movi_prep.stages.d3ke.shard_d3ke import SHARD_D3KE
from movi_prep.stages.shards.shard import SHARD, ShardOutputs
from movi_prep.stages.shards.subject_clips import ShardInputs
from movi_prep.stages.shards.verify import verify_shards
from movi_prep.video.avi_writer import write_avi
from movi_prep.video.frame_table import read_frame_table
from movi_prep.video.holes import HoleFinder
from movi_prep.video.pictures import decode_picture
from movi_prep.video.reader import VideoReader

NOISE_SIGMA = 2.0
SIZE_PX = (800, 600)


@dataclass(frozen=True)
class DemoRun:
    """A finished run of the embedded data set."""

    data: Path
    work: Path

    def units(self) -> tuple[Unit, ...]:
        """Return the shard units of both subjects and cameras."""
        return SHARD.plan(self._recordings(), WorkFolder(self.work), Config())

    def d3ke_unit(self, camera: str) -> Unit:
        """Return the unit of the first subject in D3KE's layout, for one camera."""
        config = Config(shard=ShardSettings(cameras=(camera,)))
        return SHARD_D3KE.plan(self._recordings(), WorkFolder(self.work), config)[0]

    def _recordings(self) -> Recordings:
        folders = {name: self.data / name for name in ("amass", "body_models", "v3d", "videos", "calibration")}
        return find_bmlmovi(Folders(**folders))


def absolute_path(text: str) -> Path:
    """Return a path given on the command line; links made from it must not depend on the folder they stand in."""
    return Path(text).absolute()


def make_demo_run(folder: Path) -> DemoRun:
    """Write the embedded data set and run it through to shards."""
    command = [
        sys.executable,
        "-c",
        "import sys; from movi_prep.cli import main; sys.exit(main())",
        "demo",
        str(folder),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return DemoRun(folder, folder / "work")


def accuracy(run: DemoRun) -> list[tuple[str, str]]:
    """Compare every shard with the truth beside the data set."""
    truth, rows = np.load(run.data / "truth" / "truth.npz"), []
    names = json.loads((run.data / "truth" / "truth.json").read_text())["marker_names"]
    worst: dict[str, float] = {}
    counted = dict.fromkeys(("misfits", "moving"), 0.0)
    n_rows = 0
    for path in sorted((run.work / "shards").glob("*.h5")):
        with ShardFile(path) as shard:
            n_rows += shard.n_rows
            for name, value in {**_label_errors(shard, truth, names), **_picture_errors(shard, run)}.items():
                if name in counted:
                    counted[name] += value
                else:
                    worst[name] = max(worst.get(name, 0.0), value)
    rows += [("rows compared, both subjects and cameras", f"{n_rows}")]
    rows += [
        (f"largest error, {name}", f"{worst[name]:.2g}") for name in ("joints px", "markers px", "joints camera m")
    ]
    rows += [("frames whose code in the corner is not their number", "0")]
    rows += [("crop to its own frame on the body, mean |difference|, worst row", f"{worst['picture']:.2f} of 255")]
    rows += [("crops that fit the frame before or after better", f"{counted['misfits']:.0f}")]
    rows += [("of comparisons in which the body moved visibly", f"{counted['moving']:.0f}")]
    report = verify_shards(run.work / "shards")
    return [*rows, ("faults found by verify", str(len(report.faults)))]


def _label_errors(shard: ShardFile, truth: Any, marker_names: list[str]) -> dict[str, float]:
    subject, camera = shard.attribute("subject"), shard.attribute("camera")
    frames, labels = read_frame_numbers(shard), read_frame_labels(shard)
    names = read_label_names(shard).markers
    mine = [index for index, name in enumerate(names) if name in marker_names]
    theirs = [52 + marker_names.index(names[index]) for index in mine]
    pose = read_shard_camera(shard)
    errors: dict[str, list[float]] = {"joints px": [], "markers px": [], "joints camera m": []}
    for number in np.unique(frames.clip):
        rows, key = frames.clip == number, f"S{subject}_C{number}"
        samples = frames.mocap_sample[rows]
        pixels = truth[f"{key}_pixels_{camera}"][samples]
        camera_m = world_to_camera(pose, truth[f"{key}_joints_m"][samples, :22].astype(np.float64))
        errors["joints px"].append(float(np.abs(labels.joints.seen_px[rows] - pixels[:, :22]).max()))
        errors["markers px"].append(float(np.abs(labels.markers.seen_px[rows][:, mine] - pixels[:, theirs]).max()))
        errors["joints camera m"].append(float(np.abs(labels.joints.camera_m[rows] - camera_m).max()))
    return {name: max(values) for name, values in errors.items()}


def _picture_errors(shard: ShardFile, run: DemoRun) -> dict[str, float]:
    """Crop i must show frame i: its body must fit that frame better than the frames before and after."""
    subject, camera = shard.attribute("subject"), shard.attribute("camera")
    row_of = {int(frame): row for row, frame in enumerate(read_frame_numbers(shard).video_frame)}
    source, body = shard.read("crops/source_px"), shard.read("crops/body_px").astype(int)
    reader = VideoReader(run.data / "videos" / f"F_{camera}_Subject_{subject}_L.avi")
    own, misfits, n_moving = [], 0, 0
    before: tuple[int, Any, Any] | None = None
    for frame, image in reader.frames(row_of):
        code = read_frame_code(image)
        # The embedded video carries its frame number in a corner: a wrong one would make the comparison meaningless.
        if (code.frame, code.subject, code.camera) != (frame, subject, camera):
            raise SystemExit(f"{shard.path.name}: frame {frame} says that it is {code}")
        here = (row_of[frame], decode_picture(shard.picture(row_of[frame])), image.copy())
        own.append(_body_difference(here, here, source=source, body=body))
        if before is not None and frame == list(row_of)[here[0] - 1] + 1:
            crossed = (_body_difference(before, here, source=source, body=body), own[-2])
            back = (_body_difference(here, before, source=source, body=body), own[-1])
            # A crop that fits a neighbour better than its own frame shows another frame.
            misfits += sum(other < mine for other, mine in (crossed, back))
            n_moving += sum(other > mine + 1.0 for other, mine in (crossed, back))
        before = here
    return {"picture": max(own), "misfits": misfits, "moving": n_moving}


def _body_difference(cut: Any, shown: Any, *, source: Any, body: Any) -> float:
    """Mean difference between the body in one row's picture and the same place of one frame."""
    row, picture, _ = cut
    left, top, _, _ = source[row]
    x0, y0, x1, y1 = np.clip(body[row], 0, [*SIZE_PX, *SIZE_PX])
    return float(
        np.abs(picture[y0 - top : y1 - top, x0 - left : x1 - left].astype(int) - shown[2][y0:y1, x0:x1]).mean()
    )


def long_unit(unit: Unit, folder: Path, *, n_frames: int, uncompressed: bool) -> tuple[Unit, int]:
    """Return the unit of a longer video: the same clips again and again, with noise; and its number of frames."""
    inputs: Any = unit.inputs
    once = read_alignment(inputs.alignment)
    n_once = VideoReader(inputs.video).header.n_frames
    repeats = -(-n_frames // n_once)
    video = folder / "long.avi"
    write_noisy_video(video, inputs.video, repeats=repeats, uncompressed=uncompressed)
    clips, choices, files = [], [], {"motions": [], "markers": [], "solutions": []}
    by_clip = {path.stem: index for index, path in enumerate(inputs.markers)}
    for repeat in range(repeats):
        for alignment in once.clips:
            timeline, offset = alignment.timeline, repeat * n_once
            clip = ClipId(once.subject, f"C{len(clips) + 1:02d}")
            moved = replace(timeline, clip=clip, video_frames=timeline.video_frames + offset)
            clips.append(replace(alignment, timeline=moved, first_video_frame=alignment.first_video_frame + offset))
            index = by_clip[timeline.clip.clip]
            choices.append(inputs.choices[index])
            for role, paths in files.items():
                link = folder / role / clip.subject / f"{clip.clip}{getattr(inputs, role)[index].suffix}"
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(getattr(inputs, role)[index])
                paths.append(link)
    write_alignment(folder / "alignment.json", SubjectAlignment(once.subject, tuple(clips)), provenance={})
    changed: ShardInputs = replace(
        inputs,
        clips=tuple(str(clip.timeline.clip) for clip in clips),
        choices=tuple(choices),
        videos=(video,) * len(clips),
        intrinsics=(inputs.intrinsics[0],) * len(clips),
        extrinsics=(inputs.extrinsics[0],) * len(clips),
        alignment=folder / "alignment.json",
        **{role: tuple(paths) for role, paths in files.items()},
    )
    return replace(unit, inputs=changed, outputs=ShardOutputs(folder / "long.h5")), repeats * n_once


def write_noisy_video(path: Path, source: Path, *, repeats: int, uncompressed: bool) -> None:
    """Repeat a video with sensor noise; a few noise fields, shifted, are as good as new ones."""
    rng = np.random.default_rng(0)
    fields = [rng.normal(0.0, NOISE_SIGMA, (SIZE_PX[1], SIZE_PX[0], 3)).astype(np.float32) for _ in range(4)]

    def noisy() -> Iterator[Any]:
        for _ in range(repeats):
            for frame, image in _all_frames(source):
                # Drawing new noise for every frame would take longer than what is measured.
                noise = np.roll(fields[frame % 4], rng.integers(0, 600), axis=0)
                yield np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)

    if uncompressed:
        write_uncompressed(path, noisy())
    else:
        write_avi(path, noisy(), size_px=SIZE_PX, rate_hz=30.0)


def write_uncompressed(path: Path, frames: Iterator[Any]) -> None:
    """Write an .avi of plain BGR pictures, bottom row first (Microsoft, "AVI RIFF File Reference", BI_RGB)."""
    width, height = SIZE_PX
    n_bytes = width * height * 3
    with path.open("wb") as file:
        # A head of the right length, written again at the end with the number of frames.
        file.write(bytes(_avi_head(0, n_bytes)))
        count = 0
        for image in frames:
            file.write(b"00db" + struct.pack("<I", n_bytes) + image[::-1].tobytes())
            count += 1
        file.seek(0)
        file.write(_avi_head(count, n_bytes))


def _avi_head(count: int, n_bytes: int) -> bytes:
    width, height = SIZE_PX
    main = struct.pack("<14I", 33_333, 0, 0, 0, count, 0, 1, n_bytes, width, height, 0, 0, 0, 0)
    stream = b"vidsDIB " + struct.pack("<10I4H", 0, 0, 0, 1, 30, 0, count, n_bytes, 0, 0, 0, 0, width, height)
    picture = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, n_bytes, 0, 0, 0, 0)
    inner = b"strl" + b"strh" + struct.pack("<I", len(stream)) + stream + b"strf" + struct.pack("<I", 40) + picture
    header = b"hdrl" + b"avih" + struct.pack("<I", len(main)) + main + b"LIST" + struct.pack("<I", len(inner)) + inner
    body = b"AVI " + b"LIST" + struct.pack("<I", len(header)) + header
    movie = b"LIST" + struct.pack("<I", 4 + count * (n_bytes + 8)) + b"movi"
    return b"RIFF" + struct.pack("<I", len(body) + len(movie) + count * (n_bytes + 8)) + body + movie


def _all_frames(video: Path) -> Iterator[tuple[int, Any]]:
    reader = VideoReader(video)
    yield from reader.frames(range(reader.header.n_frames))


def full_frames_cost(video: Path, path: Path, *, n_frames: int) -> tuple[float, float]:
    """Return CPU seconds and bytes per frame of decoding and of full frames in gzip-9, a chunk per frame."""
    start = time.process_time()
    with h5py.File(path, "w") as file:
        images = file.create_dataset(
            "images", (n_frames, SIZE_PX[1], SIZE_PX[0], 3), "u1", chunks=(1, SIZE_PX[1], SIZE_PX[0], 3),
            compression="gzip", compression_opts=9,
        )  # fmt: skip
        for number, image in VideoReader(video).frames(range(n_frames)):
            images[number] = image
        size = images.id.get_storage_size()
    return (time.process_time() - start) / n_frames, size / n_frames


@dataclass(frozen=True)
class Cost:
    """What writing one video took, natively and as full frames."""

    key: str
    n_rows: int
    n_video_frames: int
    shard_s: float
    shard_bytes: int
    gzip_s_per_frame: float
    gzip_bytes_per_frame: float

    def row(self) -> tuple[str, ...]:
        """Return the row of the table."""
        frame_bytes, row_bytes = self.gzip_bytes_per_frame, self.shard_bytes / self.n_rows
        return (
            self.key,
            f"{self.n_rows / self.shard_s:.0f}",
            f"{1 / self.gzip_s_per_frame:.1f}",
            f"{self.gzip_s_per_frame * self.n_rows / self.shard_s:.1f}x",
            f"{row_bytes / 1e3:.1f} kB",
            f"{frame_bytes / 1e3:.0f} kB",
            f"1/{frame_bytes / row_bytes:.1f}",
            f"1/{frame_bytes * self.n_video_frames / self.shard_bytes:.1f}",
        )


def speed_and_size(run: DemoRun, folder: Path, *, n_frames: int) -> list[tuple[str, ...]]:
    """Write one shard per camera of a long noisy video, and full frames of the same videos."""
    costs = []
    for unit in run.units()[:2]:
        where = folder / unit.key.replace("/", "_")
        where.mkdir()
        # Once before, so that what is imported and read once per process is not measured.
        SHARD.run_unit(replace(unit, outputs=ShardOutputs(where / "warm.h5")))
        long, n_video = long_unit(unit, where, n_frames=n_frames, uncompressed=True)
        inputs: Any = long.inputs
        start = time.process_time()
        report = SHARD.run_unit(long)
        seconds = time.process_time() - start
        # Sixty frames are enough: gzip's cost does not change from frame to frame of noise.
        gzip_s, gzip_bytes = full_frames_cost(inputs.video, where / "full.h5", n_frames=60)
        n_bytes = (where / "long.h5").stat().st_size
        costs.append(Cost(unit.key, int(report.numbers["rows"]), n_video, seconds, n_bytes, gzip_s, gzip_bytes))
        # Uncompressed video takes gigabytes; the next camera needs the room.
        inputs.video.unlink()
    return [cost.row() for cost in (*costs, _total(costs))]


def _total(costs: list[Cost]) -> Cost:
    return Cost(
        key="both",
        n_rows=sum(cost.n_rows for cost in costs),
        n_video_frames=sum(cost.n_video_frames for cost in costs),
        shard_s=sum(cost.shard_s for cost in costs),
        shard_bytes=sum(cost.shard_bytes for cost in costs),
        gzip_s_per_frame=float(np.mean([cost.gzip_s_per_frame for cost in costs])),
        gzip_bytes_per_frame=float(np.mean([cost.gzip_bytes_per_frame for cost in costs])),
    )


def d3ke_speed_and_size(run: DemoRun, folder: Path, *, n_frames: int) -> list[tuple[str, ...]]:
    """Write one camera in D3KE's layout, of the embedded video and of a long noisy one, in both ways of packing."""
    (native, *_), d3ke_unit = run.units(), run.d3ke_unit("PG1")
    long, _ = long_unit(native, folder, n_frames=n_frames, uncompressed=True)
    by_clip = ("clips", "choices", "alignment", "motions", "markers", "solutions")
    changes = {name: getattr(long.inputs, name) for name in by_clip} | {"videos": long.inputs.videos[:1]}
    noisy = replace(d3ke_unit, inputs=replace(d3ke_unit.inputs, **changes))
    # Once before, so that what is imported and read once per process is not measured.
    d3ke_cost(d3ke_unit, folder)
    rows = []
    for name, unit in (("embedded", d3ke_unit), ("sensor noise", noisy)):
        (n_rows, ours_s, ours_bytes) = d3ke_cost(unit, folder)
        with mock.patch.object(d3ke._Packer, "__call__", lambda _, image: zlib.compress(image.tobytes(), 9)):
            _, gzip_s, gzip_bytes = d3ke_cost(unit, folder)
        per_row = (f"{1e3 * seconds / n_rows:.1f} ms" for seconds in (ours_s, gzip_s))
        rows.append((name, f"{n_rows}", *per_row, f"{gzip_s / ours_s:.1f}x", f"{ours_bytes / gzip_bytes:.3f}"))
    return rows


def d3ke_cost(unit: Unit, folder: Path) -> tuple[int, float, int]:
    """Return rows, CPU seconds and bytes of pictures of the whole stage that writes D3KE's layout."""
    outputs: Any = unit.outputs
    moved = {
        item.name: tuple(folder / path.name for path in value) if isinstance(value, tuple) else folder / value.name
        for item in fields(outputs)
        for value in [getattr(outputs, item.name)]
    }
    start = time.process_time()
    report = SHARD_D3KE.run_unit(replace(unit, outputs=type(outputs)(**moved)))
    seconds = time.process_time() - start
    return int(report.numbers["rows"]), seconds, sum(path.stat().st_size for path in moved["images"])


def peak_memory(run: DemoRun, folder: Path, *, n_frames: int) -> list[tuple[str, str]]:
    """Run one shard in a process of its own and read its peak memory."""
    command = [sys.executable, "-m", "benchmarks.shards", "--memory-of", str(folder), "--frames", str(n_frames)]
    command += ["--demo", str(run.data)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    numbers = json.loads(done.stdout.splitlines()[-1])
    return [(name, f"{value:.1f}" if value < 10 else f"{value:.0f}") for name, value in numbers.items()]


def _measure_memory(run: DemoRun, folder: Path, n_frames: int) -> None:
    unit = run.units()[0]
    long, n_video = long_unit(unit, folder, n_frames=n_frames, uncompressed=False)
    # What a stage imports when it runs is imported before; a second process would pay for making the video.
    import movi_prep.body.skinning
    import movi_prep.osim.extract_tree  # noqa: F401

    reset_peak()
    before, start = _peak_mb(), time.process_time()
    rows = SHARD.run_unit(long).numbers["rows"]
    numbers = {"video frames": n_video, "rows": rows, "MB above import": _peak_mb() - before}
    shard_s = time.process_time() - start
    print(json.dumps(numbers | structure_cost(long.inputs.video, shard_s=shard_s)))


def structure_cost(video: Path, *, shard_s: float) -> dict[str, float]:
    """Return what it costs to read the structure of an .avi and to look for holes in every frame, medians of five."""
    walks, searches = [], []
    for _ in range(5):
        start = time.process_time()
        table = read_frame_table(video)
        walks.append(time.process_time() - start)
        with HoleFinder(video, table) as holes:
            start = time.process_time()
            if any(holes.is_in(number) for number in range(0 if table is None else table.n_frames)):
                raise SystemExit(f"{video}: holes in a video without damage")
            searches.append(time.process_time() - start)
    walk_s, search_s = float(np.median(walks)), float(np.median(searches))
    return {
        "structure, ms": 1e3 * walk_s,
        "holes, ms": 1e3 * search_s,
        "both, % of the shard's CPU time": 100 * (walk_s + search_s) / shard_s,
    }


def reset_peak() -> None:
    """Let the kernel forget the peak so far (Linux); elsewhere the peak includes what came before."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def _peak_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def print_table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a small table."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    print(f"\n{title}")
    for row in [head, tuple("-" * width for width in widths), *rows]:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def main() -> None:
    """Run all parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", type=absolute_path, help="folder of a finished `movi-prep demo`")
    parser.add_argument("--frames", type=int, default=1000, help="length of the noisy video")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = DemoRun(asked.demo, asked.demo / "work") if asked.demo else make_demo_run(folder / "demo")
        if asked.memory_of:
            _measure_memory(run, asked.memory_of, asked.frames)
            return
        print_table("accuracy on the embedded data set", ("what", "value"), accuracy(run))
        head = ("shard", "rows/s", "gzip-9 frames/s", "speed", "a row", "a frame", "size per frame", "size per video")
        print_table(
            "noisy video, native shard against full frames", head, speed_and_size(run, folder, n_frames=asked.frames)
        )
        (folder / "d3ke").mkdir()
        head = ("video", "rows", "a row", "in gzip-9", "speed", "size")
        print_table(
            "D3KE's layout of one camera, the whole stage, against pictures in gzip-9", head,
            d3ke_speed_and_size(run, folder / "d3ke", n_frames=asked.frames),
        )  # fmt: skip
        (folder / "memory").mkdir()
        print_table("a video of 5,000 frames", ("what", "value"), peak_memory(run, folder / "memory", n_frames=5000))


if __name__ == "__main__":
    main()
