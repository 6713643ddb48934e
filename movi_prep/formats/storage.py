"""Storage tables of OpenSim: `.mot` (motions) and `.sto` (everything else).

| line      | content                                                                       |
|-----------|-------------------------------------------------------------------------------|
| 1         | name of the table                                                             |
| header    | `version=1`, `nRows=n`, `nColumns=c` (time counted), `inDegrees=yes` or `no`  |
| free text | anything; it must not mention `inDegrees`, which OpenSim 4.6 would believe    |
| end       | `endheader`                                                                   |
| labels    | `time`, then one label per column, separated by tabs                          |
| rows      | seconds, then values                                                          |

`StorageTable` holds a file's content. In a table of coordinates that says `inDegrees=yes`, those of motion type
Rotational are in degrees; all others are as in code (SimbodyEngine::convertDegreesToRadians, OpenSim 4.6). Coordinates
of motion type Coupled are among these: they drive a rotation or translation by another function than a line of slope 1,
and their unit is that of the function's argument. `coordinate_table` and `coordinates_of` apply this rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.atomic import write_lines
from movi_prep.formats.reading import reads
from movi_prep.records.checks import check_shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class StorageTable:
    """Named columns over time.

    Attributes:
        name: first line of the file.
        labels: (c,) labels without `time`.
        times_s: (n,) float64, seconds.
        values: (n, c) float64, in the units of the file.
        in_degrees: whether rotations (coordinates of motion type Rotational) are in degrees.
    """

    name: str
    labels: tuple[str, ...]
    times_s: NDArray[np.float64]
    values: NDArray[np.float64]
    in_degrees: bool

    def __post_init__(self) -> None:
        """Check that labels, times and values agree."""
        check_shape(self.values, (len(self.times_s), len(self.labels)), what="values", where=f"table {self.name}")


def coordinate_table(
    labels: tuple[str, ...],
    times_s: NDArray[np.float64],
    coordinates: NDArray[np.float64],
    is_rotation: NDArray[np.bool_],
    *,
    name: str = "Coordinates",
) -> StorageTable:
    """Return (n, c) coordinates as motion files hold them, rotations in degrees.

    Args:
        labels: (c,) names of the coordinates.
        times_s: (n,) seconds.
        coordinates: (n, c) rotations in radians, the others unchanged.
        is_rotation: (c,) bool, motion type Rotational.
        name: first line of the file.
    """
    values = np.where(is_rotation, np.degrees(coordinates), coordinates)
    return StorageTable(name=name, labels=labels, times_s=times_s, values=values, in_degrees=True)


def coordinates_of(table: StorageTable, is_rotation: Mapping[str, bool]) -> NDArray[np.float64]:
    """Return the table's (n, c) values as code has them: rotations in radians, the others unchanged.

    Args:
        table: a motion or a coordinate file.
        is_rotation: whether a coordinate's motion type is Rotational; labels that it lacks are not rotations.
    """
    if not table.in_degrees:
        return table.values
    # Files hold columns that are no coordinates (speeds, activations): these stay as they are.
    turns = np.array([is_rotation.get(label, False) for label in table.labels], dtype=bool)
    return np.where(turns, np.radians(table.values), table.values)


def write_storage(path: Path, table: StorageTable) -> None:
    """Write a table atomically, eight decimals as OpenSim does; NaN is written as `nan`."""
    write_storage_blocks(path, [table], n_rows=len(table.times_s))


def write_storage_blocks(path: Path, tables: Iterable[StorageTable], *, n_rows: int) -> None:
    """Write tables one below the other as one of `n_rows` rows; names and units are those of the first."""
    blocks = iter(tables)
    first = next(blocks)
    header = [
        first.name,
        "version=1",
        f"nRows={n_rows}",
        f"nColumns={len(first.labels) + 1}",
        f"inDegrees={'yes' if first.in_degrees else 'no'}",
        "",
        # The words of OpenSim's own files, for people who compare files by diff.
        "Units are S.I. units (second, meters, Newtons, ...)",
        f"Angles are in {'degrees' if first.in_degrees else 'radians'}.",
        "",
        "endheader",
        "\t".join(("time", *first.labels)),
    ]
    # The width of OpenSim's own files, for people who compare them by eye or by diff.
    rows = (
        "\t".join(f"{value:16.8f}" for value in (time_s, *row.tolist()))
        for table in chain([first], blocks)
        for time_s, row in zip(table.times_s.tolist(), table.values, strict=True)
    )
    write_lines(path, chain(header, rows))


@reads("a .mot or .sto file", "write the file again")
def read_storage(path: Path) -> StorageTable:
    """Read a table as it stands.

    Raises:
        MissingError: the file does not exist.
        InputError: it has no header, or a row does not fit the labels.
    """
    if not path.is_file():
        raise MissingError(path, expected="a .mot or .sto file", got="no file", remedy="check the path")
    # Strange bytes may stand in the free text; in a number they fail below.
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    end = next((index for index, line in enumerate(lines) if line.strip().lower() == "endheader"), None)
    if end is None or end + 2 > len(lines):
        raise InputError(
            path, expected="an OpenSim storage with 'endheader'", got="none", remedy="check that this is a .mot or .sto"
        )
    # Labels hold no blanks; files of other programs part them by blanks as well as by tabs.
    labels = lines[end + 1].split()
    rows = [line.split() for line in lines[end + 2 :] if line.strip()]
    values = _numbers(path, rows, len(labels))
    return StorageTable(
        name=lines[0].strip(),
        labels=tuple(labels[1:]),
        times_s=values[:, 0].copy(),
        values=values[:, 1:].copy(),
        in_degrees=_in_degrees(lines[:end]),
    )


def _in_degrees(header: list[str]) -> bool:
    """Return the value of the first line `inDegrees=...`; comments that mention the word do not count.

    Without one, OpenSim takes files from before version 1, as SIMM's motions are, to be in degrees, and later ones not.
    """
    pairs = [line.partition("=") for line in header]
    # Reversed, so that the first line of a key wins in the dict.
    said = {key.strip().lower(): value.strip().lower() for key, _, value in reversed(pairs)}
    if "indegrees" in said:
        return said["indegrees"] in ("yes", "y", "true")
    version = said.get("version", "0")
    return version.isdecimal() and int(version) < 1


def _numbers(path: Path, rows: list[list[str]], width: int) -> NDArray[np.float64]:
    wrong = [index for index, row in enumerate(rows) if len(row) != width]
    if wrong:
        raise InputError(
            path,
            expected=f"{width} values in every row",
            got=f"{len(rows[wrong[0]])} in row {wrong[0] + 1}",
            remedy="the file is damaged: write it again",
        )
    try:
        return np.array(rows, dtype=np.float64).reshape(len(rows), width)
    except ValueError as error:
        raise InputError(path, expected="numbers", got=str(error), remedy="write the file again") from error
