"""How often labels lie where their deviations say, on people whose bones are known, and what deviations cost.

    python -m benchmarks.label_deviation --work WORK [--people 8]

The motions of a work folder (`movi-prep ik`) are the truth. People are drawn from `opensim_models/marker_noise.yaml`:
skin that moves and hangs together, markers beside their places, segments of other lengths. Each is solved with the
default settings and the model that scaling would have found without any of that, and what comes out is compared with
what the deviations say. So the table tests the propagation, with the solver's pulls and bounds. Whether the noise is
that of real skin, `benchmarks.soft_tissue_coverage` tests.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from movi_prep.config.ik_solver import ConvergedSettings
from movi_prep.formats.ik_file import read_ik_solution
from movi_prep.formats.noise_file import packaged_noise
from movi_prep.formats.opensim_setup import read_ik_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.kinematics import ConvergedSolution, solve_inverse_kinematics
from movi_prep.kinematics.deviation import SolvedPoses, solve_deviation
from movi_prep.osim.extract_tree import extract_tree
from movi_prep.osim.models import read_model
from movi_prep.records.ik_solution import USABLE_STATUSES
from movi_prep.records.kinematic_tree import KinematicTree
from movi_prep.records.marker_noise import MarkerNoise, segment_groups
from movi_prep.records.pose_deviation import PoseDeviation, rotation_covariance

LEVELS = (0.5, 0.9, 0.95)
BONES = ("pelvis", "femur_r", "tibia_r", "calcn_l", "thorax", "scapula", "humerus", "ulna", "skull")
COSTLY_RATE_HZ, COSTLY_FRAMES = 120.0, 3600


def main(arguments: list[str] | None = None) -> int:
    """Print coverage and cost, and return 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--people", type=int, default=8)
    options = parser.parse_args(arguments)
    # One subject is enough: the noise is drawn anew for each person.
    folder = sorted(options.work.glob("models/*/scaled.osim"))[0].parent
    tree = extract_tree(read_model(folder / "scaled.osim"))
    clips = [read_ik_solution(path) for path in sorted((options.work / "ik" / folder.name).glob("*.h5"))]
    weights = {
        name: weight
        for name, weight in read_ik_setup(packaged_path("opensim_models", "ik_full_body.yaml")).marker_weights.items()
        if weight > 0 and name in tree.marker_names
    }
    motions = [(clip.coordinates[clip.usable()], clip.rate_hz) for clip in clips]
    print_coverage(tree, weights, motions, n_people=options.people)
    print_cost(tree, weights, *motions[0])
    return 0


def print_coverage(
    tree: KinematicTree,
    weights: dict[str, float],
    motions: list[tuple[NDArray[np.float64], float]],
    *,
    n_people: int,
) -> None:
    """Print how many errors of coordinates and bones lie in their intervals."""
    rng, noise = np.random.default_rng(0), packaged_noise()
    coordinates: list[NDArray[np.float64]] = []
    bones: dict[str, list[NDArray[np.float64]]] = {name: [] for name in BONES if name in tree.body_names}
    for _ in range(n_people):
        for truth, rate_hz in motions:
            observed = noisy_markers(tree, truth, noise, rng, rate_hz=rate_hz)
            found = solve_inverse_kinematics(tree, tree.marker_names, observed, weights, ConvergedSettings())
            deviation = deviation_of(tree, found, weights, noise, rate_hz)
            usable = np.isin(found.statuses, [int(status) for status in USABLE_STATUSES])
            off = (found.coordinates - truth)[:, tree.free_coordinates] / deviation.std()
            coordinates.append(off[usable])
            for name, values in bones.items():
                values.append(bone_errors(tree, truth, found.coordinates, deviation, name)[usable])
    off = np.abs(np.concatenate(coordinates))
    print(f"{len(off)} frames of {n_people} people, {off.shape[1]} coordinates")
    told = ", ".join(
        f"{100 * level:.0f} %: {100 * np.mean(off <= norm.ppf(0.5 + level / 2)):.1f} %" for level in LEVELS
    )
    print(f"intervals of coordinates hold: {told}")
    ninety = np.mean(off <= norm.ppf(0.95), axis=0)
    names = np.array(tree.coordinate_names)[tree.free_coordinates]
    for word, chosen in (("lowest", np.argsort(ninety)[:3]), ("highest", np.argsort(-ninety)[:3])):
        print(f"  {word} at 90 %: " + ", ".join(f"{names[k]} {100 * ninety[k]:.0f} %" for k in chosen))
    for segment, columns in coordinates_by_segment(tree, noise).items():
        print(f"  {segment} ({len(columns)} coordinates) at 90 %: {100 * np.mean(ninety[columns]):.1f} %")
    for name, values in bones.items():
        inside = np.mean(np.abs(np.concatenate(values)) <= norm.ppf(0.95), axis=0)
        print(f"  {name} about its x, y, z at 90 %: " + ", ".join(f"{100 * share:.0f} %" for share in inside))


