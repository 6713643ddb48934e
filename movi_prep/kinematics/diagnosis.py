"""Judges solved frames: statuses and reasons from residuals."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.geometry.medians import medians
from movi_prep.kinematics.tracks import CONVERGED, ITERATION_LIMIT
from movi_prep.records.ik_solution import FrameStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from movi_prep.config.ik_solver import ConvergedSettings

# A marker is an outlier where it misses by this many times its own median.
_OUTLIER_RATIO = 6.0
# A pair is exchanged where that leaves at most this share of its error.
_SWAP_SHARE = 0.7
# Marker errors of so many times the noise (root mean square) have another cause: a wrong pose, or a wrong model. A pose
# is wrong in some limbs, a model of another size everywhere: there no marker misses by so many times the median.
BEYOND_NOISE, STANDS_OUT = 4.0, 4.0
# Within the noise's reach (from its own size on) a pose is wrong where some markers stand out by this much: noise is on
# all of them alike.
STANDS_FAR_OUT = 12.0
_EXACT_M = 2e-5
# How marker sets distinguish left from right: the letters for left and for right, at the start or the end of a name.
_SIDES_FRONT = (("L.", "R."), ("L_", "R_"), ("Left", "Right"), ("left", "right"), ("L", "R"), ("l", "r"))
_SIDES_BACK = (("_l", "_r"), ("_L", "_R"), (".L", ".R"), (".l", ".r"), ("_left", "_right"))


def settled_ends(ends: NDArray[np.int64], objectives: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how frames ended, those as converged whose markers are met exactly: no pose meets them better.

    Where markers leave directions open, the pulls may still have been at work along them.
    """
    return np.asarray(np.where(objectives <= 0.5 * _EXACT_M**2, CONVERGED, ends))


def judge_solution(
    statuses: NDArray[np.int8],
    reasons: list[str],
    ends: NDArray[np.int64],
    retried: NDArray[np.bool_],
    limit: int,
) -> None:
    """Write how the solver ended into statuses and reasons of frames that have none yet."""
    open_ones = statuses == FrameStatus.SOLVED
    statuses[open_ones & retried] = FrameStatus.RETRIED
    for frame in np.flatnonzero(open_ones & (ends != CONVERGED)).tolist():
        statuses[frame] = FrameStatus.NOT_CONVERGED
        at_limit = ends[frame] == ITERATION_LIMIT
        reasons[frame] = f"no minimum within {limit} iterations" if at_limit else "no step lowers the objective"


