"""Summary of a clip's solution: sums over its rows, and the sentences and numbers that follow from them.

A long clip is solved in blocks of rows. The `IkSums` and `RowFindings` of consecutive blocks add up to those of the
clip, so the summary does not depend on whether the clip was solved in blocks.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import list_names
from movi_prep.plain_text import count_of
from movi_prep.records.ik_solution import USABLE_STATUSES, FrameStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from movi_prep.config.ik import SolveSettings
    from movi_prep.osim.solution import ScaledModel
    from movi_prep.records.ik_solution import IkSolution
    from movi_prep.records.markers import MarkerTrajectories

STATUS_WORDS = {
    FrameStatus.NOT_CONVERGED: "are not converged",
    FrameStatus.TOO_FEW_MARKERS: "show too few markers",
    FrameStatus.FAILED: "have failed",
    FrameStatus.SUSPECT: "are suspect",
}

LEAST_USABLE = 0.5
"""Smallest share of frames with a usable pose; below it, the stage warns of the clip."""

MOST_LISTED = 5
"""How many reasons or leaps are listed: the most frequent reasons, the first leaps."""

_LONE_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")
"""A number by itself: 276 in `RMS 276 mm`, but not the digit of the marker T8."""


@dataclass(frozen=True)
class IkSums:
    """Sums, counts and largest values over rows.

    Attributes:
        counts: name -> number of rows or values: "rows", "usable", "retried", "valid" and "values" of coordinates, and
            of each kind of marker ("marker", "landmark", "tracking", "untracked") the residuals in usable rows.
        squares_m2: kind of marker -> sum of its squared residuals in usable rows.
        objective_m2: sum of the objectives of usable rows.
        largest: "coupler_error_max" (rad or m, NaN where no row has one), "limit_violation_max" (rad or m), and
            "marker_max_mm", of weighted markers in usable rows (NaN where there are none).
    """

    counts: Mapping[str, int]
    squares_m2: Mapping[str, float]
    objective_m2: float
    largest: Mapping[str, float]

    def __add__(self, other: IkSums) -> IkSums:
        """Return the sums over the rows of both."""
        return IkSums(
            counts={name: count + other.counts[name] for name, count in self.counts.items()},
            squares_m2={kind: square + other.squares_m2[kind] for kind, square in self.squares_m2.items()},
            objective_m2=self.objective_m2 + other.objective_m2,
            # fmax ignores NaN: a block without coupled coordinates has no coupler error.
            largest={name: float(np.fmax(value, other.largest[name])) for name, value in self.largest.items()},
        )

    def rms_mm(self, kind: str) -> float:
        """Return the RMS residual of a kind of marker in millimetres, NaN if there is none."""
        return _root_mean_mm(self.squares_m2[kind], self.counts[kind])

    def weighted_rms_mm(self) -> float:
        """Return the weighted marker RMS over the usable rows in millimetres, NaN if there is none."""
        # The objective is half the weighted mean square of a row.
        return _root_mean_mm(2.0 * self.objective_m2, self.counts["usable"])


def sum_rows(
    solution: IkSolution, scaled: ScaledModel, settings: SolveSettings, residuals_m: NDArray[np.float64]
) -> IkSums:
    """Return the sums over the rows of a solution, whose (n, m) `residuals_m` are known."""
    weights, usable = solution.marker_weights, solution.usable()
    residuals_m = residuals_m[usable]
    landmark = weights >= settings.landmark_weight
    kinds = {
        "marker": weights > 0,
        "landmark": landmark,
        "tracking": (weights > 0) & ~landmark,
        "untracked": weights == 0,
    }
    seen = {kind: _finite(residuals_m[:, columns]) for kind, columns in kinds.items()}
    errors, violation = solution.constraint_errors, limit_violations(solution, scaled)
    return IkSums(
        counts={
            "rows": solution.n_rows,
            "usable": int(usable.sum()),
            "retried": int((solution.statuses == FrameStatus.RETRIED).sum()),
            "valid": int(solution.coordinate_valid.sum()),
            "values": solution.coordinate_valid.size,
            **{kind: values.size for kind, values in seen.items()},
        },
        squares_m2={kind: float(np.sum(values**2)) for kind, values in seen.items()},
        objective_m2=float(solution.objectives[usable].sum()),
        largest={
            "coupler_error_max": float(np.nanmax(errors)) if np.isfinite(errors).any() else float("nan"),
            "limit_violation_max": float(violation.max()) if violation.size else 0.0,
            "marker_max_mm": 1e3 * float(seen["marker"].max()) if seen["marker"].size else float("nan"),
        },
    )


def limit_violations(solution: IkSolution, scaled: ScaledModel) -> NDArray[np.float64]:
    """Return (n, c) float64, rad or m: how far clamped coordinates are beyond their range; 0 in rows without a pose."""
    low, high = scaled.coordinate_bounds.T
    beyond = np.maximum(low - solution.coordinates, solution.coordinates - high)
    return np.asarray(np.nan_to_num(np.maximum(beyond, 0.0)))


def ik_numbers(sums: IkSums, *, solver: str, minimised: str) -> dict[str, float | int | str | bool]:
    """Return the numbers for a table of clips: residuals of landmarks, tracked and untracked markers, in mm.

    A number that does not exist (for a kind of marker that the clip lacks) is left out.
    """
    numbers: dict[str, float | int | str | bool] = {
        "solver": solver,
        "minimised": minimised,
        "rows": sums.counts["rows"],
        "usable_rows": sums.counts["usable"],
        "retried_rows": sums.counts["retried"],
        "weighted_rms_mm": sums.weighted_rms_mm(),
        **{f"{kind}_rms_mm": sums.rms_mm(kind) for kind in ("marker", "landmark", "tracking", "untracked")},
        "valid_coordinates_percent": 100.0 * sums.counts["valid"] / max(sums.counts["values"], 1),
        **sums.largest,
    }
    return {name: value for name, value in numbers.items() if not (isinstance(value, float) and np.isnan(value))}


@dataclass(frozen=True)
class Leap:
    """Rows in which markers or angles leap out and back; `size` is in mm or degrees, as `unit` says."""

    first: int
    last: int
    time_s: float
    what: str
    size: float
    unit: str

    def __str__(self) -> str:
        """Return the sentence that describes it."""
        rows = f"row {self.first}" if self.first == self.last else f"rows {self.first} to {self.last}"
        return (
            f"{rows} ({self.time_s:.3f} s): {self.what} leap by {self.size:.0f} {self.unit} and back, which no person "
            "does: is a sample lost or damaged?"
        )


@dataclass(frozen=True)
class Frozen:
    """Rows whose markers stand still to the micrometre while the body moves beside them."""

    first: int
    last: int
    time_s: float
    speed_m_s: float

    def __str__(self) -> str:
        """Return the sentence that describes it."""
        rows = f"row {self.first} repeats" if self.first == self.last else f"rows {self.first} to {self.last} repeat"
        return (
            f"{rows} the one before ({self.time_s:.3f} s), beside which the body moves at {self.speed_m_s:.2f} m/s: a "
            "frozen recording, or a gap filled by copies?"
        )


@dataclass(frozen=True, eq=False)
class RowFindings:
    """Findings about consecutive rows of a clip.

    Attributes:
        statuses: (n,) int8 of FrameStatus.
        n_posed: how many rows have a pose, usable or not.
        reasons: the solver's reason of each row that has one.
        unseen: coordinates that the markers do not determine.
        gaps: weighted marker -> number of rows in which it is missing.
        leaps: rows that leap out and back, or repeat the one before.
    """

    statuses: NDArray[np.int8]
    n_posed: int
    reasons: tuple[str, ...]
    unseen: tuple[str, ...]
    gaps: Mapping[str, int]
    leaps: tuple[Leap | Frozen, ...]

    def __add__(self, other: RowFindings) -> RowFindings:
        """Return the findings about both; the rows of `self` come before those of `other`."""
        return RowFindings(
            statuses=np.concatenate([self.statuses, other.statuses]),
            n_posed=self.n_posed + other.n_posed,
            reasons=self.reasons + other.reasons,
            # `dict.fromkeys` keeps the order of first sight, as a set would not.
            unseen=tuple(dict.fromkeys((*self.unseen, *other.unseen))),
            gaps={name: count + other.gaps[name] for name, count in self.gaps.items()},
            leaps=self.leaps + other.leaps,
        )

    def sentences(self) -> tuple[str, ...]:
        """Return one sentence per kind of finding."""
        n_rows = len(self.statuses)
        found = [*self._gap_sentences()]
        found += [f"{count} of {n_rows} frames: {reason}" for reason, count in counted_reasons(self.reasons)]
        if self.unseen:
            unseen = count_of(len(self.unseen), "coordinate is", "coordinates are")
            found.append(f"{unseen} not determined by the markers: {list_names(self.unseen)}")
        found += [str(leap) for leap in self.leaps[:MOST_LISTED]]
        if len(self.leaps) > MOST_LISTED:
            found.append(f"{len(self.leaps) - MOST_LISTED} more leaps out and back, or frozen rows")
        return (*found, *self.status_sentences())

    def status_sentences(self) -> tuple[str, ...]:
        """Return one sentence for each status that makes frames unusable."""
        n_rows, counts = len(self.statuses), Counter(self.statuses.tolist())
        return tuple(
            f"{counts[status]} of {n_rows} frames {words}: first is row {int(np.argmax(self.statuses == status))}"
            for status, words in STATUS_WORDS.items()
            if counts[status]
        )

    def warnings(self) -> tuple[str, ...]:
        """Return a warning if too few of the rows have a usable pose."""
        n_rows = len(self.statuses)
        n_usable = int(np.isin(self.statuses, [int(status) for status in USABLE_STATUSES]).sum())
        if n_usable >= LEAST_USABLE * n_rows:
            return ()
        return (f"only {n_usable} of {n_rows} frames have a usable pose: {'; '.join(self.status_sentences())}",)

    def _gap_sentences(self) -> list[str]:
        # Markers that vanish together (in a clip cut from a longer trial) have equal gaps and share a sentence;
        # otherwise a clip without any marker would give 142 sentences.
        alike: dict[int, list[str]] = {}
        for name, count in self.gaps.items():
            alike.setdefault(count, []).append(name)
        n_rows = len(self.statuses)
        return [
            f"marker {names[0]} is missing in {count} of {n_rows} samples: solved without it there"
            if len(names) == 1
            else f"{len(names)} markers are missing in {count} of {n_rows} samples: {list_names(names)}; "
            "solved without them there"
            for count, names in alike.items()
            if count
        ]


@dataclass(frozen=True, eq=False)
class IkAccount:
    """Sums and findings of consecutive rows; `names` are sentences on markers that the model or the data lack."""

    sums: IkSums
    rows: RowFindings
    names: tuple[str, ...]

    def __add__(self, other: IkAccount) -> IkAccount:
        """Return the account of both; the rows of `self` come first."""
        return IkAccount(sums=self.sums + other.sums, rows=self.rows + other.rows, names=self.names)

    def sentences(self) -> tuple[str, ...]:
        """Return all sentences about the rows."""
        return (*self.names, *self.rows.sentences())


def count_gaps(markers: MarkerTrajectories, weights: Mapping[str, float]) -> dict[str, int]:
    """Return for each weighted marker of the data the number of rows in which it is missing."""
    missing = dict(zip(markers.names, (markers.n_rows - markers.seen().sum(axis=0)).tolist(), strict=True))
    return {name: missing[name] for name, weight in weights.items() if weight > 0 and name in missing}


def counted_reasons(reasons: Sequence[str]) -> list[tuple[str, int]]:
    """Return the most frequent reasons; reasons that differ only in a number count as one, shown with its range."""
    alike: dict[str, Counter[str]] = {}
    for reason in filter(None, reasons):
        alike.setdefault(_LONE_NUMBER.sub("#", reason), Counter())[reason] += 1
    largest = sorted(alike.items(), key=lambda entry: -entry[1].total())[:MOST_LISTED]
    return [(_with_ranges(frame, list(counts)), counts.total()) for frame, counts in largest]


def _with_ranges(frame: str, reasons: Sequence[str]) -> str:
    """Fill each `#` of a frame with the number in the reasons, or with the smallest and the largest."""
    columns = zip(*([float(number) for number in _LONE_NUMBER.findall(reason)] for reason in reasons), strict=True)
    for numbers in columns:
        least, most = min(numbers), max(numbers)
        # One `#` at a time, in the order of the numbers.
        frame = frame.replace("#", f"{least:g}" if least == most else f"{least:g} to {most:g}", 1)
    return frame


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values[np.isfinite(values)])


def _root_mean_mm(square_m2: float, count: int) -> float:
    return float(np.sqrt(square_m2 / count)) * 1000.0 if count else float("nan")
