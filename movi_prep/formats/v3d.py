"""BML-MoVi's V3D files, `F_v3d_Subject_N.mat` (MATLAB v5).

| field of `Subject_N_F`             | shape        | content                                                       |
|------------------------------------|--------------|---------------------------------------------------------------|
| `subject.sex`, `.height`, `.mass`  | 1            | 'female' or 'male' in any case; units are not stated          |
| `move.motions_list`                | (k, 1) cell  | names of the motions; the order differs between subjects      |
| `move.flags30`, `.flags120`        | (k, 2)       | first and last video frame / mocap sample, 1-based, inclusive |
| `move.markerName`                  | (1, m) cell  | char, or a number where the name is lost                      |
| `move.markerLocation`              | (t, m, 3)    | mm, MoVi world (z up); exactly 0, 0, 0 where missing          |
| `move.virtualMarkerName`           | (1, 20) cell | V3D's joint centres                                           |
| `move.virtualMarkerLocation`       | (t, 20, 3)   | mm, MoVi world                                                |

`move` is a cell around a struct, sometimes around more cells; lists are columns or rows. The unit of height and
mass follows from its size (nobody is 50 m or 5 mm tall); a finding names it. A value that fits no unit is left out.
"""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from movi_prep.errors import InputError, MissingError, list_names
from movi_prep.formats.foreign_content import foreign_content
from movi_prep.formats.mat_structure import check_mat_structure, mat_version
from movi_prep.formats.reading import AGAIN, REAL_KINDS, reading, reads
from movi_prep.records.checks import frozen_array
from movi_prep.records.v3d import V3dSubject

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from movi_prep.records.motion import Sex

LONGEST_LOAD_S = 600.0
"""Seconds; a V3D file takes one or two."""

_LOAD = """
import pickle, sys
from scipy.io import loadmat
sys.stdout.buffer.write(pickle.dumps(loadmat(sys.argv[1]), protocol=5))
"""

MOCAP_PER_VIDEO_FRAME = 4
"""Mocap samples per video frame: 120 Hz over 30 Hz."""

_SEXES = {"female": "female", "f": "female", "male": "male", "m": "male"}

_HEIGHT_UNITS = (("metres", 0.5, 2.6, 1.0), ("centimetres", 50.0, 260.0, 0.01), ("millimetres", 500.0, 2600.0, 0.001))
_MASS_UNITS = (("kilograms", 15.0, 300.0, 1.0), ("grams", 15_000.0, 300_000.0, 0.001))
"""Name, smallest and largest value that a person can have, and factor to metres or kilograms."""


@reads("an F_v3d file (MATLAB v5)")
def read_v3d(path: Path) -> V3dSubject:
    """Read one subject's V3D file.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is not a MATLAB v5 file, or lacks what every V3D file has.
    """
    struct, subject = _subject_struct(path)
    person, move = _field(struct, "subject", path), _field(struct, "move", path)
    findings: list[str] = []
    video_ranges = _frame_ranges(_field(move, "flags30", path), path, "flags30", findings)
    names = _names(move, "motions_list", findings)
    return V3dSubject(
        subject=subject,
        sex=_sex(person, path),
        height_m=_with_unit(person, "height", _HEIGHT_UNITS, findings),
        mass_kg=_with_unit(person, "mass", _MASS_UNITS, findings),
        motions=_match_motions(names, len(video_ranges), findings),
        video_ranges=frozen_array(video_ranges, np.int64),
        mocap_ranges=frozen_array(_mocap_ranges(move, video_ranges, path, findings), np.int64),
        virtual_marker_names=_names(move, "virtualMarkerName", findings),
        virtual_markers_m=_positions(move, "virtualMarkerLocation", path),
        marker_names=_names(move, "markerName", findings),
        markers_m=_positions(move, "markerLocation", path),
        source=str(path),
        findings=tuple(findings),
    )


def _subject_struct(path: Path) -> tuple[Any, int]:
    content = load_mat(path)
    keys = [key for key in content if re.fullmatch(r"Subject_\d+_F", key)]
    if len(keys) != 1:
        raise InputError(
            path,
            expected="one variable 'Subject_N_F'",
            got=list_names(key for key in content if not key.startswith("__")),
            remedy="check that this is an F_v3d file",
        )
    subject = int(keys[0].split("_")[1])
    # Two names, one subject: where they differ, the file was renamed, and its clips are another person's.
    in_name = re.search(r"Subject_(\d+)", path.name)
    if in_name and int(in_name[1]) != subject:
        raise InputError(
            path,
            expected=f"subject {in_name[1]}, as the file's name says",
            got=f"subject {subject}",
            remedy="the file was renamed or mixed up: fetch it again",
        )
    return _unwrap(content[keys[0]]), subject


