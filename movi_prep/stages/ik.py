"""The stage of inverse kinematics: coordinates of each clip, with their proof.

| unit           | reads                                                     | writes                            |
|----------------|-----------------------------------------------------------|-----------------------------------|
| `ik S001/C01`  | `markers/.../C01.h5`, `scaled.osim`, `scale.json`, set-up | `C01.h5`, `C01.mot`, `C01.trc`    |

Everything is solved in OpenSim ground (y up): an upright pelvis is away from gimbal lock. A frame that cannot be
solved is flagged and has no pose; it never ends a clip.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import AuditError, InputError, ModelError, UsageError, list_names, suggest
from movi_prep.formats.file_stamp import FileStamp, file_stamp
from movi_prep.formats.ik_file import write_ik_solution
from movi_prep.formats.marker_file import read_markers
from movi_prep.formats.opensim_setup import included_files, read_ik_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.formats.scale_file import read_scale_result
from movi_prep.formats.storage import StorageTable, coordinate_table, write_storage
from movi_prep.formats.trc import write_trc
from movi_prep.geometry.jumps import angle_jumps, marker_jumps
from movi_prep.geometry.landmark_rule import LandmarkRule, coordinate_validity, landmark_bodies
from movi_prep.geometry.marker_size import check_marker_size
from movi_prep.records.ik_solution import FrameStatus
from movi_prep.records.unit import Stage, StageReport, Unit
from movi_prep.stages.compile_solver import compile_solver
from movi_prep.stages.packaged_model import PACKAGED_IK_SETUP, packaged_setups

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.config.ik import IkUnitSettings, SolveSettings
    from movi_prep.config.root import Config
    from movi_prep.geometry.jumps import Jump
    from movi_prep.osim.marker_tracking import Curve
    from movi_prep.osim.solution import ScaledModel, SolvedFrames
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.records.recordings import Recordings
    from movi_prep.records.setups import CoordinateTask, IkSetup
    from movi_prep.records.work_folder import WorkFolder

LEAST_ROWS = 2
LEAST_TRACKED = 3
STATUS_WORDS = {
    FrameStatus.NOT_CONVERGED: "are not converged",
    FrameStatus.TOO_FEW_MARKERS: "show too few markers",
    FrameStatus.FAILED: "have failed",
    FrameStatus.SUSPECT: "are suspect",
}
LEAST_USABLE = 0.5
"""A clip with a smaller share of frames that have a pose is warned of."""

REASONS_TOLD = 5
"""How many different reasons for unusable frames the warning lists, the most frequent first."""

_LONE_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")
"""A number that stands alone: 276 in `RMS 276 mm`, not the one of the marker T8."""


@dataclass(frozen=True)
class IkInputs:
    """What a clip is solved from; `setup_parts` are files that an XML set-up has parts of itself in."""

    markers: Path
    model: Path
    scale: Path
    setup: Path
    setup_parts: tuple[Path, ...] = ()


@dataclass(frozen=True)
class IkOutputs:
    """The solution; `motion` (.mot) and `trc` are None unless asked for."""

    solution: Path
    motion: Path | None
    trc: Path | None


@dataclass(frozen=True, eq=False)
class _Clip:
    """A problem as both solvers take it: `tracked` markers in the order of the data, targets of coordinate tasks."""

    scaled: ScaledModel
    markers: MarkerTrajectories
    setup: IkSetup
    tracked: tuple[str, ...]
    targets: tuple[tuple[CoordinateTask, NDArray[np.float64]], ...]


def plan_ik(
    recordings: Recordings, work: WorkFolder, config: Config
) -> tuple[Unit[IkInputs, IkOutputs, IkUnitSettings], ...]:
    """Return one unit per clip."""
    if not recordings.motions:
        return ()
    setup = ik_setup_path(config)
    setup_parts = included_files(setup)
    settings = config.ik.for_unit(keep_failed_audit=config.scaling.keep_failed_audit)
    return tuple(
        Unit(
            stage=IK.name,
            key=str(clip),
            inputs=IkInputs(
                markers=work.markers(clip),
                model=work.scaled_model(clip.subject),
                scale=work.scale_result(clip.subject),
                setup=setup,
                setup_parts=setup_parts,
            ),
            outputs=IkOutputs(
                solution=work.ik_solution(clip),
                motion=work.ik_motion(clip) if config.ik.write_mot else None,
                trc=work.ik_solution(clip).with_suffix(".trc") if config.ik.write_trc else None,
            ),
            settings=settings,
        )
        for clip in sorted(recordings.motions)
    )


def run_ik(inputs: IkInputs, outputs: IkOutputs, settings: IkUnitSettings) -> StageReport:
    """Solve one clip and write it."""
    check_audit(inputs.scale, keep_failed=settings.keep_failed_audit)
    markers = read_markers(inputs.markers)
    setup = read_ik_setup(inputs.setup)
    scaled = read_scaled_model(inputs.model)
    solution, findings = solve_clip(scaled, markers, setup, settings)
    provenance = {
        "markers": f"{inputs.markers.parent.name}/{inputs.markers.name}",
        "model": inputs.model.name,
        "setup": inputs.setup.name,
        "minimised": settings.minimised,
    }
    write_ik_solution(outputs.solution, solution, provenance=provenance)
    if outputs.motion is not None:
        write_storage(outputs.motion, motion_table(solution, name="Coordinates"))
    if outputs.trc is not None:
        write_trc(outputs.trc, model_markers(solution, source=str(outputs.solution)))
    return StageReport(
        numbers=ik_numbers(solution, scaled, settings), findings=findings, warnings=_pose_warnings(solution)
    )


def prepare_ik(settings: Sequence[IkUnitSettings], say: Callable[[str], None]) -> None:
    """Have the converged solver compiled where one of these clips is solved by it."""
    if any(each.needs_compiler for each in settings):
        compile_solver(say)


IK = Stage(
    name="ik",
    version=4,
    summary="coordinates, poses and residuals of each clip",
    plan=plan_ik,
    run=run_ik,
    prepare=prepare_ik,
)


def ik_setup_path(config: Config) -> Path:
    """Return the tracking set-up; raise UsageError where a model of the user's own lacks one."""
    if config.scaling.model is not None and config.ik.setup is None:
        names = list_names(path.name for path in packaged_setups("ik"))
        raise UsageError(
            f"model {config.scaling.model} needs a tracking set-up of its own: give --ik-setup (ik.setup); "
            f"packaged are {names} in {packaged_setups('ik')[0].parent}"
        )
    return config.ik.setup or packaged_path("opensim_models", PACKAGED_IK_SETUP)


