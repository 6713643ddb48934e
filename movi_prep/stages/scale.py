"""The scaling stage: scales the generic model once for each subject.

| unit         | reads                                                        | writes                       |
|--------------|--------------------------------------------------------------|------------------------------|
| `scale S001` | `static.h5`, generic model (.osim), set-up, its marker set;  | `scaled.osim`, `scale.json`  |
|              | by motion: `C*.h5` of all clips, IK set-up                   |                              |

A subject that the audit refuses is written all the same, with every finding and its numbers; the next stage stops
there. A doubtful one goes on, and its shards say so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.config.ik_solver import ConvergedSettings
from movi_prep.errors import ModelError, UsageError, list_names
from movi_prep.formats.file_stamp import file_stamp
from movi_prep.formats.opensim_setup import included_files, read_ik_setup, read_scale_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.formats.scale_file import write_scale_result
from movi_prep.records.scale_result import AuditGrade
from movi_prep.records.setups import without_markers
from movi_prep.records.unit import Stage, StageReport, Unit
from movi_prep.stages.compile_solver import compile_solver
from movi_prep.stages.packaged_model import PACKAGED_MODEL, PACKAGED_SCALE_SETUP, packaged_setups

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import opensim

    from movi_prep.config.root import Config
    from movi_prep.config.scaling import ScaleMethod, ScaleUnitSettings
    from movi_prep.formats.file_stamp import FileStamp
    from movi_prep.osim.marker_tracking import TrackedMotion, TrackingProblem
    from movi_prep.osim.scale_model import PoseSolver
    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.records.recordings import Recordings
    from movi_prep.records.scale_result import ScaleResult
    from movi_prep.records.setups import ScaleSetup
    from movi_prep.records.work_folder import WorkFolder

STATIC_SOLVER = ConvergedSettings(tracks="forward", observability=False, prior_strength=0.01)
"""Solver settings for the static pose: it is one frame, so one track will do and deviations are not needed. The prior
is faint, because an error of the static pose becomes a constant error of all the subject's angles."""


_LANDMARKS_TOLD = 3
"""For so many landmarks that miss, the worst first, a finding says what that means."""

_MOST_BYTES = 2**24
"""Of a clip whose marker file is larger, rows are left out."""

_NO_CLIP = "no clip of the subject has markers: it is scaled by its static trial"

_ANGLES_TOLD = 3
"""At most so many coordinates that a landmark's miss turns are named, the most turned first."""


@dataclass(frozen=True)
class ScaleInputs:
    """Files from which a subject's model is made; `marker_set` and `setup_parts` are those that an XML set-up names.

    `clips`, `tracking` and `anthropometry` (what is tracked, and how people vary) are for scaling from motion. A clip
    whose markers could not be made is left out.
    """

    static: Path
    model: Path
    setup: Path
    marker_set: Path | None
    setup_parts: tuple[Path, ...] = ()
    clips: tuple[Path | None, ...] = field(default=(), metadata={"optional": True})
    tracking: Path | None = None
    anthropometry: Path | None = None


@dataclass(frozen=True)
class ScaleOutputs:
    """The subject's model, and the results of scaling."""

    model: Path
    result: Path


def plan_scale(
    recordings: Recordings, work: WorkFolder, config: Config
) -> tuple[Unit[ScaleInputs, ScaleOutputs, ScaleUnitSettings], ...]:
    """Return one unit per subject."""
    if not recordings.subjects:
        return ()
    from movi_prep.stages.ik import ik_setup_path
    from movi_prep.stages.motion_scale import anthropometry_path

    model, setup = model_and_setup(config)
    marker_set, setup_parts = read_scale_setup(setup).marker_set_file, included_files(setup)
    settings = config.scaling.for_unit(config.ik.solver, scaling_method(config, static=True, moving=True))
    by_motion = settings.method == "motion"
    tracking = ik_setup_path(config) if by_motion else None
    # Files that the set-up includes are inputs too: a change in one must run the unit again.
    if tracking is not None:
        setup_parts += included_files(tracking)
    return tuple(
        Unit(
            stage=SCALE.name,
            key=subject,
            inputs=ScaleInputs(
                static=work.static_trial(subject),
                model=model,
                setup=setup,
                marker_set=marker_set,
                setup_parts=setup_parts,
                clips=tuple(work.markers(clip) for clip in sorted(recordings.motions) if clip.subject == subject)
                if by_motion
                else (),
                tracking=tracking,
                anthropometry=anthropometry_path(settings.motion) if by_motion else None,
            ),
            outputs=ScaleOutputs(model=work.scaled_model(subject), result=work.scale_result(subject)),
            settings=settings,
        )
        for subject in recordings.subjects
    )


