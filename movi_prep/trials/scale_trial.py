"""Scaling a model to a static trial that a set-up or the user names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from movi_prep.errors import UsageError
from movi_prep.records.markers import StaticTrial
from movi_prep.stages.scale import pose_solver, with_angles
from movi_prep.trials.marker_names import read_names_as
from movi_prep.trials.trial_input import read_curves, read_marker_file

if TYPE_CHECKING:
    from pathlib import Path

    from movi_prep.config.root import Config
    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.records.scale_result import ScaleResult
    from movi_prep.records.setups import ScaleSetup


@dataclass(frozen=True)
class ScaledTrial:
    """A model that was scaled.

    Attributes:
        model: the scaled `opensim.Model`.
        result: factors, residuals and audit.
        static_source: the static trial.
        placement_solver: what found the static pose.
        findings: what reading and scaling found.
        pose_time_s: first time of the rows that the static pose is averaged over.
    """

    model: Any
    result: ScaleResult
    static_source: str
    placement_solver: str
    findings: tuple[str, ...]
    pose_time_s: float


def scale_to_trial(setup: ScaleSetup, generic: Path, config: Config, *, static_file: Path | None = None) -> ScaledTrial:
    """Scale the generic model to the given static trial, or to the one that the set-up names.

    Raises:
        UsageError: neither the user nor the set-up names a static trial.
        InputError: model, set-up or static trial cannot be used.
    """
    from movi_prep.osim.models import add_marker_set, marker_names, read_model
    from movi_prep.osim.scale_model import scale_model
    from movi_prep.osim.solution import prepare_model

    static_path = static_file or setup.static_file
    if static_path is None:
        raise UsageError(f"{setup.source} names no static trial: give --static-file FILE.trc")
    model = read_model(generic)
    if setup.marker_set_file is not None:
        add_marker_set(model, setup.marker_set_file)
    known = marker_names(model)
    markers, findings = _read_static(static_path, config, known)
    # The user's word replaces both of the set-up's files.
    other = None if static_file is not None or setup.placement_file == static_path else setup.placement_file
    placement, more = (None, ()) if other is None else _read_static(other, config, known)
    static = StaticTrial(
        placement=placement,
        markers=markers,
        height_m=setup.height_m or float("nan"),
        mass_kg=setup.mass_kg or float("nan"),
        sex=None,
        mass_source="setup" if setup.mass_kg else "given",
    )
    curves = read_curves(setup.coordinate_file, prepare_model(model, generic)) if setup.coordinate_file else {}
    settings = config.scaling.for_unit(config.ik.solver)
    result = scale_model(model, static, setup, settings, coordinate_file=curves, solve_pose=pose_solver(settings))
    result = with_angles(model, result, settings)
    return ScaledTrial(
        model=model,
        result=result,
        static_source=static.markers.source,
        placement_solver=settings.placement_solver,
        findings=(*findings, *more, *result.findings),
        pose_time_s=max(setup.placement_time_range_s[0], float((placement or markers).times_s[0])),
    )


def write_scaled_model(path: Path, scaled: ScaledTrial) -> None:
    """Write the model (.osim)."""
    from movi_prep.osim.models import write_model

    write_model(path, scaled.model)


def _read_static(path: Path, config: Config, known: tuple[str, ...]) -> tuple[MarkerTrajectories, tuple[str, ...]]:
    """Return a static trial under the model's marker names, and what reading had to decide."""
    markers, name_findings = read_names_as(read_marker_file(path, config.ik), known)
    return markers, (*markers.findings, *name_findings)
