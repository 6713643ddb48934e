"""Every way of deflate gives streams that zlib unpacks, and chunks that HDF5 reads as if it had written them."""

from __future__ import annotations

import itertools
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from movi_prep.formats.deflate import FLOATS, Way, write_rows

WAYS = [Way("ISA-L", level) for level in range(4)] + [Way("libdeflate", level) for level in (1, 2, 4, 6)]


def _dataset(file: h5py.File, values: NDArray[Any], *, n_chunk: int, shuffle: bool) -> h5py.Dataset:
    chunks = (n_chunk, *values.shape[1:])
    return file.create_dataset("d", values.shape, values.dtype, chunks=chunks, compression="gzip", shuffle=shuffle)


@pytest.mark.parametrize("content", [b"", b"a", bytes(1_000_000), np.random.default_rng(0).bytes(70_000)])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_zlib_unpacks_what_any_way_packs(way: Way, content: bytes) -> None:
    assert zlib.decompress(way.pack(content)) == content


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "bool", "S150", "f2", "u1"])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("shape", [(10,), (11, 3), (7, 2, 3), (4, 1)])
def test_hdf5_reads_rows_of_any_type(tmp_path: Path, dtype: str, shuffle: bool, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).integers(0, 100, shape).astype(dtype)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        # Chunks of 4 rows: the last one is full, or holds 2 or 3 rows.
        write_rows(_dataset(file, values, n_chunk=4, shuffle=shuffle), values)
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["d"][()], values)
        # One row unpacks a chunk that HDF5 has not read as a whole.
        np.testing.assert_array_equal(file["d"][len(values) - 1], values[-1])


def test_rows_from_a_transposed_array_are_those_of_the_array(tmp_path: Path) -> None:
    values = np.random.default_rng(2).normal(size=(3, 9)).T
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = _dataset(file, values, n_chunk=2, shuffle=True)
        write_rows(dataset, values)
        np.testing.assert_array_equal(dataset[()], values)


@pytest.mark.parametrize("edges", [(0, 13), (0, 4, 8, 13), (0, 3, 5, 6, 12, 13), tuple(range(14))])
def test_rows_may_come_in_blocks_of_any_size(tmp_path: Path, edges: tuple[int, ...]) -> None:
    values = np.random.default_rng(3).normal(size=(13, 5))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = _dataset(file, values, n_chunk=4, shuffle=True)
        for start, stop in itertools.pairwise(edges):
            write_rows(dataset, values[start:stop], start=start)
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["d"][()], values)


def test_smooth_floats_are_no_larger_than_hdf5_makes_them(tmp_path: Path) -> None:
    values = np.cumsum(np.random.default_rng(4).normal(0, 0.01, (1000, 90)), axis=0).astype(np.float32)
    sizes = []
    for name in ("ours", "theirs"):
        with h5py.File(tmp_path / name, "w") as file:
            dataset = _dataset(file, values, n_chunk=500, shuffle=True)
            if name == "ours":
                write_rows(dataset, values, way=FLOATS)
            else:
                dataset[()] = values
            sizes.append(dataset.id.get_storage_size())
    assert sizes[0] <= 1.02 * sizes[1]