def run_scale(inputs: ScaleInputs, outputs: ScaleOutputs, settings: ScaleUnitSettings) -> StageReport:
    """Scale one subject's model and audit it."""
    from movi_prep.formats.marker_file import read_static_trial
    from movi_prep.osim.models import default_state, write_model
    from movi_prep.osim.scale_model import place_markers, size_model
    from movi_prep.stages.motion_scale import PersonTrials, scale_to_motion

    generic = _cached_generic(inputs.model, inputs.marker_set, _stamps(inputs.model, inputs.marker_set))
    static = read_static_trial(inputs.static)
    asked = _cached_setup(inputs.setup, _stamps(inputs.setup, *inputs.setup_parts))
    setup, unmeasured = without_markers(asked, static.lost)
    solve_pose = pose_solver(settings)
    clips = [path for path in inputs.clips if path is not None]
    # `tracking` is set exactly where the method is motion (see `plan_scale`).
    by_motion = inputs.tracking is not None and bool(clips)
    if inputs.tracking is not None and clips:
        trials = PersonTrials([_read_spread(path) for path in clips], static)
        weights = read_ik_setup(inputs.tracking).marker_weights
        model = generic.clone()
        result = scale_to_motion(model, trials, setup, weights, settings, solve_pose=solve_pose)
    else:
        sized = size_model(generic, static, setup, settings, in_place=False)
        model, result = sized.model, place_markers(sized, static, setup, settings, solve_pose=solve_pose)
    if inputs.tracking is not None and not clips:
        result = replace(result, findings=(*result.findings, _NO_CLIP))
    written = write_model(outputs.model, model)
    provenance = {
        "model": inputs.model.name,
        "setup": inputs.setup.name,
        "static": f"{inputs.static.parent.name}/{inputs.static.name}",
        "method": "motion" if by_motion else "static",
        "placement_solver": settings.placement_solver,
    }
    # After writing the model: this only adds findings.
    result = with_angles(written, result, settings, default_state(written))
    write_scale_result(outputs.result, result, provenance=provenance)
    lost = [
        f"the body has no markers for the measurement {name}: its bodies keep the model's size" for name in unmeasured
    ]
    # What makes a subject doubtful is a warning, once: clips and shards of the subject carry the grade.
    return StageReport(
        numbers=scale_numbers(result),
        findings=tuple(lost) if result.audit is AuditGrade.DOUBTFUL else (*result.findings, *lost),
        warnings=(f"doubtful: {'; '.join(result.findings)}",) if result.audit is AuditGrade.DOUBTFUL else (),
    )


def scaling_method(config: Config, *, static: bool, moving: bool) -> ScaleMethod:
    """Return what measures a person, where there is a static trial, or none, and moving trials, or none.

    Motion is nearer the truth wherever that is known (`benchmarks.motion_scaling`). The static method remains where a
    set-up of the user's own says what is measured, where the user wants OpenSim's solver, and for subsets of AMASS: of
    hundreds of subjects each is scaled as soon as its body is known, and a clip more changes no result.
    """
    scaling = config.scaling
    if scaling.method != "auto":
        return scaling.method
    if not (moving and static):
        return "motion" if moving else "static"
    openly_static = scaling.setup is not None or config.subset is not None
    by_opensim = (scaling.placement_solver or config.ik.solver) == "opensim"
    return "static" if openly_static or by_opensim else "motion"


@lru_cache(maxsize=1)
def _cached_generic(
    model: Path,
    marker_set: Path | None,
    stamps: tuple[FileStamp, ...],  # noqa: ARG001 - part of the key
) -> opensim.Model:
    """Return the generic model with its markers; subjects share it, and each scales a copy."""
    from movi_prep.osim.models import read_model

    # OpenSim's own set-ups keep the markers in a separate document.
    return read_model(model, marker_set)


@lru_cache(maxsize=1)
def _cached_setup(path: Path, stamps: tuple[FileStamp, ...]) -> ScaleSetup:  # noqa: ARG001 - part of the key
    return read_scale_setup(path)


def _stamps(*paths: Path | None) -> tuple[FileStamp, ...]:
    return tuple(file_stamp(path) for path in paths if path is not None)