def check_audit(scale_result: Path, *, keep_failed: bool) -> None:
    """Raise AuditError where scaling of the subject failed its audit, unless such subjects are kept."""
    result = read_scale_result(scale_result)
    if not result.passed and not keep_failed:
        raise AuditError(
            f"{scale_result}: scaling failed its audit ({'; '.join(result.findings[:3])}); correct the static trial, "
            "the measurements or the bounds in `scaling`, or go on with --set scaling.keep_failed_audit=true"
        )


def read_scaled_model(path: Path) -> ScaledModel:
    """Return a scaled model ready to be solved; the clips of one subject share it."""
    return _cached_model(path, file_stamp(path))


@lru_cache(maxsize=1)
def _cached_model(path: Path, stamp: FileStamp) -> ScaledModel:  # noqa: ARG001 - the stamp is part of the key
    from movi_prep.osim.models import read_model
    from movi_prep.osim.solution import prepare_model

    return prepare_model(read_model(path), path)


def solve_clip(
    scaled: ScaledModel,
    markers: MarkerTrajectories,
    setup: IkSetup,
    settings: SolveSettings,
    *,
    coordinate_file: Mapping[str, Curve] | None = None,
) -> tuple[IkSolution, tuple[str, ...]]:
    """Return the solution of a clip, with the landmark rule applied, and what a person should read about it.

    Args:
        scaled: the subject's model.
        markers: trajectories, OpenSim ground, metres; NaN where a marker was not seen.
        setup: weights and tasks.
        settings: which solver, and the landmark rule.
        coordinate_file: coordinate -> its values over time (rad or m), for tasks that take them from a file.

    Raises:
        InputError: the clip is shorter than two samples, fewer than three weighted markers are in model and data, or
            the markers are of another size than the model.
    """
    from movi_prep.osim.marker_tracking import coordinate_targets
    from movi_prep.osim.solution import complete_solution

    tracked = check_tracked(scaled, markers, setup)
    check_marker_size(markers.select(tracked), scaled.default_markers_m)
    targets = coordinate_targets(
        scaled.model, setup.coordinate_tasks, markers.times_s, coordinate_file or {}, setup.source
    )
    clip = _Clip(scaled=scaled, markers=markers, setup=setup, tracked=tracked, targets=targets)
    solve = _solve_in_opensim if settings.solver == "opensim" else _solve_converged
    # Both solvers return only coordinates: markers, bodies and errors come from one forward kinematics afterwards.
    frames, findings = solve(clip, settings)
    weights = {name: float(setup.marker_weights.get(name, 0.0)) for name in scaled.marker_bodies}
    # The converged solver marks suspects itself: it has bounds on single residuals, too.
    suspect_rms_m = settings.suspect_rms_m if settings.solver == "opensim" else np.inf
    solution = complete_solution(scaled, frames, markers, weights, suspect_rms_m=suspect_rms_m)
    solution, jumps = mark_jumps(solution, markers.select(tracked))
    findings = (*findings, *jumps)
    _check_some_pose(solution, markers, (*findings, *_frame_findings(solution)))
    if settings.solver == "converged":
        _check_in_opensim(scaled, solution, settings)
    # Last: a frame whose landmark misses keeps its pose, and loses the coordinates that hang on it.
    valid = _validity(solution, scaled, settings) & _decided(solution, scaled, setup)
    solution = replace(solution, coordinate_valid=valid)
    return solution, (*name_findings(scaled, markers, setup), *findings, *_frame_findings(solution))


