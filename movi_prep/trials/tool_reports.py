"""The files that OpenSim's inverse kinematics tool writes, under its names, with its columns in its order.

| file | columns |
|---|---|
| `output_motion_file` (.mot) | time, every coordinate; degrees where OpenSim has degrees |
| `NAME_ik_marker_errors.sto` | time, total_squared_error, marker_error_RMS, marker_error_max (m) |
| `NAME_ik_model_marker_locations.sto` | time, MARKER_tx, _ty, _tz (m), in the order of the marker file |
| `NAME_ik_deviations.sto`, if asked for | as the motion's: standard deviations, nan where no marker decides |
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError, UsageError, list_names
from movi_prep.formats.storage import StorageTable, coordinate_table, write_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from movi_prep.config.ik import IkSettings
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.setups import IkSetup


def ask_deviations(setup: IkSetup, settings: IkSettings) -> IkSetup:
    """Return a set-up that asks for deviations, too, if the settings do.

    Raises:
        UsageError: the settings ask for deviations, and for a solver that finds none.
    """
    if not settings.write_deviations:
        return setup
    if settings.solver != "converged" or not settings.converged.observability:
        raise UsageError(
            "--deviations (ik.write_deviations): expected the converged solver with ik.converged.observability, but "
            "got another solver, or no observability; leave one of them out"
        )
    return replace(setup, report_deviations=True)


def result_paths(setup: IkSetup, folder: Path | None) -> list[Path]:
    """Return the files that a set-up asks OpenSim's tool to write, in `folder` if given."""
    motion, reports = _motion_path(setup, folder), folder or setup.results_folder
    paths = [] if motion is None else [motion]
    return paths if reports is None else [*paths, *report_paths(setup, reports, setup.name)]


def report_paths(setup: IkSetup, folder: Path, name: str) -> list[Path]:
    """Return the reports that a set-up asks for, in a folder, under the tool's names."""
    return [folder / f"{name}_ik_{what}.sto" for what in _asked(setup)]


def write_tool_results(
    solution: IkSolution, setup: IkSetup, folder: Path | None, *, order: Sequence[str]
) -> tuple[Path, ...]:
    """Write the motion and the reports that a set-up asks for; `order` is that of the marker file's names.

    Raises:
        InputError: the set-up asks for nothing.
    """
    from movi_prep.stages.solve_clip import motion_table

    motion, reports = _motion_path(setup, folder), folder or setup.results_folder
    outputs = []
    if motion is not None:
        outputs.append(motion)
        write_storage(motion, motion_table(solution, name="Coordinates"))
    if reports is not None:
        outputs += write_tool_reports(solution, setup, folder=reports, name=setup.name, order=order)
    if not outputs:
        raise InputError(
            setup.source,
            expected="an <output_motion_file> or a report",
            got="none of them",
            remedy=f"name what should be written; coordinates are {list_names(solution.coordinate_names)}",
        )
    return tuple(outputs)


def write_tool_reports(
    solution: IkSolution, setup: IkSetup, *, folder: Path, name: str, order: Sequence[str]
) -> list[Path]:
    """Write the reports that the set-up asks OpenSim's tool for, under the tool's names."""
    paths = report_paths(setup, folder, name)
    for path, table in zip(paths, _asked(setup).values(), strict=True):
        write_storage(path, table(solution, setup, order))
    return paths


def _motion_path(setup: IkSetup, folder: Path | None) -> Path | None:
    motion = setup.output_motion_file
    return motion if motion is None or folder is None else folder / motion.name


def _asked(setup: IkSetup) -> dict[str, Callable[[IkSolution, IkSetup, Sequence[str]], StorageTable]]:
    """Return the end of the file name of each report that is asked for, and what makes it."""
    # OpenSim's own endings of file names: scripts look for them.
    asked = {
        "marker_errors": (setup.report_errors, _error_table),
        "model_marker_locations": (setup.report_marker_locations, _location_table),
        "deviations": (setup.report_deviations, _deviation_table),
    }
    return {what: table for what, (is_wanted, table) in asked.items() if is_wanted}


def _reported(solution: IkSolution, setup: IkSetup, order: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return rows with a pose, and columns of markers that have a task (of weight zero too, as OpenSim has it)."""
    rows = np.flatnonzero(np.isfinite(solution.coordinates).all(axis=1)).tolist()
    place = {name: index for index, name in enumerate(order)}
    columns = [column for column, name in enumerate(solution.marker_names) if name in setup.marker_weights]
    return rows, sorted(columns, key=lambda column: place.get(solution.marker_names[column], len(place)))


def _error_table(solution: IkSolution, setup: IkSetup, order: Sequence[str]) -> StorageTable:
    rows, columns = _reported(solution, setup, order)
    # A marker that was not seen adds nothing; the RMS is over all markers that have a task.
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


def _location_table(solution: IkSolution, setup: IkSetup, order: Sequence[str]) -> StorageTable:
    rows, columns = _reported(solution, setup, order)
    names = [solution.marker_names[column] for column in columns]
    return StorageTable(
        name="Model Marker Locations from IK",
        labels=tuple(f"{name}_{axis}" for name in names for axis in ("tx", "ty", "tz")),
        times_s=solution.times_s[rows],
        values=solution.model_markers_m[np.ix_(rows, columns)].reshape(len(rows), -1),
        in_degrees=False,
    )


def _deviation_table(solution: IkSolution, setup: IkSetup, order: Sequence[str]) -> StorageTable:
    rows, _ = _reported(solution, setup, order)
    # `ask_deviations` has refused solvers that find none.
    std = np.full_like(solution.coordinates, np.nan) if solution.std is None else solution.std
    # OpenSim's reader knows nan, but no infinity.
    known = np.where(np.isfinite(std[rows]), std[rows], np.nan)
    return coordinate_table(
        solution.coordinate_names,
        solution.times_s[rows],
        known,
        solution.coordinate_is_rotation,
        name="Standard Deviations of Coordinates from IK",
    )
