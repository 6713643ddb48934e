"""The converged solver measured against OpenSim's own InverseKinematicsTool, and against known answers.

    python -m benchmarks.converged_ik [--shared ../shared] [--work WORK] [--tool-frames 40] [--seeds 3] [--only NAME]

Trials: OpenSim's gait2354 example with its own set-up; World A with D3KE's scaled `full_body.osim` (D3KE's own results
beside) and with its model without hands, scaled by our scaling stage with D3KE's tables, and as it comes; and, with
`--work`, every clip of a work folder that has been through `movi-prep markers` and `movi-prep ik`, with our model, and
the first clip of each of its subjects with both models of D3KE, scaled.

* Times are CPU time, ours and the tool's in one run, so that a busy machine weighs on both. `solver` is the two tracks
  joined, `call` is everything: planning, both starts, tracks, certificate, ranks and deviations.
* The tool runs with the set-up's own accuracy and constraint weight on the first `--tool-frames` frames, reports off.
* Both results are put into OpenSim, coordinates unlocked and without assembly, and the objective is computed from
  where its forward kinematics puts the markers (and from the coordinate tasks): the ratio is ours / the tool's.
* Jitter is the RMS second difference of all rotations but the root's, degrees.
* Known answers: markers by forward kinematics at a smoothed motion; exact, and with 4 mm placement, 1.5 mm slow and
  0.3 mm white noise. Observable coordinates are those with a posterior deviation of at most 3 degrees at 5 mm.
  Noise is drawn `--seeds` times, the same for both solvers, and their difference is paired: its mean and standard
  error. The motion is taken as solved, and again about a pose that differs from it in every joint by a constant (an
  eighth of its range, normal, at most 20 degrees), because an early stop holds coordinates where the tool starts:
  at the default pose, where those of a walking person mostly are.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import opensim
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from movi_prep.config.ik_solver import ConvergedSettings
from movi_prep.config.scaling import ScaleAuditSettings
from movi_prep.formats.marker_file import read_markers, read_static_trial
from movi_prep.formats.opensim_setup import read_ik_setup, read_scale_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.formats.storage import read_storage
from movi_prep.formats.trc import read_trc, write_trc
from movi_prep.kinematics import ConvergedSolution, CoordinateTarget, solve_inverse_kinematics
from movi_prep.kinematics import solve as solve_module
from movi_prep.osim.extract_tree import extract_tree
from movi_prep.osim.marker_tracking import coordinate_targets
from movi_prep.osim.models import marker_positions_m, read_model, set_pose, write_model
from movi_prep.osim.scale_model import scale_model
from movi_prep.records.ik_solution import FrameStatus
from movi_prep.records.kinematic_tree import KinematicTree
from movi_prep.records.markers import MarkerTrajectories, StaticTrial
from movi_prep.records.setups import IkSetup
from movi_prep.stages.scale import solve_pose_converged

Array = NDArray[np.float64]

BMLMOVI_SAMPLES = 1_210_000
"""Samples at 120 Hz in BMLmovi (1801 clips)."""

OBSERVABLE_DEG = 3.0

KNOWN_FRAMES = 12
"""Frames of the known answers that both solvers are compared on."""


@dataclass(frozen=True)
class TheirModel:
    """A model of D3KE with the set-ups that are packaged for it: file names."""

    name: str
    model: str
    scaling: str
    ik: str


WITHOUT_HANDS = TheirModel(
    "wo_hands", "full_body_wo_hands.osim", "scaling_d3ke_without_hands.yaml", "ik_d3ke_without_hands.yaml"
)
WITH_HANDS = TheirModel("full_body", "full_body.osim", "scaling_d3ke.yaml", "ik_d3ke.yaml")


@dataclass(frozen=True)
class Trial:
    """A clip with everything that both solvers need.

    Attributes:
        name: for the table.
        model_path: the scaled model.
        tree: its kinematics.
        markers: what was seen, OpenSim ground.
        setup: weights, tasks and OpenSim's settings.
        elsewhere: objectives (n,) of a published result on the same markers, None where there is none.
        elsewhere_jitter_deg: its jitter.
    """

    name: str
    model_path: Path
    tree: KinematicTree
    markers: MarkerTrajectories
    setup: IkSetup
    elsewhere: Array | None = None
    elsewhere_jitter_deg: float = float("nan")

    @property
    def tracked(self) -> list[str]:
        """Markers that both model and data have, with a weight."""
        weights = self.setup.marker_weights
        return [name for name in self.markers.names if weights.get(name, 0) > 0 and name in self.tree.marker_names]

    def tasks(self) -> list[CoordinateTarget]:
        """Coordinate tasks with their targets over time."""
        model = read_model(self.model_path)
        targets = coordinate_targets(model, self.setup.coordinate_tasks, self.markers.times_s, {}, self.name)
        return [CoordinateTarget(task.name, task.weight, values) for task, values in targets]

    def solve(self, settings: ConvergedSettings, tasks: list[CoordinateTarget]) -> ConvergedSolution:
        """Solve all frames with the converged solver."""
        weights = {name: float(self.setup.marker_weights[name]) for name in self.tracked}
        return solve_inverse_kinematics(
            self.tree, self.markers.names, self.markers.positions_m, weights, settings, tasks=tasks
        )


def main() -> None:
    """Print every table."""
    options = _options()
    print(__doc__.split("\n", 1)[0], "\n")
    with tempfile.TemporaryDirectory() as folder:
        show_compile_times(Path(folder))
        trials = [trial for trial in find_trials(options, Path(folder)) if options.only in trial.name]
        costs = [compare(trial, options, Path(folder)) for trial in trials]
        show_known_answers(trials, options.seeds)
        show_two_processes(trials)
        show_corpus(costs)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder of the reference material")
    parser.add_argument("--work", type=Path, help="work folder with markers and scaled models of our own")
    parser.add_argument("--tool-frames", type=int, default=40, help="frames that OpenSim's tool solves per trial")
    parser.add_argument("--rounds", type=int, default=3, help="repeats of our solver; the median counts")
    parser.add_argument("--seeds", type=int, default=3, help="draws of the noise in the known answers")
    parser.add_argument("--only", default="", help="trials whose name contains this")
    return parser.parse_args()


def find_trials(options: argparse.Namespace, folder: Path) -> Iterator[Trial]:
    """Yield the trials for which there are data."""
    reference = options.shared / "reference"
    if reference.is_dir():
        yield gait_trial(reference / "gait2354")
        for subject in (1, 15):
            yield world_trial(reference, subject, folder)
            yield scaled_world_trial(reference, subject, folder)
        yield without_hands_trial(reference)
    if options.work is not None:
        yield from work_trials(options.work)
    if options.work is not None and reference.is_dir():
        yield from scaled_work_trials(reference, options.work, folder)


def gait_trial(folder: Path) -> Trial:
    """OpenSim's example: walking, its own set-up and published scaled model."""
    path = folder / "expected" / "subject01_simbody.osim"
    setup = read_ik_setup(folder / "subject01_Setup_IK.xml")
    markers = read_trc(folder / "subject01_walk1.trc")
    start, end = setup.time_range_s
    rows = np.flatnonzero((markers.times_s >= start - 1e-9) & (markers.times_s <= end + 1e-9))
    cut = replace(
        markers,
        positions_m=markers.positions_m[rows],
        times_s=markers.times_s[rows],
        sample_indices=markers.sample_indices[rows],
    )
    return Trial("gait2354 walk", path, extract_tree(read_model(path)), cut, setup)


