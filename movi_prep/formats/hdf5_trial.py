"""A trial that walks through an HDF5 file in a child process before this process opens it.

A changed byte can send the HDF5 library into an endless loop or end the process. The child visits groups, links,
attributes, headers of datasets and indices of chunks; values are not read. It costs 5 to 20 ms a file, and more only
where a file has very many chunks. Readers of training batches do without it: `verify` checks their files beforehand.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import h5py

from movi_prep.errors import InputError
from movi_prep.formats.file_stamp import FileStamp, file_stamp
from movi_prep.formats.hdf5_files import open_hdf5
from movi_prep.formats.trial_load import Limits, check_that_it_loads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

REMEDY = "the file is damaged: make it again, or leave it out"
# Three seconds are many times what a whole file takes; the memory is that of headers, not of
# values.
_LIMITS = Limits(longest_s=120, processor_s=3, memory_bytes=2**30)
_YOUNG_NS = 2 * 10**9
"""Age below which a file may change again without another time of change: file systems count in hundredths of seconds,
old ones in whole ones."""
_CHUNKS_BYTES_PER_S = 50 * 2**20


_PASSED: set[tuple[Path, FileStamp]] = set()
"""Files that passed in this process, as they were then."""


def check_hdf5(path: Path) -> None:
    """Raise InputError where the HDF5 library does not survive a file; the actual reader reports other faults.

    A file that passed is not tried again in this process until it changes.
    """
    stamp = file_stamp(path)
    if (path, stamp) not in _PASSED:
        check_that_it_loads(path, lambda: _walk(path), limits=_limits([path]), remedy=REMEDY)
        _remember(path, stamp)


def try_together(paths: Iterable[Path]) -> None:
    """Try files in one child, so that `check_hdf5` need not try each: a child costs more than most files.

    Where the child dies, no file has passed: `check_hdf5` then finds the one at fault.
    """
    stamps = {path: file_stamp(path) for path in paths if path.is_file()}
    new = [path for path, stamp in stamps.items() if (path, stamp) not in _PASSED]
    if len(new) < 2:
        return

    def walk_all() -> None:
        for path in new:
            with _going_on():
                _walk(path)

    try:
        check_that_it_loads(new[0], walk_all, limits=_limits(new), remedy=REMEDY)
    except InputError:
        return
    for path in new:
        _remember(path, stamps[path])


def _remember(path: Path, stamp: FileStamp) -> None:
    if time.time_ns() - stamp[0] > _YOUNG_NS:
        _PASSED.add((path, stamp))


def _limits(paths: Sequence[Path]) -> Limits:
    # Small chunks make large indices: three seconds and a margin for the size.
    n_bytes = sum(path.stat().st_size for path in paths)
    processor_s = (_LIMITS.processor_s or 0) * len(paths) + n_bytes // _CHUNKS_BYTES_PER_S
    return Limits(_LIMITS.longest_s + processor_s, processor_s, _LIMITS.memory_bytes)


def _walk(path: Path) -> None:
    with open_hdf5(path) as file:
        _visit_attributes(file)
        seen = {h5py.h5o.get_info(file.id).addr}
        waiting: list[h5py.Group] = [file]
        while waiting:
            group = waiting.pop()
            with _going_on():
                for key in group.keys():  # noqa: SIM118 - only the keys: values would follow links
                    with _going_on():
                        waiting += _visit(group, key, seen)


@contextmanager
def _going_on() -> Iterator[None]:
    """Go on after a part that raises: readers take another order, and a later part may still end the process."""
    try:
        yield
    # The limit on memory is part of the trial: it must fail the file, not one part.
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001, S110 - whoever reads the part tells of it
        pass


def _visit(group: h5py.Group, key: str, seen: set[int]) -> list[h5py.Group]:
    """Visit a member of a group, not through a link; return it where it is a group that was not seen before."""
    if not isinstance(group.get(key, getlink=True), h5py.HardLink):
        return []
    item = group[key]
    # A group may hold itself.
    if (address := h5py.h5o.get_info(item.id).addr) in seen:
        return []
    seen.add(address)
    _visit_attributes(item)
    if isinstance(item, h5py.Dataset):
        _visit_dataset(item)
    return [item] if isinstance(item, h5py.Group) else []


def _visit_dataset(dataset: h5py.Dataset) -> None:
    # The properties that readers use: each is a part of the library that can fail by itself.
    _ = (dataset.shape, dataset.dtype, dataset.is_virtual, dataset.external, dataset.id.get_storage_size())
    if dataset.chunks is not None:
        dataset.id.chunk_iter(_pass_over)


def _visit_attributes(item: h5py.Group | h5py.Dataset) -> None:
    with _going_on():
        for key in item.attrs:
            with _going_on():
                _ = item.attrs[key]


def _pass_over(_chunk: object) -> None:
    """Let the library go on to the next chunk."""
