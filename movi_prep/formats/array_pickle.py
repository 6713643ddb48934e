"""Pickles of plain numpy arrays: read without running code, written for any numpy.

A pickle may name any function to be called while it is read. This reader knows only what numpy needs to rebuild an
array; whatever else a file names is refused before anything is called.
"""

from __future__ import annotations

import pickle
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import InputError
from movi_prep.formats.reading import check_real, reading

if TYPE_CHECKING:
    from pathlib import Path

_ARRAY_PARTS = {"_reconstruct", "_frombuffer", "scalar"}


def read_array_pickle(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Return the dict of numeric arrays that a pickle holds.

    Raises:
        InputError: the file is not a pickle, names anything but numpy's array parts, or holds something else.
    """
    remedy = "fetch the file again, or use the .npz of the same camera"
    content = load_array_pickle(path.read_bytes(), where=str(path), remedy=remedy)
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise InputError(path, expected="a pickled dict of arrays", got=f"a {kind}", remedy=remedy)
    arrays = {str(name): np.asarray(value) for name, value in content.items()}
    for name, array in arrays.items():
        check_real(array.dtype, where=path, name=name, remedy=remedy)
    return arrays


def load_array_pickle(content: bytes, *, where: str, remedy: str) -> Any:
    """Return what a pickle of plain containers and numpy arrays holds.

    Raises:
        InputError: it is not a pickle, or names anything but numpy's array parts.
    """
    with reading(where, expected="a pickle of plain numpy arrays", remedy=remedy):
        return _ArrayUnpickler(BytesIO(content), encoding="latin1").load()


def dump_array_pickle(value: Any) -> bytes:
    """Return a pickle of plain containers and arrays that every numpy loads.

    numpy 2 calls its core `numpy._core`, which numpy before 1.26 does not have; all of them know the old name.
    """
    # Protocol 3 names a function in a line of text of its own, so that nothing around it counts its length.
    return pickle.dumps(value, protocol=3).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


class _ArrayUnpickler(pickle.Unpickler):
    """Finds the parts of numpy arrays, under the old and the new name of numpy's core, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        parts = module.split(".")
        if parts[0] == "numpy" and parts[-1] in ("multiarray", "numeric") and name in _ARRAY_PARTS:
            return _array_part(name)
        # Protocols 0 to 2 of Python 3 write bytes as an encoded string.
        if (module, name) == ("_codecs", "encode"):
            return _encode_latin1
        raise pickle.UnpicklingError(f"a call of {module}.{name}, which an array does not need")


def _encode_latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes encoded as {encoding!r}")
    return text.encode("latin1")


def _array_part(name: str) -> Any:
    """Take numpy's own function out of how it pickles an array: its module was renamed between versions."""
    if name == "_reconstruct":
        return np.zeros(1).__reduce__()[0]
    if name == "scalar":
        return np.float64(0).__reduce__()[0]
    return np.zeros(1).__reduce_ex__(5)[0]
