"""Frames of a clip that need a look: runs of frames, each with its worst frame and the reason.

| flagged | how urgent |
|---|---|
| frames without a usable pose | problem |
| a weighted marker is missed by more than 40 mm | problem |
| a landmark, or the marker that is missed most, is missed by more than 20 mm | check |
| an angle that the landmark rule masks | check |
| an angle within half a degree of an end of its range | check |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.records.ik_solution import FrameStatus
from movi_prep.report.verdicts import AT_LIMIT_RAD, IK_MAX_LIMITS_MM

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from numpy.typing import NDArray

    from movi_prep.records.ik_solution import IkSolution

_N_NAMED = 4
"""Coordinates that a line names."""


@dataclass(frozen=True)
class Flag:
    """A run of frames that a person should look at.

    Attributes:
        first: its first row.
        last: its last row, inclusive.
        worst: the row to look at.
        text: why.
        is_bad: whether it is a problem, not only worth a look.
    """

    first: int
    last: int
    worst: int
    text: str
    is_bad: bool


def find_flags(
    solution: IkSolution,
    ranges: Mapping[str, tuple[float, float]],
    *,
    landmark_weight: float,
    held: Collection[str] = (),
) -> tuple[Flag, ...]:
    """Return what stands out in a clip, problems first, each in the order of time.

    Args:
        solution: the clip.
        ranges: coordinate -> range, rad or m.
        landmark_weight: a marker of at least this weight is a landmark.
        held: coordinates that a set-up holds: being at an end is what was asked of them.
    """
    flags = [*_statuses(solution), *_misses(solution, landmark_weight), *_masks(solution)]
    flags += _at_limits(solution, ranges, held)
    return tuple(sorted(flags, key=lambda flag: (not flag.is_bad, flag.first, flag.text)))


def runs_of(flagged: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield first and last row of each run of (n,) flags."""
    # False at both ends makes starts and stops alternate, so that they can be taken in pairs.
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flagged, [False]]).astype(np.int8)))
    for first, end in edges.reshape(-1, 2).tolist():
        yield first, end - 1


def _statuses(solution: IkSolution) -> Iterator[Flag]:
    for status in sorted(set(solution.statuses[~solution.usable()].tolist())):
        word = FrameStatus(status).name.lower().replace("_", " ")
        for first, last in runs_of(solution.statuses == status):
            yield Flag(first, last, first, f"no usable pose: {word}", is_bad=True)


def _misses(solution: IkSolution, landmark_weight: float) -> Iterator[Flag]:
    good_mm, bad_mm = IK_MAX_LIMITS_MM
    residuals_mm = np.where(solution.usable()[:, None], 1e3 * solution.residuals_m(), np.nan)
    weighted = solution.marker_weights > 0
    # The largest miss of a clip is always to be found, whatever marker it is of.
    most_mm = float(np.nanmax(residuals_mm[:, weighted], initial=0.0))
    for column in np.flatnonzero(weighted).tolist():
        missed_mm = residuals_mm[:, column]
        is_landmark = solution.marker_weights[column] >= landmark_weight or np.nanmax(missed_mm, initial=0.0) >= most_mm
        limit_mm = good_mm if is_landmark else bad_mm
        for first, last in runs_of(missed_mm > limit_mm):
            worst = first + int(np.argmax(missed_mm[first : last + 1]))
            text = f"{solution.marker_names[column]} is missed by {missed_mm[worst]:.0f} mm"
            yield Flag(first, last, worst, text, is_bad=bool(missed_mm[worst] > bad_mm))


def _masks(solution: IkSolution) -> Iterator[Flag]:
    masked = ~solution.coordinate_valid & solution.usable()[:, None]
    # Coordinates that one landmark masks are masked together: they share a line.
    patterns: dict[bytes, list[int]] = {}
    for column in np.flatnonzero(masked.any(axis=0)).tolist():
        patterns.setdefault(masked[:, column].tobytes(), []).append(column)
    for columns in patterns.values():
        names = [solution.coordinate_names[column] for column in columns]
        rest = len(names) - _N_NAMED
        said = ", ".join(names[:_N_NAMED]) + (f" and {rest} more" if rest > 0 else "")
        for first, last in runs_of(masked[:, columns[0]]):
            yield Flag(first, last, first, f"no label: {said}", is_bad=False)


def _at_limits(
    solution: IkSolution, ranges: Mapping[str, tuple[float, float]], held: Collection[str]
) -> Iterator[Flag]:
    for column in np.flatnonzero(solution.free_coordinates & solution.coordinate_is_rotation).tolist():
        name = solution.coordinate_names[column]
        if name in held:
            continue
        low, high = ranges.get(name, (-np.inf, np.inf))
        values = solution.coordinates[:, column]
        for end, at_end in (("lower", values <= low + AT_LIMIT_RAD), ("upper", values >= high - AT_LIMIT_RAD)):
            for first, last in runs_of(at_end & solution.usable()):
                yield Flag(first, last, first, f"{name} is at the {end} end of its range", is_bad=False)