def mark_jumps(solution: IkSolution, tracked: MarkerTrajectories) -> tuple[IkSolution, tuple[str, ...]]:
    """Mark frames as suspect in which markers or angles leap out and back, as no person does; say which and how far."""
    jumps_m = marker_jumps(tracked.positions_m, tracked.rate_hz)
    angles = solution.coordinates[:, solution.free_coordinates & solution.coordinate_is_rotation]
    jumps_rad = angle_jumps(angles, tracked.rate_hz)
    statuses = solution.statuses.copy()
    for jump in (*jumps_m, *jumps_rad):
        rows = slice(jump.first, jump.last + 1)
        statuses[rows] = np.where(solution.usable()[rows], int(FrameStatus.SUSPECT), statuses[rows])
    told = [
        f"{_at(solution, jump)}: {what} leap by {jump.size * factor:.0f} {unit} and back, as no person moves: a lost "
        "or spoilt sample?"
        for what, factor, unit, jumps in (("markers", 1e3, "mm", jumps_m), ("angles", 180.0 / np.pi, "deg", jumps_rad))
        for jump in jumps
    ]
    rest = len(told) - REASONS_TOLD
    findings = (*told[:REASONS_TOLD], *([f"{rest} more leaps out and back"] if rest > 0 else []))
    return replace(solution, statuses=statuses), findings


def _at(solution: IkSolution, jump: Jump) -> str:
    """Return which rows these are, and when: `row 25 (0.833 s)`."""
    rows = f"row {jump.first}" if jump.first == jump.last else f"rows {jump.first} to {jump.last}"
    return f"{rows} ({solution.times_s[jump.first]:.3f} s)"


def _check_some_pose(solution: IkSolution, markers: MarkerTrajectories, reasons: Sequence[str]) -> None:
    """Raise InputError where no frame has a pose: a file without any must not count as a result."""
    if not np.isfinite(solution.coordinates).all(axis=1).any():
        raise InputError(
            markers.source,
            expected="at least one frame that can be solved",
            got=f"none ({reasons[0] if reasons else 'no reason told'})",
            remedy="check the markers, or leave the clip out",
        )


def check_tracked(scaled: ScaledModel, markers: MarkerTrajectories, setup: IkSetup) -> tuple[str, ...]:
    """Return the markers that are tracked, in the order of the data; raise InputError where that is not enough."""
    if markers.n_rows < LEAST_ROWS:
        raise InputError(
            markers.source,
            expected=f"a clip of at least {LEAST_ROWS} samples",
            got=f"{markers.n_rows}",
            remedy="leave the clip out",
        )
    tracked = tuple(
        name for name in markers.names if name in scaled.marker_bodies and setup.marker_weights.get(name, 0.0) > 0
    )
    if len(tracked) < LEAST_TRACKED:
        raise InputError(
            setup.source,
            expected=f"at least {LEAST_TRACKED} markers that have a weight and are in the model and in the data",
            got=_why_few(tracked, scaled, markers, setup),
            remedy="check that model, set-up and marker file belong together, and give markers one name in all three",
        )
    return tracked


