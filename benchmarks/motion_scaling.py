"""Scaling from motion and scaling from a static trial: on people of known size, and on data of body models.

    python -m benchmarks.motion_scaling [--people 6] [--spoilt] [--work WORK ...]

Known people: our model with factors of its own and tracked markers up to so many millimetres away from the table, each
in its own direction. They stand near the default pose for the static trial, and move through 60 % of every range for
ten seconds at 120 Hz. Both methods see the same markers with the same noise. Reported are the lengths between joints,
the sites, and, of another motion with the same noise, the angles against the true ones and the residual of inverse
kinematics. `--spoilt` scales each person, instead, with a twentieth of the rows spoilt in each of several ways, and
reports by how much lengths and sites differ from those without. `WORK` is the work folder of a run with
`movi-prep markers` done: its subjects are scaled by both methods, and both models track all clips.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.config.ik_solver import ConvergedSettings
from movi_prep.config.scaling import ScaleUnitSettings
from movi_prep.formats.marker_file import read_markers, read_static_trial
from movi_prep.formats.opensim_setup import read_ik_setup, read_scale_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.kinematics import solve_inverse_kinematics
from movi_prep.kinematics.tracks import is_root
from movi_prep.osim.extract_tree import extract_tree
from movi_prep.osim.models import read_model
from movi_prep.osim.scale_model import scale_model
from movi_prep.records.markers import MarkerTrajectories, StaticTrial
from movi_prep.stages.motion_scale import PersonTrials, scale_to_motion
from movi_prep.stages.scale import solve_pose_converged
from tests.builders.known_person import KnownPerson, known_person
from tests.builders.spoilt_rows import FAULTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import opensim
    from numpy.typing import NDArray

    from movi_prep.records.scale_result import ScaleResult

SETTINGS = ScaleUnitSettings(method="motion")
N_FRAMES, RATE_HZ, N_TRACKED = 1200, 120.0, 300
SITES_M, NOISES_M = (0.02, 0.005, 0.0), (0.0, 0.004)
SPOILT_SHARE = 0.05
METHODS = ("motion", "static")
LENGTHS = (
    "upper_back_height",
    "lower_back_height",
    "upper_arm_length",
    "forearm_length",
    "thigh_length",
    "shank_length",
)


@dataclass(frozen=True)
class Missed:
    """Errors of one person by one method.

    Attributes:
        lengths: (6,) shares, of the factors of `LENGTHS`.
        sites_m: (k,) metres.
        angles_deg: RMS over all coordinates but the root's, of another motion.
        ik_rms_m: residual of inverse kinematics of that motion, metres.
        seconds: processor time of scaling.
    """

    lengths: NDArray[np.float64]
    sites_m: NDArray[np.float64]
    angles_deg: float
    ik_rms_m: float
    seconds: float


def main() -> int:
    """Print the tables and return 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--people", type=int, default=6, help="known people per row")
    parser.add_argument("--spoilt", action="store_true", help="with a twentieth of the rows spoilt")
    parser.add_argument("--work", type=Path, nargs="*", default=[], help="work folders with markers")

    options = parser.parse_args()
    if options.spoilt:
        _print_spoilt(options.people)
        return 0
    print(
        "sites off, noise, mm  method   lengths: median, worst   sites, mm: median, 90 %   angles, deg  IK, mm  CPU s"
    )
    for site_m in SITES_M:
        for noise_m in NOISES_M:
            people = [known_person(seed, site_m=site_m) for seed in range(options.people)]
            for method in METHODS:
                rows = [missed(person, method, seed, noise_m) for seed, person in enumerate(people)]
                _print_missed(f"{1000 * site_m:9.0f} {1000 * noise_m:11.0f}  {method}", rows)
    for work in options.work:
        print(f"\n{work}\nsubject  IK marker RMS, mm: static, motion   CPU s: static, motion")
        for markers in sorted((work / "markers").iterdir()):
            clips = [read_markers(path) for path in sorted(markers.glob("*.h5")) if path.stem != "static"]
            _compare(markers.name, PersonTrials(clips, read_static_trial(markers / "static.h5")))
    return 0


