"""Marker trajectories as TRC text, the format of OpenSim's own tools.

| line | content                                                                                       |
|------|-----------------------------------------------------------------------------------------------|
| 1    | `PathFileType 4 (X/Y/Z) name`                                                                 |
| 2, 3 | DataRate, CameraRate (Hz), NumFrames, NumMarkers, Units (mm, cm or m), OrigDataRate, ...      |
| 4    | `Frame#`, `Time`, then each marker's name over its three columns                              |
| 5    | `X1 Y1 Z1 X2 ...`                                                                             |
| 6    | empty, or left out                                                                            |
| 7 .. | frame number, time (s), three numbers per marker; empty fields where a marker was not seen    |

Rows and their times count. Where the head contradicts them (in DataRate, or in the number of frames or markers, as in
files that were cut or resampled), the rows are read all the same and a finding says so.

Axes are those of the file: OpenSim's tools take them as ground (y up). Many exporters write exactly 0, 0, 0 for a
marker that was not seen; it is read as such: no marker of a body is ever exactly at the origin.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Literal

import numpy as np

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.atomic import write_lines
from movi_prep.formats.reading import reads
from movi_prep.geometry.medians import median
from movi_prep.records.markers import MarkerTrajectories

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

Unit = Literal["mm", "m"]

METRES_PER_UNIT: dict[str, float] = {"mm": 0.001, "cm": 0.01, "m": 1.0}
UNIT_NAMES = {
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), "mm"),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), "cm"),
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), "m"),
}
"""Spellings of the units in files, in lower case."""

SMALLEST_EXTENT_M = 0.05
LARGEST_EXTENT_M = 20.0
"""Markers of one frame that span less or more than these are in a wrong unit."""

RATE_TOLERANCE = 0.1
"""Relative deviation: 0.017 s is a rounded step of 60 Hz, 0.033 s is not."""


def write_trc(path: Path, markers: MarkerTrajectories, *, unit: Unit = "mm") -> None:
    """Write trajectories as TRC, atomically.

    Args:
        path: the file.
        markers: (n, m, 3) metres; NaN becomes an empty field.
        unit: of the numbers in the file; six decimals in mm, nine in m.
    """
    write_trc_blocks(path, [markers], n_rows=markers.n_rows, unit=unit)


def write_trc_blocks(path: Path, blocks: Iterable[MarkerTrajectories], *, n_rows: int, unit: Unit = "mm") -> None:
    """Write blocks of trajectories one after another as one file of `n_rows` rows (see `write_trc`)."""
    parts = iter(blocks)
    first = next(parts)
    # A nanometre either way.
    decimals = 6 if unit == "mm" else 9
    header = (first.rate_hz, first.rate_hz, n_rows, len(first.names), unit)
    head = [
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        "\t".join(str(value) for value in (*header, first.rate_hz, 1, n_rows)),
        "Frame#\tTime\t" + "\t\t\t".join(first.names) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{k + 1}" for k in range(len(first.names)) for axis in "XYZ"),
        "",
    ]

    # A static trial that is made repeats one row.
    @lru_cache(maxsize=1)
    def fields(positions_m: bytes) -> str:
        numbers = (np.frombuffer(positions_m) / METRES_PER_UNIT[unit]).tolist()
        return "\t".join("" if value != value else f"{value:.{decimals}f}" for value in numbers)  # noqa: PLR0124 - NaN

    def line(number: int, time_s: float, positions_m: NDArray[np.float64]) -> str:
        return f"{number}\t{time_s:.9f}\t{fields(np.asarray(positions_m, dtype=np.float64).tobytes())}"

    rows = (
        row
        for markers in chain([first], parts)
        for row in zip(markers.times_s.tolist(), markers.positions_m, strict=True)
    )
    write_lines(path, chain(head, (line(number, *row) for number, row in enumerate(rows, start=1))))


@reads("a TRC file", "write the file again")
def read_trc(path: Path) -> MarkerTrajectories:
    """Read trajectories in metres; the file states their unit.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is not a TRC file, a row is short, or its numbers cannot be in the unit it states.
    """
    if not path.is_file():
        raise MissingError(path, expected="a TRC file", got="no file", remedy="check the path")
    text = _text(path)
    lines = text.splitlines()
    if len(lines) < 5 or not lines[0].startswith("PathFileType"):
        raise _broken(
            path, "a first line that begins with PathFileType", repr(lines[0][:40]) if lines else "an empty file"
        )
    facts = _head(lines[1], lines[2])
    names = _names(path, lines[3])
    # Line 6 is empty or missing; empty lines are dropped, so that both read alike.
    rows = [line for line in lines[5:] if line.strip()]
    if not names or not rows:
        expected = "marker names separated by tabs, and at least one row"
        raise _broken(path, expected, f"{len(names)} names and {len(rows)} rows")
    width = 2 + 3 * len(names)
    _check_last_row(path, facts, rows, width, is_ended=text.endswith(("\n", "\r")))
    numbers = _numbers(path, rows, width)
    rate_hz, findings = _rate_hz(path, facts, numbers[:, 1])
    unit = _unit(path, facts)
    # Multiplied, not divided: OpenSim's reader does so, and equal bits make equal solutions.
    positions_m = numbers[:, 2:].reshape(len(rows), len(names), 3) * METRES_PER_UNIT[unit]
    # See the module: zeros are how many exporters say that they saw nothing.
    positions_m[(positions_m == 0.0).all(axis=-1)] = np.nan
    _check_extent(path, positions_m, unit)
    return MarkerTrajectories(
        names=names,
        positions_m=positions_m,
        times_s=numbers[:, 1].copy(),
        sample_indices=np.arange(len(rows), dtype=np.int64),
        rate_hz=rate_hz,
        source=str(path),
        findings=(*findings, *_counts_that_differ(path, facts, n_rows=len(rows), n_markers=len(names))),
    )


def _text(path: Path) -> str:
    content = path.read_bytes()
    # Spreadsheets save text with a byte order mark, in UTF-8 or UTF-16.
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return content.decode(encoding, errors="replace")


def _head(keys: str, values: str) -> dict[str, str]:
    """Return the second and third line as a table; split at tabs where both have as many, as values may be empty."""
    by_tabs = keys.rstrip().count("\t") == values.rstrip().count("\t") > 0
    separator = "\t" if by_tabs else None
    fields = zip(keys.split(separator), values.split(separator), strict=False)
    return {key.strip(): value.strip() for key, value in fields}


def _names(path: Path, line: str) -> tuple[str, ...]:
    """Return the names of the fourth line; refuse a nameless marker, whose columns would go to the next one."""
    fields = line.rstrip().split("\t")[2:]
    places = [place for place, field in enumerate(fields) if field.strip()]
    # Names stand over the first of three columns: a gap in steps of three is a marker without a name.
    nameless = sorted(set(range(0, max(places, default=0), 3)) - set(places))
    if nameless and all(place % 3 == 0 for place in places):
        raise _broken(path, "a name over the columns of each marker", f"none for marker {nameless[0] // 3 + 1}")
    return tuple(fields[place].strip() for place in places)


def _numbers(path: Path, rows: list[str], width: int) -> NDArray[np.float64]:
    """Return the rows as numbers, NaN where a field is empty; lines are split one by one to save memory."""
    values = np.full((len(rows), width), np.nan)
    for index, line in enumerate(rows):
        row = line.split("\t")
        fields = row[:width]
        if len(fields) < 2:
            raise _broken(path, "columns separated by tabs", f"one column in data row {index + 1}")
        # Empty fields at the end of a row are harmless; numbers there belong to a marker without a name.
        if any(field.strip() for field in row[width:]):
            expected = f"at most {width} columns, for the {width // 3} markers that have a name"
            raise _broken(path, expected, f"{len(row)} in data row {index + 1}")
        try:
            values[index, : len(fields)] = _row(fields)
        except ValueError as error:
            raise _broken(path, "numbers", f"{error} in data row {index + 1}") from error
    return values


def _row(fields: list[str]) -> list[float]:
    # Fields are looked at one by one only where one is empty.
    with suppress(ValueError):
        return list(map(float, fields))
    return [float(field) if field.strip() else np.nan for field in fields]


def _unit(path: Path, facts: dict[str, str]) -> str:
    stated = facts.get("Units", "")
    if stated.lower() not in UNIT_NAMES:
        raise InputError(
            path, expected="Units of mm, cm or m", got=repr(stated), remedy="write the unit into the third line"
        )
    return UNIT_NAMES[stated.lower()]


def _rate_hz(path: Path, facts: dict[str, str], times_s: NDArray[np.float64]) -> tuple[float, tuple[str, ...]]:
    """Return the rows per second, and a finding where DataRate says otherwise: the time column decides.

    Raises:
        InputError: the times are not finite numbers that increase, or there is one row and no DataRate.
    """
    if not np.isfinite(times_s).all():
        row = int(np.flatnonzero(~np.isfinite(times_s))[0])
        raise _broken(path, "a time in each row", f"none in data row {row + 1}")
    stated = _positive(facts.get("DataRate", ""))
    if len(times_s) == 1:
        if stated is None:
            raise InputError(
                path,
                expected="a positive DataRate in a file of one row",
                got=repr(facts.get("DataRate", "")[:40]),
                remedy="write the rate into the third line",
            )
        return stated, ()
    # The median bears gaps and times that are rounded to milliseconds.
    step_s = median(np.diff(times_s))
    if step_s <= 0:
        raise _broken(path, "times that increase from row to row", f"a median step of {step_s:g} s")
    # The stated rate is exact where the times are rounded to milliseconds.
    if stated is not None and abs(step_s * stated - 1.0) <= RATE_TOLERANCE:
        return stated, ()
    said = f"{stated:g} Hz" if stated is not None else repr(facts.get("DataRate", "")[:40])
    return 1.0 / step_s, (
        f"{path.name}: DataRate says {said}, but the times have steps of {step_s:.6g} s ({1.0 / step_s:.6g} Hz); "
        "the times are used",
    )


def _positive(text: str) -> float | None:
    """Return a finite number above 0, or None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < np.inf else None


