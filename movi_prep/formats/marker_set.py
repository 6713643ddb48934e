"""Marker set files (YAML), which say what points of a body are markers.

| key | content |
|---|---|
| `format` | "movi-prep marker set" |
| `version` | 1 |
| `name` | name of the set |
| `markers` | list of `{name: NAME, KIND: ...}` in the order of the columns |

| kind | value | point |
|---|---|---|
| `vertex` | number, from 0 | a vertex of the posed mesh |
| `joint` | number, 0 to 51 | a posed joint centre of SMPL+H |
| `midpoint` | list of marker names | their mean |
| `floor` | marker name | that marker, projected onto the floor |
| `foremost`, `highest` | joint number, 0 to 51 | vertex farthest forward, or up, at rest, of those it moves most |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from movi_prep.errors import InputError, list_names
from movi_prep.formats.packaged import packaged_path
from movi_prep.formats.yaml_file import read_yaml_file
from movi_prep.records.marker_set import Extreme, FloorPoint, JointCentre, MarkerRule, MarkerSet, Midpoint, Vertex

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_FORMAT = "movi-prep marker set"
_VERSION = 1
_KINDS = ("vertex", "joint", "midpoint", "floor", "foremost", "highest")
_NUMBERED: dict[str, Callable[[int], MarkerRule]] = {
    "vertex": Vertex,
    "joint": JointCentre,
    "foremost": lambda joint: Extreme(joint, "forward"),
    "highest": lambda joint: Extreme(joint, "up"),
}
_REMEDY = "correct the marker set (opensim_models/marker_set_d3ke.yaml is an example)"

DEFAULT_MARKER_SET = "marker_set_d3ke.yaml"
"""The packaged set: 142 markers of D3KE, nose and head top."""


def default_marker_set_path() -> Path:
    """Return the path of the packaged set of 144 markers."""
    return packaged_path("opensim_models", DEFAULT_MARKER_SET)


def read_marker_set(path: Path) -> MarkerSet:
    """Read a marker set.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is not YAML of this layout, or a marker is not defined by what exists.
    """
    document = _read_document(path)
    rules: dict[str, MarkerRule] = {}
    for entry in document["markers"]:
        name, rule = _rule(entry, path)
        if name in rules:
            raise InputError(f"{path}: {name}", expected="each marker once", got="it twice", remedy=_REMEDY)
        rules[name] = rule
    return MarkerSet(name=str(document.get("name", path.stem)), rules=rules, source=str(path))


def _read_document(path: Path) -> dict[str, Any]:
    document = read_yaml_file(path, expected="a marker set (YAML)", remedy=_REMEDY)
    head = (document.get("format"), document.get("version")) if isinstance(document, dict) else None
    if head != (_FORMAT, _VERSION):
        raise InputError(path, expected=f"format {_FORMAT!r}, version {_VERSION}", got=f"{head}", remedy=_REMEDY)
    markers = document.get("markers")
    if not isinstance(markers, list) or not markers:
        raise InputError(f"{path}: markers", expected="a list of markers", got=f"{markers!r}", remedy=_REMEDY)
    return dict(document)


def _rule(entry: Any, path: Path) -> tuple[str, MarkerRule]:
    keys = set(entry) if isinstance(entry, dict) else set()
    kinds = keys & set(_KINDS)
    # Exactly two: a misspelt third key would otherwise be passed over.
    if "name" not in keys or len(kinds) != 1 or len(keys) != 2:
        expected = f"a name and one of {list_names(_KINDS)}"
        raise InputError(f"{path}: markers", expected=expected, got=f"{entry!r}", remedy=_REMEDY)
    (kind,) = kinds
    name, value = _name(entry["name"], path), entry[kind]
    # `vertex: yes` is a truth value in YAML, and a truth value is an int in Python.
    if kind in _NUMBERED and isinstance(value, int) and not isinstance(value, bool):
        return name, _NUMBERED[kind](value)
    if kind == "midpoint" and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return name, Midpoint(tuple(value))
    if kind == "floor" and isinstance(value, str):
        return name, FloorPoint(value)
    wanted = {"midpoint": "a list of marker names", "floor": "a marker name"}.get(kind, "a number")
    raise InputError(f"{path}: {name}", expected=f"{wanted} for {kind!r}", got=f"{value!r}", remedy=_REMEDY)


def _name(value: Any, path: Path) -> str:
    """Return a name that a marker file can carry; YAML makes a truth value of NO and ON without quotes."""
    text = str(value)
    if isinstance(value, str | int) and not isinstance(value, bool) and text.strip() == text != "" and "\t" not in text:
        return text
    raise InputError(
        f"{path}: markers",
        expected="names without tabs and spaces around them, in quotes where YAML reads something else",
        got=f"{value!r}",
        remedy=_REMEDY,
    )
