"""HDF5 files that explain themselves. One table of fields drives the writer, the reader and the documentation.

| what | where | content |
|---|---|---|
| format, version | file attributes `format`, `format_version` | what the file is, integer version of its layout |
| provenance | file attribute `provenance` | JSON: who made it from what, no time stamps (equal inputs, equal bytes) |
| scalars | file attributes | as listed by the schema |
| fields | datasets | attributes `dims` (JSON list), `unit`, `frame`, `description` |

Strings are stored as UTF-8, fixed length, one per entry.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from movi_prep._version import __version__
from movi_prep.errors import InputError, InternalError, MissingError, list_names
from movi_prep.formats.atomic import atomic_path, check_space
from movi_prep.formats.deflate import FLOATS, GZIP_LEVEL, Way, write_rows
from movi_prep.formats.hdf5_files import open_hdf5, write_texts
from movi_prep.formats.hdf5_links import holds, own_dataset
from movi_prep.formats.hdf5_trial import check_hdf5
from movi_prep.formats.reading import HIGHEST_RATIO, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

CLOSING_BYTES = 1_000_000
"""Space for attributes, and for what HDF5 writes when it closes a file."""

ROWS_PER_CHUNK = 500
"""Rows in one chunk of a deflated field, and of any field of a file written in blocks."""

STRING = "string"
"""The dtype of fields that hold names."""


@dataclass(frozen=True)
class Field:
    """One dataset of a format.

    Attributes:
        name: name of the dataset; a slash makes a group.
        dtype: numpy dtype, or STRING.
        dims: name of each axis; axes of one name have one length in the whole file. A number is a fixed length.
        unit: "m", "rad", "px", "s", "1" (none), ...
        description: one sentence.
        frame: reference frame of vectors, "" if there is none.
        optional: whether a file without it is valid.
        compress: whether it is stored shuffled and deflated.
        since: first version of the layout that has it.
    """

    name: str
    dtype: str
    dims: tuple[str | int, ...]
    unit: str
    description: str
    frame: str = ""
    optional: bool = False
    compress: bool = False
    since: int = 1


@dataclass(frozen=True)
class Schema:
    """A file format: its name, version, scalar attributes (name -> description) and fields."""

    format: str
    version: int
    fields: tuple[Field, ...]
    attributes: Mapping[str, str]

    def table(self) -> str:
        """Return the layout as a Markdown table."""
        rows = ["| dataset | dtype | dims | unit | frame | content |", "|---|---|---|---|---|---|"]
        for item in self.fields:
            dims = ", ".join(str(dim) for dim in item.dims)
            note = " (optional)" if item.optional else f" (from version {item.since})" if item.since > 1 else ""
            rows.append(
                f"| `{item.name}` | {item.dtype} | ({dims}) | {item.unit} | {item.frame} | {item.description}{note} |"
            )
        return "\n".join(rows)


@dataclass(frozen=True)
class DescribedFile:
    """The content of a described file: arrays (and tuples of names) by field, scalars by attribute, provenance."""

    fields: Mapping[str, Any]
    attributes: Mapping[str, Any]
    provenance: Mapping[str, Any]
    version: int


def write_described(
    path: Path,
    schema: Schema,
    *,
    fields: Mapping[str, Any],
    attributes: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> None:
    """Write a file of `schema` atomically; raise InternalError where the values do not fit the schema."""
    unknown = set(fields) - {item.name for item in schema.fields}
    if unknown or set(attributes) != set(schema.attributes):
        raise InternalError(
            f"{schema.format}: fields {list_names(unknown)} are not in the schema, or attributes differ: "
            f"{list_names(attributes)} against {list_names(schema.attributes)}"
        )
    lengths: dict[str, int] = {}
    with atomic_path(path) as partial, open_hdf5(partial, "w") as file:
        write_header(file, schema, attributes=attributes, provenance=provenance)
        for item in schema.fields:
            value = fields.get(item.name)
            if value is not None:
                # HDF5 does not return from a full disk: it ends the process. Asked before, it is an error like others.
                check_space(path.parent, np.asarray(value).nbytes, spare_bytes=CLOSING_BYTES)
                write_field(file, item, value, lengths)
            elif not item.optional:
                raise InternalError(f"{schema.format}: field {item.name!r} is missing")


@contextmanager
def open_row_writer(  # noqa: PLR0913 - a file's head, spelt out
    path: Path,
    schema: Schema,
    *,
    axis: str,
    n_rows: int,
    attributes: Mapping[str, Any],
    provenance: Mapping[str, Any],
    way: Way = FLOATS,
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Write a file of `schema` whose arrays along `axis` follow in blocks, so that memory does not grow with them.

    Yields a function that appends the fields of the next rows; the first call writes those without that axis.
    Nothing stays if the block ends with an error, or with another number of rows.
    """
    # Known from the start, so that the first block is checked against the whole file's length.
    lengths: dict[str, int] = {axis: n_rows}
    written, datasets = 0, dict[str, h5py.Dataset]()
    with atomic_path(path) as partial, open_hdf5(partial, "w") as file:
        write_header(file, schema, attributes=attributes, provenance=provenance)

        def append(fields: Mapping[str, Any]) -> None:
            nonlocal written
            rows = slice(written, written + len(fields[_first_along(schema, axis).name]))
            for item in schema.fields:
                value = fields.get(item.name)
                if value is None:
                    if not item.optional:
                        raise InternalError(f"{schema.format}: field {item.name!r} is missing")
                elif item.dims[0] != axis:
                    if rows.start == 0:
                        write_field(file, item, value, lengths)
                else:
                    check_space(path.parent, np.asarray(value).nbytes, spare_bytes=CLOSING_BYTES)
                    if rows.start == 0:
                        # Made at its full length at once: a dataset that grows would need its chunk
                        # index rewritten.
                        datasets[item.name] = _create_rows(file, item, np.shape(value)[1:], lengths)
                    _write_rows(
                        datasets[item.name], item, np.asarray(value, dtype=item.dtype), start=rows.start, way=way
                    )
            written = rows.stop

        yield append
        if written != n_rows:
            raise InternalError(f"{schema.format}: expected {n_rows} rows, but {written} were written")


