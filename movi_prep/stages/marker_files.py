"""Scaling and inverse kinematics of any marker file: real motion capture, and OpenSim's own set-ups.

| call                   | reads                                               | writes                            |
|------------------------|-----------------------------------------------------|-----------------------------------|
| `solve_marker_files`   | static and moving .trc, model, scale and IK set-ups | `models/scaled.osim`, `scale.json`,|
|                        | (moving .trc, scaled model and IK set-up suffice)   | `ik/NAME.h5`, `.mot`, `.trc`, and |
|                        |                                                     | what OpenSim's tool reports: .sto |
| `solve_setup_document` | InverseKinematicsTool document, what it names       | what OpenSim's tool writes        |

Marker files are in OpenSim ground (y up), as OpenSim's own tools take them, unless `ik.marker_file_up` says z; their
unit row is honoured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError, MoviPrepError, UsageError, list_names
from movi_prep.formats.ik_file import write_ik_solution
from movi_prep.formats.opensim_setup import read_ik_setup, read_scale_setup
from movi_prep.formats.scale_file import write_scale_result
from movi_prep.formats.storage import StorageTable, coordinates_of, read_storage, write_storage
from movi_prep.formats.trc import read_trc, write_trc
from movi_prep.geometry.body_orientation import orientation_findings
from movi_prep.geometry.frames import amass_to_ground
from movi_prep.records.markers import StaticTrial
from movi_prep.stages.ik import ik_numbers, ik_setup_path, model_markers, motion_table, read_scaled_model, solve_clip
from movi_prep.stages.scale import model_and_setup, pose_solver, scale_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.config.ik import IkSettings, SolveSettings
    from movi_prep.config.root import Config
    from movi_prep.osim.marker_tracking import Curve
    from movi_prep.osim.solution import ScaledModel
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.records.setups import IkSetup, ScaleSetup


@dataclass(frozen=True)
class MarkerMiss:
    """By how much the model misses one marker over the usable frames of a file.

    Attributes:
        name: the marker.
        weight: its weight.
        rms_mm: root mean square of the distance, millimetres.
        max_mm: largest distance, millimetres.
        max_at_s: when, seconds.
    """

    name: str
    weight: float
    rms_mm: float
    max_mm: float
    max_at_s: float


@dataclass(frozen=True)
class FileResult:
    """What became of one marker file.

    Attributes:
        marker_file: the file.
        outputs: files written.
        numbers: as in the record of a clip.
        findings: sentences that a person should read.
        markers: every tracked marker that was seen, the worst first.
        error: why it failed, empty where it did not.
    """

    marker_file: Path
    outputs: tuple[Path, ...]
    numbers: Mapping[str, float | int | str | bool]
    findings: tuple[str, ...]
    markers: tuple[MarkerMiss, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class MarkerFilesResult:
    """What became of a subject: the scaled model, its audit, and each marker file.

    Attributes:
        model: the scaled model.
        outputs: the scaled model and the scale result; none where the model came scaled.
        numbers: as in the record of a subject; none where the model came scaled.
        findings: the audit; a failed one is told, and the files are solved all the same, because they were asked for.
        files: one result per marker file.
    """

    model: Path
    outputs: tuple[Path, ...]
    numbers: Mapping[str, float | int | str | bool]
    findings: tuple[str, ...]
    files: tuple[FileResult, ...]


def solve_marker_files(
    marker_files: Sequence[Path], config: Config, *, static_file: Path | None = None
) -> MarkerFilesResult:
    """Scale the model to the static trial, then solve every marker file; one that fails leaves the others.

    A model that comes without a static trial and without a scaling set-up is taken as scaled.

    Args:
        marker_files: moving trials (.trc); results bear their names. None of them scales the model and is all.
        config: `work`, `scaling` (model, setup, audit) and `ik` (setup, solver, what is written).
        static_file: the static trial (.trc); none means the one that the scaling set-up names.

    Raises:
        UsageError: neither the call nor the set-up names a model or a static trial, two files bear one name, or a
            result would replace its input.
        InputError: static trial, model or set-ups cannot be used.
    """
    _check_names_differ(marker_files)
    for path in marker_files if config.ik.write_trc else ():
        _check_not_replaced(path, by=config.work / "ik" / f"{path.stem}.trc")
    # Before the static trial is scaled to: whoever named a wrong file need not wait for that.
    setup = read_ik_setup(ik_setup_path(config)) if marker_files else None
    numbers: Mapping[str, float | int | str | bool] = {}
    findings: tuple[str, ...] = ()
    outputs: tuple[Path, ...] = ()
    if static_file is None and config.scaling.setup is None:
        scaled_path = _model_that_came_scaled(config)
    else:
        outputs = (config.work / "models" / "scaled.osim", config.work / "models" / "scale.json")
        scaled_path, result_path = outputs
        _check_not_replaced(config.scaling.model, by=scaled_path)
        numbers, findings = _scale(config, static_file, model_path=scaled_path, result_path=result_path)
    files: tuple[FileResult, ...] = ()
    if setup is not None:
        scaled = read_scaled_model(scaled_path)
        files = tuple(_solve_or_tell(path, scaled, setup, config) for path in marker_files)
    return MarkerFilesResult(model=scaled_path, outputs=outputs, numbers=numbers, findings=findings, files=files)


def solve_setup_document(document: Path, settings: IkSettings, *, results_folder: Path | None = None) -> FileResult:
    """Do what OpenSim's InverseKinematicsTool does with its set-up document, with either solver.

    Args:
        document: InverseKinematicsTool document (.xml); paths inside count from its folder.
        settings: which solver, and the landmark rule.
        results_folder: where results go instead of where the document says.

    Returns:
        Files written: the motion (.mot, degrees), `NAME_ik_marker_errors.sto` and
        `NAME_ik_model_marker_locations.sto` as the document asks.

    Raises:
        InputError: the document names no model or marker file, or one of them cannot be used.
    """
    setup = read_ik_setup(document)
    if setup.model_file is None or setup.marker_file is None:
        raise InputError(
            document, expected="<model_file> and <marker_file>", got="none of one of them", remedy="name both files"
        )
    scaled = read_scaled_model(setup.model_file)
    markers = select_time_range(_read_markers(setup.marker_file, settings), setup.time_range_s)
    curves = read_curves(setup.coordinate_file, scaled)
    solution, findings = solve_clip(scaled, markers, setup, settings, coordinate_file=curves)
    outputs = _write_tool_results(solution, setup, results_folder)
    findings = (*orientation_findings(markers, scaled.default_markers_m), *markers.findings, *findings)
    return _file_result(setup.marker_file, solution, scaled, settings, outputs=outputs, findings=findings)


def solve_setup_documents(
    documents: Sequence[Path], settings: IkSettings, *, results_folder: Path | None = None
) -> tuple[FileResult, ...]:
    """Solve several documents, as `solve_setup_document` solves one; of several, one that fails leaves the others.

    Raises:
        UsageError: two of them would write one file.
        InputError: there is one document alone, and it cannot be solved.
    """
    if len(documents) == 1:
        return (solve_setup_document(documents[0], settings, results_folder=results_folder),)
    _check_results_differ(documents, results_folder)
    results = []
    for document in documents:
        try:
            results.append(solve_setup_document(document, settings, results_folder=results_folder))
        except MoviPrepError as error:
            results.append(FileResult(marker_file=document, outputs=(), numbers={}, findings=(), error=str(error)))
    return tuple(results)


def _check_results_differ(documents: Sequence[Path], results_folder: Path | None) -> None:
    writers: dict[Path, Path] = {}
    for document in documents:
        try:
            setup = read_ik_setup(document)
        except MoviPrepError:
            continue  # told when its turn comes
        for path in _result_paths(setup, results_folder):
            other = writers.setdefault(path.resolve(), document)
            if other != document:
                raise UsageError(
                    f"expected documents that write different files, but {other} and {document} both write {path}; "
                    "give the tools different names or results directories, or run them one by one"
                )


def _result_paths(setup: IkSetup, folder: Path | None) -> list[Path]:
    """Return the files that a set-up asks OpenSim's tool for."""
    motion, reports = _motion_path(setup, folder), folder or setup.results_folder
    paths = [] if motion is None else [motion]
    return paths if reports is None else [*paths, *(reports / name for name, _ in _reports(setup, setup.name))]