def load_mat(path: Path) -> dict[str, Any]:
    """Load a MATLAB v5 file, in a separate process; raise MissingError or InputError if that is impossible."""
    if not path.is_file():
        raise MissingError(path, expected="a MATLAB file", got="no file", remedy="check the path")
    expected = "a readable MATLAB v5 file"
    with reading(path, expected=expected):
        _check_version(path)
        check_mat_structure(path)
        # Bytes that scipy does not check end the process that it runs in.
        words = [sys.executable, "-c", _LOAD, str(path)]
        done = subprocess.run(words, capture_output=True, timeout=LONGEST_LOAD_S, check=False)  # noqa: S603 - Python itself, no shell
    if done.returncode == 0:
        return cast("dict[str, Any]", pickle.loads(done.stdout))  # noqa: S301 - written by our own process
    told = done.stderr.decode("utf-8", errors="replace").strip().splitlines()
    crash = f"one that ends its reader (signal {-done.returncode})"
    damage = f"a damaged one ({told[-1] if told else 'no word of its reader'})"
    raise InputError(path, expected=expected, got=crash if done.returncode < 0 else damage, remedy=AGAIN)


def _check_version(path: Path) -> None:
    """Raise InputError for a file that scipy would refuse in words of its own."""
    version = mat_version(path)
    if version == "HDF5":
        raise InputError(path, expected="a MATLAB v5 file", got="v7.3 (HDF5)", remedy="save it with -v7")
    if version == "none":
        got = foreign_content(path) or "a file of another kind"
        raise InputError(path, expected="a MATLAB v5 file", got=got, remedy=AGAIN)


def _unwrap(value: Any) -> Any:
    """Take cells and structs of one element out of their arrays, however deep they are nested."""
    # scipy gives every MATLAB value as an array, and a struct as an array of one record.
    while isinstance(value, np.ndarray) and value.size == 1 and (value.dtype == object or value.dtype.names):
        value = value.flat[0]
    return value


def _optional_field(struct: Any, name: str) -> Any:
    names = getattr(struct, "dtype", np.dtype("f8")).names or ()
    return _unwrap(struct[name]) if name in names else None


def _field(struct: Any, name: str, path: Path) -> Any:
    value = _optional_field(struct, name)
    if value is None:
        names = getattr(getattr(struct, "dtype", None), "names", None) or ()
        raise InputError(
            path,
            expected=f"a field {name!r}",
            got=f"only {list_names(names)}",
            remedy="check that this is an F_v3d file",
        )
    return value


def _text(cell: Any) -> str:
    cell = _unwrap(cell)
    if isinstance(cell, np.ndarray):
        cell = cell.flat[0] if cell.size else ""
    return str(cell).strip() if isinstance(cell, str) else ""


def _names(move: Any, field: str, findings: list[str]) -> tuple[str, ...]:
    """Return the names of a cell list, a column or a row; `*i` for a cell that holds a number."""
    cells = _optional_field(move, field)
    if cells is None:
        return ()
    # As objects: numpy would make one text array of cells that are all text, and cut none or all.
    texts = [_text(cell) for cell in np.asarray(cells, dtype=object).ravel()]
    # A motion's row identifies it, so that an empty name is not a loss; columns of markers are found by theirs.
    if field == "motions_list":
        return tuple(texts)
    lost = [index for index, text in enumerate(texts) if not text]
    if lost:
        findings.append(f"{field}: {len(lost)} of {len(texts)} names are numbers or empty; named *i")
    return tuple(text or f"*{index}" for index, text in enumerate(texts))


def _sex(person: Any, path: Path) -> Sex:
    text = _text(_field(person, "sex", path))
    known = _SEXES.get(text.lower())
    if known is None:
        raise InputError(
            path, expected="subject.sex 'female' or 'male'", got=f"{text!r}", remedy="correct the field in the file"
        )
    return cast("Sex", known)


def _with_unit(
    person: Any, field: str, units: tuple[tuple[str, float, float, float], ...], findings: list[str]
) -> float | None:
    raw = np.asarray(_optional_field(person, field)).ravel()
    if raw.size != 1 or raw.dtype.kind not in REAL_KINDS or not np.isfinite(raw[0]):
        findings.append(f"{field}: expected a number, but the file has none; left out")
        return None
    value = float(raw[0])
    # The ranges do not overlap: a value fits one unit at most.
    for unit, smallest, largest, factor in units:
        if smallest <= value <= largest:
            if factor != 1.0:
                findings.append(f"{field}: {value:g} read as {unit}, the only unit that fits a person")
            return value * factor
    findings.append(f"{field}: {value:g} fits a person in none of {list_names(unit[0] for unit in units)}; left out")
    return None


