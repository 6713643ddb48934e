"""How well the check of pictures tells right from wrong, and what it costs.

    python -m benchmarks.picture_check [--demo DIR]

`--demo` is the folder of a finished `movi-prep demo DIR`; without it one is made in a temporary folder. Two tables:

1. every clip of the embedded data set before each camera: as it is; with sensor noise (sigma 2 of 255) and JPEG of
   quality 50; with the other camera's video; with the other subject's; with a video that is 1 to 6 frames late or
   early; before a camera whose picture moved by 24 and 40 pixels. How many clips are doubted and suspect, and how far
   measured lags and offsets are from what was done;
2. CPU seconds and peak memory of the shard stage with and without the check: runs in pairs, one after the other, the
   median of their ratios.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shards import DemoRun, absolute_path, make_demo_run, print_table
from movi_prep.config.shard import PictureCheckSettings
from movi_prep.records.picture_check import PictureAgreement
from movi_prep.records.unit import Unit
from movi_prep.stages.shards.clip_rows import ClipRows
from movi_prep.stages.shards.picture_check import JudgedVideo, judge_pictures, watch_clips
from movi_prep.stages.shards.shard import SHARD, ShardOutputs
from movi_prep.stages.shards.subject_clips import ShardInputs, ShardSubject, plan_clips, read_shard_subject
from movi_prep.video.motion_watch import MotionWatch
from movi_prep.video.reader import VideoReader

SHIFTS = tuple(shift for shift in range(-6, 7) if shift)
OFFSETS_PX = ((24, 0), (0, 24), (-24, 0), (40, 0), (0, -40))
NOISE_SIGMA, JPEG_QUALITY = 2.0, 50

Picture = NDArray[np.uint8]
Change = Callable[[Picture], Picture]


@dataclass(frozen=True)
class View:
    """What one camera should see of one subject."""

    unit: Unit
    subject: ShardSubject
    clips: tuple[ClipRows, ...]

    @property
    def video(self) -> Path:
        """The video that belongs to it."""
        return _inputs(self.unit).video or Path()

    def watch(self, *, offset_px: tuple[int, int] = (0, 0)) -> MotionWatch:
        """Return a watch over all clips, before a camera whose picture has moved by `offset_px`."""
        offset = np.array(offset_px, dtype=np.float32)
        # Moving the body is the same as moving the picture the other way, and needs no new video.
        moved = [replace(clip, body_px=clip.body_px - offset) for clip in self.clips]
        return watch_clips(moved, self.subject.camera)

    def judge(self, measured: tuple[PictureAgreement, ...]) -> JudgedVideo:
        """Return the verdict by the default bounds."""
        return judge_pictures(measured, self.subject.camera.name, PictureCheckSettings())


def read_views(run: DemoRun) -> tuple[View, ...]:
    """Return both cameras of both subjects."""
    views = []
    for unit in run.units():
        subject = read_shard_subject(_inputs(unit), unit.settings)  # type: ignore[arg-type]
        views.append(View(unit, subject, plan_clips(subject, _inputs(unit), unit.settings).clips))  # type: ignore[arg-type]
    return tuple(views)


def accuracy(views: tuple[View, ...]) -> list[tuple[str, ...]]:
    """Return the rows of the first table."""
    other_camera, other_subject = (1, 0, 3, 2), (2, 3, 0, 1)
    n = len(views)
    cases: list[tuple[str, list[JudgedVideo]]] = [
        ("as it is", [_judge(view, view.video) for view in views]),
        ("sensor noise", [_judge(view, view.video, _noise()) for view in views]),
        ("sensor noise, JPEG of quality 50", [_judge(view, view.video, _noisy_jpeg()) for view in views]),
        ("video of the other camera", [_judge(views[i], views[other_camera[i]].video) for i in range(n)]),
        ("video of the other subject", [_judge(views[i], views[other_subject[i]].video) for i in range(n)]),
    ]
    rows = [_row(name, [item for video in judged for item in _items(video)]) for name, judged in cases]
    shifted = [_shifted(view) for view in views]
    for size in range(1, 7):
        found = [
            (item, shift) for view in shifted for shift, video in view if abs(shift) == size for item in _items(video)
        ]
        errors = [abs(item[0].lag_frames - shift) for item, shift in found if item[0].lag_frames is not None]
        rows.append(_row(f"{size} frames late or early", [item for item, _ in found], errors, "frames"))
    moved = [_moved(view) for view in views]
    for size in (24, 40):
        pairs = [
            (item, at) for view in moved for at, video in view if max(map(abs, at)) == size for item in _items(video)
        ]
        apart = [float(np.hypot(*np.subtract(item[0].offset_px, at))) for item, at in pairs if item[0].offset_px]
        rows.append(_row(f"picture moved by {size} px", [item for item, _ in pairs], apart, "px"))
    return rows


def cost(run: DemoRun, folder: Path, *, repeats: int) -> list[tuple[str, str]]:
    """Return what the check adds to the stage, from pairs of runs."""
    units = [replace(unit, outputs=ShardOutputs(folder / "shard.h5")) for unit in run.units()]
    # Once before, so that imports and caches are not measured.
    for unit in units:
        SHARD.run_unit(unit)
    ratios = []
    for _ in range(repeats):
        with_check = sum(_seconds(unit) for unit in units)
        # Watching is left out and nothing else, so that the difference is the cost of the check.
        with patch.object(MotionWatch, "__call__", lambda *_: None):
            without = sum(_seconds(_alone(unit)) for unit in units)
        # Ratios of neighbouring runs: what else the machine does changes slowly and cancels.
        ratios.append(with_check / without)
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    return [("CPU time with the check, without it = 1", f"{middle:.3f} (quartiles {low:.3f} to {high:.3f})")]


def _alone(unit: Unit) -> Unit:
    inputs = replace(_inputs(unit), other_intrinsics=(), other_extrinsics=())
    return replace(unit, inputs=inputs, settings=unit.settings.model_copy(update={"other_cameras": ()}))


def _seconds(unit: Unit) -> float:
    start = time.process_time()
    SHARD.run_unit(unit)
    return time.process_time() - start


def _judge(view: View, video: Path, change: Change | None = None) -> JudgedVideo:
    watch = view.watch()
    for number, image in _frames(video):
        watch(number, image if change is None else change(image))
    return view.judge(watch.results())


def _shifted(view: View) -> list[tuple[int, JudgedVideo]]:
    watches = [(shift, view.watch()) for shift in SHIFTS]
    for number, image in _frames(view.video):
        for shift, watch in watches:
            # A later number for the same picture is a video that is late.
            watch(number + shift, image)
    return [(shift, view.judge(watch.results())) for shift, watch in watches]


def _moved(view: View) -> list[tuple[tuple[int, int], JudgedVideo]]:
    watches = [(offset, view.watch(offset_px=offset)) for offset in OFFSETS_PX]
    for number, image in _frames(view.video):
        for _, watch in watches:
            watch(number, image)
    return [(offset, view.judge(watch.results())) for offset, watch in watches]


def _frames(video: Path) -> Iterator[tuple[int, Picture]]:
    reader = VideoReader(video)
    yield from reader.frames(range(reader.header.n_frames))


def _noise() -> Change:
    rng = np.random.default_rng(0)

    def noisy(image: Picture) -> Picture:
        noise = rng.standard_normal(image.shape, dtype=np.float32) * NOISE_SIGMA
        return np.asarray(np.clip(image + noise + 0.5, 0, 255), dtype=np.uint8)

    return noisy


def _noisy_jpeg() -> Change:
    noisy = _noise()

    def coded(image: Picture) -> Picture:
        _, content = cv2.imencode(".jpg", noisy(image), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR))

    return coded


Item = tuple[PictureAgreement, bool, bool]
"""What was measured, whether the clip is doubted, whether it is suspect."""


def _items(video: JudgedVideo) -> list[Item]:
    return [(clip.measured, bool(clip.doubts), clip.is_suspect) for clip in video.clips.values()]


def _row(name: str, items: list[Item], errors: list[float] | None = None, unit: str = "") -> tuple[str, ...]:
    agreements = [item[0].agreement for item in items if item[0].agreement is not None]
    told = ""
    if errors:
        told = f"median {np.median(errors):.2f}, 95 % {np.quantile(errors, 0.95):.2f} {unit} ({len(errors)} told)"
    return (
        name,
        f"{len(items)}",
        f"{len(agreements)}",
        f"{min(agreements):.2f} to {max(agreements):.2f}",
        f"{sum(item[1] for item in items)}",
        f"{sum(item[2] for item in items)}",
        told,
    )


def _inputs(unit: Unit) -> ShardInputs:
    assert isinstance(unit.inputs, ShardInputs)  # noqa: S101 - for the type checker
    return unit.inputs


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", type=absolute_path, help="folder of a finished `movi-prep demo`")
    parser.add_argument("--repeats", type=int, default=9, help="pairs of runs that tell the cost")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = DemoRun(asked.demo, asked.demo / "work") if asked.demo else make_demo_run(folder / "demo")
        cv2.setNumThreads(1)
        head = ("video", "clips", "judged", "agreement", "doubted", "suspect", "error")
        print_table("pictures against the projected body", head, accuracy(read_views(run)))
        print_table("what it costs", ("what", "value"), cost(run, folder, repeats=asked.repeats))


if __name__ == "__main__":
    main()
