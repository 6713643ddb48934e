"""Scaling from motion: people of known size and sites, and the static method on the same subjects.

    python -m benchmarks.motion_scaling [--people 6] [--work WORK]

Known people: our model with factors of its own and every marker up to 2 cm away from the table, moving through 60 % of
every range. Reported are the factors that the motion shows (the others are named by the method itself and held at the
prior), the lengths between joints among them, and the sites. `WORK` is the work folder of a run with `movi-prep ik`
done: its subjects are scaled by motion as well, and both models track all clips.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.config.ik_solver import ConvergedSettings
from movi_prep.config.scaling import ScaleUnitSettings
from movi_prep.formats.marker_file import read_markers, read_static_trial
from movi_prep.formats.opensim_setup import read_ik_setup, read_scale_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.kinematics import solve_inverse_kinematics
from movi_prep.kinematics.motion_scaling import PersonPrior
from movi_prep.kinematics.person_from_motion import Trial, scale_from_motion
from movi_prep.osim.extract_tree import extract_tree
from movi_prep.osim.models import read_model
from movi_prep.stages.motion_scale import PersonTrials, person_prior, scale_to_motion
from movi_prep.stages.scale import solve_pose_converged
from tests.builders.known_person import KnownPerson, known_person

if TYPE_CHECKING:
    import opensim

    from movi_prep.kinematics.person_from_motion import MotionScaling
    from movi_prep.records.markers import MarkerTrajectories

SETTINGS = ScaleUnitSettings(method="motion")
N_FRAMES = 240
NOISES_M = (0.0, 0.004)
LENGTHS = (
    "upper_back_height",
    "lower_back_height",
    "upper_arm_length",
    "forearm_length",
    "thigh_length",
    "shank_length",
)


def main() -> int:
    """Print both tables and return 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--people", type=int, default=6, help="known people per noise")
    parser.add_argument("--work", type=Path, help="work folder with markers, static trials and scaled models")
    options = parser.parse_args()
    setup = read_scale_setup(packaged_path("opensim_models", "scaling_full_body.yaml"))
    print("noise, mm   lengths: median, worst   factors shown: median, 90 %   sites, mm: median, 90 %   CPU s")
    for noise_m in NOISES_M:
        rows = [_known(seed, noise_m) for seed in range(options.people)]
        _print_known(noise_m, rows)
    if options.work is not None:
        print("\nsubject  IK marker RMS, mm: static, motion   CPU s")
        for folder in sorted((options.work / "models").iterdir()):
            _compare(options.work, folder.name, setup)
    return 0


def scale_known(person: KnownPerson, trials: list[Trial]) -> MotionScaling:
    """Return the person that trials show, under the prior of the pipeline."""
    return scale_from_motion(person.markers, trials, person.weights, prior_of(person), SETTINGS.motion)


def prior_of(person: KnownPerson) -> PersonPrior:
    """Return the prior of the pipeline."""
    axes = [
        "".join(axis for k, axis in enumerate("XYZ") if (person.markers.groups.of_body[:, k] == group).any())
        for group in range(person.markers.n_groups)
    ]
    return person_prior(person.markers, axes, SETTINGS.motion)


def _known(seed: int, noise_m: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Errors of lengths and of the factors shown (shares), of sites (m), and processor seconds."""
    person = known_person(seed)
    observed = person.move(N_FRAMES, seed, noise_m=noise_m)
    begin = time.process_time()
    found = scale_known(person, [Trial("motion", observed)])
    spent_s = time.process_time() - begin
    names, answer = person.markers.groups.names, found.fit.person
    # exp of a difference of logarithms, less 1: the relative error of the factor.
    error = np.abs(np.expm1(answer.log_factors - person.log_factors))
    is_length = np.array([name in LENGTHS for name in names])
    sites_m = person.sites_m(answer.log_factors, answer.offsets_m)
    missed_m = np.linalg.norm(sites_m - person.sites_m(person.log_factors, person.offsets_m), axis=1)
    return error[is_length], error[found.seen], missed_m, spent_s


def _print_known(noise_m: float, rows: list[tuple[np.ndarray, np.ndarray, np.ndarray, float]]) -> None:
    lengths, shown, sites_m = (np.concatenate([row[k] for row in rows]) for k in range(3))
    print(
        f"{1000 * noise_m:9.0f} {100 * np.median(lengths):12.3f} {100 * lengths.max():8.3f} %"
        f" {100 * np.median(shown):14.3f} {100 * np.percentile(shown, 90):8.3f} %"
        f" {1000 * np.median(sites_m):14.2f} {1000 * np.percentile(sites_m, 90):9.2f}"
        f" {max(row[3] for row in rows):12.1f}"
    )


def _compare(work: Path, subject: str, setup: object) -> None:
    tracking = read_ik_setup(packaged_path("opensim_models", "ik_full_body.yaml"))
    folder = work / "markers" / subject
    clips = [read_markers(path) for path in sorted(folder.glob("*.h5")) if path.stem != "static"]
    model = read_model(packaged_path("opensim_models", "movi_full_body.osim"))
    begin = time.process_time()
    trials = PersonTrials(clips, read_static_trial(folder / "static.h5"))
    result = scale_to_motion(model, trials, setup, tracking.marker_weights, SETTINGS, solve_pose=solve_pose_converged)
    spent_s = time.process_time() - begin
    static = read_model(work / "models" / subject / "scaled.osim")
    # Both models through the same solver and frames: only scaling differs.
    rms_mm = [_track(each, clips, tracking.marker_weights) for each in (static, model)]
    print(f"{subject:8} {rms_mm[0]:20.2f} {rms_mm[1]:9.2f} {spent_s:12.1f}")
    for finding in result.findings:
        print(f"         {finding}")


def _track(model: opensim.Model, clips: list[MarkerTrajectories], weights: dict[str, float]) -> float:
    """Return the weighted marker RMS over all frames of all clips, mm."""
    tree, objectives = extract_tree(model), []
    for clip in clips:
        names = tuple(name for name in clip.names if weights.get(name, 0.0) > 0.0)
        solved = solve_inverse_kinematics(
            tree, names, clip.select(names).positions_m, weights, ConvergedSettings(observability=False)
        )
        objectives.append(solved.objectives)
    return float(1000.0 * np.sqrt(2.0 * np.nanmean(np.concatenate(objectives))))


if __name__ == "__main__":
    sys.exit(main())