def _why_few(tracked: Sequence[str], scaled: ScaledModel, markers: MarkerTrajectories, setup: IkSetup) -> str:
    """Return which of model, set-up and data lacks the others' markers, and what a missing one may be called there."""
    weighted = [name for name, weight in setup.marker_weights.items() if weight > 0]
    n_in_model = sum(name in scaled.marker_bodies for name in weighted)
    not_in_data = [name for name in weighted if name not in markers.names]
    told = list_names(f"{name}{suggest(name, markers.names)}" for name in not_in_data[:3])
    return (
        f"{len(tracked)}: the model has {n_in_model} of {len(weighted)} weighted markers (and "
        f"{len(scaled.marker_bodies)} markers in all), the data have {len(weighted) - len(not_in_data)}"
        + (f", not {told}; they hold {list_names(markers.names)}" if not_in_data else "")
    )


def name_findings(scaled: ScaledModel, markers: MarkerTrajectories, setup: IkSetup) -> tuple[str, ...]:
    """Return sentences on weighted markers that the model or the data lack, and on those that were not always seen."""
    weighted = [name for name, weight in setup.marker_weights.items() if weight > 0]
    no_model = [name for name in weighted if name not in scaled.marker_bodies]
    no_data = [name for name in weighted if name not in markers.names]
    findings = []
    if no_model:
        # Only names that nobody uses are suggested: a near name that has its own place is no misspelling.
        spare = set(scaled.marker_bodies) - set(weighted)
        told = list_names(f"{name}{suggest(name, spare)}" for name in no_model)
        findings.append(f"weighted markers that are not in the model: {told}; add them to it, or correct the weights")
    if no_data:
        spare = set(markers.names) - set(setup.marker_weights)
        told = list_names(f"{name}{suggest(name, spare)}" for name in no_data)
        findings.append(f"weighted markers that are not in the data: {told}; solved without")
    return (*findings, *_gap_findings(markers, [name for name in weighted if name in markers.names]))


def _gap_findings(markers: MarkerTrajectories, names: Sequence[str]) -> list[str]:
    """Return one sentence per length of gaps: a clip without any marker must not say so 142 times."""
    # Markers that vanish together (a clip cut from a longer trial) have gaps of one length.
    n_gaps: dict[int, list[str]] = {}
    for name in names:
        seen = np.isfinite(markers.positions_m[:, markers.column(name)]).all(axis=-1)
        n_gaps.setdefault(markers.n_rows - int(seen.sum()), []).append(name)
    return [
        f"marker {group[0]} is not seen in {gaps} of {markers.n_rows} samples: solved without it there"
        if len(group) == 1
        else f"{len(group)} markers are not seen in {gaps} of {markers.n_rows} samples: {list_names(group)}; "
        "solved without them there"
        for gaps, group in n_gaps.items()
        if gaps
    ]


def motion_table(solution: IkSolution, *, name: str) -> StorageTable:
    """Return coordinates as motion files have them (see `formats.storage`); frames without a pose are left out."""
    posed = np.isfinite(solution.coordinates).all(axis=1)
    return coordinate_table(
        solution.coordinate_names,
        solution.times_s[posed],
        solution.coordinates[posed],
        solution.coordinate_is_rotation,
        name=name,
    )


def model_markers(solution: IkSolution, *, source: str) -> MarkerTrajectories:
    """Return where the model's markers are, as trajectories."""
    from movi_prep.records.markers import MarkerTrajectories

    return MarkerTrajectories(
        names=solution.marker_names,
        positions_m=solution.model_markers_m,
        times_s=solution.times_s,
        sample_indices=solution.sample_indices,
        rate_hz=solution.rate_hz,
        source=source,
    )