def coordinates_by_segment(tree: KinematicTree, noise: MarkerNoise) -> dict[str, list[int]]:
    """Return segment of the noise -> free coordinates of its bodies' joints, as `PoseDeviation` counts them."""
    groups, segments = segment_groups(noise, tree.body_names)
    column = {coordinate: place for place, coordinate in enumerate(np.flatnonzero(tree.free_coordinates).tolist())}
    found: dict[str, list[int]] = {}
    for body, group in enumerate(groups.tolist()):
        moved = tree.axis_coordinate[tree.first_axis[body] : tree.first_axis[body + 1]].tolist()
        for place in (column.pop(coordinate) for coordinate in moved if coordinate in column):
            found.setdefault(segments[group].name, []).append(place)
    return found


def print_cost(tree: KinematicTree, weights: dict[str, float], motion: NDArray[np.float64], rate_hz: float) -> None:
    """Print processor time of the solver and of deviations for a long clip."""
    times = np.arange(COSTLY_FRAMES) / COSTLY_RATE_HZ
    # To and fro, as long as it takes.
    place = np.abs((times * rate_hz) % (2 * len(motion) - 2) - (len(motion) - 1))
    before = place.astype(np.int64)
    share = (place - before)[:, None]
    coordinates = (1 - share) * motion[before] + share * motion[np.minimum(before + 1, len(motion) - 1)]
    noise = packaged_noise()
    observed = noisy_markers(tree, coordinates, noise, np.random.default_rng(1), rate_hz=COSTLY_RATE_HZ)
    spent = []
    for _ in range(3):
        start = time.process_time()
        found = solve_inverse_kinematics(tree, tree.marker_names, observed, weights, ConvergedSettings())
        solved = time.process_time()
        deviation_of(tree, found, weights, noise, COSTLY_RATE_HZ)
        spent.append((solved - start, time.process_time() - solved))
    solver, deviations = 1e3 * np.array(spent).min(axis=0) / COSTLY_FRAMES
    print(
        f"{COSTLY_FRAMES} frames at {COSTLY_RATE_HZ:g} Hz, ms a frame: solver {solver:.3f}, deviations {deviations:.3f}"
    )


def deviation_of(
    tree: KinematicTree, found: ConvergedSolution, weights: dict[str, float], noise: MarkerNoise, rate_hz: float
) -> PoseDeviation:
    """Return how far the poses of a solution may be off; every marker was seen."""
    markers = np.array([tree.marker(name) for name in found.marker_names])
    poses = SolvedPoses(
        coordinates=found.coordinates,
        markers=markers,
        weights=np.array([weights[name] for name in found.marker_names]),
        seen=np.ones((len(found.coordinates), len(markers)), dtype=np.bool_),
        prior=found.pull_weights,
        shares=found.pull_shares,
        rate_hz=rate_hz,
    )
    return solve_deviation(tree, poses, noise)[0]


