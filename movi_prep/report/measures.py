"""The numbers of the report: residuals, bias against variance, ranges used, jitter. From values to values.

Lengths are millimetres and angles degrees here, because people read them; frames without a usable pose never count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.records.ik_solution import FrameStatus
from movi_prep.records.solved_rows import Solved, SolvedRows
from movi_prep.report.read_rows import GROUND, marker_misses
from movi_prep.report.verdicts import AT_LIMIT_RAD, judge_max, judge_rms

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from movi_prep.records.identity import ClipId
    from movi_prep.records.solved_rows import MarkerMiss

OFTEN_AT_LIMIT_PERCENT = 5.0
"""A coordinate that is at an end of its range in more frames is marked."""


@dataclass(frozen=True, eq=False)
class ClipMeasures:
    """One clip of inverse kinematics in numbers.

    Attributes:
        clip: which clip, or the name of another trial.
        solver: which solver made it.
        n_rows: solved frames; `n_usable` of them carry labels.
        statuses: name of a status -> frames, those that occur.
        landmark_rms_mm: RMS over markers of at least the landmark weight, all usable frames.
        tracking_rms_mm: the same over the lighter markers.
        marker_rms_mm: the same over all weighted markers.
        max_mm: the largest residual of a weighted marker; which one, and when.
        valid_percent: valid label coordinates of all label coordinates, all frames.
        jitter_deg: RMS second difference of valid label angles between successive rows.
        jitter_most_in: the label coordinate with the largest of its own.
        times_s: (n,) float64, seconds.
        frame_rms_mm: (n,) float64, RMS over weighted markers; NaN in frames without a pose.
        usable: (n,) bool.
        deviation_deg: label coordinate -> median standard deviation (see docs/deviation.md); empty where not computed.
        marker_mean_square_mm2: weighted marker -> mean squared residual.
    """

    clip: ClipId | str
    solver: str
    n_rows: int
    n_usable: int
    statuses: Mapping[str, int]
    landmark_rms_mm: float
    tracking_rms_mm: float
    marker_rms_mm: float
    max_mm: float
    max_marker: str
    max_time_s: float
    valid_percent: float
    jitter_deg: float
    jitter_most_in: str
    times_s: NDArray[np.float64]
    frame_rms_mm: NDArray[np.float64]
    usable: NDArray[np.bool_]
    deviation_deg: Mapping[str, float]
    marker_mean_square_mm2: Mapping[str, float]


@dataclass(frozen=True)
class MarkerBias:
    """The part of a marker's residual that is constant on its body, and the part that varies.

    Attributes:
        name: the marker; `weight` its weight.
        body: body in whose frame the residual vectors are averaged, "ground" where it is not known.
        bias_mm: length of the mean residual vector (model minus data).
        deviation_mm: standard deviation about it: rms^2 = bias^2 + deviation^2.
        mean_mm: that vector, along X, Y, Z of the body.
        n_rows: how many residuals.
    """

    name: str
    weight: float
    body: str
    bias_mm: float
    deviation_mm: float
    mean_mm: tuple[float, float, float]
    n_rows: int

    @property
    def rms_mm(self) -> float:
        """Root mean square of the residual."""
        return float(np.hypot(self.bias_mm, self.deviation_mm))


@dataclass(frozen=True)
class CoordinateUse:
    """How much of a coordinate's range a subject used, degrees.

    Attributes:
        name: the coordinate.
        model_range_deg: lower and upper end in the model; infinite where it states none.
        used_deg: smallest and largest value.
        middle_deg: 5th and 95th percentile.
        at_limit_percent: share of usable frames at an end of the range.
        beyond_deg: how far it went beyond the range, 0 within.
        valid_percent: share of all frames with a valid label.
        jitter_deg: RMS second difference of valid labels between successive rows.
        free: neither locked, nor coupled, nor held by a set-up.
    """

    name: str
    model_range_deg: tuple[float, float]
    used_deg: tuple[float, float]
    middle_deg: tuple[float, float]
    at_limit_percent: float
    beyond_deg: float
    valid_percent: float
    jitter_deg: float
    free: bool

    @property
    def often_at_limit(self) -> bool:
        """Whether a bound holds it more often than rarely; a coordinate that is not free is never marked."""
        return self.free and self.at_limit_percent > OFTEN_AT_LIMIT_PERCENT


def measure_clip(
    clip: ClipId | str, solution: Solved, *, labels: Collection[str], landmark_weight: float
) -> ClipMeasures:
    """Return one clip in numbers.

    Args:
        clip: which clip, or the name of another trial.
        solution: its solution.
        labels: names of the label coordinates.
        landmark_weight: a marker of at least this weight is a landmark.
    """
    usable, tracked = solution.usable(), np.flatnonzero(solution.marker_weights > 0)
    weights, names = solution.marker_weights[tracked], [solution.marker_names[column] for column in tracked]
    residuals_mm = solution.residuals_m()[:, tracked] * 1000.0
    # All frames with a pose, usable or not: the curve should show where a frame is bad.
    frame_rms_mm = np.sqrt(_column_means((residuals_mm**2).T))
    # NaN takes part in nothing below: frames without a usable pose drop out everywhere alike.
    residuals_mm[~usable] = np.nan
    max_row, max_column = _largest(residuals_mm)
    columns = label_columns(solution, labels)
    squares = _column_means(residuals_mm**2)
    jumps_deg = second_differences_deg(solution, columns)
    return ClipMeasures(
        clip=clip,
        solver=solution.solver,
        n_rows=solution.n_rows,
        n_usable=int(usable.sum()),
        statuses={
            status.name.lower(): count for status in FrameStatus if (count := int((solution.statuses == status).sum()))
        },
        landmark_rms_mm=_rms(residuals_mm[:, weights >= landmark_weight]),
        tracking_rms_mm=_rms(residuals_mm[:, weights < landmark_weight]),
        marker_rms_mm=_rms(residuals_mm),
        max_mm=float(residuals_mm[max_row, max_column]) if residuals_mm.size else float("nan"),
        max_marker=names[max_column] if residuals_mm.size else "",
        max_time_s=float(solution.times_s[max_row]) if residuals_mm.size else float("nan"),
        valid_percent=_percent(solution.coordinate_valid[:, columns]),
        jitter_deg=_rms(jumps_deg),
        jitter_most_in=_name_of_largest(_column_means(jumps_deg**2), [solution.coordinate_names[k] for k in columns]),
        times_s=solution.times_s,
        frame_rms_mm=frame_rms_mm,
        usable=usable,
        deviation_deg=_deviations_deg(solution, columns),
        marker_mean_square_mm2={
            name: float(square) for name, square in zip(names, squares.tolist(), strict=True) if np.isfinite(square)
        },
    )


def label_columns(solution: Solved, labels: Collection[str]) -> NDArray[np.int64]:
    """Return (k,) int64 columns of rotations that are labels; of all rotations where the model has none of them."""
    rotations = np.flatnonzero(solution.coordinate_is_rotation)
    wanted = [column for column in rotations.tolist() if solution.coordinate_names[column] in labels]
    return np.array(wanted or rotations, dtype=np.int64)


def second_differences_deg(solution: Solved, columns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (n - 2, k) degrees: q[i-1] - 2 q[i] + q[i+1] of valid labels, NaN where one of the three is not.

    At a steady row rate it is acceleration times the squared row interval. The part that is motion is the same for two
    solvers on one clip; the rest is jitter.
    """
    valid = solution.coordinate_valid[:, columns] & solution.usable()[:, None]
    steps = np.diff(np.where(valid, solution.coordinates[:, columns], np.nan), axis=0)
    # A coordinate that passes half a turn continues from the other side, which is not a jump.
    steps = (steps + np.pi) % (2.0 * np.pi) - np.pi
    return np.asarray(np.degrees(np.diff(steps, axis=0)))


