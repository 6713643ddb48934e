"""Reading training samples: native shards against D3KE's access pattern, in one run.

    python -m benchmarks.reading [--demo DIR]

D3KE's data set class opens three HDF5 files for every sample, reads eighteen datasets row by row, and unpacks a full
frame of gzip-9; then it cuts the same 256x256 picture out of it that ours cuts out of a stored crop. Five rows:

* samples in batches, as a loader of torch asks for them, of random and of neighbouring rows; D3KE's side reads row by
  row, as its data set class does, and finds the place of each of the 65,536 pixels through both cameras;
* a sample by itself, D3KE's side likewise;
* a sample by itself, with our interpolated map on both sides;
* only reading: labels and decoded pixels, nothing warped.

Both sides see the same video with sensor noise (sigma 2 of 255, stored uncompressed), and take turns sample by sample
or batch by batch, so that a busy machine weighs on both alike. CPU seconds of one thread, files in the page cache.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.shards import SIZE_PX, DemoRun, absolute_path, long_unit, make_demo_run, print_table
from movi_prep.formats import d3ke
from movi_prep.formats.shard import ShardFile
from movi_prep.formats.shard_records import (
    read_body_scales,
    read_frame_labels,
    read_frame_numbers,
    read_shard_camera,
)
from movi_prep.formats.shard_schema import DATASETS
from movi_prep.geometry.virtual_camera import aim_camera, source_pixels
from movi_prep.records.camera import Camera
from movi_prep.stages.d3ke.label_rows import label_datasets
from movi_prep.stages.shards.shard import SHARD
from movi_prep.training.picture import warp_picture
from movi_prep.training.shard_dataset import Selection, ShardDataset
from movi_prep.video.pictures import decode_picture
from movi_prep.video.reader import VideoReader

PICTURE_PX = 256

WARM_UP = 5
"""Samples, and batches, that open files and fill caches; not counted."""

BATCH = 32
"""Samples of a batch."""


def write_d3ke_files(folder: Path, shard: ShardFile, video: Path) -> None:
    """Write the three files that D3KE's data set opens, full frames as its own code stores them."""
    n, subject = shard.n_rows, int(shard.attribute("subject"))
    rows: dict[str, NDArray[Any]] = {name: np.zeros(n) for name in d3ke.LABEL_DTYPES}
    datasets = label_datasets(read_frame_labels(shard))
    rows |= {name: values for name, values in datasets.items() if name in d3ke.LABEL_DTYPES}
    rows |= {"globalFrame": read_frame_numbers(shard).video_frame, "bbox": shard.read("crops/box_px")}
    rows["ImgList"] = rows["cameraType"] = np.array([b"PG1"] * n)
    d3ke.write_labels(folder / f"subject_{subject}.hdf5", {name: rows[name] for name in d3ke.LABEL_DTYPES})
    opensim = {name: datasets[name] for name in d3ke.OPENSIM_DTYPES}
    scales = read_body_scales(shard).factors
    d3ke.write_opensim_labels(folder / f"subject_{subject}_opensim.hdf5", opensim, subject=subject, bone_scale=scales)
    reader = VideoReader(video)
    frames = ((number, image) for number, image in reader.frames(set(rows["globalFrame"].tolist())))
    shape = (reader.header.n_frames, SIZE_PX[1], SIZE_PX[0])
    d3ke.write_images(folder / f"{subject}_PG1_img.hdf5", frames, name=video.stem, shape=shape)


@dataclass(frozen=True)
class D3keRow:
    """What D3KE's access pattern reads of one row."""

    image: NDArray[np.uint8]
    box_px: NDArray[np.float64]
    points_m: NDArray[np.float64]
    others: dict[str, NDArray[Any]]


def read_as_d3ke(folder: Path, subject: int, row: int) -> D3keRow:
    """Read one row by D3KE's access pattern: three files opened, eighteen datasets, a full frame unpacked."""
    others = {}
    with h5py.File(folder / f"subject_{subject}.hdf5", "r") as file:
        points = [file["pos3d"][row, :22, :], file["marker_pos3d"][row, :43, :]]
        others["mask"] = np.concatenate([file["pos3d_mask"][row, :22], file["marker_pos3d_mask"][row, :43]])
        box_px = file["bbox"][row, :].astype(np.float64)
        frame = file["globalFrame"][row]
        # Read for the time it takes; the sample does not use them.
        for name in ("hflipUsage", "videoID", "frame", "seed", "ImgList"):
            file[name][row]
    with h5py.File(folder / f"subject_{subject}_opensim.hdf5", "r") as file:
        points.insert(0, file["openSimJointPos"][row, :, :])
        others["angles"], others["angle_mask"] = file["coordinateAngle"][row, :], file["coordinateMask"][row, :]
        others["scales"], others["root"] = file[f"{subject}_boneScale"][:, :], file["rootRot"][row, :3, :4]
    with h5py.File(folder / f"{subject}_PG1_img.hdf5", "r") as file:
        image = file["images"][frame, :, :, :]
    return D3keRow(image, box_px, np.concatenate(points), others)