def _motion_path(setup: IkSetup, folder: Path | None) -> Path | None:
    motion = setup.output_motion_file
    return motion if motion is None or folder is None else folder / motion.name


def _file_result(
    marker_file: Path,
    solution: IkSolution,
    scaled: ScaledModel,
    settings: SolveSettings,
    *,
    outputs: Sequence[Path],
    findings: Sequence[str],
) -> FileResult:
    return FileResult(
        marker_file=marker_file,
        outputs=tuple(outputs),
        numbers=ik_numbers(solution, scaled, settings),
        findings=(*findings, *_without_landmarks(solution, settings)),
        markers=marker_misses(solution),
    )


def marker_misses(solution: IkSolution) -> tuple[MarkerMiss, ...]:
    """Return by how much each tracked marker is missed over the usable frames, the largest RMS first."""
    usable = solution.usable()
    # Frames without a usable pose miss every marker, which says nothing of any one.
    times_s, residuals_mm = solution.times_s[usable], 1000.0 * solution.residuals_m()[usable]
    misses = []
    for column, name in enumerate(solution.marker_names):
        seen = np.isfinite(residuals_mm[:, column])
        if solution.marker_weights[column] <= 0.0 or not seen.any():
            continue
        distances_mm = residuals_mm[seen, column]
        worst = int(np.argmax(distances_mm))
        misses.append(
            MarkerMiss(
                name=name,
                weight=float(solution.marker_weights[column]),
                rms_mm=float(np.sqrt(np.mean(distances_mm**2))),
                max_mm=float(distances_mm[worst]),
                max_at_s=float(times_s[seen][worst]),
            )
        )
    return tuple(sorted(misses, key=lambda miss: -miss.rms_mm))