def _print_spoilt(n_people: int) -> None:
    print("noise, mm  fault                     lengths changed, worst   sites, mm: median, 90 %   CPU s")
    people = [known_person(seed) for seed in range(n_people)]
    for noise_m in NOISES_M:
        whole = [_person_of(person, person.move(N_FRAMES, seed, noise_m=noise_m)) for seed, person in enumerate(people)]
        for name, fault in FAULTS.items():
            rows = []
            for seed, (person, (lengths, sites_m, _)) in enumerate(zip(people, whole, strict=True)):
                rng, positions_m = np.random.default_rng(seed), person.move(N_FRAMES, seed, noise_m=noise_m)
                spoilt = _spoilt_rows(rng)
                positions_m[spoilt] = fault(person, positions_m[spoilt], rng)
                found = _person_of(person, positions_m)
                moved_m = np.linalg.norm(found[1] - sites_m, axis=1)
                rows.append((np.abs(found[0] / lengths - 1.0).max(), moved_m, found[2]))
            changed, moved, seconds = zip(*rows, strict=True)
            print(
                f"{1000 * noise_m:9.0f}  {name:24} {100 * max(changed):22.3f} % {1000 * np.median(moved):14.3f}"
                f" {1000 * np.percentile(moved, 90):9.3f} {max(seconds):7.1f}",
                flush=True,
            )


def _spoilt_rows(rng: np.random.Generator) -> NDArray[np.int64]:
    """Return rows of runs of one to four, a twentieth of all together."""
    spoilt = np.zeros(N_FRAMES, dtype=bool)
    while spoilt.mean() < SPOILT_SHARE:
        first = int(rng.integers(N_FRAMES))
        spoilt[first : first + int(rng.integers(1, 5))] = True
    return np.flatnonzero(spoilt)


