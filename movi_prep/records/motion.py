"""One clip of motion of SMPL, SMPL+H or SMPL-X."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from movi_prep.errors import InputError
from movi_prep.records.body_layout import LAYOUT_OF_JOINTS, BodyName, layout_of
from movi_prep.records.checks import check_finite, check_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

Sex = Literal["female", "male", "neutral"]

UpAxis = Literal["x", "y", "z", "-x", "-y", "-z"]
"""Axes of a world, one of which is up."""

N_DMPLS = 8
"""Soft-tissue coefficients of DMPL that AMASS stores."""


def check_rate(rate_hz: float, *, where: str) -> None:
    """Raise InputError unless a motion can have been sampled at this rate."""
    # Wide on purpose: only zeros, NaN and rates in other units (microseconds) fall outside.
    if not 1.0 <= rate_hz <= 10_000.0:
        raise InputError(
            where,
            expected="a mocap frame rate between 1 and 10000 Hz",
            got=f"{rate_hz}",
            remedy="check the field 'mocap_framerate' (old release) or 'mocap_frame_rate' (new release)",
        )


@dataclass(frozen=True)
class Motion:
    """A posed body over time, validated.

    Attributes:
        poses_rad: (n_samples, j, 3) float64, axis-angle of each joint relative to its parent, radians; j is 24, 52 or
            55, and identifies the body.
        translation_m: (n_samples, 3) float64, metres, in the world before `to_amass_world`.
        betas: (b,) float64, shape coefficients; without expression.
        dmpls: (n_samples, 8) float64 soft-tissue coefficients, or None where the file has none.
        sex: which body model the motion was fitted with.
        rate_hz: samples per second, as stored (120.0 or 120.00004578).
        source: the file it was read from, for messages and provenance.
        to_amass_world: (3, 3) float64 rotation of the world of poses and translation into AMASS world.
    """

    poses_rad: NDArray[np.float64]
    translation_m: NDArray[np.float64]
    betas: NDArray[np.float64]
    dmpls: NDArray[np.float64] | None
    sex: Sex
    rate_hz: float
    source: str
    to_amass_world: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))

    def __post_init__(self) -> None:
        """Check shapes and values; the one funnel for every reader."""
        # 0 is no body's number: a wrong number of axes is refused by name below.
        n_joints = self.poses_rad.shape[1] if self.poses_rad.ndim == 3 else 0
        check_shape(
            self.poses_rad, (None, layout_of(n_joints, where=self.source).n_joints, 3), what="poses", where=self.source
        )
        check_shape(self.translation_m, (self.n_samples, 3), what="trans", where=self.source)
        check_shape(self.betas, (None,), what="betas", where=self.source)
        if self.dmpls is not None:
            check_shape(self.dmpls, (self.n_samples, N_DMPLS), what="dmpls", where=self.source)
            check_finite(self.dmpls, what="dmpls", where=self.source)
        for name, values in (("poses", self.poses_rad), ("trans", self.translation_m), ("betas", self.betas)):
            check_finite(values, what=name, where=self.source)
        if self.n_samples == 0:
            raise InputError(
                self.source,
                expected="at least one sample",
                got="a clip of length zero",
                remedy="fetch the file again or leave the clip out",
            )
        check_rate(self.rate_hz, where=self.source)

    @property
    def body(self) -> BodyName:
        """The body that moves."""
        return LAYOUT_OF_JOINTS[self.poses_rad.shape[1]].name

    @property
    def n_samples(self) -> int:
        """Number of mocap samples."""
        return int(self.poses_rad.shape[0])

    def rows(self, rows: slice) -> Motion:
        """Return some samples of the motion."""
        dmpls = None if self.dmpls is None else self.dmpls[rows]
        return replace(self, poses_rad=self.poses_rad[rows], translation_m=self.translation_m[rows], dmpls=dmpls)
