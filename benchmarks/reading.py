"""Reading training samples: native shards against D3KE's access pattern, in one run.

    python -m benchmarks.reading [--data DIR --work DIR]

D3KE's data set class opens three HDF5 files for every sample, reads eighteen datasets row by row, and unpacks a full
frame of gzip-9; then it cuts the same picture out of it that ours cuts out of a stored crop. Both sides see the same
video with sensor noise (sigma 2 of 255, stored uncompressed), give 256x256 pictures through the same warp, and take
turns sample by sample, so that a busy machine weighs on both alike. CPU seconds of one thread, files in the page
cache.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.shards import SIZE_PX, DemoRun, long_unit, make_demo_run, print_table
from movi_prep.formats import d3ke
from movi_prep.formats.shard import ShardFile
from movi_prep.geometry.virtual_camera import aim_camera
from movi_prep.records.camera import Camera
from movi_prep.stages.shard import SHARD
from movi_prep.training.picture import warp_picture
from movi_prep.training.shard_dataset import Selection, ShardDataset
from movi_prep.video.reader import VideoReader

PICTURE_PX = 256


def write_d3ke_files(folder: Path, shard: ShardFile, video: Path) -> None:
    """Write the three files that D3KE's data set opens, full frames as its own code stores them."""
    n, subject = shard.n_rows, int(shard.attribute("subject"))
    rows: dict[str, NDArray[Any]] = {name: np.zeros(n) for name in d3ke.LABEL_DTYPES}
    rows |= {name: shard.read(f"labels/{ours}") for name, ours in _LABELS.items()}
    rows |= {"globalFrame": shard.read("frames/video_frame"), "bbox": shard.read("crops/box_px")}
    rows["ImgList"] = rows["cameraType"] = np.array([b"PG1"] * n)
    d3ke.write_labels(folder / f"subject_{subject}.hdf5", {name: rows[name] for name in d3ke.LABEL_DTYPES})
    roots = np.tile(np.eye(4), (n, 1, 1))
    roots[:, :3, :3] = shard.read("labels/root_rotation_world")
    opensim = {"rootRot": roots} | {name: shard.read(f"labels/{ours}") for name, ours in _OPENSIM_LABELS.items()}
    scales = shard.read("subject/body_scales")
    d3ke.write_opensim_labels(folder / f"subject_{subject}_opensim.hdf5", opensim, subject=subject, bone_scale=scales)
    reader = VideoReader(video)
    frames = ((number, image) for number, image in reader.frames(set(rows["globalFrame"].tolist())))
    shape = (reader.header.n_frames, SIZE_PX[1], SIZE_PX[0])
    d3ke.write_images(folder / f"{subject}_PG1_img.hdf5", frames, name=video.stem, shape=shape)


_LABELS = {
    "pos3d": "joints_world_m",
    "sim_pos3d": "model_joints_world_m",
    "pos3d_mask": "joints_valid",
    "marker_pos3d": "markers_world_m",
    "sim_marker_pos3d": "model_markers_world_m",
    "marker_pos3d_mask": "markers_valid",
}
_OPENSIM_LABELS = {
    "openSimJointPos": "opensim_joints_world_m",
    "coordinateAngle": "coordinates_rad",
    "coordinateMask": "coordinates_valid",
}


def read_as_d3ke(folder: Path, subject: int, row: int, camera: Camera) -> dict[str, Any]:
    """Return one sample by D3KE's access pattern: three files opened, a full frame unpacked, the crop cut out."""
    with h5py.File(folder / f"subject_{subject}.hdf5", "r") as file:
        points = [file["pos3d"][row, :22, :], file["marker_pos3d"][row, :43, :]]
        masks = [file["pos3d_mask"][row, :22], file["marker_pos3d_mask"][row, :43]]
        box_px = file["bbox"][row, :].astype(np.float64)
        frame = file["globalFrame"][row]
        for name in ("hflipUsage", "videoID", "frame", "seed", "ImgList"):
            file[name][row]
    with h5py.File(folder / f"subject_{subject}_opensim.hdf5", "r") as file:
        points.insert(0, file["openSimJointPos"][row, :, :])
        angles, mask = file["coordinateAngle"][row, :], file["coordinateMask"][row, :]
        scales, root = file[f"{subject}_boneScale"][:, :], file["rootRot"][row, :3, :4]
    with h5py.File(folder / f"{subject}_PG1_img.hdf5", "r") as file:
        image = file["images"][frame, :, :, :]
    virtual = aim_camera(camera, box_px, size_px=PICTURE_PX)
    picture = warp_picture(image, camera=camera, virtual=virtual, corner_px=np.zeros(2), scale=1.0)
    pose = virtual.to_camera(np.concatenate(points))
    sample = {"pose3d": pose, "pose2d": virtual.to_pixels(pose), "mask": np.concatenate(masks), "scales": scales}
    sample |= {"root": virtual.world_to_camera_rotation @ root[:, :3], "angles": angles, "angle_mask": mask}
    sample["image"] = np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1)).astype(np.float32) / np.float32(255)
    return {name: torch.from_numpy(np.asarray(values, dtype=np.float32)) for name, values in sample.items()}


def compare(run: DemoRun, folder: Path, *, n_samples: int) -> list[tuple[str, ...]]:
    """Read the same random rows both ways, in turn; return the table."""
    long, _ = long_unit(run.units()[0], folder, n_frames=1, uncompressed=True)
    SHARD.run(long)
    inputs: Any = long.inputs
    path = folder / "long.h5"
    dataset = ShardDataset(path, size_px=PICTURE_PX, selection=Selection(solved_only=False))
    with ShardFile(path) as shard:
        write_d3ke_files(folder, shard, inputs.video)
        subject = int(shard.attribute("subject"))
        camera = Camera(
            name="PG1",
            intrinsics_px=shard.read("camera/intrinsics_px"),
            radial_distortion=shard.read("camera/radial_distortion"),
            world_to_camera_rotation=shard.read("camera/world_to_camera_rotation"),
            world_to_camera_translation_m=shard.read("camera/world_to_camera_translation_m"),
            size_px=SIZE_PX,
            source=str(path),
        )
    ours, theirs, differences = [], [], []
    for index in np.random.default_rng(0).integers(0, len(dataset), n_samples + 5).tolist():
        start = time.process_time()
        sample = dataset[index]
        middle = time.process_time()
        reference = read_as_d3ke(folder, subject, index, camera)
        ours.append(middle - start)
        theirs.append(time.process_time() - middle)
        differences.append(float((sample["pose2d"] - reference["pose2d"]).abs().max()))
    # the first samples open files and fill caches
    ours_s, theirs_s = float(np.median(ours[5:])), float(np.median(theirs[5:]))
    return [
        ("native shard", f"{ours_s * 1e3:.2f} ms", f"{1 / ours_s:.0f}"),
        ("D3KE's pattern", f"{theirs_s * 1e3:.2f} ms", f"{1 / theirs_s:.0f}"),
        ("ratio", f"{theirs_s / ours_s:.1f}x", ""),
        ("largest difference of a label's pixel", f"{max(differences):.2g} px", ""),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="an embedded data set")
    parser.add_argument("--work", type=Path, help="a finished run of it")
    parser.add_argument("--samples", type=int, default=200, help="samples to read each way")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        run = DemoRun(asked.data, asked.work) if asked.data and asked.work else make_demo_run(Path(name))
        rows = compare(run, Path(name), n_samples=asked.samples)
        print_table("one training sample, 256x256", ("how", "CPU time", "samples/s"), rows)


if __name__ == "__main__":
    main()
