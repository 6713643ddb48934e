"""The structure of a MATLAB v5 file, walked before its values are read: how deep, how many, how large.

scipy reads a cell in a cell by recursion in C, which ends the process where cells are nested deep, and allocates what
dimensions say. Here the elements are walked without recursion, and what no real file holds is refused.

| element | layout |
|---|---|
| header | 116 bytes text, 8 bytes offset of subsystem data, 2 bytes version, `IM` or `MI` |
| tag | type u4, bytes u4; or, packed into four bytes, bytes u2 and type u2, with up to four bytes of data |
| matrix (14) | flags, dimensions, name, and then values or further matrices |
| compressed (15) | one zlib stream that holds one matrix |

Source: "MAT-File Format", The MathWorks; levels 5 and up.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, BinaryIO, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEEPEST = 32
"""Deepest nesting of matrices that is read; BML-MoVi's files have 5 levels."""

_HEADER_BYTES = 128
# A header of version 4 is five integers; its type is at most 4 thousands, hundreds, tens and ones.
_HEAD_4_BYTES, _TYPES_4 = 20, 5000
_INT32, _MATRIX, _COMPRESSED, _UINT32 = 5, 14, 15, 6
_CELL, _STRUCT, _OBJECT = 1, 2, 3
_PACKED_BYTES = 2**16