def world_markers(folder: Path, subject: int) -> MarkerTrajectories:
    """Markers as D3KE saw them, turned from AMASS's z-up world into y-up ground."""
    stored = np.load(folder / f"Subject_{subject}_F_2_markers.npz")
    return _trajectories(stored["names"].tolist(), _to_ground(stored["markers"].astype(float)), f"World A, {subject}")


def world_trial(reference: Path, subject: int, folder: Path) -> Trial:
    """World A on D3KE's scaled model, with the result of D3KE's own code beside."""
    theirs = reference / "world_a_d3ke"
    path = folder / f"subject_{subject}.osim"
    path.write_bytes(gzip.decompress((theirs / f"subject_{subject}_scale.osim.gz").read_bytes()))
    tables = json.loads((reference / "d3ke_tables.json").read_text())
    tree, markers = extract_tree(read_model(path)), world_markers(theirs, subject)
    setup = IkSetup(
        name="d3ke",
        source="d3ke_tables.json",
        marker_weights={name: float(weight) for name, weight in tables["ik_marker_weights"].items()},
        accuracy=float(tables["ik_settings"]["accuracy"]),
        constraint_weight=float(tables["ik_settings"]["constraint_weight"]),
    )
    trial = Trial(f"World A S{subject:02d} full_body", path, tree, markers, setup)
    stored = np.load(theirs / f"Subject_{subject}_F_2_ik.npz")
    coordinates = _model_order(tree, stored["names"].tolist(), stored["values_mot_units"], in_degrees=True)
    # D3KE solved in the z-up world: its coordinates are compared there.
    upright = markers.positions_m[: len(coordinates)]
    lying = np.stack([upright[..., 0], -upright[..., 2], upright[..., 1]], axis=-1)
    there = replace(trial, markers=_trajectories(list(markers.names), lying, "World A, z up"))
    objectives = objectives_in_opensim(there, coordinates)
    return replace(trial, elsewhere=objectives, elsewhere_jitter_deg=jitter_deg(trial, coordinates))