def bone_errors(
    tree: KinematicTree,
    truth: NDArray[np.float64],
    found: NDArray[np.float64],
    deviation: PoseDeviation,
    body: str,
) -> NDArray[np.float64]:
    """Return (n, 3) errors of a bone's orientation about its own axes, in deviations."""
    index = tree.body_names.index(body)
    turned, straight = (tree.body_poses(poses)[0][:, index] for poses in (found, truth))
    twist = np.swapaxes(straight, 1, 2) @ turned
    # Half of the skew part of a rotation matrix is its rotation vector, to second order.
    vector = 0.5 * np.stack([twist[:, i, j] - twist[:, j, i] for i, j in ((2, 1), (0, 2), (1, 0))], axis=1)
    covariance = rotation_covariance(tree, found, deviation, body)
    return np.asarray(vector / np.sqrt(np.einsum("nii->ni", covariance)))


def noisy_markers(
    tree: KinematicTree,
    poses: NDArray[np.float64],
    noise: MarkerNoise,
    rng: np.random.Generator,
    *,
    rate_hz: float,
) -> NDArray[np.float64]:
    """Return (n, m, 3) metres, in ground: markers of one person drawn from the model of noise, through a clip.

    Args:
        tree: the model that the person is taken for.
        poses: (n, c) float64, rad and m, complete: the true ones.
        noise: the model of noise.
        rng: where the person comes from.
        rate_hz: frames per second.
    """
    groups, segments = segment_groups(noise, tree.body_names)
    sizes = 1.0 + noise.scale_sd * rng.standard_normal(len(segments))
    from_parent = np.where(tree.body_parent >= 0, sizes[groups[np.maximum(tree.body_parent, 0)]], 1.0)
    # The person differs from the model that the solver gets: that is what the deviation of scale stands for.
    person = replace(
        tree,
        parent_position_m=tree.parent_position_m * from_parent[:, None],
        marker_position_m=tree.marker_position_m * sizes[groups[tree.marker_body]][:, None],
    )
    placed = noise.placement_sd_m * rng.standard_normal((len(tree.marker_names), 3))
    moved = placed + skin_movement(tree, noise, rng, n_frames=len(poses), rate_hz=rate_hz)
    # Skin moves in the frames of bodies; their rotations turn it into ground.
    rotations, _ = tree.body_poses(poses)
    return person.marker_positions(poses) + (rotations[:, tree.marker_body] @ moved[..., None])[..., 0]


def skin_movement(
    tree: KinematicTree, noise: MarkerNoise, rng: np.random.Generator, *, n_frames: int, rate_hz: float
) -> NDArray[np.float64]:
    """Return (n, m, 3) metres, in the frames of the bodies: a skin field per segment that forgets itself in time."""
    groups, segments = segment_groups(noise, tree.body_names)
    group_of = groups[tree.marker_body]
    default = tree.marker_positions(tree.complete_coordinates(tree.coordinate_default))
    drawn = rng.standard_normal((n_frames, len(group_of), 3))
    for group, segment in enumerate(segments):
        own = np.flatnonzero(group_of == group)
        # A first-order autoregression with the correlation time of the segment, at variance 1.
        kept = np.exp(-1.0 / (rate_hz * segment.correlation_s)) if segment.correlation_s > 0 else 0.0
        for frame in range(1, n_frames):
            drawn[frame, own] = kept * drawn[frame - 1, own] + np.sqrt(1.0 - kept**2) * drawn[frame, own]
        apart = np.linalg.norm(default[own, None] - default[own], axis=2)
        values, vectors = np.linalg.eigh(np.exp(-apart / segment.field_length_m))
        root = vectors * (segment.field_sd_m * np.sqrt(np.maximum(values, 0.0)))
        drawn[:, own] = np.einsum("ij,njk->nik", root, drawn[:, own])
    return drawn


if __name__ == "__main__":
    sys.exit(main())