def _check_last_row(path: Path, facts: dict[str, str], rows: list[str], width: int, *, is_ended: bool) -> None:
    """Refuse a file that ends within a row, and before its stated number of frames or without an end of line.

    Such a file was cut, and its last number may be, too.
    """
    stated, n_fields = _positive(facts.get("NumFrames", "")), len(rows[-1].split("\t"))
    is_short = stated is not None and len(rows) < stated
    if n_fields < width and (is_short or not is_ended):
        counted = f", or {stated:g} rows, as NumFrames says" if is_short else ", or an end of line after it"
        got = f"{n_fields} columns and {len(rows)} rows: the file is cut"
        raise _broken(path, f"{width} columns in the last row{counted}", got)


def _counts_that_differ(path: Path, facts: dict[str, str], *, n_rows: int, n_markers: int) -> tuple[str, ...]:
    """Return a finding for each count in the head that does not fit the rows."""
    found = []
    for key, count, what in (("NumFrames", n_rows, "row"), ("NumMarkers", n_markers, "marker")):
        stated = facts.get(key, "")
        if not stated or _positive(stated) == count:
            continue
        there = f"is 1 {what}; it is" if count == 1 else f"are {count} {what}s; these are"
        found.append(f"{path.name}: {key} says {stated[:40]}, but there {there} used")
    return tuple(found)


