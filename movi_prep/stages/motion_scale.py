"""Scaling a generic model to the motion of a person.

Factors, marker sites and poses are found together (`kinematics.person_from_motion`), on frames chosen from all trials;
a static trial is one frame among them. Then the OpenSim model gets the factors through OpenSim's own scaling, the
markers their sites, and OpenSim confirms where they are. Markers that are not tracked are placed by the static trial,
where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError, list_names
from movi_prep.formats.anthropometry import read_anthropometry
from movi_prep.formats.packaged import packaged_path
from movi_prep.geometry.body_orientation import judge_orientation
from movi_prep.geometry.jumps import leaping_samples
from movi_prep.geometry.marker_size import check_marker_size
from movi_prep.geometry.repeats import row_steps, standstills
from movi_prep.osim.scale_audit import audit_scaling
from movi_prep.records.scale_result import AuditGrade, ScaleResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import opensim
    from numpy.typing import NDArray

    from movi_prep.config.scaling import MotionScalingSettings, ScaleUnitSettings
    from movi_prep.kinematics.motion_scaling import PersonPrior
    from movi_prep.kinematics.person_from_motion import Trial
    from movi_prep.kinematics.scaled_tree import ScaledMarkers
    from movi_prep.osim.scale_model import PoseSolver
    from movi_prep.records.kinematic_tree import KinematicTree
    from movi_prep.records.markers import MarkerTrajectories, StaticTrial
    from movi_prep.records.setups import ScaleSetup

ANTHROPOMETRY = "anthropometry.yaml"
# Deviation of a person's size from the generic model's as a whole (of its logarithm): models are of any size.
_SIZE_STD = 0.06
# Bounds, in standard deviations, of a site and of a factor; the static method refuses a subject instead.
_SITE_LIMIT, _FACTOR_LIMIT = 3.0, 2.5
_TOLERANCE_M = 1e-8
_LEAST_TRACKED = 6
# Fewer rows have no rows around them to leap from.
_LEAST_ROWS = 3
# Rows of which more than this share leap are no motion but poses beside each other, and all count.
_MOST_LEAPING = 0.5


def anthropometry_path(settings: MotionScalingSettings) -> Path:
    """Return the table of how sizes of people vary."""
    return settings.prior or packaged_path("opensim_models", ANTHROPOMETRY)


@dataclass(frozen=True)
class PersonTrials:
    """The trials that a person is measured by.

    Attributes:
        moving: marker trajectories, OpenSim ground, metres.
        static: the subject standing still, None where there is no such trial.
    """

    moving: Sequence[MarkerTrajectories]
    static: StaticTrial | None

    @property
    def standing(self) -> tuple[MarkerTrajectories, ...]:
        """The static trial's markers, if there is one."""
        return () if self.static is None else (self.static.placement or self.static.markers,)