def without_hands_trial(reference: Path) -> Trial:
    """World A on D3KE's model without hands; it is not scaled, so residuals are large for both solvers."""
    path = reference / "d3ke_models" / WITHOUT_HANDS.model
    setup = read_ik_setup(packaged_path("opensim_models", WITHOUT_HANDS.ik))
    markers = world_markers(reference / "world_a_d3ke", 1)
    return Trial("World A S01 wo_hands, not scaled", path, extract_tree(read_model(path)), markers, setup)


def scaled_world_trial(reference: Path, subject: int, folder: Path) -> Trial:
    """World A on D3KE's model without hands, scaled and placed on the subject's static markers."""
    theirs = reference / "world_a_d3ke"
    stored = np.load(theirs / f"subject_{subject}_static_markers.npz")
    still = _trajectories(stored["names"].tolist(), np.repeat(stored["markers"][None].astype(float), 67, axis=0), "T")
    static = StaticTrial(still, 1.7, float("nan"), None, "given")
    name = f"World A S{subject:02d}"
    return scaled_trial(reference, WITHOUT_HANDS, static, (name, world_markers(theirs, subject)), folder)


def scaled_work_trials(reference: Path, work: Path, folder: Path) -> Iterator[Trial]:
    """First clip of each subject of a work folder on D3KE's models, scaled."""
    for subject in sorted((work / "markers").glob("S*")):
        static, clip = read_static_trial(subject / "static.h5"), min(subject.glob("C*.h5"))
        for theirs in (WITHOUT_HANDS, WITH_HANDS):
            named = (f"{subject.name}/{clip.stem}", read_markers(clip))
            yield scaled_trial(reference, theirs, static, named, folder)


def scaled_trial(
    reference: Path, theirs: TheirModel, static: StaticTrial, named: tuple[str, MarkerTrajectories], folder: Path
) -> Trial:
    """Scale one of D3KE's models as `movi-prep ik --model` with its packaged tables does."""
    model = read_model(reference / "d3ke_models" / theirs.model)
    setup = read_scale_setup(packaged_path("opensim_models", theirs.scaling))
    scale_model(model, static, setup, ScaleAuditSettings(), solve_pose=solve_pose_converged)
    path = folder / f"{named[0].replace('/', '_')} {theirs.model}"
    write_model(path, model)
    ik_setup = read_ik_setup(packaged_path("opensim_models", theirs.ik))
    return Trial(f"{named[0]} {theirs.name}", path, extract_tree(read_model(path)), named[1], ik_setup)


def work_trials(work: Path) -> Iterator[Trial]:
    """Clips of a work folder with our model."""
    setup = read_ik_setup(packaged_path("opensim_models", "ik_full_body.yaml"))
    for path in sorted(work.glob("models/S*/scaled.osim")):
        tree = extract_tree(read_model(path))
        for clip in sorted((work / "markers" / path.parent.name).glob("C*.h5")):
            yield Trial(f"{path.parent.name}/{clip.stem} our model", path, tree, read_markers(clip), setup)


