"""Scaling and inverse kinematics of any marker file: a model, weights and trials of one's own.

| reads                                               | writes                                                       |
|-----------------------------------------------------|--------------------------------------------------------------|
| static and moving .trc, model, scale and IK set-ups | `models/scaled.osim`, `scale.json`, `ik/NAME.h5`, `.mot`,    |
| (moving .trc, scaled model and IK set-up suffice)   | `.trc`, and what OpenSim's tool reports (.sto)               |
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from movi_prep.errors import InputError, UsageError, list_names
from movi_prep.formats.ik_file import read_ik_provenance, write_ik_solution
from movi_prep.formats.opensim_setup import read_ik_setup, read_scale_setup
from movi_prep.formats.scale_file import write_scale_result
from movi_prep.formats.storage import write_storage
from movi_prep.formats.trc import write_trc
from movi_prep.records.advance import Advance, advancing, unheard
from movi_prep.stages.ik import check_tracking, ik_setup_path, marker_noise
from movi_prep.stages.scale import model_and_setup, scale_numbers
from movi_prep.stages.solve_clip import model_markers, motion_table, read_scaled_model, solve_clip
from movi_prep.trials.inputs_kept import check_inputs_kept, files_read
from movi_prep.trials.scale_trial import ScaledTrial, scale_to_trial, write_scaled_model
from movi_prep.trials.tool_reports import ask_deviations, report_paths, write_tool_reports
from movi_prep.trials.trial_input import read_curves, read_trial
from movi_prep.trials.trial_results import FileResult, solve_or_tell, trial_result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from movi_prep.config.root import Config
    from movi_prep.osim.solution import ScaledModel
    from movi_prep.records.setups import IkSetup, ScaleSetup


@dataclass(frozen=True)
class MarkerFilesResult:
    """The results for a subject: the scaled model, its audit, and each marker file.

    Attributes:
        model: the scaled model.
        outputs: the scaled model and the scale result; none where the model came scaled.
        numbers: as in the record of a subject; none where the model came scaled.
        findings: the audit; a failed audit is reported, and the files are solved as asked.
        files: one result per marker file.
        held: coordinates that the set-up pulls towards a value.
    """

    model: Path
    outputs: tuple[Path, ...]
    numbers: Mapping[str, float | int | str | bool]
    findings: tuple[str, ...]
    files: tuple[FileResult, ...]
    held: frozenset[str] = frozenset()


def solve_marker_files(
    marker_files: Sequence[Path], config: Config, *, static_file: Path | None = None, advance: Advance = unheard
) -> MarkerFilesResult:
    """Scale the model to the static trial, then solve every marker file; one that fails leaves the others.

    A model that comes without a static trial and without a scaling set-up is taken as scaled, unless `scaling.method`
    is motion. By motion the model is scaled to all the trials that are named; none of them needs to be static.

    Args:
        marker_files: moving trials (.trc); results bear their names. None of them scales the model and is all.
        config: `work`, `scaling` (model, setup, audit) and `ik` (setup, solver, what is written).
        static_file: the static trial (.trc); none means the one that the scaling set-up names.
        advance: receives the fraction that is done.

    Raises:
        UsageError: neither the call nor the set-up names a model or a static trial, two files bear one name, or a
            result would replace its input.
        InputError: static trial, model or set-ups cannot be used.
    """
    _check_names_differ(marker_files)
    # Before scaling, so that a wrong file name is reported at once.
    setup = ask_deviations(read_ik_setup(ik_setup_path(config)), config.ik) if marker_files else None
    scale_setup = None
    if _is_to_scale(marker_files, config, static_file):
        scale_setup = read_scale_setup(_scale_setup_path(config))
        if marker_files:
            check_tracking(config, scale_setup.model_file)
    scaled_path = config.work / "models" / "scaled.osim"
    outputs = () if scale_setup is None else (scaled_path, scaled_path.with_name("scale.json"))
    _check_inputs_kept(marker_files, config, setup, scale_setup, static_file=static_file, outputs=outputs)
    numbers: Mapping[str, float | int | str | bool] = {}
    findings: tuple[str, ...] = ()
    if scale_setup is None:
        scaled_path = _model_that_came_scaled(config)
    else:
        scaled = _scaled(config, scale_setup, static_file, marker_files, setup)
        before = scaled_path.read_bytes() if scaled_path.is_file() else b""
        numbers, findings = _write_scaled(scaled, scaled_path, scale_setup, config)
        if before and before != scaled_path.read_bytes():
            findings += _left_behind(scaled_path, config, marker_files)
    files: tuple[FileResult, ...] = ()
    if setup is not None:
        # Read back from the file, also after scaling: files are solved with the very model that is left in the folder.
        ready = read_scaled_model(scaled_path)
        files = tuple(
            solve_or_tell(path, partial(_solve_file, path, ready, setup, config))
            for path in advancing(marker_files, advance, total=len(marker_files))
        )
    return MarkerFilesResult(
        model=scaled_path,
        outputs=outputs,
        numbers=numbers,
        findings=findings,
        files=files,
        held=frozenset() if setup is None else setup.held,
    )


def _left_behind(model: Path, config: Config, marker_files: Sequence[Path]) -> tuple[str, ...]:
    """Return a finding on earlier solutions of the work folder whose model is another now."""
    solved = {path.stem for path in marker_files}
    left = [path for path in sorted((config.work / "ik").glob("*.h5")) if path.stem not in solved]
    theirs = [path.stem for path in left if _was_solved_with(model, path)]
    if not theirs:
        return ()
    return (
        f"replaced in this work folder: the model with which {list_names(theirs)} had been solved; solve again what is "
        "of this subject, and keep one work folder for each subject (--work)",
    )


def _was_solved_with(model: Path, solution: Path) -> bool:
    try:
        return read_ik_provenance(solution).get("model") == str(model)
    except InputError:
        # A damaged solution is none of which to warn.
        return False


def _is_to_scale(marker_files: Sequence[Path], config: Config, static_file: Path | None) -> bool:
    scaling = config.scaling
    if static_file is not None or scaling.setup is not None or scaling.method == "motion":
        return True
    # The packaged model is no person's: it is scaled to the trials themselves.
    return scaling.method == "auto" and scaling.model is None and bool(marker_files)


def _check_inputs_kept(
    marker_files: Sequence[Path],
    config: Config,
    setup: IkSetup | None,
    scale_setup: ScaleSetup | None,
    *,
    static_file: Path | None,
    outputs: Sequence[Path],
) -> None:
    """Refuse to write a result over anything that it is made from."""
    read = [*marker_files, *(path for path in (static_file, config.scaling.model) if path is not None)]
    written = list(outputs)
    if scale_setup is not None:
        read += files_read(_scale_setup_path(config), scale_setup)
    if setup is not None:
        read += files_read(ik_setup_path(config), setup)
        written += [path for marker_file in marker_files for path in _outputs(marker_file, setup, config)]
    check_inputs_kept(read, written, source=config.work)


def _outputs(marker_file: Path, setup: IkSetup, config: Config) -> tuple[Path, ...]:
    """Return the results of a marker file: the solution first, then motion, markers and reports if wanted."""
    solution = config.work / "ik" / f"{marker_file.stem}.h5"
    asked = {".mot": config.ik.write_mot is not False, ".trc": config.ik.write_trc}
    written = [solution.with_suffix(suffix) for suffix, is_wanted in asked.items() if is_wanted]
    return (solution, *written, *report_paths(setup, solution.parent, marker_file.stem))


def _check_names_differ(marker_files: Sequence[Path]) -> None:
    names = [path.stem for path in marker_files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"expected marker files of different names, but got {list_names(twice)} more than once; "
            "results bear their names: solve them into different work folders"
        )


def _model_that_came_scaled(config: Config) -> Path:
    if config.scaling.model is None:
        raise UsageError(
            "expected a scaled model (--model), or a static trial to scale to (--static-file, with --scale-setup for "
            "a model of your own), but got neither; name one"
        )
    return config.scaling.model


def _scale_setup_path(config: Config) -> Path:
    # The user's set-up may name its own model; the packaged pair is used only without both.
    return config.scaling.setup or model_and_setup(config)[1]


def _scaled(
    config: Config, setup: ScaleSetup, static_file: Path | None, marker_files: Sequence[Path], tracking: IkSetup | None
) -> ScaledTrial:
    try:
        return scale_to_trial(
            setup,
            _generic(config, setup),
            config,
            static_file=static_file,
            marker_files=marker_files,
            tracking=tracking,
        )
    except InputError as error:
        is_of_packaged = config.scaling.model is None and config.scaling.setup is None
        if not is_of_packaged or setup.source not in f"{error.where} {error.expected}":
            raise
        # The user named no model and knows nothing of a set-up: the packaged one is not at fault.
        raise InputError(
            list_names(str(path) for path in (*marker_files, *([] if static_file is None else [static_file]))),
            expected=f"markers of the packaged model, because no --model is given ({error.expected})",
            got=error.got,
            remedy="name the model that these markers belong to (--model, --ik-setup), or give markers its names",
        ) from error


def _generic(config: Config, setup: ScaleSetup) -> Path:
    # The user's word before the set-up's, the set-up's before the packaged model.
    return config.scaling.model or setup.model_file or model_and_setup(config)[0]


def _write_scaled(
    scaled: ScaledTrial, model_path: Path, setup: ScaleSetup, config: Config
) -> tuple[dict[str, float | int | str | bool], tuple[str, ...]]:
    scaled = write_scaled_model(model_path, scaled)
    provenance = {
        "model": _generic(config, setup).name,
        "setup": setup.source,
        "static": scaled.static_source,
        "method": scaled.method,
        "placement_solver": scaled.settings.placement_solver,
    }
    write_scale_result(model_path.with_name("scale.json"), scaled.result, provenance=provenance)
    return scale_numbers(scaled.result), scaled.findings


def _solve_file(path: Path, scaled: ScaledModel, setup: IkSetup, config: Config) -> FileResult:
    # The time range of a set-up belongs to the marker file that it names.
    own = setup.marker_file is not None and setup.marker_file.name == path.name
    settings = config.ik.for_marker_files()
    trial = read_trial(path, scaled, setup, settings, is_cut=own)
    curves = read_curves(setup.coordinate_file, scaled)
    solution, findings = solve_clip(
        scaled, trial.markers, trial.setup, settings, coordinate_file=curves, noise=marker_noise(config.ik)
    )
    outputs = _outputs(path, setup, config)
    provenance = {
        "markers": str(path),
        "model": str(scaled.source),
        "setup": setup.source,
        "minimised": settings.minimised,
    }
    write_ik_solution(outputs[0], solution, provenance=provenance)
    if config.ik.write_mot is not False:
        write_storage(outputs[0].with_suffix(".mot"), motion_table(solution, name="Coordinates"))
    if config.ik.write_trc:
        write_trc(outputs[0].with_suffix(".trc"), model_markers(solution, source=str(path)))
    write_tool_reports(solution, trial.setup, folder=outputs[0].parent, name=path.stem, order=trial.order)
    return trial_result(trial, solution, scaled, settings, outputs=outputs, findings=findings)
