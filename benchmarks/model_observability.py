"""How well the markers determine the packaged model, or any other: rank and posterior deviation at known poses.

    python -m benchmarks.model_observability [--model M.osim --ik-setup S.yaml] [--noise-mm 5] [--work WORK]

Poses come from `opensim_models/poses_full_body.yaml`; a coordinate that a model lacks is left out there. With `--work`
they are every solved sample of every clip of a work folder (`movi-prep ik`), each with its subject's scaled model. The
noise is independent per marker and component. With D3KE's model and weights the same table shows what the packaged
model does differently:

    python -m benchmarks.model_observability --model ../shared/reference/d3ke_models/full_body_wo_hands.osim \
        --ik-setup opensim_models/ik_d3ke_without_hands.yaml
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from movi_prep.formats.ik_file import read_ik_solution
from movi_prep.formats.opensim_setup import read_ik_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.osim.extract_tree import extract_tree
from movi_prep.osim.models import read_model
from movi_prep.osim.observability import Observability, solve_observability
from movi_prep.records.kinematic_tree import KinematicTree

LIMIT_DEG = 5.0


def main(arguments: list[str] | None = None) -> int:
    """Print the table and return 0."""
    options = _parse(arguments)
    if options.work is not None:
        measure_work(options.work, options.ik_setup, noise_m=options.noise_mm / 1000)
        return 0
    tree = extract_tree(read_model(options.model))
    poses = read_poses(packaged_path("opensim_models", "poses_full_body.yaml"), tree)
    weights = read_ik_setup(options.ik_setup).marker_weights
    seen = solve_observability(tree, np.array(list(poses.values())), weights, noise_m=options.noise_mm / 1000)
    _print_poses(seen, list(poses))
    _print_coordinates(seen)
    return 0


def read_poses(path: Path, tree: KinematicTree) -> dict[str, NDArray[np.float64]]:
    """Return pose name -> (c,) coordinates, rad and m; what a pose does not name keeps its default."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    index = {name: position for position, name in enumerate(tree.coordinate_names)}
    poses = {}
    for name, angles_deg in document["poses"].items():
        pose = np.array(tree.coordinate_default)
        for coordinate, angle_deg in angles_deg.items():
            # Another model may lack coordinates of ours: it keeps its default there.
            if coordinate in index:
                pose[index[coordinate]] = np.deg2rad(angle_deg)
        poses[name] = tree.complete_coordinates(pose[None])[0]
    return poses


def measure_work(work: Path, setup: Path, *, noise_m: float) -> None:
    """Print what the markers see in every sample of every clip, by clip and by coordinate."""
    weights = read_ik_setup(setup).marker_weights
    limit_rad = np.deg2rad(LIMIT_DEG)
    found: list[Observability] = []
    print(f"{'clip':<10} {'samples':>8} {'rank':>5} {f'share below {LIMIT_DEG:g} deg: least, median, most':>44}")
    for model in sorted(work.glob("models/S*/scaled.osim")):
        tree = extract_tree(read_model(model))
        for clip in sorted((work / "ik" / model.parent.name).glob("C*.h5")):
            solution = read_ik_solution(clip)
            seen = solve_observability(tree, solution.coordinates[solution.usable()], weights, noise_m=noise_m)
            share = 100 * seen.share_below(limit_rad)
            name, told = f"{model.parent.name}/{clip.stem}", (share.min(), np.median(share), share.max())
            print(f"{name:<10} {len(share):>8} {seen.ranks.min():>5} " + " ".join(f"{part:>14.1f}" for part in told))
            found.append(seen)
    every = replace(
        found[0],
        ranks=np.concatenate([seen.ranks for seen in found]),
        deviations=np.concatenate([seen.deviations for seen in found]),
    )
    share = every.share_below(limit_rad)
    print(
        f"\n{len(share)} samples, {every.is_rotation.sum()} free rotations; least {100 * share.min():.1f} %, ", end=""
    )
    print(f"{np.mean(share == share.min()):.0%} of the samples there; {np.sum(share < 0.8)} samples below 80 %")
    _print_coordinates(every)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=packaged_path("opensim_models", "movi_full_body.osim"))
    parser.add_argument("--ik-setup", type=Path, default=packaged_path("opensim_models", "ik_full_body.yaml"))
    parser.add_argument("--noise-mm", type=float, default=5.0)
    parser.add_argument("--work", type=Path, help="work folder whose solved clips give the poses")
    return parser.parse_args(arguments)


def _print_poses(seen: Observability, names: list[str]) -> None:
    rotations = int(seen.is_rotation.sum())
    print(f"{len(seen.coordinate_names)} free coordinates, {rotations} of them rotations")
    print(f"\n{'pose':<14} {'rank':>5} {f'rotations below {LIMIT_DEG:g} deg':>26}")
    for name, rank, share in zip(names, seen.ranks, seen.share_below(np.deg2rad(LIMIT_DEG)), strict=True):
        print(f"{name:<14} {rank:>5} {100 * share:>24.1f} %")


def _print_coordinates(seen: Observability) -> None:
    print(f"\n{'posterior deviation, deg':<24} {'median':>8} {'largest':>8} {f'above {LIMIT_DEG:g}':>8}")
    rotations = np.flatnonzero(seen.is_rotation)
    degrees = np.degrees(seen.deviations)
    middle, largest, above = np.median(degrees, axis=0), degrees.max(axis=0), (degrees >= LIMIT_DEG).mean(axis=0)
    for index in sorted(rotations.tolist(), key=lambda index: -middle[index]):
        name = seen.coordinate_names[index]
        print(f"{name:<24} {middle[index]:>8.1f} {largest[index]:>8.1f} {above[index]:>8.0%}")


if __name__ == "__main__":
    sys.exit(main())
