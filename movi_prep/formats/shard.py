"""Native shards: `S001_PG1.h5`, what camera PG1 saw of subject 1. The layout is `shard_schema.SHARD_SCHEMA`.

Besides what every described file carries, each dataset has the attribute `sha256`: of its values in C order,
little-endian, strings as their zero-padded bytes. From version 3 on the file has `metadata_sha256`: of all attributes,
those of the file and of every dataset, as JSON with sorted keys. Pictures follow each other in `crops/bytes`,
uncompressed beyond their own encoding; labels stand in chunks of rows, uncompressed, so that reading one row costs
one small read. Nothing is read through a link to elsewhere (`hdf5_links`).
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from movi_prep.errors import InputError, InternalError, MissingError, list_names, suggest
from movi_prep.formats.atomic import atomic_path, check_space
from movi_prep.formats.described_hdf5 import (
    STRING,
    check_dims,
    check_header,
    describe_dataset,
    write_field,
    write_header,
)
from movi_prep.formats.hdf5_files import open_hdf5
from movi_prep.formats.hdf5_links import foreign_parts, holds, own_dataset
from movi_prep.formats.shard_schema import SHARD_SCHEMA, TREE_FIELDS
from movi_prep.records.kinematic_tree import KinematicTree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType
    from typing import Self

    from numpy.typing import NDArray

    from movi_prep.formats.described_hdf5 import Field

PICTURES = "crops/bytes"

METADATA_SINCE = 3
"""First version of the layout in which a checksum covers the attributes."""

_PICTURE_CHUNK = 1 << 16
"""Bytes per chunk of pictures: about one picture, so that a read fetches little else."""

_FLUSH_BYTES = 1 << 22
"""Pictures go to HDF5 in portions of about this size."""

_CHUNK_CACHE = 0
"""Bytes of chunk cache per dataset of a reader: rows are read directly, and a worker holds hundreds of shards open."""

_WRITE_CACHE = 1 << 18
"""Bytes of chunk cache per dataset of a writer."""

_ROWS_PER_CHUNK = 64

_METADATA_CHECKSUM = "metadata_sha256"


class ShardWriter:
    """A writer that takes pictures one by one and labels at the end: memory does not grow with a video's length."""

    def __init__(self, file: h5py.File, folder: Path) -> None:
        """Start an empty shard in a file that is open for writing, in this folder."""
        self._file = file
        self._folder = folder
        self._pictures = file.create_dataset(
            PICTURES, shape=(0,), maxshape=(None,), chunks=(_PICTURE_CHUNK,), dtype="u1"
        )
        self._pending = bytearray()
        self._hash = hashlib.sha256()
        self._lengths: list[int] = []
        self.finished = False

    @property
    def n_pictures(self) -> int:
        """Number of pictures so far."""
        return len(self._lengths)

    def append_picture(self, encoded: NDArray[np.uint8]) -> None:
        """Take the next encoded picture, (length,) uint8."""
        content = encoded.tobytes()
        self._pending += content
        self._hash.update(content)
        self._lengths.append(len(content))
        if len(self._pending) >= _FLUSH_BYTES:
            # Whole chunks only: a chunk that is written twice is read back in between.
            self._flush(len(self._pending) // _PICTURE_CHUNK * _PICTURE_CHUNK)

    def finish(
        self,
        *,
        picture_of_row: NDArray[np.int64],
        fields: Mapping[str, Any],
        attributes: Mapping[str, Any],
        provenance: Mapping[str, Any],
    ) -> None:
        """Write everything but the pictures.

        Args:
            picture_of_row: (n,) int64, which picture, in the order they were appended, belongs to each row.
            fields: values by name of the schema; bytes, offsets and lengths of pictures are known here.
            attributes: the schema's scalars; None is stored as "".
            provenance: who made the shard from what.

        Raises:
            InternalError: the values do not fit the schema or each other.
        """
        self._flush(len(self._pending))
        check_space(self._folder, sum(np.asarray(value).nbytes for value in fields.values()))
        lengths = np.array(self._lengths, dtype=np.int64)
        offsets = np.cumsum(lengths) - lengths
        ours = {"crops/offset": offsets[picture_of_row], "crops/length": lengths[picture_of_row]}
        _check_names({**fields, **ours}, attributes)
        write_header(self._file, SHARD_SCHEMA, attributes=attributes, provenance=provenance)
        axes: dict[str, int] = {"row": len(picture_of_row)}
        for item in SHARD_SCHEMA.fields:
            if item.name == PICTURES:
                describe_dataset(self._pictures, item)
                self._pictures.attrs["sha256"] = self._hash.hexdigest()
            elif item.name in fields or item.name in ours:
                self._write_field(item, fields.get(item.name, ours.get(item.name)), axes)
        # Last of all: it covers every attribute, those of the pictures included.
        self._file.attrs[_METADATA_CHECKSUM] = _metadata_sha256(self._file)
        self.finished = True

    def _flush(self, n_bytes: int) -> None:
        check_space(self._folder, n_bytes)
        start = self._pictures.shape[0]
        self._pictures.resize((start + n_bytes,))
        # The view must be gone before the bytes under it are deleted.
        with memoryview(self._pending) as pending:
            self._pictures[start:] = np.frombuffer(pending[:n_bytes], dtype=np.uint8)
        del self._pending[:n_bytes]

    def _write_field(self, item: Field, value: Any, axes: dict[str, int]) -> None:
        # Rows are read one at a time, in any order; what is not by row is read once, as a whole.
        if item.dims[0] == "row":
            array = np.asarray(value, dtype=item.dtype)
            check_dims(item, array.shape, axes)
            chunks = (max(1, min(_ROWS_PER_CHUNK, len(array))), *array.shape[1:])
            dataset = self._file.create_dataset(item.name, data=array, chunks=chunks)
            describe_dataset(dataset, item)
        else:
            dataset = write_field(self._file, item, value, axes)
        # The checksum of the values read back, not of those written: HDF5 may have converted them.
        dataset.attrs["sha256"] = _sha256(dataset[()])


@contextmanager
def open_shard_writer(path: Path) -> Iterator[ShardWriter]:
    """Write a shard under a temporary name; it gets its final name when the block ends, if `finish` was called."""
    with atomic_path(path) as partial, open_hdf5(partial, "w", rdcc_nbytes=_WRITE_CACHE) as file:
        writer = ShardWriter(file, path.parent)
        yield writer
        if not writer.finished:
            raise InternalError(f"{path}: the shard was not finished")


class ShardFile:
    """A shard that opens its file at the first read, and again in every process that receives it.

    A file handle of HDF5 does not survive a fork, and cannot be pickled for a spawned process; the path can.
    Files are read without locks: a shard under its final name never changes, and network file systems often cannot
    lock.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path | str) -> None:
        """Remember the file; nothing is opened yet."""
        self.path = Path(path)
        self._file: h5py.File | None = None
        self._process = -1
        self._datasets: dict[str, h5py.Dataset] = {}
        self._places: tuple[NDArray[np.int64], NDArray[np.int32]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for another process, without the handle."""
        return {"path": self.path, "_file": None, "_process": -1, "_datasets": {}, "_places": None}

    def __enter__(self) -> Self:
        """Return the shard itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        # A handle that came through a fork is the parent's, and stays open there.
        if self._file is not None and self._process == os.getpid():
            self._file.close()
        self._file, self._datasets, self._places = None, {}, None

    @property
    def n_rows(self) -> int:
        """Number of rows: video frames with labels."""
        return int(self._dataset("frames/clip").shape[0])

    @property
    def version(self) -> int:
        """Version of the layout that the file was written in."""
        return int(self._open().attrs["format_version"])

    @property
    def provenance(self) -> dict[str, Any]:
        """Who made the shard from what."""
        return dict(json.loads(str(self._open().attrs["provenance"])))

    def attribute(self, name: str) -> Any:
        """Return one of the schema's scalars, None where it is empty; `refused` and `left_out` as lists."""
        if name not in SHARD_SCHEMA.attributes:
            # KeyError, not InputError: the caller's code asks for a wrong name, the file is not at fault.
            raise KeyError(f"no attribute {name!r}{suggest(name, SHARD_SCHEMA.attributes)}")
        value = self._open().attrs.get(name, "")
        value = value.item() if isinstance(value, np.generic) else value
        if name in ("refused", "left_out"):
            return json.loads(value or "[]")
        return None if isinstance(value, str) and not value else value

    def __contains__(self, field: str) -> bool:
        """Return whether the file holds a field (optional ones may be absent)."""
        return holds(self._open(), field)

    def fields(self) -> tuple[str, ...]:
        """Return the names of all fields of the schema that the file holds."""
        return tuple(item.name for item in SHARD_SCHEMA.fields if item.name in self)

    def layout(self, field: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return shape and dtype of a field."""
        dataset = self._dataset(field)
        return tuple(int(length) for length in dataset.shape), np.dtype(dataset.dtype)

    def read(self, field: str, rows: Any = ()) -> NDArray[Any]:
        """Return a field, or some of its rows (anything that h5py can select by)."""
        return np.asarray(self._dataset(field)[rows])

    def names(self, field: str) -> tuple[str, ...]:
        """Return a field of strings."""
        return tuple(entry.decode("utf-8") for entry in self._dataset(field)[()])

    def picture(self, row: int) -> NDArray[np.uint8]:
        """Return the encoded picture of one row, (length,) uint8."""
        self._open()
        if self._places is None:
            # two small reads less for every picture
            self._places = self.read("crops/offset"), self.read("crops/length")
        offset, length = (int(numbers[row]) for numbers in self._places)
        return np.asarray(self._dataset(PICTURES)[offset : offset + length])

    def tree(self) -> KinematicTree | None:
        """Return the scaled model's kinematic tree, or None where the shard has none."""
        if "tree/body_names" not in self:
            return None
        arrays = {
            item.name.removeprefix("tree/"): np.array(self.names(item.name))
            if item.dtype == STRING
            else self.read(item.name)
            for item in TREE_FIELDS
        }
        return KinematicTree.from_arrays(arrays)

    def faulty_checksums(self) -> tuple[str, ...]:
        """Return the fields whose values are not those that were written."""
        return tuple(
            field for field in self.fields() if self._checksum(field) != self._dataset(field).attrs.get("sha256")
        )

    def metadata_changed(self) -> bool:
        """Return whether an attribute was changed after writing; shards before version 3 cannot show it."""
        file = self._open()
        written = file.attrs.get(_METADATA_CHECKSUM)
        # Whoever strips the checksum must not pass: from version 3 on its absence is a change.
        if written is None:
            return self.version >= METADATA_SINCE
        return bool(written != _metadata_sha256(file))

    def foreign_parts(self) -> tuple[tuple[str, str], ...]:
        """Return the parts of the file that lie outside it: name, and what each is (see `hdf5_links`)."""
        return tuple(foreign_parts(self._open()))

    def description(self, field: str) -> dict[str, Any]:
        """Return the attributes of a field: `dims`, `unit`, `frame`, `description`; None for one that it lacks."""
        attributes = self._dataset(field).attrs
        return {name: attributes.get(name) for name in ("dims", "unit", "frame", "description")}

    def _checksum(self, field: str) -> str:
        dataset = self._dataset(field)
        if field != PICTURES:
            return _sha256(dataset[()])
        # Pictures are most of the file: in portions they need no memory.
        running = hashlib.sha256()
        for start in range(0, dataset.shape[0], _FLUSH_BYTES):
            running.update(dataset[start : start + _FLUSH_BYTES].tobytes())
        return running.hexdigest()

    def _open(self) -> h5py.File:
        # After a fork both processes hold one HDF5 handle, and its file position: each opens its own.
        if self._file is None or self._process != os.getpid():
            self._file, self._process = _open_for_reading(self.path), os.getpid()
            self._datasets, self._places = {}, None
        return self._file

    def _dataset(self, field: str) -> h5py.Dataset:
        file = self._open()
        if field not in self._datasets:
            if not holds(file, field):
                known = [item.name for item in SHARD_SCHEMA.fields]
                raise KeyError(f"{self.path} has no field {field!r}{suggest(field, known)}")
            # Kept open: every lookup checks links and storage again.
            self._datasets[field] = own_dataset(file, field, self.path)
        return self._datasets[field]


def _open_for_reading(path: Path) -> h5py.File:
    if not path.is_file():
        raise MissingError(path, expected="a shard", got="no file", remedy="run 'movi-prep shard'")
    try:
        file = open_hdf5(path, rdcc_nbytes=_CHUNK_CACHE)
    except OSError as error:
        raise InputError(
            path, expected="an HDF5 file", got=f"an unreadable one ({error})", remedy="run 'movi-prep shard' again"
        ) from error
    check_header(file, SHARD_SCHEMA, path)
    return file


def _check_names(fields: Mapping[str, Any], attributes: Mapping[str, Any]) -> None:
    known = {item.name for item in SHARD_SCHEMA.fields}
    wanted = {item.name for item in SHARD_SCHEMA.fields if not item.optional} - {PICTURES}
    unknown, missing = set(fields) - known, wanted - set(fields)
    if unknown or missing:
        raise InternalError(f"shard: unknown fields {list_names(unknown)}, missing fields {list_names(missing)}")
    if set(attributes) != set(SHARD_SCHEMA.attributes):
        raise InternalError(
            f"shard: expected attributes {list_names(SHARD_SCHEMA.attributes, at_most=30)}, "
            f"but got {list_names(attributes, at_most=30)}"
        )


def _metadata_sha256(file: h5py.File) -> str:
    """Return the checksum of all attributes of the file and of its fields."""
    said = {
        name: {key: _plain(value) for key, value in file[name].attrs.items()}
        for name in (item.name for item in SHARD_SCHEMA.fields)
        if holds(file, name)
    }
    said["/"] = {key: _plain(value) for key, value in file.attrs.items() if key != _METADATA_CHECKSUM}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return an attribute as JSON holds it; anything but text and numbers becomes its `repr`."""
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, str | int | float | bool) else repr(value)


def _sha256(values: Any) -> str:
    array = np.ascontiguousarray(values)
    # The checksum must not depend on the machine that computes it.
    return hashlib.sha256(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()).hexdigest()
