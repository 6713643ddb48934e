"""Opening of HDF5 files, without locks.

Files are written under private names and published whole, so that a lock would guard nothing. Many network file systems
of clusters have no locks (ENOLCK, EOPNOTSUPP, ENOSYS); HDF5 with locks refuses to open any file there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import h5py
import numpy as np
from h5py import h5a, h5s, h5t

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def open_hdf5(path: Path, mode: Literal["r", "w"] = "r", **cache: Any) -> h5py.File:
    """Open an HDF5 file, or create one.

    Args:
        path: the file.
        mode: `r` reads, `w` writes a new file.
        cache: sizes of the chunk cache (`rdcc_nbytes`).
    """
    return h5py.File(path, mode, locking=False, **cache)


def write_texts(target: h5py.HLObject, texts: Mapping[str, str]) -> None:
    """Write new attributes of text, to the bytes that `target.attrs[name] = text` writes, in half of its time."""
    text_type = h5py.string_dtype()
    stored, scalar = h5t.py_create(text_type, logical=True), h5s.create(h5s.SCALAR)
    for name, text in texts.items():
        h5a.create(target.id, name.encode(), stored, scalar).write(np.array(text.encode(), dtype=text_type))
