"""The Python API: what a notebook uses, from files to angles, with the functions that the command line calls.

    import movi_prep as mp

    model = mp.read_model()                                # the packaged full-body model; or a path
    markers = mp.read_markers("walk.trc")                  # MarkerTrajectories, metres, OpenSim ground (y up)
    subject, result = mp.scale_model(mp.read_markers("static.trc"), mass_kg=72.0, height_m=1.78)
    solution = mp.solve_ik(subject, markers)               # IkSolution: radians and metres, with masks and deviations
    mp.plot_coordinates(solution, ["knee_angle_r", "hip_flexion_r"])

Arrays are numpy, float64, in metres, radians and seconds; shapes stand in the records' docstrings. Everything here is
imported on first use, so that `import movi_prep` costs nothing.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from movi_prep.config.ik import IkSettings
from movi_prep.config.scaling import ScalingSettings
from movi_prep.errors import UsageError, list_names, suggest
from movi_prep.formats.ik_file import read_ik_solution as _read_solution
from movi_prep.formats.marker_file import read_markers as _read_work_markers
from movi_prep.formats.opensim_setup import read_ik_setup, read_scale_setup
from movi_prep.formats.packaged import packaged_path
from movi_prep.records.markers import StaticTrial
from movi_prep.records.setups import IkSetup
from movi_prep.stages.ik import marker_noise
from movi_prep.stages.packaged_model import PACKAGED_IK_SETUP, PACKAGED_MODEL, PACKAGED_SCALE_SETUP
from movi_prep.stages.scale import pose_solver
from movi_prep.stages.solve_clip import LEAST_TRACKED, read_scaled_model, solve_clip
from movi_prep.trials.marker_names import read_names_as
from movi_prep.trials.trial_input import read_marker_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from movi_prep.osim.solution import ScaledModel
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.records.scale_result import ScaleResult

__all__ = [
    "plot_coordinates",
    "read_ik_solution",
    "read_markers",
    "read_model",
    "scale_model",
    "solve_ik",
]


def read_model(path: str | Path | None = None) -> ScaledModel:
    """Read an OpenSim model (.osim), ready to be solved.

    Args:
        path: the file; None reads the packaged full-body model, in the size of the generic person.

    Returns:
        The model; its marker positions are in metres, its bounds in radians and metres.

    Raises:
        MissingError: the file does not exist.
        InputError: OpenSim cannot load it.
    """
    return read_scaled_model(_path(path) if path is not None else packaged_path("opensim_models", PACKAGED_MODEL))


def read_markers(path: str | Path, *, up: Literal["y", "z"] = "y") -> MarkerTrajectories:
    """Read marker trajectories: .trc, .c3d (needs the extra `c3d`), or a marker file of a work folder (.h5).

    Args:
        path: the file; its unit row is honoured.
        up: axis of the file that points up. Trajectories come out in OpenSim ground, y up.

    Returns:
        Positions (n, m, 3), metres; NaN where a marker was not seen.

    Raises:
        MissingError: the file does not exist.
        InputError: the file cannot be read.
    """
    file = _path(path)
    if file.suffix.lower() == ".h5":
        return _read_work_markers(file)
    return read_marker_file(file, IkSettings(marker_file_up=up))


def scale_model(
    static: MarkerTrajectories | StaticTrial,
    *,
    model: str | Path | None = None,
    setup: str | Path | None = None,
    mass_kg: float | None = None,
    height_m: float | None = None,
) -> tuple[ScaledModel, ScaleResult]:
    """Scale a generic model to a person who stands still, and place its markers.

    Args:
        static: trajectories of the static trial, metres, OpenSim ground; or a whole `StaticTrial`.
        model: generic model (.osim); None is the packaged one.
        setup: measurements and weights, YAML or OpenSim's ScaleTool document; None is that of the packaged model.
        mass_kg: body mass; None keeps the mass that the set-up names, or the generic model's.
        height_m: stature, for the record; None where it is not known.

    Returns:
        The subject's model, and factors, residuals and audit. The audit does not raise: look at `result.passed`.

    Raises:
        InputError: model, set-up or static trial cannot be used.
        UsageError: a model of your own has no set-up.
    """
    from movi_prep.osim.models import add_marker_set, marker_names
    from movi_prep.osim.models import read_model as read_generic
    from movi_prep.osim.scale_model import scale_model as scale
    from movi_prep.osim.solution import prepare_model

    if model is not None and setup is None:
        raise UsageError("scale_model: expected a set-up beside a model of your own, but got none; pass setup=")
    source = _path(model) if model is not None else packaged_path("opensim_models", PACKAGED_MODEL)
    asked = read_scale_setup(
        _path(setup) if setup is not None else packaged_path("opensim_models", PACKAGED_SCALE_SETUP)
    )
    # Read anew: scaling changes the model in place.
    generic = read_generic(source)
    if asked.marker_set_file is not None:
        add_marker_set(generic, asked.marker_set_file)
    if not isinstance(static, StaticTrial):
        named, _ = read_names_as(static, marker_names(generic))
        static = StaticTrial(
            markers=named,
            height_m=height_m or asked.height_m or float("nan"),
            mass_kg=mass_kg or asked.mass_kg or float("nan"),
            sex=None,
            mass_source="given",
        )
    settings = ScalingSettings().for_unit("converged", "static")
    result = scale(generic, static, asked, settings, solve_pose=pose_solver(settings))
    return prepare_model(generic, source), result


def solve_ik(
    model: ScaledModel,
    markers: MarkerTrajectories,
    *,
    weights: Mapping[str, float] | None = None,
    setup: str | Path | None = None,
    settings: IkSettings | None = None,
) -> IkSolution:
    """Solve inverse kinematics: the coordinates of every frame, with masks, statuses and deviations.

    Args:
        model: the subject's model.
        markers: trajectories, (n, m, 3) metres, OpenSim ground; NaN where not seen.
        weights: marker -> weight. Neither weights nor set-up: those of the packaged set-up where the model has at
            least three of its markers, otherwise 1 for every marker that model and data share.
        setup: weights and tasks from a file instead, YAML or OpenSim's InverseKinematicsTool document.
        settings: solver and rules; None are those of `movi-prep ik` on AMASS clips. `--marker-file` solves with
            `IkSettings().for_marker_files()`: no pulls where markers decide.

    Returns:
        Coordinates (n, c) in radians and metres, in the model's order, and all that belongs to them.

    Raises:
        InputError: fewer than three weighted markers are in model and data, or no frame can be solved.
        UsageError: both weights and a set-up are given.
    """
    if weights is not None and setup is not None:
        raise UsageError("solve_ik: expected weights or a set-up, but got both; leave one out")
    named, _ = read_names_as(markers, tuple(model.default_markers_m))
    chosen = settings or IkSettings()
    asked = _tracking(model, named, weights, setup)
    solution, _ = solve_clip(model, named, asked, chosen, noise=marker_noise(chosen))
    return solution


def read_ik_solution(path: str | Path) -> IkSolution:
    """Read a solution of the work folder (`ik/S001/C01.h5`).

    Args:
        path: the file.

    Returns:
        Coordinates (n, c) in radians and metres, with masks, statuses, deviations, markers and bodies. Of a file that
        holds angles only, markers and bodies are empty.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is no solution, or damaged.
    """
    return _read_solution(_path(path))


def plot_coordinates(solution: IkSolution, names: Sequence[str] | None = None, *, most: int = 12) -> Figure:
    """Draw coordinates over time with a band of two standard deviations; invalid values are left out.

    Args:
        solution: what was solved.
        names: which coordinates; None are the free ones that move most, at most `most`.
        most: how many there are without names.

    Returns:
        A figure of matplotlib (install the extra `plot`), one axes for each coordinate, degrees or metres over seconds.

    Raises:
        UsageError: a name is no coordinate of the solution.
    """
    import matplotlib.pyplot as plt

    chosen = _columns(solution, names, most)
    figure: Figure
    figure, axes = plt.subplots(len(chosen), 1, sharex=True, squeeze=False, figsize=(8.0, 1.0 + 1.4 * len(chosen)))
    for axis, column in zip(axes[:, 0], chosen, strict=True):
        turns = bool(solution.coordinate_is_rotation[column])
        factor = 180.0 / np.pi if turns else 1.0
        values = np.where(solution.coordinate_valid[:, column], factor * solution.coordinates[:, column], np.nan)
        axis.plot(solution.times_s, values, linewidth=1.2)
        if solution.std is not None:
            band = 2.0 * factor * np.where(np.isfinite(values), solution.std[:, column], np.nan)
            axis.fill_between(solution.times_s, values - band, values + band, alpha=0.25, linewidth=0.0)
        axis.set_ylabel(f"{solution.coordinate_names[column]}\n{'deg' if turns else 'm'}", fontsize="small")
    axes[-1, 0].set_xlabel("s")
    figure.tight_layout()
    return figure


def _tracking(
    model: ScaledModel, markers: MarkerTrajectories, weights: Mapping[str, float] | None, setup: str | Path | None
) -> IkSetup:
    if setup is not None:
        return read_ik_setup(_path(setup))
    if weights is None:
        packaged = read_ik_setup(packaged_path("opensim_models", PACKAGED_IK_SETUP))
        shared = [name for name in markers.names if name in model.default_markers_m]
        known = {name: packaged.marker_weights[name] for name in shared if name in packaged.marker_weights}
        if len(known) >= LEAST_TRACKED:
            return replace(packaged, marker_weights=known)
        weights = dict.fromkeys(shared, 1.0)
    return IkSetup(name="api", source="the weights", marker_weights=dict(weights))


def _columns(solution: IkSolution, names: Sequence[str] | None, most: int) -> list[int]:
    known = solution.coordinate_names
    if names is None:
        spread = np.where(solution.free_coordinates, np.nan_to_num(np.nanstd(solution.coordinates, axis=0)), -1.0)
        return sorted(np.argsort(-spread)[: min(most, int(solution.free_coordinates.sum()))].tolist())
    for name in names:
        if name not in known:
            raise UsageError(
                f"plot_coordinates: expected a coordinate of the solution, but got {name!r}"
                f"{suggest(name, known)}; there are {list_names(known)}"
            )
    return [known.index(name) for name in names]


def _path(path: str | Path) -> Path:
    return Path(path).expanduser()
