"""Arrays out of .npz archives: never unpickled, whole or in blocks of rows, damage told in one line.

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
import zlib
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy_format

from movi_prep.errors import InputError, MissingError, list_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import IO, Self

    from numpy.typing import NDArray

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)
"""What zipfile, zlib and numpy raise for files that are cut short, changed or not archives at all."""


class NpzArchive:
    """An open .npz file; a context manager.

    Attributes:
        path: the file.
        names: names of its arrays, in the file's order.

    Raises:
        MissingError: there is no such file.
        InputError: it is not a zip archive, or is cut short.
    """

    def __init__(self, path: Path) -> None:
        """Open the archive and read its directory."""
        if not path.is_file():
            raise MissingError(path, expected="an .npz file", got="no file", remedy="check the path")
        self.path = path
        # A file of our own: zipfile would keep its one open for as long as a half-read member lives.
        self._file = path.open("rb")
        try:
            with self._damage_told("archive"):
                self._zip = zipfile.ZipFile(self._file)
        except InputError:
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

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array; only its header is read."""
        with self._member(name) as member:
            return self._read_header(member, name)[0]

    def read(self, name: str) -> NDArray[Any]:
        """Return a whole array; raise InputError where it is missing, pickled or damaged."""
        with self._member(name) as member:
            shape, fortran_order, dtype = self._read_header(member, name)
            values = self._read_values(member, name, dtype, prod(shape))
        # A member in Fortran order holds the transposed array in C order.
        return values.reshape(shape[::-1]).T if fortran_order else values.reshape(shape)

    def blocks(self, name: str, n_rows: int) -> Iterator[NDArray[Any]]:
        """Yield the array in blocks of `n_rows` rows (the last one shorter), first axis first."""
        with self._member(name) as member:
            shape, fortran_order, dtype = self._read_header(member, name)
            if fortran_order:
                # Rows are scattered over the whole member: no way to read a part of them.
                whole = self.read(name)
                yield from (whole[first : first + n_rows] for first in range(0, shape[0], n_rows))
                return
            for first in range(0, shape[0], n_rows):
                rows = min(n_rows, shape[0] - first)
                values = self._read_values(member, name, dtype, rows * prod(shape[1:]))
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
        with self._damage_told(name), self._zip.open(f"{name}.npy") as member:
            yield member

    def _read_header(self, member: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        version = npy_format.read_magic(member)
        # Version 1.0 gives the length of its header in two bytes, later ones in four.
        width = 2 if version == (1, 0) else 4
        length = member.read(width)
        shape, fortran_order, dtype = _parse_header(version, length + member.read(int.from_bytes(length, "little")))
        if dtype.hasobject:
            raise InputError(
                f"{self.path}: {name}",
                expected="a plain array",
                got="pickled Python objects, which are never unpickled because that can run code",
                remedy="fetch the file from its source again, or save the array with a plain dtype",
            )
        return shape, fortran_order, dtype

    def _read_values(self, member: IO[bytes], name: str, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        raw = member.read(count * dtype.itemsize)
        # A member that holds less than its header says is no error to zipfile.
        if len(raw) != count * dtype.itemsize:
            raise EOFError(f"{len(raw)} of {count * dtype.itemsize} bytes of {name!r}")
        return np.frombuffer(raw, dtype=dtype, count=count)

    @contextmanager
    def _damage_told(self, what: str) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            raise InputError(
                self.path,
                expected=f"a whole .npz archive (reading {what!r})",
                got=f"a damaged or cut one ({error})",
                remedy="fetch the file again",
            ) from error


@lru_cache(maxsize=256)
def _parse_header(version: tuple[int, int], header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, Fortran order and dtype of a header; clips share most of theirs, and parsing one is slow."""
    read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    return read(BytesIO(header))