def _first_along(schema: Schema, axis: str) -> Field:
    return next(item for item in schema.fields if item.dims[0] == axis)


def _create_rows(file: h5py.File, item: Field, shape: tuple[int, ...], lengths: dict[str, int]) -> h5py.Dataset:
    n_rows = lengths[str(item.dims[0])]
    check_dims(item, (n_rows, *shape), lengths)
    dataset = file.create_dataset(item.name, (n_rows, *shape), item.dtype, **_storage(item, (n_rows, *shape)))
    describe_dataset(dataset, item)
    return dataset


def _storage(item: Field, shape: tuple[int, ...]) -> dict[str, Any]:
    # Whole rows in a chunk: a block that ends on a chunk's edge is compressed once, and single rows can be read.
    chunks = (min(ROWS_PER_CHUNK, shape[0]), *(max(length, 1) for length in shape[1:]))
    # Shuffled, the like bytes of neighbouring floats stand together and pack better.
    packing = {"compression": "gzip", "compression_opts": GZIP_LEVEL, "shuffle": True} if item.compress else {}
    return {"chunks": chunks, **packing}


def _write_rows(dataset: h5py.Dataset, item: Field, values: NDArray[Any], *, start: int, way: Way) -> None:
    if item.compress:
        write_rows(dataset, values, start=start, way=way)
    else:
        dataset[start : start + len(values)] = values


def write_header(
    file: h5py.File, schema: Schema, *, attributes: Mapping[str, Any], provenance: Mapping[str, Any]
) -> None:
    """Write format, version, provenance and scalars as file attributes."""
    file.attrs["format"] = schema.format
    file.attrs["format_version"] = schema.version
    # Sorted, and without time or host: equal inputs give equal bytes.
    file.attrs["provenance"] = json.dumps({"movi_prep": __version__, **provenance}, sort_keys=True)
    for name, value in attributes.items():
        # HDF5 attributes have no null; readers turn "" back where None is allowed.
        file.attrs[name] = "" if value is None else value


def write_field(file: h5py.File, item: Field, value: Any, lengths: dict[str, int]) -> h5py.Dataset:
    """Write one dataset with its attributes; `lengths` collects and checks the length of each named axis."""
    array = _encode_strings(value) if item.dtype == STRING else np.asarray(value, dtype=item.dtype)
    check_dims(item, array.shape, lengths)
    if item.compress and array.size:
        dataset = file.create_dataset(item.name, array.shape, array.dtype, **_storage(item, array.shape))
        write_rows(dataset, array)
    else:
        dataset = file.create_dataset(item.name, data=array)
    describe_dataset(dataset, item)
    return dataset


def describe_dataset(dataset: h5py.Dataset, item: Field) -> None:
    """Write the description of a dataset into its attributes."""
    dims = json.dumps(list(item.dims))
    write_texts(dataset, {"dims": dims, "unit": item.unit, "frame": item.frame, "description": item.description})


