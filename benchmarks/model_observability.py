"""How well the markers determine the packaged model, or any other: rank and posterior deviation at known poses.

    python -m benchmarks.model_observability [--model M.osim --ik-setup S.yaml] [--noise-mm 5]

Poses come from `opensim_models/poses_full_body.yaml`; a coordinate that a model lacks is left out there. The noise is
independent per marker and component. With D3KE's model and weights the same table shows what the packaged model
does differently:

    python -m benchmarks.model_observability --model ../shared/reference/d3ke_models/full_body_wo_hands.osim \
        --ik-setup opensim_models/ik_d3ke_without_hands.yaml
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

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
            if coordinate in index:
                pose[index[coordinate]] = np.deg2rad(angle_deg)
        poses[name] = tree.complete_coordinates(pose[None])[0]
    return poses


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=packaged_path("opensim_models", "movi_full_body.osim"))
    parser.add_argument("--ik-setup", type=Path, default=packaged_path("opensim_models", "ik_full_body.yaml"))
    parser.add_argument("--noise-mm", type=float, default=5.0)
    return parser.parse_args(arguments)


def _print_poses(seen: Observability, names: list[str]) -> None:
    rotations = int(seen.is_rotation.sum())
    print(f"{len(seen.coordinate_names)} free coordinates, {rotations} of them rotations")
    print(f"\n{'pose':<14} {'rank':>5} {f'rotations below {LIMIT_DEG:g} deg':>26}")
    for name, rank, share in zip(names, seen.ranks, seen.share_below(np.deg2rad(LIMIT_DEG)), strict=True):
        print(f"{name:<14} {rank:>5} {100 * share:>24.1f} %")


def _print_coordinates(seen: Observability) -> None:
    print(f"\n{'posterior deviation, deg':<24} {'median':>8} {'largest':>8}")
    rotations = np.flatnonzero(seen.is_rotation)
    middle = np.degrees(np.median(seen.deviations, axis=0))
    largest = np.degrees(np.max(seen.deviations, axis=0))
    for index in sorted(rotations.tolist(), key=lambda index: -middle[index]):
        print(f"{seen.coordinate_names[index]:<24} {middle[index]:>8.1f} {largest[index]:>8.1f}")


if __name__ == "__main__":
    sys.exit(main())