def marker_biases(solutions: Sequence[Solved], marker_bodies: Mapping[str, str]) -> tuple[MarkerBias, ...]:
    """Return bias and deviation of every weighted marker over all clips, the largest bias first.

    A marker that sits wrong on the model misses by the same vector in the frame of its body, whatever the pose; soft
    tissue and bad tracking vary.
    """
    missed = [_misses(solution, marker_bodies) for solution in solutions]
    weights = [dict(zip(each.marker_names, each.marker_weights.tolist(), strict=True)) for each in solutions]
    biases = []
    for name in sorted({name for one in missed for name in one}):
        parts = [(one[name], weight[name]) for one, weight in zip(missed, weights, strict=True) if name in one]
        body = marker_bodies.get(name, GROUND)
        biases.append(_bias(name, [miss for miss, _ in parts], weight=parts[0][1], body=body))
    return tuple(sorted((bias for bias in biases if bias.n_rows), key=lambda bias: (-bias.bias_mm, bias.name)))


def _misses(solution: Solved, marker_bodies: Mapping[str, str]) -> Mapping[str, MarkerMiss]:
    return solution.misses if isinstance(solution, SolvedRows) else marker_misses(solution, marker_bodies)


def coordinate_uses(
    solutions: Sequence[Solved],
    ranges_rad: Mapping[str, tuple[float, float]],
    labels: Collection[str],
    *,
    held: Collection[str] = (),
) -> tuple[CoordinateUse, ...]:
    """Return the use of every label coordinate over all clips, in the model's order.

    Args:
        solutions: the clips.
        ranges_rad: coordinate -> range.
        labels: names of the label coordinates.
        held: coordinates that a set-up holds at a value, so that their place is intended.
    """
    if not solutions:
        return ()
    first = solutions[0]
    # Clips that were solved with different models have no common column.
    same = [solution for solution in solutions if solution.coordinate_names == first.coordinate_names]
    coordinates = np.concatenate([solution.coordinates[solution.usable()] for solution in same])
    valid = np.concatenate([solution.coordinate_valid for solution in same])
    columns = label_columns(first, labels)
    jumps_deg = np.concatenate([second_differences_deg(solution, columns) for solution in same])
    unlimited = (-np.inf, np.inf)
    return tuple(
        _use(
            first.coordinate_names[column],
            coordinates[:, column],
            ranges_rad.get(first.coordinate_names[column], unlimited),
            valid_percent=_percent(valid[:, column]),
            jitter_deg=_rms(jumps_deg[:, index]),
            free=bool(first.free_coordinates[column]) and first.coordinate_names[column] not in held,
        )
        for index, column in enumerate(columns.tolist())
        if np.isfinite(coordinates[:, column]).any()
    )