def select_time_range(markers: MarkerTrajectories, time_range_s: tuple[float, float]) -> MarkerTrajectories:
    """Return the rows from the one nearest to the first to the one nearest to the last time, as OpenSim's tool does."""
    times_s = markers.times_s
    first, last = max(time_range_s[0], float(times_s[0])), min(time_range_s[1], float(times_s[-1]))
    if last < first:
        raise InputError(
            markers.source,
            expected=f"samples between {time_range_s[0]:g} and {time_range_s[1]:g} s",
            got=f"samples from {times_s[0]:g} to {times_s[-1]:g} s",
            remedy="correct the time range of the set-up",
        )
    start, stop = int(np.argmin(np.abs(times_s - first))), int(np.argmin(np.abs(times_s - last)))
    return markers.rows(slice(start, stop + 1))


def read_curves(path: Path | None, scaled: ScaledModel) -> dict[str, Curve]:
    """Return the coordinates of a storage file as functions of time, in code's units; none where there is no file.

    Between samples a quintic spline interpolates, as OpenSim does (GCVSplineSet of degree 5). Asked for times that the
    file does not have, the functions raise InputError: beyond its ends a spline leaves for any value. One row holds
    for all times.
    """
    if path is None:
        return {}
    table = read_storage(path)
    # A name that several joints have means the first of them, as in OpenSim.
    kinds = reversed(list(zip(scaled.coordinate_names, scaled.coordinate_is_rotation.tolist(), strict=True)))
    values = coordinates_of(table, dict(kinds))
    columns = {label: table.labels.index(label) for label in table.labels}
    return {label: _curve(path, table.times_s, values[:, column]) for label, column in columns.items()}


def _curve(path: Path, times_s: NDArray[np.float64], values: NDArray[np.float64]) -> Curve:
    from scipy.interpolate import make_interp_spline

    spline = make_interp_spline(times_s, values, k=min(5, len(times_s) - 1))
    first, last = float(times_s[0]), float(times_s[-1])
    # the ends of two files at one rate may differ by less than a sample
    slack = float(np.median(np.diff(times_s))) if len(times_s) > 1 else np.inf

    def values_at(asked_s: NDArray[np.float64]) -> NDArray[np.float64]:
        if asked_s.min() < first - slack or asked_s.max() > last + slack:
            raise InputError(
                path,
                expected=f"coordinates from {asked_s.min():g} to {asked_s.max():g} s",
                got=f"{first:g} to {last:g} s",
                remedy="shorten the time range, or name a coordinate file of the whole trial",
            )
        return np.asarray(spline(np.clip(asked_s, first, last)), dtype=np.float64)

    return values_at


