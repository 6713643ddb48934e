"""`opensim_models/conventions.csv`: meanings of the packaged model's coordinates; its head explains the columns."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from movi_prep.errors import InputError
from movi_prep.formats.packaged import packaged_path
from movi_prep.formats.reading import reading
from movi_prep.records.convention import DIRECTIONS, SIDED, Convention

if TYPE_CHECKING:
    from pathlib import Path

PACKAGED_CONVENTIONS = "conventions.csv"
COLUMNS = (*("coordinate", "moves", "positive", "witness", "towards", "pose", "zero", "isb", "isb_sign", "difference"),)
_EXPECTED = "a table of conventions (.csv)"


def read_conventions(path: Path) -> tuple[Convention, ...]:
    """Read a table of conventions; raise InputError where the file is not such a table."""
    with reading(path, expected=_EXPECTED, remedy="correct the file"):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    # Comments are gone by now: the first line left must be that of the columns.
    rows = csv.DictReader(lines)
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise InputError(
            path,
            expected=f"{_EXPECTED} with the columns {', '.join(COLUMNS)}",
            got=f"{', '.join(rows.fieldnames or ()) or 'none'}",
            remedy="correct the file",
        )
    return tuple(_read_row(path, number, row) for number, row in enumerate(rows, 1))


def packaged_conventions() -> tuple[Convention, ...]:
    """Return the conventions of the packaged model."""
    return read_conventions(packaged_path("opensim_models", PACKAGED_CONVENTIONS))


def _read_row(path: Path, number: int, row: dict[str, str]) -> Convention:
    try:
        # csv.DictReader puts surplus cells under None.
        if None in row:
            raise ValueError("more cells than columns")  # noqa: TRY301 - one place says which row is wrong
        if row["towards"] not in {*DIRECTIONS, *SIDED}:
            raise ValueError(f"towards {row['towards']!r}")  # noqa: TRY301 - one place says which row is wrong
        pose = dict(part.split("=") for part in row["pose"].split(";") if part)
        return Convention(
            pattern=row["coordinate"],
            moves=row["moves"],
            positive=row["positive"],
            witness=tuple(row["witness"].split("+")),
            towards=row["towards"],
            pose_deg={name: float(degrees) for name, degrees in pose.items()},
            zero=row["zero"],
            isb=row["isb"],
            isb_sign=int(row["isb_sign"]) if row["isb_sign"] else None,
            difference=row["difference"],
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            path, expected=f"a convention in row {number}", got=f"something else ({error})", remedy="correct the row"
        ) from error
