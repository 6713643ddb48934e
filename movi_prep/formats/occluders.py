"""Occluders: objects cut out of Pascal VOC 2012 with their masks, in the layout that D3KE's code opens.

| dataset | shape | content |
|---|---|---|
| `numData` | (1,) int64 | number of occluders |
| `{i}_image` | (h, w, 3) uint8 | BGR picture of occluder i, from 0 |
| `{i}_mask` | (h, w) float32 | 1 on it, 0 beside it, between at its edge |
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movi_prep.errors import InputError, MissingError
from movi_prep.formats.atomic import atomic_path, check_space
from movi_prep.formats.hdf5_files import open_hdf5
from movi_prep.formats.hdf5_links import own_dataset
from movi_prep.formats.hdf5_trial import check_hdf5
from movi_prep.formats.reading import reads

Occluder = tuple[NDArray[np.uint8], NDArray[np.float32]]
"""Picture (h, w, 3) uint8 BGR and mask (h, w) float32."""

_REMEDY = "make it with 'movi-prep shard --layout d3ke --pascal VOC2012'"


def write_occluders(path: Path, occluders: Iterable[Occluder]) -> int:
    """Write a file of occluders atomically; return how many it holds."""
    count = 0
    with atomic_path(path) as partial, open_hdf5(partial, "w") as file:
        for image, mask in occluders:
            check_space(path.parent, image.nbytes + mask.nbytes)
            # Masks are mostly 0 and 1, and pictures are small: gzip pays where nobody reads in a hurry.
            pack: dict[str, Any] = {"compression": "gzip", "shuffle": True}
            file.create_dataset(f"{count}_image", data=image, **pack)
            file.create_dataset(f"{count}_mask", data=mask.astype(np.float32), **pack)
            count += 1
        # Last: the number is known only when the iterable has ended.
        # One entry, not a scalar: D3KE's code reads number 0 of it.
        file.create_dataset("numData", data=np.array([count], dtype=np.int64))
    return count


@reads("occluders", _REMEDY)
def read_occluders(path: Path) -> tuple[Occluder, ...]:
    """Read all occluders of a file.

    Raises:
        MissingError: there is no such file.
        InputError: it holds something else, or no occluder.
    """
    if not path.is_file():
        raise MissingError(path, expected="a file of occluders", got="no file", remedy=_REMEDY)
    check_hdf5(path)
    with open_hdf5(path) as file:
        # Files of earlier versions hold a scalar.
        count = int(np.ravel(own_dataset(file, "numData", path)[()])[0])
        found = tuple(
            (
                np.asarray(own_dataset(file, f"{index}_image", path)[()]),
                np.asarray(own_dataset(file, f"{index}_mask", path)[()]),
            )
            for index in range(count)
        )
    wrong = [
        index
        for index, (image, mask) in enumerate(found)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or mask.shape != image.shape[:2]
    ]
    if wrong or not found:
        got = f"number {wrong[0]} of another shape" if wrong else "none"
        raise InputError(path, expected="pictures (h, w, 3) with their masks (h, w)", got=got, remedy=_REMEDY)
    return found