def scale_to_motion(
    model: opensim.Model,
    trials: PersonTrials,
    setup: ScaleSetup,
    weights: Mapping[str, float],
    settings: ScaleUnitSettings,
    *,
    solve_pose: PoseSolver,
) -> ScaleResult:
    """Scale `model` in place to a person's motion, and put its markers where the motion shows them.

    Args:
        model: the generic model; it is the subject's afterwards.
        trials: the subject's.
        setup: which factors there are, and the steps after scaling; its marker distances are not used.
        weights: weight of each tracked marker.
        settings: bounds of the audit, and how the motion is used.
        solve_pose: what finds the static pose.

    Returns:
        Factors, residuals and findings. Errors are those of the motion, over all frames used.

    Raises:
        InputError: too few tracked markers are in model and trials, or their size is another than the model's.
        ModelError: the solver cannot represent the model.
        AuditError: OpenSim's forward kinematics disagree.
    """
    from movi_prep.kinematics.person_from_motion import scale_from_motion
    from movi_prep.kinematics.scaled_tree import scale_tree
    from movi_prep.osim.extract_tree import extract_tree
    from movi_prep.osim.models import set_marker_sites
    from movi_prep.osim.scale_model import apply_factors, delete_markers_without_data, model_mass_kg, name_findings
    from movi_prep.osim.verify_solution import check_solution

    tree = extract_tree(model)
    static, placing = trials.static, trials.standing
    present = tuple(dict.fromkeys(name for one in (*trials.moving, *placing) for name in one.names))
    prior_of, markers = _what_is_unknown(tree, present, setup, weights, settings.motion)
    tracked = tuple(tree.marker_names[marker] for marker in markers.markers)
    default_m = tree.marker_positions(tree.complete_coordinates(tree.coordinate_default))[markers.markers]
    by_name = dict(zip(tracked, default_m, strict=True))
    for one in (*trials.moving, *placing):
        # Before anything is fitted: factors from a wrong unit are finite, and look like factors.
        check_marker_size(one, by_name)
    upright, mirrored = _orientation(trials, by_name)
    read = [scaling_trial(one, tracked, static=False) for one in trials.moving]
    read += [scaling_trial(one, tracked, static=True) for one in placing]
    seen, leaps = [trial for trial, _ in read], [told for _, said in read for told in said]
    weighed = np.array([weights[name] for name in tracked])
    found = scale_from_motion(markers, seen, weighed, prior_of, settings.motion)
    findings = (
        *upright,
        *name_findings(model, present, setup, data="any trial"),
        *leaps,
        *found.findings,
        *_movement_findings(placing, tracked, settings),
    )
    factors = markers.groups.factors(found.fit.person.log_factors)
    sites_m = factors[tree.marker_body] * tree.marker_position_m
    # Sites are the scaled table plus what the motion found: markers that are not tracked keep the table's.
    sites_m[markers.markers] += found.fit.person.offsets_m
    scaled = scale_tree(tree, factors, sites_m)
    mass_kg = static.mass_kg if static is not None else setup.mass_kg or float("nan")
    apply_factors(
        model,
        dict(zip(tree.body_names, factors, strict=True)),
        mass_kg=mass_kg,
        preserve_mass=setup.preserve_mass_distribution,
    )
    if setup.place_markers:
        delete_markers_without_data(model, present)
    set_marker_sites(model, dict(zip(tracked, sites_m[markers.markers], strict=True)))
    # One pose suffices: a wrong factor or site shows in the default pose.
    pose = tree.complete_coordinates(tree.coordinate_default)[None]
    placed_m = scaled.marker_positions(pose)[:, markers.markers]
    check_solution(model, pose, tracked, placed_m, n_frames=1, tolerance=_TOLERANCE_M)
    middle_angle, states = _finish(model, placing, setup, solve_pose, tracked)
    result = ScaleResult(
        body_names=tree.body_names,
        body_factors=factors,
        measurement_names=markers.groups.names,
        measurement_factors=np.exp(found.fit.person.log_factors),
        marker_names=tracked,
        marker_weights=weighed,
        marker_errors_m=np.sqrt(_mean_seen((found.fit.residuals_m**2).sum(axis=-1), found.frames.weights > 0.0)),
        landmark_rms_m=float("nan"),
        landmark_max_m=float("nan"),
        mass_kg=model_mass_kg(model),
        height_m=static.height_m if static is not None else setup.height_m or float("nan"),
        pelvis_middle_angle_rad=middle_angle,
        findings=findings,
        audit=AuditGrade.SOUND,
        pose=states,
    )
    return audit_scaling(result, settings, wrong=mirrored, shown="motion")