def _check_names_differ(marker_files: Sequence[Path]) -> None:
    names = [path.stem for path in marker_files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"expected marker files of different names, but got {list_names(twice)} more than once; "
            "results bear their names: solve them into different work folders"
        )


def _check_not_replaced(path: Path | None, *, by: Path) -> None:
    """Refuse to write a result over what it is made from."""
    if path is not None and path.resolve() == by.resolve():
        raise UsageError(f"expected inputs outside of the results, but {path} would be replaced; name another --work")


def _model_that_came_scaled(config: Config) -> Path:
    if config.scaling.model is None:
        raise UsageError(
            "expected a scaled model (--model), or a static trial to scale to (--static-file, with --scale-setup for "
            "a model of your own), but got neither; name one"
        )
    return config.scaling.model


def _without_landmarks(solution: IkSolution, settings: SolveSettings) -> tuple[str, ...]:
    # The rule knows landmarks by their weight; OpenSim's users often weigh from 0 to 1, where it would judge nothing.
    if (solution.marker_weights >= settings.landmark_weight).any():
        return ()
    return (
        f"no marker has a weight of {settings.landmark_weight:g} or more (ik.landmark_weight): none is a landmark, and "
        "no coordinate is judged by what its landmarks miss",
    )


def _scale(
    config: Config, static_file: Path | None, *, model_path: Path, result_path: Path
) -> tuple[dict[str, float | int | str | bool], tuple[str, ...]]:
    from movi_prep.osim.models import add_marker_set, read_model, write_model
    from movi_prep.osim.scale_model import scale_model
    from movi_prep.osim.solution import prepare_model

    setup = read_scale_setup(_scale_setup_path(config))
    # The user's word before the set-up's, the set-up's before the packaged model.
    generic = config.scaling.model or setup.model_file or model_and_setup(config)[0]
    model = read_model(generic)
    if setup.marker_set_file is not None:
        add_marker_set(model, setup.marker_set_file)
    static = _static_trial(setup, static_file, config)
    curves = read_curves(setup.coordinate_file, prepare_model(model, generic)) if setup.coordinate_file else {}
    settings = config.scaling.for_unit(config.ik.solver)
    result = scale_model(model, static, setup, settings, coordinate_file=curves, solve_pose=pose_solver(settings))
    write_model(model_path, model)
    provenance = {
        "model": generic.name,
        "setup": setup.source,
        "static": static.markers.source,
        "placement_solver": settings.placement_solver,
    }
    write_scale_result(result_path, result, provenance=provenance)
    return scale_numbers(result), (*static.markers.findings, *result.findings)


def _scale_setup_path(config: Config) -> Path:
    # A set-up of the user's own may name its model itself; only without both does the packaged pair stand in.
    return config.scaling.setup if config.scaling.setup is not None else model_and_setup(config)[1]


def _read_markers(path: Path, settings: IkSettings) -> MarkerTrajectories:
    """Read a marker file into OpenSim ground."""
    markers = read_trc(path)
    if settings.marker_file_up == "y":
        return markers
    # AMASS' world is such a laboratory's: z up, right-handed.
    return replace(markers, positions_m=amass_to_ground(markers.positions_m))


def _static_trial(setup: ScaleSetup, static_file: Path | None, config: Config) -> StaticTrial:
    path = static_file or setup.static_file
    if path is None:
        raise UsageError(f"{setup.source} names no static trial: give --static-file FILE.trc")
    # The user's word replaces both of the set-up's files.
    other = None if static_file is not None or setup.placement_file == setup.static_file else setup.placement_file
    return StaticTrial(
        placement=None if other is None else _read_markers(other, config.ik),
        markers=_read_markers(path, config.ik),
        height_m=setup.height_m or float("nan"),
        mass_kg=setup.mass_kg or float("nan"),
        sex=None,
        mass_source="setup" if setup.mass_kg else "given",
    )


def _solve_or_tell(path: Path, scaled: ScaledModel, setup: IkSetup, config: Config) -> FileResult:
    try:
        return _solve_file(path, scaled, setup, config)
    except MoviPrepError as error:
        return FileResult(marker_file=path, outputs=(), numbers={}, findings=(), error=str(error))


