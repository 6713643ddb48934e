"""Pickles as Python 2 wrote them (protocol 2, text and bytes alike as strings): body models, 3DPW, EMDB.

Python 3 writes bytes in another way, so the stream is written here, opcode by opcode (Python's `pickletools`).
"""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Instance:
    """An instance of a class of another package, by its name and its attributes."""

    module: str
    name: str
    attributes: dict[str, Any]


def ch(values: np.ndarray) -> Instance:
    """Return chumpy's leaf, as body models hold it."""
    return Instance("chumpy.ch", "Ch", {"x": values, "_dirty_vars": [], "_status": "new"})


def select(values: np.ndarray, n_last: int) -> Instance:
    """Return chumpy's `ch(values)[..., :n_last]`."""
    chosen = np.arange(values.size).reshape(values.shape)[..., :n_last]
    return Instance(
        "chumpy.reordering",
        "Select",
        {"a": ch(values), "idxs": chosen.ravel(), "preferred_shape": chosen.shape, "_itr": None},
    )


def csc(values: np.ndarray) -> Instance:
    """Return scipy's matrix by columns."""
    columns, rows = np.nonzero(values.T)
    ends = np.concatenate([[0], np.cumsum(np.bincount(columns, minlength=values.shape[1]))])
    return Instance(
        "scipy.sparse.csc",
        "csc_matrix",
        {
            "_shape": values.shape,
            "data": values[rows, columns],
            "indices": rows.astype(np.int32),
            "indptr": ends.astype(np.int32),
            "maxprint": 50,
        },
    )


def write_python2_pickle(path: Path, value: Any) -> Path:
    """Write a value of plain containers, numbers, text, arrays and instances."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.PROTO + b"\x02" + _dump(value) + pickle.STOP)
    return path


def _dump(value: Any) -> bytes:
    if isinstance(value, np.ndarray | np.generic | _Dtype | _Global | Instance):
        return _dump_object(value)
    if isinstance(value, tuple | list | dict):
        return _container(value)
    if value is None or isinstance(value, bool):
        return {None: pickle.NONE, True: pickle.NEWTRUE, False: pickle.NEWFALSE}[value]
    if isinstance(value, int):
        return pickle.BININT + struct.pack("<i", value)
    if isinstance(value, float):
        return pickle.BINFLOAT + struct.pack(">d", value)
    text = value.encode("latin1") if isinstance(value, str) else value
    return pickle.BINSTRING + struct.pack("<i", len(text)) + text


def _dump_object(value: Any) -> bytes:
    if isinstance(value, np.generic):
        parts = _dump((_Dtype(value.dtype), value.tobytes()))
        return _global("numpy.core.multiarray", "scalar") + parts + pickle.REDUCE
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, _Dtype):
        return _dtype(value.dtype)
    if isinstance(value, _Global):
        return _global(value.module, value.name)
    new = _global(value.module, value.name) + pickle.EMPTY_TUPLE + pickle.NEWOBJ
    return new + _dump(value.attributes) + pickle.BUILD


def _container(value: Any) -> bytes:
    if isinstance(value, tuple):
        return pickle.MARK + b"".join(map(_dump, value)) + pickle.TUPLE
    if isinstance(value, list):
        return pickle.EMPTY_LIST + pickle.MARK + b"".join(map(_dump, value)) + pickle.APPENDS
    items = b"".join(_dump(key) + _dump(item) for key, item in value.items())
    return pickle.EMPTY_DICT + pickle.MARK + items + pickle.SETITEMS


@dataclass(frozen=True)
class _Dtype:
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class _Global:
    module: str
    name: str


def _global(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode("ascii")


def _dtype(dtype: np.dtype[Any]) -> bytes:
    order = "|" if dtype.itemsize == 1 or dtype.kind == "S" else "<"
    made = _global("numpy", "dtype") + _dump((dtype.str[1:], 0, 1)) + pickle.REDUCE
    return made + _dump((3, order, None, None, None, -1, -1, 0)) + pickle.BUILD


def _array(values: np.ndarray) -> bytes:
    empty = _global("numpy.core.multiarray", "_reconstruct")
    made = empty + _dump((_Global("numpy", "ndarray"), (0,), b"b")) + pickle.REDUCE
    content = np.ascontiguousarray(values).tobytes()
    return made + _dump((1, values.shape, _Dtype(values.dtype), False, content)) + pickle.BUILD