def ik_numbers(
    solution: IkSolution, scaled: ScaledModel, settings: SolveSettings
) -> dict[str, float | int | str | bool]:
    """Return what a table of clips shows: residuals of landmarks, tracked and untracked markers apart, in mm.

    A number that does not exist (a kind of marker that is not there) is left out.
    """
    weights = solution.marker_weights
    residuals_m = solution.residuals_m()[solution.usable()]
    landmark = weights >= settings.landmark_weight
    violation = limit_violations(solution, scaled)
    errors = solution.constraint_errors
    numbers: dict[str, float | int | str | bool] = {
        "solver": solution.solver,
        "minimised": settings.minimised,
        "rows": solution.n_rows,
        "usable_rows": int(solution.usable().sum()),
        "retried_rows": int((solution.statuses == FrameStatus.RETRIED).sum()),
        "weighted_rms_mm": solution.weighted_rms_m() * 1000.0,
        "marker_rms_mm": _rms_mm(residuals_m[:, weights > 0]),
        "landmark_rms_mm": _rms_mm(residuals_m[:, landmark]),
        "tracking_rms_mm": _rms_mm(residuals_m[:, (weights > 0) & ~landmark]),
        "untracked_rms_mm": _rms_mm(residuals_m[:, weights == 0]),
        "valid_coordinates_percent": 100.0 * float(solution.coordinate_valid.mean()),
        "coupler_error_max": float(np.nanmax(errors)) if np.isfinite(errors).any() else float("nan"),
        "limit_violation_max": float(violation.max()) if violation.size else 0.0,
    }
    return {name: value for name, value in numbers.items() if not (isinstance(value, float) and np.isnan(value))}


def limit_violations(solution: IkSolution, scaled: ScaledModel) -> NDArray[np.float64]:
    """Return (n, c) float64, rad or m: how far clamped coordinates are beyond their range; 0 where there is no pose."""
    low, high = scaled.coordinate_bounds.T
    beyond = np.maximum(low - solution.coordinates, solution.coordinates - high)
    return np.asarray(np.nan_to_num(np.maximum(beyond, 0.0)))


def _solve_in_opensim(clip: _Clip, settings: SolveSettings) -> tuple[SolvedFrames, tuple[str, ...]]:
    from movi_prep.osim.marker_tracking import Problem, track_markers
    from movi_prep.osim.solution import SolvedFrames

    setup = clip.setup
    problem = Problem(
        markers=clip.markers.select(clip.tracked),
        weights=np.array([setup.marker_weights[name] for name in clip.tracked]),
        coordinate_targets=clip.targets,
        accuracy=settings.accuracy or setup.accuracy,
        constraint_weight=settings.constraint_weight or setup.constraint_weight,
    )
    track = track_markers(clip.scaled.model, problem)
    tree = clip.scaled.tree
    if tree is None:
        # Without a tree nobody can put followers where their leaders say: what OpenSim left is reported as it is.
        errors = track.constraint_errors
        return SolvedFrames("opensim", track.coordinates, track.statuses, constraint_errors=errors), ()
    # What a penalty left of coupler errors (some 1e-5 rad) is removed: followers are put where their leaders say.
    return SolvedFrames("opensim", tree.complete_coordinates(track.coordinates), track.statuses), ()


def _solve_converged(clip: _Clip, settings: SolveSettings) -> tuple[SolvedFrames, tuple[str, ...]]:
    from movi_prep.kinematics import CoordinateTarget, solve_inverse_kinematics
    from movi_prep.kinematics.kernel_cache import compile_ahead
    from movi_prep.osim.solution import SolvedFrames

    if clip.scaled.tree is None:
        raise ModelError(clip.scaled.refusal)
    asked = (
        clip.scaled.tree,
        clip.markers.names,
        clip.markers.positions_m,
        {name: clip.setup.marker_weights[name] for name in clip.tracked},
        settings.converged,
    )
    tasks = [CoordinateTarget(name=task.name, weight=task.weight, target=values) for task, values in clip.targets]
    # Workers on other machines have not run `prepare`, and find their own cache empty.
    compile_ahead(*asked, tasks=tasks)
    found = solve_inverse_kinematics(*asked, tasks=tasks)
    findings = [
        f"{count} of {len(found.statuses)} frames: {reason}" for reason, count in counted_reasons(found.reasons)
    ]
    if found.unseen:
        findings.append(f"{len(found.unseen)} coordinates are not seen by the markers: {list_names(found.unseen)}")
    frames = SolvedFrames(
        solver="converged",
        coordinates=found.coordinates,
        statuses=found.statuses,
        iterations=found.iterations,
        gradient_norms=found.gradient_norms,
        posterior_std=found.posterior_std,
        ranks=found.ranks,
    )
    return frames, tuple(findings)