def compare(trial: Trial, options: argparse.Namespace, folder: Path) -> tuple[str, float, float]:
    """Print one trial's table; return its name and both costs in ms per frame."""
    tasks, settings = trial.tasks(), ConvergedSettings()
    ours = trial.solve(settings, tasks)
    call_ms = _median_ms(lambda: trial.solve(settings, tasks), options.rounds) / trial.markers.n_rows
    solver_ms = _solver_ms(trial, tasks, options.rounds) / trial.markers.n_rows
    forward_ms = _solver_ms(trial, tasks, options.rounds, tracks="forward") / trial.markers.n_rows
    # The tool takes a hundred times as long: a few frames tell its cost. The gait trial is short enough for all.
    n_tool = min(options.tool_frames, trial.markers.n_rows) if "gait" not in trial.name else trial.markers.n_rows
    theirs, tool_ms = run_tool(trial, n_tool, folder)
    coordinates = ours.coordinates[:n_tool]
    our_f = objectives_in_opensim(trial, coordinates) + task_objectives(trial, tasks, coordinates)
    their_f = objectives_in_opensim(trial, theirs) + task_objectives(trial, tasks, theirs)
    counts = Counter(FrameStatus(int(status)).name for status in ours.statuses)
    gradient, rank = ours.gradient_norms, ours.ranks if ours.ranks is not None else np.zeros(1)
    print(f"{trial.name}: {trial.markers.n_rows} frames, {len(ours.marker_names)} markers, {ours.n_unknowns} unknowns")
    _row("frames", f"{dict(counts)}, {ours.iterations.mean():.1f} iterations, rank {rank.min()}")
    _row("gradient", f"median {np.median(gradient):.1e}, most {gradient.max():.1e} m^2/rad")
    own = f"solver {solver_ms:.3f}, forward alone {forward_ms:.3f}, call {call_ms:.3f}"
    _row("CPU ms/frame", f"{own}, tool {tool_ms:.1f}")
    _row("times the tool", f"solver {tool_ms / solver_ms:.0f}, call {tool_ms / call_ms:.0f}")
    _row(f"not above, {n_tool} frames", _shares(our_f / their_f))
    # Set-up documents are solved without the pulls on what markers see, as the tool has none.
    asked = trial.solve(ConvergedSettings(pulls="unseen"), tasks).coordinates[:n_tool]
    asked_f = objectives_in_opensim(trial, asked) + task_objectives(trial, tasks, asked)
    _row("as --setup solves", _shares(asked_f / their_f))
    _row("weighted RMS mm", f"ours {_rms_mm(our_f):.3f}, tool {_rms_mm(their_f):.3f}")
    ours_deg, tool_deg = jitter_deg(trial, coordinates), jitter_deg(trial, theirs)
    _row("jitter deg", f"ours {ours_deg:.3f}, tool {tool_deg:.3f}, ratio {ours_deg / tool_deg:.3f}")
    if trial.elsewhere is not None:
        everywhere = objectives_in_opensim(trial, ours.coordinates[: len(trial.elsewhere)])
        _row(f"D3KE, {len(trial.elsewhere)} frames", _shares(everywhere / trial.elsewhere))
        both = f"ours {jitter_deg(trial, ours.coordinates):.3f}, D3KE {trial.elsewhere_jitter_deg:.3f}"
        _row("jitter deg", both)
    print()
    return trial.name, solver_ms, tool_ms


def _row(what: str, text: str) -> None:
    print(f"  {what:22s}{text}")


def _shares(ratio: Array) -> str:
    return f"{100 * np.mean(ratio <= 1):.1f} %; ratio {ratio.mean():.4f}, worst {ratio.max():.8f}"


