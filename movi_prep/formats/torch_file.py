"""Files of `torch.save` (.pt, .pth), as GVHMR writes them: tensors as numpy arrays, without code or torch.

| member of the zip | content |
|---|---|
| `NAME/data.pkl` | a pickle; a tensor is a call of `_rebuild_tensor_v2`: storage, offset, size, stride |
| `NAME/data/KEY` | the bytes of a storage, not compressed |
| `NAME/byteorder` | `little`; absent in older files |

A storage is a persistent id: `("storage", torch.FloatStorage, KEY, place, length)`. Source: torch, `serialization.py`.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from movi_prep.errors import InputError
from movi_prep.formats.array_pickle import ArrayUnpickler, built
from movi_prep.formats.plain_pickle import check_opcodes
from movi_prep.formats.reading import reading

_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}


def load_torch(content: bytes, *, where: str, remedy: str) -> Any:
    """Return the content of a file of plain containers and tensors, these as arrays.

    Raises:
        InputError: it is damaged, of torch before 1.6, or names anything but the parts of tensors and arrays.
    """
    if not content.startswith(b"PK"):
        raise InputError(where, expected="a zip archive of torch.save", got="a file of another kind", remedy=remedy)
    with (
        reading(where, expected="tensors and plain containers", remedy=remedy),
        zipfile.ZipFile(BytesIO(content)) as file,
    ):
        (pickled,) = [name for name in file.namelist() if name.endswith("/data.pkl")]
        root = pickled.removesuffix("data.pkl")
        if f"{root}byteorder" in file.namelist() and _member(file, f"{root}byteorder") != b"little":
            raise ValueError("a file of a big-endian machine")
        stream = _member(file, pickled)
        check_opcodes(stream)
        return built(_TensorUnpickler(BytesIO(stream), file, root).load())


def _member(file: zipfile.ZipFile, name: str) -> bytes:
    # Not compressed, as torch writes them: no member can become larger than the file.
    if file.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed, which torch never does")
    return file.read(name)


class _Storage:
    """The stand-in of a class of storages."""

    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype)


class _Call:
    """The stand-in of a function that a pickle calls."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __setstate__(self, state: object) -> None:
        """Refuse a state: a function has none."""
        raise pickle.UnpicklingError("a state of a function")

    def __call__(self, *args: Any) -> Any:
        """Return what the function makes."""
        return self._make(*args)


class _TensorUnpickler(ArrayUnpickler):
    """An unpickler that also finds the parts of tensors, and nothing else."""

    def __init__(self, stream: BytesIO, file: zipfile.ZipFile, root: str) -> None:
        super().__init__(stream)
        self._file, self._root = file, root

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of a class or function; refuse names that could run code."""
        if module == "torch" and name in _STORAGES:
            return _Storage(_STORAGES[name])
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Call(_tensor)
        if (module, name) == ("torch", "Size"):
            return _Call(tuple)
        if (module, name) == ("collections", "OrderedDict"):
            return _Call(dict)
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> NDArray[Any]:
        """Return the values of a storage."""
        kind, storage, key, _, length = pid
        if kind != "storage" or not isinstance(storage, _Storage) or not str(key).isdecimal():
            raise ValueError("a reference to something that is no storage")
        values = np.frombuffer(_member(self._file, f"{self._root}data/{key}"), dtype=storage.dtype)
        if len(values) != length:
            raise ValueError(f"a storage of {len(values)} values where {length} are told")
        return values


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> NDArray[Any]:
    """Return a tensor: a view of its storage, copied."""
    numbers = (offset, *size, *stride)
    if not isinstance(storage, np.ndarray) or not all(isinstance(each, int) and each >= 0 for each in numbers):
        raise ValueError("a tensor without a storage, or with a negative length")
    # Before `as_strided`, which looks at no bounds.
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if 0 not in size and last >= len(storage):
        raise ValueError(f"a tensor that ends at value {last} of {len(storage)}")
    steps = tuple(step * storage.itemsize for step in stride)
    return np.array(as_strided(storage[offset:], size, steps, writeable=False))
