"""Poses found from nothing: random poses within the bounds, exact markers, each solved without neighbours.

    python -m benchmarks.cold_start [--shared ../shared] [--poses 200] [--seed 0] [--only NAME]

Models: an arm with three clamped shoulder angles, a whole body after Rajagopal's, our model, and, with the reference
material, OpenSim's gait2354 and both models of D3KE. Every angle is drawn evenly over its range; the root stands and
faces anywhere. A pose is found where the weighted marker RMS is below 0.1 mm.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.config.ik_solver import ConvergedSettings
from movi_prep.formats.opensim_setup import read_ik_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.kinematics import solve_inverse_kinematics
from movi_prep.records.ik_solution import FrameStatus
from tests.builders.cold_start_models import arm, random_poses, whole_body

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from movi_prep.records.kinematic_tree import KinematicTree

FOUND_MM = 0.1


def main() -> int:
    """Print one row per model; return 1 if a pose was not found, or not found without a word."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder of the reference material")
    parser.add_argument("--poses", type=int, default=200, help="poses per model")
    parser.add_argument("--seed", type=int, default=0, help="of the poses")
    parser.add_argument("--only", default="", help="models whose name contains this")
    options = parser.parse_args()
    print(f"{'model':14s}{'unknowns':>9s}{'poses':>7s}{'found':>7s}{'worst mm':>10s}{'ms/pose':>9s}  statuses")
    missed = 0
    for name, tree, weights in find_models(options.shared):
        if options.only in name:
            missed += show_model(name, tree, weights, options)
    return 1 if missed else 0


def find_models(shared: Path) -> Iterator[tuple[str, KinematicTree, Mapping[str, float]]]:
    """Yield each model with its marker weights."""
    for name, built in (("arm", arm()), ("whole body", whole_body())):
        yield name, built, dict.fromkeys(built.marker_names, 1.0)
    packaged = packaged_path("opensim_models", "movi_full_body.osim")
    yield _read("our model", packaged, packaged_path("opensim_models", "ik_full_body.yaml"))
    reference = shared / "reference"
    if not reference.is_dir():
        print(f"(no reference material in {shared}: gait2354 and D3KE's models left out)")
        return
    gait, theirs = reference / "gait2354", reference / "d3ke_models"
    yield _read("gait2354", gait / "expected" / "subject01_simbody.osim", gait / "subject01_Setup_IK.xml")
    without = packaged_path("opensim_models", "ik_d3ke_without_hands.yaml")
    yield _read("D3KE no hands", theirs / "full_body_wo_hands.osim", without)
    yield _read("D3KE full", theirs / "full_body.osim", packaged_path("opensim_models", "ik_d3ke.yaml"))


def _read(name: str, model: Path, setup: Path) -> tuple[str, KinematicTree, Mapping[str, float]]:
    from movi_prep.osim.extract_tree import extract_tree
    from movi_prep.osim.models import read_model

    tree = extract_tree(read_model(model))
    weights = read_ik_setup(setup).marker_weights
    return name, tree, {marker: float(weights.get(marker, 0.0)) for marker in tree.marker_names}


def show_model(name: str, tree: KinematicTree, weights: Mapping[str, float], options: argparse.Namespace) -> int:
    """Print the row of one model; return how many poses were not found."""
    poses = random_poses(tree, options.poses, np.random.default_rng(options.seed))
    markers_m, settings = tree.marker_positions(poses), ConvergedSettings(observability=False)
    solve_inverse_kinematics(tree, tree.marker_names, markers_m[:1], weights, settings)  # compiles and folds
    begin = time.process_time()
    # Each frame as a clip of its own: a neighbour would lead to the pose.
    alone = [solve_inverse_kinematics(tree, tree.marker_names, frame[None], weights, settings) for frame in markers_m]
    ms = 1e3 * (time.process_time() - begin) / len(alone)
    # The objective is half the weighted mean square.
    rms_mm = 1e3 * np.sqrt(2.0 * np.array([solution.objectives[0] for solution in alone]))
    found = int((rms_mm < FOUND_MM).sum())
    statuses = dict(Counter(FrameStatus(int(solution.statuses[0])).name for solution in alone))
    row = f"{name:14s}{alone[0].n_unknowns:9d}{len(alone):7d}{found:7d}{rms_mm.max():10.4f}{ms:9.1f}  {statuses}"
    print(row, flush=True)
    return len(alone) - found


if __name__ == "__main__":
    raise SystemExit(main())
