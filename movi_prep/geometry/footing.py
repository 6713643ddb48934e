"""Whether the standing foot of a body stays in place or slides: a mirrored axis of the translation shows as sliding.

The foot that is lowest stands. Where translation and pose belong together it stays, however the body moves above it;
where one axis of the translation was mirrored it slides twice as far as the body walks, and mirroring back ends that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_WALK_M = 0.3
"""Least way of the body, metres: a body that hardly leaves its place shows nothing."""

SLIDES = 0.5
"""Largest slide of a standing foot, as a share of the body's way; 0.02 to 0.3 in walks, 1.5 to 2 where mirrored."""

STANDS = 0.3
"""Largest share of the sliding that may remain when the right axis is mirrored back."""

_MIRRORS = {"x": (-1.0, 1.0, 1.0), "y": (1.0, 1.0, -1.0)}
"""Horizontal axes by their name in AMASS world (z up), as factors in OpenSim ground (y up)."""


class Footing:
    """Sums, block by block, of the ways of body and standing foot: as they are, and with each axis mirrored back.

    Attributes:
        way_m: way of the body over the floor.
        slides_m: way of the standing foot over the floor, by the axis that is mirrored back, "" for none.
    """

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.way_m = 0.0
        self.slides_m = dict.fromkeys(("", *_MIRRORS), 0.0)
        self._last: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def add(self, feet_m: NDArray[np.float64], translation_m: NDArray[np.float64]) -> None:
        """Add the next rows.

        Args:
            feet_m: (n, f, 3) metres, OpenSim ground.
            translation_m: (n, 3) metres, OpenSim ground: what carries the whole body.
        """
        # The way of the feet by the pose, and that of the body by the translation: only the second is mirrored.
        bent_m = feet_m - translation_m[:, None]
        if self._last is not None:
            bent_m = np.concatenate([self._last[0][None], bent_m])
            translation_m = np.concatenate([self._last[1][None], translation_m])
        # The step between two blocks counts too.
        self._last = bent_m[-1], translation_m[-1]
        carried, bent = np.diff(translation_m, axis=0), np.diff(bent_m, axis=0)
        # The foot that is lowest before the step, because it carries the body during the step.
        standing = np.argmin((bent_m + translation_m[:, None])[:-1, :, 1], axis=1)
        own = bent[np.arange(len(bent)), standing]
        self.way_m += _way_m(carried)
        for axis in self.slides_m:
            self.slides_m[axis] += _way_m(own + carried * np.array(_MIRRORS.get(axis, (1.0, 1.0, 1.0))))

    def mirrored_axis(self) -> str:
        """Return the axis of AMASS world whose mirror image makes the feet stand; "" for none."""
        best = min(_MIRRORS, key=lambda axis: self.slides_m[axis])
        slides = self.slides_m[""] > SLIDES * self.way_m and self.slides_m[best] < STANDS * self.slides_m[""]
        return best if self.way_m >= LEAST_WALK_M and slides else ""


def _way_m(steps_m: NDArray[np.float64]) -> float:
    """Return the length of (n, 3) steps over the floor."""
    return float(np.hypot(steps_m[:, 0], steps_m[:, 2]).sum())
