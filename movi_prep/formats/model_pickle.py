"""Body models as pickles of Python 2 (`SMPL_NEUTRAL.pkl`, `basicmodel_m_lbs_10_207_0_v1.1.0.pkl`), read as data.

Their arrays are numpy's, or instances of two packages. These instances are read without the packages' code:

| instance | attributes | array |
|---|---|---|
| `chumpy.ch.Ch` | `x` | x |
| `chumpy.reordering.Select` | `a`, `idxs`, `preferred_shape` | `a.ravel()[idxs].reshape(preferred_shape)` |
| `scipy.sparse` csc, csr | `data`, `indices`, `indptr`, `_shape` | one column (csc) or row (csr) after the other |
| `scipy.sparse` coo | `data`, `row`, `col`, `_shape` | entries |

Only the arrays that a reader asks for are read; others (`J_transformed`, a formula of chumpy) are passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import InputError
from movi_prep.formats.array_pickle import take_from_pickle
from movi_prep.formats.plain_pickle import Foreign

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from numpy.typing import NDArray

_DATA_OF = ("chumpy", "scipy")
_MOST_ENTRIES = 2**28
"""Entries of a dense matrix; the largest of a body model has half a million."""


def read_model_pickle(path: Path, names: Collection[str]) -> dict[str, NDArray[Any]]:
    """Return those of the arrays `names` that a pickled body model has.

    Raises:
        MissingError: there is no such file.
        InputError: it is no pickle of a dictionary, or holds an array of an unknown kind; says how to convert it.
    """

    def take(content: Any) -> dict[str, NDArray[Any]]:
        table = _table(content, path)
        # Only what is asked for travels back through the pipe from the process that reads.
        return {name: _array(table[name], f"{path}: {name}") for name in names if name in table}

    return take_from_pickle(path, take, remedy=how_to_convert(path), data_of=_DATA_OF)


def model_pickle_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the entries of a pickled body model by name; raise as `read_model_pickle` does."""

    def take(content: Any) -> dict[str, tuple[int, ...]]:
        table = _table(content, path)
        return {name: _shape(value) for name, value in table.items()}

    return take_from_pickle(path, take, remedy=how_to_convert(path), data_of=_DATA_OF)


def how_to_convert(path: Path) -> str:
    """Return the three lines that write a body model as .npz, where its own packages are installed."""
    names = "v_template f shapedirs posedirs J_regressor weights kintree_table"
    return (
        "convert it where chumpy and scipy are installed, in Python: "
        f"import pickle, numpy as np; m = pickle.load(open({path.name!r}, 'rb'), encoding='latin1'); "
        f"np.savez({path.stem + '.npz'!r}, **{{k: np.array(m[k].todense() if hasattr(m[k], 'todense') else m[k]) "
        f"for k in {names!r}.split()}})"
    )


def _table(content: Any, path: Path) -> dict[str, Any]:
    if isinstance(content, dict):
        return {str(name): value for name, value in content.items()}
    raise InputError(
        path, expected="a pickled dictionary of arrays", got=f"a {type(content).__name__}", remedy="fetch it again"
    )


def _shape(value: Any) -> tuple[int, ...]:
    """Return the shape of an array without making it, or () for anything else."""
    if isinstance(value, np.ndarray):
        return tuple(value.shape)
    if isinstance(value, Foreign):
        stated: Any = value.attributes.get("preferred_shape", value.attributes.get("_shape"))
        return tuple(map(int, stated)) if isinstance(stated, tuple | list) else _shape(value.attributes.get("x"))
    return ()


def _array(value: Any, where: str) -> NDArray[Any]:
    """Return the array that a value of a pickled model stands for."""
    if isinstance(value, np.ndarray):
        return value
    kind = f"{value.module}.{value.name}" if isinstance(value, Foreign) else type(value).__name__
    if isinstance(value, Foreign):
        parts = value.attributes
        if kind == "chumpy.ch.Ch" and "x" in parts:
            return _array(parts["x"], where)
        if kind == "chumpy.reordering.Select":
            # chumpy, reordering.py, Select.compute_r
            chosen = _array(parts["a"], where).ravel()[np.asarray(parts["idxs"], dtype=np.int64)]
            return chosen.reshape(parts["preferred_shape"]) if "preferred_shape" in parts else chosen
        if value.module.startswith("scipy.sparse") and value.name[:3] in ("csc", "csr", "coo"):
            return _dense(value.name[:3], parts, where)
    raise InputError(
        where,
        expected="an array, or one of chumpy's Ch and Select or scipy's sparse matrices",
        got=kind,
        remedy=how_to_convert(_file_of(where)),
    )


def _dense(kind: str, parts: dict[str, Any], where: str) -> NDArray[np.float64]:
    """Return a sparse matrix as a dense one (scipy.sparse: csc, csr and coo)."""
    rows, columns = (int(length) for length in parts.get("_shape", parts.get("shape", ())))
    # Before `zeros`: a damaged shape could ask for any amount of memory.
    if not 0 < rows * columns <= _MOST_ENTRIES:
        raise InputError(where, expected="a matrix", got=f"one of {rows} x {columns}", remedy="fetch the model again")
    if kind == "coo":
        at = (np.asarray(parts["row"]), np.asarray(parts["col"]))
    else:
        # The line of an entry follows from the places at which lines begin.
        ends: NDArray[np.int64] = np.asarray(parts["indptr"], dtype=np.int64)
        counts = ends[1:] - ends[:-1]
        if (lines := columns if kind == "csc" else rows) != len(counts):
            raise InputError(where, expected=f"{lines} lines", got=f"{len(counts)}", remedy="fetch the model again")
        line = np.repeat(np.arange(lines), counts)
        at = (np.asarray(parts["indices"]), line) if kind == "csc" else (line, np.asarray(parts["indices"]))
    dense = np.zeros((rows, columns))
    # Entries of one place add up, as scipy has it; an assignment would keep the last one.
    np.add.at(dense, at, np.asarray(parts["data"], dtype=np.float64))
    return dense


def _file_of(where: str) -> Path:
    from pathlib import Path

    return Path(where.rpartition(": ")[0])
