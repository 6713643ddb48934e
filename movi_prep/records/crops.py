"""Boxes around the body and the parts of the video that they cut out."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.records.checks import check_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class CropPlan:
    """The part that is cut out of each frame of a video, decided before the video is opened.

    Rectangles are (left, top, width, height) in whole pixels of the video image; a rectangle from column 3 of width
    2 holds columns 3 and 4.

    Attributes:
        body_px: (n, 4) float64, left, top, right, bottom of the projected body, pixels.
        box_px: (n, 4) int64, the square box; may go beyond the image.
        source_px: (n, 4) int64, the part of the box inside the image.
        corner_px: (n, 2) int64, column and row of the video at the picture's first pixel.
        picture_size_px: (n, 2) int64, width and height of the stored picture.
        valid_px: (n, 4) int64, the part of the picture that the video fills.
        scale: (n,) float64, picture pixels per video pixel.
    """

    body_px: NDArray[np.float64]
    box_px: NDArray[np.int64]
    source_px: NDArray[np.int64]
    corner_px: NDArray[np.int64]
    picture_size_px: NDArray[np.int64]
    valid_px: NDArray[np.int64]
    scale: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check shapes."""
        n = len(self.scale)
        for name in ("body_px", "box_px", "source_px", "valid_px"):
            check_shape(getattr(self, name), (n, 4), what=name, where="crop plan")
        for name in ("corner_px", "picture_size_px"):
            check_shape(getattr(self, name), (n, 2), what=name, where="crop plan")

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.scale)

    @property
    def padding_px(self) -> NDArray[np.int64]:
        """(n, 4) int64: by how many pixels the box goes beyond the image, left, top, right, bottom."""
        near = self.source_px[:, :2] - self.box_px[:, :2]
        far = self.box_px[:, :2] + self.box_px[:, 2:] - self.source_px[:, :2] - self.source_px[:, 2:]
        return np.concatenate([near, far], axis=1)

    def select(self, rows: NDArray[np.bool_]) -> CropPlan:
        """Return the plan for the frames where (n,) bool `rows` holds."""
        return CropPlan(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})

    @classmethod
    def join(cls, plans: Sequence[CropPlan]) -> CropPlan:
        """Return one plan for the frames of several, in their order."""
        return cls(**{item.name: np.concatenate([getattr(plan, item.name) for plan in plans]) for item in fields(cls)})