def run_tool(trial: Trial, n_frames: int, folder: Path, *, reports: bool = False) -> tuple[Array, float]:
    """Return OpenSim's own tool's (n, c) coordinates of the first frames, and its CPU cost in ms per frame."""
    # Only tracked markers: the tool would read the others for nothing.
    part = trial.markers.select(trial.tracked)
    part = replace(
        part,
        positions_m=part.positions_m[:n_frames],
        times_s=part.times_s[:n_frames],
        sample_indices=part.sample_indices[:n_frames],
    )
    write_trc(folder / "tool.trc", part)
    model = read_model(trial.model_path)
    tool = opensim.InverseKinematicsTool()
    tool.setModel(model)
    tool.setMarkerDataFileName(str(folder / "tool.trc"))
    # A margin, because times in a .trc file are rounded, and the tool would leave out a row at the very end.
    tool.setStartTime(float(part.times_s[0]) - 1e-6)
    tool.setEndTime(float(part.times_s[-1]) + 1e-6)
    tool.setOutputMotionFileName(str(folder / "tool.mot"))
    tool.setResultsDir(str(folder))
    tool.set_report_errors(reports)
    tool.set_report_marker_locations(reports)
    tool.set_accuracy(trial.setup.accuracy)
    tool.set_constraint_weight(trial.setup.constraint_weight)
    for name in trial.tracked:
        task = opensim.IKMarkerTask()
        task.setName(name)
        task.setWeight(float(trial.setup.marker_weights[name]))
        tool.upd_IKTaskSet().cloneAndAppend(task)
    for pull in trial.setup.coordinate_tasks:
        held = opensim.IKCoordinateTask()
        held.setName(pull.name)
        held.setWeight(pull.weight)
        held.setValueType(opensim.IKCoordinateTask.ManualValue)
        held.setValue(pull.value)
        tool.upd_IKTaskSet().cloneAndAppend(held)
    with _silence():
        begin = time.process_time()
        tool.run()
        cost_ms = 1e3 * (time.process_time() - begin) / n_frames
    motion = read_storage(folder / "tool.mot")
    # The tool may write whole paths, `/jointset/hip_r/hip_flexion_r/value`.
    labels = [label.split("/")[-1] for label in motion.labels]
    return _model_order(trial.tree, labels, motion.values, in_degrees=motion.in_degrees), cost_ms


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what the tool prints from its own language out of the tables."""
    sys.stdout.flush()
    kept, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nothing)


def objectives_in_opensim(trial: Trial, coordinates: Array) -> Array:
    """Return (n,) half the weighted mean squared marker error, m^2, by OpenSim's own forward kinematics."""
    model = read_model(trial.model_path)
    state = model.initSystem()
    weights = np.array([trial.setup.marker_weights[name] for name in trial.tracked])
    observed = trial.markers.select(trial.tracked).positions_m
    found = np.empty(len(coordinates))
    for row, pose in enumerate(coordinates):
        # Without assembly: OpenSim would move the pose of either solver towards its own minimum.
        set_pose(model, state, pose)
        squared = ((marker_positions_m(model, state, trial.tracked) - observed[row]) ** 2).sum(axis=1)
        seen = np.isfinite(squared)
        found[row] = 0.5 * weights[seen] @ squared[seen] / weights[seen].sum()
    return found


def task_objectives(trial: Trial, tasks: list[CoordinateTarget], coordinates: Array) -> Array:
    """Return (n,) coordinate tasks' part of the objective."""
    total = np.zeros(len(coordinates))
    for task in tasks:
        target = np.broadcast_to(task.target, trial.markers.n_rows)[: len(coordinates)]
        total += 0.5 * task.weight * (coordinates[:, trial.tree.coordinate(task.name)] - target) ** 2
    return total


def jitter_deg(trial: Trial, coordinates: Array) -> float:
    """Return the RMS second difference of all rotations but the root's, degrees."""
    root = {name for name in trial.tree.coordinate_names if name.startswith("pelvis_")}
    # The root is left out: near gimbal lock its angles change fast where the pose does not.
    keep = trial.tree.coordinate_is_rotation & np.array([name not in root for name in trial.tree.coordinate_names])
    return float(np.rad2deg(np.sqrt((np.diff(coordinates[:, keep], 2, axis=0) ** 2).mean())))