def _solve_file(path: Path, scaled: ScaledModel, setup: IkSetup, config: Config) -> FileResult:
    # The time range of a set-up belongs to the marker file that it names.
    own = setup.marker_file is not None and setup.marker_file.name == path.name
    markers = _read_markers(path, config.ik)
    markers = select_time_range(markers, setup.time_range_s) if own else markers
    curves = read_curves(setup.coordinate_file, scaled)
    solution, findings = solve_clip(scaled, markers, setup, config.ik, coordinate_file=curves)
    solution_path = config.work / "ik" / f"{path.stem}.h5"
    provenance = {"markers": str(path), "model": str(scaled.source), "setup": setup.source}
    write_ik_solution(solution_path, solution, provenance=provenance)
    outputs = [solution_path]
    if config.ik.write_mot:
        outputs.append(solution_path.with_suffix(".mot"))
        write_storage(outputs[-1], motion_table(solution, name="Coordinates"))
    if config.ik.write_trc:
        outputs.append(solution_path.with_suffix(".trc"))
        write_trc(outputs[-1], model_markers(solution, source=str(path)))
    outputs += _write_tool_reports(solution, setup, folder=solution_path.parent, name=path.stem)
    findings = (*orientation_findings(markers, scaled.default_markers_m), *markers.findings, *findings)
    return _file_result(path, solution, scaled, config.ik, outputs=outputs, findings=findings)


def _write_tool_results(solution: IkSolution, setup: IkSetup, folder: Path | None) -> tuple[Path, ...]:
    motion, reports = _motion_path(setup, folder), folder or setup.results_folder
    outputs = []
    if motion is not None:
        outputs.append(motion)
        write_storage(motion, motion_table(solution, name="Coordinates"))
    if reports is not None:
        outputs += _write_tool_reports(solution, setup, folder=reports, name=setup.name)
    if not outputs:
        raise InputError(
            setup.source,
            expected="an <output_motion_file> or a report",
            got="none of them",
            remedy=f"name what should be written; coordinates are {list_names(solution.coordinate_names)}",
        )
    return tuple(outputs)


def _write_tool_reports(solution: IkSolution, setup: IkSetup, *, folder: Path, name: str) -> list[Path]:
    """Write the reports that the set-up asks OpenSim's tool for, under the tool's names."""
    outputs = []
    for file_name, table in _reports(setup, name):
        outputs.append(folder / file_name)
        write_storage(outputs[-1], table(solution, setup))
    return outputs


def _reports(setup: IkSetup, name: str) -> list[tuple[str, Callable[[IkSolution, IkSetup], StorageTable]]]:
    """Return the file name of each report that is asked for, and what makes it."""
    asked = (
        (setup.report_errors, "marker_errors", _error_table),
        (setup.report_marker_locations, "model_marker_locations", _location_table),
    )
    return [(f"{name}_ik_{what}.sto", table) for wanted, what, table in asked if wanted]


def _reported(solution: IkSolution, setup: IkSetup) -> tuple[list[int], list[int]]:
    """Return rows with a pose, and columns of markers that have a task (of weight zero too, as OpenSim has it)."""
    rows = np.flatnonzero(np.isfinite(solution.coordinates).all(axis=1)).tolist()
    columns = [column for column, name in enumerate(solution.marker_names) if name in setup.marker_weights]
    return rows, columns


def _error_table(solution: IkSolution, setup: IkSetup) -> StorageTable:
    rows, columns = _reported(solution, setup)
    squared = np.nan_to_num(solution.residuals_m()[np.ix_(rows, columns)]) ** 2
    total = squared.sum(axis=1)
    values = np.stack([total, np.sqrt(total / max(len(columns), 1)), np.sqrt(squared.max(axis=1))], axis=1)
    labels = ("total_squared_error", "marker_error_RMS", "marker_error_max")
    return StorageTable(
        name="Model Marker Errors from IK",
        labels=labels,
        times_s=solution.times_s[rows],
        values=values,
        in_degrees=False,
    )


def _location_table(solution: IkSolution, setup: IkSetup) -> StorageTable:
    rows, columns = _reported(solution, setup)
    names = [solution.marker_names[column] for column in columns]
    return StorageTable(
        name="Model Marker Locations from IK",
        labels=tuple(f"{name}_{axis}" for name in names for axis in ("tx", "ty", "tz")),
        times_s=solution.times_s[rows],
        values=solution.model_markers_m[np.ix_(rows, columns)].reshape(len(rows), -1),
        in_degrees=False,
    )
