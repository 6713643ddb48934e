"""Tables of how sizes of people vary (YAML).

| key            | content                                                                                  |
|----------------|------------------------------------------------------------------------------------------|
| `format`       | "movi-prep anthropometry"                                                                |
| `version`      | 1                                                                                        |
| `dimensions`   | name -> `women_mm: [mean, deviation]`, `men_mm`, `correlation` with stature; two of them |
|                | are `length` and `breadth`                                                               |
| `measurements` | measurement of a scaling set-up -> dimension                                             |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from movi_prep.errors import InputError, list_names
from movi_prep.formats.yaml_file import read_yaml_file
from movi_prep.records.anthropometry import BREADTH, LENGTH, Anthropometry, Dimension

if TYPE_CHECKING:
    from pathlib import Path

_FORMAT = "movi-prep anthropometry"
_VERSION = 1
_REMEDY = "correct the table (opensim_models/anthropometry.yaml is an example)"


def read_anthropometry(path: Path) -> Anthropometry:
    """Read a table.

    Raises:
        MissingError: there is no such file.
        InputError: it is not YAML of this layout, or its numbers are no sizes of people.
    """
    document = read_yaml_file(path, expected="an anthropometric table (YAML)", remedy=_REMEDY)
    head = (document.get("format"), document.get("version")) if isinstance(document, dict) else None
    if head != (_FORMAT, _VERSION):
        raise InputError(path, expected=f"format {_FORMAT!r}, version {_VERSION}", got=f"{head}", remedy=_REMEDY)
    entries, measurements = (document.get(key) or {} for key in ("dimensions", "measurements"))
    if not isinstance(entries, dict) or not {LENGTH, BREADTH} <= entries.keys():
        expected = f"dimensions, {LENGTH} and {BREADTH} among them"
        raise InputError(f"{path}: dimensions", expected=expected, got=f"{entries!r:.80}", remedy=_REMEDY)
    dimensions = {str(name): _dimension(entry, f"{path}: dimensions: {name}") for name, entry in entries.items()}
    if not isinstance(measurements, dict):
        raise InputError(
            f"{path}: measurements", expected="measurement: dimension", got=f"{measurements!r:.80}", remedy=_REMEDY
        )
    for name, kind in measurements.items():
        if kind not in dimensions:
            expected = f"one of {list_names(dimensions)}"
            raise InputError(f"{path}: measurements: {name}", expected=expected, got=f"{kind!r}", remedy=_REMEDY)
    return Anthropometry(dimensions, {str(name): str(kind) for name, kind in measurements.items()}, str(path))


def _dimension(entry: Any, where: str) -> Dimension:
    expected = "women_mm: [mean, deviation], men_mm: [mean, deviation], correlation: from 0 to below 1"
    if not isinstance(entry, dict) or entry.keys() != {"women_mm", "men_mm", "correlation"}:
        raise InputError(where, expected=expected, got=f"{entry!r:.80}", remedy=_REMEDY)
    pairs = [entry["women_mm"], entry["men_mm"]]
    if not (all(_is_size(pair) for pair in pairs) and _is_number(entry["correlation"])):
        # `bool` is an `int` in Python, hence `_is_number`: `correlation: yes` would count as 1.
        raise InputError(where, expected=expected, got=f"{entry!r:.80}", remedy=_REMEDY)
    # At a correlation of 1 the size would follow from stature without any deviation of its own.
    if not 0.0 <= entry["correlation"] < 1.0:
        raise InputError(where, expected=expected, got=f"correlation {entry['correlation']}", remedy=_REMEDY)
    (women_mean, women_std), (men_mean, men_std) = pairs
    return Dimension((women_mean, women_std), (men_mean, men_std), float(entry["correlation"]))


def _is_size(pair: Any) -> bool:
    """Whether these are a mean and a deviation of something that people have."""
    # A deviation as large as its mean would allow people of no length.
    return isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair)) and 0.0 < pair[1] < pair[0]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