def median_deviations_deg(clips: Sequence[ClipMeasures]) -> dict[str, float]:
    """Return label coordinate -> median over clips of the clip's median deviation, the largest first."""
    names = sorted({name for clip in clips for name in clip.deviation_deg})
    medians = {
        name: float(np.median([clip.deviation_deg[name] for clip in clips if name in clip.deviation_deg]))
        for name in names
    }
    return dict(sorted(medians.items(), key=lambda item: (-item[1], item[0])))


def biases_over_subjects(subjects: Sequence[Sequence[MarkerBias]]) -> list[tuple[str, int, float, float]]:
    """Return (marker, subjects, median bias, median deviation), millimetres, the largest median bias first.

    A bias that most subjects share is the model's or the marker set's, not the subject's.
    """
    by_name: dict[str, list[MarkerBias]] = {}
    for biases in subjects:
        for bias in biases:
            by_name.setdefault(bias.name, []).append(bias)
    medians = [
        (
            name,
            len(biases),
            float(np.median([bias.bias_mm for bias in biases])),
            float(np.median([bias.deviation_mm for bias in biases])),
        )
        for name, biases in by_name.items()
    ]
    return sorted(medians, key=lambda item: (-item[2], item[0]))


def common_rms_mm(clip: ClipMeasures, other: ClipMeasures) -> tuple[float, float]:
    """Return the RMS of both over the markers that both track, equal weight per marker."""
    names = sorted(set(clip.marker_mean_square_mm2) & set(other.marker_mean_square_mm2))
    ours, theirs = ([side.marker_mean_square_mm2[name] for name in names] for side in (clip, other))
    return (float(np.sqrt(np.mean(ours))), float(np.sqrt(np.mean(theirs)))) if names else (float("nan"), float("nan"))


