"""Marker trajectories and the static trial."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import InputError, list_names
from movi_prep.records.checks import check_shape
from movi_prep.records.vectors import are_finite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from movi_prep.records.motion import Sex


@dataclass(frozen=True)
class MarkerTrajectories:
    """Positions of named markers over time, in OpenSim ground (y up), metres.

    Attributes:
        names: (m,) marker names, unique.
        positions_m: (n, m, 3) float64, metres, OpenSim ground; NaN where a marker was not seen.
        times_s: (n,) float64, seconds, strictly increasing; the first mocap sample of a clip is time 0.
        sample_indices: (n,) int64, which mocap sample of the clip each row is (row j of a clip at the video
            clock is sample 4 j); counts 0..n-1 where the data have one clock only.
        rate_hz: rows per second.
        source: file or description, for messages.
        findings: sentences on contradictions in the file and their resolution.
    """

    names: tuple[str, ...]
    positions_m: NDArray[np.float64]
    times_s: NDArray[np.float64]
    sample_indices: NDArray[np.int64]
    rate_hz: float
    source: str
    findings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check shapes, unique names and increasing times."""
        n_rows = self.positions_m.shape[0]
        check_shape(self.positions_m, (None, len(self.names), 3), what="positions", where=self.source)
        check_shape(self.times_s, (n_rows,), what="times", where=self.source)
        check_shape(self.sample_indices, (n_rows,), what="sample indices", where=self.source)
        # Columns are found by name: of two with one name the second would never be read.
        if len(set(self.names)) < len(self.names):
            doubled = {name for name in self.names if self.names.count(name) > 1}
            raise InputError(
                self.source,
                expected="unique marker names",
                got=f"{list_names(doubled)} more than once",
                remedy="rename or remove the doubled columns",
            )
        if n_rows > 1 and not bool(np.all(np.diff(self.times_s) > 0)):
            raise InputError(
                self.source,
                expected="strictly increasing times",
                got="times that repeat or run backwards",
                remedy="check the time column",
            )

    @property
    def n_rows(self) -> int:
        """Number of rows in time."""
        return int(self.positions_m.shape[0])

    def seen(self) -> NDArray[np.bool_]:
        """Return (n, m) bool: markers whose three components are finite."""
        return are_finite(self.positions_m)

    def column(self, name: str) -> int:
        """Return the column of a marker; raise KeyError that lists what exists."""
        try:
            return self.names.index(name)
        except ValueError:
            raise KeyError(f"no marker {name!r}; there are {list_names(self.names)}") from None

    def select(self, names: Sequence[str]) -> MarkerTrajectories:
        """Return the same trajectories with just `names`, in that order."""
        place = {name: column for column, name in enumerate(self.names)}
        columns = [place[name] if name in place else self.column(name) for name in names]
        if columns == list(range(len(self.names))):
            return self
        return replace(self, names=tuple(names), positions_m=self.positions_m.take(columns, axis=1))

    def rows(self, which: slice | NDArray[np.bool_]) -> MarkerTrajectories:
        """Return the same markers at just some rows."""
        return replace(
            self,
            positions_m=self.positions_m[which],
            times_s=self.times_s[which],
            sample_indices=self.sample_indices[which],
        )

    def movements_m(self) -> NDArray[np.float64]:
        """Return (m,) float64, metres: how far each marker gets from its mean; 0 for one that is never seen."""
        # nanmean would warn of a marker that is never seen.
        count = np.maximum(np.isfinite(self.positions_m).sum(axis=0), 1)
        offsets = np.linalg.norm(self.positions_m - np.nansum(self.positions_m, axis=0) / count, axis=-1)
        return np.asarray(np.where(np.isfinite(offsets), offsets, 0.0).max(axis=0))


@dataclass(frozen=True)
class StaticTrial:
    """A subject standing still, for scaling.

    Attributes:
        markers: the T-pose, facing +x of OpenSim ground (y up), feet on y = 0; a real static trial may move.
        height_m: stature, metres.
        mass_kg: body mass, kilograms.
        sex: the body model's sex, or None for real motion capture without that knowledge.
        mass_source: how the mass was found: "volume", "v3d", "setup" or "given".
        placement: the trial that markers are placed from, None where it is the one that bodies are measured in.
        lost: markers of the set that the subject's body cannot have (SMPL has no finger joints).
    """

    markers: MarkerTrajectories
    height_m: float
    mass_kg: float
    sex: Sex | None
    mass_source: str
    placement: MarkerTrajectories | None = None
    lost: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the scalars, for tables and JSON."""
        return {
            "height_m": self.height_m,
            "mass_kg": self.mass_kg,
            "sex": self.sex,
            "mass_source": self.mass_source,
        }
