"""Scaling a model to the trials that a set-up or the user names."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from movi_prep.errors import UsageError
from movi_prep.records.markers import StaticTrial
from movi_prep.stages.scale import pose_solver, scaling_method, with_angles
from movi_prep.trials.marker_names import read_names_as
from movi_prep.trials.trial_input import read_curves, read_marker_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from movi_prep.config.root import Config
    from movi_prep.config.scaling import ScaleMethod, ScaleUnitSettings
    from movi_prep.osim.marker_tracking import Curve
    from movi_prep.records.markers import MarkerTrajectories
    from movi_prep.records.scale_result import ScaleResult
    from movi_prep.records.setups import IkSetup, ScaleSetup


@dataclass(frozen=True)
class ScaledTrial:
    """A model that was scaled.

    Attributes:
        model: the scaled `opensim.Model`.
        result: factors, residuals and audit.
        static_source: what it was scaled to: the static trial, or every trial.
        method: "static" or "motion".
        settings: what it was scaled by.
        read_findings: what reading found.
        pose_time_s: first time of the rows that the static pose is averaged over.
        sized: content of the model's file between the two steps, where the set-up names one: bodies have their size,
            markers are where the generic model has them.
    """

    model: Any
    result: ScaleResult
    static_source: str
    method: ScaleMethod
    settings: ScaleUnitSettings
    read_findings: tuple[str, ...]
    pose_time_s: float
    sized: bytes = b""

    @property
    def findings(self) -> tuple[str, ...]:
        """What reading and scaling found."""
        return (*self.read_findings, *self.result.findings)


_last: deque[ScaledTrial] = deque(maxlen=1)
"""What was scaled last, held: taking its model to pieces takes 0.01 s, which a process that ends can do without."""


def scale_to_trial(
    setup: ScaleSetup,
    generic: Path,
    config: Config,
    *,
    static_file: Path | None = None,
    marker_files: Sequence[Path] = (),
    tracking: IkSetup | None = None,
) -> ScaledTrial:
    """Scale the generic model to the given static trial, or to the one that the set-up names.

    By motion (`scaling_method`) to all trials: the static one, if there is any, is one frame among them.

    Args:
        setup: measurements, weights and post-scaling steps.
        generic: the generic model.
        config: settings.
        static_file: the static trial; none means that of the set-up.
        marker_files: trials to scale to, where the method is motion.
        tracking: weights for them.

    Raises:
        UsageError: neither the user nor the set-up names a trial to scale to.
        InputError: model, set-up or trials cannot be used.
    """
    from movi_prep.osim.models import marker_names, model_document, read_model
    from movi_prep.osim.scale_model import place_markers, size_model

    static_path = static_file or setup.static_file
    method = scaling_method(config, static=static_path is not None, moving=bool(marker_files))
    # A document of the ScaleTool names static trials only, so it is carried out as the tool does.
    by_motion = method == "motion" and bool(marker_files)
    if static_path is None and not by_motion:
        remedy = "give --static-file FILE.trc"
        remedy += ", or scale to the marker files themselves: --set scaling.method=auto" if marker_files else ""
        raise UsageError(f"{setup.source} names no static trial: {remedy}")
    model = read_model(generic, setup.marker_set_file)
    known = marker_names(model)
    static, findings = _static_trial(setup, config, known, static_file=static_file, static_path=static_path)
    settings = config.scaling.for_unit(config.ik.solver, method)
    solve_pose = pose_solver(settings)
    between = b""
    if by_motion:
        from movi_prep.stages.motion_scale import PersonTrials, scale_to_motion

        read = [_read_named(path, config, known) for path in marker_files]
        weights = setup.marker_weights if tracking is None else tracking.marker_weights
        trials = [markers for markers, _ in read]
        result = scale_to_motion(model, PersonTrials(trials, static), setup, weights, settings, solve_pose=solve_pose)
        findings += tuple(finding for _, told in read for finding in told)
    elif static is not None:
        curves = _curves(setup.coordinate_file, model, generic)
        sized = size_model(model, static, setup, settings)
        # Now, because placing markers changes the model in place.
        between = b"" if setup.scaled_model_file is None else model_document(model)
        result = place_markers(sized, static, setup, settings, coordinate_file=curves, solve_pose=solve_pose)
    sources = [*([static_path] if static_path is not None else []), *(marker_files if by_motion else ())]
    # The pose's time is for the .mot file: a set-up's range may begin before the first sample.
    first_s = 0.0 if static is None else float((static.placement or static.markers).times_s[0])
    scaled = ScaledTrial(
        model=model,
        result=result,
        static_source=", ".join(map(str, sources)),
        method="motion" if by_motion else "static",
        settings=settings,
        read_findings=findings,
        pose_time_s=max(setup.placement_time_range_s[0], first_s),
        sized=between,
    )
    _last.append(scaled)
    return scaled


def _curves(path: Path | None, model: Any, source: Path) -> dict[str, Curve]:
    if path is None:
        return {}
    from movi_prep.osim.solution import prepare_model

    return read_curves(path, prepare_model(model, source))


def _static_trial(
    setup: ScaleSetup, config: Config, known: tuple[str, ...], *, static_file: Path | None, static_path: Path | None
) -> tuple[StaticTrial | None, tuple[str, ...]]:
    """Return the static trial with the set-up's mass and height, None where there is none, and what reading found."""
    if static_path is None:
        return None, ()
    markers, findings = _read_named(static_path, config, known)
    # The user's word replaces both of the set-up's files.
    other = None if static_file is not None or setup.placement_file == static_path else setup.placement_file
    placement, more = (None, ()) if other is None else _read_named(other, config, known)
    static = StaticTrial(
        placement=placement,
        markers=markers,
        height_m=setup.height_m or float("nan"),
        mass_kg=setup.mass_kg or float("nan"),
        sex=None,
        mass_source="setup" if setup.mass_kg else "given",
    )
    return static, (*findings, *more)


def write_scaled_model(path: Path, scaled: ScaledTrial) -> ScaledTrial:
    """Write the model (.osim); return what was scaled, with what the misses of landmarks mean for the angles."""
    from movi_prep.osim.models import default_state, model_document, write_document

    # Asked of the model as it was read back, which has a system. Scaling leaves connections as they are written.
    written = write_document(path, model_document(scaled.model))
    return told_of_angles(scaled, written, default_state(written))


def told_of_angles(scaled: ScaledTrial, model: Any = None, state: Any = None) -> ScaledTrial:
    """Return what was scaled, with what the misses of landmarks mean for the angles of its model.

    Args:
        scaled: the model and the result of scaling.
        model: the model as it was written, None for the one in memory.
        state: its default state, None where its system must be built.
    """
    result = with_angles(scaled.model if model is None else model, scaled.result, scaled.settings, state)
    return replace(scaled, result=result)


def _read_named(path: Path, config: Config, known: tuple[str, ...]) -> tuple[MarkerTrajectories, tuple[str, ...]]:
    """Return a trial under the model's marker names, and what reading had to decide."""
    markers, name_findings = read_names_as(read_marker_file(path, config.ik), known)
    return markers, (*markers.findings, *name_findings)