def _check_in_opensim(scaled: ScaledModel, solution: IkSolution, settings: SolveSettings) -> None:
    """Put a sample of frames back into OpenSim; raise AuditError where it disagrees with our arithmetic."""
    from movi_prep.osim.verify_solution import check_solution

    check_solution(
        scaled.model,
        solution.coordinates,
        solution.marker_names,
        solution.model_markers_m,
        # A few frames suffice: an error of arithmetic shows in any frame in which the joints are bent.
        n_frames=settings.converged.verify_frames,
        tolerance=settings.converged.verify_tolerance_m,
    )


def counted_reasons(reasons: Sequence[str]) -> list[tuple[str, int]]:
    """Return the most frequent reasons; those that differ only in a number are one, with its range."""
    alike: dict[str, Counter[str]] = {}
    for reason in filter(None, reasons):
        alike.setdefault(_LONE_NUMBER.sub("#", reason), Counter())[reason] += 1
    largest = sorted(alike.items(), key=lambda entry: -entry[1].total())[:REASONS_TOLD]
    return [(_with_ranges(frame, list(counts)), counts.total()) for frame, counts in largest]


def _with_ranges(frame: str, reasons: Sequence[str]) -> str:
    """Fill each `#` of a frame with the number that the reasons have there, or the least and the largest one."""
    columns = zip(*([float(number) for number in _LONE_NUMBER.findall(reason)] for reason in reasons), strict=True)
    for numbers in columns:
        least, most = min(numbers), max(numbers)
        frame = frame.replace("#", f"{least:g}" if least == most else f"{least:g} to {most:g}", 1)
    return frame


def _validity(solution: IkSolution, scaled: ScaledModel, settings: SolveSettings) -> NDArray[np.bool_]:
    rule = LandmarkRule(landmark_weight=settings.landmark_weight, limit_m=settings.landmark_limit_m)
    valid = coordinate_validity(
        solution.residuals_m(),
        solution.usable(),
        landmarks=landmark_bodies(solution.marker_names, solution.marker_weights, scaled.marker_bodies, rule),
        coordinate_bodies=scaled.coordinate_bodies,
        rule=rule,
    )
    # A landmark can sit well and still not decide a coordinate: what is not seen is the prior, not a label.
    if solution.posterior_std is not None and settings.converged.mask_unseen:
        valid &= solution.posterior_std <= settings.converged.unseen_std_rad
    return valid


def _decided(solution: IkSolution, scaled: ScaledModel, setup: IkSetup) -> NDArray[np.bool_]:
    """Return (c,) bool: coordinates that a tracked marker moves with, or that a task pulls to a value.

    All others stand where the solver began, whatever the motion: no marker of the clip says anything of them. Of a
    model without a tree nobody can say, and all count as decided.
    """
    if scaled.tree is None:
        return np.ones(len(solution.coordinate_names), dtype=bool)
    seen = np.isfinite(solution.observed_markers_m).all(axis=-1).any(axis=0) & (solution.marker_weights > 0)
    names = [name for name, is_seen in zip(solution.marker_names, seen.tolist(), strict=True) if is_seen]
    decided = scaled.tree.decided_by([scaled.tree.marker(name) for name in names])
    pulled = {task.name for task in setup.coordinate_tasks if task.weight > 0}
    by_task = [name in pulled for name in scaled.tree.coordinate_names]
    named = dict(zip(scaled.tree.coordinate_names, (decided | by_task).tolist(), strict=True))
    return np.array([named.get(name, True) for name in solution.coordinate_names])


def _pose_warnings(solution: IkSolution) -> tuple[str, ...]:
    """Return a warning where less than half of the frames have a pose to train on."""
    n_usable = int(solution.usable().sum())
    if n_usable >= LEAST_USABLE * solution.n_rows:
        return ()
    return (f"{n_usable} of {solution.n_rows} frames have a pose to train on: {'; '.join(_frame_findings(solution))}",)


def _frame_findings(solution: IkSolution) -> tuple[str, ...]:
    counts = {status: int((solution.statuses == status).sum()) for status in FrameStatus}
    return tuple(
        f"{counts[status]} of {solution.n_rows} frames {words}: "
        f"first is row {int(np.argmax(solution.statuses == status))}"
        for status, words in STATUS_WORDS.items()
        if counts[status]
    )


def _rms_mm(residuals_m: NDArray[np.float64]) -> float:
    seen = residuals_m[np.isfinite(residuals_m)]
    return float(np.sqrt(np.mean(seen**2))) * 1000.0 if seen.size else float("nan")
