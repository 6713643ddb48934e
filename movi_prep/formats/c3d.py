"""Marker trajectories of C3D files, the binary format of motion capture laboratories (c3d.org), read by ezc3d.

| of the file | what becomes of it |
|---|---|
| POINT:UNITS | mm, cm or m |
| POINT:RATE, first frame | times: frame number over rate; the first frame need not be 0 |
| POINT:LABELS, LABELS2, ... | marker names; labels beyond the points are passed over, points without one left out |
| residual below 0, or exactly 0, 0, 0 | the marker was not seen |
| POINT:ANGLES, FORCES, MOMENTS, POWERS, SCALARS | names of points that are no markers: left out |
| POINT:Y_SCREEN | which axis is up; where it is missing, the setting says |

ezc3d is an extra (`pip install movi-prep[c3d]`).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import InputError, MissingError, list_names
from movi_prep.formats.c3d_arrays import read_c3d_arrays
from movi_prep.formats.trc import METRES_PER_UNIT, UNIT_NAMES
from movi_prep.plain_text import count_of
from movi_prep.records.markers import MarkerTrajectories

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

NO_MARKERS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS")
"""Parameters of the group POINT; the points that they list are no markers."""

TO_GROUND: dict[str, NDArray[np.float64]] = {
    "+Y": np.eye(3),
    "+Z": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "+X": np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
    "-Y": np.diag([1.0, -1, -1]),
    "-Z": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "-X": np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
}
"""Axis of the file that is up -> the rotation to OpenSim ground (y up)."""

_REMEDY = "export the trial again as C3D"
_BLOCK_BYTES, _KEY, _INTEL, _LAST_COUNTED = 512, 0x50, b"\x54", 0xFFFF


def read_c3d(path: Path, *, up: str) -> MarkerTrajectories:
    """Read the markers of a trial into OpenSim ground, metres.

    Args:
        path: the file.
        up: axis that is up ("y" or "z") where the file does not say.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is not a C3D file, or its rate, unit or labels cannot be used.
        UsageError: ezc3d is not installed.
    """
    if not path.is_file():
        raise MissingError(path, expected="a C3D file", got="no file", remedy="check the path")
    _check_whole(path)
    content = read_c3d_arrays(path, remedy=_REMEDY)
    # ezc3d has coordinates first and frames last; kernels here have frames first.
    points, residuals = content["points"].transpose(2, 1, 0), content["residuals"].T
    columns, names, findings = _markers(content, points.shape[1], path)
    rate_hz = _rate_hz(content, path)
    axis, axis_findings = _up(content, up)
    seen = points[:, columns]
    # Residuals below 0 say that a point was not seen (c3d.org); many exporters write zeros.
    seen = np.where(((residuals[:, columns] < 0) | (seen == 0).all(axis=-1))[..., None], np.nan, seen)
    return MarkerTrajectories(
        names=names,
        positions_m=seen * METRES_PER_UNIT[_unit(content, path)] @ TO_GROUND[axis].T,
        times_s=(int(content["first_frame"]) + np.arange(len(points))) / rate_hz,
        sample_indices=np.arange(len(points), dtype=np.int64),
        rate_hz=rate_hz,
        source=str(path),
        findings=(*findings, *axis_findings),
    )


def _check_whole(path: Path) -> None:
    """Refuse a file that is shorter than its head says: ezc3d reads what is missing as zeros."""
    head = path.read_bytes()[:_BLOCK_BYTES] if path.stat().st_size >= _BLOCK_BYTES else b""
    if len(head) < _BLOCK_BYTES or head[1] != _KEY:
        raise InputError(path, expected="a C3D file", got="another kind of file, or a cut one", remedy=_REMEDY)
    with path.open("rb") as file:
        # Byte 0 counts blocks from 1; byte 3 of the parameter section names the processor.
        file.seek((head[0] - 1) * _BLOCK_BYTES + 3)
        processor = file.read(1)
    # Files of other processors than Intel's, of the last century, order their bytes in another way.
    if processor != _INTEL:
        return
    # Words 2 to 5, the scale and word 9 of the header, as c3d.org lays them out.
    n_points, n_analog, first, last = struct.unpack_from("<4H", head, 2)
    scale, start = struct.unpack_from("<fH", head, 12)
    # A negative scale says that values are floats; a positive one multiplies 16-bit integers.
    bytes_per_value = 4 if scale < 0 else 2
    needed = (start - 1) * _BLOCK_BYTES + (last - first + 1) * (4 * n_points + n_analog) * bytes_per_value
    # 65535 is as far as the head counts; longer trials say so elsewhere.
    if last < _LAST_COUNTED and path.stat().st_size < needed:
        got = f"{path.stat().st_size} bytes of {needed}: the file is cut"
        raise InputError(path, expected="a whole C3D file", got=got, remedy=_REMEDY)


def _texts(content: Mapping[str, NDArray[Any]], key: str) -> list[str]:
    return [str(value).strip() for value in np.ravel(content.get(f"POINT:{key}", []))]


def _markers(
    content: Mapping[str, NDArray[Any]], n_points: int, path: Path
) -> tuple[list[int], tuple[str, ...], tuple[str, ...]]:
    """Return the columns of markers, their names, and findings on points that are left out."""
    labels = _texts(content, "LABELS")
    number = 2
    while f"POINT:LABELS{number}" in content:
        labels += _texts(content, f"LABELS{number}")
        number += 1
    # Fewer labels than points leave the rest without a name; more are cut.
    labels = [*labels, *[""] * n_points][:n_points]
    others = {name for key in NO_MARKERS for name in _texts(content, key) if name}
    # Trajectories that nobody labelled are called *1, *2, ...
    named = [index for index, label in enumerate(labels) if label and not label.startswith("*")]
    columns = [index for index in named if labels[index] not in others]
    findings = []
    if len(named) < n_points:
        findings.append(f"{path.name}: left out without a label: {count_of(n_points - len(named), 'point')}")
    dropped = sorted(others & set(labels))
    if dropped:
        findings.append(f"{path.name}: left out as angles, forces or the like: {count_of(len(dropped), 'point')}")
    if not columns:
        raise InputError(path, expected="labelled markers", got=f"labels {list_names(labels)}", remedy=_REMEDY)
    return columns, tuple(labels[index] for index in columns), tuple(findings)


def _rate_hz(content: Mapping[str, NDArray[Any]], path: Path) -> float:
    stated = [float(value) for value in np.ravel(content.get("POINT:RATE", []))]
    # The header's copy of the rate serves files without the parameter.
    for value in (*stated, float(content["frame_rate"])):
        if 0 < value < np.inf:
            return value
    raise InputError(path, expected="a positive POINT:RATE", got=f"{stated}", remedy=_REMEDY)


def _unit(content: Mapping[str, NDArray[Any]], path: Path) -> str:
    stated = (_texts(content, "UNITS") or ["mm"])[0]
    if stated.lower() not in UNIT_NAMES:
        raise InputError(path, expected="POINT:UNITS of mm, cm or m", got=repr(stated), remedy=_REMEDY)
    return UNIT_NAMES[stated.lower()]


def _up(content: Mapping[str, NDArray[Any]], setting: str) -> tuple[str, tuple[str, ...]]:
    """Return the axis that is up, and a finding where the file says another one than the setting."""
    stated = (_texts(content, "Y_SCREEN") or [""])[0].upper()
    axis = stated if stated in TO_GROUND else f"+{stated}" if f"+{stated}" in TO_GROUND else ""
    if not axis:
        return f"+{setting.upper()}", ()
    if axis == f"+{setting.upper()}":
        return axis, ()
    return axis, (f"the file says that {axis} is up (POINT:Y_SCREEN); it is turned to y up",)