def _check_extent(path: Path, positions_m: NDArray[np.float64], unit: str) -> None:
    """Raise InputError where the markers of a frame span more, or less, than a body can."""
    if positions_m.shape[1] < 2 or not np.isfinite(positions_m).any():
        return
    highest = np.where(np.isfinite(positions_m), positions_m, -np.inf).max(axis=1)
    lowest = np.where(np.isfinite(positions_m), positions_m, np.inf).min(axis=1)
    extents_m = (highest - lowest)[np.isfinite(highest - lowest).all(axis=1)]
    if not extents_m.size:
        return
    # The median: single frames may have a ghost marker far away, or only the markers of one foot.
    extent_m = median(extents_m.max(axis=1))
    if SMALLEST_EXTENT_M <= extent_m <= LARGEST_EXTENT_M:
        return
    better = [
        # Markers of a whole person span 0.5 to 3 m: a unit that gives this is worth proposing.
        name
        for name, metres in METRES_PER_UNIT.items()
        if 0.5 <= extent_m / METRES_PER_UNIT[unit] * metres <= 3.0
    ]
    raise InputError(
        path,
        expected=f"markers of one frame that span {SMALLEST_EXTENT_M} to {LARGEST_EXTENT_M} m",
        got=f"{extent_m:.4g} m with Units {unit}",
        remedy=f"correct the unit in the third line{f' (probably {better[0]})' if better else ''}",
    )


def _broken(path: Path, expected: str, got: str) -> InputError:
    return InputError(path, expected=expected, got=got, remedy="export the file again as TRC")
