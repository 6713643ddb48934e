"""A camera as its calibration file has it: intrinsics, lens, and one pose, or one for each picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.errors import InputError
from movi_prep.records.checks import check_finite, check_rotations, check_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.lens import Lens


@dataclass(frozen=True)
class CalibratedCamera:
    """A camera, OpenCV axes (x right, y down, z forward), pixel centres at integers.

    A point X of the file's world lies at `rotations[i] @ X + translations_m[i]` in the camera of picture i.

    Attributes:
        name: as in the file.
        intrinsics_px: (3, 3) float64, [[fx, s, cx], [0, fy, cy], [0, 0, 1]].
        lens: the lens; None where the file does not state it.
        size_px: width and height of the pictures; None where the file does not say.
        rotations: (n, 3, 3) float64, world to camera; n is 1 for a static camera, 0 where the
            file has no pose.
        translations_m: (n, 3) float64, metres.
        pictures: (n,) names of the pictures that the poses belong to; none for a static camera.
        source: the file.
    """

    name: str
    intrinsics_px: NDArray[np.float64]
    lens: Lens | None
    size_px: tuple[int, int] | None
    rotations: NDArray[np.float64]
    translations_m: NDArray[np.float64]
    pictures: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        """Check shapes, finite values, focal lengths and that the rotations are rotations."""
        n = len(self.rotations)
        check_shape(self.intrinsics_px, (3, 3), what="intrinsics", where=self.source)
        check_shape(self.rotations, (n, 3, 3), what="rotations", where=self.source)
        check_shape(self.translations_m, (n, 3), what="translations", where=self.source)
        for what, values in (
            ("intrinsics", self.intrinsics_px),
            ("rotations", self.rotations),
            ("translations", self.translations_m),
        ):
            check_finite(values, what=what, where=self.source)
        # A transposed matrix (MATLAB) has its principal point in the last row.
        if (np.diag(self.intrinsics_px) <= 0).any() or np.abs(self.intrinsics_px[2] - [0, 0, 1]).max() > 0:
            raise InputError(
                self.source,
                expected=f"positive focal lengths and a last row 0 0 1 in the matrix of camera {self.name!r}",
                got=str(self.intrinsics_px.tolist()),
                remedy="check which matrix this is",
            )
        check_rotations(self.rotations, what=f"the pose of camera {self.name!r}", where=self.source)

    @property
    def is_moving(self) -> bool:
        """Whether the camera has a pose for each picture."""
        return len(self.pictures) > 0