def _flag_rows(raw: Any, path: Path, field: str) -> NDArray[np.float64]:
    flags = np.asarray(raw)
    # They may lie on their side: one row of firsts, one of lasts.
    if flags.ndim == 2 and flags.shape[0] == 2 and flags.shape[1] != 2:
        flags = flags.T
    if flags.ndim != 2 or flags.shape[1] != 2 or flags.dtype.kind not in REAL_KINDS:
        raise InputError(
            path,
            expected=f"{field} of shape (k, 2), numbers",
            got=f"shape {flags.shape} of {flags.dtype}",
            remedy="check that this is an F_v3d file",
        )
    return flags.astype(np.float64)


def _frame_ranges(raw: Any, path: Path, field: str, findings: list[str]) -> NDArray[np.int64]:
    """Turn 1-based inclusive flags into 0-based half-open ranges, empty where a row makes no sense."""
    flags = _flag_rows(raw, path, field)
    sensible = np.isfinite(flags).all(axis=1) & (flags == np.round(flags)).all(axis=1)
    sensible &= (flags[:, 0] >= 1) & (flags[:, 1] >= flags[:, 0])
    # Named, not refused: the other clips of the subject are whole.
    for row in np.flatnonzero(~sensible):
        first, last = flags[row]
        findings.append(
            f"{field}: clip {row + 1} runs from {first:g} to {last:g}, expected 1 <= first <= last; it has no frames"
        )
    ranges = np.zeros(flags.shape, dtype=np.int64)
    # From 1 to 0; the last frame, included in the file, becomes one past the last.
    ranges[sensible] = flags[sensible].astype(np.int64) - (1, 0)
    findings += _order_findings(ranges, np.flatnonzero(sensible), field)
    return ranges


def _order_findings(ranges: NDArray[np.int64], rows: NDArray[np.intp], field: str) -> list[str]:
    found = []
    for before, row in pairwise(rows):
        (first_start, first_end), (start, end) = ranges[before], ranges[row]
        if start < first_start:
            found.append(
                f"{field}: clip {row + 1} starts at {start + 1}, before clip {before + 1} at {first_start + 1}"
            )
        shared = min(first_end, end) - max(first_start, start)
        if shared > 0:
            found.append(f"{field}: clips {before + 1} and {row + 1} overlap by {shared}")
    return found


def _mocap_ranges(move: Any, video_ranges: NDArray[np.int64], path: Path, findings: list[str]) -> NDArray[np.int64]:
    """Read flags120, or derive it: video frame v (1-based) shows mocap sample 4 (v - 1) + 1."""
    by_video = video_ranges * MOCAP_PER_VIDEO_FRAME
    filled = video_ranges[:, 1] > video_ranges[:, 0]
    # The clip ends with the sample of its last frame: of that frame's four samples only the first belongs to it.
    by_video[filled, 1] -= MOCAP_PER_VIDEO_FRAME - 1
    raw = _optional_field(move, "flags120")
    if raw is None:
        findings.append("flags120: absent; derived from flags30 as 4 (v - 1) + 1")
        return by_video
    ranges = _frame_ranges(raw, path, "flags120", findings)
    if ranges.shape != video_ranges.shape:
        findings.append(f"flags120: {len(ranges)} clips where flags30 has {len(video_ranges)}; derived from flags30")
        return by_video
    for row in np.flatnonzero((np.abs(ranges - by_video) >= MOCAP_PER_VIDEO_FRAME).any(axis=1)):
        findings.append(
            f"flags120: clip {row + 1} is samples {ranges[row, 0]} to {ranges[row, 1] - 1}, "
            f"but flags30 says {by_video[row, 0]} to {by_video[row, 1] - 1} (0-based)"
        )
    return ranges


def _match_motions(names: tuple[str, ...], n_clips: int, findings: list[str]) -> tuple[str, ...]:
    if len(names) != n_clips:
        findings.append(f"motions_list has {len(names)} names, flags30 {n_clips} clips; clip k is row k of flags30")
    # By row, as the flags: too many names are cut, missing ones are empty.
    return (names + ("",) * n_clips)[:n_clips]


def _positions(move: Any, field: str, path: Path) -> NDArray[np.float64] | None:
    """Return (t, m, 3) float64, metres, NaN where the file has exactly 0, 0, 0; None where the field is absent."""
    raw = _optional_field(move, field)
    if raw is None:
        return None
    raw = np.asarray(raw)
    if raw.ndim != 3 or raw.shape[2] != 3 or raw.dtype.kind not in REAL_KINDS:
        raise InputError(
            path,
            expected=f"{field} of shape (t, m, 3), numbers",
            got=f"shape {raw.shape} of {raw.dtype}",
            remedy="check that this is an F_v3d file",
        )
    positions = raw.astype(np.float64) * 1e-3
    # All three must be zero: the origin is mid-volume, and single coordinates cross it all the time.
    positions[(raw == 0).all(axis=2)] = np.nan
    return frozen_array(positions)