CLIP_GUIDELINES = (
    ("landmarks RMS", "landmark_rms_mm", judge_rms),
    ("tracking markers RMS", "tracking_rms_mm", judge_rms),
    ("all weighted markers RMS", "marker_rms_mm", judge_rms),
    ("largest residual", "max_mm", judge_max),
)
"""What of a clip has a guideline: name, field of ClipMeasures, judge. Marks of rows and what comes first follow it."""


def _bias(name: str, misses: Sequence[MarkerMiss], *, weight: float, body: str) -> MarkerBias:
    missed = reduce(add, misses)
    # Ground is a poor frame for a bias, but a mean over two different frames has no meaning.
    found = missed.in_ground if missed.on_body is None else missed.on_body
    return MarkerBias(
        name=name,
        weight=weight,
        body=GROUND if missed.on_body is None else body,
        bias_mm=float(np.linalg.norm(found.mean_mm)),
        deviation_mm=float(np.sqrt(found.squares_mm2 / max(found.n_rows, 1))),
        mean_mm=(float(found.mean_mm[0]), float(found.mean_mm[1]), float(found.mean_mm[2])),
        n_rows=found.n_rows,
    )


def _use(
    name: str,
    values: NDArray[np.float64],
    model_range: tuple[float, float],
    *,
    valid_percent: float,
    jitter_deg: float,
    free: bool,
) -> CoordinateUse:
    values = values[np.isfinite(values)]
    low, high = model_range
    smallest, largest = float(values.min()), float(values.max())
    # The middle of the values, so that one bad frame does not stretch the bar.
    p5, p95 = np.percentile(values, [5.0, 95.0]).tolist()
    at_limit = (values <= low + AT_LIMIT_RAD) | (values >= high - AT_LIMIT_RAD)
    return CoordinateUse(
        name=name,
        model_range_deg=_degrees(low, high),
        used_deg=_degrees(smallest, largest),
        middle_deg=_degrees(p5, p95),
        at_limit_percent=_percent(at_limit),
        beyond_deg=float(np.degrees(max(low - smallest, largest - high, 0.0))),
        valid_percent=valid_percent,
        jitter_deg=jitter_deg,
        free=free,
    )


def _degrees(low: float, high: float) -> tuple[float, float]:
    return float(np.degrees(low)), float(np.degrees(high))


def _deviations_deg(solution: Solved, columns: NDArray[np.int64]) -> dict[str, float]:
    """Return the median deviation of each free label; infinite where most frames do not determine it."""
    if solution.std is None or not solution.usable().any():
        return {}
    deviations = np.degrees(solution.std[solution.usable()])
    # NaN means that the frame lacks rank: the coordinate is not determined, which is worse than any number.
    deviations = np.where(np.isnan(deviations), np.inf, deviations)
    return {
        solution.coordinate_names[column]: float(np.median(deviations[:, column]))
        for column in columns.tolist()
        if solution.free_coordinates[column]
    }


def _largest(values: NDArray[np.float64]) -> tuple[int, int]:
    if not values.size:
        return 0, 0
    row, column = np.unravel_index(int(np.argmax(np.nan_to_num(values, nan=-1.0))), values.shape)
    return int(row), int(column)


def _name_of_largest(values: NDArray[np.float64], names: Sequence[str]) -> str:
    return names[int(np.argmax(np.nan_to_num(values, nan=-1.0)))] if np.isfinite(values).any() else ""


def _column_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the finite values of each column, NaN if there is none."""
    finite = np.isfinite(values)
    # np.nanmean would warn of empty columns, and warnings are errors in tests.
    sums, counts = np.where(finite, values, 0.0).sum(axis=0), finite.sum(axis=0)
    return np.asarray(np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0))


def _rms(values: NDArray[np.float64]) -> float:
    seen = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(seen**2))) if seen.size else float("nan")


def _percent(flags: NDArray[np.bool_]) -> float:
    return 100.0 * float(flags.mean()) if flags.size else float("nan")