def show_known_answers(trials: list[Trial], n_seeds: int) -> None:
    """Print what comes back where the truth is known."""
    print("known answers, exact markers (RMS deg | marker RMS mm): ours default, ours without pulls, tool")
    for trial in trials:
        known = known_answer(trial, _smoothed(trial))
        # Not 0: what no marker sees must still stay where the frame before had it.
        pure = ConvergedSettings(prior_strength=0.0, temporal_weight=1e-9)
        errors = [known.miss(known.ours(ConvergedSettings())), known.miss(known.ours(pure)), known.miss(known.theirs())]
        n_seen = f"({np.count_nonzero(known.observable)} of {int(trial.tree.free_coordinates.sum())})"
        print(f"  {trial.name:24s} {n_seen:12s}" + "   ".join(f"{deg:.4f} | {mm:.4f}" for deg, mm in errors))
    print(f"\nknown answers, noise, {n_seeds} draws: ours, tool, paired difference (negative: ours is nearer)")
    for label, moved in (("as solved", False), ("another pose", True)):
        families: dict[str, list[Array]] = {}
        for trial in trials:
            pairs = np.array([noisy_errors(trial, seed, moved=moved) for seed in range(1, n_seeds + 1)])
            # Paired: both solvers see the same noise, whose scatter from draw to draw is larger than what they differ
            # by.
            difference = pairs[:, 0, 0] - pairs[:, 1, 0]
            families.setdefault(trial.name.split(" ", 1)[-1], []).append(difference)
            (ours_deg, ours_mm), (their_deg, their_mm) = pairs.mean(axis=0)
            row = f"{ours_deg:.3f} | {ours_mm:.2f}   {their_deg:.3f} | {their_mm:.2f}   {_mean_and_error(difference)}"
            print(f"  {trial.name:24s} {label}: {row} deg, nearer in {np.count_nonzero(difference < 0)}")
        for family, differences in families.items():
            if len(differences) > 1:
                together = _mean_and_error(np.mean(differences, axis=0))
                print(f"  all {len(differences)} of {family}, {label}: {together} deg")
    print()


def _mean_and_error(values: Array) -> str:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return f"{values.mean():+.3f} +- {error:.3f}"


@dataclass(frozen=True, eq=False)
class KnownAnswer:
    """A trial whose markers were made from known coordinates.

    Attributes:
        trial: with the made markers.
        truth: (n, c) coordinates.
        exact_m: (n, m, 3) tracked markers without noise, metres.
        observable: (c,) rotations that a look at 5 mm sees to within 3 degrees.
    """

    trial: Trial
    truth: Array
    exact_m: Array
    observable: NDArray[np.bool_]

    def ours(self, settings: ConvergedSettings) -> Array:
        """Coordinates that our solver finds."""
        return self.trial.solve(settings, self.trial.tasks()).coordinates

    def theirs(self) -> Array:
        """Coordinates that OpenSim's tool finds in the first frames."""
        with tempfile.TemporaryDirectory() as folder:
            return run_tool(self.trial, KNOWN_FRAMES, Path(folder))[0]

    def miss(self, coordinates: Array) -> tuple[float, float]:
        """RMS error of the observable coordinates, degrees, and of the markers, mm."""
        rows = slice(0, KNOWN_FRAMES)
        error = np.rad2deg(_wrapped(coordinates[rows] - self.truth[rows])[:, self.observable])
        columns = [self.trial.tree.marker(name) for name in self.trial.tracked]
        apart_m = self.trial.tree.marker_positions(coordinates[rows])[:, columns] - self.exact_m[rows]
        return float(np.sqrt((error**2).mean())), float(1e3 * np.sqrt((apart_m**2).sum(axis=2).mean()))


def known_answer(trial: Trial, truth: Array) -> KnownAnswer:
    """Return the trial with exact markers at the truth."""
    exact_m = trial.tree.marker_positions(truth)[:, [trial.tree.marker(name) for name in trial.tracked]]
    made = replace(trial, markers=_trajectories(trial.tracked, exact_m, "known answer"))
    deviation = np.asarray(made.solve(ConvergedSettings(), made.tasks()).posterior_std)
    seen = np.rad2deg(np.median(deviation, axis=0)) <= OBSERVABLE_DEG
    return KnownAnswer(made, truth, exact_m, seen & trial.tree.coordinate_is_rotation & trial.tree.free_coordinates)


