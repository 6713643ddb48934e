"""A lens: how it shifts a point from its place in a pinhole's picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from movi_prep.errors import InputError, list_names
from movi_prep.records.checks import check_finite, frozen_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LensModel = Literal["opencv", "fisheye"]

COEFFICIENT_NAMES = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6", "s1", "s2", "s3", "s4", "tx", "ty")
"""Order of OpenCV's coefficients; files hold the first 4, 5, 8, 12 or all 14 of them."""

FISHEYE_NAMES = ("k1", "k2", "k3", "k4")

_LENGTHS: dict[LensModel, tuple[int, ...]] = {"opencv": (0, 4, 5, 8, 12, 14), "fisheye": (4,)}


@dataclass(frozen=True)
class Lens:
    """The lens model of OpenCV's `calib3d` ("opencv") or of its `fisheye` ("fisheye").

    Attributes:
        model: which equations apply.
        coefficients: (14,) float64 in the order of `COEFFICIENT_NAMES`, missing ones 0, or (4,) of `FISHEYE_NAMES`.
    """

    model: LensModel
    coefficients: NDArray[np.float64]

    @property
    def is_plain_radial(self) -> bool:
        """Whether the lens is MATLAB's with two radial terms, as BML-MoVi's are, or has no distortion."""
        return self.model == "opencv" and not self.coefficients[2:].any()

    @property
    def is_radial(self) -> bool:
        """Whether points move along lines through the centre only."""
        # p1, p2, the prism and the tilt: all others depend on the radius only.
        return self.model == "fisheye" or not self.coefficients[[2, 3, *range(8, 14)]].any()


def opencv_lens(coefficients: Sequence[float] | NDArray[np.float64], *, source: str) -> Lens:
    """Return a lens of 0, 4, 5, 8, 12 or 14 OpenCV coefficients.

    Raises:
        InputError: another number of them, or one that is not finite.
    """
    return Lens("opencv", _padded(_checked("opencv", coefficients, source), len(COEFFICIENT_NAMES)))


def fisheye_lens(coefficients: Sequence[float] | NDArray[np.float64], *, source: str) -> Lens:
    """Return a fisheye lens of 4 coefficients; raise InputError for another number or a value that is not finite."""
    return Lens("fisheye", frozen_array(_checked("fisheye", coefficients, source)))


def read_lens(model: str, coefficients: NDArray[np.float64], *, source: str) -> Lens:
    """Return the lens that a file has by the name of its model; raise InputError for a model that is not known."""
    if model == "fisheye":
        return fisheye_lens(coefficients, source=source)
    if model != "opencv":
        raise InputError(
            source, expected=f"a lens model, {list_names(_LENGTHS)}", got=repr(model), remedy="make the file again"
        )
    return opencv_lens(coefficients, source=source)


def radial_lens(k1: float, k2: float) -> Lens:
    """Return the lens of MATLAB's calibration with two radial terms."""
    return Lens("opencv", _padded(np.array([k1, k2]), len(COEFFICIENT_NAMES)))


def _checked(model: LensModel, coefficients: Sequence[float] | NDArray[np.float64], source: str) -> NDArray[np.float64]:
    values = np.asarray(coefficients, dtype=np.float64).ravel()
    # Other lengths are no model of OpenCV: a missing p2 would shift all after it.
    if len(values) not in _LENGTHS[model]:
        lengths = ", ".join(map(str, _LENGTHS[model]))
        raise InputError(
            source,
            expected=f"{lengths} distortion coefficients of the {model} model",
            got=f"{len(values)}",
            remedy="check which lens model the calibration used",
        )
    check_finite(values, what="distortion coefficients", where=source)
    return values


def _padded(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    # Missing coefficients are zero in OpenCV too: a lens of 4 is one of 14 with zeros.
    return frozen_array(np.concatenate([values, np.zeros(length - len(values))]))
