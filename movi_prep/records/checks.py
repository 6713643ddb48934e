"""Checks that the constructors of records share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from movi_prep.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

_ROTATION_TOLERANCE = 1e-4
"""Largest deviation of R R^T from the identity: calibration files are printed with 7 to 16 digits."""


def check_shape(array: NDArray[Any], shape: tuple[int | None, ...], *, what: str, where: str) -> None:
    """Raise InputError unless `array` has `shape`; None stands for any length.

    Args:
        array: the array.
        shape: the expected lengths, axis by axis.
        what: what the array is, for the message.
        where: the file (and field) it came from, for the message.
    """
    fits = array.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = "(" + ", ".join("n" if want is None else str(want) for want in shape) + ")"
        raise InputError(
            where,
            expected=f"{what} of shape {wanted}",
            got=f"shape {array.shape}",
            remedy="check that this is the file it should be",
        )


def check_finite(array: NDArray[Any], *, what: str, where: str) -> None:
    """Raise InputError where `array` holds NaN or infinity; the message counts them."""
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise InputError(
            where,
            expected=f"finite {what}",
            got=f"{bad} of {array.size} values NaN or infinite",
            remedy="the file is damaged: fetch it again or leave it out",
        )


def check_rotations(rotations: NDArray[np.float64], *, what: str, where: str) -> None:
    """Raise InputError unless (..., 3, 3) `rotations` are orthonormal with determinant +1; the message counts them."""
    stacked = rotations.reshape(-1, 3, 3)
    # `initial`, because a file without poses has no largest value.
    off = np.abs(stacked @ stacked.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2), initial=0.0)
    # Orthonormal with determinant -1 is a mirror image: R R^T alone does not show it.
    wrong = np.flatnonzero((off > _ROTATION_TOLERANCE) | (np.linalg.det(stacked) < 0))
    if wrong.size:
        first = stacked[wrong[0]]
        raise InputError(
            where,
            expected=f"a rotation matrix (orthonormal, determinant +1) for {what}",
            got=f"{wrong.size} of {len(stacked)} that are not rotations, number {wrong[0]} with R R^T off by "
            f"{off[wrong[0]]:.2g} and determinant {np.linalg.det(first):+.3f}",
            remedy="check the extrinsics file of this camera",
        )


def frozen_array(values: Any, dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """Return a C-ordered copy of `values` that cannot be written to: for the fields of frozen records."""
    # A copy: whoever made the array may still hold it and write to it.
    array = np.array(values, dtype=dtype, order="C", copy=True)
    array.setflags(write=False)
    return array