def noisy_errors(trial: Trial, seed: int, *, moved: bool) -> tuple[tuple[float, float], tuple[float, float]]:
    """Errors of ours and the tool's (degrees, mm) on one draw of the noise."""
    truth = _smoothed(trial)
    known = known_answer(trial, _moved(trial, truth, seed) if moved else truth)
    rng, exact_m = np.random.default_rng(seed), known.exact_m
    # Skin moves slowly against the bone; white noise only would average out over a track.
    slow = gaussian_filter1d(rng.normal(0, 1, exact_m.shape), 8.0, axis=0)
    noise_m = rng.normal(0, 0.004, exact_m.shape[1:]) + 0.0015 * slow / slow.std()
    noise_m += rng.normal(0, 0.0003, exact_m.shape)
    markers = _trajectories(trial.tracked, exact_m + noise_m, "known answer with noise")
    noisy = replace(known, trial=replace(known.trial, markers=markers))
    return noisy.miss(noisy.ours(ConvergedSettings())), noisy.miss(noisy.theirs())


def _smoothed(trial: Trial) -> Array:
    """(40, c) the motion as solved, without its jitter."""
    solved = trial.solve(ConvergedSettings(), trial.tasks()).coordinates[:40]
    return trial.tree.complete_coordinates(_inside(trial.tree, gaussian_filter1d(solved, 3.0, axis=0)))


def _moved(trial: Trial, truth: Array, seed: int) -> Array:
    """The same motion about another pose: every joint turned by a constant, but the root and those with a task."""
    tree, tasks = trial.tree, {task.name for task in trial.setup.coordinate_tasks}
    low, high = tree.coordinate_range.T
    turn = np.random.default_rng(100 + seed).normal(0, 1, len(low)) * np.minimum((high - low) / 8, np.deg2rad(20))
    held = [name.startswith("pelvis_") or name in tasks for name in tree.coordinate_names]
    turn[np.array(held) | ~(tree.coordinate_is_rotation & tree.free_coordinates)] = 0.0
    return tree.complete_coordinates(_inside(tree, truth + turn))


def show_two_processes(trials: list[Trial]) -> None:
    """Print what a second process brings on two clips; where others use the cores, only its CPU time tells."""
    if not trials:
        return
    clip = max(trials, key=lambda trial: len(trial.tracked))
    # Seconds of work each: starting, sending and collecting must not count.
    long = replace(clip, markers=_repeated(clip.markers, 80))
    wall, spent = [], []
    for n_processes in (1, 2):
        # Forked: the compiled code and the models are there already, so that starting costs nothing.
        with multiprocessing.get_context("fork").Pool(n_processes) as pool:
            # Once without measuring, to load the kernels in each process.
            pool.map(_cpu_seconds, [clip] * n_processes, chunksize=1)
            begin = time.perf_counter()
            spent.append(sum(pool.map(_cpu_seconds, [long, long], chunksize=1)))
            wall.append(time.perf_counter() - begin)
    cores = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    print(f"two processes on two clips: {2 * spent[0] / spent[1]:.2f} times one by CPU time,", end=" ")
    print(f"{wall[0] / wall[1]:.2f} by wall time ({cores})\n")


def _cpu_seconds(trial: Trial) -> float:
    begin = time.process_time()
    trial.solve(ConvergedSettings(), [])
    return time.process_time() - begin


