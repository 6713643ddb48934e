"""An HDF5 file walked in a child process before it is opened here.

A changed byte can send the HDF5 library into an endless loop or end the process. The child visits groups, links,
attributes, headers of datasets and indices of chunks; values are not read. It costs 5 to 20 ms a file, and more only
where a file has very many chunks. Readers of training batches open files without it: `verify` looks at them first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py

from movi_prep.formats.hdf5_files import open_hdf5
from movi_prep.formats.trial_load import Limits, check_that_it_loads

if TYPE_CHECKING:
    from pathlib import Path

REMEDY = "the file is damaged: make it again, or leave it out"
_LIMITS = Limits(longest_s=120, processor_s=3, memory_bytes=2**30)
_CHUNKS_BYTES_PER_S = 50 * 2**20


def check_hdf5(path: Path) -> None:
    """Raise InputError where the HDF5 library does not survive a file; other faults are left to whoever reads it."""
    # Small chunks make large indices: three seconds and a margin for the size.
    processor_s = (_LIMITS.processor_s or 0) + path.stat().st_size // _CHUNKS_BYTES_PER_S
    limits = Limits(_LIMITS.longest_s + processor_s, processor_s, _LIMITS.memory_bytes)
    check_that_it_loads(path, lambda: _walk(path), limits=limits, remedy=REMEDY)


def _walk(path: Path) -> None:
    with open_hdf5(path) as file:
        _visit_attributes(file)
        seen = {h5py.h5o.get_info(file.id).addr}
        waiting: list[h5py.Group] = [file]
        while waiting:
            group = waiting.pop()
            for key in group.keys():  # noqa: SIM118 - only the keys: values would follow links
                if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                    continue
                item = group[key]
                # A group may hold itself.
                if (address := h5py.h5o.get_info(item.id).addr) in seen:
                    continue
                seen.add(address)
                _visit_attributes(item)
                if isinstance(item, h5py.Group):
                    waiting.append(item)
                elif isinstance(item, h5py.Dataset) and item.chunks is not None:
                    item.id.chunk_iter(_pass_over)


def _visit_attributes(item: h5py.Group | h5py.Dataset) -> None:
    for key in item.attrs:
        _ = item.attrs[key]


def _pass_over(_chunk: object) -> None:
    """Let the library go on to the next chunk."""
