"""MATLAB v5 files with the same bytes every time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.io import savemat

from movi_prep.formats.atomic import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_HEADER = b"MATLAB 5.0 MAT-file, Platform: GLNXA64, Created by: movi-prep demo"


def cell(values: Iterable[Any], *, shape: tuple[int, int]) -> NDArray[np.object_]:
    """Return a MATLAB cell array of `shape` holding `values`."""
    cells = np.empty(len(list_of := list(values)), dtype=object)
    # One by one: numpy would make one array of cells that are arrays of one shape.
    for index, value in enumerate(list_of):
        cells[index] = value
    return cells.reshape(shape)


def write_mat(path: Path, variables: Mapping[str, Any]) -> None:
    """Write variables (dicts are structs, object arrays are cells) as a MATLAB v5 file, atomically."""
    with atomic_path(path) as partial:
        savemat(partial, dict(variables), do_compression=True)
        # The 116 bytes of text at the start hold the time of day; equal data shall be equal bytes.
        with partial.open("r+b") as file:
            file.write(_HEADER.ljust(116))