def _read_spread(path: Path) -> MarkerTrajectories:
    """Return a clip's markers, of long clips rows at even distances: scaling looks at some hundreds of them."""
    from movi_prep.formats.marker_file import read_markers

    return read_markers(path, slice(None, None, -(-path.stat().st_size // _MOST_BYTES)))


def with_angles(
    model: opensim.Model, result: ScaleResult, settings: ScaleUnitSettings, state: opensim.State | None = None
) -> ScaleResult:
    """Return the result with what the misses of landmarks mean for the angles, where a landmark misses its bound.

    Markers are moved onto the data afterwards, so that a static pose that is wrong is wrong in all frames. The `state`
    is the model's default one, of its present system; None builds a system where it is needed.
    """
    from movi_prep.kinematics.deviation import misfit_angles
    from movi_prep.osim.extract_tree import extract_tree
    from movi_prep.osim.scale_audit import landmarks_beyond

    misses_m = dict(list(landmarks_beyond(result, settings).items())[:_LANDMARKS_TOLD])
    # What is refused has no labels that could be off.
    if not misses_m or result.audit is AuditGrade.REFUSED:
        return result
    try:
        tree = extract_tree(model, state)
    except ModelError:
        return result  # OpenSim poses such a model; nobody derives it
    weights = dict(zip(result.marker_names, result.marker_weights.tolist(), strict=True))
    said = [
        f"{name} by up to "
        + ", ".join(
            f"{np.degrees(turn):.1f} degrees in {coordinate}"
            for coordinate, turn in sorted(turns.items(), key=lambda item: -item[1])[:_ANGLES_TOLD]
        )
        for name, turns in misfit_angles(tree, weights, misses_m).items()
    ]
    if not said:
        return result
    told = f"misses of landmarks turn all angles of the subject: {'; '.join(said)}"
    return replace(result, findings=(*result.findings, told))


def prepare_scale(settings: Sequence[ScaleUnitSettings], say: Callable[[str], None]) -> None:
    """Compile the converged solver if it finds the static pose of one of these subjects."""
    if any(each.placement_solver == "converged" or each.method == "motion" for each in settings):
        compile_solver(say)


SCALE = Stage(
    name="scale",
    version=10,
    summary="scaled model of each subject, audited",
    plan=plan_scale,
    run=run_scale,
    prepare=prepare_scale,
)


def pose_solver(settings: ScaleUnitSettings) -> PoseSolver:
    """Return the function that finds the static pose."""
    from movi_prep.osim.marker_tracking import track_markers

    return track_markers if settings.placement_solver == "opensim" else solve_pose_converged


def solve_pose_converged(model: opensim.Model, problem: TrackingProblem) -> TrackedMotion:
    """Find a pose with the converged solver, and check its markers and constraints in OpenSim.

    Raises:
        ModelError: the solver cannot represent the model.
        AuditError: OpenSim's forward kinematics disagree.
    """
    from movi_prep.kinematics import CoordinateTarget, solve_inverse_kinematics
    from movi_prep.kinematics.kernel_cache import compile_ahead
    from movi_prep.osim.extract_tree import extract_tree
    from movi_prep.osim.marker_tracking import TrackedMotion
    from movi_prep.osim.models import default_state
    from movi_prep.osim.verify_solution import check_solution

    try:
        tree = extract_tree(model, default_state(model))
    except ModelError as error:
        raise ModelError(f"{error}; or use OpenSim's solver here: scaling.placement_solver=opensim") from error
    markers, weights = problem.markers, dict(zip(problem.markers.names, problem.weights.tolist(), strict=True))
    tasks = [CoordinateTarget(task.name, task.weight, values) for task, values in problem.coordinate_targets]
    asked = (tree, markers.names, markers.positions_m, weights, STATIC_SOLVER)
    # As in clips: a process that solves never compiles itself (see `kernel_cache`).
    compile_ahead(*asked, tasks=tasks)
    found = solve_inverse_kinematics(*asked, tasks=tasks)
    # In a clip, other frames make up for a frame without a pose; here there is no other frame.
    if not np.isfinite(found.coordinates).all():
        raise ModelError(
            f"model {model.getName()}: no static pose was found ({found.reasons[0]}); check the static trial and the "
            "weights of its markers, or use OpenSim's solver for the static pose: scaling.placement_solver=opensim"
        )
    check_solution(
        model,
        found.coordinates,
        tree.marker_names,
        tree.marker_positions(found.coordinates),
        n_frames=1,
        tolerance=STATIC_SOLVER.verify_tolerance_m,
    )
    return TrackedMotion(found.coordinates, found.statuses, np.zeros(markers.n_rows))


def model_and_setup(config: Config) -> tuple[Path, Path]:
    """Return generic model and scaling set-up; raise UsageError if the user's own model has no set-up."""
    scaling = config.scaling
    if scaling.model is not None and scaling.setup is None:
        packaged = packaged_setups("scaling")
        raise UsageError(
            f"model {scaling.model} needs its own scaling set-up: give --scale-setup (scaling.setup); "
            f"packaged are {list_names(path.name for path in packaged)} in {packaged[0].parent}"
        )
    return (
        scaling.model or packaged_path("opensim_models", PACKAGED_MODEL),
        scaling.setup or packaged_path("opensim_models", PACKAGED_SCALE_SETUP),
    )


def scale_numbers(result: ScaleResult) -> dict[str, float | int | str | bool]:
    """Return the numbers for a table of subjects."""
    numbers: dict[str, float | int | str | bool] = {
        "audit": str(result.audit),
        "passed": result.passed,
        "landmark_rms_mm": result.landmark_rms_m * 1000.0,
        "landmark_max_mm": result.landmark_max_m * 1000.0,
        "factor_min": float(result.body_factors.min()),
        "factor_max": float(result.body_factors.max()),
        "mass_kg": result.mass_kg,
        "height_m": result.height_m,
    }
    return {name: value for name, value in numbers.items() if not (isinstance(value, float) and np.isnan(value))}