def d3ke_sample(row: D3keRow, camera: Camera, *, per_pixel: bool) -> dict[str, torch.Tensor]:
    """Turn what was read into a sample, mapping each pixel through both cameras or interpolating the map."""
    virtual = aim_camera(camera, row.box_px, size_px=PICTURE_PX)
    if per_pixel:
        places = source_pixels(camera, virtual).astype(np.float32)
        picture = cv2.remap(row.image, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    else:
        picture = warp_picture(row.image, camera=camera, virtual=virtual, corner_px=np.zeros(2), scale=1.0)
    pose = virtual.to_camera(row.points_m)
    sample = {"pose3d": pose, "pose2d": virtual.to_pixels(pose), **row.others}
    sample["root"] = virtual.world_to_camera_rotation @ row.others["root"][:, :3]
    sample["image"] = np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1)).astype(np.float32) / np.float32(255)
    return {name: torch.from_numpy(np.asarray(values, dtype=np.float32)) for name, values in sample.items()}


def read_native(shard: ShardFile, row: int) -> None:
    """Read what one sample of a native shard needs: labels and decoded pixels."""
    for name in (
        *("joint_centres.world_m", "joints.world_m", "markers.world_m", "coordinates.angles_rad"),
        *("root.rotation_world", "root.position_world_m"),
    ):
        shard.read(DATASETS[f"labels.{name}"], row)
    decode_picture(shard.picture(row), where=str(shard.path))


def compare(run: DemoRun, folder: Path, *, n_samples: int) -> list[tuple[str, ...]]:
    """Read the same random rows in all ways, in turn; return the table."""
    long, _ = long_unit(run.units()[0], folder, n_frames=1, uncompressed=True)
    SHARD.run_unit(long)
    inputs: Any = long.inputs
    path = folder / "long.h5"
    dataset = ShardDataset(path, size_px=PICTURE_PX, selection=Selection(solved_only=False))
    seconds: dict[str, list[float]] = defaultdict(list)
    differences = []
    with ShardFile(path) as shard:
        write_d3ke_files(folder, shard, inputs.video)
        subject, camera = int(shard.attribute("subject")), read_shard_camera(shard)
        # Random rows, as training reads them; in order, neighbouring rows would come from the same chunk.
        for index in np.random.default_rng(0).integers(0, len(dataset), n_samples + WARM_UP).tolist():
            sample = _timed(seconds["native"], lambda i=index: dataset[i])
            _timed(seconds["native read"], lambda i=index: read_native(shard, i))
            row = _timed(seconds["read"], lambda i=index: read_as_d3ke(folder, subject, i))
            exact = _timed(seconds["exact"], lambda r=row: d3ke_sample(r, camera, per_pixel=True))
            _timed(seconds["fast"], lambda r=row: d3ke_sample(r, camera, per_pixel=False))
            differences.append(float((sample["image"] - exact["image"]).abs().mean()) * 255.0)
        for name, batches in _batches(len(dataset), n_samples):
            for indices in batches:
                _timed(seconds[name], lambda b=indices: dataset.__getitems__(b))
                for index in indices:
                    row = _timed(seconds["theirs, read"], lambda i=index: read_as_d3ke(folder, subject, i))
                    _timed(seconds["theirs, cut"], lambda r=row: d3ke_sample(r, camera, per_pixel=True))
    ms = {name: 1e3 * float(np.median(values[WARM_UP:])) for name, values in seconds.items()}
    theirs_ms = ms["theirs, read"] + ms["theirs, cut"]
    return [
        *(
            _row(f"a sample of a batch, {name} rows", ms[name] / BATCH, theirs_ms)
            for name in ("random", "neighbouring")
        ),
        _row("a sample by itself, each pixel mapped as D3KE does", ms["native"], ms["read"] + ms["exact"]),
        _row("a sample by itself, one warp for both", ms["native"], ms["read"] + ms["fast"]),
        _row("reading alone", ms["native read"], ms["read"]),
        ("mean difference of the pictures", f"{np.mean(differences):.2f} of 255", "", ""),
    ]


def _batches(n_rows: int, n_samples: int) -> list[tuple[str, list[list[int]]]]:
    """Return batches of random and of neighbouring rows, as many samples of each as are read one by one."""
    rng, count = np.random.default_rng(1), max(1, n_samples // BATCH) + WARM_UP
    scattered = [rng.integers(0, n_rows, BATCH).tolist() for _ in range(count)]
    starts = rng.integers(0, n_rows - BATCH, count).tolist()
    return [("random", scattered), ("neighbouring", [list(range(start, start + BATCH)) for start in starts])]


def _timed(seconds: list[float], call: Callable[[], Any]) -> Any:
    start = time.process_time()
    result = call()
    seconds.append(time.process_time() - start)
    return result


def _row(what: str, ours_ms: float, theirs_ms: float) -> tuple[str, ...]:
    return (what, f"{ours_ms:.2f} ms", f"{theirs_ms:.2f} ms", f"{theirs_ms / ours_ms:.1f}x")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", type=absolute_path, help="folder of a finished `movi-prep demo`")
    parser.add_argument("--samples", type=int, default=200, help="samples to read each way")
    asked = parser.parse_args()
    # One thread on both sides: a data loader has one per worker.
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = DemoRun(asked.demo, asked.demo / "work") if asked.demo else make_demo_run(folder / "demo")
        rows = compare(run, folder, n_samples=asked.samples)
        print_table("one training sample, 256x256", ("what", "native", "D3KE's pattern", "ratio"), rows)


if __name__ == "__main__":
    main()