def show_compile_times(folder: Path) -> None:
    """Print CPU seconds of the first call: compiled, and from the kept machine code, which needs no numba."""
    code = (
        "import os, sys; from movi_prep.kinematics import solve_inverse_kinematics;"
        "from movi_prep.kinematics.kernel_cache import compile_ahead;"
        "from movi_prep.config.ik_solver import ConvergedSettings; from tests.builders.kinematic_tree import *;"
        "tree = random_tree(0); markers = tree.marker_positions(smooth_motion(tree, 0, 4));"
        "weights = dict.fromkeys(tree.marker_names, 1.0);"
        "asked = (tree, tree.marker_names, markers, weights, ConvergedSettings());"
        "begin = sum(os.times()[:4]);"
        "compile_ahead(*asked); solve_inverse_kinematics(*asked);"
        "assert 'numba' not in sys.modules;"
        "print(sum(os.times()[:4]) - begin)"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache")}
    root = Path(__file__).parents[1]
    seconds = [
        float(
            subprocess.run(
                [sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, check=True
            ).stdout
        )
        for _ in range(2)
    ]
    print(f"first call: {seconds[0]:.1f} s CPU compiling, {seconds[1]:.2f} s from the machine code that is kept\n")


def show_corpus(costs: list[tuple[str, float, float]]) -> None:
    """Print the whole of BMLmovi from the measured costs."""
    print(f"all of BMLmovi at 120 Hz ({BMLMOVI_SAMPLES / 1e6:.2f} million samples), one core")
    for name, ours_ms, tool_ms in costs:
        ours_min, tool_h = BMLMOVI_SAMPLES * ours_ms / 6e4, BMLMOVI_SAMPLES * tool_ms / 3.6e6
        print(f"  {name:24s} ours {ours_min:6.1f} minutes, OpenSim's tool {tool_h:6.1f} hours")


def _solver_ms(trial: Trial, tasks: list[CoordinateTarget], rounds: int, tracks: str = "both") -> float:
    """Return the CPU time of the tracks, without planning, certificate and composition."""
    # A list, so that the inner function can write to it.
    spent = [0.0]
    original = solve_module._solve_tracks

    def timed(*arguments: object) -> object:
        begin = time.process_time()
        result = original(*arguments)  # type: ignore[arg-type]
        spent[0] = time.process_time() - begin
        return result

    # Replaced for the time of the measurement: the solver itself should carry no clock.
    solve_module._solve_tracks = timed  # type: ignore[assignment]
    try:
        settings = ConvergedSettings.model_validate({"tracks": tracks})
        costs = []
        for _ in range(rounds):
            trial.solve(settings, tasks)
            costs.append(1e3 * spent[0])
    finally:
        solve_module._solve_tracks = original
    return float(np.median(costs))


def _median_ms(call: Callable[[], object], rounds: int) -> float:
    costs = []
    for _ in range(rounds):
        begin = time.process_time()
        call()
        costs.append(1e3 * (time.process_time() - begin))
    return float(np.median(costs))


def _trajectories(names: list[str], positions_m: Array, source: str) -> MarkerTrajectories:
    n_rows = len(positions_m)
    return MarkerTrajectories(
        names=tuple(names),
        positions_m=positions_m,
        times_s=np.arange(n_rows) / 120.0,
        sample_indices=np.arange(n_rows),
        rate_hz=120.0,
        source=source,
    )


def _repeated(markers: MarkerTrajectories, times: int) -> MarkerTrajectories:
    """There and back again, so that no frame jumps."""
    there = markers.positions_m
    parts = [there if k % 2 == 0 else there[::-1] for k in range(times)]
    return _trajectories(list(markers.names), np.concatenate(parts), markers.source)


def _to_ground(positions_m: Array) -> Array:
    return np.ascontiguousarray(np.stack([positions_m[..., 0], positions_m[..., 2], -positions_m[..., 1]], axis=-1))


def _model_order(tree: KinematicTree, names: list[str], values: Array, *, in_degrees: bool) -> Array:
    coordinates = np.tile(tree.coordinate_default, (len(values), 1))
    for column, name in enumerate(names):
        index = tree.coordinate(str(name))
        turns = tree.coordinate_is_rotation[index] and in_degrees
        coordinates[:, index] = np.deg2rad(values[:, column]) if turns else values[:, column]
    return coordinates


def _inside(tree: KinematicTree, coordinates: Array) -> Array:
    low, high = tree.coordinate_range.T
    return np.where(tree.coordinate_clamped, np.clip(coordinates, low, high), coordinates)


def _wrapped(angles_rad: Array) -> Array:
    return np.mod(angles_rad + np.pi, 2 * np.pi) - np.pi


def _rms_mm(objectives: Array) -> float:
    return float(1e3 * np.sqrt(2.0 * objectives.mean()))


if __name__ == "__main__":
    main()
