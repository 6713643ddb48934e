"""Arrays from .npz archives, whole or in blocks of rows. Nothing is unpickled; damage becomes one InputError.

An .npz is a zip of .npy members. `numpy.load` reads a member as a whole; a long clip is read here in blocks, so that
memory does not grow with its length.

| member part | content |
|---|---|
| magic, version | `\\x93NUMPY`, 1.0 or later |
| header | dtype, Fortran or C order, shape |
| data | the values, C order unless the header says otherwise |
"""

from __future__ import annotations

import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy_format

from movi_prep.errors import InputError, MissingError, list_names
from movi_prep.formats.reading import HIGHEST_RATIO, check_real, reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType
    from typing import IO, Self

    from numpy.typing import NDArray

_CHECKED_BYTES = 2**20
"""Bytes in memory at a time while an array is only checked."""


@dataclass(frozen=True)
class ArrayHeader:
    """The header of an array."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]

    @property
    def n_bytes(self) -> int:
        """Bytes of its values."""
        return prod(self.shape) * self.dtype.itemsize


class NpzArchive:
    """An open .npz file; a context manager.

    Attributes:
        path: the file.
        names: names of its arrays, in the file's order.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is not a zip archive, or is cut short.
    """

    def __init__(self, path: Path) -> None:
        """Open the archive and read its directory."""
        self.path = path
        with self._reading("directory"):
            if not path.is_file():
                raise MissingError(path, expected="an .npz file", got="no file", remedy="check the path")
            # A file of our own: zipfile would keep its one open for as long as a half-read member lives.
            self._file = path.open("rb")
            self._n_bytes = path.stat().st_size
        try:
            with self._reading("directory"):
                self._zip = zipfile.ZipFile(self._file)
        except InputError:
            # `__exit__` does not run where the constructor raises.
            self._file.close()
            raise
        self.names = tuple(name.removesuffix(".npy") for name in self._zip.namelist())

    def __enter__(self) -> Self:
        """Return the archive itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._zip.close()
        self._file.close()

    def __contains__(self, name: str) -> bool:
        """Return whether there is an array of this name."""
        return name in self.names

    def header(self, name: str) -> ArrayHeader:
        """Return shape and dtype of an array; nothing else of it is read."""
        with self._member(name) as member:
            return self._read_header(member, name)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array; only its header is read."""
        return self.header(name).shape

    def check(self, name: str) -> ArrayHeader:
        """Read an array without keeping it, and return its header; raise InputError where it is damaged."""
        with self._member(name) as member:
            header = self._read_header(member, name)
            # zipfile compares the checksum when it reaches the end of a member, and only then.
            while member.read(_CHECKED_BYTES):
                pass
            return header

    def read(self, name: str) -> NDArray[Any]:
        """Return a whole array of any dtype; raise InputError where it is missing, pickled or damaged."""
        with self._member(name) as member:
            header = self._read_header(member, name)
            values = self._read_values(member, name, header.dtype, prod(header.shape))
            # A member in Fortran order holds the transposed array in C order.
            return values.reshape(header.shape[::-1]).T if header.fortran_order else values.reshape(header.shape)

    def numbers(self, name: str, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
        """Return a whole array of real numbers; raise InputError for any other, or another shape, before it is read."""
        # Twice opened, once read: a wrong shape or dtype is refused before gigabytes are read.
        header = self.header(name)
        check_real(header.dtype, where=self.path, name=name)
        if shape is not None and header.shape != shape:
            raise InputError(
                self.path,
                expected=f"{name} of shape {shape}",
                got=f"shape {header.shape}",
                remedy="check that this is the file it should be",
            )
        return self.read(name)

    def blocks(self, name: str, n_rows: int) -> Iterator[NDArray[Any]]:
        """Yield an array of real numbers in blocks of `n_rows` rows (the last one shorter), first axis first."""
        with self._member(name) as member:
            header = self._read_header(member, name)
            check_real(header.dtype, where=self.path, name=name)
            shape = header.shape
            if header.fortran_order:
                # Rows are scattered over the whole member: no way to read a part of them.
                whole = self.read(name)
                yield from (whole[first : first + n_rows] for first in range(0, shape[0], n_rows))
                return
            for first in range(0, shape[0], n_rows):
                rows = min(n_rows, shape[0] - first)
                values = self._read_values(member, name, header.dtype, rows * prod(shape[1:]))
                yield values.reshape(rows, *shape[1:])

    @contextmanager
    def _member(self, name: str) -> Iterator[IO[bytes]]:
        if name not in self.names:
            raise InputError(
                self.path,
                expected=f"an array {name!r}",
                got=f"only {list_names(self.names)}",
                remedy="check that this is the file it should be",
            )
        with self._reading(name):
            info = self._zip.getinfo(f"{name}.npy")
            # Both sizes come from the archive's directory, which may lie; the size of the file does not.
            if info.file_size > HIGHEST_RATIO * min(info.compress_size, self._n_bytes):
                raise InputError(
                    f"{self.path}: {name}",
                    expected="an array that the file can hold",
                    got=f"{info.file_size} bytes, packed into {info.compress_size}, in a file of {self._n_bytes}",
                    remedy="fetch the file again",
                )
            with self._zip.open(info) as member:
                yield member

    def _read_header(self, member: IO[bytes], name: str) -> ArrayHeader:
        version = npy_format.read_magic(member)
        # Version 1.0 gives the length of its header in two bytes, later ones in four.
        width = 2 if version == (1, 0) else 4
        length = member.read(width)
        # The bytes of the header are the key of the cache: equal headers are parsed once.
        header = _parse_header(version, length + member.read(int.from_bytes(length, "little")))
        if header.dtype.hasobject:
            raise InputError(
                f"{self.path}: {name}",
                expected="a plain array",
                got="pickled Python objects, which are never unpickled because that can run code",
                remedy="fetch the file from its source again, or save the array with a plain dtype",
            )
        if min(header.shape, default=0) < 0:
            raise InputError(
                f"{self.path}: {name}",
                expected="at least one sample (a length in a header is never negative)",
                got=f"shape {header.shape}",
                remedy="fetch the file again, or leave it out",
            )
        # Before anything is allocated: a header can ask for any amount of memory.
        there = self._zip.getinfo(f"{name}.npy").file_size
        if header.n_bytes > there:
            raise InputError(
                f"{self.path}: {name}",
                expected=f"the {header.n_bytes} bytes of shape {header.shape}",
                got=f"{there} bytes",
                remedy="fetch the file again",
            )
        return header

    def _read_values(self, member: IO[bytes], name: str, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        raw = member.read(count * dtype.itemsize)
        # A member that holds less than its header says is not an error to zipfile.
        if len(raw) != count * dtype.itemsize:
            raise EOFError(f"{len(raw)} of {count * dtype.itemsize} bytes of {name!r}")
        return np.frombuffer(raw, dtype=dtype, count=count)

    def _reading(self, what: str) -> AbstractContextManager[None]:
        return reading(self.path, expected=f"a whole .npz archive (reading {what!r})", remedy="fetch the file again")


@lru_cache(maxsize=256)
def _parse_header(version: tuple[int, int], header: bytes) -> ArrayHeader:
    """Return shape, Fortran order and dtype of a header; clips share most of theirs, and parsing one is slow."""
    # Versions 2.0 and 3.0 differ in the encoding of names only, and plain arrays have none.
    read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    return ArrayHeader(*read(BytesIO(header)))
