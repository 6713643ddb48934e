"""Pickles of joblib, as WHAM and PHALP write them, read without running code and without joblib.

| part | content |
|---|---|
| whole file | zlib or gzip, where joblib was asked to compress |
| pickle | as any other, but in place of each array a `NumpyArrayWrapper`: `shape`, `order`, `dtype` |
| after each wrapper | where it has `numpy_array_alignment_bytes`, n and n bytes of padding; the array's bytes |
| after that of an array of objects | a pickle of it |

Source: joblib, `numpy_pickle.py` (files of joblib 0.10 and later).
"""

from __future__ import annotations

import pickle
import zlib
from io import BytesIO
from math import prod
from typing import Any, ClassVar

from movi_prep.errors import InputError
from movi_prep.formats.array_pickle import ArrayUnpickler, Buffer, built
from movi_prep.formats.reading import reading

_COMPRESSED = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x1f\x8b")
"""First bytes of zlib, at four levels, and of gzip."""

_OTHER_WAYS = {b"BZ": "bzip2", b"\xfd7": "xz", b"]\x00": "lzma", b"\x04\x22": "lz4"}
_MOST_BYTES = 2 * 2**30
_ZLIB_OR_GZIP = 47
"""Window bits with which zlib takes either header."""


def is_joblib(content: bytes) -> bool:
    """Return whether a file is one of joblib, by its bytes."""
    return content[:2] in _COMPRESSED or content[:2] in _OTHER_WAYS or b"joblib.numpy_pickle" in content


def load_joblib(content: bytes, *, where: str, remedy: str) -> Any:
    """Return the content of a joblib file of plain containers and arrays.

    Raises:
        InputError: it is damaged, compressed in a rare way, or names anything but the parts of arrays.
    """
    if content[:2] in _OTHER_WAYS:
        got = f"one of {_OTHER_WAYS[content[:2]]}"
        raise InputError(where, expected="a joblib file, plain, of zlib or of gzip", got=got, remedy=remedy)
    with reading(where, expected="a joblib file of plain numpy arrays", remedy=remedy):
        plain = _inflated(content) if content[:2] in _COMPRESSED else content
        return built(_JoblibUnpickler(BytesIO(plain)).load())


def _inflated(content: bytes) -> bytes:
    stream = zlib.decompressobj(_ZLIB_OR_GZIP)
    plain = stream.decompress(content, _MOST_BYTES)
    if not stream.eof:
        raise ValueError("a compressed file that is cut short, or larger than 2 GB")
    return plain


class _Wrapper:
    """The stand-in of joblib's wrapper: its state says which array follows in the stream."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        """Keep the state as it is; `_array_after` looks at it."""
        self.state = state


# Python's own unpickler, not C's: only there an opcode can be followed by bytes that are none.
class _JoblibUnpickler(pickle._Unpickler):
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]

    def __init__(self, stream: BytesIO) -> None:
        super().__init__(stream, encoding="latin1")
        self._stream = stream
        self._known = ArrayUnpickler(BytesIO())

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of a class or function; refuse names that could run code."""
        if (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            return _Wrapper
        return self._known.find_class(module, name)

    def load_build(self) -> None:
        """Restore a state; that of a wrapper is followed by its array."""
        super().load_build()  # type: ignore[misc]
        if isinstance(self.stack[-1], _Wrapper):
            self.stack[-1] = self._array_after(self.stack[-1].state)

    dispatch[pickle.BUILD[0]] = load_build

    def _array_after(self, state: Any) -> Any:
        shape, dtype, order = state["shape"], state["dtype"], state["order"]
        plain = dtype.build()
        if plain.hasobject:
            # A pickle of its own inside this one.
            return type(self)(self._stream).load()
        if state.get("numpy_array_alignment_bytes") is not None:
            self._stream.read(self._stream.read(1)[0])
        # Whatever is missing at the end of a cut file shows when the array is built.
        raw = self._stream.read(prod(shape) * plain.itemsize)
        return Buffer((raw, dtype, shape, order))