def _orientation(
    trials: PersonTrials, default_m: Mapping[str, NDArray[np.float64]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return findings on a body that does not stand upright in the static trial, and on one that is a mirror image."""
    standing = [judge_orientation(one, default_m) for one in trials.standing]
    upright = tuple(told for one in standing for told in one.findings)
    # A static trial says it best; of moving ones all must, because a pose may be nearer to the mirror image.
    judged = standing or [judge_orientation(one, default_m) for one in trials.moving]
    mirrored = [one.mirrored for one in judged]
    return upright, mirrored[0] if mirrored and all(mirrored) else ()


def _what_is_unknown(
    tree: KinematicTree,
    present: tuple[str, ...],
    setup: ScaleSetup,
    weights: Mapping[str, float],
    settings: MotionScalingSettings,
) -> tuple[PersonPrior, ScaledMarkers]:
    """Return the tracked markers with the factors of the set-up, and what is known of them beforehand."""
    from movi_prep.kinematics.scale_groups import scale_groups
    from movi_prep.kinematics.scaled_tree import ScaledMarkers

    groups, axes = scale_groups(tree.body_names, setup, settings.sides)
    if not groups.names:
        raise InputError(
            setup.source,
            expected="measurements that scale bodies of the model",
            got=f"none; the model has {list_names(tree.body_names)}",
            remedy="add measurements, or scale by scaling.method=static",
        )
    chosen = [
        index
        for index, (name, body) in enumerate(zip(tree.marker_names, tree.marker_body.tolist(), strict=True))
        if body >= 0 and name in present and weights.get(name, 0.0) > 0.0
    ]
    if len(chosen) < _LEAST_TRACKED:
        raise InputError(
            setup.source,
            expected=f"at least {_LEAST_TRACKED} markers that have a weight and are in the model and in the trials",
            got=f"{list_names(tree.marker_names[index] for index in chosen) or 'none'}",
            remedy="check that model, set-up and marker files belong together, and give markers one name in all three",
        )
    markers = ScaledMarkers(tree, groups, np.array(chosen))
    # In the order of the solver.
    markers = replace(markers, markers=markers.folded.markers)
    return person_prior(markers, axes, settings), markers


def person_prior(markers: ScaledMarkers, axes: Sequence[str], settings: MotionScalingSettings) -> PersonPrior:
    """Return what is known of a person beforehand.

    Args:
        markers: the factors, and the tracked markers.
        axes: along which axes each factor scales, "XYZ" or a part of it.
        settings: the table, and how far sites may be from the model's.
    """
    from movi_prep.kinematics.motion_scaling import PersonPrior

    names = markers.groups.names
    table = read_anthropometry(anthropometry_path(settings))
    covariance = settings.prior_widening**2 * table.log_covariance(list(zip(names, axes, strict=True)))
    return PersonPrior(
        log_mean=np.zeros(len(names)),
        # The same number in every entry: one common size for all factors, independent of the table's proportions.
        log_covariance=covariance + _SIZE_STD**2,
        site_std_m=np.full(len(markers.markers), settings.site_std_m),
        site_limit_m=_SITE_LIMIT * settings.site_std_m,
        log_limit=_FACTOR_LIMIT,
    )


def scaling_trial(
    markers: MarkerTrajectories, tracked: tuple[str, ...], *, static: bool
) -> tuple[Trial, tuple[str, ...]]:
    """Return a trial with the tracked markers in the solver's order, and findings on samples that do not count.

    NaN where it lacks a marker, and where markers leap or repeat: of the frames, those that differ most are chosen, and
    a leap differs most.
    """
    from movi_prep.kinematics.person_from_motion import Trial

    positions_m = np.full((markers.n_rows, len(tracked), 3), np.nan)
    for place, name in enumerate(tracked):
        if name in markers.names:
            positions_m[:, place] = markers.positions_m[:, markers.column(name)]
    out = _kept_out(positions_m, markers.times_s)
    positions_m[out] = np.nan
    return Trial(_short_name(markers), positions_m, static), _kept_out_findings(markers, out, tracked)


def _kept_out(positions_m: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (n, k) bool: samples that no motion of a person has; none where most rows leap, which are single poses."""
    if len(times_s) < _LEAST_ROWS:
        return np.zeros(positions_m.shape[:2], dtype=np.bool_)
    # Of long clips rows are left out: not the rate that the clip was recorded at.
    rate_hz = 1.0 / float(np.median(np.diff(times_s)))
    out = leaping_samples(positions_m, rate_hz)
    if np.count_nonzero(out.all(axis=1)) > _MOST_LEAPING * len(out):
        out[:] = False
    for run in standstills(row_steps(positions_m), rate_hz):
        out[run.first : run.last + 1] = True
    return out


def _kept_out_findings(
    markers: MarkerTrajectories, out: NDArray[np.bool_], tracked: tuple[str, ...]
) -> tuple[str, ...]:
    """Return a sentence on whole rows that are kept out, and one on single markers that are in some rows."""
    whole = np.asarray(out.all(axis=1))
    rows, single = np.flatnonzero(whole), np.asarray(out & ~whole[:, None])
    told = []
    if len(rows):
        told.append(
            f"{_short_name(markers)}: {len(rows)} of {markers.n_rows} rows are kept out of scaling, because the body "
            f"leaps in or beside them, or they repeat the row before; the first is at {markers.times_s[rows[0]]:.3f} s"
        )
    if single.any():
        names = [tracked[marker] for marker in np.flatnonzero(single.any(axis=0)).tolist()]
        told.append(
            f"{_short_name(markers)}: {list_names(names)} leap in {np.count_nonzero(single.any(axis=1))} of "
            f"{markers.n_rows} rows, and do not count there"
        )
    return tuple(told)


def _short_name(trial: MarkerTrajectories) -> str:
    """Return a trial's file and its folder: findings are part of the result, which may lie elsewhere tomorrow."""
    return "/".join(Path(trial.source).parts[-2:])


def _movement_findings(
    placing: Sequence[MarkerTrajectories], tracked: tuple[str, ...], settings: ScaleUnitSettings
) -> tuple[str, ...]:
    """Return a sentence on a static trial in which markers move: one frame of it counts, as of any trial."""
    told = []
    for static in placing:
        known = [name for name in static.names if name in tracked]
        if not known:
            continue
        moved_m = static.select(known).movements_m()
        worst = int(np.argmax(moved_m))
        if moved_m[worst] > settings.static_movement_limit_m:
            told.append(
                f"{_short_name(static)}: the subject does not stand still, {known[worst]} moves by "
                f"{1000.0 * moved_m[worst]:.0f} mm; it counts as one frame, and places markers that are not "
                "tracked by its mean"
            )
    return tuple(told)


def _finish(
    model: opensim.Model,
    placing: Sequence[MarkerTrajectories],
    setup: ScaleSetup,
    solve_pose: PoseSolver,
    tracked: tuple[str, ...],
) -> tuple[float, dict[str, float]]:
    """Place what is not tracked by the static trial, and do the steps after scaling.

    Returns:
        The middle angle of the root in the static pose, and OpenSim's state variables there; 0 and none without one.
    """
    from movi_prep.osim.models import middle_angle_rad
    from movi_prep.osim.scale_files import state_values
    from movi_prep.osim.scale_model import finish_scaling, static_pose

    if not placing:
        # Without a static trial there is no static pose that defaults could come from.
        post = replace(setup.post_scaling, default_values="kept")
        finish_scaling(model, model.initSystem(), replace(setup, place_markers=False, post_scaling=post), {})
        return 0.0, {}
    pose = static_pose(model, placing[0], setup, {}, solve_pose)
    angle, states = middle_angle_rad(model, pose.state), state_values(model, pose.state)
    # Tracked markers keep the sites that the motion gave them; the static pose places the rest.
    others = {name: point for name, point in zip(pose.names, pose.observed_m, strict=True) if name not in tracked}
    finish_scaling(model, pose.state, setup, others)
    return angle, states


def _mean_seen(values: NDArray[np.float64], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(k,) means of (n, k) values over what is counted; NaN where nothing is."""
    counted = counted & np.isfinite(values)
    count = counted.sum(axis=0)
    return np.asarray(np.where(count > 0, np.where(counted, values, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan))
