"""From trials to a person: frames chosen, poses found, factors and sites fitted, and what does not belong left out.

    choose frames -> first size -> first poses -> rough fit -> frames that fit badly are begun anew or left out
                  -> fit -> trials and sites that disagree are named and left out, and what is left is fitted again
                  -> the same fit on many more frames, begun at the person so found, against the noise of markers

Nothing here refuses a subject. What a motion does not show stays where the prior has it, and is named.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.config.ik_solver import ConvergedSettings
from movi_prep.errors import InputError, list_names
from movi_prep.kinematics.chosen_frames import choose_spread, lay_upright
from movi_prep.kinematics.motion_scaling import (
    Person,
    PersonPrior,
    ScalingFrames,
    fit_person,
    residuals_m,
    trial_shift,
)
from movi_prep.kinematics.scaled_tree import scale_tree
from movi_prep.kinematics.single_poses import single_poses
from movi_prep.kinematics.solve import solve_inverse_kinematics
from movi_prep.records.ik_solution import USABLE_STATUSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from movi_prep.config.scaling import MotionScalingSettings
    from movi_prep.kinematics.motion_scaling import PersonFit
    from movi_prep.kinematics.scaled_tree import ScaledMarkers
    from movi_prep.records.kinematic_tree import KinematicTree

# So many frames are compared when those that differ most are chosen.
_CANDIDATES = 2000
# Steps on many frames, which begin near the answer: the second changes each factor by a quarter of its deviation.
_REFINING_STEPS = 2
# Residuals of less than this, metres, are the model's misfit more than noise of markers: more frames do not average it.
_MISFIT_M = 2e-3
# Frames are tracked in the order of time, with a faint pull to the default pose.
_TRACKING = ConvergedSettings(tracks="forward", observability=False, prior_strength=0.01)
# A frame fits badly where its RMS is this many times the median, and this many times what noise explains.
_POOR, _POOR_NOISE = 2.0, 1.5
# Steps of the rough fit: enough to see which frames are in a wrong minimum.
_ROUGH_STEPS = 6
# Rounds of the search for a lower minimum: for first poses, and once the person is roughly known.
_FIRST_ROUNDS, _LATER_ROUNDS = 6, 60
# A marker of average weight that misses by more than so many times the noise, and so many metres, does not belong.
_STRAY, _FAR_M = 8.0, 0.03
# Of the markers seen, so many may not belong before the whole frame counts as badly fitted.
_MOST_OUTLIERS = 0.15
# Markers exchanged miss by less than this share of what they missed by.
_SWAPPED = 0.4
# A factor counts as seen where its deviation is below this share of what the prior leaves open, all others known.
_SEEN = 0.35
# Trials compare factors that they see to this (of the factor).
_SHARP = 0.015
# A site that is further from the table than this share of its bound ends at the bound.
_AT_BOUND = 0.98
# A marker that has a say in less than this share of the frames that show it is out of place in the fit as a whole.
_LEAST_BELIEVED = 0.1
# Cosine from which a site has moved towards another marker.
_TOWARDS = 0.7
# A marker so many times its bound from where the model has it was never placed there.
_MISPLACED = 2.0
# Ratio of sizes beyond which marker distances are no person's: the first size stays inside.
_LARGEST_FIRST = 0.4


@dataclass(frozen=True, eq=False)
class Trial:
    """Markers of one trial.

    Attributes:
        name: for messages.
        positions_m: (n, k, 3) metres, ground, in the order of `ScaledMarkers`; NaN where not seen.
        static: whether the subject stands still in it, so that one frame is enough.
    """

    name: str
    positions_m: NDArray[np.float64]
    static: bool = False


@dataclass(frozen=True, eq=False)
class MotionScaling:
    """A person from motion.

    Attributes:
        fit: factors, sites and poses.
        prior: what was known beforehand.
        frames: what it was fitted to.
        trial_names: names of the trials that `frames.trial` counts.
        seen: (g,) bool, factors that the motion determines; the others are where the prior has them.
        findings: sentences for the user.
    """

    fit: PersonFit
    prior: PersonPrior
    frames: ScalingFrames
    trial_names: tuple[str, ...]
    seen: NDArray[np.bool_]
    findings: tuple[str, ...]


def scale_from_motion(
    markers: ScaledMarkers,
    trials: Sequence[Trial],
    weights: NDArray[np.float64],
    prior: PersonPrior,
    settings: MotionScalingSettings,
) -> MotionScaling:
    """Return the person that the trials show.

    Args:
        markers: the model, its factors and its tracked markers.
        trials: where the markers were; each at least one frame.
        weights: (k,) weights of the markers.
        prior: what is known beforehand.
        settings: how many frames, and what counts as disagreement.

    Raises:
        InputError: no frame of any trial can be solved.
    """
    frames = _chosen(markers, trials, weights, settings.n_frames)
    start = _begin(markers, frames, weights, prior, trials)
    fitted = _fitted(markers, frames, weights, prior, start)
    lost = _lost_trials(frames, fitted[0], trials)
    fit, kept, told = _agreeing(markers, fitted, weights, prior, trials, settings)
    fit, kept, misplaced = _without_misplaced(markers, kept, fit, prior)
    if settings.n_refining_frames and fit.found_noise_m > _MISFIT_M:
        more = _with_more(markers, kept, fit.person, weights, trials, count=settings.n_refining_frames)
        fit, kept = _refined(markers, more, weights, prior)
    # Against what the prior leaves open once the other factors are known: the size of the whole person says nothing new
    # about one factor.
    seen = np.sqrt(np.diag(fit.log_covariance)) < _SEEN * prior.alone
    fit = _put_on_data(fit, misplaced)
    return MotionScaling(
        fit=fit,
        prior=prior,
        frames=kept,
        trial_names=tuple(trial.name for trial in trials),
        seen=seen,
        findings=(
            *lost,
            *told,
            *_stray_findings(markers, kept, fit, weights, trials),
            *_person_findings(markers, fit, seen, misplaced, prior.site_limit_m),
        ),
    )


def _chosen(markers: ScaledMarkers, trials: Sequence[Trial], weights: NDArray[np.float64], count: int) -> ScalingFrames:
    """Return the frames that differ most; of a static trial one is enough."""
    each = max(_CANDIDATES // len(trials), 1)
    rows = [
        _middle_row(trial.positions_m) if trial.static else _spread_rows(len(trial.positions_m), each)
        for trial in trials
    ]
    candidates = _frames_of(markers, trials, rows, weights, np.ones((len(trials), len(weights)), dtype=bool))
    taken = choose_spread(candidates.positions_m, candidates.trial, count)
    chosen = np.zeros(len(candidates.trial), dtype=bool)
    chosen[taken] = True
    return candidates.only(chosen)


def _middle_row(positions_m: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the middle row of those that show markers, as an array: a subject settles before it, and leaves after."""
    shown = np.flatnonzero(np.isfinite(positions_m).any(axis=(1, 2)))
    return shown[len(shown) // 2 : len(shown) // 2 + 1]


def _spread_rows(n_rows: int, most: int) -> NDArray[np.int64]:
    """Return at most so many rows at even distances, so that long trials cost no more than short ones."""
    return np.linspace(0, n_rows - 1, min(n_rows, most)).round().astype(np.int64)


def _frames_of(
    markers: ScaledMarkers,
    trials: Sequence[Trial],
    rows: Sequence[NDArray[np.int64]],
    weights: NDArray[np.float64],
    counted: NDArray[np.bool_],
) -> ScalingFrames:
    """Return some rows of each trial as frames, laid upright by the markers, (t, k) bool, that count in it."""
    laid = [
        lay_upright(markers.folded, trial.positions_m[own], counts)
        for trial, own, counts in zip(trials, rows, counted, strict=True)
    ]
    trial = np.repeat(np.arange(len(trials)), [len(own) for own in rows])
    return ScalingFrames(
        positions_m=np.concatenate(laid),
        weights=np.where(counted[trial], weights, 0.0),
        trial=trial,
        row=np.concatenate(rows),
    )


def _begin(
    markers: ScaledMarkers,
    frames: ScalingFrames,
    weights: NDArray[np.float64],
    prior: PersonPrior,
    trials: Sequence[Trial],
) -> Person:
    """Return a person of the right size with a pose for every frame; NaN where a frame has none."""
    # One size for all bodies suffices to find poses; the factors come from the fit.
    size = _first_size(markers, frames.positions_m)
    log_factors = prior.log_mean + size
    tree = scale_tree(markers.tree, markers.groups.factors(log_factors))
    poses = single_poses(tree, markers.markers, frames.positions_m, weights, rounds=_FIRST_ROUNDS)
    if not poses.solved.any():
        raise InputError(
            list_names(trial.name for trial in trials),
            expected="frames in which most of the tracked markers are seen",
            got="none",
            remedy="check that the markers carry the names of the set-up, and are seen",
        )
    return Person(log_factors, np.zeros_like(markers.sites_m), poses.unknowns)


def _first_size(markers: ScaledMarkers, positions_m: NDArray[np.float64]) -> float:
    """Return the logarithm of how much larger the person is than the model, from distances that no pose changes."""
    ratios = []
    for body in np.unique(markers.bodies):
        on_body = np.flatnonzero(markers.bodies == body)
        for place, first in enumerate(on_body):
            for second in on_body[place + 1 :]:
                model_m = float(np.linalg.norm(markers.sites_m[first] - markers.sites_m[second]))
                apart = np.linalg.norm(positions_m[:, first] - positions_m[:, second], axis=-1)
                if model_m > 0.0 and np.isfinite(apart).any():
                    ratios.append(float(np.nanmedian(apart)) / model_m)
    usable = [ratio for ratio in ratios if ratio > 0.0]
    return float(np.clip(np.log(np.median(usable)), -_LARGEST_FIRST, _LARGEST_FIRST)) if usable else 0.0


def _fitted(
    markers: ScaledMarkers,
    frames: ScalingFrames,
    weights: NDArray[np.float64],
    prior: PersonPrior,
    start: Person,
) -> tuple[ScalingFrames, PersonFit]:
    """Fit roughly, begin badly fitted frames anew, fit what belongs; return the frames that were fitted in the end.

    What does not belong is judged roughly first and again at the end: a marker may come back, a frame may go.
    """
    solved = np.asarray(np.isfinite(start.unknowns).all(axis=1))
    frames, start = frames.only(solved), replace(start, unknowns=start.unknowns[solved])
    fit = fit_person(markers, frames, prior, start, iteration_limit=_ROUGH_STEPS)
    person = _begun_anew(markers, frames, weights, fit)
    fit = fit_person(markers, frames, prior, person, iteration_limit=_ROUGH_STEPS)
    frames, person = _belonging(frames, fit.person, fit.residuals_m, weights)
    return _settled(markers, frames, weights, prior, fit_person(markers, frames, prior, person))


def _settled(
    markers: ScaledMarkers,
    frames: ScalingFrames,
    weights: NDArray[np.float64],
    prior: PersonPrior,
    fit: PersonFit,
) -> tuple[ScalingFrames, PersonFit]:
    """Find badly fitted frames again, judge once more what belongs, and fit again where that changed anything."""
    person = _begun_anew(markers, frames, weights, fit)
    if person is not fit.person:
        fit = fit_person(markers, frames, prior, person)
    again, person = _belonging(frames, fit.person, fit.residuals_m, weights)
    if len(again.trial) == len(frames.trial) and np.array_equal(again.weights, frames.weights):
        return frames, fit
    return again, fit_person(markers, again, prior, person)


def _with_more(
    markers: ScaledMarkers,
    frames: ScalingFrames,
    person: Person,
    weights: NDArray[np.float64],
    trials: Sequence[Trial],
    *,
    count: int,
) -> tuple[ScalingFrames, Person]:
    """Return the frames with up to `count` more of the trials that count, at even distances, and poses for all.

    What they add is not new poses but independent noise: the chosen frames show the person, these average.
    """
    counts = [index for index in np.unique(frames.trial).tolist() if not trials[index].static]
    each = max(count // max(len(counts), 1), 1)
    rows = [
        np.setdiff1d(_spread_rows(len(trial.positions_m), each), frames.row[frames.trial == index])
        if index in counts
        else np.zeros(0, dtype=np.int64)
        for index, trial in enumerate(trials)
    ]
    # A marker that counts nowhere in a trial was taken out there: its site is another's, and lays no frame upright.
    counted = np.stack([(frames.weights[frames.trial == index] > 0.0).any(axis=0) for index in range(len(trials))])
    more = _frames_of(markers, trials, rows, weights, counted)
    unknowns = _tracked(markers, person, more, weights)
    found = np.asarray(np.isfinite(unknowns).all(axis=1))
    return frames.joined(more.only(found)), replace(person, unknowns=np.concatenate([person.unknowns, unknowns[found]]))


def _refined(
    markers: ScaledMarkers, start: tuple[ScalingFrames, Person], weights: NDArray[np.float64], prior: PersonPrior
) -> tuple[PersonFit, ScalingFrames]:
    """Return the fit to many frames, begun near the answer, and the frames that belong."""
    frames, person = start
    # What has no say yet has none here either.
    missed_m = np.where(frames.weights[..., None] > 0.0, residuals_m(markers, frames, person), np.nan)
    frames, person = _belonging(frames, person, missed_m, weights)
    return fit_person(markers, frames, prior, person, iteration_limit=_REFINING_STEPS), frames


def _tracked(
    markers: ScaledMarkers, person: Person, frames: ScalingFrames, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (n, x) poses of a person in frames that lie in the order of time; NaN where none is usable."""
    names = tuple(markers.tree.marker_names[marker] for marker in markers.markers)
    tree, laid_m = _tree_of(markers, person), np.where(frames.weights[..., None] > 0.0, frames.positions_m, np.nan)
    if not len(laid_m):
        return np.zeros((0, person.unknowns.shape[1]))
    found = solve_inverse_kinematics(tree, names, laid_m, dict(zip(names, weights.tolist(), strict=True)), _TRACKING)
    usable = np.isin(found.statuses, [status.value for status in USABLE_STATUSES])
    folded = markers.folded
    unknowns = np.clip(found.coordinates[:, folded.unknowns], folded.arrays.lower, folded.arrays.upper)
    return np.where(usable[:, None], unknowns, np.nan)


def _tree_of(markers: ScaledMarkers, person: Person) -> KinematicTree:
    """Return the tree with a person's factors and sites."""
    factors = markers.groups.factors(person.log_factors)
    sites = markers.tree.marker_position_m * factors[markers.tree.marker_body]
    sites[markers.markers] += person.offsets_m
    return scale_tree(markers.tree, factors, sites)


def _lost_trials(frames: ScalingFrames, kept: ScalingFrames, trials: Sequence[Trial]) -> tuple[str, ...]:
    """Return sentences on trials whose frames mostly do not fit the person that the other trials show."""
    before, after = (np.bincount(one.trial, minlength=len(trials)) for one in (frames, kept))
    return tuple(
        f"{trial.name}: {before[index] - after[index]} of {before[index]} frames do not fit the person that the others "
        "show, and are left out. Another person's trial, or markers with wrong names?"
        for index, trial in enumerate(trials)
        if 2 * after[index] < before[index]
    )


def _belonging(
    frames: ScalingFrames, person: Person, missed_m: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[ScalingFrames, Person]:
    """Return the frames that fit, markers that do not belong without weight, and the person with their poses.

    `missed_m` is (n, k, 3) metres: the person's markers minus those seen.
    """
    far_m = np.linalg.norm(missed_m, axis=-1)
    cleaned = np.where(_strays(far_m, person, weights), 0.0, np.where(np.isfinite(far_m), weights, 0.0))
    kept = ~_poor(far_m, cleaned, person.noise_m)
    return replace(frames, weights=cleaned).only(kept), replace(person, unknowns=person.unknowns[kept])


def _strays(missed_m: NDArray[np.float64], person: Person, weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n, k) bool: markers that miss, by (n, k) metres, as noise does not; none where too many do."""
    seen, squared = np.isfinite(missed_m), weights / weights.mean() * (missed_m / person.noise_m) ** 2
    stray = seen & (missed_m > _FAR_M) & (squared > _STRAY**2)
    few = stray.sum(axis=1) <= _MOST_OUTLIERS * seen.sum(axis=1)
    return np.asarray(stray & few[:, None])


def _poor(missed_m: NDArray[np.float64], weights: NDArray[np.float64], noise_m: float) -> NDArray[np.bool_]:
    """(n,) bool: frames whose weighted RMS is far above the median, and above what noise explains."""
    weights = np.where(np.isfinite(missed_m), weights, 0.0)
    mean = (weights * np.nan_to_num(missed_m) ** 2).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-300)
    return np.asarray(mean > np.maximum(_POOR**2 * np.median(mean), 3.0 * (_POOR_NOISE * noise_m) ** 2))


def _begun_anew(markers: ScaledMarkers, frames: ScalingFrames, weights: NDArray[np.float64], fit: PersonFit) -> Person:
    """Return the person with the poses of badly fitted frames found anew, where that is better.

    Where single markers miss, it is better only if none does: else a pose between them and the others would be taken.
    Where they do in many frames, the markers are at fault and not the poses.
    """
    missed_m = np.linalg.norm(fit.residuals_m, axis=-1)
    strays = _strays(missed_m, fit.person, weights).any(axis=1)
    strays &= strays.mean() <= _MOST_OUTLIERS
    poor = np.flatnonzero(strays | _poor(missed_m, frames.weights, fit.person.noise_m))
    if not len(poor):
        return fit.person
    found = single_poses(
        _tree_of(markers, fit.person), markers.markers, frames.positions_m[poor], weights, rounds=_LATER_ROUNDS
    )
    shown = markers.pose(
        np.where(found.solved[:, None], found.unknowns, fit.person.unknowns[poor]),
        fit.person.log_factors,
        fit.person.offsets_m,
        derivatives=False,
    )
    found_m = np.linalg.norm(shown.positions_m - frames.positions_m[poor], axis=-1)
    before, after = (np.nansum(weights * missing_m**2, axis=1) for missing_m in (missed_m[poor], found_m))
    better = found.solved & (after < before) & ~(strays[poor] & _strays(found_m, fit.person, weights).any(axis=1))
    if not better.any():
        return fit.person
    unknowns = fit.person.unknowns.copy()
    unknowns[poor[better]] = found.unknowns[better]
    return replace(fit.person, unknowns=unknowns)


def _stray_findings(
    markers: ScaledMarkers,
    frames: ScalingFrames,
    fit: PersonFit,
    weights: NDArray[np.float64],
    trials: Sequence[Trial],
) -> tuple[str, ...]:
    """Return sentences on markers that are exchanged in some frames, and on others that do not belong."""
    missed = np.linalg.norm(fit.residuals_m, axis=-1)
    stray, model_m = _strays(missed, fit.person, weights), frames.positions_m + fit.residuals_m
    swapped: dict[tuple[int, int, int], int] = {}
    lone: dict[tuple[int, int], int] = {}
    for frame in np.flatnonzero(stray.any(axis=1)):
        owner, out = int(frames.trial[frame]), np.flatnonzero(stray[frame])
        pairs = {
            (first, second)
            for place, first in enumerate(out.tolist())
            for second in out[place + 1 :].tolist()
            if np.linalg.norm(model_m[frame, first] - frames.positions_m[frame, second])
            + np.linalg.norm(model_m[frame, second] - frames.positions_m[frame, first])
            < _SWAPPED * (missed[frame, first] + missed[frame, second])
        }
        for first, second in pairs:
            swapped[owner, first, second] = swapped.get((owner, first, second), 0) + 1
        for marker in set(out.tolist()) - {marker for pair in pairs for marker in pair}:
            lone[owner, marker] = lone.get((owner, marker), 0) + 1
    names = [markers.tree.marker_names[marker] for marker in markers.markers]
    count = np.bincount(frames.trial, minlength=len(trials))
    return (
        *(
            f"{trials[owner].name}: markers {names[first]} and {names[second]} are exchanged in {times} of the "
            f"{count[owner]} frames used; they do not count there"
            for (owner, first, second), times in swapped.items()
        ),
        *(
            f"{trials[owner].name}: marker {names[marker]} is out of place in {times} of the {count[owner]} frames "
            "used; it does not count there"
            for (owner, marker), times in lone.items()
        ),
    )


def _agreeing(
    markers: ScaledMarkers,
    fitted: tuple[ScalingFrames, PersonFit],
    weights: NDArray[np.float64],
    prior: PersonPrior,
    trials: Sequence[Trial],
    settings: MotionScalingSettings,
) -> tuple[PersonFit, ScalingFrames, tuple[str, ...]]:
    """Leave out trials of another person, then sites that moved between trials; return what is left, fitted."""
    (frames, fit), told = fitted, list[str]()
    while (found := _another_person(markers, frames, prior, fit, settings)) is not None:
        trial, apart = found
        told.append(
            f"{trials[trial].name}: bodies are {100.0 * apart:.1f} % larger or smaller than in the other trials; it is "
            "left out. Another person's trial?"
        )
        kept = frames.trial != trial
        frames, person = frames.only(kept), replace(fit.person, unknowns=fit.person.unknowns[kept])
        frames, fit = _settled(markers, frames, weights, prior, fit_person(markers, frames, prior, person))
    moved = _moved_sites(frames, fit, settings)
    if moved:
        kept_weights = frames.weights.copy()
        for marker, trial, apart_m in moved:
            name = markers.tree.marker_names[markers.markers[marker]]
            told.append(
                f"{trials[trial].name}: marker {name} sits {1000.0 * apart_m:.0f} mm from where it sits in the other "
                "trials; it does not count there"
            )
            kept_weights[frames.trial == trial, marker] = 0.0
        frames = replace(frames, weights=kept_weights)
        fit = fit_person(markers, frames, prior, fit.person)
    return fit, frames, tuple(told)


def _without_misplaced(
    markers: ScaledMarkers, frames: ScalingFrames, fit: PersonFit, prior: PersonPrior
) -> tuple[PersonFit, ScalingFrames, NDArray[np.bool_]]:
    """Return the fit without markers whose sites end at their bound, its frames, and (k,) which markers those are.

    Where the others say that such a marker is much further off still, it was never placed where the model has it, and
    what it says of sizes is wrong. Where many end at their bounds, the model is another than the markers', and they
    stay.
    """
    counts = (frames.weights > 0.0).any(axis=0)
    suspect = np.linalg.norm(fit.person.offsets_m, axis=1) > _AT_BOUND * prior.site_limit_m
    if not suspect.any() or np.count_nonzero(suspect) > _MOST_OUTLIERS * np.count_nonzero(counts):
        return fit, frames, np.zeros_like(suspect)
    without = _left_out(markers, frames, fit, prior, suspect)
    far_m = np.linalg.norm(_put_on_data(without[0], suspect).person.offsets_m, axis=1)
    misplaced = suspect & (far_m > _MISPLACED * prior.site_limit_m)
    if not misplaced.any():
        return fit, frames, misplaced
    return *(without if (misplaced == suspect).all() else _left_out(markers, frames, fit, prior, misplaced)), misplaced


def _left_out(
    markers: ScaledMarkers, frames: ScalingFrames, fit: PersonFit, prior: PersonPrior, which: NDArray[np.bool_]
) -> tuple[PersonFit, ScalingFrames]:
    """Return the fit to all other markers, and the frames with these, (k,) bool, without weight."""
    frames = replace(frames, weights=np.where(which, 0.0, frames.weights))
    person = replace(fit.person, offsets_m=np.where(which[:, None], 0.0, fit.person.offsets_m))
    return fit_person(markers, frames, prior, person), frames


def _put_on_data(fit: PersonFit, misplaced: NDArray[np.bool_]) -> PersonFit:
    """Return the fit with the sites of some markers where the frames show them, however far that is."""
    if not misplaced.any():
        return fit
    offsets_m = fit.person.offsets_m.copy()
    for marker in np.flatnonzero(misplaced):
        missed_m = fit.in_body_m[:, marker]
        shown = missed_m[np.isfinite(missed_m).all(axis=1)]
        if len(shown):
            offsets_m[marker] -= np.median(shown, axis=0)
    return replace(fit, person=replace(fit.person, offsets_m=offsets_m))


def _another_person(
    markers: ScaledMarkers,
    frames: ScalingFrames,
    prior: PersonPrior,
    fit: PersonFit,
    settings: MotionScalingSettings,
) -> tuple[int, float] | None:
    """Return the trial whose bodies differ most from the others', and by how much; None where all agree.

    Of two trials that disagree, the one with fewer frames goes, because nothing tells which of them is right.
    """
    present = np.unique(frames.trial)
    if len(present) < 2:
        return None
    shifts, sharp = zip(*(trial_shift(markers, frames, prior, fit, int(trial)) for trial in present), strict=True)
    counts = np.array([np.count_nonzero(frames.trial == trial) for trial in present])
    both = np.array(sharp)
    apart = np.zeros(len(present))
    for one in range(len(present)):
        others = [k for k in range(len(present)) if k != one]
        # Weighted by frames: a trial with many frames says more about the person.
        middle = np.average(np.array(shifts)[others], axis=0, weights=counts[others])
        seen = (both[one] < _SHARP) & (both[others] < _SHARP).any(axis=0)
        if seen.any():
            apart[one] = float(np.sqrt(np.mean((np.array(shifts)[one] - middle)[seen] ** 2)))
    # Sorted by `apart`, ties by fewer frames: the last one disagrees most, with the fewest frames.
    order = np.lexsort((-counts, apart))
    worst = int(order[-1])
    return (int(present[worst]), float(apart[worst])) if apart[worst] > settings.trial_size_limit else None


def _moved_sites(
    frames: ScalingFrames, fit: PersonFit, settings: MotionScalingSettings
) -> list[tuple[int, int, float]]:
    """Return (marker, trial, metres) where a marker sits elsewhere than in the other trials."""
    present = np.unique(frames.trial)
    found = []
    for marker in range(frames.positions_m.shape[1]) if len(present) > 1 else ():
        shown = np.isfinite(fit.in_body_m[:, marker, 0])
        trusted = _trusted(shown, frames.weights[:, marker] > 0.0)
        counts = {
            int(trial): np.count_nonzero(trusted[frames.trial == trial]) for trial in np.unique(frames.trial[shown])
        }
        # The trial with most frames is never judged: it is what the others are compared with.
        for trial in sorted(counts, key=lambda one: counts[one])[:-1]:
            own, others = shown & (frames.trial == trial), trusted & (frames.trial != trial)
            rest = fit.in_body_m[others, marker]
            apart_m = float(np.linalg.norm(np.median(fit.in_body_m[own, marker], axis=0) - np.median(rest, axis=0)))
            spread_m = float(np.linalg.norm(np.median(np.abs(rest - np.median(rest, axis=0)), axis=0)))
            if apart_m > max(settings.site_apart_limit_m, 4.0 * spread_m):
                found.append((marker, trial, apart_m))
    return found


def _trusted(shown: NDArray[np.bool_], counts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) bool: of the frames that show a marker, those in which it has a say; all, where it has none in most.

    A marker that carries another's name in one trial misses there, and is no measure of where it sits.
    """
    believed = shown & counts
    return believed if np.count_nonzero(believed) > _LEAST_BELIEVED * np.count_nonzero(shown) else shown


def _person_findings(
    markers: ScaledMarkers, fit: PersonFit, seen: NDArray[np.bool_], misplaced: NDArray[np.bool_], limit_m: float
) -> list[str]:
    """Return sentences on what the motion does not show, and on sites that are far from the table."""
    told = []
    unseen = [name for name, known in zip(markers.groups.names, seen, strict=True) if not known]
    if unseen:
        told.append(f"factors that the motion does not show, and the prior decides: {list_names(unseen, at_most=40)}")
    names = [markers.tree.marker_names[marker] for marker in markers.markers]
    never = [
        name for name, count in zip(names, np.isfinite(fit.residuals_m[..., 0]).sum(axis=0), strict=True) if not count
    ]
    if never:
        told.append(f"markers that no frame shows, and that keep their place on the model: {list_names(never)}")
    for marker in np.flatnonzero(misplaced):
        far_mm = 1000.0 * np.linalg.norm(fit.person.offsets_m[marker])
        told.append(
            f"marker {names[marker]} sits {far_mm:.0f} mm from where the model has it: never placed there, or another "
            "marker's name? It is put where the motion shows it, and says nothing of sizes"
        )
    told += [
        f"sites of markers {names[one]} and {names[other]} end at their bound of {1000.0 * limit_m:.0f} mm, each "
        "towards the other: are the names exchanged in all trials?"
        for one, other in _drawn_together(markers, fit.person, ~misplaced, limit_m)
    ]
    return told


def _drawn_together(
    markers: ScaledMarkers, person: Person, which: NDArray[np.bool_], limit_m: float
) -> list[tuple[int, int]]:
    """Return pairs of markers, of those asked for, whose sites end at their bound in the direction of each other."""
    neutral = markers.folded.start[None]
    placed_m, table_m = (
        markers.pose(neutral, person.log_factors, offsets_m, derivatives=False).positions_m[0]
        for offsets_m in (person.offsets_m, np.zeros_like(person.offsets_m))
    )
    moved_m = placed_m - table_m
    far_m = np.linalg.norm(moved_m, axis=1)
    bound = np.flatnonzero(which & (far_m > _AT_BOUND * limit_m))
    between_m = table_m[bound] - table_m[bound, None]
    apart_m = np.maximum(np.linalg.norm(between_m, axis=-1), 1e-300)
    # (b, b): the cosine of the angle between where the first marker went and where the second is.
    towards = np.einsum("ad,abd->ab", moved_m[bound] / far_m[bound, None], between_m) / apart_m
    pairs = np.argwhere(np.triu((towards > _TOWARDS) & (towards.T > _TOWARDS), 1))
    return [(int(bound[one]), int(bound[other])) for one, other in pairs]
