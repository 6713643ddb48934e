"""The outline of any HDF5 file: names, shapes, dtypes and attributes, without the values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py

from movi_prep.formats.hdf5_files import open_hdf5
from movi_prep.formats.hdf5_trial import check_hdf5
from movi_prep.formats.reading import reading

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class DatasetOutline:
    """One dataset.

    Attributes:
        name: path in the file.
        shape: its shape.
        dtype: its dtype, as text.
        dims: names of its axes, () where the file does not say.
        unit: unit, "" where the file does not say.
        frame: reference frame, "" where the file does not say.
        description: one sentence, "" where the file does not say.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    dims: tuple[str, ...]
    unit: str
    frame: str
    description: str


@dataclass(frozen=True)
class Hdf5Outline:
    """Attributes of a file and its datasets, in the order of their names."""

    attributes: Mapping[str, Any]
    datasets: tuple[DatasetOutline, ...]


def read_hdf5_outline(path: Path) -> Hdf5Outline:
    """Return what stands in an HDF5 file.

    Raises:
        InputError: the file is not HDF5, or is damaged.
    """
    found: list[DatasetOutline] = []

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found.append(_outline(name, item))

    check_hdf5(path)
    with reading(path, expected="an HDF5 file", remedy="make it again"), open_hdf5(path) as file:
        # Outlines, not values: a shard is gigabytes.
        # visititems passes over soft and external links: only what is in the file is listed.
        file.visititems(visit)
        attributes = {name: _plain(value) for name, value in file.attrs.items()}
    return Hdf5Outline(attributes=attributes, datasets=tuple(sorted(found, key=lambda item: item.name)))


def _outline(name: str, dataset: h5py.Dataset) -> DatasetOutline:
    attributes = {key: _plain(value) for key, value in dataset.attrs.items()}
    dims = attributes.get("dims", "[]")
    return DatasetOutline(
        name=name,
        shape=tuple(dataset.shape),
        dtype=str(dataset.dtype),
        dims=tuple(str(dim) for dim in json.loads(dims)) if isinstance(dims, str) else (),
        unit=str(attributes.get("unit", "")),
        frame=str(attributes.get("frame", "")),
        description=str(attributes.get("description", "")),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value.item() if hasattr(value, "item") and getattr(value, "size", 0) == 1 else value
