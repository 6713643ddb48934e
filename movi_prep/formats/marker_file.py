"""Marker files of the work folder: `C01.h5` (trajectories of a clip) and `static.h5` (static trial).

Both hold `marker_names`, `positions` (row, marker, 3) in metres of OpenSim ground, `times` and `sample_indices`;
`MARKERS_SCHEMA` and `STATIC_SCHEMA` are the tables. Positions are not compressed: deflating them costs several times
what computing them costs, and saves a tenth of the space.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h5py

from movi_prep.formats.atomic import atomic_path, check_space
from movi_prep.formats.described_hdf5 import (
    CLOSING_BYTES,
    STRING,
    DescribedFile,
    Field,
    Schema,
    describe_dataset,
    read_described,
    write_described,
    write_field,
    write_header,
)
from movi_prep.formats.hdf5_files import open_hdf5
from movi_prep.formats.reading import reads
from movi_prep.records.markers import MarkerTrajectories, StaticTrial

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_ROW = "row"
_NAMES = Field("marker_names", STRING, ("marker",), "", "name of each marker")
_POSITIONS = Field(
    "positions", "f8", (_ROW, "marker", 3), "m", "where each marker is; NaN where not seen", frame="OpenSim ground"
)
_TIMES = Field("times", "f8", (_ROW,), "s", "time since the first mocap sample")
_SAMPLES = Field("sample_indices", "i8", (_ROW,), "1", "which mocap sample of the clip each row is")
_FIELDS = (_NAMES, _POSITIONS, _TIMES, _SAMPLES)
_ATTRIBUTES = {"rate_hz": "rows per second", "source": "what the markers were made from"}

MARKERS_SCHEMA = Schema("movi-prep markers", 1, _FIELDS, _ATTRIBUTES)
"""Trajectories of one clip."""

STATIC_SCHEMA = Schema(
    "movi-prep static trial",
    1,
    _FIELDS,
    {
        **_ATTRIBUTES,
        "height_m": "stature, metres",
        "mass_kg": "body mass, kilograms",
        "sex": "sex of the body model, empty where unknown",
        "mass_source": "how the mass was found: volume, v3d, setup or given",
        "lost": "markers of the set that the body cannot have, one a line",
    },
)
"""T-pose of one subject, facing +x, with what scaling must know of the body."""


class MarkerWriter:
    """Writes trajectories block by block, so that memory does not grow with the length of a clip."""

    def __init__(self, positions: h5py.Dataset, folder: Path) -> None:
        """Start at the first row of an empty dataset; `folder` holds its file, and its disk must have room."""
        self._positions, self._folder = positions, folder
        self._next = 0

    def append(self, positions_m: NDArray[np.float64]) -> None:
        """Write (k, m, 3) float64, metres, OpenSim ground, as the next k rows."""
        check_space(self._folder, positions_m.nbytes, spare_bytes=CLOSING_BYTES)
        self._positions[self._next : self._next + len(positions_m)] = positions_m
        self._next += len(positions_m)


@contextmanager
def open_marker_writer(  # noqa: PLR0913 - a file's head, spelt out
    path: Path,
    *,
    names: Sequence[str],
    times_s: NDArray[np.float64],
    sample_indices: NDArray[np.int64],
    rate_hz: float,
    source: str,
    provenance: Mapping[str, Any],
) -> Iterator[MarkerWriter]:
    """Write a marker file whose positions follow in blocks; nothing stays if the block ends with an error."""
    lengths: dict[str, int] = {}
    with atomic_path(path) as partial, open_hdf5(partial, "w") as file:
        attributes = {"rate_hz": rate_hz, "source": source}
        write_header(file, MARKERS_SCHEMA, attributes=attributes, provenance=provenance)
        for item, value in ((_NAMES, names), (_TIMES, times_s), (_SAMPLES, sample_indices)):
            write_field(file, item, value, lengths)
        # The full length at once, not chunked: rows of a plain dataset are read in one piece.
        positions = file.create_dataset(_POSITIONS.name, shape=(len(times_s), len(names), 3), dtype=_POSITIONS.dtype)
        describe_dataset(positions, _POSITIONS)
        yield MarkerWriter(positions, path.parent)


def write_markers(path: Path, markers: MarkerTrajectories, *, provenance: Mapping[str, Any]) -> None:
    """Write trajectories as a whole."""
    write_described(
        path, MARKERS_SCHEMA, fields=_fields(markers), attributes=_attributes(markers), provenance=provenance
    )


@reads("a movi-prep markers file", "make it again")
def read_markers(path: Path, rows: slice = slice(None)) -> MarkerTrajectories:
    """Read trajectories, or some of their rows; raise MissingError or InputError as `read_described` does."""
    return _trajectories(read_described(path, MARKERS_SCHEMA, rows=(_ROW, rows)), path)


@reads("a movi-prep markers file", "make it again")
def count_marker_rows(path: Path) -> int:
    """Return how many rows trajectories have; raise MissingError or InputError as `read_described` does."""
    # One small field is enough to count rows; positions may be gigabytes.
    return len(read_described(path, MARKERS_SCHEMA, only=(_TIMES.name,)).fields[_TIMES.name])


def write_static_trial(path: Path, trial: StaticTrial, *, provenance: Mapping[str, Any]) -> None:
    """Write a static trial."""
    # An attribute holds one text, and no marker's name holds a line break.
    attributes = {**_attributes(trial.markers), **trial.as_dict(), "lost": "\n".join(trial.lost)}
    write_described(path, STATIC_SCHEMA, fields=_fields(trial.markers), attributes=attributes, provenance=provenance)


@reads("a static trial", "make it again")
def read_static_trial(path: Path) -> StaticTrial:
    """Read a static trial; raise MissingError or InputError as `read_described` does."""
    file = read_described(path, STATIC_SCHEMA)
    scalars = file.attributes
    return StaticTrial(
        markers=_trajectories(file, path),
        height_m=float(scalars["height_m"]),
        mass_kg=float(scalars["mass_kg"]),
        sex=scalars["sex"] or None,
        mass_source=str(scalars["mass_source"]),
        lost=tuple(str(scalars["lost"]).splitlines()),
    )


def _fields(markers: MarkerTrajectories) -> dict[str, Any]:
    return {
        _NAMES.name: markers.names,
        _POSITIONS.name: markers.positions_m,
        _TIMES.name: markers.times_s,
        _SAMPLES.name: markers.sample_indices,
    }


def _attributes(markers: MarkerTrajectories) -> dict[str, Any]:
    return {"rate_hz": markers.rate_hz, "source": markers.source}


def _trajectories(file: DescribedFile, path: Path) -> MarkerTrajectories:
    return MarkerTrajectories(
        names=file.fields[_NAMES.name],
        positions_m=file.fields[_POSITIONS.name],
        times_s=file.fields[_TIMES.name],
        sample_indices=file.fields[_SAMPLES.name],
        rate_hz=float(file.attributes["rate_hz"]),
        source=str(path),
    )