def _person_of(
    person: KnownPerson, positions_m: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return factors of `LENGTHS`, (k, 3) sites in metres, and processor seconds, of scaling to a motion."""
    moving = _trajectories(person, positions_m)
    model, result, seconds = scaled(PersonTrials([moving], None), "motion")
    tree, factors = extract_tree(model), dict(zip(result.measurement_names, result.measurement_factors, strict=True))
    sites_m = np.array([tree.marker_position_m[tree.marker_names.index(name)] for name in moving.names])
    return np.array([factors[name] for name in LENGTHS]), sites_m, seconds


def missed(person: KnownPerson, method: str, seed: int, noise_m: float) -> Missed:
    """Scale a known person by one method, track another motion with the model, and return by how much all misses."""
    static = StaticTrial(person.stand(seed, noise_m=noise_m), 1.75, 70.0, None, "given")
    moving = _trajectories(person, person.move(N_FRAMES, seed, noise_m=noise_m))
    model, result, seconds = scaled(PersonTrials([moving], static), method)
    tree, factors = extract_tree(model), dict(zip(result.measurement_names, result.measurement_factors, strict=True))
    true = dict(zip(person.markers.groups.names, np.exp(person.log_factors), strict=True))
    names = moving.names
    sites_m = np.array([tree.marker_position_m[tree.marker_names.index(name)] for name in names])
    off_m = np.linalg.norm(sites_m - person.sites_m(person.log_factors, person.offsets_m), axis=1)
    unknowns = person.unknowns(N_TRACKED, seed + 1000)
    observed_m = person.move(N_TRACKED, seed + 1000, noise_m=noise_m)
    found = solve_inverse_kinematics(
        tree, names, observed_m, dict(zip(names, person.weights.tolist(), strict=True)), ConvergedSettings()
    )
    joints = person.markers.folded.unknowns[~is_root(person.markers.folded)]
    apart = found.coordinates[:, joints] - person.markers.coordinates(unknowns)[:, joints]
    return Missed(
        lengths=np.array([abs(factors[name] / true[name] - 1.0) for name in LENGTHS]),
        sites_m=off_m,
        angles_deg=float(np.degrees(np.sqrt(np.nanmean(apart**2)))),
        ik_rms_m=float(np.sqrt(2.0 * np.nanmean(found.objectives))),
        seconds=seconds,
    )


def scaled(trials: PersonTrials, method: str) -> tuple[opensim.Model, ScaleResult, float]:
    """Return our model scaled by one method, what it found, and processor seconds."""
    model = read_model(packaged_path("opensim_models", "movi_full_body.osim"))
    setup = read_scale_setup(packaged_path("opensim_models", "scaling_full_body.yaml"))
    weights = read_ik_setup(packaged_path("opensim_models", "ik_full_body.yaml")).marker_weights
    begin = time.process_time()
    if method == "motion":
        result = scale_to_motion(model, trials, setup, weights, SETTINGS, solve_pose=solve_pose_converged)
    elif trials.static is not None:
        result = scale_model(model, trials.static, setup, SETTINGS, solve_pose=solve_pose_converged)
    else:
        raise ValueError("the static method needs a static trial")
    return model, result, time.process_time() - begin


def _trajectories(person: KnownPerson, positions_m: NDArray[np.float64]) -> MarkerTrajectories:
    n_rows = len(positions_m)
    names = tuple(person.markers.tree.marker_names[marker] for marker in person.markers.markers)
    rows = np.arange(n_rows)
    return MarkerTrajectories(names, positions_m, rows / RATE_HZ, rows, RATE_HZ, "motion")


def _print_missed(head: str, rows: Sequence[Missed]) -> None:
    lengths, sites_m = (np.concatenate([getattr(row, name) for row in rows]) for name in ("lengths", "sites_m"))
    angles, residual, seconds = (np.array([getattr(row, name) for row in rows]) for name in _SCALARS)
    print(
        f"{head:30} {100 * np.median(lengths):10.3f} {100 * lengths.max():8.3f} %"
        f" {1000 * np.median(sites_m):14.2f} {1000 * np.percentile(sites_m, 90):9.2f}"
        f" {np.sqrt((angles**2).mean()):12.2f} {1000 * np.sqrt((residual**2).mean()):9.2f} {seconds.max():7.1f}",
        flush=True,
    )


_SCALARS = ("angles_deg", "ik_rms_m", "seconds")


def _compare(subject: str, trials: PersonTrials) -> None:
    weights = read_ik_setup(packaged_path("opensim_models", "ik_full_body.yaml")).marker_weights
    models = {method: scaled(trials, method) for method in METHODS}
    # Both models through the same solver and frames: only scaling differs.
    rms_mm = {method: _track(found[0], trials.moving, weights) for method, found in models.items()}
    print(
        f"{subject:8} {rms_mm['static']:20.2f} {rms_mm['motion']:9.2f}"
        f" {models['static'][2]:16.1f} {models['motion'][2]:8.1f}",
        flush=True,
    )


def _track(model: opensim.Model, clips: Sequence[MarkerTrajectories], weights: dict[str, float]) -> float:
    """Return the weighted marker RMS over all frames of all clips, mm."""
    tree, objectives = extract_tree(model), []
    for clip in clips:
        names = tuple(name for name in clip.names if weights.get(name, 0.0) > 0.0 and name in tree.marker_names)
        solved = solve_inverse_kinematics(
            tree, names, clip.select(names).positions_m, weights, ConvergedSettings(observability=False)
        )
        objectives.append(solved.objectives)
    return float(1000.0 * np.sqrt(2.0 * np.nanmean(np.concatenate(objectives))))


if __name__ == "__main__":
    sys.exit(main())