def check_dims(item: Field, shape: tuple[int, ...], lengths: dict[str, int]) -> None:
    """Raise InternalError unless `shape` fits the named axes; new names are added to `lengths`."""
    fits = len(shape) == len(item.dims) and all(
        # The first field that names an axis fixes its length; every later one must agree.
        length == (dim if isinstance(dim, int) else lengths.setdefault(dim, length))
        for dim, length in zip(item.dims, shape, strict=True)
    )
    if not fits:
        raise InternalError(f"field {item.name!r}: shape {shape} does not fit dims {item.dims} with {lengths}")


def read_described(
    path: Path, schema: Schema, *, only: Collection[str] | None = None, rows: tuple[str, slice] | None = None
) -> DescribedFile:
    """Read a file of `schema`.

    Args:
        path: the file.
        schema: what it should be.
        only: the fields to read; None for all.
        rows: an axis, and the rows to read of every field that begins with it; None for all.

    Raises:
        MissingError: the file does not exist.
        InputError: the file is not HDF5, of another format, of a newer version, or lacks a field.
    """
    if not path.is_file():
        raise MissingError(
            path, expected=f"a {schema.format} file", got="no file", remedy="run the stage that writes it"
        )
    # In a child process first: HDF5 may loop or crash on a damaged file.
    check_hdf5(path)
    with reading(path, expected=f"a {schema.format} file (HDF5)", remedy="make it again"), open_hdf5(path) as file:
        version = check_header(file, schema, path)
        # Fields of later versions are not a fault of an older file.
        wanted = [item for item in schema.fields if item.since <= version and (only is None or item.name in only)]
        values = {item.name: _read_field(file, item, path, rows) for item in wanted}
        scalars = {name: _plain(file.attrs.get(name)) for name in schema.attributes}
        provenance = json.loads(str(file.attrs.get("provenance", "{}")))
    return DescribedFile(fields=values, attributes=scalars, provenance=provenance, version=version)


def check_header(file: h5py.File, schema: Schema, path: Path) -> int:
    """Raise InputError unless the file says that it is of `schema`; return the version of its layout."""
    found, version = file.attrs.get("format"), file.attrs.get("format_version", 0)
    # A damaged attribute may come back as bytes or as an array, which `!=` compares element by element.
    if not isinstance(found, str) or found != schema.format:
        raise InputError(
            path, expected=f"format {schema.format!r}", got=f"{found!r}", remedy="check which file this is"
        )
    if not isinstance(version, int | np.integer) or version < 1:
        raise InputError(
            path,
            expected=f"a version of {schema.format!r}, 1 to {schema.version}",
            got=f"{version!r}" if isinstance(version, str) else str(version),
            remedy="the file is damaged: make it again",
        )
    if version > schema.version:
        raise InputError(
            path,
            expected=f"version {schema.version} of {schema.format!r} or older",
            got=f"version {version}",
            remedy="update movi-prep",
        )
    return int(version)


def _read_field(file: h5py.File, item: Field, path: Path, rows: tuple[str, slice] | None) -> Any:
    if not holds(file, item.name):
        if item.optional:
            return None
        raise InputError(
            path,
            expected=f"a dataset {item.name!r}",
            got=f"only {list_names(file)}",
            remedy="the file is damaged: make it again",
        )
    dataset = own_dataset(file, item.name, path)
    # Before reading: a damaged shape would ask for more memory than the machine has.
    if dataset.nbytes > HIGHEST_RATIO * path.stat().st_size:
        raise InputError(
            f"{path}: {item.name}",
            expected="an array that the file can hold",
            got=f"shape {dataset.shape} of {dataset.dtype} in a file of {path.stat().st_size} bytes",
            remedy="the file is damaged: make it again",
        )
    value = dataset[rows[1]] if rows is not None and item.dims[0] == rows[0] else dataset[()]
    if item.dtype == STRING:
        return tuple(entry.decode("utf-8") for entry in value)
    return _frozen(value)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array = np.asarray(array)
    # Records are frozen: an array that somebody could change would change behind all who share it.
    array.setflags(write=False)
    return array


def _encode_strings(names: Any) -> NDArray[np.bytes_]:
    encoded = [str(name).encode("utf-8") for name in names]
    longest = max((len(name) for name in encoded), default=1)
    # HDF5 has no strings of a fixed length of 0.
    return np.array(encoded, dtype=f"S{max(longest, 1)}")


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