def mat_version(path: Path) -> Literal["4", "5", "HDF5", "none"]:
    """Return which version of MATLAB's format a file has, from its first bytes.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    # Version 7.3 is HDF5 behind a header of its own; what other programs save as HDF5 has none.
    if head.startswith((b"\x89HDF", b"MATLAB 7.3")):
        return "HDF5"
    if head[126:128] in (b"IM", b"MI"):
        return "5"
    # Version 4 begins with a type of four decimal digits, `MOPT`, where text has letters.
    is_4 = len(head) >= _HEAD_4_BYTES and any(struct.unpack_from(f"{o}i", head)[0] in range(_TYPES_4) for o in "<>")
    return "4" if is_4 and head.strip(b"\0") else "none"


@dataclass
class _Matrix:
    """A matrix that is being walked.

    Attributes:
        end: where it ends, bytes from the start of its stream.
        kind: class of the array, None until its flags are read.
        n_entries: product of its dimensions, None until they are read.
        n_parts: matrices found in it.
    """

    end: int
    kind: int | None = None
    n_entries: int | None = None
    n_parts: int = 0


def check_mat_structure(path: Path) -> None:
    """Raise ValueError where a v5 file holds what no real file holds; files of other layouts are passed over.

    Raises:
        ValueError: cells or structs are nested too deep, a part is longer than the whole, or numbers of cells are not
            those that are there.
        OSError: the file cannot be read.
    """
    n_bytes = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
        order = {b"IM": "<", b"MI": ">"}.get(head[126:128])
        # Version 4, version 7.3 and what is no MATLAB file at all: their readers say so.
        # Version 2 (HDF5) is `\0\2` or `\2\0` by the byte order; stripped of zeros both are one.
        if len(head) < _HEADER_BYTES or order is None or head[124:126].strip(b"\0") == b"\2":
            return
        at = _HEADER_BYTES
        while at + 8 <= n_bytes:
            file.seek(at)
            kind, length = struct.unpack(f"{order}II", file.read(8))
            if at + 8 + length > n_bytes:
                raise ValueError(f"an element of {length} bytes at byte {at}, where {n_bytes - at - 8} are left")
            if kind == _COMPRESSED:
                _Walk(_inflated(file, length), order).walk()
            elif kind == _MATRIX:
                file.seek(at)
                _Walk(_plain(file, length + 8), order).walk()
            # The length of a top-level element counts its padding, unlike that of an element inside it.
            at += 8 + length


class _Walk:
    """One top-level matrix, read from a stream of bytes that may only be read forward."""

    def __init__(self, read: Callable[[int], bytes], order: str) -> None:
        self._read, self._order = read, order
        self._at = 0
        self._open: list[_Matrix] = []

    def walk(self) -> None:
        """Walk all elements of the matrix."""
        self._element(end=None)
        while self._open:
            top = self._open[-1]
            if self._at < top.end:
                self._element(end=top.end)
            elif self._at > top.end:
                raise ValueError("a part that is longer than the whole it lies in")
            else:
                _check_count(self._open.pop())

    def _element(self, *, end: int | None) -> None:
        first, told = self._unpack("II")
        length: int | None = told
        if first >= _PACKED_BYTES:
            # Type and length share four bytes, the data are the other four.
            kind, data = first % _PACKED_BYTES, struct.pack(f"{self._order}I", told)[: first // _PACKED_BYTES]
            length = None
        else:
            kind, data = first, b""
        if length is not None and end is not None and self._at + length > end:
            raise ValueError("a part that is longer than the whole it lies in")
        if kind == _MATRIX and length is not None:
            self._enter(length)
            return
        if length is not None:
            data = self._skip(length)
        if self._open:
            self._note(self._open[-1], kind, data)

    def _enter(self, length: int) -> None:
        if self._open:
            self._open[-1].n_parts += 1
        # A list in place of a recursion: depth is limited here and not by the stack.
        self._open.append(_Matrix(end=self._at + length))
        if len(self._open) > DEEPEST:
            raise ValueError(f"cells or structs nested deeper than {DEEPEST}, which nothing real is")

    def _note(self, matrix: _Matrix, kind: int, data: bytes) -> None:
        """Keep class and dimensions of a matrix: its first two elements."""
        if matrix.kind is None and kind == _UINT32 and data:
            # The class is the lowest byte of the flags; the others say complex, global and logical.
            matrix.kind = struct.unpack_from(f"{self._order}I", data)[0] & 0xFF
        elif matrix.n_entries is None and kind == _INT32:
            lengths = struct.unpack_from(f"{self._order}{len(data) // 4}i", data)
            # A product of two negative lengths would look like a size.
            if any(length < 0 for length in lengths):
                raise ValueError(f"dimensions {lengths[:8]}")
            matrix.n_entries = prod(lengths)

    def _skip(self, length: int) -> bytes:
        """Read past an element and its padding; return its beginning."""
        padded = length + -length % 8
        # 64 bytes hold the flags, and the lengths of sixteen axes; nothing else of an element is looked at.
        kept = self._take(min(padded, 64))
        left = padded - len(kept)
        while left > 0:
            left -= len(self._take(min(left, 2**20)))
        return kept[:length]

    def _unpack(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(f"{self._order}{layout}", self._take(struct.calcsize(layout)))

    def _take(self, length: int) -> bytes:
        data = self._read(length)
        if len(data) != length:
            raise ValueError("a file that ends in the middle of an array")
        self._at += length
        return data


def _check_count(matrix: _Matrix) -> None:
    """Raise ValueError where a cell or struct says that it has other parts than are there."""
    n_entries = matrix.n_entries or 0
    if matrix.kind == _CELL and matrix.n_parts != n_entries:
        raise ValueError(f"{matrix.n_parts} cells, where the dimensions say {n_entries}")
    # Each entry of a struct has one part for each field; an array of numbers has no parts.
    if matrix.kind in (_STRUCT, _OBJECT) and (matrix.n_parts % n_entries if n_entries else matrix.n_parts):
        raise ValueError(f"{matrix.n_parts} fields in {n_entries} structs")


def _plain(file: BinaryIO, length: int) -> Callable[[int], bytes]:
    # A list, because the inner function counts it down.
    left = [length]

    def read(n_bytes: int) -> bytes:
        data = file.read(min(n_bytes, left[0]))
        left[0] -= len(data)
        return data

    return read


def _inflated(file: BinaryIO, length: int) -> Callable[[int], bytes]:
    packed, stream, ready = _plain(file, length), zlib.decompressobj(), bytearray()

    def read(n_bytes: int) -> bytes:
        while len(ready) < n_bytes and not stream.eof:
            raw = stream.unconsumed_tail or packed(2**16)
            if not raw:
                break
            # At most a megabyte at a time: a few packed bytes can stand for gigabytes of zeros.
            ready.extend(stream.decompress(raw, 2**20))
        data = bytes(ready[:n_bytes])
        del ready[:n_bytes]
        return data

    return read