def judge_residuals(
    statuses: NDArray[np.int8],
    reasons: list[str],
    markers: tuple[Sequence[str], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    settings: ConvergedSettings,
) -> None:
    """Mark as suspect the frames whose residuals no human motion explains.

    Args:
        statuses: (n,) int8 of FrameStatus; written.
        reasons: (n,) texts; written.
        markers: names, weights (m,), observed (n, m, 3) metres with NaN where not seen, model (n, m, 3) metres, and the
            (n, m) distances between them.
        settings: the limits.
    """
    names, weights, observed_m, model_m, error_m = markers
    seen = ~np.isnan(error_m)
    squared = np.where(seen, error_m, 0.0) ** 2
    share = np.where(seen, weights, 0.0)
    rms_m = np.sqrt((share * squared).sum(axis=1) / np.maximum(share.sum(axis=1), 1e-300))
    worst = np.argmax(squared, axis=1)
    usable = (statuses == FrameStatus.SOLVED) | (statuses == FrameStatus.RETRIED)
    swapped = _swapped(names, observed_m, model_m, squared, settings.swap_residual_m)
    # A marker's own median: one that the model places badly misses in every frame, and is no outlier for that.
    usual_m = _usual_error(error_m[usable])
    outlier = seen & (error_m > np.maximum(settings.suspect_outlier_m, _OUTLIER_RATIO * usual_m))
    worst_m = np.sqrt(squared[np.arange(len(worst)), worst])
    doubtful = np.any([outlier.any(axis=1), *swapped.values()], axis=0)
    doubtful |= (rms_m > settings.suspect_rms_m) | (worst_m > settings.suspect_residual_m)
    for frame in np.flatnonzero(usable & doubtful).tolist():
        pairs = [f"{left}/{right}" for (left, right), flags in swapped.items() if flags[frame]]
        own = names[worst[frame]]
        odd = np.flatnonzero(outlier[frame]).tolist()
        if pairs:
            reason = f"left and right look exchanged: {', '.join(pairs[:4])}"
        elif rms_m[frame] > settings.suspect_rms_m:
            reason = f"weighted marker RMS {rms_m[frame] * 1e3:.0f} mm, most at {own}"
        elif worst_m[frame] > settings.suspect_residual_m:
            reason = f"marker {own} misses by {worst_m[frame] * 1e3:.0f} mm"
        else:
            miss_mm, usual_mm = (1e3 * float(values[odd[0]]) for values in (error_m[frame], usual_m))
            reason = f"marker {names[odd[0]]} misses by {miss_mm:.0f} mm, by {usual_mm:.0f} mm in most frames"
        statuses[frame], reasons[frame] = FrameStatus.SUSPECT, reason


def _usual_error(error_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """(m,) median error of each marker over the frames in which it was seen; infinite where it never was."""
    usual = _medians(np.ascontiguousarray(error_m.T))
    return np.where(np.isnan(usual), np.inf, usual)


def _medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) medians of the numbers in each row, NaN where there are none: `np.nanmedian` takes ten times as long."""
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    n_numbers = values.shape[1] - np.isnan(values).sum(axis=1)
    if int(n_numbers.min(initial=values.shape[1])) == values.shape[1]:
        # Nothing is missing, as in most clips: a median puts less in order than a sort.
        return medians(values)
    # NaN sorts behind every number, so a row without a number yields the NaN at its start.
    ordered, rows = np.sort(values, axis=1), np.arange(len(values))
    below, above = np.maximum(n_numbers - 1, 0) // 2, np.minimum(n_numbers // 2, values.shape[1] - 1)
    return np.asarray(0.5 * (ordered[rows, below] + ordered[rows, above]))


def stand_out(weights: NDArray[np.float64], missed_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n,) the largest miss of each frame as a multiple of the frame's median miss.

    A marker of little weight may miss by much, because the model does not place it well: misses count with the root of
    the weight.

    Args:
        weights: (m,) of the markers.
        missed_m: (n, m) metres; NaN or 0 where a marker was not seen.
    """
    scaled = np.where(missed_m > 0.0, missed_m, np.nan) * np.sqrt(weights / weights.mean())
    # `fmax` passes over NaN; a frame without a miss stays at 0.
    largest = np.fmax.reduce(scaled, axis=1, initial=0.0)
    return np.asarray(largest / np.fmax(_medians(scaled), _EXACT_M))


def judge_fit(
    statuses: NDArray[np.int8],
    reasons: list[str],
    fit: tuple[NDArray[np.float64], NDArray[np.float64]],
    noise_m: float,
) -> None:
    """Mark as suspect the frames whose residual noise cannot explain and in which some markers stand out.

    They are in a wrong minimum that the search did not leave; a model of the wrong size misses all markers alike.

    Args:
        statuses: (n,) int8 of FrameStatus; written.
        reasons: (n,) texts; written.
        fit: (n,) objectives, m^2, and (n,) how far the worst marker stands out.
        noise_m: standard deviation of a marker.
    """
    rms_m = np.sqrt(2.0 * np.nan_to_num(fit[0]))
    usable = (statuses == FrameStatus.SOLVED) | (statuses == FrameStatus.RETRIED)
    wrong = (rms_m > BEYOND_NOISE * noise_m) & (fit[1] > STANDS_OUT)
    wrong |= (rms_m > noise_m) & (fit[1] > STANDS_FAR_OUT)
    for frame in np.flatnonzero(usable & wrong).tolist():
        statuses[frame] = FrameStatus.SUSPECT
        reasons[frame] = f"no pose within the bounds fits: weighted marker RMS {rms_m[frame] * 1e3:.0f} mm"


def judge_ranks(reasons: list[str], ranks: NDArray[np.int64]) -> None:
    """Write a reason for frames that lack markers which others have; posterior deviations name the coordinates."""
    most = int(ranks.max(initial=0))
    for frame in np.flatnonzero((ranks >= 0) & (ranks < most)).tolist():
        if not reasons[frame]:
            reasons[frame] = f"the markers seen leave {most - int(ranks[frame])} more directions open than elsewhere"


@lru_cache(maxsize=8)
def side_pairs(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return pairs of names that differ in their side only, left first."""
    there = set(names)
    pairs: dict[str, str] = {}
    for name in names:
        mirrored = [right + name[len(left) :] for left, right in _SIDES_FRONT if name.startswith(left)]
        mirrored += [name[: -len(left)] + right for left, right in _SIDES_BACK if name.endswith(left)]
        for other in mirrored:
            if other in there and other != name and name not in pairs:
                pairs[name] = other
    return list(pairs.items())


def _swapped(
    names: Sequence[str],
    observed_m: NDArray[np.float64],
    model_m: NDArray[np.float64],
    squared: NDArray[np.float64],
    limit_m: float,
) -> dict[tuple[str, str], NDArray[np.bool_]]:
    """Return, for each pair that misses by more than the limit somewhere, the frames that an exchange explains.

    `squared` are the (n, m) squared errors, 0 where a marker was not seen.
    """
    pairs = side_pairs(tuple(names))
    column = {name: k for k, name in enumerate(names)}
    columns = np.array([[column[left], column[right]] for left, right in pairs], dtype=np.int64).reshape(-1, 2)
    straight = squared[:, columns].sum(axis=2) / 2.0  # (n, pairs)
    far = straight > limit_m**2
    found = {}
    for k in np.flatnonzero(far.any(axis=0)).tolist():
        both = columns[k]
        # Only pairs that miss somewhere are tried: crossing all pairs in all frames would cost as much as the
        # residuals.
        crossed = ((model_m[:, both] - observed_m[:, both[::-1]]) ** 2).sum(axis=(1, 2)) / 2.0
        with np.errstate(invalid="ignore"):
            found[pairs[k]] = far[:, k] & (crossed < _SWAP_SHARE**2 * straight[:, k])
    return found
