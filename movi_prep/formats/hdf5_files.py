"""Opening of HDF5 files, without locks.

Files are written under private names and published whole, so that a lock would guard nothing. Many network file systems
of clusters have no locks (ENOLCK, EOPNOTSUPP, ENOSYS); HDF5 with locks refuses to open any file there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import h5py

if TYPE_CHECKING:
    from pathlib import Path


def open_hdf5(path: Path, mode: Literal["r", "w"] = "r", **cache: Any) -> h5py.File:
    """Open an HDF5 file, or create one.

    Args:
        path: the file.
        mode: `r` reads, `w` writes a new file.
        cache: sizes of the chunk cache (`rdcc_nbytes`).
    """
    return h5py.File(path, mode, locking=False, **cache)
