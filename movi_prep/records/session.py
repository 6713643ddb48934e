"""A subject's recording session: the person, the clips on both clocks, independently measured joints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from movi_prep.records.checks import check_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from movi_prep.records.motion import Sex


@dataclass(frozen=True)
class Session:
    """One subject's session, with 0-based half-open ranges on the clocks of the whole session.

    Attributes:
        subject: name of the subject.
        sex: as the recorders noted it.
        height_m: stature in metres, None where it is not known.
        mass_kg: mass in kilograms, None where it is not known.
        clips: (k,) names of the clips, in the order of the session.
        performed: (k,) the motion performed in each, "" if unknown.
        video_ranges: (k, 2) int64, first video frame and one past the last; empty where a clip has none.
        mocap_ranges: (k, 2) int64, first mocap sample of the session and one past the last.
        samples_per_frame: mocap samples per video frame of the session's two clocks.
        joint_names: (j,) joints that were measured apart from the motion, by their names in the marker set; or ().
        joints_m: (n_samples, j, 3) float64, metres, AMASS world, NaN where missing; None if there are none.
        source: the file.
        findings: findings on the session, each with numbers.
    """

    subject: str
    sex: Sex
    height_m: float | None
    mass_kg: float | None
    clips: tuple[str, ...]
    performed: tuple[str, ...]
    video_ranges: NDArray[np.int64]
    mocap_ranges: NDArray[np.int64]
    samples_per_frame: int
    joint_names: tuple[str, ...]
    joints_m: NDArray[np.float64] | None
    source: str
    findings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check shapes; the one funnel for every reader."""
        k = len(self.clips)
        check_shape(np.empty(len(self.performed)), (k,), what="performed", where=self.source)
        check_shape(self.video_ranges, (k, 2), what="video ranges", where=self.source)
        check_shape(self.mocap_ranges, (k, 2), what="mocap ranges", where=self.source)
        if self.joints_m is not None:
            check_shape(self.joints_m, (None, len(self.joint_names), 3), what="joints", where=self.source)

    def row_of(self, clip: str) -> int | None:
        """Return the row of a clip that has video frames, None for any other."""
        row = self.clips.index(clip) if clip in self.clips else None
        return None if row is None or self.video_ranges[row, 0] >= self.video_ranges[row, 1] else row
