"""Looks for oddities of a motion while it is posed: a body off the floor, a frozen recording, a mirrored axis.

| seen | said |
|---|---|
| lowest point far from the floor | another unit, another axis up, an axis mirrored |
| samples that repeat the one before while the body moves | the recording froze, or was filled by copies |
| free fall that is not 9.8 m/s2, steps too fast or too slow | the rate of the file |
| feet that slide, and stand where an axis of the translation is mirrored back | the axis |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from movi_prep.geometry.footing import Footing
from movi_prep.geometry.frames import amass_to_ground
from movi_prep.geometry.rate_audit import RateAudit, RateWatch
from movi_prep.geometry.repeats import row_steps, standstills

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.body.skinning import PosedPoints
    from movi_prep.records.motion import Motion

_FLOOR_TOLERANCE_M = 0.1
"""How far above or below y = 0 the lowest point of a clip may be; a sole is a few centimetres below its markers."""

_NO_ROOM_M = 20.0
"""No room is that high: a body farther off its floor has a translation in another unit."""

_ALONG = 0.8
"""Cosine between the mean direction of the trunk and an axis that it points along."""

_LEVER_M = 0.3
"""A joint that turns by a radian moves what hangs on it by its length, a third of a metre or so."""

_PELVIS, _NECK, _FEET = 0, 12, [10, 11]
"""Joints of SMPL+H."""


class ClipWatch:
    """Collects evidence block by block: `sampled` takes all samples of a clip, `posed` the rows that are posed.

    Attributes:
        lowest_m: lowest point so far, above the floor.
    """

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.lowest_m = np.inf
        self._trunk_m = np.zeros(3)
        self._footing = Footing()
        self._rate = RateWatch()
        self._steps_m: list[NDArray[np.float64]] = []
        self._last: NDArray[np.float64] | None = None

    def sampled(self, samples: Motion) -> None:
        """See the next samples."""
        # Translation and angles in one measure, metres: a body that only turns is not frozen.
        poses_rad = samples.poses_rad
        points = np.empty((len(poses_rad), 1 + poses_rad.shape[1], 3))
        points[:, 0] = samples.translation_m
        np.multiply(_LEVER_M, poses_rad, out=points[:, 1:])
        self._steps_m.append(row_steps(points, self._last))
        # The last sample is kept: a freeze may lie across the border of two blocks.
        self._last = points[-1]

    def posed(self, rows: Motion, points: PosedPoints) -> None:
        """See the next rows, and the body in them (OpenSim ground)."""
        self.lowest_m = min(self.lowest_m, points.lowest_m())
        self._trunk_m += (points.joints_m[:, _NECK] - points.joints_m[:, _PELVIS]).sum(axis=0)
        self._rate.add(points.joints_m)
        self._footing.add(points.joints_m[:, _FEET], amass_to_ground(rows.translation_m @ rows.to_amass_world.T))

    def rate_audit(self, row_hz: float) -> RateAudit:
        """Return the evidence of the rows about the rate of the clip, at `row_hz` rows per second."""
        return self._rate.audit(row_hz)

    def findings(self, rate_hz: float, audit: RateAudit) -> tuple[str, ...]:
        """Return sentences on oddities, each with its probable cause."""
        # The mean over the clip: a person who bends down now and then is still upright.
        trunk = self._trunk_m / np.linalg.norm(self._trunk_m)
        floor = floor_findings(self.lowest_m, trunk)
        return (
            *floor,
            *self._frozen(rate_hz),
            *audit.findings(rate_hz),
            # A body off the floor has a likelier cause than a mirrored axis; one explanation is enough.
            *([] if floor else self._mirrored()),
        )

    def _frozen(self, rate_hz: float) -> tuple[str, ...]:
        runs = standstills(np.concatenate(self._steps_m), rate_hz)
        if not runs:
            return ()
        longest, n_copies = max(runs, key=lambda run: run.n_rows), sum(run.n_rows for run in runs)
        return (
            f"{n_copies} samples repeat the one before, while the body moves ({len(runs)} times; the longest: samples "
            f"{longest.first} to {longest.last}, {longest.first / rate_hz:.3f} s, {longest.speed_m_s:.2f} m/s): the "
            "recording froze, or was filled by copies; labels there are of another "
            "time than the pictures",
        )

    def _mirrored(self) -> tuple[str, ...]:
        axis, footing = self._footing.mirrored_axis(), self._footing
        if not axis:
            return ()
        return (
            f"the standing foot slides {footing.slides_m['']:.1f} m while the body moves {footing.way_m:.1f} m, and "
            f"{footing.slides_m[axis]:.1f} m if {axis} of the translation is mirrored: was that axis of the world "
            "mirrored, and the poses not?",
        )


def floor_findings(lowest_m: float, trunk: NDArray[np.float64]) -> tuple[str, ...]:
    """Return what is odd about where the body stands, and the probable cause; `trunk`, (3,) in ground, points up it."""
    if abs(lowest_m) <= _FLOOR_TOLERANCE_M:
        return ()
    cause = ""
    if abs(lowest_m) > _NO_ROOM_M:
        cause = "; is its translation in millimetres or centimetres?"
    elif trunk[1] < -_ALONG and lowest_m > 0:
        # Above the floor, upside down: axis angles do not mirror as places do.
        cause = "; it stands on its head above the floor: was an axis of the world mirrored?"
    elif trunk[1] < -_ALONG:
        cause = "; it stands on its head: does its z axis point down?"
    elif abs(trunk[2]) > _ALONG:
        # Ground's z is AMASS' y, the other way round.
        cause = "; it lies along y all the time: is this clip y up? AMASS has z up"
    return (f"the body's lowest point is at {lowest_m:+.3f} m, not at the floor (0 m) of the floor markers{cause}",)
