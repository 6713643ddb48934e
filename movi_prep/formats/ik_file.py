"""`ik/S001/C01.h5`: the IK solution of one clip, in a file that describes itself.

The layout is `SCHEMA` below; `SCHEMA.table()` prints it. A solution of angles only is without markers, bodies, joints
and covariances, and is read as one in which these axes have length 0. Vectors are in OpenSim ground (y up).
Coordinates are stored in double precision, positions and rotations of markers, bodies and joints in single (1e-7 m).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import InputError, list_names
from movi_prep.formats.deflate import FLOATS, SMOOTH_FLOATS
from movi_prep.formats.described_hdf5 import (
    STRING,
    DescribedFile,
    Field,
    Schema,
    open_row_writer,
    read_described,
    write_described,
)
from movi_prep.formats.reading import reads
from movi_prep.records.checks import check_finite
from movi_prep.records.ik_solution import FrameStatus, IkSolution

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

_GROUND = "OpenSim ground (y up)"
_STATUSES = ", ".join(f"{status.value} {status.name.lower()}" for status in FrameStatus)
_SINGLE = "float32"
_ROW = "frame"

WHOLE = (
    *("marker_names", "marker_weights", "model_markers_m", "observed_markers_m", "body_names", "body_rotations"),
    *("body_positions_m", "joint_names", "joint_centres_m"),
)
"""Fields that a solution of angles only lacks."""

SCHEMA = Schema(
    format="movi-prep ik solution",
    version=2,
    attributes={"solver": "opensim or converged", "rate_hz": "rows per second"},
    fields=(
        Field("times_s", "float64", ("frame",), "s", "seconds since the first mocap sample of the clip"),
        Field("sample_indices", "int64", ("frame",), "1", "which mocap sample each row is"),
        Field("coordinate_names", STRING, ("coordinate",), "1", "coordinates of the model, in its order"),
        Field(
            "coordinate_is_rotation",
            "bool",
            ("coordinate",),
            "1",
            "motion type Rotational: radians; false is metres or, if the type is Coupled, its function's argument",
        ),
        Field("free_coordinates", "bool", ("coordinate",), "1", "neither locked nor coupled"),
        Field(
            "coordinates",
            "float64",
            ("frame", "coordinate"),
            "rad or m",
            "values; NaN where there is no pose",
            compress=True,
        ),
        Field(
            "coordinate_valid",
            "bool",
            ("frame", "coordinate"),
            "1",
            "false where a landmark of its body misses, no tracked marker moves with it, or the frame is not usable",
            compress=True,
        ),
        Field("marker_names", STRING, ("marker",), "1", "markers of the model that the data hold", optional=True),
        Field(
            "marker_weights",
            "float64",
            ("marker",),
            "1",
            "weights; 0 where a marker was only carried along",
            optional=True,
        ),
        Field(
            "model_markers_m",
            _SINGLE,
            ("frame", "marker", 3),
            "m",
            "markers of the model",
            frame=_GROUND,
            compress=True,
            optional=True,
        ),
        Field(
            "observed_markers_m",
            _SINGLE,
            ("frame", "marker", 3),
            "m",
            "markers of the data; NaN where not seen",
            frame=_GROUND,
            compress=True,
            optional=True,
        ),
        Field("body_names", STRING, ("body",), "1", "bodies of the model", optional=True),
        Field(
            "body_rotations",
            _SINGLE,
            ("frame", "body", 3, 3),
            "1",
            "body to ground",
            frame=_GROUND,
            compress=True,
            optional=True,
        ),
        Field(
            "body_positions_m",
            _SINGLE,
            ("frame", "body", 3),
            "m",
            "origins",
            frame=_GROUND,
            compress=True,
            optional=True,
        ),
        Field("joint_names", STRING, ("joint",), "1", "joints of the model", optional=True),
        Field(
            "joint_centres_m",
            _SINGLE,
            ("frame", "joint", 3),
            "m",
            "origin of each joint's child frame",
            frame=_GROUND,
            compress=True,
            optional=True,
        ),
        Field("root_frame_rotations", "float64", ("frame", 3, 3), "1", "moving frame of the root joint", frame=_GROUND),
        Field("root_frame_positions_m", "float64", ("frame", 3), "m", "its origin", frame=_GROUND),
        Field("statuses", "int8", ("frame",), "1", f"how the frame ended: {_STATUSES}"),
        Field("objectives", "float64", ("frame",), "m^2", "half the weighted mean squared marker error"),
        Field("iterations", "int32", ("frame",), "1", "-1 where the solver does not tell"),
        Field("gradient_norms", "float64", ("frame",), "1", "NaN where the solver does not tell"),
        Field("constraint_errors", "float64", ("frame",), "rad or m", "largest coupler violation"),
        Field(
            "posterior_std",
            _SINGLE,
            ("frame", "coordinate"),
            "rad or m",
            "what the markers determine at the stated independent noise",
            optional=True,
            compress=True,
        ),
        Field("ranks", "int32", ("frame",), "1", "rank of the marker problem over free coordinates", optional=True),
        Field(
            "label_std",
            _SINGLE,
            ("frame", "coordinate"),
            "rad or m",
            "how far the coordinate may be off: standard deviation at the noise of skin markers",
            optional=True,
            compress=True,
        ),
        Field(
            "deviation_factor",
            "float16",
            ("frame", "free_coordinate", "mode"),
            "rad or m",
            "how far free coordinates may be off in each mode; their covariance is factor times its transpose",
            optional=True,
        ),
        Field(
            "deviation_correlation_s",
            "float64",
            ("mode",),
            "s",
            "over which a mode keeps its value; infinite for those that last through the clip",
            optional=True,
        ),
    ),
)


def write_ik_solution(path: Path, solution: IkSolution, *, provenance: Mapping[str, Any]) -> None:
    """Write a solution atomically."""
    attributes = {"solver": solution.solver, "rate_hz": solution.rate_hz}
    write_described(path, SCHEMA, fields=_fields(solution), attributes=attributes, provenance=provenance)


@contextmanager
def open_ik_writer(
    path: Path, *, n_rows: int, solver: str, rate_hz: float, provenance: Mapping[str, Any], is_whole: bool = True
) -> Iterator[Callable[[IkSolution], None]]:
    """Write a long solution atomically; yields a function that appends the solution of the next rows."""
    attributes = {"solver": solver, "rate_hz": rate_hz}
    # Of angles only, little can be packed away: the quickest way is as good as any.
    way = FLOATS if is_whole else SMOOTH_FLOATS
    with open_row_writer(
        path, SCHEMA, axis=_ROW, n_rows=n_rows, attributes=attributes, provenance=provenance, way=way
    ) as append:
        yield lambda solution: append(_fields(solution))


def _fields(solution: IkSolution) -> dict[str, Any]:
    # The schema's names are those of the record: one table drives both.
    names = [item.name for item in SCHEMA.fields]
    return {name: getattr(solution, name) for name in names if solution.is_whole or name not in WHOLE}


@reads("an IK solution", "make it again")
def read_ik_solution(path: Path, rows: slice = slice(None), *, without: Collection[str] = ()) -> IkSolution:
    """Read a solution, or some of its rows; arrays stored in single precision come back as float64.

    Args:
        path: the file.
        rows: which rows.
        without: optional fields to leave out, as if the file had none.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is not an IK solution, of a newer version, or damaged.
    """
    wanted = [item.name for item in SCHEMA.fields if item.name not in without]
    content = read_described(path, SCHEMA, rows=(_ROW, rows), only=wanted)
    # Solvers and geometry compute in double precision; single is for the disk only.
    values = {name: _widened(value) for name, value in content.fields.items()}
    values |= _none_of_them(content, path)
    # Poses may be absent, the clock never is.
    check_finite(values["times_s"], what="times_s", where=str(path))
    return IkSolution(solver=str(content.attributes["solver"]), rate_hz=float(content.attributes["rate_hz"]), **values)


@reads("an IK solution", "make it again")
def count_ik_rows(path: Path) -> int:
    """Return how many rows a solution has; raise MissingError or InputError as `read_ik_solution` does."""
    # One small field is enough to count rows.
    return len(read_described(path, SCHEMA, only=("statuses",)).fields["statuses"])


@reads("an IK solution", "make it again")
def read_ik_provenance(path: Path) -> Mapping[str, Any]:
    """Return who made a solution from what: `model` is the file it was solved with.

    Raises:
        MissingError: there is no such file.
        InputError: as `read_ik_solution`.
    """
    return read_described(path, SCHEMA, only=()).provenance


def _none_of_them(content: DescribedFile, path: Path) -> dict[str, Any]:
    """Return the fields of a solution of angles only, without entries; nothing for a whole one."""
    missing = [name for name in WHOLE if content.fields.get(name) is None]
    if missing and len(missing) < len(WHOLE):
        raise InputError(
            path,
            expected="all of markers, bodies and joints, or none of them",
            got=f"a file without {list_names(missing)}",
            remedy="the file is damaged: make it again",
        )
    n = len(content.fields["times_s"])
    empty = {
        item.name: [length if isinstance(length, int) else n if length == _ROW else 0 for length in item.dims]
        for item in SCHEMA.fields
        if item.name in missing
    }
    return {name: () if name.endswith("_names") else np.empty(shape) for name, shape in empty.items()}


def _widened(value: Any) -> Any:
    return value.astype(np.float64) if isinstance(value, np.ndarray) and value.dtype == np.float32 else value
