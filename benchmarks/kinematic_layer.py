"""The kinematic layer: poses per second of one thread, forward and with gradients, and agreement with a shard's labels.

    python -m benchmarks.kinematic_layer --demo DIR

DIR is the folder of a finished `movi-prep demo`. The agreement is bounded by the labels, which are float32.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.shards import absolute_path
from movi_prep.formats.shard import ShardFile
from movi_prep.training.kinematic_layer import KinematicLayer

N_POSES = 1024
ROUNDS = 7


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", type=absolute_path, required=True, help="folder of a finished `movi-prep demo`")
    torch.set_num_threads(1)
    for path in sorted((parser.parse_args().demo / "work" / "shards").glob("*.h5")):
        _measure(path)


def _measure(path: Path) -> None:
    with ShardFile(path) as shard:
        angles, solved = shard.read("labels/coordinates_rad"), shard.read("labels/pose_valid")
        root = shard.read("labels/root_rotation_world"), shard.read("labels/root_position_world_m")
        centres, names = shard.read("labels/opensim_joints_world_m"), shard.names("names/opensim_joints")
    # In double precision: what is left is the rounding of the labels, not of the layer.
    exact = KinematicLayer.from_shard(path, dtype=torch.float64)
    inputs = [torch.tensor(values[solved]) for values in (angles, *root)]
    pose = exact(*(values.double() for values in inputs))
    of_label = [exact.joint_names.index(name) for name in names]
    off = np.abs(pose.joint_centres_m[:, of_label].numpy() - centres[solved]).max()
    layer = KinematicLayer.from_shard(path)
    batch = [values[torch.arange(N_POSES) % len(values)] for values in inputs]
    forward = _seconds(lambda: layer(*batch))
    both = _seconds(lambda: _backward(layer, batch))
    print(
        f"{path.name}: joint centres {off:.1e} m from the labels; poses per second {N_POSES / forward:,.0f}, "
        f"with gradients {N_POSES / both:,.0f}"
    )


def _backward(layer: KinematicLayer, batch: list[torch.Tensor]) -> None:
    angles = batch[0].clone().requires_grad_()
    pose = layer(angles, *batch[1:])
    (pose.joint_centres_m.sum() + pose.markers_m.sum()).backward()


def _seconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return float(np.median(times))


if __name__ == "__main__":
    main()
